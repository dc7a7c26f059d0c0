/*
 * test_engine_trace.c - a holder that was paused may still have a record to write, of what it read before a
 * change. What a change comes to leaves a trace in the record, so that its compare-and-set misses.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "idle_world.h"
#include "suite.h"

#define REJECTED 1
#define PATIENCE 400 /* steps */

static const char refusal[] = "no title";

struct rejecting_world {
    struct idle_world idle; /* first, so that it can be found from there */
    bool changes;           /* the document changes, long after the scan */
    bool compares;          /* that scan compares with the points */
    bool circuit_open;      /* Qdrant does not answer, and the document waits for it */
    size_t waits, recorded;
    int64_t last_attempt_ms;
};

static void answer_read(const struct rejecting_world *w, struct source_document *doc)
{
    idle_synced(doc);
    struct entry *entry = &doc->record.entries[0];
    entry->status = w->circuit_open ? SYNC_PENDING : SYNC_FAILED;
    entry->retry_count = 1;
    entry->last_attempt_ms = w->last_attempt_ms;
    if (!w->circuit_open) ck_assert(entry_set_error(entry, LKS_E_VALIDATION, refusal));
}

static void answer_make(const struct rejecting_world *w, struct req *req)
{
    idle_made(req);
    for (size_t i = 0; i < req->make.count; i++) {
        struct made *made = &req->make.made[i];
        made->kind = w->circuit_open ? MADE_NOTHING : MADE_FAILED;
        if (w->circuit_open) continue;
        strcpy(made->point_id, "00000000-0000-5000-8000-000000000001");
        made->err = calloc(1, sizeof *made->err);
        ck_assert_ptr_nonnull(made->err);
        lks_fail(made->err, LKS_E_VALIDATION, "%s", refusal);
    }
}

static void answer(struct idle_world *idle, struct req *req)
{
    struct rejecting_world *w = (struct rejecting_world *)idle;
    switch (req->kind) {
    case REQ_STATE_LOAD: /* nothing but a scan to go on with */
        req->state_load.state = (struct engine_state){
            .token = bson_new(), .clean = true, .scan_running = true, .scan_verifies = w->compares};
        req->state_load.state.digests = calloc(2, sizeof(char *));
        ck_assert_ptr_nonnull(req->state_load.state.digests);
        req->state_load.state.digests[0] = strdup("d");
        break;
    case REQ_ENSURE:
    case REQ_LOOKUP:
        if (w->circuit_open) lks_fail(&req->err, LKS_E_QDRANT_UNAVAILABLE, "connection refused");
        break;
    case REQ_SCAN:
        req->scan.end = true;
        if (req->scan.from) break;
        req->scan.docs = calloc(1, sizeof *req->scan.docs);
        ck_assert_ptr_nonnull(req->scan.docs);
        req->scan.count = 1;
        req->scan.docs[0].id = idle_id(REJECTED);
        answer_read(w, &req->scan.docs[0]);
        break;
    case REQ_STREAM_NEXT:
        if (++w->waits == 50 && w->changes) idle_notify(req, CHANGE_UPDATE, REJECTED);
        break;
    case REQ_READ:
        idle_answer(idle, req);
        for (size_t i = 0; i < req->read.count; i++) answer_read(w, &req->read.docs[i]);
        break;
    case REQ_MAKE:
        answer_make(w, req);
        break;
    case REQ_RECORD:
        for (size_t i = 0; i < req->record.count; i++) {
            int64_t attempt_ms = req->record.writes[i].after->entries[0].last_attempt_ms;
            ck_assert_int_ne(attempt_ms, w->last_attempt_ms);
            w->last_attempt_ms = attempt_ms;
            w->recorded++;
        }
        break;
    default:
        idle_answer(idle, req);
    }
}

START_TEST(what_fails_or_waits_as_before_is_written_down_after_a_change_or_a_comparing_scan)
{
    struct rejecting_world w = {.idle = {.now_ms = 1000000, .answer = answer},
                                .changes = _i & 1,
                                .circuit_open = _i & 2,
                                .compares = _i & 4,
                                .last_attempt_ms = 5};
    struct engine_config config;
    idle_configure(&config);
    config.worker_enabled = false;
    struct engine *e = idle_engine(&w.idle, &config);
    for (int i = 0; i < PATIENCE; i++) idle_step(&w.idle, e);
    ck_assert_uint_gt(w.waits, 60);
    ck_assert_uint_eq(w.recorded, (size_t)w.changes + w.compares);
    idle_end(&w.idle, e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine trace");
    TCase *tc = tcase_create("trace");
    tcase_add_loop_test(tc, what_fails_or_waits_as_before_is_written_down_after_a_change_or_a_comparing_scan,
                        0, 8);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
