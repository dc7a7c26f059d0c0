/* test_api_state.c - what the daemon says of its engines: state, history, and problems in words. */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

static json_t *state(struct live *w, const struct live_process *server)
{
    return answer(w, server, 200, "GET", "/api/sync/worker/state", NULL);
}

/* A number of the state. */
static int64_t state_int(struct live *w, const struct live_process *server, const char *path)
{
    json_t *s = state(w, server);
    int64_t value = number_at(s, path);
    json_decref(s);
    return value;
}

static bool state_null(struct live *w, const struct live_process *server, const char *path)
{
    json_t *s = state(w, server);
    EXPECT(w, value_at(s, path) != NULL);
    bool null = json_is_null(value_at(s, path));
    json_decref(s);
    return null;
}

START_TEST(the_state_says_what_the_engine_does)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "state");
    insert_made(&w, 0, 29);
    WAIT_UNTIL(&w, log_has(&w.daemon, "following the change stream"));
    insert_made(&w, 29, 1);
    live_in_sync(&w);
    WAIT_UNTIL(&w, !state_null(&w, &server, "stream.lagMs"));
    WAIT_UNTIL(&w, state_int(&w, &server, "documentsInWork") == 0);
    json_t *s = state(&w, &server);
    EXPECT(&w, strcmp(text_at(s, "source"), "tools") == 0);
    EXPECT(&w, strcmp(text_at(s, "phase"), "run") == 0);
    EXPECT(&w, number_at(s, "epoch") > 0);
    EXPECT(&w, strcmp(text_at(s, "stream.mode"), "stream") == 0);
    EXPECT(&w, json_is_true(value_at(s, "stream.open")) && json_is_null(value_at(s, "stream.error")));
    EXPECT(&w, json_is_false(value_at(s, "scan.running")) && json_is_null(value_at(s, "scan.etaMs")));
    EXPECT_INT(&w, number_at(s, "bytesInWork"), 0);
    EXPECT(&w, number_at(s, "creditsDocuments") > 0 && number_at(s, "creditsBytes") > 0);
    EXPECT(&w, json_is_null(value_at(s, "oldestUnsyncedSeconds")));
    EXPECT_INT(&w, json_object_size(value_at(s, "collections")), 4);
    EXPECT(&w, strcmp(text_at(s, "collections.usecases.circuit"), "closed") == 0);
    EXPECT(&w, json_is_null(value_at(s, "collections.usecases.error")));
    EXPECT_INT(&w, number_at(s, "collections.usecases.upserted"), 30);
    EXPECT_INT(&w, number_at(s, "collections.usecases.queued"), 0);
    EXPECT_INT(&w, json_array_size(value_at(s, "embedders")), 1);
    EXPECT(&w, number_at(s, "embedders.0.texts") >= 120 && number_at(s, "embedders.0.requests") > 0);
    EXPECT(&w, strcmp(text_at(s, "embedders.0.name"), text_at(s, "collections.tools.embedder")) == 0);
    json_decref(s);
    json_decref(answer(&w, &server, 404, "GET", "/api/sync/worker/state?source=people", NULL));
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(what_waits_for_an_embedder_is_seen_to_wait)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "state-waits");
    insert_made(&w, 0, 5);
    live_in_sync(&w);
    fault(&w, &w.embedder, J("count" : 0, "status" : 503, "body" : "busy"));
    update(&w, J("id" : "made-1"), J("$set" : {"description" : "another one altogether"}));
    WAIT_UNTIL(&w, document_says(&w, J("id" : "made-1"), "syncMetadata.collections.tools.status", "failed"));
    WAIT_UNTIL(&w, state_int(&w, &server, "oldestUnsyncedSeconds") >= 2);
    faults_clear_all(&w, &w.embedder);
    live_in_sync(&w);
    WAIT_UNTIL(&w, state_null(&w, &server, "oldestUnsyncedSeconds"));
    EXPECT(&w, state_int(&w, &server, "collections.tools.retried") > 0);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

/* The sum of a number over all points; -1 if there is none. */
static int64_t in_history(struct live *w, const struct live_process *server, const char *name)
{
    json_t *history = answer(w, server, 200, "GET", "/api/sync/worker/history", NULL), *point;
    size_t i;
    int64_t sum = json_array_size(value_at(history, "points")) ? 0 : -1;
    json_array_foreach(value_at(history, "points"), i, point) sum += number_at(point, name);
    json_decref(history);
    return sum;
}

START_TEST(the_history_keeps_what_was_done_and_how_long_changes_took)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "state-history");
    WAIT_UNTIL(&w, log_has(&w.daemon, "following the change stream"));
    json_t *before = answer(&w, &server, 200, "GET", "/api/sync/worker/history?minutes=5", NULL);
    EXPECT_INT(&w, number_at(before, "stepMs"), 10000);
    EXPECT(&w, json_is_array(value_at(before, "points")));
    json_decref(before);
    insert_made(&w, 0, 20);
    WAIT_UNTIL(&w, in_history(&w, &server, "events") >= 20);
    live_in_sync(&w);
    WAIT_UNTIL(&w, in_history(&w, &server, "synced") >= 20);
    EXPECT_INT(&w, in_history(&w, &server, "upserted"), 80);
    EXPECT_INT(&w, in_history(&w, &server, "failed"), 0);
    EXPECT(&w, in_history(&w, &server, "latencyMsP50") > 0);
    EXPECT(&w, in_history(&w, &server, "latencyMsP99") >= in_history(&w, &server, "latencyMsP50"));
    json_decref(answer(&w, &server, 400, "GET", "/api/sync/worker/history?minutes=0", NULL));
    json_decref(answer(&w, &server, 400, "GET", "/api/sync/worker/history?minutes=61", NULL));
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

/* ---- problems ---- */

/* True if there is a problem with this code, of this collection (NULL: of the source); with text and cure. */
static bool problem(struct live *w, const struct live_process *server, const char *code,
                    const char *collection)
{
    json_t *reply = answer(w, server, 200, "GET", "/api/sync/worker/problems", NULL), *p;
    size_t i;
    bool found = false;
    json_array_foreach(value_at(reply, "problems"), i, p)
    {
        EXPECT(w, *text_at(p, "text") && *text_at(p, "cure") && !strchr(text_at(p, "text"), '{'));
        bool same = collection ? strcmp(text_at(p, "collection"), collection) == 0
                               : json_is_null(value_at(p, "collection"));
        if (strcmp(text_at(p, "code"), code) == 0 && same) found = true;
    }
    json_decref(reply);
    return found;
}

static bool no_problems(struct live *w, const struct live_process *server)
{
    json_t *reply = answer(w, server, 200, "GET", "/api/sync/worker/problems", NULL);
    EXPECT(w, json_is_array(value_at(reply, "problems")));
    size_t i, count = 0;
    json_t *problem;
    json_array_foreach(value_at(reply, "problems"), i, problem)
    {
        count +=
            strcmp(text(problem, "code"), "FIELD_MISSING") != 0; /* made documents have no longDescription */
    }
    json_decref(reply);
    return count == 0;
}

START_TEST(a_problem_is_reported_while_it_lasts_and_no_longer)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "problems");
    insert_made(&w, 0, 6);
    live_in_sync(&w);
    WAIT_UNTIL(&w, no_problems(&w, &server));

    fault(&w, &w.embedder, J("count" : 0, "status" : 503, "body" : "busy"));
    for (int i = 0; !problem(&w, &server, "EMBEDDER_DOWN", NULL); i++) {
        char change[96];
        snprintf(change, sizeof change, "{\"$set\":{\"description\":\"version %d\"}}", i);
        EXPECT(&w, i < 1000);
        update(&w, J("id" : "made-1"), change);
        live_pause();
    }
    EXPECT(&w, !problem(&w, &server, "QDRANT_DOWN", "tools"));
    faults_clear_all(&w, &w.embedder);
    live_in_sync(&w);
    WAIT_UNTIL(&w, no_problems(&w, &server));

    process_kill(&w.qdrant);
    for (int i = 0; !problem(&w, &server, "QDRANT_DOWN", "usecases"); i++) {
        char change[96];
        snprintf(change, sizeof change, "{\"$set\":{\"industries\":[\"number %d\"]}}", i);
        EXPECT(&w, i < 1000);
        update(&w, J("id" : "made-2"), change);
        live_pause();
    }
    EXPECT(&w, !problem(&w, &server, "EMBEDDER_DOWN", NULL));
    qdrant_start(&w);
    live_in_sync(&w);
    WAIT_UNTIL(&w, no_problems(&w, &server));

    process_kill(&w.mongod);
    WAIT_UNTIL(&w, problem(&w, &server, "MONGODB_UNAVAILABLE", NULL));
    live_close(&w);
}
END_TEST

START_TEST(documents_that_failed_are_counted_by_error_code)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "problems-failed");
    insert_made(&w, 0, 4);
    live_in_sync(&w);
    fault(&w, &w.qdrant, J("collection" : "interface*", "count" : 0, "status" : 400));
    update(&w, J("id" : "made-1"), J("$set" : {"interface" : ["Telepathy"]}));
    update(&w, J("id" : "made-3"), J("$set" : {"interface" : ["Telegraph"]}));
    WAIT_UNTIL(&w, problem(&w, &server, "DOCUMENTS_FAILED", "interface"));
    WAIT_UNTIL(&w, document_says(&w,
                                 J("id"
                                   : "made-1"),
                                 "syncMetadata.overallStatus", "failed") &&
                       document_says(&w,
                                     J("id"
                                       : "made-3"),
                                     "syncMetadata.overallStatus", "failed"));
    live_pause();
    json_t *reply;
    WAIT_UNTIL(&w, (reply = answer(&w, &server, 200, "GET", "/api/sync/worker/problems", NULL)) &&
                       (strstr(text_at(reply, "problems.0.text"), "2 of the documents failed")
                            ? true
                            : (json_decref(reply), false)));
    EXPECT(&w, strstr(text_at(reply, "problems.0.text"), "QDRANT_REJECTED") != NULL);
    EXPECT(&w, strcmp(text_at(reply, "problems.0.severity"), "error") == 0);
    json_decref(reply);
    EXPECT(&w, !problem(&w, &server, "DOCUMENTS_FAILED", "tools"));
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_collection_without_points_is_reported)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "problems-empty");
    insert(&w, J("id" : "bare", "name" : "Bare"));
    live_in_sync(&w);
    WAIT_UNTIL(&w, problem(&w, &server, "NO_POINTS", "usecases"));
    EXPECT(&w, !problem(&w, &server, "NO_POINTS", "tools"));
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_worker_that_is_switched_off_and_a_watch_that_is_off_are_reported)
{
    struct live w = {.folder = ""};
    live_open(&w, "problems-off");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "worker", "enabled", "no");
    live_set(&w, "mongodb", "watch", "off");
    daemon_start(&w);
    struct live_process server = api_of(&w, &w.daemon);
    WAIT_UNTIL(&w, problem(&w, &server, "WORKER_DISABLED", NULL));
    WAIT_UNTIL(&w, problem(&w, &server, "WATCH_OFF", NULL));
    json_t *s = state(&w, &server);
    EXPECT(&w, strcmp(text_at(s, "stream.mode"), "off") == 0);
    json_decref(s);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_server_without_change_streams_is_reported)
{
    struct live w = {.folder = "", .standalone = true};
    struct live_process server = open_with_api(&w, "problems-standalone");
    WAIT_UNTIL(&w, problem(&w, &server, "STREAM_UNSUPPORTED", NULL));
    json_t *s = state(&w, &server);
    EXPECT(&w, strcmp(text_at(s, "stream.mode"), "poll") == 0);
    json_decref(s);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_daemon_that_stands_by_says_who_is_at_work)
{
    struct live w = {.folder = ""};
    struct live_process first = open_with_api(&w, "problems-second");
    insert_made(&w, 0, 2);
    live_in_sync(&w);
    second_start(&w);
    struct live_process server = api_of(&w, &w.second);
    WAIT_UNTIL(&w, problem(&w, &server, "LEASE_ELSEWHERE", NULL));
    json_t *s = state(&w, &server);
    EXPECT(&w, strcmp(text_at(s, "phase"), "lease") == 0 && *text_at(s, "leaseHolder"));
    json_decref(s);
    WAIT_UNTIL(&w, no_problems(&w, &first));
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

static int64_t reported_lag_ms(struct live *w, const struct live_process *server)
{
    json_t *state = answer(w, server, 200, "GET", "/api/sync/worker/state", NULL);
    json_t *lag = value_at(state, "stream.lagMs");
    int64_t ms = json_is_integer(lag) ? json_integer_value(lag) : -1;
    json_decref(state);
    return ms;
}

static bool hears_of_a_change(struct live *w, const struct live_process *server)
{
    update(w, J("id" : "made-0"), J("$inc" : {"changes" : 1}));
    return reported_lag_ms(w, server) < 3000;
}

/* The last change that it heard of was young; the one that it can't hear of isn't. */
START_TEST(a_stream_that_gets_no_answer_says_how_far_behind_it_may_be)
{
    struct live w = {.folder = ""};
    live_open(&w, "held-up");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    insert_made(&w, 0, 3);
    daemon_start(&w);
    live_in_sync(&w);
    struct live_process server = api(&w);
    insert_made(&w, 3, 1);
    live_in_sync(&w);
    admin(&w, J("configureFailPoint"
                : "failCommand", "mode"
                : {"times" : 1}, "data"
                : {
                    "failCommands" : ["getMore"],
                    "appName" : "lockstep",
                    "blockConnection" : true,
                    "blockTimeMS" : 12000
                }));
    WAIT_UNTIL(&w, reported_lag_ms(&w, &server) > 5000);
    WAIT_UNTIL(&w, hears_of_a_change(&w, &server));
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_stream_that_gets_no_answer_says_how_far_behind_it_may_be,
        the_state_says_what_the_engine_does,
        what_waits_for_an_embedder_is_seen_to_wait,
        the_history_keeps_what_was_done_and_how_long_changes_took,
        a_problem_is_reported_while_it_lasts_and_no_longer,
        documents_that_failed_are_counted_by_error_code,
        a_collection_without_points_is_reported,
        a_worker_that_is_switched_off_and_a_watch_that_is_off_are_reported,
        a_server_without_change_streams_is_reported,
        a_daemon_that_stands_by_says_who_is_at_work,
    };
    return live_main("api_state", tests, sizeof tests / sizeof *tests);
}
