/* test_json.c - BSON values in RFC 8785 form: numbers as ECMAScript prints them, keys sorted, nothing
 * invalid. */
#include "base/json.h"

#include "suite.h"
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct buf out;

static void setup(void)
{
    buf_init(&out, 0);
}

static void teardown(void)
{
    buf_fini(&out);
}

/* The value of `doc`'s first member; frees `doc`. */
static const char *json_of(bson_t *doc)
{
    bson_iter_t iter;
    ck_assert(bson_iter_init(&iter, doc) && bson_iter_next(&iter));
    buf_clear(&out);
    ck_assert(json_put_value(&out, &iter));
    bson_destroy(doc);
    return out.data;
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The samples of RFC 8785, appendix B, and edges of our own. */
static const struct {
    uint64_t bits;
    const char *text;
} numbers[] = {
    {0x0000000000000000, "0"},
    {0x8000000000000000, "0"},
    {0x0000000000000001, "5e-324"},
    {0x8000000000000001, "-5e-324"},
    {0x7fefffffffffffff, "1.7976931348623157e+308"},
    {0xffefffffffffffff, "-1.7976931348623157e+308"},
    {0x4340000000000000, "9007199254740992"},
    {0xc340000000000000, "-9007199254740992"},
    {0x4430000000000000, "295147905179352830000"},
    {0x7fffffffffffffff, "null"},
    {0x7ff0000000000000, "null"},
    {0x44b52d02c7e14af5, "9.999999999999997e+22"},
    {0x44b52d02c7e14af6, "1e+23"},
    {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
    {0x444b1ae4d6e2ef4e, "999999999999999700000"},
    {0x444b1ae4d6e2ef4f, "999999999999999900000"},
    {0x444b1ae4d6e2ef50, "1e+21"},
    {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
    {0x3eb0c6f7a0b5ed8d, "0.000001"},
    {0x41b3de4355555553, "333333333.3333332"},
    {0x41b3de4355555554, "333333333.33333325"},
    {0x41b3de4355555555, "333333333.3333333"},
    {0x41b3de4355555556, "333333333.3333334"},
    {0x41b3de4355555557, "333333333.33333343"},
    {0xbecbf647612f3696, "-0.0000033333333333333333"},
    {0x43143ff3c1cb0959, "1424953923781206.2"},
    {0x3fb999999999999a, "0.1"},
    {0x3ff8000000000000, "1.5"},
    {0x3d30000000000000, "5.684341886080802e-14"}, /* 2^-44: the nearest 16 digits do not read back */
    {0x0010000000000000, "2.2250738585072014e-308"},
    {0x000fffffffffffff, "2.225073858507201e-308"},
};

START_TEST(a_double_is_printed_as_ecmascript_does)
{
    buf_clear(&out);
    json_put_double(&out, from_bits(numbers[_i].bits));
    ck_assert_str_eq(out.data, numbers[_i].text);
}
END_TEST

START_TEST(every_double_reads_back_as_itself)
{
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        double value = from_bits(i % 3 ? state : state & 0xfff0000000000000u);
        if (!isfinite(value)) continue;
        buf_clear(&out);
        json_put_double(&out, value);
        ck_assert_msg(strtod(out.data, NULL) == value, "%a gave %s", value, out.data);
    }
}
END_TEST

START_TEST(a_price_is_printed_as_it_is_written)
{
    for (int64_t thousandths = 1; thousandths < 2000000; thousandths += 7) {
        char expected[40];
        int bytes = snprintf(expected, sizeof expected, "%lld.%03lld", (long long)(thousandths / 1000),
                             (long long)(thousandths % 1000));
        while (expected[bytes - 1] == '0') expected[--bytes] = '\0';
        if (expected[bytes - 1] == '.') expected[--bytes] = '\0';
        buf_clear(&out);
        json_put_double(&out, strtod(expected, NULL));
        ck_assert_str_eq(out.data, expected);
    }
}
END_TEST

static const struct {
    int64_t ms;
    const char *text;
} dates[] = {
    {0, "\"1970-01-01T00:00:00.000Z\""},
    {-1, "\"1969-12-31T23:59:59.999Z\""},
    {1714564800123, "\"2024-05-01T12:00:00.123Z\""},
    {951782400000, "\"2000-02-29T00:00:00.000Z\""},
    {-62167219200000, "\"0000-01-01T00:00:00.000Z\""},
    {-62167219200001, "\"-000001-12-31T23:59:59.999Z\""},
    {253402300799999, "\"9999-12-31T23:59:59.999Z\""},
    {253402300800000, "\"+010000-01-01T00:00:00.000Z\""},
    {8640000000000000, "\"+275760-09-13T00:00:00.000Z\""},
    {INT64_MAX, "\"+292278994-08-17T07:12:55.807Z\""},
    {INT64_MIN, "\"-292275055-05-16T16:47:04.192Z\""},
};

START_TEST(a_date_is_iso_8601_in_utc_with_milliseconds)
{
    buf_clear(&out);
    json_put_date(&out, dates[_i].ms);
    ck_assert_str_eq(out.data, dates[_i].text);
}
END_TEST

/* Strings are looked at eight bytes at a time: a byte to escape is found wherever it stands. */
START_TEST(a_byte_to_escape_is_found_anywhere)
{
    for (size_t at = 0; at < 20; at++)
        for (unsigned c = 0; c < 128; c++) {
            struct buf b;
            char text[20];
            memset(text, 'a', sizeof text);
            text[at] = (char)c;
            buf_init(&b, 0);
            json_put_string(&b, text, sizeof text);
            size_t extra =
                c == '"' || c == '\\' || c == '\b' || c == '\t' || c == '\n' || c == '\f' || c == '\r' ? 1
                : c < 0x20                                                                             ? 5
                                                                                                       : 0;
            ck_assert_msg(b.bytes == sizeof text + 2 + extra, "byte %u at %zu: %s", c, at, b.data);
            ck_assert_int_eq(b.data[at + 1], extra ? '\\' : (int)c);
            buf_fini(&b);
        }
}
END_TEST

START_TEST(a_string_is_escaped_as_little_as_possible)
{
    static const char text[] = "\"\\\b\f\n\r\t\x01\x1f\x7f/\0\xC3\xA9";
    bson_t *doc = bson_new();
    BSON_APPEND_UTF8(doc, "", "");
    bson_reinit(doc);
    ck_assert(bson_append_utf8(doc, "s", 1, text, (int)sizeof text - 1));
    ck_assert_str_eq(json_of(doc), "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/\\u0000\xC3\xA9\"");
}
END_TEST

static const struct {
    const char *bytes, *json;
} invalid[] = {
    {"a\xFF", "\"a\xEF\xBF\xBD\""},
    {"\xC3", "\"\xEF\xBF\xBD\""},
    {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""}, /* a surrogate */
    {"\xC0\xAF!", "\"\xEF\xBF\xBD\xEF\xBF\xBD!\""},               /* overlong */
    {"\xF0\x9F\x98", "\"\xEF\xBF\xBD\""},                         /* cut off */
    {"\xF0\x9F\x98\x80", "\"\xF0\x9F\x98\x80\""},
};

START_TEST(invalid_utf8_becomes_the_replacement_character)
{
    buf_clear(&out);
    json_put_string(&out, invalid[_i].bytes, strlen(invalid[_i].bytes));
    ck_assert_str_eq(out.data, invalid[_i].json);
}
END_TEST

START_TEST(every_bson_type_has_a_form)
{
    bson_oid_t oid;
    bson_decimal128_t decimal;
    bson_oid_init_from_string(&oid, "507f1f77bcf86cd799439011");
    ck_assert(bson_decimal128_from_string("1.50", &decimal));
    bson_t doc = BSON_INITIALIZER, scope = BSON_INITIALIZER;
    BSON_APPEND_INT32(&scope, "x", 1);
    BSON_APPEND_OID(&doc, "a", &oid);
    BSON_APPEND_DATE_TIME(&doc, "b", 0);
    BSON_APPEND_INT64(&doc, "c", INT64_C(9007199254740992));
    BSON_APPEND_INT64(&doc, "d", INT64_C(9007199254740993));
    BSON_APPEND_INT64(&doc, "e", INT64_MIN);
    BSON_APPEND_DECIMAL128(&doc, "f", &decimal);
    BSON_APPEND_BINARY(&doc, "g", BSON_SUBTYPE_BINARY, (const uint8_t *)"\x00\xFFh", 3);
    BSON_APPEND_BINARY(&doc, "h", BSON_SUBTYPE_UUID, (const uint8_t *)"ab", 2);
    BSON_APPEND_NULL(&doc, "i");
    BSON_APPEND_UNDEFINED(&doc, "j");
    BSON_APPEND_SYMBOL(&doc, "k", "sym");
    BSON_APPEND_BOOL(&doc, "l", true);
    BSON_APPEND_DOUBLE(&doc, "m", NAN);
    BSON_APPEND_TIMESTAMP(&doc, "n", 2, 1);
    BSON_APPEND_REGEX(&doc, "o", "^a", "i");
    BSON_APPEND_CODE(&doc, "p", "f()");
    BSON_APPEND_CODE_WITH_SCOPE(&doc, "q", "g()", &scope);
    BSON_APPEND_DBPOINTER(&doc, "r", "c", &oid);
    BSON_APPEND_MINKEY(&doc, "s");
    BSON_APPEND_MAXKEY(&doc, "t");
    bson_t *outer = bson_new();
    BSON_APPEND_DOCUMENT(outer, "v", &doc);
    ck_assert_str_eq(
        json_of(outer),
        "{\"a\":\"507f1f77bcf86cd799439011\",\"b\":\"1970-01-01T00:00:00.000Z\",\"c\":9007199254740992,"
        "\"d\":\"9007199254740993\",\"e\":\"-9223372036854775808\",\"f\":\"1.50\",\"g\":\"AP9o\",\"h\":\"YWI="
        "\","
        "\"i\":null,\"j\":null,\"k\":\"sym\",\"l\":true,\"m\":null,\"n\":{\"$timestamp\":{\"i\":1,\"t\":2}},"
        "\"o\":{\"$regularExpression\":{\"options\":\"i\",\"pattern\":\"^a\"}},\"p\":{\"$code\":\"f()\"},"
        "\"q\":{\"$code\":\"g()\",\"$scope\":{\"x\":1}},"
        "\"r\":{\"$dbPointer\":{\"$id\":\"507f1f77bcf86cd799439011\",\"$ref\":\"c\"}},"
        "\"s\":{\"$minKey\":1},\"t\":{\"$maxKey\":1}}");
    bson_destroy(&doc);
    bson_destroy(&scope);
}
END_TEST

START_TEST(keys_are_sorted_by_utf16_code_units)
{
    /* the sample of RFC 8785, section 3.2.3, in UTF-8 */
    bson_t doc = BSON_INITIALIZER, *outer = bson_new();
    BSON_APPEND_INT32(&doc, "\xE2\x82\xAC", 1);
    BSON_APPEND_INT32(&doc, "\r", 2);
    BSON_APPEND_INT32(&doc, "\xEF\xAC\xB3", 3);
    BSON_APPEND_INT32(&doc, "1", 4);
    BSON_APPEND_INT32(&doc, "\xF0\x9F\x98\x80", 5);
    BSON_APPEND_INT32(&doc, "\xC2\x80", 6);
    BSON_APPEND_INT32(&doc, "\xC3\xB6", 7);
    BSON_APPEND_INT32(&doc, "", 8);
    BSON_APPEND_DOCUMENT(outer, "v", &doc);
    ck_assert_str_eq(json_of(outer),
                     "{\"\":8,\"\\r\":2,\"1\":4,\"\xC2\x80\":6,\"\xC3\xB6\":7,\"\xE2\x82\xAC\":1,"
                     "\"\xF0\x9F\x98\x80\":5,\"\xEF\xAC\xB3\":3}");
    bson_destroy(&doc);
}
END_TEST

START_TEST(of_equal_keys_the_last_one_counts)
{
    bson_t doc = BSON_INITIALIZER, *outer = bson_new();
    BSON_APPEND_INT32(&doc, "b", 1);
    BSON_APPEND_INT32(&doc, "a", 2);
    BSON_APPEND_INT32(&doc, "b", 3);
    BSON_APPEND_INT32(&doc, "x\xFF", 4); /* equal once they are valid */
    BSON_APPEND_INT32(&doc, "x\xFE", 5);
    BSON_APPEND_DOCUMENT(outer, "v", &doc);
    ck_assert_str_eq(json_of(outer), "{\"a\":2,\"b\":3,\"x\xEF\xBF\xBD\":5}");
    bson_destroy(&doc);
}
END_TEST

START_TEST(members_of_nested_objects_are_sorted_too)
{
    bson_t *doc = bson_new_from_json(
        (const uint8_t *)"{\"v\":[{\"b\":{\"d\":[],\"c\":{}},\"a\":[1,[2,{\"z\":1,\"y\":null}]]}]}", -1,
        NULL);
    ck_assert_str_eq(json_of(doc), "[{\"a\":[1,[2,{\"y\":null,\"z\":1}]],\"b\":{\"c\":{},\"d\":[]}}]");
}
END_TEST

static bson_t *nested(int levels)
{
    bson_t *inner = bson_new();
    for (int i = 0; i < levels; i++) {
        bson_t *outer = bson_new();
        BSON_APPEND_DOCUMENT(outer, "v", inner);
        bson_destroy(inner);
        inner = outer;
    }
    return inner;
}

START_TEST(nesting_has_a_limit)
{
    bson_iter_t iter;
    bson_t *deep = nested(JSON_MAX_DEPTH), *deeper = nested(JSON_MAX_DEPTH + 1);
    ck_assert(bson_iter_init_find(&iter, deep, "v") && json_put_value(&out, &iter));
    buf_clear(&out);
    ck_assert(bson_iter_init_find(&iter, deeper, "v") && !json_put_value(&out, &iter));
    bson_destroy(deep);
    bson_destroy(deeper);
}
END_TEST

START_TEST(a_capped_buffer_says_when_it_is_full)
{
    struct buf small;
    bson_iter_t iter;
    bson_t *doc = bson_new_from_json((const uint8_t *)"{\"v\":[\"0123456789\",{\"b\":1,\"a\":2}]}", -1, NULL);
    for (size_t cap = 1; cap < 26; cap++) {
        buf_init(&small, cap);
        ck_assert(bson_iter_init_find(&iter, doc, "v"));
        ck_assert_msg(!json_put_value(&small, &iter), "%zu", cap);
        buf_fini(&small);
    }
    bson_destroy(doc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tc = tcase_create("json");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, a_double_is_printed_as_ecmascript_does, 0,
                        (int)(sizeof numbers / sizeof *numbers));
    tcase_add_test(tc, every_double_reads_back_as_itself);
    tcase_add_test(tc, a_price_is_printed_as_it_is_written);
    tcase_add_loop_test(tc, a_date_is_iso_8601_in_utc_with_milliseconds, 0,
                        (int)(sizeof dates / sizeof *dates));
    tcase_add_test(tc, a_string_is_escaped_as_little_as_possible);
    tcase_add_test(tc, a_byte_to_escape_is_found_anywhere);
    tcase_add_loop_test(tc, invalid_utf8_becomes_the_replacement_character, 0,
                        (int)(sizeof invalid / sizeof *invalid));
    tcase_add_test(tc, every_bson_type_has_a_form);
    tcase_add_test(tc, keys_are_sorted_by_utf16_code_units);
    tcase_add_test(tc, of_equal_keys_the_last_one_counts);
    tcase_add_test(tc, members_of_nested_objects_are_sorted_too);
    tcase_add_test(tc, nesting_has_a_limit);
    tcase_add_test(tc, a_capped_buffer_says_when_it_is_full);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
