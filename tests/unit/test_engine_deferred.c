/* test_engine_deferred.c - a record that can't be written for the moment is not tried as fast as possible. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "idle_world.h"
#include "suite.h"

#define POINT "00000000-0000-5000-8000-000000000001"
#define MINUTE_MS 60000

/* Somebody writes the record of the one document all the time, or MongoDB refuses that one write. */
struct busy_world {
    struct idle_world idle; /* first */
    enum lks_code refused;
    int64_t until_ms; /* and no longer */
    int64_t written_ms;
    bool reported;
    size_t records;
};

static void answer_record(struct busy_world *w, struct req *req)
{
    w->records++;
    ck_assert_uint_eq(req->record.count, 1);
    req->record.writes[0].code = w->idle.now_ms < w->until_ms ? w->refused : LKS_E_OK;
    if (req->record.writes[0].code == LKS_E_OK) w->written_ms = w->idle.now_ms;
}

static void answer(struct idle_world *world, struct req *req)
{
    struct busy_world *w = (struct busy_world *)world;
    idle_answer(world, req);
    switch (req->kind) {
    case REQ_STREAM_NEXT:
        if (!w->reported) idle_notify(req, CHANGE_UPDATE, 1);
        w->reported = true;
        break;
    case REQ_READ:
        idle_synced(&req->read.docs[0]);
        req->read.docs[0].record.entries[0].status = SYNC_PENDING;
        break;
    case REQ_MAKE:
        idle_made(req);
        idle_point(&req->make.made[0], POINT);
        break;
    case REQ_EMBED:
        idle_embedded(req);
        req->embed.vectors[0] = calloc(4, sizeof(float));
        req->embed.vectors[0][0] = 1;
        req->embed.dimensions = 4;
        break;
    case REQ_RECORD:
        answer_record(w, req);
        break;
    default:
        break;
    }
}

static const enum lks_code reasons[] = {LKS_E_MISSED, LKS_E_MONGO};

START_TEST(a_record_that_is_not_written_is_tried_less_and_less_often)
{
    static struct busy_world w;
    struct engine_config config;
    w = (struct busy_world){.idle = {.now_ms = 1000, .answer = answer}, .refused = reasons[_i]};
    w.until_ms = 1000 + MINUTE_MS;
    idle_configure(&config);
    struct engine *e = idle_engine(&w.idle, &config);
    while (w.idle.now_ms < w.until_ms) idle_step(&w.idle, e);
    ck_assert_uint_ge(w.records, 10);
    ck_assert_uint_le(w.records, 40);
    while (!w.written_ms && w.idle.now_ms < w.until_ms + 10000) idle_step(&w.idle, e);
    ck_assert_int_gt(w.written_ms, 0); /* in the end it is, by itself */
    ck_assert_int_lt(w.written_ms, w.until_ms + 6000);
    size_t records = w.records;
    for (int i = 0; i < 1000; i++) idle_step(&w.idle, e);
    ck_assert_uint_le(w.records, records + 1); /* once more, for what came meanwhile */
    idle_end(&w.idle, e);
}
END_TEST

START_TEST(a_stop_does_not_wait_for_it)
{
    static struct busy_world w;
    struct engine_config config;
    w = (struct busy_world){.idle = {.now_ms = 1000, .answer = answer}, .refused = LKS_E_MISSED};
    w.until_ms = INT64_MAX;
    idle_configure(&config);
    struct engine *e = idle_engine(&w.idle, &config);
    while (w.idle.now_ms < MINUTE_MS) idle_step(&w.idle, e);
    int64_t stopped_ms = w.idle.now_ms;
    idle_end(&w.idle, e);
    ck_assert_int_lt(w.idle.now_ms, stopped_ms + 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine deferred");
    TCase *tc = tcase_create("deferred");
    tcase_add_loop_test(tc, a_record_that_is_not_written_is_tried_less_and_less_often, 0,
                        sizeof reasons / sizeof *reasons);
    tcase_add_test(tc, a_stop_does_not_wait_for_it);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
