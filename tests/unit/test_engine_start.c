/* test_engine_start.c - an engine that is asked to stop while it starts, at every step of it; and one that
 * polls. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "suite.h"

#define MOST_STEPS 40
#define PATIENCE 3000 /* rounds of 10 virtual milliseconds */

/* Everybody answers at once and has nothing to tell. */
struct world {
    struct req *asked; /* oldest first */
    int64_t now_ms;
    size_t answered;
    size_t full_scans, recent_scans;
};

static void submit(void *self, struct req *req)
{
    struct world *w = self;
    struct req **end = &w->asked;
    while (*end) end = &(*end)->next;
    req->next = NULL;
    *end = req;
}

static int64_t now_ms(void *self)
{
    return ((struct world *)self)->now_ms;
}

static uint64_t random_bits(void *self)
{
    (void)self;
    return 4;
}

static void answer(struct req *req)
{
    switch (req->kind) {
    case REQ_LEASE:
        req->lease.held = req->lease.op != LEASE_RELEASE;
        req->lease.epoch = 7;
        break;
    case REQ_STATE_LOAD:
        req->state_load.state = (struct engine_state){.token = bson_new(), .clean = true};
        break;
    case REQ_EMBED_PROBE:
        req->embed_probe.dimensions = 4;
        break;
    case REQ_STREAM_OPEN:
        req->stream_open.opened_at = req->stream_open.now = 1;
        break;
    case REQ_SCAN:
        req->scan.end = true;
        break;
    case REQ_DUE:
        req->due.end = true;
        req->due.next_ms = NO_TIME;
        break;
    case REQ_TALLY:
        req->tally.with_point = calloc(1, sizeof *req->tally.with_point);
        break;
    default: /* nothing is there: zero says it */
        break;
    }
}

static bool step(struct world *w, struct engine *e)
{
    engine_run(e);
    struct req *req = w->asked;
    w->now_ms += 10;
    if (!req) return false;
    w->asked = req->next;
    req->next = NULL;
    if (req->kind == REQ_SCAN && !req->scan.from)
        (*(req->scan.recent_only ? &w->recent_scans : &w->full_scans))++;
    answer(req);
    engine_handle(e, req);
    w->answered++;
    return true;
}

static const char *const embedder = "e";
static const struct engine_collection collection = {.name = "tools", .digest = "d"};

static void configure(struct engine_config *config)
{
    engine_config_defaults(config);
    config->source = "tools";
    config->collections = &collection;
    config->collection_count = 1;
    config->embedders = &embedder;
    config->embedder_count = 1;
    config->lease_ms = 10000;
    config->index_timeout_ms = 1000;
    config->interval_ms = 60000;
}

static struct engine *engine_in(struct world *w, const struct engine_config *config)
{
    const struct port port = {w, submit};
    const struct ports ports = {.source = port,
                                .store = port,
                                .maker = port,
                                .embedder = port,
                                .index = port,
                                .clock = {w, now_ms, now_ms, random_bits}};
    return engine_new(config, &ports);
}

static void end(struct world *w, struct engine *e)
{
    engine_run(e); /* what it asks for now is under way when it is told to stop */
    engine_stop(e);
    for (int i = 0; i < PATIENCE && !engine_done(e); i++) step(w, e);
    ck_assert_msg(engine_done(e), "stopped after %zu answers, it is in phase %d", w->answered,
                  engine_phase(e));
    engine_free(e);
}

START_TEST(asked_to_stop_at_any_step_of_its_start_it_ends)
{
    struct engine_config config;
    struct world w = {.now_ms = 1000};
    configure(&config);
    struct engine *e = engine_in(&w, &config);
    for (int i = 0; i < _i; i++) step(&w, e);
    end(&w, e);
}
END_TEST

START_TEST(polling_by_a_date_reads_everything_once_an_hour)
{
    struct engine_config config;
    struct world w = {.now_ms = 1000};
    configure(&config);
    config.watch = WATCH_POLL;
    config.poll_interval_ms = 10000;
    config.poll_recent = true;
    struct engine *e = engine_in(&w, &config);
    for (int64_t until_ms = w.now_ms + 150 * 60000; w.now_ms < until_ms;) {
        int64_t next_ms = engine_run(e);
        if (!step(&w, e) && next_ms > w.now_ms) w.now_ms = next_ms < until_ms ? next_ms : until_ms;
    }
    ck_assert_uint_eq(w.full_scans, 3); /* at the start, after one hour and after two */
    ck_assert_uint_ge(w.recent_scans, 800);
    ck_assert_uint_le(w.recent_scans, 900);
    end(&w, e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine start");
    TCase *tc = tcase_create("start");
    tcase_add_loop_test(tc, asked_to_stop_at_any_step_of_its_start_it_ends, 0, MOST_STEPS);
    tcase_add_test(tc, polling_by_a_date_reads_everything_once_an_hour);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
