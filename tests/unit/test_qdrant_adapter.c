/*
 * test_qdrant_adapter.c - the index port and the plain calls over a Qdrant: the stand-in that is built beside
 * this test, and the real one that LOCKSTEP_TEST_QDRANT_URL names, if it does (with
 * LOCKSTEP_TEST_QDRANT_API_KEY).
 *
 * Each test has collections of its own, named by process and test, and removes them.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/queue.h"
#include "qdrant/qdrant.h"
#include "stand_in.h"
#include "suite.h"

#define DIMENSIONS 4
#define COLLECTIONS 3 /* wanted as Cosine, as Dot, and one for what others put there */

static const char *urls[2]; /* the stand-in, the real server */
static int url_count;

static struct http *http;
static struct qdrant *qdrant;
static struct queue inbox;
static char names[COLLECTIONS][64];
static const char *url;

/* ---- setting up ---- */

static void post(void *self, struct req *req)
{
    queue_push(self, req);
}

/* One plain request to the server; `path` begins with a slash. Returns the status. */
static long plain(const char *method, const char *path, const char *body)
{
    char whole[512];
    const char *key = getenv("LOCKSTEP_TEST_QDRANT_API_KEY");
    struct http_header headers[] = {{"Content-Type", "application/json"}, {"api-key", key ? key : ""}};
    snprintf(whole, sizeof whole, "%s%s", url, path);
    struct http_call call = {.method = method,
                             .url = whole,
                             .headers = headers,
                             .header_count = key ? 2 : 1,
                             .body = body,
                             .body_bytes = body ? strlen(body) : 0,
                             .timeout_ms = 30000};
    ck_assert_msg(http_perform(http, &call) == HTTP_OK, "%s", call.error);
    long status = call.status;
    if (status >= 400) fprintf(stderr, "# %s %s: %ld %s\n", method, path, status, call.reply.data);
    http_call_fini(&call);
    return status;
}

static void open_all(const char *source)
{
    struct lks_err err;
    const struct qdrant_collection_config collections[COLLECTIONS] = {
        {names[0], "Cosine", "m/4"}, {names[1], "Dot", "m/4"}, {names[2], "Cosine", "m/4"}};
    struct qdrant_config config = {.url = url,
                                   .api_key = getenv("LOCKSTEP_TEST_QDRANT_API_KEY"),
                                   .timeout_ms = 30000,
                                   .source = source,
                                   .collections = collections,
                                   .collection_count = COLLECTIONS};
    ck_assert(queue_init(&inbox, offsetof(struct req, next)));
    ck_assert_int_eq(http_open(NULL, &http, &err), LKS_E_OK);
    ck_assert_int_eq(qdrant_open(&config, http, (struct inbox){&inbox, post}, &qdrant, &err), LKS_E_OK);
}

static void close_all(void)
{
    qdrant_close(qdrant);
    http_close(http);
    queue_fini(&inbox);
}

/* The server is chosen by the test's loop index. */
static void begin(int which)
{
    url = urls[which];
    for (int i = 0; i < COLLECTIONS; i++)
        snprintf(names[i], sizeof names[i], "lockstep-test-%d-%d", (int)getpid(), i);
    open_all("db.tools");
}

static void end(void)
{
    struct lks_err err;
    for (size_t i = 0; i < COLLECTIONS; i++) ck_assert_int_eq(qdrant_drop(qdrant, i, NULL, &err), LKS_E_OK);
    close_all();
}

static void submit(struct req *req)
{
    struct port port = qdrant_port(qdrant);
    port.submit(port.self, req);
}

static struct req *ask(struct req *req)
{
    submit(req);
    ck_assert_ptr_eq(queue_take(&inbox, -1), req);
    return req;
}

static void expect_ok(const struct req *req)
{
    ck_assert_msg(req->err.code == LKS_E_OK, "%s: %s", req_kind_name(req->kind), req->err.text);
}

static struct req *ensure_req(size_t collection)
{
    struct req *req = req_new(REQ_ENSURE, NULL);
    req->ensure.collection = collection;
    req->ensure.dimensions = DIMENSIONS;
    return req;
}

/* Ensures a collection, and says whether the server knows guards. */
static bool ensured(size_t collection)
{
    struct req *req = ask(ensure_req(collection));
    expect_ok(req);
    bool guarded = req->ensure.guarded;
    req_free(req);
    return guarded;
}

/* ---- points ---- */

#define POINTS_MAX 500

static struct {
    char id[POINT_ID_BYTES], doc[40], key[24], payload[64];
    float vector[DIMENSIONS];
} made[POINTS_MAX];

static void make_points(void)
{
    for (unsigned i = 0; i < POINTS_MAX; i++) {
        snprintf(made[i].id, sizeof made[i].id, "00000000-0000-5000-8000-%012u", i % 1000000u);
        snprintf(made[i].doc, sizeof made[i].doc, "{\"$oid\":\"%024u\"}", i);
        snprintf(made[i].key, sizeof made[i].key, "tool-%u", i);
        snprintf(made[i].payload, sizeof made[i].payload, "{\"n\":%u,\"name\":\"\xc3\xa9\"}", i);
        for (unsigned d = 0; d < DIMENSIONS; d++) made[i].vector[d] = (float)((i * 7 + d * 3) % 11) - 4.9F;
    }
}

static struct req *write_req(enum req_kind kind, size_t first, size_t count, const char *hash, uint64_t epoch)
{
    struct req *req = req_new(kind, NULL);
    req->write.points = calloc(count, sizeof *req->write.points);
    req->write.count = count;
    for (size_t i = 0; i < count; i++)
        req->write.points[i] = (struct point_write){.point_id = made[first + i].id,
                                                    .vector = made[first + i].vector,
                                                    .dimensions = DIMENSIONS,
                                                    .payload = made[first + i].payload,
                                                    .payload_bytes = strlen(made[first + i].payload),
                                                    .doc = made[first + i].doc,
                                                    .key = made[first + i].key,
                                                    .content_hash = hash,
                                                    .payload_hash = "p1",
                                                    .epoch = epoch};
    return req;
}

static void upsert(size_t first, size_t count, const char *hash, uint64_t epoch)
{
    struct req *req = ask(write_req(REQ_UPSERT, first, count, hash, epoch));
    expect_ok(req);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(req->write.points[i].code == LKS_E_OK, "%s", req->write.points[i].error);
    req_free(req);
}

static struct req *lookup_req(const char *const *ids, size_t id_count, const char *const *docs,
                              size_t doc_count)
{
    struct req *req = req_new(REQ_LOOKUP, NULL);
    req->lookup.point_ids = calloc(id_count + 1, sizeof *ids);
    req->lookup.docs = calloc(doc_count + 1, sizeof *docs);
    req->lookup.point_count = id_count;
    req->lookup.doc_count = doc_count;
    for (size_t i = 0; i < id_count; i++) req->lookup.point_ids[i] = ids[i];
    for (size_t i = 0; i < doc_count; i++) req->lookup.docs[i] = docs[i];
    return req;
}

/* One point's `_lockstep` as a lookup by id shows it; empty if it isn't there. */
static struct stamp seen(size_t i)
{
    const char *id = made[i].id;
    struct stamp w = {.ours = false};
    struct req *req = ask(lookup_req(&id, 1, NULL, 0));
    expect_ok(req);
    if (req->lookup.found_count) {
        w = req->lookup.found[0];
        w.doc = w.key = NULL;
        w.vector = NULL;
    }
    req_free(req);
    return w;
}

static int64_t count_ours(size_t collection)
{
    struct req *req = req_new(REQ_COUNT, NULL);
    req->count.collection = collection;
    ask(req);
    expect_ok(req);
    int64_t points = req->count.points;
    req_free(req);
    return points;
}

/* ---- the tests ---- */

START_TEST(ensure_makes_a_collection_behind_an_alias_once)
{
    begin(_i);
    struct req *req = ask(ensure_req(0));
    expect_ok(req);
    ck_assert(req->ensure.created && req->ensure.empty);
    req_free(req);
    struct qdrant_info info;
    struct lks_err err;
    ck_assert_int_eq(qdrant_info(qdrant, 0, &info, &err), LKS_E_OK);
    char target[80];
    snprintf(target, sizeof target, "%s_v1", names[0]);
    ck_assert(info.exists);
    ck_assert_str_eq(info.target, target);
    ck_assert_uint_eq(info.dimensions, DIMENSIONS);
    ck_assert_str_eq(info.distance, "Cosine");
    qdrant_info_fini(&info);
    req = ask(ensure_req(0));
    expect_ok(req);
    ck_assert(!req->ensure.created && req->ensure.empty);
    req_free(req);
    make_points();
    upsert(0, 1, "h", 1);
    req = ask(ensure_req(0));
    expect_ok(req);
    ck_assert(!req->ensure.empty);
    req_free(req);
    end();
}
END_TEST

START_TEST(ensure_that_only_looks_makes_nothing)
{
    begin(_i);
    struct req *req = ensure_req(0);
    req->ensure.look_only = true;
    req = ask(req);
    ck_assert_int_eq(req->err.code, LKS_E_NOT_FOUND);
    ck_assert(!req->ensure.created);
    req_free(req);
    req = ask(ensure_req(0));
    ck_assert(req->ensure.created); /* it was not there */
    req_free(req);
    req = ensure_req(0);
    req->ensure.look_only = true;
    req = ask(req);
    ck_assert_int_eq(req->err.code, LKS_E_OK);
    ck_assert(!req->ensure.created && req->ensure.empty);
    req_free(req);
    end();
}
END_TEST

START_TEST(ensure_takes_a_collection_that_is_there_and_fits)
{
    begin(_i);
    char path[128];
    snprintf(path, sizeof path, "/collections/%s", names[1]);
    ck_assert_int_eq(plain("PUT", path, "{\"vectors\":{\"size\":4,\"distance\":\"Dot\"}}"), 200);
    struct req *req = ask(ensure_req(1));
    expect_ok(req);
    ck_assert(!req->ensure.created && req->ensure.empty);
    req_free(req);
    struct qdrant_info info;
    struct lks_err err;
    ck_assert_int_eq(qdrant_info(qdrant, 1, &info, &err), LKS_E_OK);
    ck_assert_str_eq(info.target, names[1]);
    qdrant_info_fini(&info);
    end();
}
END_TEST

static const char *const unfit[] = {
    "{\"vectors\":{\"size\":5,\"distance\":\"Cosine\"}}",
    "{\"vectors\":{\"size\":4,\"distance\":\"Euclid\"}}",
    "{\"vectors\":{\"text\":{\"size\":4,\"distance\":\"Cosine\"}}}",
    "{\"vectors\":{\"size\":4,\"distance\":\"Cosine\",\"datatype\":\"uint8\"}}",
};

START_TEST(ensure_says_which_vectors_a_collection_can_hold)
{
    static const struct {
        const char *vectors;
        bool cosine;
        float most;
    } kinds[] = {{"{\"vectors\":{\"size\":4,\"distance\":\"Dot\"}}", false, 0},
                 {"{\"vectors\":{\"size\":4,\"distance\":\"Dot\",\"datatype\":\"float32\"}}", false, 0},
                 {"{\"vectors\":{\"size\":4,\"distance\":\"Dot\",\"datatype\":\"float16\"}}", false, 65504}};
    begin(_i);
    char path[128];
    snprintf(path, sizeof path, "/collections/%s", names[1]);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        ck_assert_int_eq(plain("PUT", path, kinds[i].vectors), 200);
        struct req *req = ask(ensure_req(1));
        expect_ok(req);
        ck_assert_int_eq(req->ensure.cosine, kinds[i].cosine);
        ck_assert_float_eq(req->ensure.most, kinds[i].most);
        req_free(req);
        ck_assert_int_eq(plain("DELETE", path, NULL), 200);
    }
    struct req *req = ask(ensure_req(0)); /* made by us */
    expect_ok(req);
    ck_assert(req->ensure.cosine);
    req_free(req);
    end();
}
END_TEST

START_TEST(ensure_refuses_what_does_not_fit_and_says_so)
{
    begin(_i);
    char path[128];
    snprintf(path, sizeof path, "/collections/%s", names[0]);
    for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++) {
        ck_assert_int_eq(plain("PUT", path, unfit[i]), 200);
        struct req *req = ask(ensure_req(0));
        ck_assert_int_eq(req->err.code, LKS_E_QDRANT_REJECTED);
        ck_assert_ptr_nonnull(strstr(req->err.text, names[0]));
        ck_assert_ptr_nonnull(strstr(req->err.text, strstr(unfit[i], "uint8") ? "as uint8" : "size 4"));
        req_free(req);
        ck_assert_int_eq(plain("DELETE", path, NULL), 200);
    }
    end();
}
END_TEST

START_TEST(ensures_at_the_same_time_agree)
{
    begin(_i);
    enum { SOME = 6 };
    for (int i = 0; i < SOME; i++) submit(ensure_req(0));
    for (int i = 0; i < SOME; i++) {
        struct req *req = queue_take(&inbox, -1);
        expect_ok(req);
        req_free(req);
    }
    make_points();
    upsert(0, 3, "h", 1);
    ck_assert_int_eq(count_ours(0), 3);
    end();
}
END_TEST

START_TEST(points_are_found_by_id_and_by_document)
{
    begin(_i);
    make_points();
    ensured(0);
    upsert(0, 20, "h1", 9);
    const char *ids[] = {made[3].id, made[4].id, "00000000-0000-5000-8000-00000000ffff"};
    const char *docs[] = {made[4].doc, made[5].doc, "\"nobody\""};
    struct req *req = ask(lookup_req(ids, 3, docs, 3));
    expect_ok(req);
    ck_assert_uint_eq(req->lookup.found_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct stamp *w = &req->lookup.found[i];
        size_t n = strtoul(w->point_id + 24, NULL, 10);
        ck_assert(n >= 3 && n <= 5 && w->ours && !w->foreign);
        ck_assert_str_eq(w->point_id, made[n].id);
        ck_assert_str_eq(w->doc, made[n].doc);
        ck_assert_str_eq(w->key, made[n].key);
        ck_assert_str_eq(w->content_hash, "h1");
        ck_assert_str_eq(w->payload_hash, "p1");
        ck_assert_uint_eq(w->epoch, 9);
    }
    req_free(req);
    end();
}
END_TEST

START_TEST(scrolling_comes_by_every_point_of_ours_in_order)
{
    begin(_i);
    make_points();
    ensured(0);
    for (size_t i = 0; i < POINTS_MAX; i += 100) upsert(i, 100, "h", 1);
    char path[128];
    snprintf(path, sizeof path, "/collections/%s/points?wait=true", names[0]);
    ck_assert_int_eq(
        plain("PUT", path,
              "{\"points\":[{\"id\":7,\"vector\":[1,0,0,0],\"payload\":{\"_lockstep\":{\"source\":\"x.y\"}}},"
              "{\"id\":8,\"vector\":[1,0,0,0]}]}"),
        200);
    size_t total = 0;
    char last[POINT_ID_BYTES] = "", from[POINT_ID_BYTES] = "";
    do {
        struct req *req = req_new(REQ_SCROLL, NULL);
        memcpy(req->scroll.from, from, sizeof from);
        req->scroll.max_points = 64;
        ask(req);
        expect_ok(req);
        ck_assert_uint_le(req->scroll.found_count, 64);
        for (size_t i = 0; i < req->scroll.found_count; i++) {
            ck_assert(req->scroll.found[i].ours);
            ck_assert_int_lt(strcmp(last, req->scroll.found[i].point_id), 0);
            memcpy(last, req->scroll.found[i].point_id, sizeof last);
        }
        total += req->scroll.found_count;
        memcpy(from, req->scroll.next, sizeof from);
        req_free(req);
    } while (from[0]);
    ck_assert_uint_eq(total, POINTS_MAX);
    ck_assert_int_eq(count_ours(0), POINTS_MAX);
    end();
}
END_TEST

START_TEST(points_of_others_are_reported_apart)
{
    begin(_i);
    ensured(2);
    char path[128];
    snprintf(path, sizeof path, "/collections/%s/points?wait=true", names[2]);
    ck_assert_int_eq(
        plain("PUT", path,
              "{\"points\":[{\"id\":42,\"vector\":[1,0,0,0],\"payload\":{\"big\":18446744073709551615}},"
              "{\"id\":43,\"vector\":[1,0,0,0],\"payload\":{\"_lockstep\":{\"big\":18446744073709551615,"
              "\"z\":\"\\u0000\",\"source\":[\"db.other\"]}}},"
              "{\"id\":44,\"vector\":[1,0,0,0],\"payload\":{\"_lockstep\":{\"source\":\"db.other\","
              "\"doc\":\"1\"}}}]}"),
        200);
    const char *ids[] = {"42", "43", "44", "45"};
    struct req *req = lookup_req(ids, 4, NULL, 0);
    req->lookup.collection = 2;
    ask(req);
    expect_ok(req);
    ck_assert_uint_eq(req->lookup.found_count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(req->lookup.found[i].foreign);
        ck_assert_str_eq(req->lookup.found[i].point_id, ids[i]);
    }
    req_free(req);
    ck_assert_int_eq(count_ours(2), 0);
    end();
}
END_TEST

START_TEST(deletes_take_what_is_there)
{
    begin(_i);
    make_points();
    ensured(0);
    upsert(0, 5, "h", 1);
    for (int round = 0; round < 2; round++) {
        struct req *req = req_new(REQ_DELETE, NULL);
        req->del.point_ids = calloc(3, sizeof *req->del.point_ids);
        req->del.count = 3;
        for (size_t i = 0; i < 3; i++) req->del.point_ids[i] = made[i + 1].id;
        ask(req);
        expect_ok(req);
        req_free(req);
        ck_assert_int_eq(count_ours(0), 2);
    }
    ck_assert(seen(0).ours && seen(4).ours && !seen(2).ours);
    end();
}
END_TEST

START_TEST(an_older_epoch_does_not_overwrite_a_newer_one)
{
    begin(_i);
    make_points();
    if (ensured(0)) {
        upsert(0, 2, "newer", 5);
        upsert(0, 3, "older", 4); /* "completed", though two of three were kept from it */
        ck_assert_str_eq(seen(0).content_hash, "newer");
        ck_assert_str_eq(seen(2).content_hash, "older");
        upsert(0, 1, "same", 5);
        ck_assert_str_eq(seen(0).content_hash, "same");
    }
    end();
}
END_TEST

static struct req *epochs(uint64_t floor, uint64_t own)
{
    struct req *req = req_new(REQ_EPOCHS, NULL);
    req->epochs.floor = floor;
    req->epochs.own = own;
    ask(req);
    expect_ok(req);
    return req;
}

START_TEST(points_with_a_higher_epoch_are_counted_and_the_highest_is_reported)
{
    static const struct {
        uint64_t floor, own, points, highest;
    } cases[] = {{9, 9, 0, 0}, {5, 5, 1, 9}, {4, 4, 2, 9}, {4, 9, 1, 5}, {3, 4, 2, 9}, {0, 12, 3, 9}};
    begin(_i);
    make_points();
    ensured(0);
    upsert(0, 1, "h", 4);
    upsert(1, 1, "h", 5);
    upsert(2, 1, "h", 9);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct req *req = epochs(cases[i].floor, cases[i].own);
        ck_assert_int_eq(req->epochs.points, (int64_t)cases[i].points);
        ck_assert_uint_eq(req->epochs.highest, cases[i].highest);
        req_free(req);
    }
    end();
}
END_TEST

START_TEST(a_point_without_an_epoch_is_taken_over)
{
    begin(_i);
    make_points();
    ensured(0);
    char path[128], body[256];
    snprintf(path, sizeof path, "/collections/%s/points?wait=true", names[0]);
    snprintf(body, sizeof body, "{\"points\":[{\"id\":\"%s\",\"vector\":[1,0,0,0],\"payload\":{\"a\":1}}]}",
             made[0].id);
    ck_assert_int_eq(plain("PUT", path, body), 200);
    ck_assert(seen(0).foreign);
    upsert(0, 1, "ours", 1);
    ck_assert(seen(0).ours);
    end();
}
END_TEST

/* A lookup of this point with its vector; the caller frees it. */
static struct req *with_vector(size_t collection, size_t i)
{
    const char *id = made[i].id;
    struct req *req = lookup_req(&id, 1, NULL, 0);
    req->lookup.collection = collection;
    req->lookup.vector_count = 1;
    ask(req);
    expect_ok(req);
    return req;
}

START_TEST(a_payload_changes_with_the_vector_that_is_there)
{
    begin(_i);
    make_points();
    ensured(0);
    upsert(0, 3, "h1", 2);
    struct req *first = with_vector(0, 0);
    ck_assert_uint_eq(first->lookup.found_count, 1);
    const struct stamp *found = &first->lookup.found[0];
    ck_assert_ptr_nonnull(found->vector);
    ck_assert_uint_eq(found->dimensions, DIMENSIONS);
    ck_assert(!found->further);
    snprintf(made[0].payload, sizeof made[0].payload, "{\"fresh\":true}");
    for (int round = 0; round < 5; round++) { /* and it keeps every bit */
        struct req *before = with_vector(0, 0), *req = write_req(REQ_UPSERT, 0, 1, "h1", 2);
        req->write.points[0].vector = before->lookup.found[0].vector;
        ask(req);
        ck_assert_int_eq(req->write.points[0].code, LKS_E_OK);
        req_free(req);
        req_free(before);
    }
    struct req *last = with_vector(0, 0);
    ck_assert_mem_eq(last->lookup.found[0].vector, found->vector, DIMENSIONS * sizeof(float));
    req_free(first);
    req_free(last);
    struct qdrant_points points;
    struct lks_err err;
    const char *id = made[0].id;
    ck_assert_int_eq(qdrant_retrieve(qdrant, 0, &id, 1, false, &points, &err), LKS_E_OK);
    ck_assert_ptr_nonnull(strstr(points.items[0].payload, "\"fresh\":true"));
    ck_assert_ptr_null(strstr(points.items[0].payload, "\"name\""));
    qdrant_points_fini(&points);
    end();
}
END_TEST

/* Points that are asked for with their vectors, and without, and by document: each is reported once. */
START_TEST(vectors_come_for_the_first_ids_only)
{
    const char *ids[20], *docs[20];
    begin(_i);
    make_points();
    ensured(0);
    upsert(0, 20, "h1", 2);
    for (size_t i = 0; i < 20; i++) {
        ids[i] = made[i].id;
        docs[i] = made[i].doc;
    }
    struct req *req = lookup_req(ids, 20, docs, 20);
    req->lookup.vector_count = 7;
    ask(req);
    expect_ok(req);
    ck_assert_uint_eq(req->lookup.found_count, 20);
    for (size_t i = 0; i < 20; i++) {
        ck_assert_str_eq(req->lookup.found[i].point_id, ids[i]);
        ck_assert(!req->lookup.found[i].vector == (i >= 7));
    }
    req_free(req);
    end();
}
END_TEST

static const char *const further_shapes[] = {
    "{\"vectors\":{\"\":{\"size\":4,\"distance\":\"Cosine\"},\"image\":{\"size\":2,\"distance\":\"Dot\"}}}",
    "{\"vectors\":{\"size\":4,\"distance\":\"Cosine\"},\"sparse_vectors\":{\"image\":{}}}"};
static const char *const further_values[] = {"[1,2]", "{\"indices\":[3],\"values\":[0.5]}"};

START_TEST(vectors_under_further_names_are_kept)
{
    begin(_i);
    make_points();
    for (size_t shape = 0; shape < 2; shape++) {
        char path[160], body[400];
        snprintf(path, sizeof path, "/collections/%s", names[0]);
        ck_assert_int_eq(plain("PUT", path, further_shapes[shape]), 200);
        struct req *req = ask(ensure_req(0));
        expect_ok(req);
        ck_assert(req->ensure.further);
        req_free(req);
        upsert(0, 3, "h1", 2);
        snprintf(path, sizeof path, "/collections/%s/points/vectors?wait=true", names[0]);
        snprintf(body, sizeof body, "{\"points\":[{\"id\":\"%s\",\"vector\":{\"image\":%s}}]}", made[0].id,
                 further_values[shape]);
        ck_assert_int_eq(plain("PUT", path, body), 200);
        req = with_vector(0, 1);
        ck_assert(!req->lookup.found[0].further);
        ck_assert_uint_eq(req->lookup.found[0].dimensions, DIMENSIONS);
        req_free(req);
        req = with_vector(0, 0);
        ck_assert(req->lookup.found[0].further);
        float before[DIMENSIONS];
        memcpy(before, req->lookup.found[0].vector, sizeof before);
        req_free(req);
        made[0].vector[0] += 3;
        req = write_req(REQ_UPSERT, 0, 4, "h2", 2); /* the last is not there: nothing comes of it */
        for (size_t i = 0; i < 4; i++) req->write.points[i].keeps = i == 0 || i == 3;
        ask(req);
        expect_ok(req);
        for (size_t i = 0; i < 4; i++) ck_assert_int_eq(req->write.points[i].code, LKS_E_OK);
        req_free(req);
        req = with_vector(0, 0);
        ck_assert(req->lookup.found[0].further);
        ck_assert_str_eq(req->lookup.found[0].content_hash, "h2");
        ck_assert(memcmp(before, req->lookup.found[0].vector, sizeof before) != 0);
        req_free(req);
        ck_assert_int_eq(count_ours(0), 3);
        struct lks_err err;
        ck_assert_int_eq(qdrant_drop(qdrant, 0, NULL, &err), LKS_E_OK);
    }
    end();
}
END_TEST

START_TEST(a_poisonous_point_fails_alone)
{
    begin(_i);
    make_points();
    ensured(0);
    static char deep[600];
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    char payload[700];
    snprintf(payload, sizeof payload, "{\"deep\":%s}", deep);
    struct req *req = write_req(REQ_UPSERT, 0, 50, "h", 1);
    req->write.points[17].payload = payload;
    req->write.points[17].payload_bytes = strlen(payload);
    made[31].vector[2] = NAN;
    req->write.points[44].dimensions = 3;
    ask(req);
    expect_ok(req);
    for (size_t i = 0; i < 50; i++) {
        bool bad = i == 17 || i == 31 || i == 44;
        ck_assert_int_eq(req->write.points[i].code, bad ? LKS_E_QDRANT_REJECTED : LKS_E_OK);
    }
    req_free(req);
    ck_assert_int_eq(count_ours(0), 47);
    end();
}
END_TEST

START_TEST(strict_mode_is_kept_to)
{
    begin(_i);
    make_points();
    char path[128];
    snprintf(path, sizeof path, "/collections/%s", names[0]);
    ck_assert_int_eq(
        plain("PUT", path,
              "{\"vectors\":{\"size\":4,\"distance\":\"Cosine\"},\"strict_mode_config\":{\"enabled\":true,"
              "\"upsert_max_batchsize\":7,\"unindexed_filtering_update\":false,"
              "\"unindexed_filtering_retrieve\":false,\"max_query_limit\":5}}"),
        200);
    ensured(0);
    upsert(0, 40, "h1", 1);
    ck_assert_int_eq(count_ours(0), 40);
    const char *ids[20], *docs[20];
    for (size_t i = 0; i < 20; i++) {
        ids[i] = made[i].id;
        docs[i] = made[i + 10].doc;
    }
    struct req *req = ask(lookup_req(ids, 20, docs, 20));
    expect_ok(req);
    ck_assert_uint_eq(req->lookup.found_count, 30);
    req_free(req);
    req = req_new(REQ_SCROLL, NULL);
    req->scroll.max_points = 100;
    ask(req);
    expect_ok(req);
    ck_assert_uint_eq(req->scroll.found_count, 5);
    ck_assert_str_eq(req->scroll.next, made[5].id);
    req_free(req);
    end();
}
END_TEST

START_TEST(a_dropped_collection_is_noticed_and_made_again)
{
    begin(_i);
    make_points();
    ensured(0);
    upsert(0, 3, "h", 1);
    struct lks_err err;
    bool existed;
    ck_assert_int_eq(qdrant_drop(qdrant, 0, &existed, &err), LKS_E_OK);
    ck_assert(existed);
    ck_assert_int_eq(qdrant_drop(qdrant, 0, &existed, &err), LKS_E_OK);
    ck_assert(!existed);
    struct qdrant_info info;
    ck_assert_int_eq(qdrant_info(qdrant, 0, &info, &err), LKS_E_OK);
    ck_assert(!info.exists);
    const char *id = made[0].id;
    struct req *reqs[] = {write_req(REQ_UPSERT, 0, 3, "h", 1), lookup_req(&id, 1, &id, 1),
                          req_new(REQ_SCROLL, NULL), req_new(REQ_COUNT, NULL)};
    for (size_t i = 0; i < sizeof reqs / sizeof *reqs; i++) {
        ask(reqs[i]);
        ck_assert_int_eq(reqs[i]->err.code, LKS_E_NOT_FOUND);
        req_free(reqs[i]);
    }
    struct req *req = ask(ensure_req(0));
    expect_ok(req);
    ck_assert(req->ensure.created && req->ensure.empty);
    req_free(req);
    upsert(0, 3, "h", 1);
    end();
}
END_TEST

START_TEST(search_finds_the_nearest_first)
{
    begin(_i);
    make_points();
    ensured(1);
    struct req *req = write_req(REQ_UPSERT, 0, 3, "h", 1);
    req->write.collection = 1;
    static const float vectors[3][DIMENSIONS] = {{1, 0, 0, 0}, {2, 0, 0, 0}, {0, 5, 0, 0}};
    for (int i = 0; i < 3; i++) req->write.points[i].vector = vectors[i];
    ask(req);
    expect_ok(req);
    req_free(req);
    struct qdrant_points points;
    struct lks_err err;
    const float query[DIMENSIONS] = {1, 0.1F, 0, 0};
    ck_assert_int_eq(qdrant_search(qdrant, 1, query, DIMENSIONS, 2, NULL, &points, &err), LKS_E_OK);
    ck_assert_uint_eq(points.count, 2);
    ck_assert_str_eq(points.items[0].id, made[1].id);
    ck_assert_str_eq(points.items[1].id, made[0].id);
    ck_assert_double_eq_tol(points.items[0].score, 2, 1e-5);
    ck_assert_ptr_nonnull(strstr(points.items[0].payload, "\"n\":1"));
    qdrant_points_fini(&points);
    static const char filter[] = "{\"must\":[{\"key\":\"n\",\"match\":{\"value\":2}}]}";
    ck_assert_int_eq(qdrant_search(qdrant, 1, query, DIMENSIONS, 10, filter, &points, &err), LKS_E_OK);
    ck_assert_uint_eq(points.count, 1);
    ck_assert_str_eq(points.items[0].id, made[2].id);
    qdrant_points_fini(&points);
    ck_assert_int_eq(qdrant_search(qdrant, 1, query, 3, 10, NULL, &points, &err), LKS_E_QDRANT_REJECTED);
    ck_assert_int_eq(qdrant_search(qdrant, 0, query, DIMENSIONS, 10, NULL, &points, &err), LKS_E_NOT_FOUND);
    int64_t count;
    ck_assert_int_eq(qdrant_count(qdrant, 1, "", &count, &err), LKS_E_OK);
    ck_assert_int_eq(count, 3);
    ck_assert_int_eq(qdrant_count(qdrant, 1, filter, &count, &err), LKS_E_OK);
    ck_assert_int_eq(count, 1);
    int version;
    ck_assert_int_eq(qdrant_ping(qdrant, &version, &err), LKS_E_OK);
    ck_assert_int_ge(version, 1000);
    end();
}
END_TEST

START_TEST(many_requests_run_beside_each_other)
{
    begin(_i);
    make_points();
    ensured(0);
    for (size_t i = 0; i < POINTS_MAX; i += 10) submit(write_req(REQ_UPSERT, i, 10, "h", 1));
    for (size_t i = 0; i < POINTS_MAX; i += 10) {
        struct req *req = queue_take(&inbox, -1);
        expect_ok(req);
        req_free(req);
    }
    ck_assert_int_eq(count_ours(0), POINTS_MAX);
    end();
}
END_TEST

/* ---- the servers ---- */

int main(void)
{
    struct stand_in stand_in;
    char stand_in_url[160];
    if (!stand_in_start(&stand_in, "qdrant", NULL)) {
        printf("Bail out! the stand-in tests/double/qdrant does not start\n");
        return EXIT_FAILURE;
    }
    snprintf(stand_in_url, sizeof stand_in_url, "http://%s", stand_in.address);
    urls[0] = stand_in_url;
    url_count = 1;
    const char *real = getenv("LOCKSTEP_TEST_QDRANT_URL");
    if (real && *real) urls[url_count++] = real;

    Suite *suite = suite_create("qdrant adapter");
    TCase *t = tcase_create("adapter");
    tcase_add_loop_test(t, ensure_makes_a_collection_behind_an_alias_once, 0, url_count);
    tcase_add_loop_test(t, ensure_that_only_looks_makes_nothing, 0, url_count);
    tcase_add_loop_test(t, ensure_takes_a_collection_that_is_there_and_fits, 0, url_count);
    tcase_add_loop_test(t, ensure_says_which_vectors_a_collection_can_hold, 0, url_count);
    tcase_add_loop_test(t, ensure_refuses_what_does_not_fit_and_says_so, 0, url_count);
    tcase_add_loop_test(t, ensures_at_the_same_time_agree, 0, url_count);
    tcase_add_loop_test(t, points_are_found_by_id_and_by_document, 0, url_count);
    tcase_add_loop_test(t, scrolling_comes_by_every_point_of_ours_in_order, 0, url_count);
    tcase_add_loop_test(t, points_of_others_are_reported_apart, 0, url_count);
    tcase_add_loop_test(t, deletes_take_what_is_there, 0, url_count);
    tcase_add_loop_test(t, an_older_epoch_does_not_overwrite_a_newer_one, 0, url_count);
    tcase_add_loop_test(t, a_point_without_an_epoch_is_taken_over, 0, url_count);
    tcase_add_loop_test(t, a_payload_changes_with_the_vector_that_is_there, 0, url_count);
    tcase_add_loop_test(t, vectors_come_for_the_first_ids_only, 0, url_count);
    tcase_add_loop_test(t, vectors_under_further_names_are_kept, 0, url_count);
    tcase_add_loop_test(t, points_with_a_higher_epoch_are_counted_and_the_highest_is_reported, 0, url_count);
    tcase_add_loop_test(t, a_poisonous_point_fails_alone, 0, url_count);
    tcase_add_loop_test(t, strict_mode_is_kept_to, 0, url_count);
    tcase_add_loop_test(t, a_dropped_collection_is_noticed_and_made_again, 0, url_count);
    tcase_add_loop_test(t, search_finds_the_nearest_first, 0, url_count);
    tcase_add_loop_test(t, many_requests_run_beside_each_other, 0, url_count);
    suite_add_tcase(suite, t);
    int status = suite_run(suite);
    stand_in_stop(&stand_in);
    return status;
}
