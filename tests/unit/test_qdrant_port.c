/*
 * test_qdrant_port.c - the index port over a server that does whatever a test wants: refuses, stalls, lies.
 *
 * What a real Qdrant does is in test_qdrant_adapter.c.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/queue.h"
#include "qdrant/qdrant.h"
#include "suite.h"
#include "tiny_server.h"

static struct http *http;
static struct qdrant *qdrant;
static struct tiny_server *server;
static struct queue inbox;

/* What the server was set to do, and what it saw. */
static struct {
    const char *poison; /* an upsert body with it is refused */
    int upsert_limit;   /* strict mode: points in one upsert; 0: any */
    const char *reply;  /* a reply for everything else */
    int status;
    const char *headers;
    bool silent, slow;
    int version_status;
} plan;
static int upserts, requests;
static char seen[64][64]; /* method and path */
static char last_body[8192];

static int count_of(const char *text, const char *piece)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, piece)); p += strlen(piece)) n++;
    return n;
}

#define COMPLETED "{\"result\":{\"operation_id\":1,\"status\":\"completed\"},\"status\":\"ok\",\"time\":0}"

static enum tiny_then answer(void *context, const struct tiny_request *request, struct buf *out)
{
    (void)context;
    char text[256];
    if (requests < 64) snprintf(seen[requests], sizeof seen[0], "%s %s", request->method, request->target);
    requests++;
    snprintf(last_body, sizeof last_body, "%s", request->body);
    if (plan.silent) return TINY_HANG;
    if (plan.slow) usleep(50000);
    if (plan.status) {
        tiny_reply(out, plan.status, plan.headers ? plan.headers : "", plan.reply);
        return TINY_KEEP;
    }
    if (!strcmp(request->method, "PUT") && strstr(request->target, "/points?wait=true")) {
        int points = count_of(request->body, "{\"id\":");
        upserts++;
        if (plan.upsert_limit && points > plan.upsert_limit) {
            snprintf(text, sizeof text,
                     "{\"status\":{\"error\":\"Bad request: Limit exceeded %d > %d for \\\"upsert limit\\\". "
                     "Help\"}}",
                     points, plan.upsert_limit);
            tiny_reply(out, 400, "", text);
        } else if (plan.poison && strstr(request->body, plan.poison)) {
            tiny_reply(out, 400, "", "{\"status\":{\"error\":\"Wrong input: I don't like it\"},\"time\":0}");
        } else {
            tiny_reply(out, 200, "", plan.reply ? plan.reply : COMPLETED);
        }
        return TINY_KEEP;
    }
    tiny_reply(out, 200, "", plan.reply ? plan.reply : COMPLETED);
    return TINY_KEEP;
}

static void post(void *self, struct req *req)
{
    queue_push(self, req);
}

static void open_with(const char *path, int timeout_ms)
{
    struct lks_err err;
    char url[128];
    static const struct qdrant_collection_config collections[] = {{"a/b ü", "Cosine", "model"}};
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", tiny_server_port(server), path);
    struct qdrant_config config = {.url = url,
                                   .api_key = "s3cr3t",
                                   .timeout_ms = timeout_ms,
                                   .source = "db.tools",
                                   .collections = collections,
                                   .collection_count = 1};
    ck_assert(queue_init(&inbox, offsetof(struct req, next)));
    ck_assert_int_eq(http_open(NULL, &http, &err), LKS_E_OK);
    ck_assert_int_eq(qdrant_open(&config, http, (struct inbox){&inbox, post}, &qdrant, &err), LKS_E_OK);
}

static char ids[200][POINT_ID_BYTES];
static char keys[200][24];

static void setup(void)
{
    for (size_t i = 0; i < 200; i++) {
        snprintf(ids[i], sizeof ids[i], "00000000-0000-5000-8000-%012u", (unsigned)i % 1000000u);
        snprintf(keys[i], sizeof keys[i], "k%u!", (unsigned)i);
    }
    server = tiny_server_open(answer, NULL);
    ck_assert_ptr_nonnull(server);
    open_with("", 20000);
}

static void close_all(void)
{
    qdrant_close(qdrant);
    http_close(http);
    qdrant = NULL;
    http = NULL;
}

static void teardown(void)
{
    close_all();
    ck_assert_uint_eq(queue_count(&inbox), 0);
    queue_fini(&inbox);
    tiny_server_close(server);
}

static void submit(struct req *req)
{
    struct port port = qdrant_port(qdrant);
    port.submit(port.self, req);
}

static void ask(struct req *req)
{
    submit(req);
    ck_assert_ptr_eq(queue_take(&inbox, -1), req);
}

static const float vector[] = {1, 0};

/* A request to write `count` points with keys "k0" and so on. */
static struct req *write_req(enum req_kind kind, size_t count)
{
    struct req *req = req_new(kind, NULL);
    req->write.points = calloc(count, sizeof *req->write.points);
    req->write.count = count;
    for (size_t i = 0; i < count; i++) {
        req->write.points[i] = (struct point_write){.point_id = ids[i],
                                                    .vector = vector,
                                                    .dimensions = 2,
                                                    .payload = "{}",
                                                    .payload_bytes = 2,
                                                    .doc = "\"d\"",
                                                    .key = keys[i],
                                                    .content_hash = "c",
                                                    .payload_hash = "p",
                                                    .epoch = 1};
    }
    return req;
}

START_TEST(an_upsert_is_one_request)
{
    struct req *req = write_req(REQ_UPSERT, 10);
    ask(req);
    ck_assert_int_eq(req->err.code, LKS_E_OK);
    for (size_t i = 0; i < 10; i++) {
        ck_assert_int_eq(req->write.points[i].code, LKS_E_OK);
        ck_assert_ptr_null(req->write.points[i].error);
    }
    ck_assert_int_eq(requests, 1);
    ck_assert_str_eq(seen[0], "PUT /collections/a%2Fb%20%C3%BC/points?wait=true");
    req_free(req);
}
END_TEST

START_TEST(one_bad_point_fails_alone)
{
    plan.poison = "\"k37!\"";
    struct req *req = write_req(REQ_UPSERT, 100);
    ask(req);
    ck_assert_int_eq(req->err.code, LKS_E_OK);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(req->write.points[i].code, i == 37 ? LKS_E_QDRANT_REJECTED : LKS_E_OK);
    ck_assert_ptr_nonnull(strstr(req->write.points[37].error, "I don't like it"));
    ck_assert(!req->write.points[37].unknown);
    ck_assert_int_le(upserts, 16);
    req_free(req);
}
END_TEST

START_TEST(all_bad_points_fail_each_for_itself)
{
    plan.poison = "\"_lockstep\"";
    struct req *req = write_req(REQ_UPSERT, 9);
    ask(req);
    ck_assert_int_eq(req->err.code, LKS_E_OK);
    for (size_t i = 0; i < 9; i++) ck_assert_int_eq(req->write.points[i].code, LKS_E_QDRANT_REJECTED);
    req_free(req);
}
END_TEST

START_TEST(the_limit_of_strict_mode_is_learned)
{
    plan.upsert_limit = 7;
    struct req *req = write_req(REQ_UPSERT, 100);
    ask(req);
    for (size_t i = 0; i < 100; i++) ck_assert_int_eq(req->write.points[i].code, LKS_E_OK);
    ck_assert_int_le(upserts, 20);
    req_free(req);
    upserts = 0;
    req = write_req(REQ_UPSERT, 70);
    ask(req);
    ck_assert_int_eq(upserts, 10);
    req_free(req);
}
END_TEST

START_TEST(large_batches_are_split)
{
    struct req *req = write_req(REQ_UPSERT, 10);
    size_t bytes = 2000000;
    char *payload = malloc(bytes + 1);
    memset(payload, 'x', bytes);
    memcpy(payload, "{\"x\":\"", 6);
    memcpy(payload + bytes - 2, "\"}", 3);
    for (size_t i = 0; i < 10; i++) {
        req->write.points[i].payload = payload;
        req->write.points[i].payload_bytes = bytes;
    }
    ask(req);
    for (size_t i = 0; i < 10; i++) ck_assert_int_eq(req->write.points[i].code, LKS_E_OK);
    ck_assert_int_eq(upserts, 3);
    free(payload);
    req_free(req);
}
END_TEST

START_TEST(a_payload_that_is_no_object_is_not_sent)
{
    struct req *req = write_req(REQ_UPSERT, 3);
    req->write.points[1].payload = "[]";
    req->write.points[2].vector = NULL;
    ask(req);
    ck_assert_int_eq(req->write.points[0].code, LKS_E_OK);
    ck_assert_int_eq(req->write.points[1].code, LKS_E_QDRANT_REJECTED);
    ck_assert_int_eq(req->write.points[2].code, LKS_E_QDRANT_REJECTED);
    ck_assert_int_eq(upserts, 1);
    req_free(req);
}
END_TEST

struct outcome {
    int status;
    const char *headers, *reply;
    enum lks_code code;
    bool unknown;
    int64_t retry_after_ms;
};
static const struct outcome outcomes[] = {
    {200, "", "{\"result\":{\"operation_id\":1,\"status\":\"acknowledged\"},\"status\":\"ok\"}",
     LKS_E_QDRANT_TIMEOUT, true, 0},
    {200, "", "{\"result\":{\"operation_id\":1,\"status\":\"wait_timeout\"},\"status\":\"ok\"}",
     LKS_E_QDRANT_TIMEOUT, true, 0},
    {200, "", "<html>hello</html>", LKS_E_QDRANT_UNAVAILABLE, true, 0},
    {503, "Retry-After: 3\r\n", "", LKS_E_QDRANT_UNAVAILABLE, true, 3000},
    {429, "Retry-After: 2\r\n", "{\"status\":{\"error\":\"slow down\"}}", LKS_E_QDRANT_UNAVAILABLE, false,
     2000},
    {401, "", "Invalid API key or JWT", LKS_E_QDRANT_UNAVAILABLE, false, 0},
    {404, "", "{\"status\":{\"error\":\"Not found: Collection `x` doesn't exist!\"}}", LKS_E_NOT_FOUND, false,
     0},
};

START_TEST(a_server_that_fails_fails_the_request)
{
    static const enum req_kind kinds[] = {REQ_UPSERT, REQ_DELETE, REQ_LOOKUP, REQ_SCROLL, REQ_COUNT};
    const struct outcome *o = &outcomes[_i];
    plan.status = o->status;
    plan.headers = o->headers;
    plan.reply = o->reply;
    static const char *id = "00000000-0000-5000-8000-000000000001";
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        bool write = kinds[k] == REQ_UPSERT;
        struct req *req = write ? write_req(kinds[k], 5) : req_new(kinds[k], NULL);
        if (kinds[k] == REQ_DELETE) {
            req->del.point_ids = calloc(1, sizeof id);
            req->del.point_ids[0] = id;
            req->del.count = 1;
        } else if (kinds[k] == REQ_LOOKUP) {
            req->lookup.point_ids = calloc(1, sizeof id);
            req->lookup.point_ids[0] = id;
            req->lookup.point_count = 1;
        }
        ask(req);
        if (write || o->status != 200 || strstr(o->reply, "html") || kinds[k] == REQ_DELETE) {
            ck_assert_int_eq(req->err.code, o->code);
            ck_assert_int_eq(req->err.retry_after_ms, o->retry_after_ms);
        } else {
            ck_assert_int_eq(req->err.code, LKS_E_QDRANT_UNAVAILABLE); /* that is no list of points */
        }
        for (size_t i = 0; write && i < 5; i++) {
            ck_assert_int_eq(req->write.points[i].code, o->code);
            ck_assert_int_eq(req->write.points[i].unknown, o->unknown);
            ck_assert_ptr_nonnull(req->write.points[i].error);
        }
        if (kinds[k] == REQ_DELETE) ck_assert_int_eq(req->del.unknown, o->unknown);
        req_free(req);
    }
}
END_TEST

START_TEST(a_collection_that_cannot_be_read_is_not_ensured)
{
    plan.status = 500;
    plan.reply = "";
    struct req *req = req_new(REQ_ENSURE, NULL);
    req->ensure.dimensions = 2;
    ask(req);
    ck_assert_int_eq(req->err.code, LKS_E_QDRANT_UNAVAILABLE);
    ck_assert_int_eq(requests, 2); /* is it ready, and which version is it? */
    req_free(req);
}
END_TEST

START_TEST(silence_is_a_timeout_and_unknown)
{
    close_all();
    open_with("", 80);
    plan.silent = true;
    struct req *req = write_req(REQ_UPSERT, 2);
    ask(req);
    ck_assert_int_eq(req->err.code, LKS_E_QDRANT_TIMEOUT);
    ck_assert(req->write.points[0].unknown && req->write.points[1].unknown);
    req_free(req);
}
END_TEST

START_TEST(a_write_of_many_parts_has_one_deadline)
{
    enum { POINTS = 128 }; /* each refused for itself: 255 requests, if there were time */
    close_all();
    open_with("", 20000);
    plan.slow = true;
    plan.poison = "\"_lockstep\"";
    struct req *req = write_req(REQ_UPSERT, POINTS);
    req->deadline_ms = clock_boot_ms() + 400;
    ask(req);
    ck_assert_int_eq(req->err.code, LKS_E_QDRANT_TIMEOUT);
    tiny_server_close(server); /* it may still be busy with what we gave up */
    server = NULL;
    ck_assert_int_lt(requests, 20);
    ck_assert_int_eq(req->write.points[POINTS - 1].code, LKS_E_QDRANT_TIMEOUT);
    ck_assert(!req->write.points[POINTS - 1].unknown);
    req_free(req);
}
END_TEST

static const enum req_kind late_kinds[] = {REQ_UPSERT, REQ_DELETE, REQ_LOOKUP,
                                           REQ_SCROLL, REQ_COUNT,  REQ_ENSURE};

/* The engine gave it to us in time, and it lay in a queue of ours. */
START_TEST(nothing_is_sent_from_its_deadline_on)
{
    const char *id = ids[0], *doc = "\"d\"";
    enum req_kind kind = late_kinds[_i];
    struct req *req = kind == REQ_UPSERT ? write_req(kind, 2) : req_new(kind, NULL);
    if (kind == REQ_DELETE || kind == REQ_LOOKUP) {
        const char **list = calloc(1, sizeof *list);
        list[0] = kind == REQ_DELETE ? id : doc;
        if (kind == REQ_DELETE)
            req->del.point_ids = list, req->del.count = 1;
        else
            req->lookup.docs = list, req->lookup.doc_count = 1;
    }
    req->deadline_ms = clock_boot_ms();
    ask(req);
    ck_assert_int_eq(req->err.code, LKS_E_QDRANT_TIMEOUT);
    ck_assert_int_eq(requests, 0);
    ck_assert(kind != REQ_UPSERT || !req->write.points[0].unknown);
    ck_assert(kind != REQ_DELETE || !req->del.unknown);
    req_free(req);
}
END_TEST

START_TEST(nobody_there_means_nothing_was_applied)
{
    tiny_server_close(server);
    server = NULL;
    struct req *req = write_req(REQ_UPSERT, 2);
    ask(req);
    ck_assert_int_eq(req->err.code, LKS_E_QDRANT_UNAVAILABLE);
    ck_assert_int_eq(req->write.points[0].code, LKS_E_QDRANT_UNAVAILABLE);
    ck_assert(!req->write.points[0].unknown);
    ck_assert_ptr_null(strstr(req->err.text, "s3cr3t"));
    req_free(req);
}
END_TEST

START_TEST(closing_posts_everything_back_once)
{
    enum { SOME = 12 };
    plan.silent = true;
    for (int i = 0; i < SOME; i++) submit(i % 2 ? write_req(REQ_UPSERT, 3) : req_new(REQ_COUNT, NULL));
    close_all();
    ck_assert_uint_eq(queue_count(&inbox), SOME);
    for (int i = 0; i < SOME; i++) {
        struct req *req = queue_take(&inbox, 0);
        ck_assert_int_eq(req->err.code, LKS_E_CANCELLED);
        req_free(req);
    }
}
END_TEST

START_TEST(a_path_before_the_api_is_kept)
{
    close_all();
    open_with("/qdrant//", 20000);
    struct req *req = req_new(REQ_COUNT, NULL);
    plan.reply = "{\"result\":{\"count\":12},\"status\":\"ok\"}";
    ask(req);
    ck_assert_int_eq(req->err.code, LKS_E_OK);
    ck_assert_int_eq(req->count.points, 12);
    ck_assert_str_eq(seen[0], "POST /qdrant/collections/a%2Fb%20%C3%BC/points/count");
    ck_assert_str_eq(last_body,
                     "{\"filter\":{\"must\":[{\"key\":\"_lockstep.source\",\"match\":{\"value\":\"db.tools\"}"
                     "}]},\"exact\":true}");
    req_free(req);
}
END_TEST

START_TEST(an_empty_list_asks_nothing)
{
    static const enum req_kind kinds[] = {REQ_DELETE, REQ_LOOKUP, REQ_UPSERT};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct req *req = req_new(kinds[i], NULL);
        ask(req);
        ck_assert_int_eq(req->err.code, LKS_E_OK);
        req_free(req);
    }
    ck_assert_int_eq(requests, 0);
}
END_TEST

static const char *const bad_urls[] = {"",        "localhost:6333",  "ftp://h",
                                       "http://", "http://h/?key=1", "http://h/#x"};

START_TEST(what_is_no_url_is_refused)
{
    struct lks_err err;
    struct qdrant *q;
    struct qdrant_config config = {.url = bad_urls[_i], .timeout_ms = 1, .source = "a.b"};
    ck_assert_int_eq(qdrant_open(&config, http, (struct inbox){&inbox, post}, &q, &err), LKS_E_CONFIG);
    ck_assert_ptr_null(q);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("qdrant port");
    TCase *t = tcase_create("port");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_upsert_is_one_request);
    tcase_add_test(t, one_bad_point_fails_alone);
    tcase_add_test(t, all_bad_points_fail_each_for_itself);
    tcase_add_test(t, the_limit_of_strict_mode_is_learned);
    tcase_add_test(t, large_batches_are_split);
    tcase_add_test(t, a_payload_that_is_no_object_is_not_sent);
    tcase_add_loop_test(t, a_server_that_fails_fails_the_request, 0,
                        (int)(sizeof outcomes / sizeof *outcomes));
    tcase_add_test(t, a_collection_that_cannot_be_read_is_not_ensured);
    tcase_add_test(t, silence_is_a_timeout_and_unknown);
    tcase_add_test(t, a_write_of_many_parts_has_one_deadline);
    tcase_add_loop_test(t, nothing_is_sent_from_its_deadline_on, 0,
                        (int)(sizeof late_kinds / sizeof *late_kinds));
    tcase_add_test(t, nobody_there_means_nothing_was_applied);
    tcase_add_test(t, closing_posts_everything_back_once);
    tcase_add_test(t, a_path_before_the_api_is_kept);
    tcase_add_test(t, an_empty_list_asks_nothing);
    tcase_add_loop_test(t, what_is_no_url_is_refused, 0, (int)(sizeof bad_urls / sizeof *bad_urls));
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
