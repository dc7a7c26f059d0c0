/* test_text.c - the text that is embedded, from orderly and from messy documents. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "collection/collection.h"
#include "fixture.h"
#include "suite.h"

START_TEST(the_model_case_gives_the_texts_of_the_contract)
{
    struct collection *c = fixture_collection(model_names[_i], &model_lists[_i]);
    struct made made = fixture_make(c, figma);
    ck_assert_int_eq(made.kind, MADE_POINT);
    ck_assert_str_eq(made.text, figma_texts[_i]);
    ck_assert_uint_eq(made.text_bytes, strlen(made.text));
    made_fini(&made);
    fixture_free(c);
}
END_TEST

/* The field `x` with weight 1, then a sentence about it. */
static const struct {
    const char *x, *text; /* NULL: no point */
} values[] = {
    {"\"one\"", "one (one)"},
    {"\"\"", NULL},
    {"\" \\t\\n\"", NULL},
    {"\"\xC2\xA0\xE3\x80\x80\xEF\xBB\xBF\"", NULL}, /* white space of other scripts */
    {"\" padded \"", " padded  ( padded )"},        /* nothing is trimmed */
    {"null", NULL},
    {"{}", NULL},
    {"{\"a\":\"b\"}", NULL},
    {"[]", NULL},
    {"[\"a\",\"b\"]", "a b (a, b)"},
    {"[\"a\",null,\"\",[\"b\",[\"c\",{}]],{\"d\":1},2]", "a b c 2 (a, b, c, 2)"},
    {"1", "1 (1)"},
    {"-1", "-1 (-1)"},
    {"0", "0 (0)"},
    {"1.0", "1 (1)"},
    {"1.50", "1.5 (1.5)"},
    {"1e21", "1e+21 (1e+21)"},
    {"{\"$numberLong\":\"9223372036854775807\"}", "9223372036854775807 (9223372036854775807)"},
    {"{\"$numberDecimal\":\"1.50\"}", "1.50 (1.50)"},
    {"{\"$numberDecimal\":\"NaN\"}", NULL},
    {"{\"$numberDouble\":\"NaN\"}", NULL},
    {"{\"$numberDouble\":\"Infinity\"}", NULL},
    {"true", "true (true)"},
    {"false", "false (false)"},
    {"{\"$oid\":\"507f1f77bcf86cd799439011\"}", "507f1f77bcf86cd799439011 (507f1f77bcf86cd799439011)"},
    {"{\"$date\":{\"$numberLong\":\"0\"}}", "1970-01-01T00:00:00.000Z (1970-01-01T00:00:00.000Z)"},
    {"{\"$symbol\":\"s\"}", "s (s)"},
    {"{\"$binary\":{\"base64\":\"AAAA\",\"subType\":\"00\"}}", NULL},
    {"{\"$regularExpression\":{\"pattern\":\"a\",\"options\":\"\"}}", NULL},
    {"{\"$minKey\":1}", NULL},
};

START_TEST(a_field_of_any_type_gives_its_values)
{
    struct declaration_lists lists = {.watched = LIST("x"), .sentences = LIST("({x})")};
    struct collection *c = fixture_collection("c", &lists);
    char json[300];
    snprintf(json, sizeof json, "{\"_id\":1,\"id\":\"i\",\"x\":%s}", values[_i].x);
    struct made made = fixture_make(c, json);
    ck_assert_int_eq(made.kind, values[_i].text ? MADE_POINT : MADE_NOTHING);
    if (values[_i].text) ck_assert_str_eq(made.text, values[_i].text);
    if (!values[_i].text) ck_assert_ptr_null(made.text);
    ck_assert_str_eq(made.key, "i");
    ck_assert_uint_eq(strlen(made.point_id), 36);
    made_fini(&made);
    fixture_free(c);
}
END_TEST

static const struct {
    const char *weight, *text;
} weights[] = {
    {"", "a b"},         {"1", "a b"},   {"2", "a a b b"}, {"2.5", "a a a b b b"},
    {"1.01", "a a b b"}, {"0.5", "a b"}, {"0", NULL},      {"3.0", "a a a b b b"},
};

START_TEST(a_weight_repeats_each_value_and_a_fraction_once_more)
{
    char watched[32];
    snprintf(watched, sizeof watched, "x %s", weights[_i].weight);
    struct declaration_lists lists = {.watched = LIST(watched, "y")};
    struct collection *c = fixture_collection("c", &lists);
    struct made made = fixture_make(c, "{\"_id\":1,\"id\":\"i\",\"x\":[\"a\",\"b\"]}");
    ck_assert_int_eq(made.kind, weights[_i].text ? MADE_POINT : MADE_NOTHING);
    if (weights[_i].text) ck_assert_str_eq(made.text, weights[_i].text);
    made_fini(&made);
    fixture_free(c);
}
END_TEST

static const struct {
    const char *sentence, *text;
} sentences[] = {
    {"{x} and {y}", "a, b and c"},
    {"{x|/}{y}", "a/bc"},
    {"{x|}", "ab"},
    {"{x}, {z}", NULL},
    {"{{{y}}}", "{c}"},
    {"}}{y}{{", "}c{"},
    {"{y} {y}", "c c"},
    {"{d.e}", "f, g"},
    {"{d.0.e}!", "f!"},
    {"{d.1.e| - }", "g"},
    {"{y|\xFF}.", "c."},
};

START_TEST(a_sentence_needs_all_its_fields)
{
    struct declaration_lists lists = {.watched = LIST("x 0", "y 0", "z 0", "d.e 0", "d.0.e 0", "d.1.e 0"),
                                      .sentences = LIST(sentences[_i].sentence)};
    struct collection *c = fixture_collection("c", &lists);
    struct made made = fixture_make(
        c, "{\"_id\":1,\"id\":\"i\",\"x\":[\"a\",\"b\"],\"y\":\"c\",\"d\":[{\"e\":\"f\"},{\"e\":\"g\"},3]}");
    ck_assert_int_eq(made.kind, sentences[_i].text ? MADE_POINT : MADE_NOTHING);
    if (sentences[_i].text) ck_assert_str_eq(made.text, sentences[_i].text);
    made_fini(&made);
    fixture_free(c);
}
END_TEST

START_TEST(invalid_utf8_becomes_the_replacement_character)
{
    struct declaration_lists lists = {.watched = LIST("x 2")};
    struct collection *c = fixture_collection("c", &lists);
    struct made made;
    bson_t *doc = fixture_doc("{\"_id\":1,\"id\":\"i\"}");
    ck_assert(bson_append_utf8(doc, "x", 1, "a\xF0\x9F\x98 \xFF", 6));
    collection_make(c, doc, &made);
    ck_assert_str_eq(made.text, "a\xEF\xBF\xBD \xEF\xBF\xBD a\xEF\xBF\xBD \xEF\xBF\xBD");
    made_fini(&made);
    bson_destroy(doc);
    fixture_free(c);
}
END_TEST

START_TEST(a_long_text_is_cut_at_a_character_wherever_the_cap_falls)
{
    static const char whole[] =
        "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 \xEF\xBF\xBD";
    struct declaration_lists lists = {.watched = LIST("x 2", "y")};
    struct collection *c = fixture_collection("c", &lists);
    bson_t *doc = fixture_doc("{\"_id\":1,\"id\":\"i\",\"x\":\"a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"}");
    ck_assert(bson_append_utf8(doc, "y", 1, "\xFF", 1));
    for (size_t max = 1; max <= sizeof whole; max++) {
        struct made made;
        c->max_text_bytes = max;
        collection_make(c, doc, &made);
        size_t expected = utf8_cut(whole, sizeof whole - 1, max);
        ck_assert_uint_eq(made.text_bytes, expected);
        ck_assert(memcmp(made.text, whole, expected) == 0);
        made_fini(&made);
    }
    bson_destroy(doc);
    fixture_free(c);
}
END_TEST

START_TEST(a_megabyte_is_cut_to_the_cap)
{
    struct declaration_lists lists = {.watched = LIST("x 3")};
    struct collection *c = fixture_collection("c", &lists);
    size_t bytes = (size_t)1 << 20;
    char *big = malloc(bytes);
    struct made made;
    bson_t *doc = fixture_doc("{\"_id\":1,\"id\":\"i\"}");
    memset(big, 'x', bytes);
    ck_assert(bson_append_utf8(doc, "x", 1, big, (int)bytes));
    collection_make(c, doc, &made);
    ck_assert_uint_eq(made.text_bytes, c->max_text_bytes);
    made_fini(&made);
    bson_destroy(doc);
    free(big);
    fixture_free(c);
}
END_TEST

START_TEST(deep_nesting_is_no_danger)
{
    struct declaration_lists lists = {.watched = LIST("x", "x.x.x")};
    struct collection *c = fixture_collection("c", &lists);
    bson_t *inner = fixture_doc("{\"0\":\"end\"}");
    for (int i = 0; i < 3001; i++) {
        bson_t *outer = bson_new();
        const char *key = i % 2 ? "0" : "x"; /* what is named "0" goes into an array */
        if (i % 2) BSON_APPEND_DOCUMENT(outer, key, inner);
        if (i % 2 == 0) BSON_APPEND_ARRAY(outer, key, inner);
        bson_destroy(inner);
        inner = outer;
    }
    BSON_APPEND_UTF8(inner, "id", "i");
    struct made made;
    collection_make(c, inner, &made);
    ck_assert_int_eq(made.kind, MADE_NOTHING);
    made_fini(&made);
    bson_destroy(inner);
    fixture_free(c);
}
END_TEST

static void count_problem(void *context, const char *text)
{
    (void)text;
    ++*(int *)context;
}

/* Lists that can't be read, and how many problems each has. */
static const struct {
    struct declaration_lists lists;
    int problems;
} bad[] = {
    {{.watched = NULL}, 1},
    {{.watched = (const char *const[]){NULL}}, 1},
    {{.watched = (const char *const[]){"a x", NULL}}, 1},
    {{.watched = (const char *const[]){"a -1", NULL}}, 1},
    {{.watched = (const char *const[]){"a 101", NULL}}, 1},
    {{.watched = (const char *const[]){"a 1 2", NULL}}, 1},
    {{.watched = (const char *const[]){"a 1..5", "b .", NULL}}, 2},
    {{.watched = (const char *const[]){"a", "a 2", NULL}}, 1},
    {{.watched = (const char *const[]){"a..b", ".a", "a.", "$a", "", NULL}}, 5},
    {{.watched = (const char *const[]){"syncMetadata.overallStatus", NULL}}, 1},
    {{.watched = (const char *const[]){"a 0", NULL}}, 1},
    {{.watched = (const char *const[]){"a", NULL}, .sentences = (const char *const[]){"{b}", NULL}}, 1},
    {{.watched = (const char *const[]){"a", NULL}, .sentences = (const char *const[]){"plain", NULL}}, 1},
    {{.watched = (const char *const[]){"a", NULL},
      .sentences = (const char *const[]){"{a", "a}", "", "{}", NULL}},
     4},
    {{.watched = (const char *const[]){"a", NULL},
      .payload = (const char *const[]){"a as", "a b", "a as b c", NULL}},
     3},
    {{.watched = (const char *const[]){"a", NULL},
      .payload = (const char *const[]){"id", "a as collection", NULL}},
     2},
    {{.watched = (const char *const[]){"a", NULL},
      .payload = (const char *const[]){"b as x", "c as x", NULL}},
     1},
    {{.watched = (const char *const[]){"a", NULL},
      .payload = (const char *const[]){"b.c", "d as b", "e as f", "f.g", NULL}},
     2},
    {{.watched = (const char *const[]){"a", NULL},
      .payload = (const char *const[]){"b as c.d", "id.x", "_lockstep.doc", NULL}},
     3},
    {{.watched = (const char *const[]){"a", NULL}, .reads = (const char *const[]){"b c", "", NULL}}, 2},
};

START_TEST(every_mistake_in_a_declaration_is_reported)
{
    struct declaration *d = NULL;
    int problems = 0;
    ck_assert_int_eq(declaration_new(&d, &bad[_i].lists, "id", false, count_problem, &problems),
                     LKS_E_CONFIG);
    ck_assert_ptr_null(d);
    ck_assert_int_eq(problems, bad[_i].problems);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tc = tcase_create("text");
    tcase_add_loop_test(tc, the_model_case_gives_the_texts_of_the_contract, 0, MODEL_COUNT);
    tcase_add_loop_test(tc, a_field_of_any_type_gives_its_values, 0, COUNT(values));
    tcase_add_loop_test(tc, a_weight_repeats_each_value_and_a_fraction_once_more, 0, COUNT(weights));
    tcase_add_loop_test(tc, a_sentence_needs_all_its_fields, 0, COUNT(sentences));
    tcase_add_test(tc, invalid_utf8_becomes_the_replacement_character);
    tcase_add_test(tc, a_long_text_is_cut_at_a_character_wherever_the_cap_falls);
    tcase_add_test(tc, a_megabyte_is_cut_to_the_cap);
    tcase_add_test(tc, deep_nesting_is_no_danger);
    tcase_add_loop_test(tc, every_mistake_in_a_declaration_is_reported, 0, COUNT(bad));
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
