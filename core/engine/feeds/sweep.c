/*
 * sweep.c - goes through our points and looks whether each has its document, and that document's record says
 * so; then through the records beside documents (sweep_records.c).
 *
 * What it finds is only a suspicion: the document is marked, read with majority concern, and its points are
 * asked in their turn before anything is deleted. Points of others are never touched.
 *
 * Each collection is gone through twice where points have no document: the first pass only counts those. Too
 * many of them look like a database that was restored empty or swapped, so their deletes are held until a
 * person allows them, or a later count finds fewer. Nothing is held after a drop that the stream reported.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/feeds/feeds.h"

#define RECOUNT_MAX_MS 300000 /* of held deletes */

static void free_page(struct engine *e)
{
    for (size_t i = 0; i < e->feeds->sweep.page_count; i++) {
        stamp_fini(&e->feeds->sweep.page[i]);
        docid_free(e->feeds->sweep.ids[i]);
    }
    free(e->feeds->sweep.page);
    free(e->feeds->sweep.ids);
    e->feeds->sweep.page = NULL;
    e->feeds->sweep.ids = NULL;
    e->feeds->sweep.page_count = 0;
}

/* ---- how many may be deleted ---- */

static uint64_t bit(size_t collection)
{
    return (uint64_t)1 << collection;
}

/* Every point without a document may be deleted, however many they are. */
static bool unlimited(const struct engine *e)
{
    return e->feeds->sweep.drop_reported || e->feeds->sweep.allowed || e->config->max_delete_percent >= 100 ||
           scan_request(e).allow_deletes;
}

static bool too_many(const struct engine *e, uint64_t orphans, uint64_t points)
{
    return orphans > 0 && orphans >= e->config->hold_from &&
           orphans > points * (uint64_t)e->config->max_delete_percent / 100;
}

bool sweep_holds(const struct engine *e)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (e->collections[i].held.orphans > 0) return true;
    return false;
}

static void set_held(struct engine *e, size_t collection, struct held_deletes held)
{
    struct collection_state *c = &e->collections[collection];
    if (held.orphans > 0 && c->held.orphans == 0)
        log_error("too many points have no document: none is deleted until that is allowed (lockstep sync "
                  "--allow-deletes)",
                  LOG_STR("source", e->config->source), LOG_STR("collection", c->config->name),
                  LOG_INT("without_document", held.orphans), LOG_INT("points", held.points));
    if (held.orphans == 0 && c->held.orphans > 0)
        log_info("deletes are not held any more", LOG_STR("source", e->config->source),
                 LOG_STR("collection", c->config->name));
    if (held.orphans != c->held.orphans || held.points != c->held.points) e->save_dirty = true;
    c->held = held;
}

/* ---- from collection to collection ---- */

/* At the first point of the collection. */
static void begin_round(struct engine *e, size_t collection)
{
    e->feeds->sweep.collection = collection;
    e->feeds->sweep.second = e->feeds->sweep.agreed >> collection & 1;
    e->feeds->sweep.deletes = e->feeds->sweep.second || unlimited(e);
    e->feeds->sweep.points = e->feeds->sweep.orphans = 0;
    e->feeds->sweep.from[0] = '\0';
}

static void begin(struct engine *e, uint64_t collections, bool recount)
{
    if (e->feeds->sweep
            .requested) /* by one that was broken off: its page is borrowed until that comes back */
        e->feeds->sweep.outdated = true;
    else
        free_page(e);
    e->feeds->sweep.running = true;
    e->feeds->sweep.recount = recount;
    e->feeds->sweep.left = collections;
    e->feeds->sweep.counted = e->feeds->sweep.agreed = 0;
    e->feeds->sweep.partial = e->feeds->sweep.records = false;
    docid_free(e->feeds->sweep.record);
    e->feeds->sweep.record = NULL;
    begin_round(e, e->feeds->sweep.collection);
    e->feeds->sweep.suspects = 0;
    e->feeds->sweep.began_ms = now_ms(e);
    e->feeds->sweep.next_ms = 0;
    /* What was read before what we sweep for may be written after we came by. */
    document_table_make_dirty(e, &e->feeds->sweep.watermark);
}

void sweep_begin(struct engine *e)
{
    begin(e, e->collection_count < 64 ? ((uint64_t)1 << e->collection_count) - 1 : UINT64_MAX, false);
}

/* Documents may have come back, or the limit is another one by now. A sweep that waits for a collection that
 * does not answer does this beside. */
static void recount_run(struct engine *e)
{
    uint64_t held = 0;
    bool waits = sweep_waits(e) && !e->feeds->scan.wanted && !e->feeds->scan.running;
    if (!sweep_holds(e) || now_ms(e) < e->feeds->sweep.recount_ms || e->config->once ||
        e->config->one_shot.on)
        return;
    if ((!scan_idle(e) && !waits) || e->facts.another_epoch) return;
    if (e->facts.page_requested || e->feeds->sweep.requested || e->feeds->compare.state == COMPARE_RUNS ||
        mongo_paused(e) || !watermark_idle(&e->feeds->sweep.watermark))
        return;
    for (size_t i = 0; i < e->collection_count; i++)
        if (e->collections[i].held.orphans > 0 && circuit_closed(&e->collections[i].circuit)) held |= bit(i);
    e->feeds->sweep.recount_ms = now_ms(e) + e->config->interval_ms;
    if (!held) return;
    if (!waits) {
        begin(e, held, true);
        return;
    }
    e->feeds->sweep.left |= held;
    e->feeds->sweep.counted &= ~held;
    e->feeds->sweep.agreed &= ~held;
    begin_round(e,
                e->feeds->sweep.collection); /* else what an earlier one has counted there counts once more */
    e->feeds->sweep.began_ms = now_ms(e);
}

void sweep_fini(struct engine *e)
{
    free_page(e);
    docid_free(e->feeds->sweep.record);
}

static void sweep_end(struct engine *e)
{
    e->feeds->sweep.running = false;
    e->feeds->sweep.due_ms = now_ms(e) + 9 * (now_ms(e) - e->feeds->sweep.began_ms);
    if (e->feeds->sweep.recount) return;
    e->feeds->sweep.drop_reported = false;
    e->save_dirty = true;
    for (size_t i = 0; i < e->collection_count; i++) e->collections[i].known_empty = false;
    LOG_WITH(e->feeds->scan.silent ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
             "sweep done: every point was asked for its document", LOG_STR("source", e->config->source),
             LOG_INT("suspects", e->feeds->sweep.suspects));
}

static void collection_done(struct engine *e, size_t collection)
{
    e->feeds->sweep.left &= ~bit(collection);
    e->feeds->sweep.counted &= ~bit(collection);
    e->feeds->sweep.agreed &= ~bit(collection);
    if (e->feeds->sweep.left) return;
    e->feeds->sweep.records = sweep_records_wanted(e) && !sweep_holds(e);
    if (!e->feeds->sweep.records) sweep_end(e);
}

/* Its points needn't be gone through, or can't be. */
static bool passed_over(struct engine *e, size_t collection)
{
    const struct collection_state *c = &e->collections[collection];
    uint64_t only = scan_request(e).only;
    if (only && !(only >> collection & 1)) return true;
    if (c->absent) return true;                            /* there is no point */
    if (e->config->once && !circuit_closed(&c->circuit)) { /* one pass doesn't wait until it is well again */
        e->unknown = e->feeds->sweep.partial = true;
        return true;
    }
    if (e->feeds->compare.state == COMPARE_RUNS && !circuit_closed(&c->circuit)) {
        e->feeds->compare.partial = e->feeds->sweep.partial = true;
        return true;
    }
    return c->known_empty; /* it had no point when we came: what we wrote since has a record */
}

static bool can_be_swept(const struct engine *e, size_t collection)
{
    return (e->feeds->sweep.left >> collection & 1) && circuit_closed(&e->collections[collection].circuit);
}

/*
 * A document's points go from all collections, so one with too many holds the deletes of all. One that does
 * not answer is not waited for: it is counted when it does.
 */
static void decide(struct engine *e)
{
    bool hold = false;
    for (size_t i = 0; i < e->collection_count; i++) {
        const struct collection_state *c = &e->collections[i];
        bool counted = e->feeds->sweep.counted >> i & 1;
        if (counted && too_many(e, c->count.orphans, c->count.points)) hold = true;
        if (!counted && c->held.orphans > 0 && circuit_closed(&c->circuit)) hold = true;
    }
    if (unlimited(e)) hold = false;
    if (!hold) {
        e->feeds->sweep.agreed |= e->feeds->sweep.counted;
        return;
    }
    int64_t pause = 49 * (now_ms(e) - e->feeds->sweep.began_ms); /* counting takes 2 % of the time at most; */
    if (pause > RECOUNT_MAX_MS) pause = RECOUNT_MAX_MS; /* what it waited for a collection is in it, too */
    e->feeds->sweep.recount_ms =
        now_ms(e) + (pause > e->config->interval_ms ? pause : e->config->interval_ms);
    for (size_t i = 0; i < e->collection_count; i++) {
        if (!(e->feeds->sweep.counted >> i & 1)) continue;
        set_held(e, i, e->collections[i].count);
        collection_done(e, i);
    }
}

/* Goes on with the one begun, or to the next that is well: who isn't keeps nobody waiting. */
static bool choose_among(struct engine *e, uint64_t collections)
{
    if ((collections >> e->feeds->sweep.collection & 1) && can_be_swept(e, e->feeds->sweep.collection) &&
        e->feeds->sweep.second == (e->feeds->sweep.agreed >> e->feeds->sweep.collection & 1))
        return true;
    for (size_t i = 0; i < e->collection_count; i++) {
        if (!(collections >> i & 1) || !can_be_swept(e, i)) continue;
        begin_round(e, i);
        return true;
    }
    return false;
}

/* First all are counted, then those go on where points may be deleted. False if all that are left have to be
 * waited for. */
static bool choose_collection(struct engine *e)
{
    for (size_t i = 0; i < e->collection_count && e->feeds->sweep.running; i++) {
        if (!(e->feeds->sweep.left >> i & 1) || !passed_over(e, i)) continue;
        if (e->collections[i].known_empty) set_held(e, i, (struct held_deletes){.orphans = 0});
        collection_done(e, i);
    }
    if (!e->feeds->sweep.running) return false;
    if (choose_among(e, e->feeds->sweep.left & ~e->feeds->sweep.counted)) return true;
    if (e->feeds->sweep.counted & ~e->feeds->sweep.agreed) decide(e);
    return e->feeds->sweep.running && choose_among(e, e->feeds->sweep.agreed);
}

bool sweep_waits(const struct engine *e)
{
    if (!e->feeds->sweep.running || e->feeds->sweep.requested || e->feeds->sweep.page_count > 0 ||
        e->feeds->sweep.records)
        return false;
    for (size_t i = 0; i < e->collection_count; i++)
        if (can_be_swept(e, i)) return false;
    return true;
}

void sweep_run(struct engine *e)
{
    recount_run(e);
    if (!e->feeds->sweep.running || e->feeds->sweep.requested || now_ms(e) < e->feeds->sweep.next_ms) return;
    if (e->feeds->sweep.records) {
        sweep_records_run(e);
        return;
    }
    if (e->feeds->sweep.page_count > 0) {
        if (!mongo_paused(e)) ask(e, ASK_SWEEP_DOCUMENTS);
        return;
    }
    if (e->docs_in_work > e->config->max_docs / 2) return;
    if (choose_collection(e))
        ask(e, ASK_SWEEP_POINTS);
    else if (e->feeds->sweep.records)
        sweep_records_run(e);
}

/* Every point of the collection was seen. */
static void round_done(struct engine *e)
{
    size_t i = e->feeds->sweep.collection;
    if (!e->feeds->sweep.deletes && e->feeds->sweep.orphans > 0) {
        e->collections[i].count =
            (struct held_deletes){.orphans = e->feeds->sweep.orphans, .points = e->feeds->sweep.points};
        e->feeds->sweep.counted |= bit(i);
        return;
    }
    set_held(e, i, (struct held_deletes){.orphans = 0});
    collection_done(e, i);
}

void sweep_wait(struct engine *e)
{
    e->feeds->sweep.next_ms = now_ms(e) + 1000;
}

void sweep_points(struct engine *e, struct stamp *found, size_t count, const char *next)
{
    e->feeds->sweep.page = calloc(count ? count : 1, sizeof *e->feeds->sweep.page);
    e->feeds->sweep.ids = calloc(count ? count : 1, sizeof(struct docid *));
    if (!e->feeds->sweep.page || !e->feeds->sweep.ids) {
        free_page(e);
        sweep_wait(e);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        epoch_seen(e, e->feeds->sweep.collection, &found[i]);
        struct docid *id = NULL;
        if (found[i].ours && found[i].doc && !docid_read(found[i].doc, &id)) {
            free_page(e); /* memory is out: the same page again */
            sweep_wait(e);
            return;
        }
        if (!id) continue;
        e->feeds->sweep.ids[e->feeds->sweep.page_count] = id;
        e->feeds->sweep.page[e->feeds->sweep.page_count++] = found[i];
        memset(&found[i], 0, sizeof found[i]);
    }
    memcpy(e->feeds->sweep.from, next, sizeof e->feeds->sweep.from);
    e->feeds->sweep.last = !next[0];
    if (e->feeds->sweep.page_count > 0) return;
    free_page(e);
    if (e->feeds->sweep.last) round_done(e);
}

/* Does the document's record say what this point says? */
static bool in_sync(const struct engine *e, const struct source_document *doc, const struct stamp *w)
{
    if (!doc->body || doc->record.entry_count != e->collection_count) return false;
    const struct entry *entry = &doc->record.entries[e->feeds->sweep.collection];
    return entry->present && strcmp(entry->point_id, w->point_id) == 0 &&
           (entry->status != SYNC_SYNCED || (strcmp(entry->content_hash, w->content_hash) == 0 &&
                                             strcmp(entry->payload_hash, w->payload_hash) == 0));
}

void sweep_documents(struct engine *e, struct source_document *docs, size_t count)
{
    e->feeds->sweep.points += count;
    for (size_t i = 0; i < count; i++) e->feeds->sweep.orphans += !docs[i].body;
    size_t current = e->feeds->sweep.collection;
    if (e->feeds->sweep.second &&
        too_many(e, e->feeds->sweep.orphans, e->collections[current].count.points) &&
        !unlimited(e)) { /* they went between the two passes: counted once more */
        free_page(e);
        e->feeds->sweep.counted &= ~bit(current);
        e->feeds->sweep.agreed &= ~bit(current);
        begin_round(e, current);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bool gone = !docs[i].body;
        if (gone ? !e->feeds->sweep.deletes : e->feeds->sweep.second) continue;
        if (in_sync(e, &docs[i], &e->feeds->sweep.page[i])) continue;
        struct dirty_reason reason = {.verify_points = true, .only = scan_request(e).only};
        e->feeds->sweep.suspects++;
        /* A point that has its document's id in an earlier version's spelling may not be found by the id. */
        bool named = !e->feeds->sweep.page[i].respelled ||
                     owed_add(&reason.owed, current, e->feeds->sweep.page[i].point_id);
        if (named &&
            document_make_dirty_holding(e, e->feeds->sweep.ids[i], &reason, &e->feeds->sweep.watermark, NULL))
            continue;
        if (!named) dirty_reason_fini(&reason);
        free_page(e); /* memory is out: from the beginning, then */
        scan_start(e, true);
        return;
    }
    free_page(e);
    if (e->feeds->sweep.last) round_done(e);
}

bool sweep_current(struct engine *e)
{
    bool outdated = e->feeds->sweep.outdated;
    e->feeds->sweep.requested = e->feeds->sweep.outdated = false;
    if (e->feeds->sweep.running && !outdated) return true;
    free_page(e);
    return false;
}

void sweep_records(struct engine *e, struct docid **ids, size_t count, struct docid **next)
{
    if (sweep_records_take(e, ids, count, next)) sweep_end(e);
}
