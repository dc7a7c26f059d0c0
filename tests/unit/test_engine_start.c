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
    bool reported, slept, renewed;
    size_t written;
};

static void sleep_and_answer(struct idle_world *world, struct req *req)
{
    struct sleeper *w = (struct sleeper *)world;
    idle_answer(world, req);
    switch (req->kind) {
    case REQ_STREAM_NEXT:
        if (!w->reported) idle_notify(req, CHANGE_UPSERT, 1);
        w->reported = true;
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

/* A Qdrant collection that is missing, and a source without documents until one is reported. */
struct beginner {
    struct idle_world idle; /* first */
    bool notifies, reported, there;
    size_t looked, made, written, lookups;
};

static void begin_without(struct idle_world *world, struct req *req)
{
    struct beginner *w = (struct beginner *)world;
    idle_answer(world, req);
    switch (req->kind) {
    case REQ_STATE_LOAD:
        req->state_load.state.no_documents = true;
        break;
    case REQ_ENSURE:
        w->looked += req->ensure.look_only;
        w->made += !req->ensure.look_only;
        req->ensure.created = !w->there && !req->ensure.look_only;
        if (!w->there && req->ensure.look_only) lks_fail(&req->err, LKS_E_NOT_FOUND, "not there");
        w->there |= req->ensure.created;
        req->ensure.empty = true;
        break;
    case REQ_STREAM_NEXT:
        if (w->notifies && !w->reported) idle_notify(req, CHANGE_UPSERT, 1);
        w->reported |= w->notifies;
        break;
    case REQ_READ:
        req->read.docs[0].body = bson_new();
        break;
    case REQ_MAKE:
        idle_made(req);
        idle_point(&req->make.made[0], "00000000-0000-5000-8000-000000000001");
        break;
    case REQ_EMBED:
        idle_embedded(req);
        req->embed.vectors[0] = calloc(4, sizeof(float));
        req->embed.dimensions = 4;
        break;
    case REQ_LOOKUP:
    case REQ_SCROLL:
    case REQ_COUNT:
    case REQ_EPOCHS:
    case REQ_DELETE:
    case REQ_UPSERT:
        ck_assert_msg(w->there, "%s of a collection that is not there", req_kind_name(req->kind));
        w->written += req->kind == REQ_UPSERT;
        break;
    default:
        break;
    }
}

START_TEST(a_collection_is_made_when_the_first_document_is_there)
{
    struct engine_config config;
    struct engine_snapshot s;
    struct beginner w = {.idle = {.now_ms = 1000, .answer = begin_without}};
    idle_configure(&config);
    struct engine *e = idle_engine(&w.idle, &config);
    for (int i = 0; i < 30000; i++) idle_step(&w.idle, e); /* five minutes */
    engine_snapshot(e, &s);
    ck_assert_uint_eq(w.made, 0);
    ck_assert_uint_ge(w.looked, 2);
    ck_assert_int_eq(s.phase, PHASE_RUN);
    ck_assert_int_eq(s.collections[0].circuit, CIRCUIT_CLOSED); /* nothing is wrong */
    ck_assert(s.collections[0].looked && !s.collections[0].error[0]);
    ck_assert(!s.scanning && !s.sweeping);
    w.notifies = true;
    for (int i = 0; i < 100 && !w.made; i++) idle_step(&w.idle, e);
    engine_snapshot(e, &s);
    ck_assert_uint_eq(w.made, 1);
    ck_assert(s.scanning && s.scan_verifies); /* which brings what came before it was made */
    idle_end(&w.idle, e);
}
END_TEST

/* The state was saved with this place; the clean end before it leaves nothing else to compare. */
struct moved {
    struct idle_world idle; /* first */
    const char *place;      /* NULL: as an earlier version saved it */
    char *saved;
};

static void load_place(struct idle_world *world, struct req *req)
{
    struct moved *w = (struct moved *)world;
    idle_answer(world, req);
    if (req->kind == REQ_STATE_SAVE) {
        free(w->saved);
        w->saved = strdup(req->state_save.state.places[0]);
    }
    if (req->kind != REQ_STATE_LOAD) return;
    struct engine_state *state = &req->state_load.state;
    state->digests = calloc(2, sizeof *state->digests);
    state->digests[0] = strdup("d");
    if (!w->place) return;
    state->places = calloc(2, sizeof *state->places);
    state->places[0] = strdup(w->place);
}

START_TEST(points_in_another_place_than_before_are_compared)
{
    static const struct {
        const char *before, *now;
        bool compared;
    } cases[] = {{"http://a/collections/t", "http://a/collections/t", false},
                 {"http://a/collections/t", "http://b/collections/t", true},
                 {"http://a/collections/t", "http://a/collections/u", true},
                 {"", "http://a/collections/t", false},
                 {NULL, "http://a/collections/t", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct engine_config config;
        struct engine_snapshot s;
        struct moved w = {.idle = {.now_ms = 1000, .answer = load_place}, .place = cases[i].before};
        idle_configure(&config);
        struct engine_collection collection = *config.collections;
        collection.place = cases[i].now;
        config.collections = &collection;
        struct engine *e = idle_engine(&w.idle, &config);
        while (engine_phase(e) != PHASE_RUN) idle_step(&w.idle, e);
        engine_snapshot(e, &s);
        ck_assert_msg(s.scanning == cases[i].compared && s.scan_verifies == cases[i].compared, "case %zu", i);
        idle_end(&w.idle, e);
        ck_assert_str_eq(w.saved, cases[i].now);
        free(w.saved);
    }
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
    tcase_add_test(tc, a_collection_is_made_when_the_first_document_is_there);
    tcase_add_test(tc, points_in_another_place_than_before_are_compared);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
