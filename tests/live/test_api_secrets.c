/*
 * test_api_secrets.c - no token, key or password comes out of the daemon: not in an answer, its headers, an
 * event, a metric or a page, and not in the log, also when servers repeat what they were shown.
 *
 * All secrets of this test have "hush" in them.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live/calls.h"

/* Every way to read. */
static const char *const paths[] = {
    "/",
    "/index.html",
    "/no-such-page",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/search?q=made",
    "/api/search?q=made&collections=tools,none",
    "/api/jobs",
    "/api/jobs/1",
    "/api/tools",
    "/api/tools/made-1",
    "/api/sync/status",
    "/api/sync/status?source=none",
    "/api/sync/worker/status",
    "/api/sync/worker/state",
    "/api/sync/worker/history",
    "/api/sync/worker/problems",
    "/api/sync/tools?limit=100",
    "/api/sync/tools?limit=none",
    "/api/sync/tools/made-1",
    "/api/sync/tools/made-1/compare",
    "/api/sync/tools/no-such",
};

static const struct {
    const char *path, *body;
} writes[] = {
    {"/api/sync/tools/made-1/retry", "{\"force\":true}"},
    {"/api/sync/tools/made-2/retry", "{\"collections\":[\"none\"]}"},
    {"/api/sync/batch", "{\"toolIds\":[\"made-0\",\"made-1\",\"no-such\"],\"force\":true}"},
    {"/api/sync/all-pending", "{}"},
    {"/api/sync/worker/run", "{}"},
    {"/api/sync/reset/made-0", "{}"},
    {"/api/jobs", "{\"job\":\"verify\",\"options\":{}}"},
    {"/api/jobs", "{\"job\":"},
    {"/api/tools", "{\"id\":\"made-3\",\"syncMetadata\":1}"},
};

/* Asks, and looks at everything that comes. Not 0, and JSON or a page, is all that is asked for here. */
static int ask_quietly(struct live *w, const struct live_process *server, const char *method,
                       const char *path, const char *token, const char *body)
{
    struct buf request, got;
    buf_init(&request, 0);
    buf_init(&got, 0);
    buf_printf(
        &request,
        "%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s",
        method, path, token, strlen(body), body);
    int status = raw_call(w, server, request.data, request.bytes, &got);
    if (status == 0) FAIL(w, "%s %s: no answer", method, path);
    if (strstr(got.data, "hush")) FAIL(w, "%s %s shows a secret: %s", method, path, got.data);
    buf_fini(&request);
    buf_fini(&got);
    return status;
}

static void walk(struct live *w, const struct live_process *server)
{
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
        ask_quietly(w, server, "POST", writes[i].path, "hush-token", writes[i].body);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        ask_quietly(w, server, "GET", paths[i], "hush-token", "");
        ask_quietly(w, server, "HEAD", paths[i], "hush-reader", "");
        ask_quietly(w, server, "GET", paths[i], "hush-guess", "");
        ask_quietly(w, server, "OPTIONS", paths[i], "hush-guess", "");
    }
    EXPECT_INT(w, ask_quietly(w, server, "POST", "/api/sync/worker/run", "hush-reader", ""), 403);
    EXPECT_INT(w, ask_quietly(w, server, "GET", "/metrics", "hush-reader", ""), 200);
    EXPECT_INT(w, ask_quietly(w, server, "GET", "/metrics", "hush-guess", ""), 401);
}

static int listen_quietly(struct live *w, const struct live_process *server)
{
    static const char request[] = "GET /api/sync/events HTTP/1.1\r\nHost: localhost\r\n"
                                  "Authorization: Bearer hush-reader\r\n\r\n";
    int fd = raw_open(w, server);
    raw_send(fd, request, sizeof request - 1);
    return fd;
}

/* Adds what has arrived; true if `text_heard` is among it. */
static bool heard(int fd, struct buf *all, const char *text_heard)
{
    char chunk[4096];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (poll(&ready, 1, 0) > 0) {
        ssize_t got = recv(fd, chunk, sizeof chunk, 0);
        if (got <= 0) break;
        buf_put(all, chunk, (size_t)got);
    }
    return all->data && strstr(all->data, text_heard);
}

static void set_secrets(struct live *w)
{
    live_set(w, "api", "listen", "127.0.0.1:0");
    live_set(w, "api", "token", "hush-token");
    live_set(w, "api", "read_token", "hush-reader");
    live_set(w, "qdrant", "api_key", "hush-qdrant");
    live_set(w, "embedding", "api_key", "hush-embedder");
    live_set(w, "worker", "max_retries", "1");
    live_set(w, "log", "level", "debug");
}

static bool error_holds(struct live *w, const char *id, const char *text_held)
{
    char filter[64];
    snprintf(filter, sizeof filter, "{\"id\":\"%s\"}", id);
    char *said = document_text(w, filter, "syncMetadata.collections.tools.lastError");
    bool holds = strstr(said, text_held) != NULL;
    free(said);
    return holds;
}

START_TEST(servers_that_repeat_a_key_make_it_known_to_nobody)
{
    struct live w = {.folder = "", .qdrant_api_key = "hush-qdrant", .embedder_api_key = "hush-embedder"};
    struct buf events;
    live_open(&w, "secrets-keys");
    set_secrets(&w);
    insert_made(&w, 0, 3);
    daemon_start(&w);
    struct live_process server = api(&w);
    WAIT_UNTIL(&w, document_says(&w, J("id" : "made-2"), "syncMetadata.overallStatus", "synced"));
    int listener = listen_quietly(&w, &server);
    buf_init(&events, 0);
    WAIT_UNTIL(&w, heard(listener, &events, "retry: "));
    walk(&w, &server);
    fault(&w, &w.embedder,
          J("count" : 0, "status" : 400, "body"
            : {"error" : {"message" : "no such key: hush-embedder"}}));
    update(&w, J("id" : "made-1"), J("$set" : {"description" : "another one altogether"}));
    WAIT_UNTIL(&w,
               error_holds(&w, "made-1", "no such key: ***")); /* what it said is shown, but for the key */
    walk(&w, &server);
    fault(&w, &w.qdrant,
          J("kind"
            : "scroll", "count" : 0, "status" : 403, "body"
            : "Invalid API key hush-qdrant"));
    fault(&w, &w.qdrant,
          J("kind"
            : "query", "count" : 0, "status" : 403, "body"
            : "Invalid API key hush-qdrant"));
    walk(&w, &server);
    WAIT_UNTIL(&w, error_holds(&w, "made-1", "Invalid API key ***"));
    faults_clear_all(&w, &w.qdrant);
    fault(&w, &w.qdrant, J("count" : 0, "status" : 401, "body" : "Must provide an API key, not hush-qdrant"));
    update(&w, J("id" : "made-2"), J("$set" : {"description" : "a third one"}));
    WAIT_UNTIL(&w, log_has(&w.daemon, "check `api_key`"));
    walk(&w, &server);
    WAIT_UNTIL(&w, heard(listener, &events, "event: state\n"));
    WAIT_UNTIL(&w, heard(listener, &events, "event: status\n"));
    EXPECT(&w, !strstr(events.data, "hush"));
    close(listener);
    buf_fini(&events);
    daemon_stop(&w);
    EXPECT(&w, !log_has(&w.daemon, "hush"));
    live_close(&w);
}
END_TEST

START_TEST(passwords_in_addresses_are_not_repeated)
{
    struct live w = {.folder = "", .stand_ins = true};
    char address[160];
    live_open(&w, "secrets-addresses");
    set_secrets(&w);
    snprintf(address, sizeof address, "http://me:hush-url@127.0.0.1:%d", w.qdrant.port);
    live_set(&w, "qdrant", "api_key", NULL);
    live_set(&w, "qdrant", "url", address);
    snprintf(address, sizeof address, "http://me:hush-url@127.0.0.1:%d", w.embedder.port);
    live_set(&w, "embedding", "url", address);
    insert_made(&w, 0, 3);
    daemon_start(&w);
    struct live_process server = api(&w);
    process_kill(&w.qdrant);
    process_kill(&w.embedder);
    walk(&w, &server);
    daemon_stop(&w);
    EXPECT(&w, !log_has(&w.daemon, "hush"));
    live_close(&w);
}
END_TEST

START_TEST(a_password_that_mongodb_refuses_is_not_repeated)
{
    struct live w = {.folder = "", .stand_ins = true};
    char address[160];
    live_open(&w, "secrets-mongodb");
    set_secrets(&w);
    snprintf(address, sizeof address, "mongodb://me:hush-mongodb@127.0.0.1:%d/", w.mongod.port);
    live_set(&w, "mongodb", "uri", address);
    daemon_start(&w);
    struct live_process server = api(&w);
    EXPECT_INT(&w, ask_quietly(&w, &server, "GET", "/readyz", "hush-token", ""), 503); /* it lets nobody in */
    walk(&w, &server);
    daemon_stop(&w);
    EXPECT(&w, !log_has(&w.daemon, "hush"));
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        servers_that_repeat_a_key_make_it_known_to_nobody,
        passwords_in_addresses_are_not_repeated,
        a_password_that_mongodb_refuses_is_not_repeated,
    };
    return live_main("api secrets", tests, sizeof tests / sizeof *tests);
}
