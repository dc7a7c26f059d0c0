/*
 * test_engine_leftover.c - the saved state was lost while MongoDB's clock was back, so the lease has a lower
 * epoch than some points. Qdrant keeps out what has the lower epoch, and says nothing.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "idle_world.h"
#include "suite.h"

#define LEASE_EPOCH 7 /* of the idle world */
#define GHOST 1       /* the document that a point speaks of, and that is gone */
#define CHANGED 2
#define PATIENCE 1000

static const char point_of_changed[] = "00000000-0000-5000-8000-000000000002";

struct leftover_world {
    struct idle_world idle; /* first, so that it can be found from there */
    uint64_t ghost_epoch;
    bool swept, told, looked, upserted;
    bool saved_scan, saved_clean;
};

static bool is_changed(const struct docid *id)
{
    struct docid *changed = idle_id(CHANGED);
    bool same = docid_equal(id, changed);
    docid_free(changed);
    return same;
}

static void answer_scroll(struct leftover_world *w, struct req *req)
{
    struct docid *ghost = idle_id(GHOST);
    req->scroll.found = calloc(1, sizeof *req->scroll.found);
    ck_assert_ptr_nonnull(req->scroll.found);
    req->scroll.found[req->scroll.found_count++] =
        (struct witness){.point_id = "00000000-0000-5000-8000-000000000001",
                         .ours = true,
                         .doc = docid_json(ghost),
                         .epoch = w->ghost_epoch};
    docid_free(ghost);
    w->swept = true;
}

static void answer_read(struct req *req)
{
    req->read.docs = calloc(req->read.count, sizeof *req->read.docs);
    ck_assert_ptr_nonnull(req->read.docs);
    for (size_t i = 0; i < req->read.count; i++) {
        struct source_doc *doc = &req->read.docs[i];
        doc->id = docid_copy(req->read.ids[i]);
        if (!is_changed(doc->id)) continue;
        idle_synced(doc);
        strcpy(doc->record.entries[0].point_id, point_of_changed);
        strcpy(doc->record.entries[0].content_hash, "of before");
    }
}

static void answer_make(struct req *req)
{
    idle_made(req);
    for (size_t i = 0; i < req->make.count; i++) {
        struct made *made = &req->make.made[i];
        idle_point(made, point_of_changed);
        strcpy(made->content_hash, "of now");
        strcpy(made->payload_hash, "p");
    }
}

static void answer_embed(struct req *req)
{
    req->embed.dimensions = 4;
    idle_embedded(req);
    for (size_t i = 0; i < req->embed.count; i++) req->embed.vectors[i] = calloc(4, sizeof(float));
}

static void answer(struct idle_world *idle, struct req *req)
{
    struct leftover_world *w = (struct leftover_world *)idle;
    switch (req->kind) {
    case REQ_SCROLL:
        answer_scroll(w, req);
        break;
    case REQ_STREAM_NEXT:
        if (w->swept && !w->told) { /* every point was seen, and then another document changes */
            idle_tell(req, CHANGE_UPDATE, CHANGED);
            w->told = true;
        }
        break;
    case REQ_READ:
        answer_read(req);
        break;
    case REQ_MAKE:
        answer_make(req);
        break;
    case REQ_LOOKUP:
        for (size_t i = 0; i < req->lookup.point_count; i++)
            w->looked |= strcmp(req->lookup.point_ids[i], point_of_changed) == 0;
        break;
    case REQ_EMBED:
        answer_embed(req);
        break;
    case REQ_UPSERT:
        w->upserted = true;
        break;
    case REQ_STATE_SAVE:
        w->saved_scan = req->state_save.state.scan_running;
        w->saved_clean = req->state_save.state.clean;
        break;
    default:
        idle_answer(idle, req);
    }
}

/* What is written without a look would not be written, and be taken for written. */
START_TEST(who_has_seen_a_higher_epoch_looks_at_each_point_before_it_writes_and_so_does_the_next)
{
    bool leftover = _i > 0;
    struct leftover_world w = {.idle = {.now_ms = 1000, .answer = answer},
                               .ghost_epoch = leftover ? LEASE_EPOCH + 1 : LEASE_EPOCH};
    struct engine_config config;
    idle_configure(&config);
    struct engine *e = idle_engine(&w.idle, &config);
    for (int i = 0; i < PATIENCE && !w.upserted; i++) idle_step(&w.idle, e);
    ck_assert(w.upserted);
    ck_assert_int_eq(w.looked, leftover);
    idle_end(&w.idle, e);
    ck_assert_int_eq(w.saved_scan, leftover);
    ck_assert_int_eq(w.saved_clean, !leftover);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine leftover");
    TCase *tc = tcase_create("leftover");
    tcase_add_loop_test(
        tc, who_has_seen_a_higher_epoch_looks_at_each_point_before_it_writes_and_so_does_the_next, 0, 2);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
