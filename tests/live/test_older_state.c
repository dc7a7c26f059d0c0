/*
 * test_older_state.c - a daemon of today starts on the state, records and points that an older version left.
 *
 * The older version's servers are the stand-ins' data files in tests/data/state-0.1.0 (its README says what
 * is in them). Nothing unchanged may be embedded again, no point may be missing at any moment, and each point
 * is written at most once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/harness.h"

#define COLLECTIONS 5 /* the four of the model case, and `places` */
static const char *const all_collections[COLLECTIONS] = {"tools", "functionality", "usecases", "interface",
                                                         "places"};

/* Gives a stand-in that is stopped the data file of the older version. */
static void unpack(struct live *w, const char *left, const char *server)
{
    char command[2048];
    const char *top = getenv("top_srcdir");
    snprintf(command, sizeof command, "gzip -dc '%s/tests/data/state-0.1.0/%s-%s.data.gz' >'%s/%s.data'",
             top ? top : ".", left, server, w->folder, server);
    if (system(command) != 0) FAIL(w, "the older state can't be unpacked: %s", command);
}

static void open_older(struct live *w, const char *left)
{
    live_open(w, left);
    process_kill(&w->mongod);
    process_kill(&w->qdrant);
    unpack(w, left, "mongod");
    unpack(w, left, "qdrant");
    mongod_start(w);
    qdrant_start(w);
    live_set(w, "collection:places", "plugin", "fields");
    live_set(w, "collection:places", "watched", "name 2, address.city");
    live_set(w, "collection:places", "payload", "name, address.city, address.zip, tags");
    delete_one(w, J("_id" : "18")); /* its text is refused for good, which no comparison expects */
    counters_reset(w);
}

/* Points of documents that are still there: a point for each, whatever else happens. */
static int64_t points_of_living(struct live *w, const char *collection)
{
    json_t *reply = NULL;
    char path[120];
    static const char body[] = "{\"filter\":{\"must_not\":[{\"key\":\"_lockstep.doc\",\"match\":{\"any\":["
                               "\"\\\"18\\\"\",\"\\\"19\\\"\",\"\\\"20\\\"\"]}}]}}";
    snprintf(path, sizeof path, "/collections/%s/points/count", collection);
    long status = ask(w, &w->qdrant, "POST", path, body, &reply);
    int64_t count = json_integer_value(json_object_get(json_object_get(reply, "result"), "count"));
    json_decref(reply);
    return status == 200 ? count : -1;
}

/* Waits until everything is in sync; in between no collection may have fewer points than at the start. */
static void in_sync_without_a_gap(struct live *w)
{
    int64_t before[COLLECTIONS], until = live_now_ms() + LIVE_PATIENCE_MS;
    for (size_t i = 0; i < COLLECTIONS; i++) before[i] = points_of_living(w, all_collections[i]);
    daemon_start(w);
    for (;;) {
        for (size_t i = 0; i < COLLECTIONS; i++)
            if (points_of_living(w, all_collections[i]) < before[i])
                FAIL(w, "%s: points were missing for a moment", all_collections[i]);
        char *difference = live_difference(w);
        if (!difference) return;
        if (live_now_ms() > until) FAIL(w, "not in sync: %s", difference);
        free(difference);
        live_pause();
    }
}

static void takes_over(const char *left, int64_t texts)
{
    struct live w = {.folder = "", .keep_data = true};
    open_older(&w, left);
    int64_t most = 0;
    in_sync_without_a_gap(&w);
    for (size_t i = 0; i < COLLECTIONS; i++) most += points(&w, all_collections[i]);
    struct counters c = counters(&w);
    printf("# %s: %lld texts embedded, %lld points upserted, %lld payloads, %lld deleted\n", left,
           (long long)c.texts, (long long)c.upserted, (long long)c.payloads, (long long)c.deleted);
    EXPECT_INT(&w, c.texts, texts);
    EXPECT(&w, c.upserted + c.payloads <= most);
    /* what was taken over is believed from then on */
    daemon_stop(&w);
    counters_reset(&w);
    daemon_start(&w);
    update(&w, J("_id" : "eleven"), J("$set" : {"website" : "https://odd.example/later"}));
    live_in_sync(&w);
    c = counters(&w);
    EXPECT_INT(&w, c.texts, 0);
    EXPECT(&w, c.upserted + c.payloads <= 4);
    live_close(&w);
}

/*
 * "21" and "23" wait for a vector in two collections each, "22" in one. Five business ids were kept in a
 * wider type than they need (8, 9.0, 11.0, -0.0, 2^53+2 as int64): their keys, and so their points, are
 * others now, to which their vectors are moved.
 */
#define WAITING 5
START_TEST(what_a_stopped_daemon_left_is_taken_over)
{
    takes_over("clean", WAITING);
}
END_TEST

START_TEST(what_a_killed_daemon_left_is_taken_over)
{
    takes_over("killed", WAITING);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_a_stopped_daemon_left_is_taken_over,
                                  what_a_killed_daemon_left_is_taken_over};
    return live_main("older state", tests, sizeof tests / sizeof *tests);
}
