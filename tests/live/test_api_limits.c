/* test_api_limits.c - clients that are slow, that are many, that leave in the middle: the HTTP API goes on
 * for all others, and so does syncing. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "live/calls.h"

#define HALF_OPEN 1500

/* True once the server has ended this connection; what it sent before is dropped. */
static bool is_over(int fd)
{
    char chunk[4096];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (poll(&ready, 1, 0) > 0)
        if (recv(fd, chunk, sizeof chunk, 0) <= 0) return true;
    return false;
}

/* Sends one more byte; true once the connection is over. */
static bool drips_in_vain(int fd, char byte)
{
    raw_send(fd, &byte, 1);
    return is_over(fd);
}

START_TEST(who_drips_is_not_waited_for)
{
    static const char
        head[] = "GET /healthz HTTP/1.1\r\nX-Slow: ",
        body[] = "POST /api/sync/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{";
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-drip");
    int slow_head = raw_open(&w, &server), slow_body = raw_open(&w, &server), silent = raw_open(&w, &server);
    raw_send(slow_head, head, sizeof head - 1);
    raw_send(slow_body, body, sizeof body - 1);
    WAIT_UNTIL(&w, drips_in_vain(slow_head, 'x'));
    WAIT_UNTIL(&w, drips_in_vain(slow_body, ' '));
    WAIT_UNTIL(&w, is_over(silent));
    close(slow_head);
    close(slow_body);
    close(silent);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(many_that_ask_nothing_lock_nobody_out)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-half-open");
    struct rlimit files = {.rlim_cur = 4096, .rlim_max = 4096};
    int *fds = calloc(HALF_OPEN, sizeof *fds);
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) FAIL(&w, "no files");
    live_in_sync(&w);
    for (int i = 0; i < HALF_OPEN; i++) {
        fds[i] = raw_open(&w, &server);
        raw_send(fds[i], "GET / HT", 8);
        if (i % 100 == 0) EXPECT_INT(&w, ask(&w, &server, "GET", "/healthz", NULL, NULL), 200);
    }
    json_decref(answer(&w, &server, 200, "GET", "/api/sync/status", NULL));
    insert_made(&w, 0, 5);
    live_in_sync(&w);
    WAIT_UNTIL(&w, is_over(fds[0])); /* the oldest made room */
    for (int i = 0; i < HALF_OPEN; i++) close(fds[i]);
    free(fds);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/healthz", NULL, NULL), 200);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(clients_that_leave_in_the_middle_do_no_harm)
{
    static const char *const pieces[] = {
        "G",
        "GET /healthz HTTP/1.1\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /api/sync/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /api/sync/worker/run HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
        "POST /api/sync/tools/made-1/retry HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{\"f",
        "POST /api/sync/batch HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\r\n",
        "POST /api/sync/batch HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\r\n\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", /* speaks TLS */
    };
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-leave");
    insert_made(&w, 0, 3);
    live_in_sync(&w);
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            int fd = raw_open(&w, &server);
            raw_send(fd, pieces[i], strlen(pieces[i]));
            struct linger at_once = {.l_onoff = round % 2, .l_linger = 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once,
                       sizeof at_once); /* every second time with a reset */
            close(fd);
        }
    insert_made(&w, 3, 2);
    live_in_sync(&w);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/healthz", NULL, NULL), 200);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

/* Whoever closes its half is taken to have left, unless the answer was there already. */
START_TEST(who_closes_its_half_is_waited_for_no_longer)
{
    static const char request[] = "POST /api/sync/tools/made-1/retry HTTP/1.1\r\nHost: localhost\r\n"
                                  "Content-Length: 14\r\n\r\n{\"force\":true}";
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-half-closed");
    insert_made(&w, 0, 3);
    live_in_sync(&w);
    for (int i = 0; i < 20; i++) {
        int fd = raw_open(&w, &server);
        raw_send(fd, request, sizeof request - 1);
        shutdown(fd, SHUT_WR);
        WAIT_UNTIL(&w, is_over(fd)); /* with an answer or without */
        close(fd);
    }
    live_in_sync(&w);
    EXPECT_INT(&w, ask(&w, &server, "GET", "/healthz", NULL, NULL), 200);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_body_that_is_too_large_is_refused)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "api-body");
    struct buf request, got;
    buf_init(&request, 0);
    buf_init(&got, 0);
    buf_puts(&request,
             "POST /api/sync/batch HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 17; i++) { /* 17 MiB, not announced */
        buf_puts(&request, "100000\r\n");
        for (int k = 0; k < 1 << 16; k++) buf_puts(&request, "                ");
        buf_puts(&request, "\r\n");
    }
    buf_puts(&request, "0\r\n\r\n");
    EXPECT_INT(&w, raw_call(&w, &server, request.data, request.bytes, &got), 413);
    json_t *reply = raw_json(&got);
    EXPECT(&w, strcmp(text(reply, "code"), "TOO_LARGE") == 0);
    json_decref(reply);
    buf_fini(&request);
    buf_fini(&got);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        who_drips_is_not_waited_for,
        many_that_ask_nothing_lock_nobody_out,
        clients_that_leave_in_the_middle_do_no_harm,
        who_closes_its_half_is_waited_for_no_longer,
        a_body_that_is_too_large_is_refused,
    };
    return live_main("api limits", tests, sizeof tests / sizeof *tests);
}
