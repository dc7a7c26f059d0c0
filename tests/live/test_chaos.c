/*
 * test_chaos.c - an application that does everything at once, over servers that fail at random, under a
 * daemon that is killed at random. Then the faults stop, and within patience everything must be in sync.
 *
 * Each round prints its seed; LOCKSTEP_TEST_SEED=N repeats its choices (not their timing).
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "live/edits.h"
#include "live/harness.h"

#define STEPS 70
#define IDS 30 /* few, so that documents meet */

/* ---- the faults ---- */

static void break_something(struct live *w, struct chance *c)
{
    static const char *const of_qdrant[] = {
        J("kind"
          : "upsert", "count" : 2, "reset"
          : true, "apply"
          : true),
        J("kind"
          : "upsert", "count" : 1, "delay_ms" : 1900, "apply"
          : true),
        J("kind"
          : "*", "skip" : 1, "count" : 3, "status" : 503, "body"
          : "unavailable"),
        J("kind"
          : "*", "count" : 2, "garble"
          : "cut"),
        J("kind"
          : "delete", "count" : 2, "reset"
          : true, "apply"
          : true),
        J("collection"
          : "interface*", "count" : 4, "status" : 500, "body"
          : "no"),
        J("kind"
          : "*", "count" : 2, "status" : 429, "headers"
          : {"Retry-After" : 1}),
    };
    static const char *const of_embedder[] = {
        J("count" : 2, "status" : 503, "body"
          : "busy"),
        J("count" : 1, "reset"
          : true),
        J("count" : 1, "distort"
          : "count"),
        J("count" : 1, "status" : 429, "headers"
          : {"Retry-After" : 1}, "body"
          : "slowly"),
    };
    static const char *const of_mongodb[] = {
        J("lockstepDouble"
          : "dropConnections"),
        J("replSetStepDown" : 1, "force"
          : true),
        J("configureFailPoint"
          : "failCommand", "mode"
          : {"times" : 2}, "data"
          : {
              "failCommands" : [ "update", "find", "findAndModify" ],
              "appName" : "lockstep",
              "closeConnection" : true
          }),
        J("configureFailPoint"
          : "failCommand", "mode"
          : {"times" : 1}, "data"
          : {"failCommands" : [ "getMore", "aggregate" ], "appName" : "lockstep", "errorCode" : 91}),
    };
    bson_error_t error;
    switch (chance_draw(c, 3)) {
    case 0:
        fault(w, &w->qdrant, of_qdrant[chance_draw(c, sizeof of_qdrant / sizeof *of_qdrant)]);
        break;
    case 1:
        fault(w, &w->embedder, of_embedder[chance_draw(c, sizeof of_embedder / sizeof *of_embedder)]);
        break;
    default: {
        const char *command = of_mongodb[chance_draw(c, sizeof of_mongodb / sizeof *of_mongodb)];
        bson_t *what = bson_new_from_json((const uint8_t *)command, -1, &error);
        mongoc_client_command_simple(w->client, "admin", what, NULL, NULL,
                                     NULL); /* a second step-down is refused */
        bson_destroy(what);
    }
    }
}

static void hurt_the_daemon(struct live *w, struct chance *c)
{
    if (chance_draw(c, 3) == 0)
        daemon_stop(w);
    else
        daemon_kill(w);
    for (uint64_t i = chance_draw(c, 6); i > 0; i--) random_edit(w->tools, c, IDS);
    if (chance_draw(c, 4) == 0) admin(w, J("lockstepDouble" : "truncateOplog"));
    daemon_start(w);
}

static void one_round(struct live *w, const char *name, uint64_t by_default)
{
    struct chance c = {chance_seed(by_default)};
    printf("# seed %llu\n", (unsigned long long)c.state);
    live_open(w, name);
    live_set(w, "worker", "lease_ms", "2000");
    live_set(w, "qdrant", "timeout_ms", "800");
    live_set(w, "embedding", "batch_size", "5");
    for (int i = 0; i < IDS; i++) random_edit(w->tools, &c, IDS);
    daemon_start(w);
    for (int i = 0; i < STEPS; i++) {
        uint64_t what = chance_draw(&c, 20);
        if (what == 0)
            hurt_the_daemon(w, &c);
        else if (what < 6)
            break_something(w, &c);
        else
            random_edit(w->tools, &c, IDS);
        for (uint64_t pauses = chance_draw(&c, 8); pauses > 0; pauses--) live_pause();
    }
    faults_clear_all(w, &w->qdrant);
    faults_clear_all(w, &w->embedder);
    live_in_sync(w);
    daemon_stop(w);
    live_close(w);
}

START_TEST(after_chaos_everything_is_in_sync)
{
    struct live w = {.folder = ""};
    one_round(&w, "chaos", 1);
}
END_TEST

START_TEST(after_another_chaos_everything_is_in_sync)
{
    struct live w = {.folder = ""};
    one_round(&w, "chaos", 2);
}
END_TEST

START_TEST(after_chaos_with_a_qdrant_without_guarded_writes_everything_is_in_sync)
{
    struct live w = {.folder = "", .qdrant_version = "1.10.1"};
    one_round(&w, "chaos-old", 3);
}
END_TEST

START_TEST(after_chaos_on_kept_data_everything_is_in_sync)
{
    struct live w = {.folder = "", .keep_data = true};
    one_round(&w, "chaos-kept", 4);
}
END_TEST

/* ---- while something goes wrong all the time ---- */

START_TEST(what_is_deleted_and_moved_during_the_first_scan_leaves_no_stale_point)
{
    struct live w = {.folder = ""};
    live_open(&w, "scan-deletes");
    live_set(&w, "embedding", "batch_size", "10");
    insert_made(&w, 0, 300);
    fault(&w, &w.embedder, J("count" : 0, "delay_ms" : 20));
    daemon_start(&w);
    for (size_t i = 0; i < 40; i++) {
        char filter[64], change[64];
        WAIT_UNTIL(&w, points(&w, "tools") >= (int64_t)(4 * i));
        snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", 5 * i);
        delete_one(&w, filter);
        snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", 299 - 2 * i);
        snprintf(change, sizeof change, "{\"$set\":{\"id\":\"moved-%zu\"}}", i);
        if (count_documents(&w, filter)) update(&w, filter, change);
    }
    faults_clear_all(&w, &w.embedder);
    live_in_sync(&w);
    EXPECT_INT(&w, points(&w, "tools"), 260);
    live_close(&w);
}
END_TEST

/* A change for every collection, an edit, and a delete: what is to arrive in spite of all. */
static void make_changes(struct live *w, size_t round)
{
    char filter[64];
    insert_made(w, 1000 + 10 * round, 5);
    snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", 10 + round);
    update(w, filter, J("$set" : {"categories" : ["Changed"], "website" : "https://changed.example"}));
    snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", 20 + round);
    delete_one(w, filter);
}

/* A text for which no vector came twice when it was alone is given up until its document changes. */
static bool in_step_after_the_rejected_have_changed(struct live *w)
{
    static const char *const fields[][2] = {{"tools", "tagline"},
                                            {"functionality", "categories"},
                                            {"usecases", "userTypes"},
                                            {"interface", "status"}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        char command[400];
        bool list = strcmp(fields[i][1], "categories") == 0 || strcmp(fields[i][1], "userTypes") == 0;
        snprintf(command, sizeof command,
                 J("update"
                   : "tools", "updates"
                   : [ {
                       "q" : {"syncMetadata.collections.%s.errorCode" : "EMBEDDING_REJECTED"},
                       "u" : {"%s" : {"%s" : "Again"}},
                       "multi" : true
                   } ]),
                 fields[i][0], list ? "$push" : "$set", fields[i][1]);
        on_database(w, command);
    }
    char *difference = live_difference(w);
    bool none = !difference;
    free(difference);
    return none;
}

START_TEST(vectors_that_are_none_or_too_few_are_not_written)
{
    static const char *const ways[] = {J("count" : 2, "distort"
                                         : "count"),
                                       J("count" : 2, "distort"
                                         : "nan"),
                                       J("count" : 2, "distort"
                                         : "dimension"),
                                       J("count" : 2, "distort"
                                         : "index"),
                                       J("count" : 2, "distort"
                                         : "shuffle")};
    struct live w = {.folder = ""};
    live_open(&w, "distort");
    insert_made(&w, 0, 60);
    daemon_start(&w);
    live_in_sync(&w);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        fault(&w, &w.embedder, ways[i]);
        make_changes(&w, i);
    }
    WAIT_UNTIL(&w, in_step_after_the_rejected_have_changed(&w));
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {after_chaos_everything_is_in_sync,
                                  after_chaos_on_kept_data_everything_is_in_sync,
                                  what_is_deleted_and_moved_during_the_first_scan_leaves_no_stale_point};
    const TTest *const embedded[] = {after_another_chaos_everything_is_in_sync,
                                     after_chaos_with_a_qdrant_without_guarded_writes_everything_is_in_sync,
                                     vectors_that_are_none_or_too_few_are_not_written};
    return live_main_both("chaos", tests, sizeof tests / sizeof *tests, embedded,
                          sizeof embedded / sizeof *embedded);
}
