/* test_record.c - records as plain data: copies stand alone, the worst entry decides. */
#include "model/record.h"

#include "suite.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(an_absent_record_counts_as_pending)
{
    struct record r;
    ck_assert(record_init(&r, 2));
    ck_assert(!r.present);
    ck_assert_int_eq(r.entries[1].status, SYNC_PENDING);
    ck_assert(r.entries[1].next_retry_ms == NO_TIME);
    ck_assert_int_eq(record_overall(&r), SYNC_PENDING);
    record_fini(&r);
}
END_TEST

static const struct {
    enum sync_status a, b, worst;
} overall[] = {
    {SYNC_SYNCED, SYNC_SYNCED, SYNC_SYNCED},  {SYNC_SYNCED, SYNC_STALE, SYNC_STALE},
    {SYNC_STALE, SYNC_PENDING, SYNC_PENDING}, {SYNC_PENDING, SYNC_FAILED, SYNC_FAILED},
    {SYNC_FAILED, SYNC_SYNCED, SYNC_FAILED},
};

START_TEST(names_have_one_hash_in_any_order)
{
    char *ab[] = {"a", "b", NULL}, *ba[] = {"b", "a", NULL}, *a[] = {"a", NULL}, *none[] = {NULL};
    ck_assert(record_names_hash(ab) == record_names_hash(ba));
    ck_assert(record_names_hash(ab) != record_names_hash(a));
    ck_assert(record_names_hash(a) != 0);
    ck_assert(record_names_hash(none) == 0 && record_names_hash(NULL) == 0);
}
END_TEST

START_TEST(the_overall_status_is_the_worst_of_the_entries)
{
    struct record r;
    ck_assert(record_init(&r, 2));
    r.entries[0].present = r.entries[1].present = true;
    r.entries[0].status = overall[_i].a;
    r.entries[1].status = overall[_i].b;
    ck_assert_int_eq(record_overall(&r), overall[_i].worst);
    record_fini(&r);
}
END_TEST

START_TEST(a_copy_lives_on_when_the_original_is_gone)
{
    struct record r, copy;
    ck_assert(record_init(&r, 1));
    r.present = true;
    ck_assert(entry_set_error(&r.entries[0], LKS_E_VALIDATION, "no id"));
    r.modified_fields = calloc(2, sizeof *r.modified_fields);
    ck_assert_ptr_nonnull(r.modified_fields);
    r.modified_fields[0] = strdup("name");
    ck_assert(record_copy(&copy, &r));
    record_fini(&r);
    ck_assert(copy.present);
    ck_assert_str_eq(copy.entries[0].last_error, "no id");
    ck_assert_int_eq(copy.entries[0].error, LKS_E_VALIDATION);
    ck_assert_str_eq(copy.modified_fields[0], "name");
    ck_assert_ptr_null(copy.modified_fields[1]);
    record_fini(&copy);
}
END_TEST

START_TEST(a_message_is_cut_to_1000_bytes_of_valid_utf8)
{
    struct entry e;
    char text[1502];
    entry_init(&e);
    for (size_t i = 0; i < 1500; i += 3) memcpy(text + i, "\xe2\x82\xac", 3);
    memcpy(text + 1500, "!", 2);
    text[0] = '\xff';
    ck_assert(entry_set_error(&e, LKS_E_UNKNOWN, text));
    ck_assert_uint_le(strlen(e.last_error), 1000);
    ck_assert_uint_gt(strlen(e.last_error), 990);
    ck_assert(strncmp(e.last_error, "\xef\xbf\xbd", 3) == 0);
    ck_assert(entry_set_error(&e, LKS_E_OK, NULL));
    ck_assert_ptr_null(e.last_error);
    entry_fini(&e);
}
END_TEST

START_TEST(a_status_has_a_name_and_back)
{
    enum sync_status status = SYNC_FAILED;
    ck_assert(sync_status_parse("synced", &status));
    ck_assert_int_eq(status, SYNC_SYNCED);
    ck_assert_str_eq(sync_status_name(SYNC_STALE), "stale");
    ck_assert(!sync_status_parse("Synced", &status));
    ck_assert(!sync_status_parse("", &status));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *tc = tcase_create("record");
    tcase_add_test(tc, an_absent_record_counts_as_pending);
    tcase_add_test(tc, names_have_one_hash_in_any_order);
    tcase_add_loop_test(tc, the_overall_status_is_the_worst_of_the_entries, 0,
                        (int)(sizeof overall / sizeof *overall));
    tcase_add_test(tc, a_copy_lives_on_when_the_original_is_gone);
    tcase_add_test(tc, a_message_is_cut_to_1000_bytes_of_valid_utf8);
    tcase_add_test(tc, a_status_has_a_name_and_back);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
