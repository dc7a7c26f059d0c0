/*
 * test_calls.c - the daemon whose one call fails, or one allocation, at each place that makes one: a first
 * scan, some changes, a stop. It may end, saying why; it may not crash or hang, and with its next life at the
 * latest everything is in sync.
 *
 * tests/fault/tortured is the program for it (torture.h). A place is a call with what called it, so that what
 * many use, as buffers, counts for each of them. LOCKSTEP_TEST_PLACES says how many are taken,
 * LOCKSTEP_TEST_SEED which; 0 is all. LOCKSTEP_TEST_PLACE=KIND:N:SITE takes that one, as a failure names it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/edits.h"
#include "live/ends.h"
#include "live/harness.h"

#define MOST_PLACES 8000
#define PLACES 8
#define DOCUMENTS 3

struct place {
    char kind[16], name[48];
    unsigned site;
};

static struct place places[MOST_PLACES];
static size_t place_count;

static void note_place(const struct place *place)
{
    for (size_t i = 0; i < place_count; i++)
        if (places[i].site == place->site && strcmp(places[i].name, place->name) == 0) return;
    if (place_count < MOST_PLACES) places[place_count++] = *place;
}

static void read_places(struct live *w, const char *path)
{
    char line[512];
    struct place place;
    FILE *file = fopen(path, "re");
    if (!file) FAIL(w, "the program wrote down no places");
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%15s %x %47s", place.kind, &place.site, place.name) == 3) note_place(&place);
    fclose(file);
}

/* ---- a life ---- */

static bool struck(const struct live *w)
{
    return log_has(&w->daemon, "torture: ");
}

/* Waits until everything is in sync, by a new daemon if this one has ended, which it has to explain. True if
 * it had. */
static bool come_into_sync(struct live *w)
{
    char *difference = NULL;
    int64_t until_ms = live_now_ms() + LIVE_PATIENCE_MS;
    for (bool in_sync = false; process_runs(&w->daemon) && !in_sync;) {
        difference = live_difference(w);
        in_sync = !difference;
        if (!in_sync && live_now_ms() > until_ms) FAIL(w, "not in sync: %s", difference);
        free(difference);
        if (!in_sync) live_pause();
    }
    ends_look(w);
    if (process_runs(&w->daemon)) return false;
    if (!struck(w)) FAIL(w, "the daemon ended, and nothing had failed");
    if (!log_has(&w->daemon, "lockstep: ") && !log_has(&w->daemon, " error "))
        FAIL(w, "it ended without a word");
    daemon_start(w);
    live_in_sync(w);
    return true;
}

static void stop(struct live *w)
{
    process_signal(&w->daemon, SIGTERM);
    int status = ends_wait(&w->daemon);
    ends_look(w);
    if (status < 0) FAIL(w, "it does not end");
}

/* False if the place was never reached. */
static bool live_without(struct live *w, const char *request)
{
    daemon_start(w);
    unsetenv("LOCKSTEP_TEST_TORTURE");
    come_into_sync(w);
    update(w, J("id" : "made-0"), J("$set" : {"description" : "another text"}));
    delete_one(w, J("id" : "made-1"));
    insert_made(w, DOCUMENTS, 1);
    come_into_sync(w);
    bool before = struck(w);
    stop(w);
    if (!struck(w)) return false;
    if (!before) { /* at its end: does the next one find what came meanwhile? */
        update(w, J("id" : "made-0"), J("$set" : {"description" : "the text before last"}));
        daemon_start(w);
        live_in_sync(w);
        daemon_kill(w);
    }
    printf("# %s: kept its promise\n", request);
    return true;
}

static void open_world(struct live *w)
{
    *w = (struct live){.stand_ins = true};
    live_open(w, "calls");
    w->program = "tests/fault/tortured";
    live_set(w, "api", "listen", "127.0.0.1:0");
    insert_made(w, 0, DOCUMENTS);
}

static void find_places(void)
{
    struct live w;
    char path[640];
    open_world(&w);
    snprintf(path, sizeof path, "%s/places", w.folder);
    setenv("LOCKSTEP_TEST_TORTURE_SITES", path, 1);
    daemon_start(&w);
    unsetenv("LOCKSTEP_TEST_TORTURE_SITES");
    live_in_sync(&w);
    update(&w, J("id" : "made-0"), J("$set" : {"description" : "another text"}));
    delete_one(&w, J("id" : "made-1"));
    live_in_sync(&w);
    daemon_stop(&w);
    read_places(&w, path);
    live_close(&w);
}

static bool try_place(const char *request, const char *name)
{
    struct live w;
    open_world(&w);
    printf("# LOCKSTEP_TEST_PLACE=%s (%s)\n", request, name);
    fflush(stdout);
    setenv("LOCKSTEP_TEST_TORTURE", request, 1);
    bool met = live_without(&w, request);
    live_close(&w);
    return met;
}

START_TEST(whatever_call_fails_everything_comes_into_sync)
{
    struct chance chance = {.state = chance_seed(1)};
    const char *only = getenv("LOCKSTEP_TEST_PLACE"), *asked = getenv("LOCKSTEP_TEST_PLACES");
    size_t wanted = asked ? strtoul(asked, NULL, 10) : PLACES, met = 0;
    if (only) {
        try_place(only, "the one that was asked for");
        return;
    }
    find_places();
    printf("# seed %llu, %zu places\n", (unsigned long long)chance.state, place_count);
    ck_assert_uint_gt(place_count, 200);
    for (size_t i = 0; i < place_count && (!wanted || met < wanted); i++) {
        char request[64];
        size_t other = i + chance_draw(&chance, place_count - i);
        struct place place = places[other];
        places[other] = places[i];
        snprintf(request, sizeof request, "%s:%llu:%x", place.kind,
                 1 + (unsigned long long)chance_draw(&chance, 2) * chance_draw(&chance, 3), place.site);
        met += try_place(request, place.name);
    }
    printf("# %zu places failed\n", met);
    ck_assert_uint_gt(met, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {whatever_call_fails_everything_comes_into_sync};
    return live_main("calls", tests, sizeof tests / sizeof *tests);
}
