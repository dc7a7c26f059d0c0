/* test_search_filter.c - filters as a person writes them, as Qdrant reads them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "service/search.h"
#include "suite.h"

#define TEXT(field, value) "{\"key\":\"" field "\",\"match\":{\"value\":\"" value "\"}}"

static const struct {
    const char *terms[4];
    const char *filter;
} good[] = {
    {{"status:active"}, "{\"must\":[{\"should\":[" TEXT("status", "active") "]}]}"},
    {{"a:x", "b:y", "a:z"},
     "{\"must\":[{\"should\":[" TEXT("a", "x") "," TEXT("a", "z") "]},{\"should\":[" TEXT("b", "y") "]}]}"},
    {{"url:https://x.example/"}, "{\"must\":[{\"should\":[" TEXT("url", "https://x.example/") "]}]}"},
    {{"pricing[].price:10"},
     "{\"must\":[{\"should\":[" TEXT(
         "pricing[].price", "10") ",{\"key\":\"pricing[].price\",\"range\":{\"gte\":10.0,\"lte\":10.0}}]}]}"},
    {{"free:true"},
     "{\"must\":[{\"should\":[" TEXT("free", "true") ",{\"key\":\"free\",\"match\":{\"value\":true}}]}]}"},
    {{"version:1.2.3"}, "{\"must\":[{\"should\":[" TEXT("version", "1.2.3") "]}]}"},
};

START_TEST(terms_of_one_field_are_alternatives_and_fields_are_conditions)
{
    struct lks_err err;
    char *filter;
    size_t count = 0;
    while (count < 4 && good[_i].terms[count]) count++;
    ck_assert_msg(search_filter(good[_i].terms, count, &filter, &err) == LKS_E_OK, "%s", err.text);
    ck_assert_str_eq(filter, good[_i].filter);
    free(filter);
}
END_TEST

static const char *const bad[] = {"",      "status", ":x", "status:", "_lockstep.doc:x", "_lockstep:x",
                                  "a b:x", "a\"b:x"};

START_TEST(what_is_no_term_is_refused)
{
    struct lks_err err;
    char *filter;
    ck_assert_int_eq(search_filter(&bad[_i], 1, &filter, &err), LKS_E_VALIDATION);
    ck_assert_ptr_null(filter);
}
END_TEST

START_TEST(nothing_filters_nothing_and_too_much_is_refused)
{
    struct lks_err err;
    const char *many[33];
    char *filter;
    for (size_t i = 0; i < 33; i++) many[i] = "a:b";
    ck_assert_int_eq(search_filter(NULL, 0, &filter, &err), LKS_E_OK);
    ck_assert_ptr_null(filter);
    ck_assert_int_eq(search_filter(many, 33, &filter, &err), LKS_E_VALIDATION);
    ck_assert_int_eq(search_filter(many, 32, &filter, &err), LKS_E_OK);
    free(filter);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search_filter");
    TCase *tc = tcase_create("filters");
    tcase_add_loop_test(tc, terms_of_one_field_are_alternatives_and_fields_are_conditions, 0,
                        (int)(sizeof good / sizeof *good));
    tcase_add_loop_test(tc, what_is_no_term_is_refused, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(tc, nothing_filters_nothing_and_too_much_is_refused);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
