/* test_documents_json.c - documents as applications write them: what is refused, what a merge patch makes of
 * one. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "service/documents_json.h"
#include "suite.h"

static json_t *parse(const char *text)
{
    json_error_t wrong;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &wrong);
    ck_assert_msg(json != NULL, "%s: %s", text, wrong.text);
    return json;
}

static bson_t *bson(const char *text)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)text, -1, &error);
    ck_assert_msg(doc != NULL, "%s: %s", text, error.message);
    return doc;
}

static const struct {
    const char *body, *names; /* NULL: it is good */
} bodies[] = {
    {"{}", NULL},
    {"{\"id\": \"a\", \"n\": [1, 2.5, null, {\"x\": []}], \"\\u00fc\": true}", NULL},
    {"{\"syncMetadata\": {}}", "`syncMetadata`"},
    {"{\"_lockstep\": null}", "`_lockstep`"},
    {"{\"a\": {\"syncMetadata\": 1}}", NULL}, /* only at the top it is ours */
    {"{\"$set\": {\"a\": 1}}", "`$set`"},
    {"{\"a\": {\"$date\": \"2026-01-01\"}}", "`a.$date`"},
    {"{\"a\": [1, {\"b.c\": 1}]}", "`a.1.b.c`"},
    {"{\"\": 1}", "``"},
};

START_TEST(names_that_mongodb_or_lockstep_would_misread_are_refused)
{
    struct lks_err err = {.code = LKS_E_OK};
    json_t *body = parse(bodies[_i].body);
    enum lks_code code = document_check(body, &err);
    if (bodies[_i].names)
        ck_assert_msg(code == LKS_E_VALIDATION && strstr(err.text, bodies[_i].names), "%s: %s",
                      bodies[_i].body, err.text);
    else
        ck_assert_msg(code == LKS_E_OK, "%s: %s", bodies[_i].body, err.text);
    json_decref(body);
}
END_TEST

START_TEST(what_is_nested_too_deep_is_refused)
{
    struct lks_err err;
    for (int depth = 98; depth <= 100; depth++) {
        json_t *inner = json_integer(1);
        for (int i = 0; i < depth; i++) inner = json_pack("{s:o}", "a", inner);
        enum lks_code code = document_check(inner, &err);
        ck_assert_int_eq(code, depth <= 99 ? LKS_E_OK : LKS_E_VALIDATION);
        json_decref(inner);
    }
}
END_TEST

START_TEST(numbers_keep_their_kind)
{
    bson_t doc = BSON_INITIALIZER;
    json_t *value =
        parse("{\"a\": 1, \"b\": 2147483648, \"c\": 1.0, \"d\": \"1\", \"e\": -9223372036854775808}");
    ck_assert(document_append(&doc, "v", value));
    char *text = bson_as_canonical_extended_json(&doc, NULL);
    ck_assert_str_eq(text,
                     "{ \"v\" : { \"a\" : { \"$numberInt\" : \"1\" }, \"b\" : { \"$numberLong\" : "
                     "\"2147483648\" }, \"c\" : { \"$numberDouble\" : \"1.0\" }, \"d\" : \"1\", \"e\" : { "
                     "\"$numberLong\" : \"-9223372036854775808\" } } }");
    bson_free(text);
    bson_destroy(&doc);
    json_decref(value);
}
END_TEST

/* The examples of RFC 7396, appendix A, as far as documents can be such; and what BSON adds. */
static const struct {
    const char *document, *patch, *result, *changed;
} merges[] = {
    {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}", "a"},
    {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}", "b"},
    {"{\"a\":\"b\"}", "{\"a\":null}", "{}", "a"},
    {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}", "a"},
    {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}", "a"},
    {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}", "a"},
    {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}", "a.b"},
    {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}", "a"},
    {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}", "a"},
    {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}", "a a.bb"},
    {"{\"a\":1}", "{}", "{\"a\":1}", ""},
    {"{\"a\":1}", "{\"b\":null}", "{\"a\":1}", ""},
    {"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":3}}", "{\"a\":{\"b\":1,\"c\":3}}", "a.c"},
    {"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":2}}", "{\"a\":{\"b\":1,\"c\":2}}", ""},
    /* what reads as it did stays what it is */
    {"{\"a\":{\"$date\":\"2026-01-01T00:00:00Z\"}}", "{\"a\":\"2026-01-01T00:00:00.000Z\"}",
     "{\"a\":{\"$date\":\"2026-01-01T00:00:00Z\"}}", ""},
    {"{\"a\":{\"$oid\":\"0123456789abcdef01234567\"},\"b\":1}",
     "{\"a\":\"0123456789abcdef01234567\",\"b\":2}",
     "{\"a\":{\"$oid\":\"0123456789abcdef01234567\"},\"b\":2}", "b"},
    {"{\"a\":{\"when\":{\"$date\":\"2026-01-01T00:00:00Z\"},\"n\":1}}", "{\"a\":{\"n\":2}}",
     "{\"a\":{\"when\":{\"$date\":\"2026-01-01T00:00:00Z\"},\"n\":2}}", "a.n"},
    {"{\"a\":{\"$numberDouble\":\"5.0\"}}", "{\"a\":5}", "{\"a\":{\"$numberDouble\":\"5.0\"}}", ""},
};

/* $set and $unset, as the server would do them. */
static void apply(const bson_t *doc, const struct document_patch *patch, bson_t *out)
{
    bson_iter_t iter, other;
    ck_assert(bson_iter_init(&iter, doc));
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        if (bson_iter_init_find(&other, &patch->unset, key)) continue;
        if (bson_iter_init_find(&other, &patch->set, key))
            bson_append_iter(out, key, -1, &other);
        else
            bson_append_iter(out, key, -1, &iter);
    }
    ck_assert(bson_iter_init(&iter, &patch->set));
    while (bson_iter_next(&iter))
        if (!bson_iter_init_find(&other, doc, bson_iter_key(&iter)))
            bson_append_iter(out, bson_iter_key(&iter), -1, &iter);
}

START_TEST(a_merge_patch_changes_what_it_names_and_nothing_else)
{
    bson_t *doc = bson(merges[_i].document), *expected = bson(merges[_i].result), result = BSON_INITIALIZER;
    json_t *patch = parse(merges[_i].patch);
    struct document_patch merged;
    char changed[128] = "";
    bson_iter_t iter;
    ck_assert(document_merge(doc, patch, &merged));
    apply(doc, &merged, &result);
    char *is = bson_as_canonical_extended_json(&result, NULL);
    char *should = bson_as_canonical_extended_json(expected, NULL);
    ck_assert_str_eq(is, should);
    ck_assert(bson_iter_init(&iter, &merged.changed));
    while (bson_iter_next(&iter)) {
        if (*changed) strcat(changed, " ");
        strcat(changed, bson_iter_key(&iter));
    }
    ck_assert_str_eq(changed, merges[_i].changed);
    if (!*changed) ck_assert(bson_empty(&merged.set) && bson_empty(&merged.unset));
    document_patch_fini(&merged);
    bson_free(is);
    bson_free(should);
    bson_destroy(doc);
    bson_destroy(expected);
    bson_destroy(&result);
    json_decref(patch);
}
END_TEST

START_TEST(what_a_merge_rests_on_is_reported)
{
    bson_t *doc = bson("{\"a\":{\"b\":1},\"c\":7}");
    json_t *patch = parse("{\"a\":{\"b\":2},\"c\":8,\"d\":{\"e\":1}}");
    struct document_patch merged;
    bson_iter_t iter;
    ck_assert(document_merge(doc, patch, &merged));
    ck_assert(bson_iter_init_find(&iter, &merged.unchanged, "a") && BSON_ITER_HOLDS_DOCUMENT(&iter));
    ck_assert(bson_iter_init_find(&iter, &merged.unchanged, "d") && BSON_ITER_HOLDS_UNDEFINED(&iter));
    ck_assert(!bson_iter_init_find(&iter, &merged.unchanged, "c")); /* whatever it was, it is 8 now */
    document_patch_fini(&merged);
    bson_destroy(doc);
    json_decref(patch);
}
END_TEST

START_TEST(answers_hide_what_is_lockstep_s)
{
    bson_t *doc =
        bson("{\"_id\":{\"$oid\":\"0123456789abcdef01234567\"},\"syncMetadata\":{\"a\":1},\"_lockstep\":2,"
             "\"id\":\"x\",\"big\":{\"$numberLong\":\"9007199254740993\"}}");
    json_t *is = document_json(doc);
    char *text = json_dumps(is, JSON_COMPACT);
    ck_assert_str_eq(text,
                     "{\"_id\":\"0123456789abcdef01234567\",\"id\":\"x\",\"big\":\"9007199254740993\"}");
    free(text);
    json_decref(is);
    bson_destroy(doc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("documents_json");
    TCase *tc = tcase_create("documents");
    tcase_add_loop_test(tc, names_that_mongodb_or_lockstep_would_misread_are_refused, 0,
                        (int)(sizeof bodies / sizeof *bodies));
    tcase_add_test(tc, what_is_nested_too_deep_is_refused);
    tcase_add_test(tc, numbers_keep_their_kind);
    tcase_add_loop_test(tc, a_merge_patch_changes_what_it_names_and_nothing_else, 0,
                        (int)(sizeof merges / sizeof *merges));
    tcase_add_test(tc, what_a_merge_rests_on_is_reported);
    tcase_add_test(tc, answers_hide_what_is_lockstep_s);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
