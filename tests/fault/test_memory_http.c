/*
 * test_memory_http.c - memory is out once, or one call fails, at each place of an HTTP request and of what is
 * asked of Qdrant: what goes out is the request that was meant or none, and what comes back is whole or an
 * error.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "fault/torture.h"
#include "qdrant/qdrant.h"
#include "unit/stand_in.h"
#include "unit/suite.h"
#include "unit/tiny_server.h"

#define MOST 3000 /* failures, of which there have to be fewer */

/* ---- a request of HTTP ---- */

static struct {
    int count;
    char method[16], target[64], head[2000], body[64];
} got;

static enum tiny_then answer(void *context, const struct tiny_request *request, struct buf *out)
{
    (void)context;
    torture_pause(true); /* from here on nothing that this connection does counts */
    got.count++;
    snprintf(got.method, sizeof got.method, "%s", request->method);
    snprintf(got.target, sizeof got.target, "%s", request->target);
    snprintf(got.head, sizeof got.head, "%s", request->head);
    snprintf(got.body, sizeof got.body, "%s", request->body);
    tiny_reply(out, 200, "", "{}");
    return TINY_KEEP;
}

static struct http *http;
static char base[64];
static bool whole_reply; /* of the last request */

static enum http_failure ask_for(const char *method, const char *target, const char *body)
{
    char url[128];
    const struct http_header headers[] = {{"api-key", "secret"}, {"Content-Type", "application/json"}};
    snprintf(url, sizeof url, "%s%s", base, target);
    struct http_call call = {.method = method,
                             .url = url,
                             .headers = headers,
                             .header_count = 2,
                             .body = body,
                             .body_bytes = body ? strlen(body) : 0,
                             .timeout_ms = 20000};
    enum http_failure failure = http_perform(http, &call);
    whole_reply = call.status == 200 && call.reply.bytes == 2 && strcmp(call.reply.data, "{}") == 0;
    http_call_fini(&call);
    return failure;
}

static const struct asked {
    const char *method, *target, *body;
} asked[] = {{"PUT", "/points?wait=true", "{\"points\":[1]}"}, {"DELETE", "/c", NULL}, {"POST", "/q", "{}"}};

START_TEST(a_request_goes_out_as_it_is_meant_or_not_at_all)
{
    const struct asked *a = &asked[_i % COUNT(asked)];
    enum torture_kind kind = _i < COUNT(asked) ? TORTURE_ALLOCATION : TORTURE_CALL;
    struct lks_err err;
    struct tiny_server *server = tiny_server_open(answer, NULL);
    ck_assert_ptr_nonnull(server);
    snprintf(base, sizeof base, "http://127.0.0.1:%d", tiny_server_port(server));
    ck_assert_int_eq(http_open(NULL, &http, &err), LKS_E_OK);
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        ck_assert_int_eq(ask_for("GET", "/first", NULL), HTTP_OK); /* opens a connection */
        got.count = 0;
        torture_arm(kind, n);
        enum http_failure failure = ask_for(a->method, a->target, a->body);
        struck = torture_disarm();
        ck_assert(struck || failure == HTTP_OK);
        ck_assert(failure != HTTP_OK || (got.count > 0 && whole_reply));
        if (!got.count) continue;
        ck_assert_str_eq(got.method, a->method);
        ck_assert_str_eq(got.target, a->target);
        ck_assert_str_eq(got.body, a->body ? a->body : "");
        ck_assert_ptr_nonnull(strstr(got.head, "api-key: secret\r\n"));
        ck_assert_ptr_nonnull(strstr(got.head, "Content-Type: application/json\r\n"));
    }
    ck_assert_int_gt(n, 3);
    ck_assert_int_lt(n, MOST);
    http_close(http);
    tiny_server_close(server);
}
END_TEST

/* ---- what Qdrant is asked ---- */

#define POINTS 3

static struct qdrant *qdrant;
static struct queue inbox;

static const char *const ids[POINTS] = {"00000000-0000-5000-8000-000000000001",
                                        "00000000-0000-5000-8000-000000000002",
                                        "00000000-0000-5000-8000-000000000003"};
static const char *const docs[POINTS] = {"\"a\"", "\"b\"", "{\"$numberInt\":\"3\"}"};

static void come_back(void *self, struct req *req)
{
    queue_push(self, req);
}

static struct req *without(struct req *req, long n, bool *struck)
{
    struct port port = qdrant_port(qdrant);
    torture_arm(TORTURE_ALLOCATION, n);
    port.submit(port.self, req);
    torture_pause(true);
    ck_assert_ptr_eq(queue_take(&inbox, 60000), req);
    *struck = torture_disarm();
    return req;
}

static struct req *write_req(const char *hash)
{
    static const float vector[] = {1, 2, 3, 4};
    struct req *req = req_new(REQ_UPSERT, NULL);
    req->write.points = calloc(POINTS, sizeof *req->write.points);
    ck_assert_ptr_nonnull(req->write.points);
    req->write.count = POINTS;
    for (size_t i = 0; i < POINTS; i++)
        req->write.points[i] = (struct point_write){.point_id = ids[i],
                                                    .vector = vector,
                                                    .dimensions = COUNT(vector),
                                                    .payload = "{\"n\":1}",
                                                    .payload_bytes = 7,
                                                    .doc = docs[i],
                                                    .key = "key",
                                                    .content_hash = "c1",
                                                    .payload_hash = hash,
                                                    .epoch = 7};
    return req;
}

static struct req *lookup_req(void)
{
    struct req *req = req_new(REQ_LOOKUP, NULL);
    req->lookup.point_ids = calloc(POINTS, sizeof *ids);
    req->lookup.docs = calloc(POINTS, sizeof *docs);
    ck_assert(req->lookup.point_ids && req->lookup.docs);
    memcpy(req->lookup.point_ids, ids, sizeof ids);
    memcpy(req->lookup.docs, docs, sizeof docs);
    req->lookup.point_count = req->lookup.doc_count = POINTS;
    return req;
}

static struct req *scroll_req(void)
{
    struct req *req = req_new(REQ_SCROLL, NULL);
    req->scroll.max_points = 10;
    return req;
}

static struct req *count_req(void)
{
    return req_new(REQ_COUNT, NULL);
}

static char *answer_of(const struct req *req)
{
    struct buf out;
    buf_init(&out, 0);
    const struct stamp *found = req->kind == REQ_LOOKUP ? req->lookup.found : req->scroll.found;
    size_t count = req->kind == REQ_LOOKUP ? req->lookup.found_count : req->scroll.found_count;
    if (req->kind == REQ_COUNT)
        buf_printf(&out, "%d points", (int)req->count.points);
    else
        for (size_t i = 0; i < count; i++)
            buf_printf(&out, "%s %d %s %s %s %s %d, ", found[i].point_id, found[i].ours,
                       found[i].doc ? found[i].doc : "-", found[i].key ? found[i].key : "-",
                       found[i].content_hash, found[i].payload_hash, (int)found[i].epoch);
    return buf_take(&out, NULL);
}

static void open_qdrant(struct stand_in *server)
{
    static char url[160];
    struct lks_err err;
    const struct qdrant_collection_config collection = {"c", "Cosine", "m/4"};
    ck_assert(stand_in_start(server, "qdrant", NULL));
    snprintf(url, sizeof url, "http://%s", server->address);
    struct qdrant_config config = {.url = url,
                                   .timeout_ms = 30000,
                                   .source = "db.tools",
                                   .collections = &collection,
                                   .collection_count = 1};
    ck_assert(queue_init(&inbox, offsetof(struct req, next)));
    ck_assert_int_eq(http_open(NULL, &http, &err), LKS_E_OK);
    ck_assert_int_eq(qdrant_open(&config, http, (struct inbox){&inbox, come_back}, &qdrant, &err), LKS_E_OK);
    struct req *req = req_new(REQ_ENSURE, NULL);
    bool struck;
    req->ensure.dimensions = 4;
    without(req, MOST, &struck);
    ck_assert_msg(!req->err.code, "%s", req->err.text);
    req_free(req);
}

static void close_qdrant(struct stand_in *server)
{
    qdrant_close(qdrant);
    http_close(http);
    queue_fini(&inbox);
    stand_in_stop(server);
}

static void must(struct req *req)
{
    bool struck;
    without(req, MOST, &struck);
    ck_assert_msg(!req->err.code, "%s", req->err.text);
}

static struct req *(*const questions[])(void) = {lookup_req, scroll_req, count_req};

START_TEST(what_qdrant_is_asked_is_answered_whole_or_not_at_all)
{
    struct stand_in server;
    open_qdrant(&server);
    struct req *req = write_req("p1");
    must(req);
    req_free(req);
    must(req = questions[_i]());
    char *whole = answer_of(req);
    ck_assert_uint_gt(strlen(whole), 5);
    req_free(req);
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        req = without(questions[_i](), n, &struck);
        ck_assert_msg(struck || !req->err.code, "%s", req->err.text);
        char *text = req->err.code ? NULL : answer_of(req);
        if (text) ck_assert_str_eq(text, whole);
        free(text);
        req_free(req);
    }
    ck_assert_int_gt(n, 5);
    ck_assert_int_lt(n, MOST);
    free(whole);
    close_qdrant(&server);
}
END_TEST

/* Of each point that is said to be written the payload's hash is the new one, and others' is old or new. */
static void compare_points(const struct req *write, const char *hash)
{
    struct req *req = lookup_req();
    must(req);
    for (size_t i = 0; i < POINTS; i++) {
        bool ok = !write->err.code && !write->write.points[i].code;
        ck_assert(write->err.code || !write->write.points[i].code || write->write.points[i].error);
        if (!ok) continue;
        ck_assert_uint_eq(req->lookup.found_count, POINTS);
        ck_assert_str_eq(req->lookup.found[i].payload_hash, hash);
    }
    req_free(req);
}

START_TEST(a_point_that_is_said_to_be_written_is_there)
{
    struct stand_in server;
    open_qdrant(&server);
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        char hash[24];
        snprintf(hash, sizeof hash, "p%ld", n);
        struct req *req = without(write_req(hash), n, &struck);
        ck_assert_msg(struck || !req->err.code, "%s", req->err.text);
        compare_points(req, hash);
        req_free(req);
    }
    ck_assert_int_gt(n, 10);
    ck_assert_int_lt(n, MOST);
    close_qdrant(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory_http");
    TCase *tc = tcase_create("memory_http");
    tcase_set_timeout(tc, 150);
    tcase_add_loop_test(tc, a_request_goes_out_as_it_is_meant_or_not_at_all, 0, 2 * COUNT(asked));
    tcase_add_loop_test(tc, what_qdrant_is_asked_is_answered_whole_or_not_at_all, 0, COUNT(questions));
    tcase_add_test(tc, a_point_that_is_said_to_be_written_is_there);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
