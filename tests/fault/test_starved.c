/*
 * test_starved.c - the daemon without what the system should give it: a log that can be written, file
 * descriptors, processor time; and several daemons of which one after the other is killed.
 */
#define _GNU_SOURCE /* prlimit */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "fault/network.h"
#include "fault/writer.h"

#define IDS 30

START_TEST(a_log_that_cannot_be_written_stops_nothing)
{
    struct live w = {.folder = "", .daemon_log = "/dev/full", .stand_ins = true};
    live_open(&w, "full-log");
    daemon_start(&w);
    struct writer *writer = writer_start(&w, 1, IDS, 4);
    fault(&w, &w.qdrant, "{\"kind\": \"upsert\", \"count\": 5, \"status\": 500, \"body\": \"no\"}");
    WAIT_UNTIL(&w, points(&w, "tools") > 3);
    writer_stop(writer);
    live_in_step(&w);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

static void limit_files(const struct live_process *p, rlim_t count)
{
    struct rlimit limit;
    prlimit(p->pid, RLIMIT_NOFILE, NULL, &limit);
    limit.rlim_cur = count;
    prlimit(p->pid, RLIMIT_NOFILE, &limit, NULL);
}

/* What is open stays open; connections that break meanwhile can't be made again until there are descriptors.
 */
START_TEST(without_file_descriptors_it_waits_until_there_are_some)
{
    struct live w = {.folder = "", .stand_ins = true};
    struct network n;
    live_open(&w, "no-files");
    network_open(&n, &w);
    insert_sample(&w);
    daemon_start(&w);
    live_in_step(&w);
    limit_files(&w.daemon, 5);
    for (int i = 0; i < NETWORK_SERVERS; i++) proxy_set(n.to[i], PROXY_REFUSE, 0);
    struct writer *writer = writer_start(&w, 2, IDS, 8);
    WAIT_UNTIL(&w, log_has(&w.daemon, "change stream broke"));
    network_heal(&n); /* now it is the descriptors alone */
    for (int pauses = 0; pauses < 100; pauses++) live_pause();
    writer_stop(writer);
    EXPECT(&w, process_runs(&w.daemon));
    limit_files(&w.daemon, 256);
    live_in_step(&w);
    daemon_stop(&w);
    network_close(&n);
    live_close(&w);
}
END_TEST

START_TEST(stopped_and_continued_again_and_again_it_goes_on)
{
    struct live w = {.folder = "", .stand_ins = true};
    struct network n;
    live_open(&w, "stopped");
    network_open(&n, &w);
    daemon_start(&w);
    struct writer *writer = writer_start(&w, 3, IDS, 8);
    for (int i = 0; i < 4; i++) {
        for (int pauses = 0; pauses < 30; pauses++) live_pause();
        process_signal(&w.daemon, SIGSTOP);
        for (int pauses = 0; pauses < 90; pauses++) live_pause(); /* longer than its lease */
        process_signal(&w.daemon, SIGCONT);
    }
    writer_stop(writer);
    live_in_step(&w);
    daemon_stop(&w);
    network_close(&n);
    live_close(&w);
}
END_TEST

static bool holds_lease(struct live *w, const struct live_process *p)
{
    char owner[32];
    bson_t query = BSON_INITIALIZER;
    const bson_t *doc;
    bool holds = false;
    mongoc_collection_t *states = mongoc_client_get_collection(w->client, "live", "lockstep.state");
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
    struct live w = {.folder = "", .stand_ins = true};
    struct network n;
    live_open(&w, "relay");
    network_open(&n, &w);
    daemon_start(&w);
    second_start(&w);
    struct writer *writer = writer_start(&w, 4, IDS, 8);
    for (int i = 0; i < 6; i++) {
        WAIT_UNTIL(&w, holds_lease(&w, &w.daemon) || holds_lease(&w, &w.second));
        struct live_process *holder = holds_lease(&w, &w.daemon) ? &w.daemon : &w.second;
        struct live_process *other = holder == &w.daemon ? &w.second : &w.daemon;
        process_kill(holder);
        WAIT_UNTIL(&w, holds_lease(&w, other));
        if (holder == &w.daemon)
            daemon_start(&w);
        else
            second_start(&w);
    }
    writer_stop(writer);
    live_in_step(&w);
    live_close(&w);
    network_close(&n);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_log_that_cannot_be_written_stops_nothing,
        without_file_descriptors_it_waits_until_there_are_some,
        stopped_and_continued_again_and_again_it_goes_on,
        of_two_daemons_one_always_works,
    };
    return live_main("starved", tests, sizeof tests / sizeof *tests);
}
