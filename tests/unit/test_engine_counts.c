/* test_engine_counts.c - how often points are counted: not more than 2 % of the time, and every so often also
 * where the source is never at rest. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "idle_world.h"
#include "suite.h"

/* A source with a change at each look at the stream. */
struct busy {
    struct idle_world idle; /* first */
    struct engine *engine;
    int number;
    bool changes;
    int64_t record_counts_takes_ms, points;
    size_t record_counts_made, in_work;
};

static void busy_answer(struct idle_world *world, struct req *req)
{
    struct busy *w = (struct busy *)world;
    idle_answer(world, req);
    switch (req->kind) {
    case REQ_STREAM_NEXT:
        if (w->changes) idle_notify(req, CHANGE_UPSERT, w->number++ % 50);
        break;
    case REQ_COUNT_RECORDS:
        w->record_counts_made++;
        w->in_work += engine_docs_in_work(w->engine) > 0;
        w->idle.now_ms += w->record_counts_takes_ms;
        break;
    case REQ_COUNT:
        req->count.points = w->points;
        break;
    default:
        break;
    }
}

static void run_for(struct busy *w, int64_t ms)
{
    for (int64_t until_ms = w->idle.now_ms + ms; w->idle.now_ms < until_ms;) {
        int64_t next_ms = engine_run(w->engine);
        if (!idle_step(&w->idle, w->engine) && next_ms > w->idle.now_ms)
            w->idle.now_ms = next_ms < until_ms ? next_ms : until_ms;
    }
}

START_TEST(a_source_that_is_never_at_rest_is_counted_all_the_same)
{
    struct engine_config config;
    struct busy w = {.idle = {.now_ms = 1000, .answer = busy_answer}, .changes = true};
    idle_configure(&config);
    config.count_busy_ms = 120000;
    config.lease_ms = 100000000; /* nobody else does anything meanwhile */
    w.engine = idle_engine(&w.idle, &config);
    run_for(&w, 1200000);
    ck_assert_uint_ge(w.in_work, 8);
    ck_assert_uint_eq(w.idle.full_scans, 1); /* that of the start */
    idle_end(&w.idle, w.engine);
}
END_TEST

START_TEST(on_a_busy_source_only_a_difference_counts_that_the_changes_can_not_explain)
{
    struct engine_config config;
    for (int many = 0; many < 2; many++) {
        struct busy w = {
            .idle = {.now_ms = 1000, .answer = busy_answer}, .changes = true, .points = many ? 5000 : 90};
        idle_configure(&config);
        config.count_busy_ms = 120000;
        config.lease_ms = 100000000;
        w.engine = idle_engine(&w.idle, &config);
        run_for(&w, 600000);
        ck_assert_int_eq(w.idle.full_scans > 1, many);
        idle_end(&w.idle, w.engine);
    }
}
END_TEST

START_TEST(counting_takes_two_percent_of_the_time_at_most)
{
    struct engine_config config;
    struct busy w = {.idle = {.now_ms = 1000, .answer = busy_answer}, .record_counts_takes_ms = 20000};
    idle_configure(&config);
    config.lease_ms = 100000000;
    w.engine = idle_engine(&w.idle, &config);
    w.points = 3; /* always another number, so that it would like to look twice */
    run_for(&w, 10000000);
    ck_assert_uint_ge(w.record_counts_made, 5);
    ck_assert_uint_le(w.record_counts_made, 11);
    idle_end(&w.idle, w.engine);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine counts");
    TCase *tc = tcase_create("counts");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_source_that_is_never_at_rest_is_counted_all_the_same);
    tcase_add_test(tc, on_a_busy_source_only_a_difference_counts_that_the_changes_can_not_explain);
    tcase_add_test(tc, counting_takes_two_percent_of_the_time_at_most);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
