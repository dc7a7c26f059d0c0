/* test_qdrant_text.c - what we say to Qdrant to the letter, and what we make of what it says. */
#include <check.h>
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/float.h"
#include "qdrant/body.h"
#include "qdrant/qdrant.h"
#include "qdrant/qdrant_scan.h"
#include "qdrant/qdrant_verdict.h"
#include "qdrant/reply.h"
#include "qdrant/whole.h"
#include "suite.h"

#define ID1 "00000000-0000-5000-8000-000000000001"
#define ID2 "00000000-0000-5000-8000-000000000002"

static const struct stamp_fields stamp = {.source = "db.tools", .model = "words/\"1\""};
static const float vector[] = {0.5F, -1, 0.1F};

static struct point_write point(const char *id, const char *payload)
{
    return (struct point_write){.point_id = id,
                                .vector = vector,
                                .dimensions = 3,
                                .payload = payload,
                                .payload_bytes = strlen(payload),
                                .doc = "{\"$oid\":\"000000000000000000000001\"}",
                                .key = "fig\xff"
                                       "ma",
                                .content_hash = "c1",
                                .payload_hash = "p1",
                                .epoch = 7};
}

#define LOCKSTEP_TEXT                                                                                        \
    "\"_lockstep\":{\"source\":\"db.tools\",\"doc\":\"{\\\"$oid\\\":\\\"000000000000000000000001\\\"}\","    \
    "\"key\":\"fig\xef\xbf\xbd"                                                                              \
    "ma\",\"hash\":\"c1\",\"payload\":\"p1\",\"model\":\"words/\\\"1\\\"\",\"epoch\":7}"
#define GUARD_TEXT                                                                                           \
    "{\"should\":[{\"key\":\"_lockstep.epoch\",\"range\":{\"lte\":7}},{\"is_empty\":{\"key\":\"_lockstep."   \
    "epoch\"}}]}"

static struct buf body;

static void setup(void)
{
    buf_init(&body, 0);
}

static void teardown(void)
{
    buf_fini(&body);
}

START_TEST(an_upsert_has_ids_vectors_payloads_and_the_guard)
{
    struct point_write points[] = {point(ID1, "{\"a\":1}"), point("42", "{}")};
    ck_assert_uint_eq(body_upsert(&body, &stamp, points, 2, true, 1 << 20), 2);
    ck_assert_str_eq(body.data, "{\"points\":[{\"id\":\"" ID1
                                "\",\"vector\":[0.5,-1,0.1],\"payload\":{\"a\":1," LOCKSTEP_TEXT
                                "}},{\"id\":42,\"vector\":[0.5,-1,0.1],\"payload\":{" LOCKSTEP_TEXT
                                "}}],\"update_filter\":" GUARD_TEXT "}");
}
END_TEST

START_TEST(a_payload_says_when_it_was_written_unless_it_has_a_timestamp_of_its_own)
{
    static const char ours[] = ",\"timestamp\":\"2023-11-14T22:13:20.123Z\",\"_lockstep\":";
    static const struct {
        const char *payload;
        bool own;
    } cases[] = {
        {"{\"a\":1}", false},
        {"{\"a\":{\"timestamp\":1}}", false},
        {"{\"a\":\"\\\"timestamp\\\":1\"}", false},
        {"{\"timestamp\":\"1999\"}", true},
        {"{\"a\":[{\"timestamp\":1}],\"timestamp\":null,\"z\":1}", true},
    };
    struct stamp_fields timed = stamp;
    timed.written_ms = INT64_C(1700000000123);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct point_write points[] = {point(ID1, cases[i].payload)};
        buf_clear(&body);
        ck_assert_uint_eq(body_upsert(&body, &timed, points, 1, false, 1 << 20), 1);
        ck_assert_msg(!strstr(body.data, ours) == cases[i].own, "%s", body.data);
        buf_clear(&body);
        ck_assert_uint_eq(body_payload(&body, &timed, points, 1, true, true, 1 << 20), 1);
        ck_assert_msg(!strstr(body.data, ours) == cases[i].own, "%s", body.data);
        json_t *parsed = json_loads(body.data, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_ptr_nonnull(parsed);
        json_decref(parsed);
    }
    struct point_write empty[] = {point(ID1, "{}")};
    buf_clear(&body);
    ck_assert_uint_eq(body_upsert(&body, &timed, empty, 1, false, 1 << 20), 1);
    ck_assert_ptr_nonnull(strstr(body.data, "{\"timestamp\":\"2023-11-14T22:13:20.123Z\",\"_lockstep\":"));
}
END_TEST

START_TEST(a_timestamp_counts_only_where_the_hash_is_over_it)
{
    static const struct {
        const char *hashed, *is;
        bool same;
    } cases[] = {
        {"{\"a\":1}", "{\"a\":1,\"_lockstep\":{}}", true},
        {"{\"a\":1}", "{\"timestamp\":\"2023\",\"a\":1,\"_lockstep\":{}}", true},
        {"{\"a\":1}", "{\"timestamp\":\"2023\",\"a\":2}", false},
        {"{\"a\":1}", "{\"Timestamp\":\"2023\",\"a\":1}", false},
        {"{\"a\":1,\"timestamp\":\"1999\"}", "{\"timestamp\":\"1999\",\"a\":1}", true},
        {"{\"a\":1,\"timestamp\":\"1999\"}", "{\"timestamp\":\"2000\",\"a\":1}", false},
        {"{\"a\":1,\"timestamp\":\"1999\"}", "{\"a\":1}", false},
        {"{}", "[]", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[SHA256_HEX_BYTES];
        struct hash_span span = {cases[i].hashed, strlen(cases[i].hashed)};
        bool same;
        ck_assert(hash_sha256_hex(&span, 1, expected));
        ck_assert_int_eq(whole_is(cases[i].is, strlen(cases[i].is), expected, &same), REPLY_OK);
        ck_assert_msg(same == cases[i].same, "%s of %s", cases[i].is, cases[i].hashed);
    }
}
END_TEST

START_TEST(higher_epochs_are_asked_for_with_and_without_our_own)
{
    body_epoch_filter(&body, "db.c", 5, 5);
    ck_assert_str_eq(body.data, "{\"must\":[{\"key\":\"_lockstep.source\",\"match\":{\"value\":\"db.c\"}},"
                                "{\"key\":\"_lockstep.epoch\",\"range\":{\"gt\":5}}]}");
    buf_clear(&body);
    body_epoch_filter(&body, "db.c", 5, 8);
    ck_assert_ptr_nonnull(
        strstr(body.data, ",\"must_not\":[{\"key\":\"_lockstep.epoch\",\"match\":{\"value\":8}}]}"));
    buf_clear(&body);
    body_highest_epoch(&body, "{}");
    json_t *parsed = json_loads(body.data, 0, NULL);
    ck_assert_ptr_nonnull(parsed);
    json_decref(parsed);
}
END_TEST

START_TEST(the_highest_epoch_is_the_order_value_of_the_first_point)
{
    static const struct {
        const char *text;
        enum reply_state state;
        uint64_t highest;
    } cases[] = {
        {"{\"points\":[{\"id\":1,\"payload\":{},\"order_value\":15},{\"id\":2,\"order_value\":14}]}",
         REPLY_OK, 15},
        {"{\"points\":[],\"next_page_offset\":null}", REPLY_OK, 0},
        {"{\"points\":[{\"id\":1,\"order_value\":1e300}]}", REPLY_OK, UINT64_MAX},
        {"{\"points\":[{\"id\":1,\"order_value\":-3}]}", REPLY_OK, UINT64_MAX},
        {"{\"points\":[{\"id\":1}]}", REPLY_BROKEN, 0},
        {"{\"points\":7}", REPLY_BROKEN, 0},
        {"[]", REPLY_BROKEN, 0},
        {"{\"points\":[{\"order_value\":1}", REPLY_BROKEN, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t highest;
        struct slice result = {cases[i].text, strlen(cases[i].text)};
        ck_assert_int_eq(reply_highest(result, &highest), cases[i].state);
        ck_assert_uint_eq(highest, cases[i].highest);
    }
}
END_TEST

START_TEST(an_unguarded_upsert_has_no_condition)
{
    struct point_write points[] = {point(ID1, "{}")};
    ck_assert_uint_eq(body_upsert(&body, &stamp, points, 1, false, 1 << 20), 1);
    ck_assert_str_eq(body.data, "{\"points\":[{\"id\":\"" ID1
                                "\",\"vector\":[0.5,-1,0.1],\"payload\":{" LOCKSTEP_TEXT "}}]}");
}
END_TEST

START_TEST(a_body_stops_at_its_size_but_takes_one_point_always)
{
    struct point_write points[] = {point(ID1, "{\"a\":1}"), point(ID2, "{}"), point(ID2, "{}")};
    size_t n = body_upsert(&body, &stamp, points, 3, false, 10);
    ck_assert_uint_eq(n, 1);
    ck_assert_ptr_null(strstr(body.data, ID2));
    ck_assert_str_eq(body.data + body.bytes - 4, "}}]}");
    size_t one = body.bytes;
    buf_clear(&body);
    ck_assert_uint_eq(body_upsert(&body, &stamp, points, 3, false, 2 * one), 2);
    buf_clear(&body);
    ck_assert_uint_eq(body_payload(&body, &stamp, points, 3, false, true, 10), 1);
    json_t *parsed = json_loads(body.data, 0, NULL);
    ck_assert_ptr_nonnull(parsed);
    json_decref(parsed);
}
END_TEST

START_TEST(payloads_are_overwritten_by_filter_one_operation_each)
{
    struct point_write points[] = {point(ID1, "{\"a\":1}"), point(ID2, "{}")};
    ck_assert_uint_eq(body_payload(&body, &stamp, points, 1, true, true, 1 << 20), 1);
    ck_assert_str_eq(body.data, "{\"operations\":[{\"overwrite_payload\":{\"payload\":{\"a\":1," LOCKSTEP_TEXT
                                "},\"filter\":{\"must\":[{\"has_id\":[\"" ID1 "\"]}," GUARD_TEXT "]}}}]}");
    buf_clear(&body);
    ck_assert_uint_eq(body_payload(&body, &stamp, points + 1, 1, false, true, 1 << 20), 1);
    ck_assert_str_eq(body.data, "{\"operations\":[{\"overwrite_payload\":{\"payload\":{" LOCKSTEP_TEXT
                                "},\"filter\":{\"must\":[{\"has_id\":[\"" ID2 "\"]}]}}}]}");
    buf_clear(&body);
    ck_assert_uint_eq(body_payload(&body, &stamp, points, 1, true, false, 1 << 20), 1);
    ck_assert_ptr_nonnull(strstr(body.data, "\"hash\":\"\",\"payload\":\""));
}
END_TEST

START_TEST(vectors_alone_are_written_guarded)
{
    struct point_write points[] = {point(ID1, "{\"a\":1}"), point("42", "{}")};
    ck_assert_uint_eq(body_vectors(&body, points, 2, true, 1 << 20), 2);
    ck_assert_str_eq(body.data, "{\"points\":[{\"id\":\"" ID1 "\",\"vector\":[0.5,-1,0.1]},"
                                "{\"id\":42,\"vector\":[0.5,-1,0.1]}],\"update_filter\":" GUARD_TEXT "}");
    buf_clear(&body);
    ck_assert_uint_eq(body_vectors(&body, points, 2, false, 10), 1);
    ck_assert_str_eq(body.data, "{\"points\":[{\"id\":\"" ID1 "\",\"vector\":[0.5,-1,0.1]}]}");
}
END_TEST

/* What a retrieve says of a point's vectors. */
static const struct {
    const char *vector;
    size_t dimensions; /* 0: none that can be used */
    bool further;
} reported[] = {
    {"[1,-0.5,3e-3]", 3, false},
    {"[0.100000001490116119384765625, 2 ,0.00000000000000000000000000001]", 3, false},
    {"[1,null,2]", 0, false},
    {"[null,1,2]", 0, false},
    {"[1,2,\"3\"]", 0, false},
    {"[1,1e60,2]", 0, false},
    {"[[1,2],[3,4]]", 0, false},
    {"[]", 0, false},
    {"{}", 0, false},
    {"null", 0, false},
    {"{\"\":[1,2],\"image\":[3]}", 2, true},
    {"{\"bm25\":{\"indices\":[1],\"values\":[0.5]},\"\":[1,2,3]}", 3, true},
    {"{\"image\":[3]}", 0, true},
};

START_TEST(vectors_of_points_are_read)
{
    static const char *const pieces[] = {
        "\"payload\":{\"_lockstep\":{\"source\":\"db.tools\",\"doc\":\"d\"}}", ""};
    struct stamps list = {0};
    char text[512];
    for (int first = 0; first < 2; first++) { /* the vector before the payload, and behind it */
        snprintf(text, sizeof text, "[{\"id\":\"" ID1 "\",%s%s\"vector\":%s%s%s}]", first ? "" : pieces[0],
                 first ? "" : ",", reported[_i].vector, first ? "," : "", first ? pieces[0] : "");
        ck_assert_int_eq(reply_stamps((struct slice){text, strlen(text)}, "db.tools", &list, NULL), REPLY_OK);
        ck_assert_uint_eq(list.count, 1);
        ck_assert(list.items[0].ours);
        ck_assert_uint_eq(list.items[0].dimensions, reported[_i].dimensions);
        ck_assert(!list.items[0].vector == !reported[_i].dimensions);
        ck_assert(list.items[0].further == reported[_i].further);
        stamps_fini(&list);
    }
}
END_TEST

/* Every float must come back as it was, through our own printing too. */
START_TEST(floats_are_read_to_the_bit)
{
    uint32_t bits = 12345;
    for (int i = 0; i < 20000; i++) {
        float value, again;
        char text[40];
        bits = bits * 1664525u + 1013904223u;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        for (int way = 0; way < 2; way++) {
            size_t n =
                way ? (size_t)snprintf(text, sizeof text, "%.9g", (double)value) : float_print(text, value);
            text[n++] = ']';
            struct scan s;
            scan_init(&s, text, n);
            ck_assert(scan_float(&s, &again));
            ck_assert_mem_eq(&again, &value, sizeof value);
            ck_assert_ptr_eq(s.at, text + n - 1);
        }
    }
}
END_TEST

static const struct {
    const char *params;
    bool single, further;
    uint64_t size;
} shapes[] = {
    {"{\"vectors\":{\"size\":4,\"distance\":\"Cosine\",\"hnsw_config\":{\"m\":4}}}", true, false, 4},
    {"{\"vectors\":{\"\":{\"size\":4,\"distance\":\"Cosine\"}}}", true, false, 4},
    {"{\"vectors\":{\"image\":{\"size\":2,\"distance\":\"Dot\"},\"\":{\"size\":4,\"distance\":\"Cosine\"}}}",
     true, true, 4},
    {"{\"vectors\":{\"image\":{\"size\":2,\"distance\":\"Dot\"}}}", false, true, 0},
    {"{\"vectors\":{\"size\":{\"size\":2,\"distance\":\"Dot\"}}}", false, true, 0},
    {"{\"sparse_vectors\":{\"bm25\":{\"modifier\":\"idf\"}},\"vectors\":{\"size\":4,\"distance\":\"Cosine\"}"
     "}",
     true, true, 4},
    {"{\"vectors\":{\"size\":4,\"distance\":\"Cosine\"},\"sparse_vectors\":{}}", true, false, 4},
};

START_TEST(vectors_of_a_collection_are_known)
{
    struct reply_info info;
    char text[400];
    snprintf(text, sizeof text, "{\"config\":{\"params\":%s}}", shapes[_i].params);
    ck_assert_int_eq(reply_info((struct slice){text, strlen(text)}, &info), REPLY_OK);
    ck_assert(info.single == shapes[_i].single);
    ck_assert(info.further == shapes[_i].further);
    ck_assert_uint_eq(info.size, shapes[_i].size);
}
END_TEST

START_TEST(reads_say_what_they_want)
{
    const char *const ids[] = {ID1, "7"};
    const char *const docs[] = {"\"a\"", "{\"$numberInt\":\"1\"}"};
    body_retrieve(&body, ids, 2, "[\"_lockstep\"]", false);
    ck_assert_str_eq(body.data,
                     "{\"ids\":[\"" ID1 "\",7],\"with_payload\":[\"_lockstep\"],\"with_vector\":false}");
    buf_clear(&body);
    body_delete(&body, ids, 2);
    ck_assert_str_eq(body.data, "{\"points\":[\"" ID1 "\",7]}");
    buf_clear(&body);
    body_scroll(&body, "db.tools", docs, 2, ID2, 10);
    ck_assert_str_eq(
        body.data,
        "{\"filter\":{\"must\":[{\"key\":\"_lockstep.source\",\"match\":{\"value\":\"db.tools\"}},"
        "{\"key\":\"_lockstep.doc\",\"match\":{\"any\":[\"\\\"a\\\"\",\"{\\\"$numberInt\\\":\\\"1\\\"}\","
        /* as earlier versions wrote it */
        "\"{\\\"$numberLong\\\":\\\"1\\\"}\",\"{\\\"$numberDouble\\\":\\\"1.0\\\"}\"]}}]}"
        ","
        "\"limit\":10,\"offset\":\"" ID2 "\",\"with_payload\":[\"_lockstep\"],\"with_vector\":false}");
    buf_clear(&body);
    body_scroll(&body, "db.tools", NULL, 0, "", 3);
    ck_assert_str_eq(
        body.data,
        "{\"filter\":{\"must\":[{\"key\":\"_lockstep.source\",\"match\":{\"value\":\"db.tools\"}}]},"
        "\"limit\":3,\"with_payload\":[\"_lockstep\"],\"with_vector\":false}");
    buf_clear(&body);
    body_count(&body, "{}");
    ck_assert_str_eq(body.data, "{\"filter\":{},\"exact\":true}");
    buf_clear(&body);
    body_query(&body, vector, 3, 5, NULL);
    ck_assert_str_eq(body.data, "{\"query\":[0.5,-1,0.1],\"limit\":5,\"with_payload\":true}");
}
END_TEST

/* ---- replies ---- */

static struct slice text_slice(const char *text)
{
    return (struct slice){text, strlen(text)};
}

START_TEST(witnesses_are_ours_only_with_source_and_document)
{
    static const char result[] =
        "{\"points\":["
        "{\"id\":\"" ID1
        "\",\"payload\":{\"_lockstep\":{\"source\":\"s.t\",\"doc\":\"{\\\"$oid\\\":\\\"01\\\"}\","
        "\"key\":\"f\\u00e9\\ud83d\\ude00\",\"hash\":\"h1\",\"payload\":\"p1\",\"model\":\"m\",\"epoch\":12}}"
        "},"
        "{\"id\":42,\"payload\":{}},"
        "{\"id\":\"" ID2
        "\",\"payload\":{\"_lockstep\":{\"source\":\"other\",\"doc\":\"1\",\"hash\":\"x\"}}},"
        "{\"id\":\"a\",\"payload\":{\"_lockstep\":[1,{\"source\":\"s.t\"}]}},"
        "{\"id\":\"b\",\"payload\":{\"_lockstep\":{\"source\":\"s.t\",\"doc\":5}}},"
        "{\"id\":\"c\",\"payload\":{\"_lockstep\":{\"source\":\"s.t\",\"doc\":\"a\\u0000b\"}}},"
        "{\"id\":\"d\",\"payload\":{\"_lockstep\":{\"big\":18446744073709551616,\"n\":NaN,\"z\":\"\\u0000\","
        "\"source\":\"s.t\",\"doc\":\"1\",\"hash\":7,\"epoch\":\"7\"}}},"
        "{\"id\":\"e\"}"
        "],\"next_page_offset\":\"" ID2 "\"}";
    struct stamps list = {0};
    char next[POINT_ID_BYTES];
    ck_assert_int_eq(reply_stamps(text_slice(result), "s.t", &list, next), REPLY_OK);
    ck_assert_uint_eq(list.count, 8);
    ck_assert_str_eq(next, ID2);
    const struct stamp *w = &list.items[0];
    ck_assert(w->ours && !w->foreign);
    ck_assert_str_eq(w->point_id, ID1);
    ck_assert_str_eq(w->doc, "{\"$oid\":\"01\"}");
    ck_assert_str_eq(w->key, "f\xc3\xa9\xf0\x9f\x98\x80");
    ck_assert_str_eq(w->content_hash, "h1");
    ck_assert_str_eq(w->payload_hash, "p1");
    ck_assert_uint_eq(w->epoch, 12);
    ck_assert_str_eq(list.items[1].point_id, "42");
    for (int i = 1; i < 8; i++) {
        if (i == 6) continue;
        ck_assert(list.items[i].foreign && !list.items[i].ours);
        ck_assert_ptr_null(list.items[i].doc);
        ck_assert_str_eq(list.items[i].content_hash, "");
    }
    ck_assert(list.items[6].ours);
    ck_assert_str_eq(list.items[6].content_hash, "");
    ck_assert_str_eq(list.items[6].key, "");
    ck_assert_uint_eq(list.items[6].epoch, 0);
    stamps_fini(&list);
}
END_TEST

START_TEST(a_point_found_twice_is_reported_once)
{
    struct stamps list = {0};
    ck_assert_int_eq(reply_stamps(text_slice("[{\"id\":\"b\"},{\"id\":\"a\"}]"), "s", &list, NULL), REPLY_OK);
    ck_assert_int_eq(reply_stamps(text_slice("[{\"id\":\"a\"},{\"id\":\"c\"}]"), "s", &list, NULL), REPLY_OK);
    stamps_unique(&list);
    ck_assert_uint_eq(list.count, 3);
    for (size_t i = 0; i < 3; i++) ck_assert_int_eq(list.items[i].point_id[0], "abc"[i]);
    stamps_fini(&list);
}
END_TEST

static const char *const nonsense[] = {"",
                                       "7",
                                       "\"points\"",
                                       "{}",
                                       "{\"points\":7}",
                                       "[7]",
                                       "[{}]",
                                       "[{\"id\":",
                                       "[{\"id\":\"",
                                       "{\"points\":[}",
                                       "[[[[[[[[",
                                       "{\"a\" 1}",
                                       "[{\"id\":\"x\\",
                                       "[{\"id\":\"x\\u12",
                                       "]"};

START_TEST(nonsense_is_no_reply)
{
    struct stamps list = {0};
    struct reply_info info;
    int64_t count;
    char next[POINT_ID_BYTES];
    ck_assert_int_eq(reply_stamps(text_slice(nonsense[_i]), "s", &list, next), REPLY_BROKEN);
    ck_assert_int_eq(reply_count(text_slice(nonsense[_i]), &count), REPLY_BROKEN);
    ck_assert_int_eq(reply_info(text_slice(nonsense[_i]), &info), REPLY_BROKEN);
    ck_assert_int_eq(reply_version(nonsense[_i], strlen(nonsense[_i])), 0);
    ck_assert_ptr_null(reply_alias_target(text_slice(nonsense[_i]), "x"));
    stamps_fini(&list);
}
END_TEST

START_TEST(collections_are_described)
{
    struct reply_info info;
    ck_assert_int_eq(
        reply_info(
            text_slice(
                "{\"status\":\"green\",\"points_count\":3,\"config\":{\"params\":{\"vectors\":{\"size\":4,"
                "\"distance\":\"Cosine\"},\"shard_number\":1}},\"payload_schema\":{\"_lockstep.epoch\":"
                "{\"data_type\":\"integer\",\"points\":0},\"_lockstep.doc\":{\"data_type\":\"text\"}}}"),
            &info),
        REPLY_OK);
    ck_assert(info.single && !info.multivector);
    ck_assert_uint_eq(info.size, 4);
    ck_assert_str_eq(info.distance, "Cosine");
    ck_assert_uint_eq(info.points, 3);
    ck_assert(!info.indexed[0] && !info.indexed[1] && !info.indexed[2] && info.indexed[3]);
    ck_assert_int_eq(reply_info(text_slice("{\"config\":{\"params\":{\"vectors\":{}}}}"), &info), REPLY_OK);
    ck_assert(!info.single);
    ck_assert_int_eq(
        reply_info(
            text_slice(
                "{\"config\":{\"params\":{\"vectors\":{\"size\":{\"size\":4,\"distance\":\"Dot\"}}}}}"),
            &info),
        REPLY_OK);
    ck_assert(!info.single);
}
END_TEST

struct version {
    const char *body;
    int version;
};
static const struct version versions[] = {
    {"{\"title\":\"qdrant - vector search engine\",\"version\":\"1.18.3\"}", 1018},
    {"{\"version\":\"1.16.0-dev\"}", 1016},
    {"{\"version\":\"2.0\"}", 2000},
    {"{\"version\":\"dev\"}", 0},
    {"{\"version\":\"1.x\"}", 0},
    {"{\"version\":16}", 0},
    {"<html>", 0},
};

START_TEST(versions_are_read)
{
    ck_assert_int_eq(reply_version(versions[_i].body, strlen(versions[_i].body)), versions[_i].version);
}
END_TEST

/* ---- verdicts ---- */

struct judged {
    enum http_failure failure;
    bool sent;
    int status;
    const char *reply;
    enum lks_code code;
    bool unknown, content;
};
static const struct judged judged[] = {
    {HTTP_CONNECT, false, 0, "", LKS_E_QDRANT_UNAVAILABLE, false, false},
    {HTTP_TLS, false, 0, "", LKS_E_QDRANT_UNAVAILABLE, false, false},
    {HTTP_TIMEOUT, false, 0, "", LKS_E_QDRANT_TIMEOUT, false, false},
    {HTTP_TIMEOUT, true, 0, "", LKS_E_QDRANT_TIMEOUT, true, false},
    {HTTP_CUT, true, 200, "{\"resu", LKS_E_QDRANT_UNAVAILABLE, true, false},
    {HTTP_BAD_CALL, false, 0, "", LKS_E_QDRANT_REJECTED, false, false},
    {HTTP_TOO_LARGE, true, 200, "", LKS_E_QDRANT_REJECTED, true, false},
    {HTTP_CANCELLED, true, 0, "", LKS_E_CANCELLED, true, false},
    /* what Qdrant 1.18 was heard to say */
    {HTTP_OK, true, 200, "{\"result\":true,\"status\":\"ok\",\"time\":0.02823624}", LKS_E_OK, false, false},
    {HTTP_OK, true, 200, "{\"result\":false,\"status\":\"ok\",\"time\":0.00009436}", LKS_E_OK, false, false},
    {HTTP_OK, true, 400,
     "{\"status\":{\"error\":\"Wrong input: Vector dimension error: expected dim: 4, got "
     "1\"},\"time\":0.000017436}",
     LKS_E_QDRANT_REJECTED, false, true},
    {HTTP_OK, true, 400,
     "{\"status\":{\"error\":\"JSON payload (35651680 bytes) is larger than allowed (limit: 33554432 "
     "bytes).\"},"
     "\"time\":0}",
     LKS_E_QDRANT_REJECTED, false, true},
    {HTTP_OK, true, 422,
     "{\"status\":{\"error\":\"Validation error in JSON body: [scroll_request.limit: value 0 invalid, must "
     "be 1 or "
     "larger]\"},\"time\":0}",
     LKS_E_QDRANT_REJECTED, false, true},
    {HTTP_OK, true, 404,
     "{\"status\":{\"error\":\"Not found: Collection `missing` doesn't exist!\"},\"time\":0.000017}",
     LKS_E_NOT_FOUND, false, false},
    {HTTP_OK, true, 404,
     "{\"status\":{\"error\":\"Not found: No point with id 00000000-0000-5000-8000-000000000099 "
     "found\"},\"time\":0}",
     LKS_E_QDRANT_REJECTED, false, false},
    {HTTP_OK, true, 404, "", LKS_E_QDRANT_UNAVAILABLE, false, false},
    {HTTP_OK, true, 404, "<html>default backend</html>", LKS_E_QDRANT_UNAVAILABLE, false, false},
    {HTTP_OK, true, 401, "Must provide an API key or an Authorization bearer token", LKS_E_QDRANT_UNAVAILABLE,
     false, false},
    {HTTP_OK, true, 403,
     "{\"status\":{\"error\":\"Forbidden: Global manage access is required\"},\"time\":0.000016064}",
     LKS_E_QDRANT_UNAVAILABLE, false, false},
    {HTTP_OK, true, 402, "pay", LKS_E_QDRANT_UNAVAILABLE, false, false},
    {HTTP_OK, true, 405, "", LKS_E_QDRANT_UNAVAILABLE, false, false},
    {HTTP_OK, true, 407, "<html>", LKS_E_QDRANT_UNAVAILABLE, false, false},
    {HTTP_OK, true, 451, "<html>", LKS_E_QDRANT_UNAVAILABLE, false, false},
    {HTTP_OK, true, 409,
     "{\"status\":{\"error\":\"Wrong input: Collection `c` already exists!\"},\"time\":0.000046349}",
     LKS_E_QDRANT_REJECTED, false, false},
    {HTTP_OK, true, 408, "{\"status\":{\"error\":\"Timeout error\"}}", LKS_E_QDRANT_TIMEOUT, true, false},
    {HTTP_OK, true, 413, "<html>too large</html>", LKS_E_QDRANT_REJECTED, false, true},
    {HTTP_OK, true, 429, "{\"status\":{\"error\":\"Rate limiting exceeded\"}}", LKS_E_QDRANT_UNAVAILABLE,
     false, false},
    {HTTP_OK, true, 500, "{\"status\":{\"error\":\"Service internal error: No space left on device\"}}",
     LKS_E_QDRANT_UNAVAILABLE, true, false},
    {HTTP_OK, true, 502, "<html>", LKS_E_QDRANT_UNAVAILABLE, true, false},
    {HTTP_OK, true, 503, "", LKS_E_QDRANT_UNAVAILABLE, true, false},
    {HTTP_OK, true, 504, "<html>", LKS_E_QDRANT_TIMEOUT, true, false},
    {HTTP_OK, true, 507, "{\"status\":{\"error\":\"quota\"}}", LKS_E_QDRANT_UNAVAILABLE, false, false},
    /* what isn't Qdrant */
    {HTTP_OK, true, 200, "<html>welcome</html>", LKS_E_QDRANT_UNAVAILABLE, true, false},
    {HTTP_OK, true, 200, "", LKS_E_QDRANT_UNAVAILABLE, true, false},
    {HTTP_OK, true, 200, "{\"result\":{\"status\":\"compl", LKS_E_QDRANT_UNAVAILABLE, true, false},
    {HTTP_OK, true, 200, "{\"result\":true}", LKS_E_QDRANT_UNAVAILABLE, true, false},
    {HTTP_OK, true, 200, "{\"status\":\"ok\"}", LKS_E_QDRANT_UNAVAILABLE, true, false},
    {HTTP_OK, true, 200, "{\"status\":{\"error\":\"no\"},\"result\":1}", LKS_E_QDRANT_UNAVAILABLE, true,
     false},
    {HTTP_OK, true, 302, "", LKS_E_QDRANT_UNAVAILABLE, false, false},
};

START_TEST(every_outcome_has_its_verdict)
{
    const struct judged *j = &judged[_i];
    struct http_call call = {
        .failure = j->failure, .sent = j->sent, .status = j->status, .retry_after_ms = 1500};
    struct qdrant_verdict v;
    buf_puts(&call.reply, j->reply);
    snprintf(call.error, sizeof call.error, "PUT http://h/collections/c: it failed");
    verdict_read(&v, &call, "upsert into \"c\"", "secret");
    ck_assert_int_eq(v.code, j->code);
    ck_assert_int_eq(v.unknown, j->unknown);
    ck_assert_int_eq(v.content, j->content);
    bool key = j->status == 401 || j->status == 403 || j->status == 407;
    bool provider = j->status == 402 || j->status == 405 || j->status == 451 || j->status == 507 ||
                    j->status == 302 || (j->status == 404 && *j->reply != '{');
    if (!j->failure)
        ck_assert_int_eq(v.err.blame, key ? LKS_BLAME_KEY : provider ? LKS_BLAME_PROVIDER : LKS_BLAME_OPEN);
    if (v.code) {
        ck_assert_int_eq(v.err.code, v.code);
        ck_assert_int_eq(v.err.retry_after_ms, 1500);
        ck_assert_ptr_nonnull(strstr(v.err.text, "upsert into \"c\": "));
    }
    buf_fini(&call.reply);
}
END_TEST

START_TEST(a_refusal_keeps_the_servers_words_but_no_secret)
{
    struct http_call call = {.status = 403, .sent = true};
    struct qdrant_verdict v;
    buf_puts(&call.reply, "{\"status\":{\"error\":\"key s3cr3t\\nis \\u00e9 wrong\"}}");
    verdict_read(&v, &call, "look", "s3cr3t");
    ck_assert_str_eq(v.err.text,
                     "look: HTTP 403 key *** is \xc3\xa9 wrong: the server refuses the key or what it may "
                     "do, check `api_key` or `api_key_file` in [qdrant]");
    buf_fini(&call.reply);
}
END_TEST

START_TEST(limits_of_strict_mode_are_learned)
{
    struct http_call call = {.status = 400, .sent = true};
    struct qdrant_verdict v;
    buf_puts(&call.reply,
             "{\"status\":{\"error\":\"Bad request: Limit exceeded 3 > 2 for \\\"upsert limit\\\". Help: "
             "Reduce the \\\"upsert limit\\\" parameter to or below 2.\"},\"time\":0.000025508}");
    verdict_read(&v, &call, "upsert", NULL);
    ck_assert_uint_eq(v.limit, 2);
    ck_assert(v.content);
    buf_fini(&call.reply);
}
END_TEST

struct operations {
    const char *result;
    size_t expected;
    enum lks_code code;
};
static const struct operations operations[] = {
    {"{\"operation_id\":7,\"status\":\"completed\"}", 0, LKS_E_OK},
    {"[{\"operation_id\":10,\"status\":\"completed\"},{\"operation_id\":11,\"status\":\"completed\"}]", 2,
     LKS_E_OK},
    {"[{\"operation_id\":10,\"status\":\"completed\"}]", 2, LKS_E_QDRANT_UNAVAILABLE},
    {"{\"operation_id\":7,\"status\":\"acknowledged\"}", 0, LKS_E_QDRANT_TIMEOUT},
    {"{\"operation_id\":7,\"status\":\"wait_timeout\"}", 0, LKS_E_QDRANT_TIMEOUT},
    {"[{\"operation_id\":1,\"status\":\"completed\"},{\"operation_id\":2,\"status\":\"wait_timeout\"}]", 2,
     LKS_E_QDRANT_TIMEOUT},
    {"{\"operation_id\":7}", 0, LKS_E_QDRANT_UNAVAILABLE},
    {"true", 0, LKS_E_QDRANT_UNAVAILABLE},
    {"{\"status\":\"odd\"}", 0, LKS_E_QDRANT_UNAVAILABLE},
    {"[{\"status\":\"completed\"}]", 0, LKS_E_QDRANT_UNAVAILABLE},
    {"{\"operation_id\":7,\"status\":\"completed\"}", 1, LKS_E_QDRANT_UNAVAILABLE},
};

START_TEST(only_completed_is_done)
{
    struct qdrant_verdict v = {.result = text_slice(operations[_i].result)};
    if (operations[_i].expected)
        verdict_operations(&v, operations[_i].expected, "batch");
    else
        verdict_operation(&v, "upsert");
    ck_assert_int_eq(v.code, operations[_i].code);
    ck_assert_int_eq(v.unknown, operations[_i].code != LKS_E_OK);
}
END_TEST

/* Each reply of the recordings: an error if and only if its status says so, and a doubt only where a
 * cluster failed: what it refused may be written on some replicas. */
static void judge_recorded(const char *path, int *count)
{
    char *line = NULL;
    size_t capacity = 0;
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    while (getline(&line, &capacity, file) > 0) {
        json_t *step = json_loads(line, JSON_ALLOW_NUL, NULL);
        json_t *response = json_object_get(step, "response");
        long status = (long)json_integer_value(json_object_get(step, "status"));
        if (response && json_object_get(response, "status")) {
            char *text = json_dumps(response, JSON_ENCODE_ANY);
            struct http_call call = {.status = status, .sent = true};
            struct qdrant_verdict v;
            buf_puts(&call.reply, text);
            verdict_read(&v, &call, "recorded", NULL);
            ck_assert_msg((v.code == LKS_E_OK) == (status == 200), "%s", line);
            ck_assert_msg(v.unknown == (status == 500), "%s", line);
            ck_assert_msg(v.content == (status == 400 || status == 422), "%s", line);
            (*count)++;
            buf_fini(&call.reply);
            free(text);
        }
        json_decref(step);
    }
    free(line);
    fclose(file);
}

START_TEST(recorded_replies_are_understood)
{
    char folder[1024], path[2048];
    int count = 0;
    const char *top = getenv("top_srcdir");
    snprintf(folder, sizeof folder, "%s/tests/data/golden/qdrant-1.18", top ? top : ".");
    DIR *dir = opendir(folder);
    ck_assert_msg(dir != NULL, "%s", folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t n = strlen(entry->d_name);
        if (n < 6 || strcmp(entry->d_name + n - 6, ".jsonl") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        judge_recorded(path, &count);
    }
    closedir(dir);
    ck_assert_int_gt(count, 150);
}
END_TEST

/* Reads `text` as everything it could be; nothing is expected but that it ends well. */
static void read_as_anything(const char *text, size_t bytes)
{
    struct http_call call = {.status = 200, .sent = true};
    struct qdrant_verdict v;
    struct stamps list = {0};
    struct reply_info info;
    int64_t count;
    char next[POINT_ID_BYTES];
    buf_put(&call.reply, text, bytes);
    verdict_read(&v, &call, "garbled", "secret");
    struct slice result = v.code ? (struct slice){text, bytes} : v.result;
    if (!v.code) verdict_operation(&v, "garbled");
    if (reply_stamps(result, "s.t", &list, next) == REPLY_OK) {
        stamps_unique(&list);
        for (size_t i = 0; i < list.count; i++)
            if (list.items[i].ours == list.items[i].foreign)
                ck_abort_msg("neither ours nor foreign: %s", text);
    }
    reply_count(result, &count);
    reply_info(result, &info);
    reply_version(text, bytes);
    free(reply_alias_target(result, "live"));
    stamps_fini(&list);
    buf_fini(&call.reply);
}

static const char *const samples[] = {
    "{\"result\":{\"points\":[{\"id\":\"" ID1
    "\",\"payload\":{\"_lockstep\":{\"source\":\"s.t\",\"doc\":\"\\u00e9"
    "\\ud83d\\ude00\",\"key\":\"k\",\"hash\":\"h1\",\"payload\":\"p\",\"epoch\":1}}}],\"next_page_offset\":"
    "\"" ID2 "\"},\"status\":\"ok\",\"time\":0.1}",
    "{\"result\":{\"aliases\":[{\"alias_name\":\"live\",\"collection_name\":\"d\"}]},\"status\":\"ok\","
    "\"time\":0}",
    "{\"result\":{\"status\":\"green\",\"config\":{\"params\":{\"vectors\":{\"size\":4,\"distance\":"
    "\"Cosine\"}}},"
    "\"payload_schema\":{\"_lockstep.doc\":{\"data_type\":\"keyword\"}}},\"status\":\"ok\"}",
    "{\"result\":[{\"operation_id\":1,\"status\":\"completed\"}],\"status\":\"ok\",\"time\":1e-3}",
    "{\"title\":\"qdrant\",\"version\":\"1.18.3\"}",
};

START_TEST(garbled_replies_are_survived)
{
    static const char odd[] = "\"\\{}[],:u0e-. \n\t\xff\x80";
    const char *sample = samples[_i];
    size_t bytes = strlen(sample);
    uint64_t state = 0x9e3779b97f4a7c15u + (uint64_t)_i;
    char *text = calloc(1, bytes + 1);
    for (size_t cut = 0; cut <= bytes; cut++) {
        memcpy(text, sample, cut);
        read_as_anything(text, cut);
    }
    for (int round = 0; round < 5000; round++) {
        memcpy(text, sample, bytes);
        for (int i = 0; i < 1 + round % 4; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            text[(state >> 33) % bytes] = odd[(state >> 20) % sizeof odd];
        }
        read_as_anything(text, bytes);
    }
    free(text);
}
END_TEST

#define TABLE(t, test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

START_TEST(a_place_has_one_spelling_and_no_credentials)
{
    static const char *const cases[][2] = {
        {"http://127.0.0.1:6333", "http://127.0.0.1:6333/collections/t"},
        {"HTTP://Qdrant.Example:80/", "http://qdrant.example/collections/t"},
        {"https://qdrant.example:443/A/b//", "https://qdrant.example/A/b/collections/t"},
        {"https://qdrant.example:4430", "https://qdrant.example:4430/collections/t"},
        {"http://user:pa%40ss@host:6333", "http://host:6333/collections/t"},
        {"http://user:p@ss@host/x?key=1", "http://host/x/collections/t"},
        {"http://[::1]:6333", "http://[::1]:6333/collections/t"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *place = qdrant_place(cases[i][0], "t");
        ck_assert_str_eq(place, cases[i][1]);
        free(place);
    }
}
END_TEST
int main(void)
{
    Suite *suite = suite_create("qdrant text");
    TCase *t = tcase_create("bodies");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_upsert_has_ids_vectors_payloads_and_the_guard);
    tcase_add_test(t, a_payload_says_when_it_was_written_unless_it_has_a_timestamp_of_its_own);
    tcase_add_test(t, a_timestamp_counts_only_where_the_hash_is_over_it);
    tcase_add_test(t, an_unguarded_upsert_has_no_condition);
    tcase_add_test(t, higher_epochs_are_asked_for_with_and_without_our_own);
    tcase_add_test(t, the_highest_epoch_is_the_order_value_of_the_first_point);
    tcase_add_test(t, a_body_stops_at_its_size_but_takes_one_point_always);
    tcase_add_test(t, payloads_are_overwritten_by_filter_one_operation_each);
    tcase_add_test(t, vectors_alone_are_written_guarded);
    tcase_add_loop_test(t, vectors_of_points_are_read, 0, (int)(sizeof reported / sizeof *reported));
    tcase_add_test(t, floats_are_read_to_the_bit);
    tcase_add_loop_test(t, vectors_of_a_collection_are_known, 0, (int)(sizeof shapes / sizeof *shapes));
    tcase_add_test(t, reads_say_what_they_want);
    tcase_add_test(t, a_place_has_one_spelling_and_no_credentials);
    suite_add_tcase(suite, t);
    TCase *replies = tcase_create("replies");
    tcase_add_test(replies, witnesses_are_ours_only_with_source_and_document);
    tcase_add_test(replies, a_point_found_twice_is_reported_once);
    TABLE(replies, nonsense_is_no_reply, nonsense);
    tcase_add_test(replies, collections_are_described);
    TABLE(replies, versions_are_read, versions);
    TABLE(replies, garbled_replies_are_survived, samples);
    suite_add_tcase(suite, replies);
    TCase *verdicts = tcase_create("verdicts");
    TABLE(verdicts, every_outcome_has_its_verdict, judged);
    tcase_add_test(verdicts, a_refusal_keeps_the_servers_words_but_no_secret);
    tcase_add_test(verdicts, limits_of_strict_mode_are_learned);
    TABLE(verdicts, only_completed_is_done, operations);
    tcase_add_test(verdicts, recorded_replies_are_understood);
    suite_add_tcase(suite, verdicts);
    return suite_run(suite);
}
