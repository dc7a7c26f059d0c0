/* test_docid.c - ids of every type: printed, read back, compared as MongoDB sorts them. */
#include "base/docid.h"

#include "suite.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

/* In canonical Extended JSON, in MongoDB's order; equal ranks compare equal. */
static const struct {
    int rank;
    const char *json;
} order[] = {
    {0, "{\"$minKey\":1}"},
    {1, "{\"$undefined\":true}"},
    {2, "null"},
    {3, "{\"$numberDouble\":\"NaN\"}"},
    {3, "{\"$numberDecimal\":\"NaN\"}"},
    {4, "{\"$numberDouble\":\"-Infinity\"}"},
    {5, "{\"$numberDecimal\":\"-1E+6000\"}"},
    {6, "{\"$numberDouble\":\"-1e+300\"}"},
    {7, "{\"$numberLong\":\"-9223372036854775808\"}"},
    {8, "{\"$numberInt\":\"-1\"}"},
    {8, "{\"$numberDecimal\":\"-1.0\"}"},
    {9, "{\"$numberDouble\":\"-0.5\"}"},
    {10, "{\"$numberInt\":\"0\"}"},
    {10, "{\"$numberDouble\":\"-0.0\"}"},
    {10, "{\"$numberDecimal\":\"0E-10\"}"},
    {11, "{\"$numberDecimal\":\"1E-6000\"}"},
    {12, "{\"$numberDecimal\":\"0.1\"}"},
    {13, "{\"$numberDouble\":\"0.1\"}"}, /* a little more than a tenth */
    {14, "{\"$numberInt\":\"1\"}"},
    {14, "{\"$numberLong\":\"1\"}"},
    {14, "{\"$numberDouble\":\"1.0\"}"},
    {14, "{\"$numberDecimal\":\"1.00\"}"},
    {15, "{\"$numberDecimal\":\"12\"}"},
    {16, "{\"$numberDouble\":\"9007199254740992.0\"}"},
    {17, "{\"$numberLong\":\"9007199254740993\"}"},
    {18, "{\"$numberLong\":\"9223372036854775807\"}"},
    {19, "{\"$numberDouble\":\"9223372036854775808.0\"}"},
    {20, "{\"$numberDouble\":\"Infinity\"}"},
    {20, "{\"$numberDecimal\":\"Infinity\"}"},
    {21, "\"\""},
    {22, "\"a\""},
    {23, "\"a\\u0000b\""},
    {24, "\"ab\""},
    {24, "{\"$symbol\":\"ab\"}"},
    {25, "\"b\""},
    {26, "{}"},
    {27, "{\"b\":{\"$numberInt\":\"1\"}}"},
    {28, "{\"b\":{\"$numberInt\":\"1\"},\"c\":{\"$numberInt\":\"0\"}}"},
    {29, "{\"b\":{\"$numberInt\":\"2\"}}"},
    {30, "{\"c\":{\"$numberInt\":\"1\"}}"},
    {31, "{\"a\":\"x\"}"}, /* type first, then name */
    {32, "{\"$binary\":{\"base64\":\"\",\"subType\":\"00\"}}"},
    {33, "{\"$binary\":{\"base64\":\"/w==\",\"subType\":\"00\"}}"},
    {34, "{\"$binary\":{\"base64\":\"AA==\",\"subType\":\"05\"}}"},
    {35, "{\"$binary\":{\"base64\":\"AAA=\",\"subType\":\"00\"}}"},
    {36, "{\"$oid\":\"507f1f77bcf86cd799439011\"}"},
    {37, "{\"$oid\":\"507f1f77bcf86cd799439012\"}"},
    {38, "false"},
    {39, "true"},
    {40, "{\"$date\":{\"$numberLong\":\"-1\"}}"},
    {41, "{\"$date\":{\"$numberLong\":\"1\"}}"},
    {42, "{\"$timestamp\":{\"t\":1,\"i\":2}}"},
    {43, "{\"$timestamp\":{\"t\":4294967295,\"i\":1}}"},
    {44, "{\"$regularExpression\":{\"pattern\":\"a\",\"options\":\"\"}}"},
    {45, "{\"$regularExpression\":{\"pattern\":\"a\",\"options\":\"i\"}}"},
    {46, "{\"$dbPointer\":{\"$ref\":\"c\",\"$id\":{\"$oid\":\"507f1f77bcf86cd799439011\"}}}"},
    {47, "{\"$code\":\"f\"}"},
    {48, "{\"$code\":\"f\",\"$scope\":{}}"},
    {49, "{\"$code\":\"f\",\"$scope\":{\"x\":{\"$numberInt\":\"1\"}}}"},
    {50, "{\"$maxKey\":1}"},
};
#define ORDER_COUNT ((int)(sizeof order / sizeof *order))

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

/* What is equal to a value of another type, or written another way, and what it becomes. */
static const struct {
    const char *json, *canonical;
} equal[] = {
    {"{\"$numberLong\":\"1\"}", "{\"$numberInt\":\"1\"}"},
    {"{\"$numberLong\":\"-2147483648\"}", "{\"$numberInt\":\"-2147483648\"}"},
    {"{\"$numberLong\":\"2147483648\"}", "{\"$numberLong\":\"2147483648\"}"},
    {"{\"$numberDouble\":\"1.0\"}", "{\"$numberInt\":\"1\"}"},
    {"{\"$numberDouble\":\"-0.0\"}", "{\"$numberInt\":\"0\"}"},
    {"{\"$numberDouble\":\"3000000000.0\"}", "{\"$numberLong\":\"3000000000\"}"},
    {"{\"$numberDouble\":\"9007199254740992.0\"}", "{\"$numberLong\":\"9007199254740992\"}"},
    {"{\"$numberDouble\":\"9223372036854775808.0\"}", "{\"$numberDouble\":\"9223372036854775808.0\"}"},
    {"{\"$numberDouble\":\"-9223372036854775808.0\"}", "{\"$numberLong\":\"-9223372036854775808\"}"},
    {"{\"$numberDouble\":\"1.5\"}", "{\"$numberDouble\":\"1.5\"}"},
    {"{\"$numberDecimal\":\"1.00\"}", "{\"$numberInt\":\"1\"}"},
    {"{\"$numberDecimal\":\"-1.0\"}", "{\"$numberInt\":\"-1\"}"},
    {"{\"$numberDecimal\":\"0E-10\"}", "{\"$numberInt\":\"0\"}"},
    {"{\"$numberDecimal\":\"-0\"}", "{\"$numberInt\":\"0\"}"},
    {"{\"$numberDecimal\":\"12\"}", "{\"$numberInt\":\"12\"}"},
    {"{\"$numberDecimal\":\"Infinity\"}", "{\"$numberDouble\":\"Infinity\"}"},
    {"{\"$numberDecimal\":\"12E+2\"}", "{\"$numberInt\":\"1200\"}"},
    {"{\"$numberDecimal\":\"9223372036854775807\"}", "{\"$numberLong\":\"9223372036854775807\"}"},
    {"{\"$numberDecimal\":\"-9223372036854775808.0\"}", "{\"$numberLong\":\"-9223372036854775808\"}"},
    {"{\"$numberDecimal\":\"9223372036854775808\"}", "{\"$numberDouble\":\"9223372036854775808.0\"}"},
    {"{\"$numberDecimal\":\"9223372036854775809\"}", "{\"$numberDecimal\":\"9223372036854775809\"}"},
    {"{\"$numberDecimal\":\"1.50\"}", "{\"$numberDouble\":\"1.5\"}"},
    {"{\"$numberDecimal\":\"0.10\"}", "{\"$numberDecimal\":\"0.1\"}"},
    {"{\"$numberDecimal\":\"100E-3\"}", "{\"$numberDecimal\":\"0.1\"}"},
    {"{\"$numberDecimal\":\"1E+22\"}", "{\"$numberDouble\":\"1e+22\"}"},
    {"{\"$numberDecimal\":\"1E+23\"}", "{\"$numberDecimal\":\"1E+23\"}"}, /* no double is exactly that */
    {"{\"$numberDecimal\":\"100000000000000000000000E+0\"}", "{\"$numberDecimal\":\"1E+23\"}"},
    {"{\"$numberDecimal\":\"1E+6144\"}",
     "{\"$numberDecimal\":\"1.000000000000000000000000000000000E+6144\"}"},
    {"{\"$numberDecimal\":\"9.999999999999999999999999999999999E+6144\"}",
     "{\"$numberDecimal\":\"9.999999999999999999999999999999999E+6144\"}"},
    {"{\"$numberDecimal\":\"1E-6176\"}", "{\"$numberDecimal\":\"1E-6176\"}"},
    {"{\"$numberDecimal\":\"10E-6176\"}", "{\"$numberDecimal\":\"1E-6175\"}"},
    {"{\"$numberDecimal\":\"NaN\"}", "{\"$numberDouble\":\"NaN\"}"},
    {"{\"$numberDecimal\":\"-NaN\"}", "{\"$numberDouble\":\"NaN\"}"},
    {"{\"$numberDecimal\":\"-Infinity\"}", "{\"$numberDouble\":\"-Infinity\"}"},
    {"{\"$symbol\":\"ab\"}", "\"ab\""},
    {"{\"a\":{\"$numberDouble\":\"2.0\"},\"b\":[{\"$numberLong\":\"3\"}]}",
     "{\"a\":{\"$numberInt\":\"2\"},\"b\":[{\"$numberInt\":\"3\"}]}"},
};

static const char *canonical_of(const char *json)
{
    for (size_t i = 0; i < sizeof equal / sizeof *equal; i++)
        if (strcmp(equal[i].json, json) == 0) return equal[i].canonical;
    return json;
}

START_TEST(equal_values_are_one_id_in_the_narrowest_type)
{
    struct docid *id = docid_parse(equal[_i].json), *same = docid_parse(equal[_i].canonical);
    ck_assert_ptr_nonnull(id);
    char *json = docid_json(id);
    ck_assert_str_eq(json, equal[_i].canonical);
    ck_assert(docid_equal(id, same));
    ck_assert_int_eq(docid_compare(id, same), 0);
    free(json);
    docid_free(id);
    docid_free(same);
}
END_TEST

START_TEST(an_id_is_printed_in_canonical_extended_json_and_read_back)
{
    struct docid *id = docid_parse(order[_i].json);
    ck_assert_msg(id != NULL, "%s", order[_i].json);
    char *json = docid_json(id);
    struct docid *again = docid_parse(json);
    ck_assert(docid_equal(id, again));
    ck_assert_str_eq(json, canonical_of(order[_i].json));
    free(json);
    docid_free(id);
    docid_free(again);
}
END_TEST

START_TEST(ids_compare_as_mongodb_sorts_them)
{
    struct docid *a = docid_parse(order[_i].json);
    for (int i = 0; i < ORDER_COUNT; i++) {
        struct docid *b = docid_parse(order[i].json);
        ck_assert_msg(sign(docid_compare(a, b)) == sign(order[_i].rank - order[i].rank),
                      "%s against %s gave %d", order[_i].json, order[i].json, docid_compare(a, b));
        ck_assert_int_eq(docid_equal(a, b), order[i].rank == order[_i].rank);
        if (docid_equal(a, b)) ck_assert(docid_hash(a) == docid_hash(b));
        docid_free(b);
    }
    docid_free(a);
}
END_TEST

START_TEST(what_is_no_single_value_is_not_read)
{
    static const char *const bad[] = {"",    " ",    "{",         "}",    "1},{\"a\":1",       "1,2",
                                      "\"a", "a\"b", "1,\"b\":2", "[1]]", "{\"$oid\":\"xyz\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct docid *id = docid_parse(bad[i]);
        ck_assert_msg(id == NULL, "%s", bad[i]);
    }
}
END_TEST

static const struct {
    const char *json, *plain;
} plain[] = {
    {"{\"$oid\":\"507f1f77bcf86cd799439011\"}", "507f1f77bcf86cd799439011"},
    {"\"figma \\\"x\\\"\"", "figma \"x\""},
    {"\"\"", ""},
    {"{\"$numberInt\":\"7\"}", "7"},
    {"{\"$numberLong\":\"9007199254740993\"}", "9007199254740993"},
    {"{\"$numberDouble\":\"1.5\"}", "1.5"},
    {"{\"$numberDouble\":\"1e+25\"}", "1e+25"},
    {"{\"$numberDouble\":\"Infinity\"}", "{\"$numberDouble\":\"Infinity\"}"},
    {"true", "true"},
    {"{\"$numberDecimal\":\"1.50\"}", "1.5"},
    {"{\"$numberDecimal\":\"0.10\"}", "0.1"},
    {"{\"$date\":{\"$numberLong\":\"0\"}}", "{\"$date\":{\"$numberLong\":\"0\"}}"},
    {"{\"$binary\":{\"base64\":\"a6e4EJ2tEdGAtADAT9QwyA==\",\"subType\":\"04\"}}",
     "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
    {"{\"$binary\":{\"base64\":\"a6e4EJ2tEdGAtADAT9QwyA==\",\"subType\":\"03\"}}",
     "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
    {"{\"$binary\":{\"base64\":\"a6e4EJ2tEdGAtADAT9QwyA==\",\"subType\":\"00\"}}",
     "{\"$binary\":{\"base64\":\"a6e4EJ2tEdGAtADAT9QwyA==\",\"subType\":\"00\"}}"},
    {"{\"a\":{\"$numberInt\":\"1\"}}", "{\"a\":{\"$numberInt\":\"1\"}}"},
    {"null", "null"},
};

START_TEST(the_plain_form_is_what_a_person_writes)
{
    struct docid *id = docid_parse(plain[_i].json);
    ck_assert_ptr_nonnull(id);
    char *text = docid_plain(id);
    ck_assert_str_eq(text, plain[_i].plain);
    free(text);
    docid_free(id);
}
END_TEST

START_TEST(invalid_utf8_shows_as_the_replacement_character_and_stays_in_the_id)
{
    bson_t doc = BSON_INITIALIZER, copy = BSON_INITIALIZER;
    ck_assert(bson_append_utf8(&doc, "_id", 3, "a\xFF\0b", 4));
    struct docid *id = docid_of(&doc), *twin = docid_copy(id);
    char *json = docid_json(id), *text = docid_plain(id);
    ck_assert_str_eq(json, "\"a\xEF\xBF\xBD\\u0000b\"");
    ck_assert_str_eq(text, "a\xEF\xBF\xBD");
    ck_assert(docid_equal(id, twin));
    ck_assert(docid_append(id, &copy, "_id"));
    ck_assert(bson_equal(&doc, &copy));
    free(json);
    free(text);
    docid_free(id);
    docid_free(twin);
    bson_destroy(&doc);
    bson_destroy(&copy);
}
END_TEST

START_TEST(a_document_without_an_id_has_none)
{
    bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_INT32(&doc, "id", 1);
    ck_assert_ptr_null(docid_of(&doc));
    bson_destroy(&doc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("docid");
    TCase *tc = tcase_create("docid");
    tcase_add_loop_test(tc, an_id_is_printed_in_canonical_extended_json_and_read_back, 0, ORDER_COUNT);
    tcase_add_loop_test(tc, equal_values_are_one_id_in_the_narrowest_type, 0,
                        (int)(sizeof equal / sizeof *equal));
    tcase_add_loop_test(tc, ids_compare_as_mongodb_sorts_them, 0, ORDER_COUNT);
    tcase_add_test(tc, what_is_no_single_value_is_not_read);
    tcase_add_loop_test(tc, the_plain_form_is_what_a_person_writes, 0, (int)(sizeof plain / sizeof *plain));
    tcase_add_test(tc, invalid_utf8_shows_as_the_replacement_character_and_stays_in_the_id);
    tcase_add_test(tc, a_document_without_an_id_has_none);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
