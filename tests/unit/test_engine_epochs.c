/*
 * test_engine_epochs.c - points with a higher epoch than the lease's: a guarded write to them is skipped, and
 * the server does not say so.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "idle_world.h"
#include "suite.h"

#define LEASE_EPOCH 7 /* of the idle world */
#define CHANGED 2
#define PATIENCE 3000
#define INTERVAL_MS 60000
#define HOUR_MS 3600000

static const char point_of_changed[] = "00000000-0000-5000-8000-000000000002";

struct epochs_world {
    struct idle_world idle; /* first, so that it can be found from there */
    uint64_t highest;       /* of the points' epochs */
    uint64_t previous;      /* epoch of the first holder that was not proven */
    uint64_t overtakes;     /* this epoch gets to the point between a look and the write that follows */
    bool fails;             /* epochs can't be counted */
    bool notify, reported;  /* that the document changed */
    uint64_t epoch, point_epoch;
    size_t counts, raises, scans, sweeps, looks;
    bool proven, written_low; /* the lease says so; a write left below the highest epoch */
    char written[8], recorded[16];
    bool saved_scan, saved_clean;
};

static void answer_read(struct req *req)
{
    req->read.docs = calloc(req->read.count, sizeof *req->read.docs);
    ck_assert_ptr_nonnull(req->read.docs);
    for (size_t i = 0; i < req->read.count; i++) {
        struct source_document *doc = &req->read.docs[i];
        doc->id = docid_copy(req->read.ids[i]);
        idle_synced(doc);
        strcpy(doc->record.entries[0].point_id, point_of_changed);
        strcpy(doc->record.entries[0].content_hash, "before");
    }
}

static void answer_make(struct req *req)
{
    idle_made(req);
    for (size_t i = 0; i < req->make.count; i++) {
        struct made *made = &req->make.made[i];
        idle_point(made, point_of_changed);
        strcpy(made->content_hash, "now");
        strcpy(made->payload_hash, "p");
    }
}

static void answer_embed(struct req *req)
{
    req->embed.dimensions = 4;
    idle_embedded(req);
    for (size_t i = 0; i < req->embed.count; i++) req->embed.vectors[i] = calloc(4, sizeof(float));
}

static void answer_lease(struct epochs_world *w, struct req *req)
{
    idle_answer(&w->idle, req);
    w->proven |= req->lease.proven;
    if (req->lease.op == LEASE_TAKE) {
        w->epoch = req->lease.epoch;
        req->lease.floor = w->previous;
    } else if (req->lease.op == LEASE_RAISE) {
        ck_assert_uint_gt(req->lease.raise_to, w->highest);
        w->epoch = req->lease.raise_to;
        w->raises++;
    }
}

static void answer_epochs(struct epochs_world *w, struct req *req)
{
    bool above = w->highest > req->epochs.floor && w->highest != req->epochs.own;
    w->counts++;
    req->epochs.points = above;
    req->epochs.highest = above ? w->highest : 0;
    if (w->fails) lks_fail(&req->err, LKS_E_QDRANT_REJECTED, "not today");
}

static void answer_lookup(struct epochs_world *w, struct req *req)
{
    struct docid *id = idle_id(CHANGED);
    w->looks++;
    req->lookup.found = calloc(1, sizeof *req->lookup.found);
    req->lookup.found_count = 1;
    req->lookup.found[0] =
        (struct stamp){.ours = true, .doc = docid_json(id), .key = strdup("key"), .epoch = w->point_epoch};
    strcpy(req->lookup.found[0].point_id, point_of_changed);
    strcpy(req->lookup.found[0].content_hash, w->written[0] ? w->written : "before");
    strcpy(req->lookup.found[0].payload_hash, "p");
    docid_free(id);
}

static void answer_upsert(struct epochs_world *w, struct req *req)
{
    const struct point_write *p = &req->write.points[0];
    w->written_low |= p->epoch <= w->highest;
    if (w->overtakes) w->point_epoch = w->overtakes;
    if (p->epoch < w->point_epoch) return; /* skipped, and nothing says so */
    strcpy(w->written, p->content_hash);
    w->point_epoch = p->epoch;
}

static void answer_record(struct epochs_world *w, struct req *req)
{
    const struct entry *entry = &req->record.writes[0].after->entries[0];
    snprintf(w->recorded, sizeof w->recorded, "%s", sync_status_name(entry->status));
}

static void answer(struct idle_world *idle, struct req *req)
{
    struct epochs_world *w = (struct epochs_world *)idle;
    switch (req->kind) {
    case REQ_ENSURE:
        req->ensure.guarded = true;
        break;
    case REQ_LEASE:
        answer_lease(w, req);
        break;
    case REQ_EPOCHS:
        answer_epochs(w, req);
        break;
    case REQ_SCAN:
        w->scans += !req->scan.from;
        req->scan.end = true;
        break;
    case REQ_SCROLL:
        w->sweeps++;
        break;
    case REQ_STREAM_NEXT:
        if (w->notify && !w->reported) {
            idle_notify(req, CHANGE_UPDATE, CHANGED);
            w->reported = true;
        }
        break;
    case REQ_READ:
        answer_read(req);
        break;
    case REQ_MAKE:
        answer_make(req);
        break;
    case REQ_LOOKUP:
        answer_lookup(w, req);
        break;
    case REQ_EMBED:
        answer_embed(req);
        break;
    case REQ_UPSERT:
        answer_upsert(w, req);
        break;
    case REQ_RECORD:
        answer_record(w, req);
        break;
    case REQ_STATE_LOAD:
        idle_answer(idle, req);
        req->state_load.state.digests = calloc(2, sizeof(char *));
        ck_assert_ptr_nonnull(req->state_load.state.digests);
        req->state_load.state.digests[0] = strdup("d");
        break;
    case REQ_STATE_SAVE:
        w->saved_scan = req->state_save.state.scan_running;
        w->saved_clean = req->state_save.state.clean;
        break;
    default:
        idle_answer(idle, req);
    }
}

static struct engine *start(struct epochs_world *w, struct engine_config *config)
{
    w->idle.now_ms = 1000;
    w->idle.answer = answer;
    idle_configure(config);
    config->interval_ms = INTERVAL_MS;
    return idle_engine(&w->idle, config);
}

/* The clock goes on to the next thing that is due whenever nothing is to be answered. */
static void let_elapse(struct epochs_world *w, struct engine *e, int64_t ms)
{
    for (int64_t until_ms = w->idle.now_ms + ms; w->idle.now_ms < until_ms;) {
        int64_t next_ms = engine_run(e);
        if (!idle_step(&w->idle, e) && next_ms > w->idle.now_ms)
            w->idle.now_ms = next_ms < until_ms ? next_ms : until_ms;
    }
}

static struct engine_snapshot snapshot(struct engine *e)
{
    struct engine_snapshot s;
    engine_snapshot(e, &s);
    return s;
}

START_TEST(without_a_higher_epoch_the_lease_is_reported_that_it_is_proven_and_nothing_is_compared)
{
    struct epochs_world w = {.highest = LEASE_EPOCH, .previous = LEASE_EPOCH - 1};
    struct engine_config config;
    struct engine *e = start(&w, &config);
    let_elapse(&w, e, 3 * INTERVAL_MS + 5000);
    ck_assert(w.proven);
    ck_assert_uint_ge(w.counts, 4); /* at the start and at each interval */
    ck_assert_uint_le(w.counts, 5);
    ck_assert_uint_eq(w.raises, 0);
    ck_assert_uint_eq(w.scans, 0);
    idle_end(&w.idle, e);
    ck_assert(w.saved_clean);
}
END_TEST

START_TEST(a_higher_epoch_at_the_start_raises_the_lease_before_anything_is_written)
{
    struct epochs_world w = {.highest = LEASE_EPOCH + 100, .point_epoch = LEASE_EPOCH + 100, .notify = true};
    struct engine_config config;
    struct engine *e = start(&w, &config);
    let_elapse(&w, e, 5000);
    ck_assert_uint_eq(w.raises, 1);
    ck_assert_uint_eq(w.epoch, LEASE_EPOCH + 101);
    ck_assert(!w.written_low);
    ck_assert_str_eq(w.written, "now");
    ck_assert_str_eq(w.recorded, "synced");
    ck_assert_uint_ge(w.scans, 1); /* no record is proven */
    ck_assert_uint_ge(w.sweeps, 1);
    ck_assert_uint_eq(snapshot(e).raised_from, LEASE_EPOCH);
    ck_assert_uint_eq(snapshot(e).raised_over, LEASE_EPOCH + 100);
    idle_end(&w.idle, e);
}
END_TEST

/* What met it may have been the daemon before: its lease had a lower epoch than ours. */
START_TEST(an_epoch_between_the_last_proven_lease_and_ours_makes_everything_compared)
{
    struct epochs_world w = {.highest = LEASE_EPOCH - 2, .previous = _i ? LEASE_EPOCH - 3 : LEASE_EPOCH - 2};
    struct engine_config config;
    struct engine *e = start(&w, &config);
    let_elapse(&w, e, 5000);
    ck_assert_int_eq(w.scans > 0, _i);
    ck_assert_int_eq(snapshot(e).raised_wall_ms, NO_TIME); /* no rise that a person should hear of */
    idle_end(&w.idle, e);
}
END_TEST

START_TEST(a_look_that_shows_a_higher_epoch_raises_the_lease_at_once)
{
    struct epochs_world w = {.highest = LEASE_EPOCH};
    struct engine_config config;
    struct engine *e = start(&w, &config);
    let_elapse(&w, e, 5000);
    w.highest = w.point_epoch = LEASE_EPOCH + 9;
    engine_scan(e, true);
    struct docid *id = idle_id(CHANGED);
    ck_assert(engine_resync(e, id, 0, false));
    docid_free(id);
    let_elapse(&w, e, 3000);
    ck_assert_uint_eq(w.raises, 1);
    ck_assert_str_eq(w.written, "now");
    ck_assert(!w.written_low);
    idle_end(&w.idle, e);
}
END_TEST

/* Raised once, and then a second rise within the hour. */
static struct engine *with_another(struct epochs_world *w, struct engine_config *config)
{
    struct engine *e = start(w, config);
    w->highest = LEASE_EPOCH + 100;
    let_elapse(w, e, 5000);
    ck_assert_uint_eq(w->raises, 1);
    w->highest = w->point_epoch = LEASE_EPOCH + 200;
    let_elapse(w, e, 2 * INTERVAL_MS);
    return e;
}

START_TEST(a_second_rise_within_an_hour_is_another_installation)
{
    struct epochs_world w = {0};
    struct engine_config config;
    struct engine *e = with_another(&w, &config);
    ck_assert_uint_eq(w.raises, 1);
    ck_assert_uint_eq(snapshot(e).another_epoch, LEASE_EPOCH + 200);
    ck_assert_int_ne(snapshot(e).another_wall_ms, NO_TIME);
    size_t sweeps = w.sweeps, looks = w.looks;
    engine_scan(e, true);
    w.notify = true;
    let_elapse(&w, e, INTERVAL_MS);
    ck_assert_uint_eq(w.sweeps, sweeps);
    ck_assert_uint_gt(w.looks, looks);
    ck_assert_str_eq(w.recorded, "failed"); /* the point stays as the other wrote it */
    ck_assert_str_eq(w.written, "");
    idle_end(&w.idle, e);
    ck_assert(w.saved_scan && !w.saved_clean); /* who comes next compares */
}
END_TEST

START_TEST(what_another_installation_keeps_out_after_the_look_is_not_believed)
{
    struct epochs_world w = {0};
    struct engine_config config;
    struct engine *e = with_another(&w, &config);
    w.point_epoch = LEASE_EPOCH;
    w.overtakes = LEASE_EPOCH + 200;
    w.notify = true;
    let_elapse(&w, e, INTERVAL_MS);
    ck_assert_str_eq(w.written, "");
    ck_assert_str_eq(w.recorded, "failed");
    idle_end(&w.idle, e);
}
END_TEST

START_TEST(when_no_point_has_had_a_higher_epoch_for_an_hour_everything_is_compared)
{
    struct epochs_world w = {0};
    struct engine_config config;
    struct engine *e = with_another(&w, &config);
    w.highest = w.point_epoch = LEASE_EPOCH;
    size_t scans = w.scans, sweeps = w.sweeps;
    let_elapse(&w, e, HOUR_MS - 3 * INTERVAL_MS);
    ck_assert_uint_ne(snapshot(e).another_epoch, 0);
    let_elapse(&w, e, 4 * INTERVAL_MS);
    ck_assert_uint_eq(snapshot(e).another_epoch, 0);
    ck_assert_uint_gt(w.scans, scans);
    ck_assert_uint_gt(w.sweeps, sweeps);
    idle_end(&w.idle, e);
}
END_TEST

START_TEST(a_person_who_asks_for_a_repair_has_the_lease_raised_once_more)
{
    struct epochs_world w = {0};
    struct engine_config config;
    struct engine *e = with_another(&w, &config);
    ck_assert(engine_compare(e, &(struct engine_compare){.whole = true}));
    let_elapse(&w, e, 10000);
    ck_assert_uint_eq(w.raises, 2);
    ck_assert_uint_eq(snapshot(e).another_epoch, 0);
    ck_assert_uint_eq(snapshot(e).compares, 1);
    idle_end(&w.idle, e);
}
END_TEST

START_TEST(an_epoch_that_no_lease_can_have_is_not_raised_above)
{
    struct epochs_world w = {.highest = UINT64_MAX};
    struct engine_config config;
    struct engine *e = start(&w, &config);
    let_elapse(&w, e, 5000);
    ck_assert_uint_eq(w.raises, 0);
    ck_assert_uint_ne(snapshot(e).another_epoch, 0);
    idle_end(&w.idle, e);
}
END_TEST

START_TEST(what_could_not_be_counted_proves_nothing)
{
    struct epochs_world w = {.fails = true};
    struct engine_config config;
    struct engine *e = start(&w, &config);
    let_elapse(&w, e, 2 * INTERVAL_MS);
    ck_assert(!w.proven);
    ck_assert_uint_ge(w.counts, 2);
    idle_end(&w.idle, e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine epochs");
    TCase *tc = tcase_create("epochs");
    tcase_add_test(tc,
                   without_a_higher_epoch_the_lease_is_reported_that_it_is_proven_and_nothing_is_compared);
    tcase_add_test(tc, a_higher_epoch_at_the_start_raises_the_lease_before_anything_is_written);
    tcase_add_loop_test(tc, an_epoch_between_the_last_proven_lease_and_ours_makes_everything_compared, 0, 2);
    tcase_add_test(tc, a_look_that_shows_a_higher_epoch_raises_the_lease_at_once);
    tcase_add_test(tc, a_second_rise_within_an_hour_is_another_installation);
    tcase_add_test(tc, what_another_installation_keeps_out_after_the_look_is_not_believed);
    tcase_add_test(tc, when_no_point_has_had_a_higher_epoch_for_an_hour_everything_is_compared);
    tcase_add_test(tc, a_person_who_asks_for_a_repair_has_the_lease_raised_once_more);
    tcase_add_test(tc, an_epoch_that_no_lease_can_have_is_not_raised_above);
    tcase_add_test(tc, what_could_not_be_counted_proves_nothing);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
