/* test_example.c - the plugin of docs/howto/plugin.md does what the guide says, built in the tree or
 * outside of it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "plugin/plugin.h"
#include "suite.h"

#define SET(k, v) ((struct plugin_setting){.key = (k), .value = (v), .where = "test.ini:9"})

static const char soup[] = "{\"_id\":1,\"id\":\"soup\",\"title\":\"Leek soup\",\"photo\":\"soup.jpg\","
                           "\"ingredients\":[{\"name\":\"leek\",\"grams\":300},{\"name\":\"potato\"}],"
                           "\"steps\":[{\"minutes\":10},{\"minutes\":25}],\"state\":\"STATE\"}";

static char problems[2000];

static void report(void *context, const char *problem)
{
    (void)context;
    snprintf(problems, sizeof problems, "%s", problem);
}

static struct made make_soup(const struct plugin_setting *settings, size_t count, const char *state)
{
    struct plugin_set *set;
    struct binding *b;
    struct lks_err err;
    char folder[1000], json[1000];
    const char *top = getenv("top_builddir"), *outside = getenv("LOCKSTEP_TEST_PLUGIN_FOLDER");
    char *absolute = realpath(top ? top : ".", NULL);
    ck_assert_ptr_nonnull(absolute);
    snprintf(folder, sizeof folder, "%s%s", outside ? outside : absolute, outside ? "" : "/docs/examples");
    free(absolute);
    ck_assert_msg(plugins_load(LIST(folder), LIST("recipes"), 1, &set, report, NULL, &err) == LKS_E_OK, "%s",
                  problems);
    struct binding_settings s = {.name = "meals",
                                 .plugin = "recipes",
                                 .where = "test.ini:1",
                                 .settings = settings,
                                 .setting_count = count,
                                 .source = "kitchen.recipes",
                                 .id_field = "id",
                                 .id_namespace = "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
                                 .max_text_bytes = 1000,
                                 .fingerprint = "f"};
    ck_assert_msg(binding_open(set, &s, &b, report, NULL, &err) == LKS_E_OK, "%s", problems);
    snprintf(json, sizeof json, "%.*s%s\"}", (int)(strstr(soup, "STATE") - soup), soup, state);
    struct made made = fixture_make(binding_collection(b), json);
    binding_close(b);
    plugins_free(set);
    return made;
}

START_TEST(the_example_makes_what_the_guide_shows)
{
    struct made made = make_soup(NULL, 0, "public");
    ck_assert_int_eq(made.kind, MADE_POINT);
    ck_assert_str_eq(made.text, "Recipe: Leek soup Leek soup Leek soup leek potato Made of leek and potato");
    ck_assert_str_eq(
        made.payload,
        "{\"collection\":\"meals\",\"id\":1,"
        "\"image\":\"soup.jpg\",\"ingredients\":[{\"name\":\"leek\"},{\"name\":\"potato\"}],\"minutes\":35,"
        "\"state\":\"public\",\"title\":\"Leek soup\"}");
    made_fini(&made);
}
END_TEST

START_TEST(drafts_have_no_point_unless_an_option_says_so)
{
    struct made made = make_soup(NULL, 0, "draft");
    ck_assert_int_eq(made.kind, MADE_NOTHING);
    made_fini(&made);
    made = make_soup((struct plugin_setting[]){SET("drafts", "yes")}, 1, "draft");
    ck_assert_int_eq(made.kind, MADE_POINT);
    made_fini(&made);
}
END_TEST

START_TEST(a_recipe_that_takes_too_long_is_refused_with_the_reason)
{
    struct made made = make_soup((struct plugin_setting[]){SET("max_minutes", "30")}, 1, "public");
    ck_assert_int_eq(made.kind, MADE_FAILED);
    ck_assert_int_eq(made.err->code, LKS_E_VALIDATION);
    ck_assert_ptr_nonnull(strstr(made.err->text, "collection `meals`, plugin `recipes`, payload_more()"));
    ck_assert_ptr_nonnull(strstr(made.err->text, "the steps take 35 minutes, more than 30"));
    made_fini(&made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("example");
    TCase *tc = tcase_create("example");
    tcase_add_test(tc, the_example_makes_what_the_guide_shows);
    tcase_add_test(tc, drafts_have_no_point_unless_an_option_says_so);
    tcase_add_test(tc, a_recipe_that_takes_too_long_is_refused_with_the_reason);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
