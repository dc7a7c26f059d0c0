/* test_api_transport.c - what the HTTP API makes of requests as such: who may call, paths, headers, methods.
 */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

START_TEST(who_has_the_read_token_reads_and_changes_nothing)
{
    static const struct http_header whole = {"Authorization", "Bearer open-sesame"},
                                    reads = {"Authorization", "bearer look-around"},
                                    wrong = {"Authorization", "Bearer look-arounD"};
    struct live w = {.folder = ""};
    live_open(&w, "api-read-token");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "api", "token", "open-sesame");
    live_set(&w, "api", "read_token", "look-around");
    live_set(&w, "api", "public_status", "no");
    daemon_start(&w);
    struct live_process server = api(&w);
    live_in_sync(&w);
    EXPECT_INT(&w, with_headers(&w, &server, "GET", "/metrics", &reads, 1), 200);
    EXPECT_INT(&w, with_headers(&w, &server, "HEAD", "/metrics", &reads, 1), 200);
    EXPECT_INT(&w, with_headers(&w, &server, "GET", "/api/sync/status", &reads, 1), 200);
    EXPECT_INT(&w, with_headers(&w, &server, "GET", "/metrics", &wrong, 1), 401);
    EXPECT_INT(&w, with_headers(&w, &server, "POST", "/api/sync/worker/run", &reads, 1), 403);
    EXPECT_INT(&w, with_headers(&w, &server, "POST", "/api/sync/worker/run", &wrong, 1), 401);
    WAIT_UNTIL(&w, with_headers(&w, &server, "POST", "/api/sync/worker/run", &whole, 1) == 200);
    daemon_stop(&w);
    EXPECT(&w, !log_has(&w.daemon, "look-around"));
    live_close(&w);
}
END_TEST

START_TEST(a_path_says_which_methods_it_takes)
{
    static const struct {
        const char *request;
        int status;
        const char *allow;
    } calls[] = {
        {"OPTIONS /api/sync/status", 204, "Allow: GET, HEAD, OPTIONS\r\n"},
        {"OPTIONS /api/sync/worker/run", 204, "Allow: POST, OPTIONS\r\n"},
        {"PATCH /api/sync/status", 405, "Allow: GET, HEAD, OPTIONS\r\n"},
        {"PUT /api/sync/batch", 405, "Allow: POST, OPTIONS\r\n"},
        {"BREW /api/sync/batch", 405, "Allow: POST, OPTIONS\r\n"},
    };
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-methods");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char request[256];
        struct buf got;
        buf_init(&got, 0);
        int count =
            snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: localhost\r\n\r\n", calls[i].request);
        int status = raw_call(&w, &server, request, (size_t)count, &got);
        if (status != calls[i].status || !strstr(got.data, calls[i].allow))
            FAIL(&w, "%s: %d\n%s", calls[i].request, status, got.data);
        buf_fini(&got);
    }
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_slash_in_an_id_is_written_with_percent_signs)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-slash");
    insert(&w, J("id" : "a/b c", "name" : "A", "slug" : "a"));
    live_in_sync(&w);
    json_t *entry = answer(&w, &server, 200, "GET", "/api/sync/tools/a%2Fb%20c", NULL);
    EXPECT(&w, strcmp(text(entry, "id"), "a/b c") == 0);
    json_decref(entry);
    json_decref(answer(&w, &server, 404, "GET", "/api/sync/tools/a/b%20c", NULL));
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

/* Requests that no client of good will makes. Each is answered in JSON, with a status that fits. */
static const struct {
    int status;
    const char *request; /* up to the headers' end */
} odd[] = {
    {400, "GET /api/sync/status%00 HTTP/1.1\r\nHost: localhost"},
    {400, "GET /api/sync/tools/%00 HTTP/1.1\r\nHost: localhost"},
    {400, "GET /api/sync/tools/%zz HTTP/1.1\r\nHost: localhost"},
    {400, "GET /api/sync/tools/% HTTP/1.1\r\nHost: localhost"},
    {400, "GET /api/sync/tools/%ff%fe HTTP/1.1\r\nHost: localhost"},
    {400, "GET /api/sync/tools/\xff HTTP/1.1\r\nHost: localhost"},
    {400, "GET /api/../api/sync/status HTTP/1.1\r\nHost: localhost"},
    {400, "GET /api/%2e%2e/sync/status HTTP/1.1\r\nHost: localhost"},
    {400, "GET /./healthz HTTP/1.1\r\nHost: localhost"},
    {400, "GET /healthz?a=%00 HTTP/1.1\r\nHost: localhost"},
    {400, "GET /healthz?%fe=1 HTTP/1.1\r\nHost: localhost"},
    {400, "GET healthz HTTP/1.1\r\nHost: localhost"},
    {404, "GET /api%2Fsync%2Fstatus HTTP/1.1\r\nHost: localhost"},
    {404, "GET //healthz HTTP/1.1\r\nHost: localhost"},
    {404, "GET /healthz/ HTTP/1.1\r\nHost: localhost"},
    {404, "GET /api/sync/tools/ HTTP/1.1\r\nHost: localhost"},
    {400, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example"},
    {400, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nauthorization: Bearer b"},
    {400, "POST /api/sync/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 2"},
    {400,
     "POST /api/sync/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked"},
    {413, "POST /api/sync/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999"},
    {200, "GET http://localhost/healthz HTTP/1.1\r\nHost: localhost"},
    {200, "GET /healthz?&&a&=&b=%20+ HTTP/1.1\r\nHost: localhost"},
    {200, "GET /healthz HTTP/1.0\r\nX: y"},
};

START_TEST(odd_requests_are_answered_with_a_reason)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-odd");
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct buf got, request;
        buf_init(&got, 0);
        buf_init(&request, 0);
        buf_printf(&request, "%s\r\n\r\n", odd[i].request);
        int status = raw_call(&w, &server, request.data, request.bytes, &got);
        json_t *body = raw_json(&got);
        if (status != odd[i].status || !body ||
            (status >= 400 && (!*text(body, "error") || !*text(body, "code"))))
            FAIL(&w, "%s: %d\n%s", odd[i].request, status, got.bytes ? got.data : "nothing");
        json_decref(body);
        buf_fini(&got);
        buf_fini(&request);
    }
    insert_made(&w, 0, 2); /* and it still does its work */
    live_in_sync(&w);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

static int call_of(struct live *w, const struct live_process *server, size_t path_bytes, size_t header_bytes,
                   size_t headers)
{
    struct buf request, got;
    buf_init(&request, 0);
    buf_init(&got, 0);
    buf_puts(&request, "GET /healthz?a=");
    for (size_t i = 0; i < path_bytes; i++) buf_putc(&request, 'x');
    buf_puts(&request, " HTTP/1.1\r\nHost: localhost\r\n");
    for (size_t i = 0; i < headers; i++) {
        buf_printf(&request, "X-%zu: ", i);
        for (size_t k = 0; k < header_bytes; k++) buf_putc(&request, 'y');
        buf_puts(&request, "\r\n");
    }
    buf_puts(&request, "\r\n");
    int status = raw_call(w, server, request.data, request.bytes, &got);
    json_t *body = raw_json(&got);
    if (!body) FAIL(w, "no JSON: %s", got.bytes ? got.data : "nothing");
    json_decref(body);
    buf_fini(&request);
    buf_fini(&got);
    return status;
}

START_TEST(a_request_that_is_too_large_is_reported_what_is_allowed)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-large");
    EXPECT_INT(&w, call_of(&w, &server, 8000, 100, 10), 200);
    EXPECT_INT(&w, call_of(&w, &server, 9000, 1, 1), 414);
    EXPECT_INT(&w, call_of(&w, &server, 1, 1, 60), 200);
    EXPECT_INT(&w, call_of(&w, &server, 1, 1, 80), 431);
    EXPECT_INT(&w, call_of(&w, &server, 1, 17000, 1), 431);
    EXPECT_INT(&w, call_of(&w, &server, 1, 400, 60), 431);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

/* What came on a connection of its own. buf_fini() it. */
static struct buf page(struct live *w, const struct live_process *server, const char *request)
{
    struct buf got, sent;
    buf_init(&got, 0);
    buf_init(&sent, 0);
    buf_printf(&sent, "%s\r\n\r\n", request);
    (void)raw_call(w, server, sent.data, sent.bytes, &got);
    buf_fini(&sent);
    if (!got.data) FAIL(w, "no answer");
    return got;
}

START_TEST(the_dashboard_is_served_to_anybody_and_kept_by_browsers)
{
    struct live w = {.folder = ""};
    live_open(&w, "api-page");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "api", "token", "open-sesame");
    daemon_start(&w);
    struct live_process server = api(&w);
    struct buf whole = page(&w, &server, "GET / HTTP/1.1\r\nHost: anything.example");
    EXPECT(&w, strncmp(whole.data, "HTTP/1.1 200", 12) == 0 && strstr(whole.data, "<title>"));
    EXPECT(&w, strstr(whole.data, "Content-Type: text/html; charset=utf-8\r\n") != NULL);
    EXPECT(&w, strstr(whole.data, "Content-Security-Policy: default-src 'self'; ") != NULL);
    EXPECT(&w, !strstr(whole.data, "default-src 'none'") && !strstr(whole.data, "no-store"));
    char *tag = strstr(whole.data, "ETag: ") + 6, request[256];
    snprintf(request, sizeof request, "GET /index.html HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"a\", W/%.*s",
             (int)strcspn(tag, "\r"), tag);
    struct buf kept = page(&w, &server, request);
    EXPECT(&w, strncmp(kept.data, "HTTP/1.1 304", 12) == 0 && !strstr(kept.data, "<title>"));
    struct buf head = page(&w, &server, "HEAD / HTTP/1.1\r\nHost: x");
    EXPECT(&w, strncmp(head.data, "HTTP/1.1 200", 12) == 0 && !strstr(head.data, "<title>"));
    struct buf small = page(&w, &server, "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br, gzip;q=0.8");
    EXPECT(&w, strstr(small.data, "Content-Encoding: gzip\r\n") && !strstr(small.data, "<title>"));
    struct buf not_small = page(&w, &server, "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip;q=0");
    EXPECT(&w, strstr(not_small.data, "<title>") != NULL);
    struct buf none = page(&w, &server, "GET /no-such.js HTTP/1.1\r\nHost: x");
    EXPECT(&w, strncmp(none.data, "HTTP/1.1 404", 12) == 0);
    struct buf *const all[] = {&whole, &kept, &head, &small, &not_small, &none};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) buf_fini(all[i]);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        who_has_the_read_token_reads_and_changes_nothing,
        a_path_says_which_methods_it_takes,
        a_slash_in_an_id_is_written_with_percent_signs,
        odd_requests_are_answered_with_a_reason,
        a_request_that_is_too_large_is_reported_what_is_allowed,
        the_dashboard_is_served_to_anybody_and_kept_by_browsers,
    };
    return live_main("api transport", tests, sizeof tests / sizeof *tests);
}
