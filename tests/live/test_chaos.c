/*
 * test_chaos.c - an application that does everything at once, over servers that fail at random, under a
 * daemon that is killed at random. Then the faults stop, and within patience everything must be in step.
 *
 * Each round prints its seed; LOCKSTEP_TEST_SEED=N repeats its choices (not their timing).
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "live/harness.h"

#define STEPS 70
#define IDS 30 /* few, so that documents meet */

struct chance {
    uint64_t state;
};

/* splitmix64 */
static uint64_t draw(struct chance *c, uint64_t below)
{
    uint64_t z = (c->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static uint64_t seed_of(uint64_t by_default)
{
    const char *asked = getenv("LOCKSTEP_TEST_SEED");
    return asked ? strtoull(asked, NULL, 10) : by_default;
}

/* ---- the application ---- */

/* On a document of a random `_id`, perhaps one that isn't there: the same as an application that is late. */
static void change_document(struct live *w, struct chance *c)
{
    char filter[64], change[300];
    unsigned long long key = draw(c, IDS), id = draw(c, IDS), n = draw(c, 1000);
    bson_error_t error;
    snprintf(filter, sizeof filter, "{\"_id\":%llu}", key);
    snprintf(change, sizeof change,
             "{\"$set\":{\"id\":\"x-%llu\",\"name\":\"Name %llu\",\"categories\":[\"C "
             "%llu\"],\"interface\":\"Web\"}}",
             id, n, n % 5);
    switch (draw(c, 8)) {
    case 0:
        break; /* id and all */
    case 1:
        snprintf(change, sizeof change, "{\"$set\":{\"website\":\"https://%llu.example\"}}", n);
        break;
    case 2:
        snprintf(change, sizeof change, "{\"$set\":{\"categories\":[\"C %llu\",\"D\"]}}", n % 5);
        break;
    case 3:
        snprintf(change, sizeof change, "{\"$unset\":{\"name\":\"\",\"interface\":\"\"}}");
        break;
    case 4:
        snprintf(change, sizeof change, "{\"$set\":{\"id\":\"x-%llu\"}}", id);
        break;
    case 5:
        snprintf(change, sizeof change, "{\"_id\":%llu,\"id\":\"x-%llu\",\"name\":\"Replaced %llu\"}", key,
                 id, n);
        break;
    case 6:
        snprintf(change, sizeof change, "{\"$set\":{\"contributor\":\"somebody %llu\"}}", n);
        break;
    default:
        *change = '\0'; /* delete */
    }
    bson_t *which = bson_new_from_json((const uint8_t *)filter, -1, &error), opts = BSON_INITIALIZER;
    bson_t *what = *change ? bson_new_from_json((const uint8_t *)change, -1, &error) : NULL;
    BSON_APPEND_BOOL(&opts, "upsert", true);
    /* what an election refuses is a change that was not made */
    if (!what)
        mongoc_collection_delete_one(w->tools, which, NULL, NULL, NULL);
    else if (change[2] == '$')
        mongoc_collection_update_one(w->tools, which, what, draw(c, 2) ? &opts : NULL, NULL, NULL);
    else
        mongoc_collection_replace_one(w->tools, which, what, &opts, NULL, NULL);
    bson_destroy(which);
    bson_destroy(what);
    bson_destroy(&opts);
}

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
    switch (draw(c, 3)) {
    case 0:
        fault(w, &w->qdrant, of_qdrant[draw(c, sizeof of_qdrant / sizeof *of_qdrant)]);
        break;
    case 1:
        fault(w, &w->embedder, of_embedder[draw(c, sizeof of_embedder / sizeof *of_embedder)]);
        break;
    default: {
        const char *command = of_mongodb[draw(c, sizeof of_mongodb / sizeof *of_mongodb)];
        bson_t *what = bson_new_from_json((const uint8_t *)command, -1, &error);
        mongoc_client_command_simple(w->client, "admin", what, NULL, NULL,
                                     NULL); /* a second step-down is refused */
        bson_destroy(what);
    }
    }
}

static void hurt_the_daemon(struct live *w, struct chance *c)
{
    if (draw(c, 3) == 0)
        daemon_stop(w);
    else
        daemon_kill(w);
    for (uint64_t i = draw(c, 6); i > 0; i--) change_document(w, c);
    if (draw(c, 4) == 0) admin(w, J("lockstepDouble" : "truncateOplog"));
    daemon_start(w);
}

static void one_round(struct live *w, const char *name, uint64_t by_default)
{
    struct chance c = {seed_of(by_default)};
    printf("# seed %llu\n", (unsigned long long)c.state);
    live_open(w, name);
    live_set(w, "worker", "lease_ms", "2000");
    live_set(w, "qdrant", "timeout_ms", "800");
    live_set(w, "embedding", "batch_size", "5");
    for (int i = 0; i < IDS; i++) change_document(w, &c);
    daemon_start(w);
    for (int i = 0; i < STEPS; i++) {
        uint64_t what = draw(&c, 20);
        if (what == 0)
            hurt_the_daemon(w, &c);
        else if (what < 6)
            break_something(w, &c);
        else
            change_document(w, &c);
        for (uint64_t pauses = draw(&c, 8); pauses > 0; pauses--) live_pause();
    }
    faults_clear_all(w, &w->qdrant);
    faults_clear_all(w, &w->embedder);
    live_in_step(w);
    daemon_stop(w);
    live_close(w);
}

START_TEST(after_chaos_everything_is_in_step)
{
    struct live w = {.folder = ""};
    one_round(&w, "chaos", 1);
}
END_TEST

START_TEST(after_another_chaos_everything_is_in_step)
{
    struct live w = {.folder = ""};
    one_round(&w, "chaos", 2);
}
END_TEST

START_TEST(after_chaos_with_a_qdrant_without_guarded_writes_everything_is_in_step)
{
    struct live w = {.folder = "", .qdrant_version = "1.10.1"};
    one_round(&w, "chaos-old", 3);
}
END_TEST

START_TEST(after_chaos_on_kept_data_everything_is_in_step)
{
    struct live w = {.folder = "", .keep_data = true};
    one_round(&w, "chaos-kept", 4);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        after_chaos_everything_is_in_step,
        after_another_chaos_everything_is_in_step,
        after_chaos_with_a_qdrant_without_guarded_writes_everything_is_in_step,
        after_chaos_on_kept_data_everything_is_in_step,
    };
    return live_main("chaos", tests, sizeof tests / sizeof *tests);
}
