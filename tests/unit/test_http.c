/* test_http.c - what comes back from servers that are well, late, broken, gone or rude. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "http/http.h"
#include "suite.h"
#include "tiny_server.h"

/* How long the machine was suspended, as far as everything in this process can see: only the clock that
 * counts that has gone on. */
static _Atomic int64_t suspended_ms;

int clock_gettime(clockid_t which, struct timespec *out)
{
    int failed = (int)syscall(SYS_clock_gettime, which, out);
    if (!failed && which == CLOCK_BOOTTIME) out->tv_sec += atomic_load(&suspended_ms) / 1000;
    return failed;
}

static struct http *http;
static struct tiny_server *server;
static char base[64];
static int last_connection;
static char last_head[4096];
static char last_body[4096];
static size_t last_body_bytes;

#define LONG_BODY 9000

/* `kind` is what zlib calls window bits: 15 + 16 for gzip, 15 for deflate. */
static void reply_compressed(struct buf *out, int kind, const char *name)
{
    static char text[LONG_BODY];
    static unsigned char packed[LONG_BODY];
    for (int i = 0; i < LONG_BODY; i++) text[i] = (char)('a' + i % 13);
    z_stream z = {
        .next_in = (Bytef *)text, .avail_in = sizeof text, .next_out = packed, .avail_out = sizeof packed};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, kind, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t bytes = sizeof packed - z.avail_out;
    deflateEnd(&z);
    buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", name, bytes);
    buf_put(out, packed, bytes);
}

/* Answers by what the path says. */
static enum tiny_then answer(void *context, const struct tiny_request *request, struct buf *out)
{
    (void)context;
    last_connection = request->connection;
    snprintf(last_head, sizeof last_head, "%s", request->head);
    last_body_bytes = request->body_bytes < sizeof last_body ? request->body_bytes : sizeof last_body;
    memcpy(last_body, request->body, last_body_bytes);
    if (!strcmp(request->target, "/ok")) {
        tiny_reply(out, 200, "Content-Type: Application/JSON; charset=utf-8\r\n", "{}");
    } else if (!strcmp(request->target, "/busy")) {
        tiny_reply(out, 429, "Retry-After: 7\r\n", "later");
    } else if (!strcmp(request->target, "/busy-exactly")) {
        tiny_reply(out, 503, "retry-after-ms: 1250.5\r\nRetry-After: 9\r\n", "");
    } else if (!strcmp(request->target, "/large")) {
        char body[5001];
        memset(body, 'x', 5000);
        body[5000] = '\0';
        tiny_reply(out, 200, "", body);
    } else if (!strcmp(request->target, "/cut")) {
        buf_puts(out, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
        return TINY_CLOSE;
    } else if (!strcmp(request->target, "/gone")) {
        return TINY_CLOSE;
    } else if (!strcmp(request->target, "/nonsense")) {
        buf_puts(out, "220 smtp.example.org ready\r\n");
        return TINY_CLOSE;
    } else if (!strcmp(request->target, "/gzip")) {
        reply_compressed(out, 15 + 16, "gzip");
    } else if (!strcmp(request->target, "/deflate")) {
        reply_compressed(out, 15, "deflate");
    } else if (!strcmp(request->target, "/gzip-broken")) {
        buf_puts(out, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\nnot gzip now");
    } else if (!strcmp(request->target, "/redirect")) {
        tiny_reply(out, 302, "Location: /ok\r\n", "");
    } else if (!strcmp(request->target, "/silent")) {
        return TINY_HANG;
    } else {
        tiny_reply(out, 404, "", "");
    }
    return TINY_KEEP;
}

static void setup(void)
{
    struct lks_err err;
    server = tiny_server_open(answer, NULL);
    ck_assert_ptr_nonnull(server);
    snprintf(base, sizeof base, "http://127.0.0.1:%d", tiny_server_port(server));
    ck_assert_int_eq(http_open(NULL, &http, &err), LKS_E_OK);
}

static void teardown(void)
{
    http_close(http);
    tiny_server_close(server);
}

static enum http_failure ask(struct http_call *call, const char *method, const char *path, const char *body)
{
    static char url[256];
    snprintf(url, sizeof url, "%s%s", base, path);
    call->method = method;
    call->url = url;
    call->body = body;
    call->body_bytes = body ? strlen(body) : 0;
    if (!call->timeout_ms) call->timeout_ms = 20000;
    return http_perform(http, call);
}

START_TEST(a_reply_comes_with_status_body_and_type)
{
    struct http_header headers[] = {{"api-key", "secret"}, {"Content-Type", "application/json"}};
    struct http_call call = {.headers = headers, .header_count = 2};
    ck_assert_int_eq(ask(&call, "PUT", "/ok", "{\"a\":1}"), HTTP_OK);
    ck_assert_int_eq(call.status, 200);
    ck_assert_str_eq(call.reply.data, "{}");
    ck_assert_str_eq(call.content_type, "application/json");
    ck_assert_int_eq(call.retry_after_ms, 0);
    ck_assert(call.sent);
    ck_assert_ptr_nonnull(strstr(last_head, "PUT /ok HTTP/1.1"));
    ck_assert_ptr_nonnull(strstr(last_head, "api-key: secret"));
    ck_assert_ptr_null(strstr(last_head, "Expect"));
    ck_assert_uint_eq(last_body_bytes, 7);
    ck_assert_mem_eq(last_body, "{\"a\":1}", 7);
    http_call_fini(&call);
}
END_TEST

START_TEST(the_connection_is_used_again)
{
    struct http_call call = {0};
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(ask(&call, i % 2 ? "GET" : "DELETE", "/ok", NULL), HTTP_OK);
        ck_assert_int_eq(last_connection, 0);
    }
    http_call_fini(&call);
}
END_TEST

START_TEST(waiting_times_are_read)
{
    struct http_call call = {0};
    ck_assert_int_eq(ask(&call, "GET", "/busy", NULL), HTTP_OK);
    ck_assert_int_eq(call.status, 429);
    ck_assert_int_eq(call.retry_after_ms, 7000);
    ck_assert_int_eq(ask(&call, "GET", "/busy-exactly", NULL), HTTP_OK);
    ck_assert_int_eq(call.status, 503);
    ck_assert_int_eq(call.retry_after_ms, 1250);
    http_call_fini(&call);
}
END_TEST

START_TEST(a_redirect_is_not_followed)
{
    struct http_call call = {0};
    ck_assert_int_eq(ask(&call, "GET", "/redirect", NULL), HTTP_OK);
    ck_assert_int_eq(call.status, 302);
    http_call_fini(&call);
}
END_TEST

struct failing {
    const char *path;
    enum http_failure failure;
    bool sent;
};
static const struct failing failing[] = {
    {"/cut", HTTP_CUT, true},
    {"/gone", HTTP_CUT, true},
    {"/nonsense", HTTP_CUT, true},
    {"/large", HTTP_TOO_LARGE, true},
};

START_TEST(broken_replies_have_their_class)
{
    const struct failing *f = &failing[_i];
    struct http_call call = {.max_reply_bytes = 4000};
    ck_assert_int_eq(ask(&call, "POST", f->path, "x"), f->failure);
    ck_assert_int_eq(call.sent, f->sent);
    if (f->failure) ck_assert_ptr_nonnull(strstr(call.error, f->path));
    http_call_fini(&call);
}
END_TEST

START_TEST(silence_is_a_timeout_of_something_sent)
{
    struct http_call call = {.timeout_ms = 50};
    ck_assert_int_eq(ask(&call, "POST", "/silent", "x"), HTTP_TIMEOUT);
    ck_assert(call.sent);
    http_call_fini(&call);
}
END_TEST

struct run_beside {
    struct http_call *call;
    const char *path; /* NULL: one that is never answered */
};

static void *ask_beside(void *context)
{
    struct run_beside *beside = context;
    char url[128];
    snprintf(url, sizeof url, "%s%s", base, beside->path ? beside->path : "/silent");
    beside->call->method = "GET";
    beside->call->url = url;
    http_perform(http, beside->call);
    return NULL;
}

/* One connection, and it is in use until after the deadline of what waits for it. */
START_TEST(a_call_that_waited_beyond_its_deadline_is_not_sent)
{
    const struct http_options one = {.connections_per_host = 1};
    struct lks_err err;
    http_close(http);
    ck_assert_int_eq(http_open(&one, &http, &err), LKS_E_OK);
    struct http_call first = {.timeout_ms = 400}, late = {.timeout_ms = 20000};
    struct run_beside beside = {.call = &first};
    char url[128];
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_beside, &beside), 0);
    usleep(100000); /* it has the connection */
    late.deadline_ms = clock_boot_ms() + 100;
    snprintf(url, sizeof url, "%s/ok", base);
    late.method = "DELETE";
    late.url = url;
    int64_t began_ms = clock_ms();
    ck_assert_int_eq(http_perform(http, &late), HTTP_TIMEOUT);
    ck_assert(!late.sent);
    ck_assert_int_lt(clock_ms() - began_ms, 10000);
    ck_assert_ptr_nonnull(strstr(late.error, "nothing was sent"));
    ck_assert_ptr_null(strstr(last_head, "DELETE"));
    pthread_join(thread, NULL);
    http_call_fini(&first);
    http_call_fini(&late);
}
END_TEST

/* The same, and neither curl nor any wait of ours notices that the time is over. */
START_TEST(a_call_is_not_sent_after_the_machine_was_suspended)
{
    const struct http_options one = {.connections_per_host = 1};
    struct lks_err err;
    http_close(http);
    ck_assert_int_eq(http_open(&one, &http, &err), LKS_E_OK);
    struct http_call first = {.timeout_ms = 400}, late = {.timeout_ms = 20000};
    struct run_beside beside = {.call = &first}, beside_too = {.call = &late, .path = "/ok"};
    pthread_t threads[2];
    ck_assert_int_eq(pthread_create(&threads[0], NULL, ask_beside, &beside), 0);
    usleep(100000);
    late.deadline_ms = clock_boot_ms() + 10000;
    ck_assert_int_eq(pthread_create(&threads[1], NULL, ask_beside, &beside_too), 0);
    usleep(100000);
    atomic_store(&suspended_ms, 60000);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    atomic_store(&suspended_ms, 0);
    ck_assert_int_eq(late.failure, HTTP_TIMEOUT);
    ck_assert(!late.sent);
    ck_assert_ptr_null(strstr(last_head, "/ok"));
    http_call_fini(&first);
    http_call_fini(&late);
}
END_TEST

START_TEST(a_deadline_that_is_over_sends_nothing)
{
    struct http_call call = {.deadline_ms = clock_boot_ms()};
    ck_assert_int_eq(ask(&call, "DELETE", "/ok", NULL), HTTP_TIMEOUT);
    ck_assert(!call.sent);
    ck_assert_str_eq(last_head, "");
    http_call_fini(&call);
}
END_TEST

/* What was sent is not waited for any longer than that either. */
START_TEST(a_deadline_ends_the_waiting)
{
    struct http_call call = {.deadline_ms = clock_boot_ms() + 150};
    int64_t began_ms = clock_ms();
    ck_assert_int_eq(ask(&call, "GET", "/silent", NULL), HTTP_TIMEOUT);
    ck_assert(call.sent);
    ck_assert_int_lt(clock_ms() - began_ms, 10000);
    call.deadline_ms = clock_boot_ms() + 20000;
    ck_assert_int_eq(ask(&call, "GET", "/ok", NULL), HTTP_OK);
    http_call_fini(&call);
}
END_TEST

START_TEST(nobody_listening_means_nothing_was_sent)
{
    struct http_call call = {0};
    tiny_server_close(server);
    server = NULL;
    ck_assert_int_eq(ask(&call, "POST", "/ok?key=secret", "x"), HTTP_CONNECT);
    ck_assert(!call.sent);
    ck_assert_ptr_null(strstr(call.error, "secret"));
    http_call_fini(&call);
}
END_TEST

START_TEST(what_cannot_be_asked_is_refused)
{
    struct http_header broken = {"api-key", "a\r\nX-Evil: 1"};
    struct http_call call = {.headers = &broken, .header_count = 1};
    ck_assert_int_eq(ask(&call, "GET", "/ok", NULL), HTTP_BAD_CALL);
    ck_assert(!call.sent);
    static const char *const urls[] = {"ftp://user:secret@127.0.0.1/x", "file:///etc/passwd", "http://", "",
                                       "http://u:secret@127.0.0.1:99999999/"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct http_call bad = {.method = "GET", .url = urls[i], .timeout_ms = 1000};
        ck_assert_int_eq(http_perform(http, &bad), HTTP_BAD_CALL);
        ck_assert(!bad.sent);
        ck_assert_ptr_null(strstr(bad.error, "secret"));
        http_call_fini(&bad);
    }
    http_call_fini(&call);
}
END_TEST

START_TEST(a_body_can_travel_compressed)
{
    static char text[9001], back[9001];
    for (int i = 0; i < 9000; i++) text[i] = (char)('a' + i % 13);
    struct http_call call = {.gzip_body = true};
    ck_assert_int_eq(ask(&call, "POST", "/ok", text), HTTP_OK);
    ck_assert_ptr_nonnull(strstr(last_head, "Content-Encoding: gzip"));
    ck_assert_uint_lt(last_body_bytes, 1000);
    z_stream z = {.next_in = (Bytef *)last_body,
                  .avail_in = (uInt)last_body_bytes,
                  .next_out = (Bytef *)back,
                  .avail_out = sizeof back};
    ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
    ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    inflateEnd(&z);
    ck_assert_str_eq(back, text);
    http_call_fini(&call);
}
END_TEST

START_TEST(a_compressed_reply_is_read_though_nobody_asked_for_one)
{
    static const char *const paths[] = {"/gzip", "/deflate"};
    for (size_t i = 0; i < 2; i++) {
        struct http_call call = {0};
        ck_assert_int_eq(ask(&call, "GET", paths[i], NULL), HTTP_OK);
        ck_assert_ptr_null(strstr(last_head, "Accept-Encoding"));
        ck_assert_int_eq(call.status, 200);
        ck_assert_uint_eq(call.reply.bytes, LONG_BODY);
        for (size_t k = 0; k < LONG_BODY; k++) ck_assert_int_eq(call.reply.data[k], 'a' + (int)k % 13);
        http_call_fini(&call);
    }
    struct http_call broken = {0};
    ck_assert_int_ne(ask(&broken, "GET", "/gzip-broken", NULL), HTTP_OK);
    ck_assert(broken.sent && *broken.error);
    http_call_fini(&broken);
    struct http_call small = {.max_reply_bytes = 5000}; /* what it unpacks to counts */
    ck_assert_int_eq(ask(&small, "GET", "/gzip", NULL), HTTP_TOO_LARGE);
    http_call_fini(&small);
}
END_TEST

static pthread_mutex_t over_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t over = PTHREAD_COND_INITIALIZER;
static int over_count, over_ok;

static void count_done(struct http_call *call)
{
    pthread_mutex_lock(&over_lock);
    over_count++;
    over_ok += call->failure == HTTP_OK && call->status == 200;
    pthread_cond_signal(&over);
    pthread_mutex_unlock(&over_lock);
}

START_TEST(many_calls_at_once_come_back_once_each)
{
    enum { MANY = 300 };
    static struct http_call calls[MANY];
    char url[128];
    snprintf(url, sizeof url, "%s/ok", base);
    for (int i = 0; i < MANY; i++) {
        calls[i] = (struct http_call){.method = "POST",
                                      .url = url,
                                      .body = "x",
                                      .body_bytes = 1,
                                      .done = count_done,
                                      .timeout_ms = 30000};
        http_send(http, &calls[i]);
    }
    pthread_mutex_lock(&over_lock);
    while (over_count < MANY) pthread_cond_wait(&over, &over_lock);
    pthread_mutex_unlock(&over_lock);
    ck_assert_int_eq(over_ok, MANY);
    ck_assert_int_lt(last_connection, 16);
    for (int i = 0; i < MANY; i++) http_call_fini(&calls[i]);
}
END_TEST

START_TEST(closing_gives_back_what_is_under_way)
{
    enum { SOME = 20 };
    static struct http_call calls[SOME];
    char url[128];
    snprintf(url, sizeof url, "%s/silent", base);
    for (int i = 0; i < SOME; i++) {
        calls[i] = (struct http_call){.method = "GET", .url = url, .done = count_done, .timeout_ms = 30000};
        http_send(http, &calls[i]);
    }
    http_close(http);
    http = NULL;
    ck_assert_int_eq(over_count, SOME);
    for (int i = 0; i < SOME; i++) {
        ck_assert_int_eq(calls[i].failure, HTTP_CANCELLED);
        http_call_fini(&calls[i]);
    }
}
END_TEST

START_TEST(one_call_can_be_cancelled)
{
    static struct http_call calls[2];
    char url[2][128];
    snprintf(url[0], sizeof url[0], "%s/silent", base);
    snprintf(url[1], sizeof url[1], "%s/ok", base);
    for (int i = 0; i < 2; i++) {
        calls[i] =
            (struct http_call){.method = "GET", .url = url[i], .done = count_done, .timeout_ms = 30000};
        http_send(http, &calls[i]);
    }
    http_cancel(http, &calls[0]);
    pthread_mutex_lock(&over_lock);
    while (over_count < 2) pthread_cond_wait(&over, &over_lock);
    pthread_mutex_unlock(&over_lock);
    ck_assert_int_eq(calls[0].failure, HTTP_CANCELLED);
    ck_assert_int_eq(calls[1].failure, HTTP_OK);
    for (int i = 0; i < 2; i++) http_call_fini(&calls[i]);
}
END_TEST

struct waiting {
    const char *value;
    int64_t ms;
};
/* "now" is Sun, 06 Nov 1994 08:49:37 GMT */
static const struct waiting waiting[] = {
    {"0", 0},
    {"120", 120000},
    {" 3 ", 3000},
    {"1.5", 1500},
    {"-5", 0},
    {"", 0},
    {"soon", 0},
    {"12 monkeys", 0},
    {"99999999999999999999999", 604800000},
    {"Sun, 06 Nov 1994 08:49:40 GMT", 3000},
    {"Sunday, 06-Nov-94 08:49:47 GMT", 10000},
    {"Sun Nov  6 08:50:37 1994", 60000},
    {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
    {"Sat, 05 Nov 1994 08:49:37 GMT", 0},
    {"Fri, 06 Nov 2099 08:49:37 GMT", 604800000},
};

START_TEST(retry_after_is_seconds_or_a_date)
{
    ck_assert_int_eq(http_retry_after_ms(waiting[_i].value, 784111777), waiting[_i].ms);
}
END_TEST

struct plain {
    const char *url, *shown;
};
static const struct plain plain[] = {
    {"http://h:6333/collections/c", "http://h:6333/collections/c"},
    {"https://user:secret@h/p?api-key=secret#secret", "https://h/p"},
    {"https://user:sec@ret@h:1/p/q", "https://h:1/p/q"},
    {"http://user:sec/ret@h/p", "http://"},
    {"http://h/p?x=secret@y", "http://"},
    {"h/p?secret", "h/p"},
    {"", ""},
};

START_TEST(urls_are_shown_without_secrets)
{
    char shown[200];
    http_url_plain(plain[_i].url, shown, sizeof shown);
    ck_assert_str_eq(shown, plain[_i].shown);
}
END_TEST

START_TEST(loopback_hosts_are_known)
{
    ck_assert(http_url_loopback("http://localhost:80/"));
    ck_assert(http_url_loopback("http://LocalHost"));
    ck_assert(http_url_loopback("http://127.0.0.1:6333/x"));
    ck_assert(http_url_loopback("https://u:p@127.3.2.1"));
    ck_assert(http_url_loopback("http://[::1]:80/"));
    ck_assert(!http_url_loopback("http://127.evil.org/"));
    ck_assert(!http_url_loopback("http://localhost.org/"));
    ck_assert(!http_url_loopback("http://h/127.0.0.1"));
    ck_assert(!http_url_loopback("http://[::2]/"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http");
    TCase *t = tcase_create("calls");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_reply_comes_with_status_body_and_type);
    tcase_add_test(t, the_connection_is_used_again);
    tcase_add_test(t, waiting_times_are_read);
    tcase_add_test(t, a_redirect_is_not_followed);
    tcase_add_loop_test(t, broken_replies_have_their_class, 0, sizeof failing / sizeof *failing);
    tcase_add_test(t, silence_is_a_timeout_of_something_sent);
    tcase_add_test(t, a_call_that_waited_beyond_its_deadline_is_not_sent);
    tcase_add_test(t, a_call_is_not_sent_after_the_machine_was_suspended);
    tcase_add_test(t, a_deadline_that_is_over_sends_nothing);
    tcase_add_test(t, a_deadline_ends_the_waiting);
    tcase_add_test(t, nobody_listening_means_nothing_was_sent);
    tcase_add_test(t, what_cannot_be_asked_is_refused);
    tcase_add_test(t, a_body_can_travel_compressed);
    tcase_add_test(t, a_compressed_reply_is_read_though_nobody_asked_for_one);
    tcase_add_test(t, many_calls_at_once_come_back_once_each);
    tcase_add_test(t, closing_gives_back_what_is_under_way);
    tcase_add_test(t, one_call_can_be_cancelled);
    suite_add_tcase(suite, t);
    TCase *text = tcase_create("text");
    tcase_add_loop_test(text, retry_after_is_seconds_or_a_date, 0, sizeof waiting / sizeof *waiting);
    tcase_add_loop_test(text, urls_are_shown_without_secrets, 0, sizeof plain / sizeof *plain);
    tcase_add_test(text, loopback_hosts_are_known);
    suite_add_tcase(suite, text);
    return suite_run(suite);
}
