/*
 * test_daemons.c - several daemons on one source: they are killed, paused and cut off, and what a paused one
 * still had on its way arrives when another one has long written something newer.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "fault/network.h"
#include "fault/writer.h"

#define IDS 30

/* ---- who is at work ---- */

static bool holds_lease(struct live *w, const struct live_process *p)
{
    char owner[32];
    bson_t query = BSON_INITIALIZER;
    const bson_t *doc;
    bool holds = false;
    mongoc_collection_t *states = mongoc_client_get_collection(w->client, w->database, "lockstep.state");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(states, &query, NULL, NULL);
    snprintf(owner, sizeof owner, ":%d:", (int)p->pid);
    while (mongoc_cursor_next(cursor, &doc)) {
        char *json = bson_as_relaxed_extended_json(doc, NULL);
        holds |= json && strstr(json, owner);
        bson_free(json);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(states);
    bson_destroy(&query);
    return holds;
}

/* Each time the one that works is killed, the other takes over, and a new one stands by. */
START_TEST(of_two_daemons_one_always_works)
{
    struct live w = {.folder = ""};
    struct network n;
    live_open(&w, "relay");
    network_open(&n, &w);
    daemon_start(&w);
    second_start(&w);
    struct writer *writer = writer_start(&w, 4, IDS, 8);
    for (int i = 0; i < 6; i++) {
        WAIT_UNTIL(&w, holds_lease(&w, &w.daemon) || holds_lease(&w, &w.second));
        struct live_process *lease_holder = holds_lease(&w, &w.daemon) ? &w.daemon : &w.second;
        struct live_process *other = lease_holder == &w.daemon ? &w.second : &w.daemon;
        process_kill(lease_holder);
        WAIT_UNTIL(&w, holds_lease(&w, other));
        if (lease_holder == &w.daemon)
            daemon_start(&w);
        else
            second_start(&w);
    }
    writer_stop(writer);
    live_in_sync(&w);
    live_close(&w);
    network_close(&n);
}
END_TEST

/* ---- many, each behind a network of its own ---- */

#define CREW 4
#define BLOWS 30

struct member {
    struct live_process process;
    struct network network;
    bool paused;
};

/* Its log has a name of its own, so that one sees when this life has read its configuration: the next one
 * that joins changes that. */
static void join_in(struct live *w, struct member *m)
{
    static unsigned lives;
    char name[24];
    snprintf(name, sizeof name, "crew-%u", ++lives);
    network_restore(&m->network);
    network_use(&m->network, w);
    m->process.pid = 0;
    m->paused = false;
    daemon_start_as(w, &m->process, name);
    WAIT_UNTIL(w, log_has(&m->process, "lease"));
}

/* It suffers something, or gets over it. */
static void strike(struct live *w, struct member *m, struct chance *c)
{
    switch (chance_draw(c, 4)) {
    case 0:
        process_kill(&m->process);
        join_in(w, m);
        break;
    case 1:
        process_signal(&m->process, m->paused ? SIGCONT : SIGSTOP);
        m->paused = !m->paused;
        break;
    case 2:
        network_break(&m->network, c);
        break;
    default:
        network_restore(&m->network);
    }
}

static void recover(struct live *w, struct member *m)
{
    network_restore(&m->network);
    process_signal(&m->process, SIGCONT);
    EXPECT(w, process_runs(&m->process));
}

static size_t duplicates(struct live *w, const struct member *crew)
{
    size_t count = 0;
    for (size_t i = 0; i < CREW; i++) count += holds_lease(w, &crew[i].process);
    return count;
}

START_TEST(of_many_daemons_that_are_killed_paused_and_cut_off_one_always_works)
{
    struct live w = {.folder = ""};
    static struct member crew[CREW];
    struct chance c = {chance_seed(1)};
    printf("# seed %llu\n", (unsigned long long)c.state);
    live_open(&w, "crew");
    for (size_t i = 0; i < CREW; i++) {
        network_open(&crew[i].network, &w);
        join_in(&w, &crew[i]);
    }
    struct writer *writer = writer_start(&w, 5, IDS, 8);
    for (int i = 0; i < BLOWS; i++) {
        strike(&w, &crew[chance_draw(&c, CREW)], &c);
        for (uint64_t pauses = chance_draw(&c, 30); pauses > 0; pauses--) live_pause();
    }
    writer_stop(writer);
    for (size_t i = 0; i < CREW; i++) recover(&w, &crew[i]);
    live_in_sync(&w);
    WAIT_UNTIL(&w, duplicates(&w, crew) == 1);
    insert_made(&w, 0, 1);
    live_in_sync(&w);
    counters_reset(&w);
    update(&w, J("id" : "made-0"), J("$set" : {"categories" : ["Whose work is this"]}));
    live_in_sync(&w);
    EXPECT_INT(&w, counters(&w).texts, 1); /* one of them embeds it, and the others don't */
    for (size_t i = 0; i < CREW; i++) {
        process_kill(&crew[i].process);
        network_close(&crew[i].network);
    }
    live_close(&w);
}
END_TEST

/* ---- what a paused holder had on its way ---- */

struct pair {
    struct live w;
    struct network network; /* of the one that will be paused */
};

static int64_t requests(struct live *w, const char *kind)
{
    json_t *reply = NULL;
    if (ask(w, &w->qdrant, "GET", "/__double/counters", NULL, &reply) != 200) FAIL(w, "no counters");
    int64_t count = json_integer_value(json_object_get(json_object_get(reply, "requests"), kind));
    json_decref(reply);
    return count;
}

/* Two daemons in sync; only the first one's way to Qdrant has a proxy. */
static void open_pair(struct pair *p, const char *name)
{
    char qdrant[64];
    struct live *w = &p->w;
    w->stand_ins = true;
    live_open(w, name);
    network_open(&p->network, w);
    live_set(w, "qdrant", "timeout_ms", "1500");
    live_set(w, "worker", "lease_ms", "3000");
    insert_made(w, 0, 20);
    daemon_start(w);
    live_in_sync(w);
    snprintf(qdrant, sizeof qdrant, "http://127.0.0.1:%d", w->qdrant.port);
    live_set(w, "qdrant", "url", qdrant);
    second_start(w);
    WAIT_UNTIL(w, log_has(&w->second, "another process holds the lease"));
}

/* From now on the first daemon's next such request is held on its way. */
static void hold(struct pair *p, const char *request)
{
    proxy_hold(p->network.to[TO_QDRANT], request);
}

/* Once it is under way its sender is paused, and the other one takes over. */
static void pause_the_sender(struct pair *p)
{
    WAIT_UNTIL(&p->w, proxy_hits(p->network.to[TO_QDRANT]) > 0);
    process_signal(&p->w.daemon, SIGSTOP);
    WAIT_UNTIL(&p->w, log_has(&p->w.second, "lease taken over"));
}

/* What was held arrives at Qdrant. */
static void let_it_arrive(struct pair *p, const char *kind)
{
    int64_t before = requests(&p->w, kind);
    network_restore(&p->network);
    WAIT_UNTIL(&p->w, requests(&p->w, kind) > before);
}

static void close_pair(struct pair *p)
{
    struct live *w = &p->w;
    process_signal(&w->daemon, SIGCONT);
    WAIT_UNTIL(w, log_has(&w->daemon, "the lease was lost"));
    update(w, J("id" : "made-3"), J("$set" : {"categories" : ["At the end"]}));
    live_in_sync(w);
    EXPECT(w, process_runs(&w->daemon) && process_runs(&w->second));
    live_close(w);
    network_close(&p->network);
}

static void nothing_changes_by(struct pair *p, const char *kind)
{
    live_in_sync(&p->w);
    let_it_arrive(p, kind);
    char *difference = live_difference(&p->w);
    if (difference) FAIL(&p->w, "the late request did something: %s", difference);
}

START_TEST(an_upsert_of_a_paused_holder_that_arrives_late_overwrites_nothing_newer)
{
    static struct pair p;
    open_pair(&p, "late-upsert");
    hold(&p, "/points?wait=true");
    update(&p.w, J("id" : "made-1"), J("$set" : {"categories" : ["Old"]}));
    pause_the_sender(&p);
    update(&p.w, J("id" : "made-1"), J("$set" : {"categories" : ["Newest"]}));
    nothing_changes_by(&p, "upsert");
    close_pair(&p);
}
END_TEST

START_TEST(a_payload_of_a_paused_holder_that_arrives_late_overwrites_nothing_newer)
{
    static struct pair p;
    open_pair(&p, "late-payload");
    hold(&p, "/points?wait=true");
    update(&p.w, J("id" : "made-1"), J("$set" : {"website" : "https://old.example"}));
    pause_the_sender(&p);
    update(&p.w, J("id" : "made-1"), J("$set" : {"website" : "https://newest.example"}));
    nothing_changes_by(&p, "upsert");
    close_pair(&p);
}
END_TEST

/* A delete can't be made conditional: this one does harm, and that is noticed by the number of points. */
START_TEST(a_delete_of_a_paused_holder_that_arrives_late_is_made_good)
{
    static struct pair p;
    open_pair(&p, "late-delete");
    hold(&p, "/points/delete?wait=true");
    delete_one(&p.w, J("id" : "made-1"));
    pause_the_sender(&p);
    live_in_sync(&p.w);
    insert_made(&p.w, 1, 1);
    live_in_sync(&p.w);
    let_it_arrive(&p, "delete");
    live_in_sync(&p.w);
    EXPECT_INT(&p.w, points(&p.w, "tools"), 20);
    close_pair(&p);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        of_two_daemons_one_always_works,
        of_many_daemons_that_are_killed_paused_and_cut_off_one_always_works,
        an_upsert_of_a_paused_holder_that_arrives_late_overwrites_nothing_newer,
        a_payload_of_a_paused_holder_that_arrives_late_overwrites_nothing_newer,
        a_delete_of_a_paused_holder_that_arrives_late_is_made_good,
    };
    return live_main("daemons", tests, sizeof tests / sizeof *tests);
}
