/*
 * test_memory_documents.c - memory is out once while a document's text and payload are made: both are whole,
 * or it failed for now, and is tried again. A document is refused for good by what it says alone.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fault/torture.h"
#include "plugin/plugin.h"
#include "unit/fixture.h"
#include "unit/suite.h"

#define MOST 3000 /* allocations, of which there have to be fewer */

static const char soup[] = "{\"_id\":1,\"id\":\"soup\",\"title\":\"Leek soup\",\"photo\":\"soup.jpg\","
                           "\"ingredients\":[{\"name\":\"leek\",\"grams\":300},{\"name\":\"potato\"}],"
                           "\"steps\":[{\"minutes\":10},{\"minutes\":25}],\"state\":\"public\"}";

static char reported[2000];

static void report(void *context, const char *problem)
{
    (void)context;
    snprintf(reported, sizeof reported, "%s", problem);
}

static const struct built {
    const char *folder, *plugin;
} guide = {"docs/examples", "recipes"}, probe = {"tests/unit", "probe"};

/* Its folder in the build tree, for as long as no other is asked for. */
static const char *folder_of(const struct built *built)
{
    static char folder[1000];
    const char *top = getenv("top_builddir");
    char *absolute = realpath(top ? top : ".", NULL);
    ck_assert_ptr_nonnull(absolute);
    snprintf(folder, sizeof folder, "%s/%s", absolute, built->folder);
    free(absolute);
    return folder;
}

static enum lks_code load(const char *folder, const char *plugin, struct plugin_set **set)
{
    struct lks_err err;
    *reported = '\0';
    enum lks_code code = plugins_load(LIST(folder), LIST(plugin), 1, set, report, NULL, &err);
    if (code && !*reported) snprintf(reported, sizeof reported, "%s", err.text);
    return code;
}

static void make_without_each(const struct collection *c, const char *json)
{
    bson_t *doc = fixture_doc(json);
    struct made whole, made;
    collection_make(c, doc, &whole);
    ck_assert_int_eq(whole.kind, MADE_POINT);
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        torture_arm(TORTURE_ALLOCATION, n);
        collection_make(c, doc, &made);
        struck = torture_disarm();
        if (made.kind == MADE_POINT) {
            ck_assert_str_eq(made.text, whole.text);
            ck_assert_str_eq(made.payload, whole.payload);
            ck_assert_str_eq(made.point_id, whole.point_id);
        } else {
            ck_assert_int_eq(made.kind, MADE_FAILED);
            ck_assert_msg(struck && (!made.err || made.err->code != LKS_E_VALIDATION),
                          "without allocation %ld it is refused for good: %s", n, made.err->text);
        }
        made_fini(&made);
    }
    ck_assert_int_gt(n, 3);
    ck_assert_int_lt(n, MOST);
    made_fini(&whole);
    bson_destroy(doc);
}

START_TEST(a_document_of_a_plugin_is_not_refused_for_good)
{
    struct plugin_set *set;
    struct binding *b;
    struct lks_err err;
    ck_assert_msg(load(folder_of(&guide), guide.plugin, &set) == LKS_E_OK, "%s", reported);
    struct binding_settings s = {.name = "meals",
                                 .plugin = "recipes",
                                 .where = "test.ini:1",
                                 .source = "kitchen.recipes",
                                 .id_field = "id",
                                 .id_namespace = "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
                                 .max_text_bytes = 1000,
                                 .fingerprint = "f"};
    ck_assert_msg(binding_open(set, &s, &b, report, NULL, &err) == LKS_E_OK, "%s", reported);
    make_without_each(binding_collection(b), soup);
    binding_close(b);
    plugins_free(set);
}
END_TEST

START_TEST(a_document_of_a_declaration_is_not_refused_for_good)
{
    struct collection *c = fixture_collection("tools", &model_lists[TOOLS]);
    make_without_each(c, figma);
    fixture_free(c);
}
END_TEST

START_TEST(a_declaration_that_cannot_be_read_is_not_said_to_be_wrong)
{
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        struct declaration *d;
        *reported = '\0';
        torture_arm(TORTURE_ALLOCATION, n);
        enum lks_code code = declaration_new(&d, &model_lists[TOOLS], "id", 0, report, NULL);
        struck = torture_disarm();
        ck_assert_int_eq(code, struck ? LKS_E_NOMEM : LKS_E_OK);
        ck_assert_msg(!*reported || strstr(reported, "out of memory"), "%s", reported);
        declaration_free(d);
    }
    ck_assert_int_gt(n, 5);
    ck_assert_int_lt(n, MOST);
}
END_TEST

START_TEST(a_plugin_that_cannot_be_read_is_not_said_to_be_missing_or_wrong)
{
    const struct built *built = _i % 2 ? &probe : &guide;
    enum torture_kind kind = _i < 2 ? TORTURE_ALLOCATION : TORTURE_CALL;
    const char *folder = folder_of(built), *plugin = built->plugin;
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        struct plugin_set *set;
        torture_arm(kind, n);
        enum lks_code code = load(folder, plugin, &set);
        struck = torture_disarm();
        ck_assert(struck || code == LKS_E_OK);
        bool honest = kind == TORTURE_ALLOCATION
                          ? strstr(reported, "out of memory") != NULL
                          : *reported && !strstr(reported, "there is no") && !strstr(reported, "which is no");
        ck_assert_msg(code == LKS_E_OK || honest, "%s", reported);
        plugins_free(set);
    }
    ck_assert_int_gt(n, 4);
    ck_assert_int_lt(n, MOST);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory_documents");
    TCase *tc = tcase_create("memory_documents");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_document_of_a_plugin_is_not_refused_for_good);
    tcase_add_test(tc, a_document_of_a_declaration_is_not_refused_for_good);
    tcase_add_test(tc, a_declaration_that_cannot_be_read_is_not_said_to_be_wrong);
    tcase_add_loop_test(tc, a_plugin_that_cannot_be_read_is_not_said_to_be_missing_or_wrong, 0, 4);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
