/* test_engine_start.c - an engine that is asked to stop while it starts, at every step of it; one that polls;
 * and one whose machine was suspended. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "idle_world.h"
#include "suite.h"

#define MOST_STEPS 40

START_TEST(asked_to_stop_at_any_step_of_its_start_it_ends)
{
    struct engine_config config;
    struct idle_world w = {.now_ms = 1000};
    idle_configure(&config);
    struct engine *e = idle_engine(&w, &config);
    for (int i = 0; i < _i; i++) idle_step(&w, e);
    idle_end(&w, e);
}
END_TEST

/* Who takes a lease that was given back doesn't wait for what an earlier holder may still have under way. */
START_TEST(a_lease_is_not_given_back_while_requests_of_its_last_holder_are_waited_for)
{
    struct engine_config config;
    idle_configure(&config);
    for (int waited = 0; waited < 2; waited++) {
        struct idle_world w = {.now_ms = 1000, .takes_over = true};
        struct engine *e = idle_engine(&w, &config);
        while (engine_phase(e) != PHASE_SETTLE) idle_step(&w, e);
        if (waited) {
            w.now_ms += config.index_timeout_ms;
            while (engine_phase(e) != PHASE_RUN) idle_step(&w, e);
        }
        idle_end(&w, e);
        ck_assert_uint_eq(w.given_back, (size_t)waited);
    }
}
END_TEST

START_TEST(polling_by_a_date_reads_everything_once_an_hour)
{
    struct engine_config config;
    struct idle_world w = {.now_ms = 1000};
    idle_configure(&config);
    config.watch = WATCH_POLL;
    config.poll_interval_ms = 10000;
    config.poll_recent = true;
    struct engine *e = idle_engine(&w, &config);
    for (int64_t until_ms = w.now_ms + 150 * 60000; w.now_ms < until_ms;) {
        int64_t next_ms = engine_run(e);
        if (!idle_step(&w, e) && next_ms > w.now_ms) w.now_ms = next_ms < until_ms ? next_ms : until_ms;
    }
    ck_assert_uint_eq(w.full_scans, 3); /* at the start, after one hour and after two */
    ck_assert_uint_ge(w.recent_scans, 800);
    ck_assert_uint_le(w.recent_scans, 900);
    idle_end(&w, e);
}
END_TEST

/* A change of one document, and the machine is suspended before its vector is there. */
struct sleeper {
    struct idle_world idle; /* first */
    bool told, slept, renewed;
    size_t written;
};

static void sleep_and_answer(struct idle_world *world, struct req *req)
{
    struct sleeper *w = (struct sleeper *)world;
    idle_answer(world, req);
    switch (req->kind) {
    case REQ_STREAM_NEXT:
        if (!w->told) idle_tell(req, CHANGE_UPSERT, 1);
        w->told = true;
        break;
    case REQ_READ:
        idle_synced(&req->read.docs[0]);
        break;
    case REQ_MAKE:
        idle_made(req);
        idle_point(&req->make.made[0], "00000000-0000-5000-8000-000000000001");
        break;
    case REQ_EMBED:
        idle_embedded(req);
        req->embed.vectors[0] = calloc(4, sizeof(float));
        req->embed.dimensions = 4;
        w->slept = true;
        world->now_ms += 3600000;
        break;
    case REQ_LEASE:
        w->renewed |= w->slept && req->lease.op == LEASE_RENEW;
        break;
    case REQ_UPSERT:
        ck_assert_msg(w->renewed, "written before the lease was asked for");
        ck_assert_int_gt(req->deadline_ms, 3600000);
        w->written++;
        break;
    default:
        break;
    }
}

START_TEST(after_a_suspend_the_lease_is_asked_for_before_anything_is_written)
{
    struct engine_config config;
    struct sleeper w = {.idle = {.now_ms = 1000, .answer = sleep_and_answer}};
    idle_configure(&config);
    struct engine *e = idle_engine(&w.idle, &config);
    for (int i = 0; i < 200 && !w.written; i++) idle_step(&w.idle, e);
    ck_assert(w.slept);
    ck_assert_uint_eq(w.written, 1);
    idle_end(&w.idle, e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine start");
    TCase *tc = tcase_create("start");
    tcase_add_loop_test(tc, asked_to_stop_at_any_step_of_its_start_it_ends, 0, MOST_STEPS);
    tcase_add_test(tc, a_lease_is_not_given_back_while_requests_of_its_last_holder_are_waited_for);
    tcase_add_test(tc, polling_by_a_date_reads_everything_once_an_hour);
    tcase_add_test(tc, after_a_suspend_the_lease_is_asked_for_before_anything_is_written);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
