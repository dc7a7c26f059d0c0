/* test_api.c - the daemon's HTTP API, asked over the wire while the servers are well and while they are not.
 */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

static int64_t synced(struct live *w, const struct live_process *server, const char *collection)
{
    json_t *status = answer(w, server, 200, "GET", "/api/sync/status", NULL);
    const json_t *per = json_object_get(json_object_get(status, "perCollection"), collection);
    int64_t count = number(collection ? per : status, "synced");
    json_decref(status);
    return count;
}

START_TEST(the_status_counts_documents_of_each_collection)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-status");
    insert_made(&w, 0, 30);
    live_in_sync(&w);
    WAIT_UNTIL(&w, synced(&w, &server, NULL) == 30);
    json_t *status = answer(&w, &server, 200, "GET", "/api/sync/status", NULL);
    EXPECT_INT(&w, number(status, "total"), 30);
    EXPECT_INT(&w, number(status, "failed"), 0);
    EXPECT_INT(&w, json_object_size(json_object_get(status, "perCollection")), 4);
    json_t *worker = json_object_get(status, "worker");
    EXPECT_INT(&w, number(json_object_get(worker, "config"), "intervalMs"), 500);
    EXPECT(&w, json_is_true(json_object_get(worker, "running")));
    json_decref(status);
    EXPECT_INT(&w, synced(&w, &server, "usecases"), 30);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/healthz", NULL, NULL), 200);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/readyz", NULL, NULL), 200);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/metrics", NULL, NULL), 200);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_failure_is_shown_with_its_code_and_a_retry_heals_it_at_once)
{
    struct live w = {.folder = ""};
    live_open(&w, "api-retry");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "worker", "base_backoff_ms", "600000"); /* by itself it would not heal in time */
    live_set(&w, "worker", "max_backoff_ms", "600000");
    insert_made(&w, 0, 3);
    daemon_start(&w);
    live_in_sync(&w);
    struct live_process server = api(&w);
    fault(&w, &w.qdrant, J("collection" : "tools*", "count" : 0, "status" : 500));
    update(&w, J("id" : "made-1"), J("$set" : {"description" : "another one altogether"}));
    WAIT_UNTIL(&w, document_says(&w, J("id" : "made-1"), "syncMetadata.collections.tools.status", "failed"));
    json_t *entry = answer(&w, &server, 200, "GET", "/api/sync/tools/made-1", NULL);
    const json_t *metadata = json_object_get(entry, "syncMetadata");
    const json_t *tools = json_object_get(json_object_get(metadata, "collections"), "tools");
    EXPECT(&w, strcmp(text(entry, "id"), "made-1") == 0);
    EXPECT(&w, strcmp(text(metadata, "overallStatus"), "failed") == 0);
    EXPECT(&w, strncmp(text(tools, "errorCode"), "QDRANT_", 7) == 0);
    EXPECT(&w, *text(tools, "lastError") && *text(tools, "nextRetryAt"));
    json_decref(entry);
    faults_clear_all(&w, &w.qdrant);
    json_t *retried = answer(&w, &server, 200, "POST", "/api/sync/tools/made-1/retry",
                             J("collections"
                               : ["tools"]));
    EXPECT(&w, json_is_true(json_object_get(retried, "success")));
    EXPECT(&w, strcmp(text(retried, "overallStatus"), "synced") == 0);
    EXPECT_INT(&w, json_array_size(json_object_get(retried, "collections")), 1);
    json_decref(retried);
    live_in_sync(&w);
    json_t *again = answer(&w, &server, 200, "POST", "/api/sync/tools/made-1/retry", NULL);
    const json_t *first = json_array_get(json_object_get(again, "collections"), 0);
    EXPECT_INT(&w, json_array_size(json_object_get(again, "collections")), 4);
    EXPECT(&w, json_is_true(json_object_get(first, "skipped")));
    json_decref(again);
    counters_reset(&w);
    json_decref(answer(&w, &server, 200, "POST", "/api/sync/tools/made-2/retry", J("force" : true)));
    EXPECT_INT(&w, counters(&w).upserted, 4);
    EXPECT_INT(&w, counters(&w).texts, 4); /* the model is asked, though the cache knows these texts */
    json_decref(answer(&w, &server, 200, "POST", "/api/sync/reset/made-2", NULL));
    WAIT_UNTIL(&w, counters(&w).texts == 8);
    live_in_sync(&w);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_batch_answers_for_each_document_by_itself)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-batch");
    insert_made(&w, 0, 3);
    live_in_sync(&w);
    counters_reset(&w);
    json_t *batch = answer(&w, &server, 200, "POST", "/api/sync/batch",
                           "{\"toolIds\":[\"made-0\",\"no-such\",\"made-2\"],\"force\":true,"
                           "\"collections\":[\"tools\",\"interface\"]}");
    const json_t *results = json_object_get(batch, "results");
    EXPECT_INT(&w, json_array_size(results), 3);
    EXPECT(&w, json_is_true(json_object_get(json_array_get(results, 0), "success")));
    EXPECT(&w, json_is_false(json_object_get(json_array_get(results, 1), "success")));
    EXPECT(&w, strcmp(text(json_array_get(results, 1), "errorCode"), "NOT_FOUND") == 0);
    const char *name;
    json_t *value;
    json_object_foreach(json_array_get(results, 0), name, value)
    {
        const json_t *same = json_object_get(json_array_get(results, 1), name);
        if (!same || (json_typeof(same) != json_typeof(value) && !json_is_boolean(value)))
            FAIL(&w, "an unknown id's result has no %s", name);
    }
    EXPECT(&w, strcmp(text(json_array_get(results, 2), "toolId"), "made-2") == 0);
    EXPECT_INT(&w, counters(&w).upserted, 4);
    json_decref(batch);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(the_worker_runs_a_cycle_when_it_is_reported_to)
{
    struct live w = {.folder = ""};
    live_open(&w, "api-worker");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "worker", "interval_ms", "3600000");
    insert_made(&w, 0, 5);
    daemon_start(&w);
    live_in_sync(&w);
    struct live_process server = api(&w);
    json_t *run = answer(&w, &server, 200, "POST", "/api/sync/worker/run", NULL);
    EXPECT_INT(&w, number(json_object_get(run, "stats"), "failed"), 0);
    EXPECT(&w, json_is_integer(json_object_get(json_object_get(run, "stats"), "duration")));
    json_decref(run);
    json_t *worker = answer(&w, &server, 200, "GET", "/api/sync/worker/status", NULL);
    EXPECT(&w, *text(worker, "lastRunAt"));
    EXPECT(&w, json_is_object(json_object_get(worker, "lastCycleStats")));
    json_decref(worker);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_search_answers_by_collection_and_fused)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-search");
    insert_made(&w, 0, 12);
    live_in_sync(&w);
    json_t *found =
        answer(&w, &server, 200, "GET", "/api/search?q=made&collections=tools,usecases&limit=3", NULL);
    const json_t *collections = json_object_get(found, "collections");
    EXPECT_INT(&w, json_object_size(collections), 2);
    EXPECT_INT(&w, json_array_size(json_object_get(collections, "tools")), 3);
    EXPECT(&w, json_array_size(json_object_get(found, "fused")) >= 3);
    char *whole = json_dumps(found, JSON_COMPACT);
    EXPECT(&w, !strstr(whole, "_lockstep") && !strstr(whole, "syncMetadata"));
    free(whole);
    json_decref(found);
    found = answer(
        &w, &server, 200, "GET",
        "/api/search?q=made&collections=tools&limit=100&filter=status:beta&filter=pricingModel:Paid", NULL);
    EXPECT_INT(&w, json_array_size(json_object_get(found, "fused")), 2); /* 0 and 6 */
    json_decref(found);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

/* How many hits a filter leaves in `tools`; the first note of the answer into `note`. */
static size_t found_with(struct live *w, struct live_process *server, const char *filter, char *note,
                         size_t bytes)
{
    char path[300];
    snprintf(path, sizeof path, "/api/search?q=made&collections=tools&limit=100&filter=%s", filter);
    json_t *found = answer(w, server, 200, "GET", path, NULL);
    const char *first = json_string_value(json_array_get(json_object_get(found, "notes"), 0));
    snprintf(note, bytes, "%s", first ? first : "");
    size_t count = json_array_size(json_object_get(json_object_get(found, "collections"), "tools"));
    json_decref(found);
    return count;
}

START_TEST(a_filter_finds_nested_fields_and_says_which_field_no_point_has)
{
    struct live w = {.folder = ""};
    char note[400];
    live_set(&w, "collection:tools", "payload", "address.city, ingredients.name, ingredients.qty as amounts");
    struct live_process server = open_with_api(&w, "api-nested");
    insert(&w, J("id"
                 : "leek", "name"
                 : "Leek soup", "address"
                 : {"city" : "Ulm", "zip" : 89073}, "ingredients"
                 : [ {"name" : "leek", "qty" : 2}, {"name" : "tofu", "qty" : 1} ]));
    insert(&w, J("id" : "bare", "name" : "Nothing else"));
    live_in_sync(&w);
    EXPECT_INT(&w, found_with(&w, &server, "address.city:Ulm", note, sizeof note), 1);
    EXPECT_INT(&w, found_with(&w, &server, "ingredients[].name:tofu", note, sizeof note), 1);
    EXPECT_INT(&w, found_with(&w, &server, "amounts:2", note, sizeof note), 1);
    EXPECT(&w, !*note);
    EXPECT_INT(&w, found_with(&w, &server, "address.city:Bonn", note, sizeof note), 0);
    EXPECT(&w, !*note); /* the field is there, its value is another */
    EXPECT_INT(&w, found_with(&w, &server, "address.zip:89073", note, sizeof note), 0);
    EXPECT(&w, strstr(note, "address.zip") && strstr(note, "tools"));
    EXPECT_INT(&w, found_with(&w, &server, "ingredients.name:tofu", note, sizeof note), 0);
    EXPECT(&w, strstr(note, "list[].member"));
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(bad_calls_get_a_status_and_a_reason)
{
    static const struct {
        long status;
        const char *method, *path, *body, *code;
    } calls[] = {
        {404, "GET", "/nothing/here", NULL, "NOT_FOUND"},
        {404, "GET", "/api/sync/tools/no-such", NULL, "NOT_FOUND"},
        {404, "GET", "/api/sync/people/made-1", NULL, "UNKNOWN_SOURCE"},
        {404, "GET", "/api/sync/status?source=people", NULL, "UNKNOWN_SOURCE"},
        {404, "GET", "/a/b/c/d/e/f/g/h/i/j", NULL, "NOT_FOUND"},
        {404, "POST", "/api/sync/tools/no-such/retry", "{}", "NOT_FOUND"},
        {405, "POST", "/api/sync/status", "{}", "METHOD_NOT_ALLOWED"},
        {405, "DELETE", "/api/search", NULL, "METHOD_NOT_ALLOWED"},
        {400, "GET", "/api/search", NULL, "BAD_REQUEST"},
        {400, "GET", "/api/search?q=x&limit=many", NULL, "BAD_REQUEST"},
        {400, "GET", "/api/search?q=x&filter=status", NULL, "BAD_REQUEST"},
        {400, "GET", "/api/search?q=x&filter=a:b&filter=_lockstep.doc:x", NULL, "BAD_REQUEST"},
        {400, "GET", "/api/search?q=x&limit=0", NULL, "BAD_REQUEST"},
        {400, "GET", "/api/search?q=x&collections=tools,none", NULL, "INVALID_COLLECTION"},
        {400, "POST", "/api/sync/batch", "{}", "BAD_REQUEST"},
        {400, "POST", "/api/sync/batch", "{\"toolIds\":[]}", "BAD_REQUEST"},
        {400, "POST", "/api/sync/batch", "{\"toolIds\":[1]}", "BAD_REQUEST"},
        {400, "POST", "/api/sync/tools/made-1/retry", "{", "BAD_REQUEST"},
        {400, "POST", "/api/sync/tools/made-1/retry", "[]", "BAD_REQUEST"},
        {400, "POST", "/api/sync/tools/made-1/retry", J("force" : 1), "BAD_REQUEST"},
        {400, "POST", "/api/sync/tools/made-1/retry",
         J("collections"
           : []),
         "BAD_REQUEST"},
        {400, "POST", "/api/sync/tools/made-1/retry",
         J("collections"
           : [7]),
         "INVALID_COLLECTION"},
        {400, "POST", "/api/sync/tools/made-1/retry", "{\"force\":true,\"force\":false}", "BAD_REQUEST"},
        {400, "POST", "/api/sync/tools/made-1/retry", "{\"collections\":[\"\xff\"]}", "BAD_REQUEST"},
    };
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-bad");
    insert_made(&w, 0, 2);
    live_in_sync(&w);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        json_t *reply = answer(&w, &server, calls[i].status, calls[i].method, calls[i].path, calls[i].body);
        if (strcmp(text(reply, "code"), calls[i].code) != 0 || !*text(reply, "error"))
            FAIL(&w, "%s %s: %s", calls[i].method, calls[i].path, text(reply, "code"));
        json_decref(reply);
    }
    json_t *reply = answer(&w, &server, 400, "POST", "/api/sync/tools/made-1/retry",
                           "{\"collections\":[\"tools\",\"toolz\",7,\"usecases\",\"\"]}");
    char *invalid = json_dumps(json_object_get(reply, "invalidCollections"), JSON_COMPACT);
    char *valid = json_dumps(json_object_get(reply, "validCollections"), JSON_COMPACT);
    EXPECT(&w, strcmp(invalid, "[\"toolz\",7,\"\"]") == 0);
    EXPECT(&w, strcmp(valid, "[\"tools\",\"functionality\",\"usecases\",\"interface\"]") == 0);
    free(invalid);
    free(valid);
    json_decref(reply);
    insert_made(&w, 2, 3); /* and it still does its work */
    live_in_sync(&w);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_token_is_asked_for_where_it_must_be)
{
    static const struct http_header right = {"Authorization", "Bearer open-sesame"},
                                    wrong = {"Authorization", "Bearer open-sesamf"},
                                    longer = {"Authorization", "Bearer open-sesameopen-sesame"};
    struct live w = {.folder = ""};
    live_open(&w, "api-token");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "api", "token", "open-sesame");
    daemon_start(&w);
    struct live_process server = api(&w);
    WAIT_UNTIL(&w, ask(&w, &server, "GET", "/api/sync/status", NULL, NULL) == 200);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/healthz", NULL, NULL), 200);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/metrics", NULL, NULL), 401);
    EXPECT_INT(&w, ask(&w, &server, "POST", "/api/sync/worker/run", "{}", NULL), 401);
    EXPECT_INT(&w, with_headers(&w, &server, "GET", "/metrics", &wrong, 1), 401);
    EXPECT_INT(&w, with_headers(&w, &server, "GET", "/metrics", &longer, 1), 401);
    EXPECT_INT(&w, with_headers(&w, &server, "GET", "/metrics", &right, 1), 200);
    daemon_stop(&w);
    EXPECT(&w, !log_has(&w.daemon, "open-sesame"));
    live_close(&w);
}
END_TEST

/* What is answered without a token, by `public_status`. */
static void check_public(struct live *w, const char *public_status, long counts, long lists)
{
    static const struct http_header right = {"Authorization", "Bearer open-sesame"};
    static const struct {
        const char *path;
        bool has_contents; /* ids, names or errors of documents, or more */
    } paths[] = {{"/api/sync/status", false},
                 {"/api/sync/worker/status", false},
                 {"/api/sync/tools", true},
                 {"/api/sync/tools?status=failed&limit=100", true}};
    static const char *const never[] = {"/api/sync/tools/made-1",
                                        "/api/sync/tools/made-1/compare",
                                        "/api/sync/worker/state",
                                        "/api/sync/worker/history",
                                        "/api/sync/worker/problems",
                                        "/api/sync/events",
                                        "/api/tools",
                                        "/api/tools/made-1",
                                        "/api/search?q=a",
                                        "/api/jobs",
                                        "/api/sync/status/no-such-id"};
    live_set(w, "api", "public_status", public_status);
    daemon_start(w);
    struct live_process server = api(w);
    WAIT_UNTIL(w, with_headers(w, &server, "GET", "/api/sync/status", &right, 1) == 200);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        EXPECT_INT(w, ask(w, &server, "GET", paths[i].path, NULL, NULL),
                   paths[i].has_contents ? lists : counts);
        EXPECT_INT(w, with_headers(w, &server, "GET", paths[i].path, &right, 1), 200);
    }
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        EXPECT_INT(w, ask(w, &server, "GET", never[i], NULL, NULL), 401);
    WAIT_UNTIL(w, ask(w, &server, "GET", "/readyz", NULL, NULL) == 200); /* once a collection is usable */
    daemon_stop(w);
}

START_TEST(what_is_public_beside_a_token_is_a_setting)
{
    struct live w = {.folder = ""};
    live_open(&w, "api-public");
    listen_on_free_port(&w);
    live_set(&w, "api", "token", "open-sesame");
    insert_made(&w, 0, 2);
    check_public(&w, NULL, 200, 401);
    check_public(&w, "counts", 200, 401);
    check_public(&w, "all", 200, 200);
    check_public(&w, "no", 401, 401);
    live_close(&w);
}
END_TEST

START_TEST(without_a_token_pages_of_other_sites_get_nothing)
{
    static const struct http_header foreign_host = {"Host", "evil.example"},
                                    foreign_origin = {"Origin", "https://evil.example"};
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-origin");
    live_in_sync(&w);
    EXPECT_INT(&w, with_headers(&w, &server, "GET", "/api/sync/status", &foreign_host, 1), 403);
    EXPECT_INT(&w, with_headers(&w, &server, "POST", "/api/sync/worker/run", &foreign_origin, 1), 403);
    WAIT_UNTIL(&w, ask(&w, &server, "POST", "/api/sync/worker/run", "{}", NULL) == 200);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

/* What `status --json` says of the worker; json_decref() it. */
static json_t *worker_by_command(struct live *w)
{
    struct buf out;
    buf_init(&out, 0);
    EXPECT_INT(w, live_command(w, NULL, &out, NULL, "status", "--json", NULL), 0);
    json_t *status = json_loadb(out.data, out.bytes, 0, NULL);
    json_t *worker = json_incref(json_object_get(status, "worker"));
    EXPECT(w, worker != NULL);
    json_decref(status);
    buf_fini(&out);
    return worker;
}

/* What the daemon tells may be some moments old where its engine has no time to say more. */
static bool says_running(struct live *w)
{
    json_t *worker = worker_by_command(w);
    bool running = json_is_true(json_object_get(worker, "running"));
    json_decref(worker);
    return running;
}

START_TEST(the_status_command_adds_what_the_daemon_says)
{
    struct live w = {.folder = ""};
    live_open(&w, "api-command");
    listen_on_free_port(&w);
    live_set(&w, "api", "token", "open-sesame");
    live_set(&w, "api", "public_status", "no");
    insert_made(&w, 0, 2);
    daemon_start(&w);
    live_in_sync(&w);
    WAIT_UNTIL(&w, says_running(&w));
    struct buf out;
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "status", NULL), 0);
    EXPECT(&w, strstr(out.data, "  worker ") != NULL);
    buf_fini(&out);
    daemon_stop(&w);
    json_t *worker = worker_by_command(&w);
    EXPECT(&w, json_is_null(worker));
    json_decref(worker);
    live_close(&w);
}
END_TEST

START_TEST(it_answers_while_the_servers_do_not)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-outage");
    insert_made(&w, 0, 2);
    live_in_sync(&w);
    process_kill(&w.qdrant);
    WAIT_UNTIL(&w, ask(&w, &server, "GET", "/readyz", NULL, NULL) == 503);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/healthz", NULL, NULL), 200);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/api/sync/status", NULL, NULL), 200);
    json_t *reply = answer(&w, &server, 503, "GET", "/api/search?q=anything", NULL);
    EXPECT(&w, *text(reply, "error"));
    json_decref(reply);
    reply = answer(&w, &server, 200, "POST", "/api/sync/tools/made-1/retry", NULL);
    EXPECT(&w, json_is_false(json_object_get(reply, "success")));
    json_decref(reply);
    qdrant_start(&w);
    WAIT_UNTIL(&w, ask(&w, &server, "GET", "/readyz", NULL, NULL) == 200);
    live_in_sync(&w);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_status_counts_documents_of_each_collection,
        a_failure_is_shown_with_its_code_and_a_retry_heals_it_at_once,
        a_batch_answers_for_each_document_by_itself,
        the_worker_runs_a_cycle_when_it_is_reported_to,
        a_search_answers_by_collection_and_fused,
        a_filter_finds_nested_fields_and_says_which_field_no_point_has,
        bad_calls_get_a_status_and_a_reason,
        a_token_is_asked_for_where_it_must_be,
        what_is_public_beside_a_token_is_a_setting,
        without_a_token_pages_of_other_sites_get_nothing,
        the_status_command_adds_what_the_daemon_says,
        it_answers_while_the_servers_do_not,
    };
    return live_main("api", tests, sizeof tests / sizeof *tests);
}
