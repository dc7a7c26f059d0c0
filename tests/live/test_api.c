/* test_api.c - the daemon's HTTP API: batches, and what is answered with and without a token. */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

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
    json_t *invalid =
        answer(&w, &server, 400, "POST", "/api/sync/tools/made-1/retry", "{\"collections\":[\"\xff\"]}");
    EXPECT(&w, strcmp(text(invalid, "code"), "BAD_REQUEST") == 0 && *text(invalid, "error"));
    json_decref(invalid);
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

int main(void)
{
    const TTest *const tests[] = {
        a_batch_answers_for_each_document_by_itself,
        a_token_is_asked_for_where_it_must_be,
        what_is_public_beside_a_token_is_a_setting,
        without_a_token_pages_of_other_sites_get_nothing,
    };
    return live_main("api", tests, sizeof tests / sizeof *tests);
}
