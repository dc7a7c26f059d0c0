/*
 * test_memory.c - memory is out once, at each allocation that something needs: a change is reported all the
 * same, each document is looked at, an answer is whole or an error. What tests/fault/torture found, kept
 * found; test_memory_adapters.c has the adapters.
 *
 * Only what happens between torture_arm() and torture_disarm() is counted; tests make their requests before.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_memory.h"
#include "engine/engine.h"
#include "fault/torture.h"
#include "service/documents_json.h"
#include "service/events.h"
#include "service/search.h"
#include "unit/idle_world.h"
#include "unit/mongo_fixture.h"
#include "unit/suite.h"

#define MOST 3000 /* allocations, of which there have to be fewer */

/*
 * ---- the engine: three documents to scan, of which one has a text that is refused for good and a point from
 * before; a point whose document is gone; then three deletes, of which one frees a business id ----
 */

#define SCANNED 4
#define REFUSED 2 /* of the scanned */
#define OWNER 1   /* has the business id of DUPLICATE by now, whose record says that it is synced */
#define DUPLICATE 3
#define DUPLICATE_POINT "00000000-0000-5000-8000-000000000003"
#define CHANGES 3
#define LEASE_HOLDER 20 /* waits for the business id of the first that is deleted */
#define STALE "00000000-0000-5000-8000-000000000010"
#define REFUSED_POINT "00000000-0000-5000-8000-000000000002"
#define REFUSED_STALE "00000000-0000-5000-8000-000000000012"
#define ORPHAN 30 /* is gone, and no event reports it */
#define ORPHAN_POINT "00000000-0000-5000-8000-000000000030"
#define PATIENCE 4000 /* steps of 10 virtual milliseconds */

struct small_world {
    struct idle_world idle; /* answers what this one has nothing to say about */
    int reported;           /* changes that the stream has brought */
    bool made[SCANNED], read[CHANGES];
    bool lease_holder_read, stale_point_gone;
    bool refused_due, refused_stale_gone, orphan_asked;
    bool duplicate_due, duplicate_taken_over, duplicate_point_gone;
    bool all_saved; /* the position behind the last change */
};

static bson_t *token_of(int number)
{
    bson_t *token = bson_new();
    BSON_APPEND_INT32(token, "n", number);
    return token;
}

static void answer_open(struct small_world *w, struct req *req)
{
    bson_iter_t n;
    bool resumed = req->stream_open.token && bson_iter_init_find(&n, req->stream_open.token, "n");
    w->reported = resumed ? bson_iter_int32(&n) : 0;
    req->stream_open.opened_at = req->stream_open.now = 1;
    req->stream_open.proven = true;
}

static void answer_next(struct small_world *w, struct req *req)
{
    size_t count = (size_t)(CHANGES - w->reported);
    req->stream_next.proven = true;
    if (!count) return;
    req->stream_next.changes = calloc(count, sizeof *req->stream_next.changes);
    ck_assert_ptr_nonnull(req->stream_next.changes);
    for (size_t i = 0; i < count; i++) {
        req->stream_next.changes[i] = (struct change){.op = CHANGE_DELETE,
                                                      .id = idle_id(10 + w->reported),
                                                      .token = token_of(w->reported + 1),
                                                      .at = (cluster_time)(2 + w->reported)};
        w->reported++;
    }
    req->stream_next.change_count = count;
}

static void lose(struct source_document *doc)
{
    idle_synced(doc);
    memcpy(doc->record.entries[0].point_id, DUPLICATE_POINT, sizeof DUPLICATE_POINT);
    doc->owner = idle_id(OWNER);
}

static void answer_scan(struct req *req)
{
    req->scan.end = true;
    req->scan.docs = calloc(SCANNED, sizeof *req->scan.docs);
    ck_assert_ptr_nonnull(req->scan.docs);
    for (int i = 0; i < SCANNED; i++) {
        struct docid *id = idle_id(i);
        if (req->scan.from && docid_compare(id, req->scan.from) <= 0) {
            docid_free(id);
            continue;
        }
        struct source_document *doc = &req->scan.docs[req->scan.count++];
        *doc = (struct source_document){.id = id, .bytes = 1};
        if (i == DUPLICATE)
            lose(doc);
        else
            doc->body = bson_new();
    }
}

static void note(const struct docid *id, int first, bool *seen, int count)
{
    for (int i = 0; i < count; i++) {
        struct docid *wanted = idle_id(first + i);
        if (docid_equal(id, wanted)) seen[i] = true;
        docid_free(wanted);
    }
}

static void answer_read(struct small_world *w, struct req *req)
{
    req->read.docs = calloc(req->read.count, sizeof *req->read.docs);
    ck_assert_ptr_nonnull(req->read.docs);
    for (size_t i = 0; i < req->read.count; i++) {
        req->read.docs[i].id = docid_copy(req->read.ids[i]);
        bool scanned[SCANNED] = {false};
        note(req->read.ids[i], 0, scanned, SCANNED);
        note(req->read.ids[i], 10, w->read, CHANGES);
        note(req->read.ids[i], LEASE_HOLDER, &w->lease_holder_read, 1);
        if (scanned[DUPLICATE]) lose(&req->read.docs[i]);
        for (int k = 0; k < SCANNED; k++)
            if (scanned[k] && k != DUPLICATE) req->read.docs[i].body = bson_new();
    }
}

/* Is the point asked for, by its id or by its document's? */
static bool asks(const struct req *req, const char *point_id, const char *doc)
{
    for (size_t i = 0; i < req->lookup.doc_count; i++)
        if (strcmp(req->lookup.docs[i], doc) == 0) return true;
    for (size_t i = 0; i < req->lookup.point_count; i++)
        if (strcmp(req->lookup.point_ids[i], point_id) == 0) return true;
    return false;
}

static void found_point(struct stamp **found, size_t *count, const char *point_id, const char *doc)
{
    struct stamp *more = realloc(*found, (*count + 1) * sizeof *more);
    ck_assert_ptr_nonnull(more);
    *found = more;
    more[*count] = (struct stamp){.ours = true, .doc = strdup(doc), .key = strdup("freed")};
    memcpy(more[(*count)++].point_id, point_id, POINT_ID_BYTES);
}

/* The first document that is deleted has a point, which knows its business id. */
static void answer_lookup(struct small_world *w, struct req *req)
{
    static const char deleted[] = "{\"$numberInt\":\"10\"}", refused[] = "{\"$numberInt\":\"2\"}",
                      orphan[] = "{\"$numberInt\":\"30\"}", duplicate[] = "{\"$numberInt\":\"3\"}";
    w->orphan_asked |= asks(req, ORPHAN_POINT, orphan);
    if (!w->stale_point_gone && asks(req, STALE, deleted))
        found_point(&req->lookup.found, &req->lookup.found_count, STALE, deleted);
    if (!w->duplicate_point_gone && asks(req, DUPLICATE_POINT, duplicate))
        found_point(&req->lookup.found, &req->lookup.found_count, DUPLICATE_POINT, duplicate);
    if (!w->refused_stale_gone && asks(req, REFUSED_STALE, refused))
        found_point(&req->lookup.found, &req->lookup.found_count, REFUSED_STALE, refused);
}

/* Somebody has to come back to the duplicate, or nobody knows of its record when its point is gone. */
static void answer_tombstones(struct small_world *w, const struct req *req)
{
    for (size_t i = 0; i < req->tombstones.count; i++)
        if (req->tombstones.tombstones[i].takeover)
            note(req->tombstones.tombstones[i].id, DUPLICATE, &w->duplicate_taken_over, 1);
}

static void answer_delete(struct small_world *w, const struct req *req)
{
    for (size_t i = 0; i < req->del.count; i++) {
        if (strcmp(req->del.point_ids[i], STALE) == 0) w->stale_point_gone = true;
        if (strcmp(req->del.point_ids[i], REFUSED_STALE) == 0) w->refused_stale_gone = true;
        if (strcmp(req->del.point_ids[i], DUPLICATE_POINT) != 0) continue;
        ck_assert_msg(
            w->duplicate_taken_over,
            "the duplicate's point is deleted before it is known that somebody has to come back to it");
        w->duplicate_point_gone = true;
    }
}

static void answer_embed(struct req *req)
{
    idle_embedded(req);
    for (size_t i = 0; i < req->embed.count; i++) {
        req->embed.errors[i] = calloc(1, sizeof *req->embed.errors[i]);
        ck_assert_ptr_nonnull(req->embed.errors[i]);
        lks_fail(req->embed.errors[i], LKS_E_EMBEDDING_REJECTED, "too long");
    }
}

static struct docid **alone(int number)
{
    struct docid **ids = calloc(1, sizeof(struct docid *));
    ck_assert_ptr_nonnull(ids);
    ids[0] = idle_id(number);
    return ids;
}

/* The holder was refused when it came, as a duplicate; the refused one waits for its next try, if it has one.
 */
static void answer_due(const struct small_world *w, struct req *req)
{
    req->due.end = true;
    if (!req->due.rejected_too && !w->refused_due && !w->duplicate_due) return;
    req->due.ids = alone(req->due.rejected_too ? LEASE_HOLDER : w->refused_due ? REFUSED : DUPLICATE);
    req->due.count = 1;
}

static void answer_make(struct small_world *w, struct req *req)
{
    idle_made(req);
    for (size_t i = 0; i < req->make.count; i++) {
        bool refused = false, loses = false;
        note(req->make.docs[i]->id, REFUSED, &refused, 1);
        note(req->make.docs[i]->id, DUPLICATE, &loses, 1);
        req->make.made[i].kind = MADE_NOTHING;
        if (refused) idle_point(&req->make.made[i], REFUSED_POINT);
        if (loses) idle_point(&req->make.made[i], DUPLICATE_POINT);
        note(req->make.docs[i]->id, 0, w->made, SCANNED);
    }
}

/* One that failed is written down, and its time comes, or none does. */
static void answer_record(struct small_world *w, const struct req *req)
{
    for (size_t i = 0; i < req->record.count; i++) {
        const struct entry *after = &req->record.writes[i].after->entries[0];
        bool refused = false, loses = false,
             due = after->status == SYNC_FAILED && after->next_retry_ms != NO_TIME;
        note(req->record.writes[i].id, REFUSED, &refused, 1);
        note(req->record.writes[i].id, DUPLICATE, &loses, 1);
        if (after->status == SYNC_FAILED) note(req->record.writes[i].id, 0, w->made, SCANNED);
        if (refused) w->refused_due = due;
        if (loses) w->duplicate_due = due;
    }
}

static void answer(struct small_world *w, struct req *req)
{
    bson_iter_t n;
    switch (req->kind) {
    case REQ_STATE_LOAD:
        req->state_load.state = (struct engine_state){.token = token_of(0), .scan_running = true};
        break;
    case REQ_STATE_SAVE:
        if (req->state_save.state.token && bson_iter_init_find(&n, req->state_save.state.token, "n") &&
            bson_iter_int32(&n) == CHANGES)
            w->all_saved = true;
        break;
    case REQ_STREAM_OPEN:
        answer_open(w, req);
        break;
    case REQ_STREAM_NEXT:
        answer_next(w, req);
        break;
    case REQ_SCAN:
        answer_scan(req);
        break;
    case REQ_READ:
        answer_read(w, req);
        break;
    case REQ_LOOKUP:
        answer_lookup(w, req);
        break;
    case REQ_DELETE:
        answer_delete(w, req);
        break;
    case REQ_DUPLICATES:
        req->duplicates.ids = alone(LEASE_HOLDER);
        req->duplicates.id_count = 1;
        break;
    case REQ_TOMBSTONES_PUT:
        answer_tombstones(w, req);
        break;
    case REQ_DUE:
        answer_due(w, req);
        break;
    case REQ_MAKE:
        answer_make(w, req);
        break;
    case REQ_EMBED:
        answer_embed(req);
        break;
    case REQ_SCROLL:
        found_point(&req->scroll.found, &req->scroll.found_count, ORPHAN_POINT, "{\"$numberInt\":\"30\"}");
        break;
    case REQ_RECORD:
        answer_record(w, req);
        break;
    default:
        idle_answer(&w->idle, req);
    }
}

static bool everything_seen(const struct small_world *w)
{
    bool all = w->all_saved && w->lease_holder_read && w->refused_stale_gone && w->orphan_asked &&
               w->duplicate_point_gone;
    for (int i = 0; i < SCANNED; i++) all &= w->made[i];
    for (int i = 0; i < CHANGES; i++) all &= w->read[i];
    return all;
}

static void step(struct small_world *w, struct engine *e)
{
    torture_pause(false);
    engine_run(e);
    torture_pause(true);
    struct req *req = w->idle.asked;
    w->idle.now_ms += 10;
    if (!req) return;
    w->idle.asked = req->next;
    req->next = NULL;
    answer(w, req);
    torture_pause(false);
    engine_handle(e, req);
    torture_pause(true);
}

/* A life in which the n-th allocation fails. True if it did. */
static bool live_without(long n)
{
    struct small_world w = {.idle = {.now_ms = 1000}};
    struct engine_config config;
    idle_configure(&config);
    config.interval_ms = 5000;
    struct engine *e = idle_engine(&w.idle, &config);
    torture_arm(TORTURE_ALLOCATION, n);
    for (int i = 0; i < PATIENCE && !everything_seen(&w); i++) step(&w, e);
    bool struck = torture_disarm();
    ck_assert_msg(everything_seen(&w),
                  "without allocation %ld: documents %d%d%d made, %d%d%d read, holder %d, point of the "
                  "refused text gone "
                  "%d, duplicate's %d, orphan asked for %d, position %s",
                  n, w.made[0], w.made[1], w.made[2], w.read[0], w.read[1], w.read[2], w.lease_holder_read,
                  w.refused_stale_gone, w.duplicate_point_gone, w.orphan_asked,
                  w.all_saved ? "saved" : "kept");
    engine_stop(e);
    for (int i = 0; i < PATIENCE && !engine_done(e); i++) step(&w, e);
    ck_assert_msg(engine_done(e), "without allocation %ld it never ends", n);
    engine_free(e);
    return struck;
}

START_TEST(the_engine_looks_at_every_document_all_the_same)
{
    long n = 1;
    while (n < MOST && live_without(n)) n++;
    ck_assert_int_gt(n, 50);
    ck_assert_int_lt(n, MOST);
}
END_TEST

START_TEST(a_failure_whose_text_cannot_be_kept_has_its_own_code)
{
    struct entry entry = {.present = true};
    ck_assert(entry_set_error(&entry, LKS_E_QDRANT_TIMEOUT, "slow"));
    torture_arm(TORTURE_ALLOCATION, 1);
    bool kept = entry_set_error(&entry, LKS_E_PLUGIN, "no");
    ck_assert(torture_disarm() && !kept);
    ck_assert_int_eq(entry.error, LKS_E_PLUGIN);
    ck_assert_ptr_null(entry.last_error);
}
END_TEST

/* ---- events ---- */

START_TEST(an_event_that_cannot_be_made_is_reported_or_missed)
{
    static const char wanted[] = "event: document\ndata: {\"name\":\"one\",\"n\":1}\n\n";
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        struct events *e = events_new();
        const struct event *event = NULL;
        ck_assert_ptr_nonnull(e);
        events_join(e);
        uint64_t place = events_newest(e);
        (void)json_memory_was_out();
        torture_arm(TORTURE_ALLOCATION, n);
        events_publish(e, "document", "tools", json_pack("{s:s,s:i}", "name", "one", "n", 1));
        struck = torture_disarm();
        enum events_found found = events_next(e, NULL, &place, &event);
        ck_assert_int_eq(found, struck ? EVENTS_LOST : EVENTS_FOUND);
        if (event) ck_assert_ptr_nonnull(strstr(event->text, wanted));
        if (event) event_release(event);
        events_free(e);
    }
    ck_assert_int_gt(n, 5);
    ck_assert_int_lt(n, MOST);
}
END_TEST

/* ---- the API: a filter or a document is whole, or there is none ---- */

START_TEST(a_filter_that_cannot_be_made_lets_nothing_through)
{
    const char *const terms[] = {"a:x", "b:true", "a:2"};
    char *whole = NULL;
    struct lks_err err;
    ck_assert_int_eq(search_filter(terms, 3, &whole, &err), LKS_E_OK);
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        char *filter = NULL;
        torture_arm(TORTURE_ALLOCATION, n);
        enum lks_code code = search_filter(terms, 3, &filter, &err);
        struck = torture_disarm();
        if (code)
            ck_assert_int_eq(code, LKS_E_NOMEM);
        else
            ck_assert_str_eq(filter, whole);
        free(filter);
    }
    ck_assert_int_gt(n, 20);
    free(whole);
}
END_TEST

START_TEST(a_patch_that_cannot_be_read_changes_nothing)
{
    bson_t *body = fixture_doc("{'a':5.0,'b':{'$date':'2026-01-01T00:00:00Z'},'c':{'d':1}}");
    json_t *patch = json_loads("{\"a\":5,\"b\":\"2026-01-01T00:00:00.000Z\",\"c\":{\"d\":1}}", 0, NULL);
    json_t *shown = document_json(body);
    ck_assert(patch && shown);
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        struct document_patch merged;
        (void)json_memory_was_out(); /* as before each answer */
        torture_arm(TORTURE_ALLOCATION, n);
        bool ok = document_merge(body, patch, &merged);
        bool missed = torture_disarm();
        ck_assert(ok || missed);
        ck_assert(!ok || (bson_empty(&merged.set) && bson_empty(&merged.unset)));
        document_patch_fini(&merged);
        torture_arm(TORTURE_ALLOCATION, n);
        json_t *again = document_json(body);
        struck = torture_disarm() || missed;
        ck_assert(!again || json_equal(again, shown));
        json_decref(again);
    }
    ck_assert_int_gt(n, 5);
    json_decref(patch);
    json_decref(shown);
    bson_destroy(body);
}
END_TEST

int main(void)
{
    json_memory_watch();
    Suite *suite = suite_create("memory");
    TCase *tc = tcase_create("memory");
    tcase_set_timeout(tc, 150);
    tcase_add_test(tc, the_engine_looks_at_every_document_all_the_same);
    tcase_add_test(tc, a_failure_whose_text_cannot_be_kept_has_its_own_code);
    tcase_add_test(tc, an_event_that_cannot_be_made_is_reported_or_missed);
    tcase_add_test(tc, a_filter_that_cannot_be_made_lets_nothing_through);
    tcase_add_test(tc, a_patch_that_cannot_be_read_changes_nothing);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
