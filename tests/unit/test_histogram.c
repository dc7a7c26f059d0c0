/* test_histogram.c - classes, differences and quantiles of times. */
#include "base/histogram.h"

#include "suite.h"

START_TEST(each_time_falls_into_the_class_whose_bound_it_does_not_pass)
{
    struct histogram h = {.sum_us = 0};
    histogram_add(&h, 0);
    histogram_add(&h, 1000);      /* 1 ms: the bound itself */
    histogram_add(&h, 1001);      /* up to 2 ms */
    histogram_add(&h, 300000000); /* 5 minutes: the last bound */
    histogram_add(&h, 300000001);
    histogram_add(&h, -5); /* clocks differ between machines: nothing came before it happened */
    ck_assert_uint_eq(h.counts[0], 3);
    ck_assert_uint_eq(h.counts[1], 1);
    ck_assert_uint_eq(h.counts[HISTOGRAM_BOUNDS - 1], 1);
    ck_assert_uint_eq(h.counts[HISTOGRAM_BOUNDS], 1);
    ck_assert_uint_eq(histogram_count(&h), 6);
    ck_assert_uint_eq(h.sum_us, 1000 + 1001 + 300000000 + 300000001ull);
}
END_TEST

START_TEST(the_bounds_rise)
{
    for (int i = 1; i < HISTOGRAM_BOUNDS; i++)
        ck_assert_int_lt(histogram_bounds_ms[i - 1], histogram_bounds_ms[i]);
}
END_TEST

START_TEST(a_difference_is_what_came_since_or_all_after_a_new_beginning)
{
    struct histogram before = {.sum_us = 0}, now;
    histogram_add(&before, 3000);
    histogram_add(&before, 30000);
    now = before;
    histogram_add(&now, 3000);
    struct histogram d = histogram_since(&now, &before);
    ck_assert_uint_eq(histogram_count(&d), 1);
    ck_assert_uint_eq(d.sum_us, 3000);
    struct histogram again = {.sum_us = 0};
    histogram_add(&again, 7000);
    d = histogram_since(&again, &before);
    ck_assert_uint_eq(histogram_count(&d), 1);
    ck_assert_uint_eq(d.sum_us, 7000);
    histogram_merge(&d, &now);
    ck_assert_uint_eq(histogram_count(&d), 4);
}
END_TEST

START_TEST(quantiles_are_interpolated_within_their_class)
{
    struct histogram h = {.sum_us = 0};
    ck_assert_double_lt(histogram_quantile_ms(&h, 0.5), 0);
    for (int i = 0; i < 100; i++) histogram_add(&h, 15000); /* between 10 and 20 ms */
    ck_assert_double_eq_tol(histogram_quantile_ms(&h, 0.5), 15, 1e-9);
    ck_assert_double_eq_tol(histogram_quantile_ms(&h, 1), 20, 1e-9);
    histogram_add(&h, 150000);
    ck_assert_double_gt(histogram_quantile_ms(&h, 0.999), 100);
    struct histogram beyond = {.sum_us = 0};
    histogram_add(&beyond, 900000000);
    ck_assert_double_eq_tol(histogram_quantile_ms(&beyond, 0.5), 300000, 1e-9);
}
END_TEST

START_TEST(what_several_threads_count_is_read_as_a_copy)
{
    static struct histogram_live live;
    histogram_live_add(&live, 1500);
    histogram_live_add(&live, -1);
    struct histogram h = histogram_read(&live);
    ck_assert_uint_eq(h.counts[0], 1);
    ck_assert_uint_eq(h.counts[1], 1);
    ck_assert_uint_eq(h.sum_us, 1500);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tc = tcase_create("histogram");
    tcase_add_test(tc, each_time_falls_into_the_class_whose_bound_it_does_not_pass);
    tcase_add_test(tc, the_bounds_rise);
    tcase_add_test(tc, a_difference_is_what_came_since_or_all_after_a_new_beginning);
    tcase_add_test(tc, quantiles_are_interpolated_within_their_class);
    tcase_add_test(tc, what_several_threads_count_is_read_as_a_copy);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
