/*
 * replicas.c - collections with replicas: a write that was not acknowledged may be on some of them, and a
 * point that is read shows only one.
 *
 * Says what an acknowledged write has to settle, looks now and then whether all replicas are active, and
 * starts the comparing scan that is owed after they were not. Owns `replicas` of struct engine.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

#define AGAIN_MAX_MS 3600000

static uint64_t bit(size_t collection)
{
    return (uint64_t)1 << collection;
}

/* ---- one point ---- */

/* The record says that this very point was written, with this text and payload. */
static bool is_recorded(const struct target *target)
{
    const struct entry *before = &target->doc->src.record.entries[target->collection];
    const struct made *made = &target->made;
    return before->present && before->status == SYNC_SYNCED &&
           strcmp(before->point_id, made->point_id) == 0 &&
           strcmp(before->content_hash, made->content_hash) == 0 &&
           strcmp(before->payload_hash, made->payload_hash) == 0;
}

bool replicas_want_write(const struct engine *e, const struct target *target, const struct stamp *own)
{
    const struct document *doc = target->doc;
    if (!e->collections[target->collection].replicated || target->wrote || !own || !own->ours) return false;
    bool replayed = doc->work.after && doc->work.after <= e->stream.verify_until && !e->lease.clean_start;
    return own->differs || doc->work.tombstone || !is_recorded(target) || replayed ||
           owed_has(&doc->work.owed, target->collection, own->point_id);
}

bool replicas_owe_former(const struct engine *e, struct target *target)
{
    const struct entry *before = &target->doc->src.record.entries[target->collection];
    if (!e->collections[target->collection].replicated || target->doc->gone || !before->point_id[0])
        return true;
    if (target->wanted.point && strcmp(before->point_id, target->made.point_id) == 0) return true;
    return owed_add(&target->doc->work.owed, target->collection, before->point_id);
}

/* Only its tombstone brings us here, which is owed something, and its entry is not synced. */
static bool waits(const struct target *target)
{
    const struct document *doc = target->doc;
    const struct entry *entry = &doc->src.record.entries[target->collection];
    return doc->work.tombstone_alone && !doc->gone && doc->work.owed.count > 0 && entry->present &&
           entry->status != SYNC_SYNCED;
}

/* Nobody comes back to it before the document changes. */
static bool waits_for_change(const struct target *target)
{
    const struct entry *entry = &target->doc->src.record.entries[target->collection];
    return entry->status == SYNC_FAILED && entry->next_retry_ms == NO_TIME;
}

bool replicas_stale_points_only(const struct target *target)
{
    const struct owed_points *owed = &target->doc->work.owed;
    if (!waits(target) || !waits_for_change(target)) return false;
    for (size_t i = 0; i < owed->count; i++)
        if (owed->items[i].collection == target->collection) return true;
    return false;
}

bool replicas_leave(const struct target *target)
{
    return waits(target) && !replicas_stale_points_only(target);
}

enum stale_verdict replicas_judge_stale(struct target *target, const char *stale_point,
                                        const struct stamp *seen, struct lks_err *err)
{
    struct owed_points *owed = &target->doc->work.owed;
    if (!owed_has(owed, target->collection, stale_point)) return STALE_GONE;
    /* What another document of ours wrote to all replicas they agree on. Else it writes it once more, should
     * it still be its own. */
    if (target->agreed && (!seen || (seen->ours && seen->differs))) return STALE_DELETE;
    if (target->agreed) {
        owed_done(owed, target->collection, stale_point);
        return STALE_GONE;
    }
    if (target->doc->work.tombstone) return STALE_GONE; /* for now: the tombstone stays */
    lks_fail(err, LKS_E_QDRANT_UNAVAILABLE,
             "point %s may be on a replica that was not asked: not all replicas of the collection answer",
             stale_point);
    return STALE_UNKNOWN;
}

/*
 * It is written down which point that was, before the record says that it failed: the document may be gone,
 * or have another id, when somebody comes back, and the replica that is read then may not show it.
 */
void target_not_written(struct engine *e, struct target *target, const struct lks_err *err, bool unknown)
{
    bool deletes = target->stage == TARGET_STALE_DELETE;
    const char *point_id = deletes ? target->stale_points[target->stale_count - 1] : target->made.point_id;
    bool owes = unknown && e->collections[target->collection].replicated;
    if (owes && owed_add(&target->doc->work.owed, target->collection, point_id) &&
        (target->unconfirmed = malloc(sizeof *err))) {
        *target->unconfirmed = *err;
        docid_free(target->taken_over);
        target->taken_over = docid_copy(target->doc->id);
    }
    if (!target->unconfirmed || !target->taken_over) {
        target_failed(e, target, err);
        return;
    }
    target->after_takeover = TARGET_SETTLED;
    target->stage = TARGET_TAKEOVER;
    batch_queue_push(&e->takeovers, &target->node);
}

bool replicas_compare(const struct engine *e, const struct target *target)
{
    if (!e->collections[target->collection].replicated) return false;
    if (target->stage == TARGET_STALE_LOOK)
        return owed_has(&target->doc->work.owed, target->collection,
                        target->stale_points[target->stale_count - 1]);
    return e->scan.verify_points && (e->scan.wanted || e->scan.running);
}

void replicas_unasked(struct engine *e, size_t collection)
{
    e->replicas.proving &= ~bit(collection);
}

/* ---- their states ---- */

static bool owed(const struct engine *e, size_t collection)
{
    return e->replicas.owed & bit(collection);
}

static void owe(struct engine *e, size_t collection)
{
    e->replicas.proving &= ~bit(collection);
    if (owed(e, collection)) return;
    e->replicas.owed |= bit(collection);
    e->save.dirty = true;
}

void replicas_seen(struct engine *e, const struct req *req)
{
    size_t i = req->ensure.collection;
    struct collection_state *c = &e->collections[i];
    bool known = e->replicas.known & bit(i), before = c->replicated && !c->replicas_active;
    c->replicated = req->ensure.replicas > 1;
    c->replicas_active = req->ensure.active;
    e->replicas.known |= bit(i);
    if (!known) e->save.dirty = true;
    if (!c->replicated) {
        e->replicas.owed &= ~bit(i);
        return;
    }
    if (!c->replicas_active && !before)
        log_warn("not all replicas of a Qdrant collection are active; they are compared when they are",
                 LOG_STR("source", e->config->source), LOG_STR("collection", c->config->name));
    if (!c->replicas_active || (!known && !req->ensure.empty)) owe(e, i);
}

void replicas_handle(struct engine *e, struct req *req)
{
    e->replicas.requested = false;
    if (req->err.code != LKS_E_OK) {
        collection_failed(e, &e->collections[req->ensure.collection], &req->err);
        return;
    }
    replicas_seen(e, req);
    if (req->ensure.created) scan_start(e, true); /* it was dropped behind our back */
}

/* The next of them that is well. */
static void look(struct engine *e)
{
    for (; e->replicas.next < e->collection_count; e->replicas.next++) {
        const struct collection_state *c = &e->collections[e->replicas.next];
        if (!c->replicated || !circuit_closed(&c->circuit)) continue;
        struct req *req = req_new(REQ_ENSURE, &e->replicas);
        if (!req) return;
        req->ensure.collection = e->replicas.next++;
        req->ensure.dimensions = e->embedders[c->config->embedder].dimensions;
        e->replicas.requested = true;
        submit_to_index(e, req);
        return;
    }
    e->replicas.next = 0;
    e->replicas.next_ms = now_ms(e) + e->config->interval_ms;
}

/* ---- the scan that is owed ---- */

/* Those that a scan which begins now can prove to be the same everywhere. */
void replicas_scan_begins(struct engine *e)
{
    uint64_t only = scan_request(e).only;
    e->replicas.proving = 0;
    if (!e->scan.verify_points || e->scan.from || e->scan.recent) return;
    for (size_t i = 0; i < e->collection_count; i++)
        if (e->collections[i].replicated && e->collections[i].replicas_active && (!only || only & bit(i)))
            e->replicas.proving |= bit(i);
}

void replicas_scan_ends(struct engine *e, bool verify_points)
{
    uint64_t proven = verify_points ? e->replicas.proving & e->replicas.owed : 0;
    e->replicas.proving = 0;
    if (!proven) return;
    e->replicas.owed &= ~proven;
    e->replicas.wait_ms = 0;
    e->save.dirty = true;
}

static bool ready(const struct engine *e)
{
    for (size_t i = 0; i < e->collection_count; i++) {
        const struct collection_state *c = &e->collections[i];
        if (owed(e, i) && c->replicated && c->replicas_active && circuit_closed(&c->circuit)) return true;
    }
    return false;
}

void replicas_run(struct engine *e)
{
    int64_t now = now_ms(e);
    if (e->phase != PHASE_RUN || e->config->one_shot.on || e->config->once) return;
    if (!e->replicas.requested && now >= e->replicas.next_ms && lease_covers_request(e)) look(e);
    if (!ready(e) || now < e->replicas.again_ms || !scan_idle(e) || e->compare.state != COMPARE_NONE) return;
    e->replicas.wait_ms = e->replicas.wait_ms ? 2 * e->replicas.wait_ms : e->config->interval_ms;
    if (e->replicas.wait_ms > AGAIN_MAX_MS) e->replicas.wait_ms = AGAIN_MAX_MS;
    e->replicas.again_ms = now + e->replicas.wait_ms;
    log_info("replicas of a Qdrant collection were not all active; everything is compared on all of them",
             LOG_STR("source", e->config->source));
    scan_start(e, true);
}
