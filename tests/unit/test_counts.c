/* test_counts.c - how much of MongoDB's time is spent on counting. */
#include <check.h>

#include "service/counts.h"
#include "suite.h"

static const struct {
    int64_t took_ms, fresh_ms;
} cases[] = {
    {0, 200},      {4, 200},        /* five times a second */
    {10, 500},     {200, 10000},    /* a fiftieth of the time */
    {300, 15000},  {1500, 15000},   /* for answers no older than 15 s */
    {2000, 20000}, {30000, 300000}, /* and a tenth where that would be more, as with millions of documents */
};

START_TEST(counting_takes_a_small_part_of_the_time_however_long_it_takes)
{
    ck_assert_int_eq(counts_fresh_ms(cases[_i].took_ms), cases[_i].fresh_ms);
    if (cases[_i].took_ms >= 4) ck_assert_int_le(cases[_i].took_ms * 10, counts_fresh_ms(cases[_i].took_ms));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("counts");
    TCase *share = tcase_create("share");
    tcase_add_loop_test(share, counting_takes_a_small_part_of_the_time_however_long_it_takes, 0,
                        COUNT(cases));
    suite_add_tcase(suite, share);
    return suite_run(suite);
}
