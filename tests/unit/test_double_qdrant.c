/*
 * test_double_qdrant.c - the Qdrant stand-in beyond what the recordings show: filters against a plain scan,
 * the order of ids, payload paths, faults, counters, and data kept over a restart.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qdrant_http/journal.h"
#include "qdrant_http/server.h"
#include "suite.h"

static struct server *server;
static struct pool arena;
static struct response response;

static void setup(void)
{
    server = server_new("1.18.3");
    pool_init(&arena);
    response_init(&response);
}

static void teardown(void)
{
    response_fini(&response);
    pool_fini(&arena);
    server_free(server);
}

/* Sends one request; the answer's text. */
static const char *ask(const char *method, const char *target, const char *body)
{
    const struct request request = {
        .method = method, .target = target, .body = body, .body_bytes = strlen(body)};

    response_fini(&response);
    server_handle(server, &request, &response);
    return response.body.data ? response.body.data : "";
}

static struct json parsed(void)
{
    struct json v;
    struct json_error err;

    ck_assert_msg(json_parse(&arena, response.body.data, response.body.bytes, &v, &err), "%s: %s", err.text,
                  response.body.data);
    return v;
}

static struct json result_of(const char *method, const char *target, const char *body)
{
    struct json v;

    ask(method, target, body);
    ck_assert_msg(response.status == 200, "%s %s: %d %s", method, target, response.status,
                  response.body.data);
    v = parsed();
    ck_assert_ptr_nonnull(json_get(&v, "result"));
    return *json_get(&v, "result");
}

static void ok(const char *method, const char *target, const char *body)
{
    result_of(method, target, body);
}

/* The payload of a point as text. */
static const char *payload_of(const char *target)
{
    struct json point = result_of("GET", target, "");
    struct buf out;
    char *text;

    buf_init(&out, 0);
    json_write(&out, json_get(&point, "payload"));
    text = pool_text(&arena, out.data, out.bytes);
    buf_fini(&out);
    return text;
}

static int64_t count_of(const char *filter)
{
    struct json v =
        result_of("POST", "/collections/c/points/count", pool_printf(&arena, "{\"filter\":%s}", filter));

    return json_get(&v, "count")->u.integer;
}

static void create(void)
{
    ok("PUT", "/collections/c", "{\"vectors\":{\"size\":2,\"distance\":\"Dot\"}}");
}

static const struct {
    const char *text;
    const char *complaint;
} broken[] = {
    {"", "EOF while parsing a value at line 1 column 0"},
    {"[1,]", "trailing comma at line 1 column 4"},
    {"[1 2]", "expected `,` or `]` at line 1 column 4"},
    {"{\"a\" 1}", "expected `:` at line 1 column 6"},
    {"{a:1}", "key must be a string at line 1 column 2"},
    {"{}\n x", "trailing characters at line 2 column 2"},
    {"01", "invalid number at line 1 column 2"},
    {"1e999", "number out of range at line 1 column 5"},
    {"\"\\ud800x\"", "unexpected end of hex escape at line 1 column 8"},
    {"\"\\q\"", "invalid escape at line 1 column 3"},
    {"\"\n\"", "control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0"},
    {"\"\xff\"", "invalid unicode code point at line 1 column 3"},
    {"truth", "expected ident at line 1 column 4"},
    {"-", "EOF while parsing a value at line 1 column 1"},
};

START_TEST(broken_json_is_refused_in_the_words_of_serde_json)
{
    struct json v;
    struct json_error err;

    ck_assert(!json_parse(&arena, broken[_i].text, strlen(broken[_i].text), &v, &err));
    ck_assert_str_eq(err.text, broken[_i].complaint);
}
END_TEST

START_TEST(floats_are_written_with_the_fewest_digits_that_read_back)
{
    static const struct {
        float value;
        const char *text;
    } cases[] = {{0.1F, "0.1"},   {1.0F, "1.0"},     {16777216.0F, "16777216.0"},
                 {-2.5F, "-2.5"}, {1e-7F, "1e-7"},   {3.4028235e38F, "3.4028235e+38"},
                 {0.0F, "0.0"},   {1e-45F, "1e-45"}, {0.70710677F, "0.70710677"}};
    struct buf out;
    uint32_t seed = 12345;

    buf_init(&out, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&out);
        json_write_f32(&out, cases[i].value);
        ck_assert_str_eq(out.data, cases[i].text);
    }
    for (int i = 0; i < 200000; i++) {
        float v;
        float back;

        seed = seed * 1664525U + 1013904223U;
        memcpy(&v, &seed, sizeof v);
        if (!isfinite(v)) continue;
        buf_clear(&out);
        json_write_f32(&out, v);
        back = strtof(out.data, NULL);
        ck_assert_msg(memcmp(&v, &back, sizeof v) == 0, "%s", out.data);
    }
    buf_fini(&out);
}
END_TEST

START_TEST(a_key_that_comes_twice_in_a_wide_object_has_its_last_value)
{
    struct buf text;
    struct json v;

    buf_init(&text, 0);
    buf_putc(&text, '{');
    for (int i = 0; i < 500; i++) buf_printf(&text, "\"k%d\":%d,", i % 400, i);
    buf_puts(&text, "\"end\":0}");
    ck_assert(json_parse(&arena, text.data, text.bytes, &v, NULL));
    ck_assert_uint_eq(v.count, 401);
    ck_assert_int_eq(json_get(&v, "k7")->u.integer, 407);
    ck_assert_int_eq(json_get(&v, "k399")->u.integer, 399);
    buf_fini(&text);
}
END_TEST

/* Points 0..n-1 with a payload that has a bit of everything. */
static void seed(int n)
{
    struct buf body;

    buf_init(&body, 0);
    for (int i = 0; i < n; i++) {
        buf_puts(&body, i ? "," : "{\"points\":[");
        buf_printf(
            &body,
            "{\"id\":%d,\"vector\":[%d,1],\"payload\":{\"n\":%d,\"k\":\"k%d\",\"tags\":[\"a%d\",\"b%d\"],"
            "\"f\":%d.5,"
            "\"b\":%s,\"d\":\"2024-01-%02dT00:00:00Z\",\"o\":{\"x\":%d},\"list\":[{\"p\":%d,\"q\":%d}]%s}}",
            i, i, i % 7, i % 5, i % 3, i % 4, i % 6, i % 2 ? "true" : "false", i % 28 + 1, i % 11, i % 3,
            i % 2, i % 10 ? "" : ",\"none\":null");
    }
    buf_puts(&body, "]}");
    ok("PUT", "/collections/c/points?wait=true", body.data);
    buf_fini(&body);
}

static const struct {
    const char *filter;
    int64_t count; /* of 420 points */
} filters[] = {
    {"{}", 420},
    {"{\"must\":[]}", 420},
    {"{\"must\":[{\"key\":\"k\",\"match\":{\"value\":\"k1\"}}]}", 84},
    {"{\"must\":{\"key\":\"k\",\"match\":{\"value\":\"k1\"}}}", 84},
    {"{\"must\":[{\"key\":\"k\",\"match\":{\"any\":[\"k1\",\"k2\",\"no\"]}}]}", 168},
    {"{\"must\":[{\"key\":\"k\",\"match\":{\"except\":[\"k1\"]}}]}", 336},
    {"{\"must\":[{\"key\":\"k\",\"match\":{\"any\":[]}}]}", 0},
    {"{\"must\":[{\"key\":\"k\",\"match\":{\"text\":\"k\"}}]}", 420},
    {"{\"must\":[{\"key\":\"n\",\"match\":{\"value\":3}}]}", 60},
    {"{\"must\":[{\"key\":\"f\",\"match\":{\"value\":3}}]}", 0},
    {"{\"must\":[{\"key\":\"b\",\"match\":{\"value\":true}}]}", 210},
    {"{\"must\":[{\"key\":\"tags\",\"match\":{\"value\":\"a1\"}}]}", 140},
    {"{\"must\":[{\"key\":\"tags[]\",\"match\":{\"value\":\"a1\"}}]}", 140},
    {"{\"must\":[{\"key\":\"tags[1]\",\"match\":{\"value\":\"a1\"}}]}", 0},
    {"{\"must\":[{\"key\":\"n\",\"range\":{\"gte\":2,\"lt\":4}}]}", 120},
    {"{\"must\":[{\"key\":\"f\",\"range\":{\"gt\":4.5}}]}", 70},
    {"{\"must\":[{\"key\":\"k\",\"range\":{\"gt\":0}}]}", 0},
    {"{\"must\":[{\"key\":\"d\",\"range\":{\"gte\":\"2024-01-27\",\"lt\":\"2024-01-28T00:00:00+00:00\"}}]}",
     15},
    {"{\"must\":[{\"key\":\"o.x\",\"match\":{\"value\":10}}]}", 38},
    {"{\"must\":[{\"is_empty\":{\"key\":\"none\"}}]}", 420},
    {"{\"must\":[{\"is_null\":{\"key\":\"none\"}}]}", 42},
    {"{\"must\":[{\"key\":\"none\",\"is_null\":true}]}", 42},
    {"{\"must_not\":[{\"is_empty\":{\"key\":\"k\"}}]}", 420},
    {"{\"must\":[{\"has_id\":[1,2,2,999]}]}", 2},
    {"{\"must_not\":[{\"has_id\":[1,2,2,999]}]}", 418},
    {"{\"should\":[{\"has_id\":[1]},{\"key\":\"n\",\"match\":{\"value\":1}}]}", 60},
    {"{\"should\":[{\"key\":\"k\",\"match\":{\"value\":\"k0\"}},{\"key\":\"n\",\"match\":{\"value\":0}}]}",
     132},
    {"{\"must\":[{\"key\":\"k\",\"match\":{\"value\":\"k0\"}}],\"must_not\":[{\"key\":\"n\",\"match\":{"
     "\"value\":0}}]}",
     72},
    {"{\"min_should\":{\"conditions\":[{\"key\":\"k\",\"match\":{\"value\":\"k0\"}},{\"key\":\"n\",\"match\":"
     "{\"value\":0}},"
     "{\"key\":\"b\",\"match\":{\"value\":true}}],\"min_count\":3}}",
     6},
    {"{\"must\":[{\"key\":\"tags\",\"values_count\":{\"gte\":2}}]}", 420},
    {"{\"must\":[{\"key\":\"missing\",\"values_count\":{\"lt\":1}}]}", 420},
    {"{\"must\":[{\"nested\":{\"key\":\"list\",\"filter\":{\"must\":[{\"key\":\"p\",\"match\":{\"value\":1}},"
     "{\"key\":\"q\","
     "\"match\":{\"value\":1}}]}}}]}",
     70},
    {"{\"must\":[{\"should\":[{\"has_id\":[5]},{\"has_id\":[6]}]},{\"key\":\"k\",\"match\":{\"value\":\"k0\"}"
     "}]}",
     1},
    {"{\"must\":[{\"has_vector\":\"\"}]}", 420},
    {"{\"must\":[{\"has_vector\":\"other\"}]}", 0},
};

START_TEST(a_filter_passes_what_it_should_with_and_without_indexes)
{
    create();
    seed(420);
    ck_assert_int_eq(count_of(filters[_i].filter), filters[_i].count);
    ok("PUT", "/collections/c/index?wait=true", "{\"field_name\":\"k\",\"field_schema\":\"keyword\"}");
    ok("PUT", "/collections/c/index?wait=true", "{\"field_name\":\"n\",\"field_schema\":\"integer\"}");
    ok("PUT", "/collections/c/index?wait=true", "{\"field_name\":\"tags\",\"field_schema\":\"keyword\"}");
    ok("PUT", "/collections/c/index?wait=true", "{\"field_name\":\"b\",\"field_schema\":\"bool\"}");
    ok("PUT", "/collections/c/index?wait=true", "{\"field_name\":\"o.x\",\"field_schema\":\"integer\"}");
    ck_assert_int_eq(count_of(filters[_i].filter), filters[_i].count);
    /* what changes is found again: everything is written again, half of it as nothing */
    ok("POST", "/collections/c/points/delete?wait=true",
       "{\"filter\":{\"must\":[{\"key\":\"n\",\"range\":{\"gte\":3}}]}}");
    seed(420);
    ck_assert_int_eq(count_of(filters[_i].filter), filters[_i].count);
}
END_TEST

static const struct {
    const char *filter;
    int status;
    const char *complaint;
} bad_filters[] = {
    {"{\"frob\":[]}", 400,
     "unknown field `frob`, expected one of `should`, `min_should`, `must`, `must_not`"},
    {"{\"must\":[{\"frob\":1}]}", 400, "Expected some form of condition"},
    {"{\"must\":[{\"key\":\"n\",\"match\":{\"value\":1.5}}]}", 400, "Expected some form of condition"},
    {"{\"must\":[{\"has_id\":[\"x\"]}]}", 400, "Expected some form of condition"},
    {"{\"must\":[{\"key\":\"n\"}]}", 422, "At least one field condition must be specified"},
    {"{\"must\":[{\"key\":\"n\",\"range\":{\"gt\":\"someday\"}}]}", 400, "Expected some form of condition"},
};

START_TEST(a_filter_that_is_none_is_refused)
{
    create();
    ask("POST", "/collections/c/points/count",
        pool_printf(&arena, "{\"filter\":%s}", bad_filters[_i].filter));
    ck_assert_int_eq(response.status, bad_filters[_i].status);
    ck_assert_ptr_nonnull(strstr(response.body.data, bad_filters[_i].complaint));
}
END_TEST

static void insert_scattered(int n)
{
    for (int i = 0; i < n; i++) {
        uint64_t id = mix64((uint64_t)i + 1) % 1000000;

        ok("PUT", "/collections/c/points?wait=true",
           pool_printf(&arena, "{\"points\":[{\"id\":%llu,\"vector\":[0,1]}]}", (unsigned long long)id));
        if (i % 3 == 0)
            ok("POST", "/collections/c/points/delete?wait=true",
               pool_printf(&arena, "{\"points\":[%llu]}",
                           (unsigned long long)mix64((uint64_t)i / 2 + 1) % 1000000));
    }
    ok("PUT", "/collections/c/points?wait=true",
       "{\"points\":[{\"id\":\"00000000-0000-5000-8000-000000000001\",\"vector\":[0,1]}]}");
}

START_TEST(scrolling_goes_through_all_points_in_the_order_of_their_ids)
{
    char *offset = pool_printf(&arena, "0");
    int64_t last = -1;
    int64_t seen = 0;
    bool uuid = false;

    create();
    insert_scattered(3000);
    while (strcmp(offset, "null") != 0) {
        struct json page = result_of("POST", "/collections/c/points/scroll",
                                     pool_printf(&arena, "{\"limit\":97,\"offset\":%s}", offset));
        const struct json *points = json_get(&page, "points");
        struct buf next;

        for (uint32_t i = 0; i < points->count; i++) {
            const struct json *id = json_get(&points->u.items[i], "id");

            seen++;
            if (id->type == JSON_STRING) {
                uuid = true;
                continue;
            }
            ck_assert(!uuid);
            ck_assert_int_gt(id->u.integer, last);
            last = id->u.integer;
        }
        buf_init(&next, 0);
        json_write(&next, json_get(&page, "next_page_offset"));
        offset = pool_text(&arena, next.data, next.bytes);
        buf_fini(&next);
    }
    ck_assert(uuid);
    ck_assert_int_eq(seen, count_of("{}"));
}
END_TEST

START_TEST(points_are_ordered_by_a_value_that_has_an_index)
{
    struct json page;
    const struct json *points;

    create();
    seed(50);
    ok("PUT", "/collections/c/index?wait=true", "{\"field_name\":\"n\",\"field_schema\":\"integer\"}");
    page = result_of("POST", "/collections/c/points/scroll",
                     "{\"order_by\":{\"key\":\"n\",\"direction\":\"desc\",\"start_from\":5},\"limit\":9}");
    points = json_get(&page, "points");
    ck_assert_uint_eq(points->count, 9);
    for (uint32_t i = 0; i < points->count; i++)
        ck_assert_int_eq(json_get(&points->u.items[i], "order_value")->u.integer, i < 7 ? 5 : 4);
    ask("POST", "/collections/c/points/scroll", "{\"order_by\":\"n\",\"offset\":3}");
    ck_assert_int_eq(response.status, 400);
}
END_TEST

static const struct {
    const char *method;
    const char *target;
    const char *body;
    const char *payload;
} changes[] = {
    {"POST", "payload", "{\"payload\":{\"a\":2,\"z\":1},\"points\":[1]}",
     "{\"a\":2,\"b\":{\"c\":1,\"d\":[{\"e\":1},{\"e\":2,\"f\":3}]},\"z\":1}"},
    {"POST", "payload", "{\"payload\":{\"c\":null,\"x\":1},\"key\":\"b\",\"points\":[1]}",
     "{\"a\":1,\"b\":{\"x\":1,\"d\":[{\"e\":1},{\"e\":2,\"f\":3}]}}"},
    {"POST", "payload", "{\"payload\":{\"g\":1},\"key\":\"b.d[].h\",\"points\":[1]}",
     "{\"a\":1,\"b\":{\"c\":1,\"d\":[{\"e\":1,\"h\":{\"g\":1}},{\"e\":2,\"f\":3,\"h\":{\"g\":1}}]}}"},
    {"POST", "payload", "{\"payload\":{\"g\":1},\"key\":\"n.m\",\"filter\":{}}",
     "{\"a\":1,\"b\":{\"c\":1,\"d\":[{\"e\":1},{\"e\":2,\"f\":3}]},\"n\":{\"m\":{\"g\":1}}}"},
    {"PUT", "payload", "{\"payload\":{\"only\":null},\"points\":[1]}", "{\"only\":null}"},
    {"POST", "payload/delete", "{\"keys\":[\"a\",\"b.d[].e\",\"nothing.here\"],\"points\":[1]}",
     "{\"b\":{\"c\":1,\"d\":[{},{\"f\":3}]}}"},
    {"POST", "payload/delete", "{\"keys\":[\"b.d[0]\"],\"points\":[1]}",
     "{\"a\":1,\"b\":{\"c\":1,\"d\":[{\"e\":2,\"f\":3}]}}"},
    {"POST", "payload/clear", "{\"points\":[1]}", "{}"},
};

START_TEST(a_payload_is_changed_where_its_key_says)
{
    create();
    ok("PUT", "/collections/c/points?wait=true",
       "{\"points\":[{\"id\":1,\"vector\":[0,1],\"payload\":{\"a\":1,\"b\":{\"c\":1,\"d\":[{\"e\":1},{\"e\":"
       "2,\"f\":3}]}}}]}");
    ok(changes[_i].method, pool_printf(&arena, "/collections/c/points/%s?wait=true", changes[_i].target),
       changes[_i].body);
    {
        const char *text = payload_of("/collections/c/points/1");
        struct json got;
        struct json want;

        ck_assert(json_parse(&arena, text, strlen(text), &got, NULL));
        ck_assert(json_parse(&arena, changes[_i].payload, strlen(changes[_i].payload), &want, NULL));
        ck_assert_msg(json_equal(&got, &want), "%s", text);
    }
}
END_TEST

START_TEST(a_payload_is_shown_in_part)
{
    static const struct {
        const char *selector;
        const char *payload;
    } cases[] = {{"[\"b.c\"]", "{\"b\":{\"c\":1}}"},
                 {"{\"include\":[\"b.d[].e\"]}", "{\"b\":{\"d\":[{\"e\":1},{\"e\":2}]}}"},
                 {"{\"exclude\":[\"b.d\",\"a\"]}", "{\"b\":{\"c\":1}}"},
                 {"[\"nothing\"]", "{}"},
                 {"true", "{\"a\":1,\"b\":{\"c\":1,\"d\":[{\"e\":1},{\"e\":2,\"f\":3}]}}"}};

    create();
    ok("PUT", "/collections/c/points?wait=true",
       "{\"points\":[{\"id\":1,\"vector\":[0,1],\"payload\":{\"a\":1,\"b\":{\"c\":1,\"d\":[{\"e\":1},{\"e\":"
       "2,\"f\":3}]}}}]}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ok("POST", "/collections/c/points",
           pool_printf(&arena, "{\"ids\":[1],\"with_payload\":%s}", cases[i].selector));
        ck_assert_ptr_nonnull(
            strstr(response.body.data, pool_printf(&arena, "\"payload\":%s}]", cases[i].payload)));
    }
}
END_TEST

START_TEST(an_older_version_ignores_the_guard_without_a_word)
{
    server_free(server);
    server = server_new("1.10.0");
    create();
    ok("PUT", "/collections/c/points?wait=true",
       "{\"points\":[{\"id\":1,\"vector\":[0,1],\"payload\":{\"n\":5}}]}");
    ok("PUT", "/collections/c/points?wait=true",
       "{\"points\":[{\"id\":1,\"vector\":[0,1],\"payload\":{\"n\":1}}],\"update_mode\":\"frob\","
       "\"update_filter\":{\"must\":[{\"key\":\"n\",\"range\":{\"lt\":1}}]}}");
    ck_assert_str_eq(payload_of("/collections/c/points/1"), "{\"n\":1}");
}
END_TEST

START_TEST(a_batch_keeps_what_stood_before_its_first_error)
{
    create();
    ask("POST", "/collections/c/points/batch?wait=true",
        "{\"operations\":[{\"upsert\":{\"points\":[{\"id\":1,\"vector\":[0,1]}]}},{\"upsert\":{\"points\":[{"
        "\"id\":2,"
        "\"vector\":[0]}]}},{\"upsert\":{\"points\":[{\"id\":3,\"vector\":[0,1]}]}}]}");
    ck_assert_int_eq(response.status, 400);
    ck_assert_int_eq(count_of("{}"), 1);
}
END_TEST

START_TEST(a_fault_hits_as_often_as_it_says_and_nothing_is_done)
{
    create();
    ask("POST", "/__double/faults",
        "{\"kind\":\"upsert\",\"skip\":1,\"count\":2,\"status\":503,\"body\":\"down\",\"headers\":{\"Retry-"
        "After\":7}}");
    for (int i = 0; i < 5; i++) {
        ask("PUT", "/collections/c/points?wait=true",
            pool_printf(&arena, "{\"points\":[{\"id\":%d,\"vector\":[0,1]}]}", i));
        ck_assert_int_eq(response.status, i == 1 || i == 2 ? 503 : 200);
        if (i != 1) continue;
        ck_assert_str_eq(response.body.data, "down");
        ck_assert_uint_eq(response.header_count, 1);
        ck_assert_str_eq(response.headers[0][1], "7");
    }
    ck_assert_int_eq(count_of("{}"), 3);
    ask("GET", "/__double/counters", "");
    ck_assert_ptr_nonnull(strstr(response.body.data, "\"failures\":{\"upsert\":2}"));
    ck_assert_ptr_nonnull(strstr(response.body.data, "\"points\":{\"upserted\":3}"));
}
END_TEST

START_TEST(a_fault_may_come_after_the_deed_or_lie_about_it)
{
    create();
    ok("POST", "/collections/aliases",
       "{\"actions\":[{\"create_alias\":{\"collection_name\":\"c\",\"alias_name\":\"live\"}}]}");
    ask("POST", "/__double/faults",
        "{\"collection\":\"c\",\"kind\":\"upsert\",\"apply\":true,\"reset\":true}");
    ask("PUT", "/collections/live/points?wait=true", "{\"points\":[{\"id\":1,\"vector\":[0,1]}]}");
    ck_assert_int_eq((int)response.twist, (int)TWIST_RESET);
    ck_assert_int_eq(count_of("{}"), 1);
    ask("POST", "/__double/faults", "{\"result_status\":\"wait_timeout\",\"text\":\"needle\"}");
    ok("PUT", "/collections/c/points?wait=true", "{\"points\":[{\"id\":2,\"vector\":[0,1]}]}");
    ck_assert_ptr_nonnull(strstr(response.body.data, "\"completed\""));
    ok("PUT", "/collections/c/points?wait=true",
       "{\"points\":[{\"id\":2,\"vector\":[0,1],\"payload\":{\"x\":\"needle\"}}]}");
    ck_assert_ptr_nonnull(strstr(response.body.data, "\"wait_timeout\""));
    ask("POST", "/__double/faults", "{\"kind\":\"upsert\",\"tpyo\":1}");
    ck_assert_int_eq(response.status, 400);
}
END_TEST

START_TEST(a_restart_takes_back_what_did_not_wait)
{
    create();
    ok("PUT", "/collections/c/index?wait=true", "{\"field_name\":\"n\",\"field_schema\":\"integer\"}");
    ok("PUT", "/collections/c/points?wait=true",
       "{\"points\":[{\"id\":1,\"vector\":[0,1],\"payload\":{\"n\":1}},{\"id\":2,\"vector\":[0,1]}]}");
    ok("PUT", "/collections/c/points",
       "{\"points\":[{\"id\":1,\"vector\":[5,5],\"payload\":{\"n\":2}},{\"id\":3,\"vector\":[0,1]}]}");
    ok("POST", "/collections/c/points/delete", "{\"points\":[2]}");
    ck_assert_int_eq(count_of("{\"must\":[{\"key\":\"n\",\"match\":{\"value\":2}}]}"), 1);
    ask("POST", "/__double/restart", "");
    ck_assert_int_eq(count_of("{}"), 2);
    ck_assert_int_eq(count_of("{\"must\":[{\"key\":\"n\",\"match\":{\"value\":1}}]}"), 1);
    ok("GET", "/collections/c/points/1", "");
    ck_assert_ptr_nonnull(strstr(response.body.data, "\"vector\":[0.0,1.0]"));
}
END_TEST

START_TEST(a_restart_takes_back_what_was_called_acknowledged)
{
    create();
    ask("POST", "/__double/faults", "{\"kind\":\"upsert\",\"result_status\":\"acknowledged\"}");
    ok("PUT", "/collections/c/points?wait=true", "{\"points\":[{\"id\":1,\"vector\":[0,1]}]}");
    ck_assert_ptr_nonnull(strstr(response.body.data, "\"acknowledged\""));
    ck_assert_int_eq(count_of("{}"), 1);
    ask("POST", "/__double/restart", "");
    ck_assert_int_eq(count_of("{}"), 0);
}
END_TEST

START_TEST(the_file_keeps_data_over_a_restart)
{
    char path[] = "/tmp/lockstep-double-XXXXXX";
    int fd = mkstemp(path);
    const char *before;
    const char *scroll = "{\"limit\":1000,\"with_vector\":true}";

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert(journal_open(server, path));
    ok("PUT", "/collections/c%20d",
       "{\"vectors\":{\"a\":{\"size\":3,\"distance\":\"Cosine\"}},\"sparse_vectors\":{\"s\":{}}}");
    ok("PUT", "/collections/c%20d/index?wait=true",
       "{\"field_name\":\"k\",\"field_schema\":{\"type\":\"keyword\",\"is_tenant\":true}}");
    ok("PUT", "/collections/c%20d/points?wait=true",
       "{\"points\":[{\"id\":1,\"vector\":{\"a\":[1,2,3],\"s\":{\"indices\":[7,3],\"values\":[0.1,2]}},"
       "\"payload\":{\"k\":"
       "\"x\\u0000\\ud83d\\ude00\",\"f\":1e-7,\"u\":18446744073709551615}},{\"id\":\"00000000-0000-5000-8000-"
       "000000000001\","
       "\"vector\":{}}]}");
    ok("POST", "/collections/aliases",
       "{\"actions\":[{\"create_alias\":{\"collection_name\":\"c d\",\"alias_name\":\"live\"}}]}");
    ok("POST", "/collections/live/points/scroll", scroll);
    before = pool_text(&arena, response.body.data, strcspn(response.body.data, "]") + 1);
    for (int i = 0; i < 2; i++) { /* the second time from the file as it was rewritten */
        journal_close(server);
        server_free(server);
        server = server_new("1.18.3");
        ck_assert(journal_open(server, path));
        ok("POST", "/collections/live/points/scroll", scroll);
        ck_assert_int_eq(strncmp(response.body.data, before, strlen(before)), 0);
    }
    ok("GET", "/collections/live", "");
    ck_assert_ptr_nonnull(strstr(response.body.data, "\"is_tenant\":true},\"points\":1"));
    journal_close(server);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("the Qdrant stand-in");
    TCase *json = tcase_create("json");
    TCase *points = tcase_create("points");
    TCase *faults = tcase_create("faults");

    tcase_add_checked_fixture(json, setup, teardown);
    tcase_add_loop_test(json, broken_json_is_refused_in_the_words_of_serde_json, 0,
                        (int)(sizeof broken / sizeof *broken));
    tcase_add_test(json, floats_are_written_with_the_fewest_digits_that_read_back);
    tcase_add_test(json, a_key_that_comes_twice_in_a_wide_object_has_its_last_value);
    suite_add_tcase(suite, json);
    tcase_add_checked_fixture(points, setup, teardown);
    tcase_add_loop_test(points, a_filter_passes_what_it_should_with_and_without_indexes, 0,
                        (int)(sizeof filters / sizeof *filters));
    tcase_add_loop_test(points, a_filter_that_is_none_is_refused, 0,
                        (int)(sizeof bad_filters / sizeof *bad_filters));
    tcase_add_test(points, scrolling_goes_through_all_points_in_the_order_of_their_ids);
    tcase_add_test(points, points_are_ordered_by_a_value_that_has_an_index);
    tcase_add_loop_test(points, a_payload_is_changed_where_its_key_says, 0,
                        (int)(sizeof changes / sizeof *changes));
    tcase_add_test(points, a_payload_is_shown_in_part);
    tcase_add_test(points, an_older_version_ignores_the_guard_without_a_word);
    tcase_add_test(points, a_batch_keeps_what_stood_before_its_first_error);
    suite_add_tcase(suite, points);
    tcase_add_checked_fixture(faults, setup, teardown);
    tcase_add_test(faults, a_fault_hits_as_often_as_it_says_and_nothing_is_done);
    tcase_add_test(faults, a_fault_may_come_after_the_deed_or_lie_about_it);
    tcase_add_test(faults, a_restart_takes_back_what_did_not_wait);
    tcase_add_test(faults, a_restart_takes_back_what_was_called_acknowledged);
    tcase_add_test(faults, the_file_keeps_data_over_a_restart);
    suite_add_tcase(suite, faults);
    return suite_run(suite);
}
