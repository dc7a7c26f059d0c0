/* test_api_state.c - what the daemon says of its engines: state, history, and problems in words. */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

static json_t *state(struct live *w, const struct live_process *server)
{
    return answer(w, server, 200, "GET", "/api/sync/worker/state", NULL);
}

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
        the_history_keeps_what_was_done_and_how_long_changes_took,
        a_problem_is_reported_while_it_lasts_and_no_longer,
        a_daemon_that_stands_by_says_who_is_at_work,
    };
    return live_main("api_state", tests, sizeof tests / sizeof *tests);
}
