/* test_touches.c - what a changed field may alter, what is read of documents, and the digest of what decides.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "collection/collection.h"
#include "collection/path.h"
#include "fixture.h"
#include "suite.h"

static const struct {
    const char *changed;
    enum collection_resync resync[MODEL_COUNT]; /* of the model case */
} model[] = {
#define N COLLECTION_UNTOUCHED
#define P COLLECTION_TOUCHES_PAYLOAD
#define T COLLECTION_TOUCHES_TEXT
    {"categories", {P, T, P, P}},
    {"categories.0", {P, T, P, P}},
    {"website", {P, P, P, P}},
    {"name", {T, P, P, P}},
    {"description", {T, N, N, N}},
    {"pricing", {P, P, P, P}},
    {"pricing.2.price", {P, P, P, P}},
    {"pricingModel", {P, P, P, T}},
    {"contributor", {N, N, N, N}},
    {"lastUpdated", {N, N, N, N}},
    {"namespace", {N, N, N, N}},
    {"nam", {N, N, N, N}},
    {"syncMetadata.overallStatus", {N, N, N, N}},
    {"id", {T, T, T, T}},
    {"_id", {T, T, T, T}},
};

START_TEST(a_change_touches_the_collections_that_read_the_field)
{
    for (int i = 0; i < MODEL_COUNT; i++) {
        struct collection *c = fixture_collection(model_names[i], &model_lists[i]);
        ck_assert_msg(collection_touches(c, model[_i].changed) == model[_i].resync[i], "%s in %s",
                      model[_i].changed, model_names[i]);
        fixture_free(c);
    }
}
END_TEST

static const struct {
    const char *path, *changed;
    bool resynced;
} paths[] = {
    {"a", "a", true},         {"a", "a.b", true},           {"a", "a.0", true},
    {"a.b", "a", true},       {"a.b", "a.b", true},         {"a.b", "a.c", false},
    {"a.b", "a.0", true},     {"a.b", "a.0.b", true},       {"a.b", "a.0.c", false},
    {"a.b", "a.0.1.b", true}, {"a.b.c", "a.1.b.2.c", true}, {"a.b.c", "a.1.b.2.d", false},
    {"a.0", "a.0.x", true},   {"a", "ab", false},           {"ab", "a", false},
    {"a.b", "b", false},      {"a.b", "a.00.b", false},     {"a.10.b", "a.10.b", true},
};

START_TEST(a_path_notices_changes_above_below_and_inside_arrays)
{
    ck_assert_msg(path_resynced(paths[_i].path, paths[_i].changed) == paths[_i].resynced, "%s, %s",
                  paths[_i].path, paths[_i].changed);
}
END_TEST

START_TEST(reads_of_a_plugin_touch_the_payload)
{
    struct declaration_lists lists = {.watched = LIST("w"), .reads = LIST("r.s")};
    struct collection *c = fixture_collection("c", &lists);
    ck_assert_int_eq(collection_touches(c, "r.s.t"), COLLECTION_TOUCHES_PAYLOAD);
    ck_assert_int_eq(collection_touches(c, "r.x"), COLLECTION_UNTOUCHED);
    fixture_free(c);
}
END_TEST

START_TEST(the_projection_is_the_union_of_top_level_names)
{
    struct declaration_lists a = {.watched = LIST("w.x", "b"), .payload = LIST("w", "z.0")};
    struct declaration_lists b = {.watched = LIST("w.y"), .reads = LIST("r")};
    struct collection *first = fixture_collection("a", &a), *second = fixture_collection("b", &b);
    char **names = collection_fields((const struct collection *const[]){first, second}, 2);
    static const char *const expected[] = {"_id", "b", "id", "r", "w", "z", NULL};
    for (size_t i = 0; expected[i]; i++) ck_assert_str_eq(names[i], expected[i]);
    ck_assert_ptr_null(names[sizeof expected / sizeof *expected - 1]);
    free(names);
    fixture_free(first);
    fixture_free(second);
}
END_TEST

static const struct {
    const char *doc, *shown;
} projections[] = {
    {"{\"a\":{\"b\":1,\"c\":2},\"d\":3,\"e\":4}", "{\"a\":{\"b\":1},\"d\":3}"},
    {"{\"a\":[{\"b\":1,\"c\":2},5,{\"c\":3},[{\"b\":9}]]}", "{\"a\":[{\"b\":1},null,{},null]}"},
    {"{\"a\":7}", "{}"},
    {"{\"f\":[1,2,3]}", "{\"f\":[null,2,null]}"},
};

START_TEST(a_projection_shows_what_the_paths_reach_and_no_more)
{
    static const char *const wanted[] = {"a.b", "d", "f.1"};
    bson_t *doc = fixture_doc(projections[_i].doc), *shown = fixture_doc(projections[_i].shown);
    bson_t out = BSON_INITIALIZER;
    bson_iter_t iter;
    ck_assert(bson_iter_init(&iter, doc));
    ck_assert(path_project(&iter, wanted, 3, &out));
    ck_assert(bson_equal(&out, shown));
    bson_destroy(&out);
    bson_destroy(doc);
    bson_destroy(shown);
}
END_TEST

START_TEST(the_digest_changes_with_anything_that_decides_points)
{
    struct declaration_lists base = {.watched = LIST("w 2"), .sentences = LIST("{w}"), .payload = LIST("p")};
    struct declaration_lists other[] = {
        {.watched = LIST("w 3"), .sentences = LIST("{w}"), .payload = LIST("p")},
        {.watched = LIST("w 2"), .sentences = LIST("{w|/}"), .payload = LIST("p")},
        {.watched = LIST("w 2"), .sentences = LIST("{w} "), .payload = LIST("p")},
        {.watched = LIST("w 2"), .payload = LIST("p")},
        {.watched = LIST("w 2"), .sentences = LIST("{w}"), .payload = LIST("p as q")},
        {.watched = LIST("w 2", "x"), .sentences = LIST("{w}"), .payload = LIST("p")},
    };
    struct collection *c = fixture_collection("c", &base);
    char digest[SHA256_HEX_BYTES], changed[SHA256_HEX_BYTES];
    ck_assert(collection_digest(c, digest));
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        struct collection *d = fixture_collection("c", &other[i]);
        ck_assert(collection_digest(d, changed));
        ck_assert_str_ne(digest, changed);
        fixture_free(d);
    }
    struct collection copies[9];
    for (size_t i = 0; i < 9; i++) copies[i] = *c;
    copies[0].plugin = "other";
    copies[1].plugin_version = "2";
    copies[2].fingerprint = "other";
    copies[3].source = "other";
    copies[4].id_field = "other";
    copies[5].id_namespace[3] ^= 1;
    copies[6].id_scheme = COLLECTION_PREFIXED_SHA1;
    copies[6].id_prefix = "p";
    copies[7].options = LIST("a=b");
    copies[8].max_text_bytes++;
    for (size_t i = 0; i < 9; i++) {
        ck_assert(collection_digest(&copies[i], changed));
        ck_assert_msg(strcmp(digest, changed) != 0, "%zu", i);
    }
    struct collection *twin = fixture_collection("c", &base);
    ck_assert(collection_digest(twin, changed));
    ck_assert_str_eq(digest, changed);
    fixture_free(twin);
    fixture_free(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("touches");
    TCase *tc = tcase_create("touches");
    tcase_add_loop_test(tc, a_change_touches_the_collections_that_read_the_field, 0, COUNT(model));
    tcase_add_loop_test(tc, a_path_notices_changes_above_below_and_inside_arrays, 0, COUNT(paths));
    tcase_add_test(tc, reads_of_a_plugin_touch_the_payload);
    tcase_add_test(tc, the_projection_is_the_union_of_top_level_names);
    tcase_add_loop_test(tc, a_projection_shows_what_the_paths_reach_and_no_more, 0, COUNT(projections));
    tcase_add_test(tc, the_digest_changes_with_anything_that_decides_points);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
