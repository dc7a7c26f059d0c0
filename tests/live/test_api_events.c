/* test_api_events.c - what listeners of the HTTP API's server-sent events hear, and what they may not do. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live/calls.h"

#define MOST_STREAMS 256 /* as docs/reference/api.md says */

struct listener {
    int fd;
    struct buf heard;
};

/* `headers` ends each of its lines with \r\n. */
static struct listener listen_to(struct live *w, const struct live_process *server, const char *query,
                                 const char *headers)
{
    struct listener l = {.fd = raw_open(w, server)};
    char request[512];
    buf_init(&l.heard, 0);
    int bytes = snprintf(request, sizeof request,
                         "GET /api/sync/events%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", query, headers);
    raw_send(l.fd, request, (size_t)bytes);
    return l;
}

/* True once this was heard. */
static bool hears(struct listener *l, const char *text_heard)
{
    char chunk[4096];
    struct pollfd ready = {.fd = l->fd, .events = POLLIN};
    while (poll(&ready, 1, 0) > 0) {
        ssize_t got = recv(l->fd, chunk, sizeof chunk, 0);
        if (got <= 0) break;
        buf_put(&l->heard, chunk, (size_t)got);
    }
    return l->heard.data && strstr(l->heard.data, text_heard);
}

static void stop_listening(struct listener *l)
{
    close(l->fd);
    buf_fini(&l->heard);
}

/* The id of the event that this text belongs to. */
static void id_before(struct live *w, const struct listener *l, const char *event_text, char *id,
                      size_t bytes)
{
    const char *end = strstr(l->heard.data, event_text), *at = NULL;
    for (const char *next = l->heard.data; (next = strstr(next, "id: ")) && next < end; next++) at = next;
    EXPECT(w, at != NULL);
    snprintf(id, bytes, "%.*s", (int)strcspn(at + 4, "\n"), at + 4);
}

START_TEST(a_listener_hears_what_becomes_of_documents)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "events-document");
    live_in_sync(&w);
    struct listener l = listen_to(&w, &server, "?source=tools", "");
    WAIT_UNTIL(&w, hears(&l, "retry: "));
    EXPECT(&w, hears(&l, "Content-Type: text/event-stream\r\n") && hears(&l, "HTTP/1.1 200"));
    insert_made(&w, 0, 1);
    WAIT_UNTIL(&w, hears(&l, "event: document\n"));
    WAIT_UNTIL(&w, hears(&l, "\"id\":\"made-0\""));
    WAIT_UNTIL(&w, hears(&l, "\"collections\":{\"tools\":\"synced\",\"functionality\":\"synced\","
                             "\"usecases\":\"synced\",\"interface\":\"synced\"}"));
    WAIT_UNTIL(&w, hears(&l, "\"overallStatus\":\"synced\""));
    WAIT_UNTIL(&w, hears(&l, "event: status\n"));
    WAIT_UNTIL(&w, hears(&l, "{\"synced\":1,"));
    WAIT_UNTIL(&w, hears(&l, "event: state\n"));
    WAIT_UNTIL(&w, hears(&l, "event: cycle\n")); /* every half second */
    delete_one(&w, J("id" : "made-0"));
    WAIT_UNTIL(&w, hears(&l, "\"deleted\":true"));
    daemon_stop(&w); /* with a listener there */
    stop_listening(&l);
    live_close(&w);
}
END_TEST

START_TEST(who_comes_back_hears_what_was_missed)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "events-replay");
    char id[64], header[128];
    live_in_sync(&w);
    struct listener first = listen_to(&w, &server, "", "");
    WAIT_UNTIL(&w, hears(&first, "retry: "));
    insert_made(&w, 0, 1);
    WAIT_UNTIL(&w, hears(&first, "\"id\":\"made-0\""));
    id_before(&w, &first, "\"id\":\"made-0\"", id, sizeof id);
    stop_listening(&first);
    insert_made(&w, 1, 1);
    live_in_sync(&w);
    snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    struct listener back = listen_to(&w, &server, "", header);
    WAIT_UNTIL(&w, hears(&back, "\"id\":\"made-1\""));
    EXPECT(&w, !hears(&back, "event: reset"));
    EXPECT(&w, !hears(&back, "made-0\",\"collections\":{\"tools\":\"pending"));
    static const char *const unknown[] = {"Last-Event-ID: 1-1\r\n", "Last-Event-ID: nonsense\r\n",
                                          "Last-Event-ID: \xff\r\n"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        struct listener lost = listen_to(&w, &server, "", unknown[i]);
        WAIT_UNTIL(&w, hears(&lost, "event: reset\n"));
        stop_listening(&lost);
    }
    stop_listening(&back);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(events_are_for_those_who_may_read)
{
    struct live w = {.folder = ""};
    live_open(&w, "events-token");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "api", "token", "open-sesame");
    live_set(&w, "api", "read_token", "look-around");
    daemon_start(&w);
    struct live_process server = api(&w);
    struct listener none = listen_to(&w, &server, "", ""),
                    reads = listen_to(&w, &server, "", "Authorization: Bearer look-around\r\n"),
                    nowhere =
                        listen_to(&w, &server, "?source=people", "Authorization: Bearer look-around\r\n");
    WAIT_UNTIL(&w, hears(&none, "HTTP/1.1 401"));
    WAIT_UNTIL(&w, hears(&reads, "retry: "));
    WAIT_UNTIL(&w, hears(&nowhere, "UNKNOWN_SOURCE"));
    static const struct http_header token = {"Authorization", "Bearer look-around"};
    EXPECT_INT(&w, with_headers(&w, &server, "HEAD", "/api/sync/events", &token, 1), 200);
    stop_listening(&none);
    stop_listening(&reads);
    stop_listening(&nowhere);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

static bool is_let_in(struct live *w, const struct live_process *server)
{
    struct listener l = listen_to(w, server, "", "");
    WAIT_UNTIL(w, hears(&l, "HTTP/1.1 "));
    bool in = hears(&l, "HTTP/1.1 200");
    stop_listening(&l);
    return in;
}

START_TEST(many_listeners_leave_room_for_others)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "events-many");
    struct listener *all = calloc(MOST_STREAMS, sizeof *all);
    live_in_sync(&w);
    for (size_t i = 0; i < MOST_STREAMS; i++) {
        all[i] = listen_to(&w, &server, "", "");
        WAIT_UNTIL(&w, hears(&all[i], "retry: "));
    }
    for (int i = 0; i < 20; i++) {
        struct listener more = listen_to(&w, &server, "", "Connection: close\r\n");
        WAIT_UNTIL(&w, hears(&more, "HTTP/1.1 503"));
        WAIT_UNTIL(&w, hears(&more, "TOO_MANY_STREAMS") && hears(&more, "Retry-After: "));
        stop_listening(&more);
    }
    json_decref(answer(&w, &server, 200, "GET", "/api/sync/status", NULL));
    insert_made(&w, 0, 3);
    live_in_sync(&w);
    for (size_t i = 0; i < MOST_STREAMS; i++) WAIT_UNTIL(&w, hears(&all[i], "\"id\":\"made-2\""));
    for (size_t i = 0; i < MOST_STREAMS / 2; i++) stop_listening(&all[i]);
    /* that they left is noticed although nothing is sent to them */
    WAIT_UNTIL(&w, is_let_in(&w, &server));
    daemon_stop(&w);
    for (size_t i = MOST_STREAMS / 2; i < MOST_STREAMS; i++) stop_listening(&all[i]);
    free(all);
    live_close(&w);
}
END_TEST

/* ---- jobs ---- */

static struct live_process open_with_documents(struct live *w, const char *test)
{
    struct live_process server = open_with_api(w, test);
    insert_made(w, 0, 12);
    live_in_sync(w);
    return server;
}

START_TEST(a_job_says_where_it_is_found_and_what_it_did)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_documents(&w, "job-sync");
    struct buf reply;
    char path[80];
    buf_init(&reply, 0);
    const char request[] = "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n"
                           "Connection: close\r\n\r\n{\"job\":\"sync\"}";
    EXPECT_INT(&w, raw_call(&w, &server, request, sizeof request - 1, &reply), 202);
    EXPECT(&w, strstr(reply.data, "Location: /api/jobs/") != NULL);
    json_t *job = raw_json(&reply);
    snprintf(path, sizeof path, "/api/jobs/%s", text(job, "id"));
    WAIT_UNTIL(&w, (json_decref(job), job = answer(&w, &server, 200, "GET", path, NULL),
                    strcmp(text(job, "state"), "queued") != 0 && strcmp(text(job, "state"), "running") != 0));
    EXPECT(&w, strcmp(text(job, "state"), "done") == 0);
    EXPECT(&w, strcmp(text(job, "source"), "tools") == 0);
    EXPECT_INT(&w, number_at(job, "result.documents"), 12);
    EXPECT_INT(&w, number_at(job, "result.collections.tools.unchanged"), 12);
    EXPECT_INT(&w, number_at(job, "result.collections.usecases.embedded"), 0);
    EXPECT(&w, *text(job, "createdAt") && *text(job, "startedAt") && *text(job, "endedAt"));
    EXPECT(&w, json_is_null(json_object_get(job, "error")));
    json_decref(job);
    buf_fini(&reply);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_listener_hears_of_jobs)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_documents(&w, "job-events");
    struct listener l = listen_to(&w, &server, "", "");
    WAIT_UNTIL(&w, hears(&l, "\r\n\r\n")); /* what comes after it is heard */
    json_decref(answer(&w, &server, 202, "POST", "/api/jobs", "{\"job\":\"verify\"}"));
    WAIT_UNTIL(&w, hears(&l, "\"state\":\"done\""));
    EXPECT(&w, hears(&l, "event: job"));
    stop_listening(&l);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_listener_hears_what_becomes_of_documents,
        who_comes_back_hears_what_was_missed,
        events_are_for_those_who_may_read,
        many_listeners_leave_room_for_others,
        a_job_says_where_it_is_found_and_what_it_did,
        a_listener_hears_of_jobs,
    };
    return live_main("api events", tests, sizeof tests / sizeof *tests);
}
