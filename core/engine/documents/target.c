/*
 * target.c - one document in one collection: which stage comes next. How it ends is target_outcome.c's.
 *
 * Owns the contents of struct part. Decides by classify.c and retry.c; never talks to a port.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "base/log.h"
#include "engine/documents/documents.h"

#define MAX_ROUNDS 5 /* of going back a stage before it counts as a failure */

/* The batch queue of its stage. */
static struct batch_queue *batch_queue_of(struct engine *e, struct target *target)
{
    struct collection_state *c = collection_of(e, target);
    switch (target->stage) {
    case TARGET_MAKE:
        return &c->make;
    case TARGET_LOOK:
    case TARGET_FETCH:
    case TARGET_BORROW:
    case TARGET_STALE_LOOK:
        return &c->look;
    case TARGET_TAKEOVER:
        return &e->takeovers;
    case TARGET_EMBED:
        return &e->embedders[c->config->embedder].embed;
    case TARGET_UPSERT:
        return &c->upsert;
    case TARGET_STALE_DELETE:
        return &c->del;
    case TARGET_SETTLED:
        break;
    }
    return NULL;
}

/* Into the batch queue of its stage, unless the circuit of its provider is open. */
static void queue(struct engine *e, struct target *target)
{
    struct collection_state *c = collection_of(e, target);
    bool open = !circuit_closed(&c->circuit) || (target->stage == TARGET_EMBED &&
                                                 !circuit_closed(&e->embedders[c->config->embedder].circuit));
    if (target->stage != TARGET_MAKE && open && !target->doc->work.explicit_ask) {
        target_defer(e, target);
        return;
    }
    batch_queue_push(batch_queue_of(e, target), &target->node);
}

void target_point_lock_granted(struct engine *e, struct target *target)
{
    invariant(target->point_lock.has && target->stage != TARGET_SETTLED,
              "a lock is granted to a target that waits");
    bool alone =
        target->stage == TARGET_EMBED || target->stage == TARGET_UPSERT || target->stage == TARGET_FETCH;
    if (alone && !target->looked && target->doc->work.verify_points)
        target_move(e, target, TARGET_LOOK); /* known since it waits: see takeover() */
    queue(e, target);
}

/*
 * The first scan need not read points that are written while the stream reports every change: if the document
 * is deleted, or inserted again as another, the event sets verify_points. Points that were written before the
 * stream was open, or after its history was lost, may differ from what the scan expects.
 */
static void note_write(struct engine *e, struct target *target)
{
    if (!e->facts.stream_notifies && !target->doc->work.scanned)
        collection_of(e, target)->known_empty = false;
}

/* To a stage that reads or writes this point: in its turn. */
static void with_point_lock(struct engine *e, struct target *target, enum target_stage stage,
                            const char *point_id)
{
    target_move(e, target, stage);
    if (stage == TARGET_UPSERT) note_write(e, target);
    if (target->point_lock.has ||
        point_lock_take(&e->point_locks, &target->point_lock, target->collection, point_id))
        queue(e, target);
}

/* It has failed before, and what brings us here now is not about that. */
static void fail_or_leave(struct engine *e, struct target *target, const struct lks_err *err)
{
    if (!target->leaves) {
        target_failed(e, target, err);
        return;
    }
    target->failed = true;
    target_settled(e, target);
}

static void next_stale_point(struct engine *e, struct target *target)
{
    target_release_point_lock(e, target);
    if (target->stale_count > 0) {
        with_point_lock(e, target, TARGET_STALE_LOOK, target->stale_points[target->stale_count - 1]);
        return;
    }
    if (!target->doc->gone && (target->made.kind == MADE_FAILED || target->leaves)) {
        if (strcmp(entry_of(target)->point_id, target->made.point_id) != 0)
            entry_clear_hashes(entry_of(target));
        fail_or_leave(e, target, target->made.err);
        return;
    }
    target_synced(e, target);
}

static bool add_stale_point(struct target *target, const char *point_id)
{
    char(*stale_points)[POINT_ID_BYTES] =
        realloc(target->stale_points, (target->stale_count + 1) * sizeof *stale_points);
    if (!stale_points) return false;
    target->stale_points = stale_points;
    memcpy(stale_points[target->stale_count++], point_id, POINT_ID_BYTES);
    return true;
}

static void act(struct engine *e, struct target *target, enum action action)
{
    enum target_stage without = action == ACTION_PAYLOAD ? TARGET_FETCH : TARGET_EMBED;
    target->action = action;
    if (action == ACTION_NONE || action == ACTION_CLEAR)
        next_stale_point(e, target);
    else
        with_point_lock(e, target, target->vector ? TARGET_UPSERT : without, target->made.point_id);
}

/*
 * What comes next makes the record of document `id` (taken) untrue, so it is first written down that somebody
 * has to come back to it, whatever becomes of us: the reason that brings us here may be done with before that
 * record is. True once that is so; false: it is under way, and then the point is looked at once more.
 */
static bool takeover(struct engine *e, struct target *target, struct docid *id)
{
    bool again = target->taken_over && docid_equal(target->taken_over, id);
    struct document *other = document_table_find(e, id);
    docid_free(target->taken_over);
    target->taken_over = id;
    if (again) return true;
    if (other) other->work.verify_points = true; /* if it is at work, what it has read is out of date */
    target->after_takeover = target->stage;
    target_move(e, target, TARGET_TAKEOVER);
    queue(e, target);
    return false;
}

void target_taken_over(struct engine *e, struct target *target)
{
    if (target->unconfirmed) { /* it is written down which point that was */
        target_failed(e, target, target->unconfirmed);
        return;
    }
    bool stale_point = target->after_takeover == TARGET_STALE_LOOK;
    with_point_lock(e, target, target->after_takeover,
                    stale_point ? target->stale_points[target->stale_count - 1] : target->made.point_id);
}

/* Asks the points: its own, in its turn, and all that were made from this document. */
static void look(struct engine *e, struct target *target)
{
    target->wants_vector = vector_expected(e, target);
    if (target->wanted.point) {
        with_point_lock(e, target, TARGET_LOOK, target->made.point_id);
    } else {
        target_move(e, target, TARGET_LOOK);
        queue(e, target);
    }
}

static void out_of_memory(struct engine *e, struct target *target)
{
    struct lks_err err;
    lks_fail(&err, LKS_E_UNKNOWN, "out of memory");
    target_failed(e, target, &err);
}

static void decide(struct engine *e, struct target *target)
{
    struct document *doc = target->doc;
    struct collection_state *c = collection_of(e, target);
    const struct entry *entry = &doc->src.record.entries[target->collection];
    if (!duplicate_id_refuse(target)) {
        out_of_memory(e, target);
        return;
    }
    if (target->made.key && doc->src.owner) duplicate_id_lost(e, doc, target->made.key);
    if (target->made.key && doc->src.contested && !doc->work.duplicate_pair)
        document_add_freed(e, doc, target->made.key);
    if (target->made.kind == MADE_FATAL && !c->fatal) {
        c->fatal = true;
        snprintf(c->stats.fatal_error, sizeof c->stats.fatal_error, "%.250s",
                 target->made.err ? target->made.err->text : "");
        log_error("a plugin can't go on; its collection stops, the others don't",
                  LOG_STR("collection", c->config->name),
                  LOG_STR("error", target->made.err ? target->made.err->text : NULL));
    }
    if (target->made.kind == MADE_FATAL || (target->made.kind == MADE_FAILED && target->made.point_id[0])) {
        fail_or_leave(e, target, target->made.err); /* what it had stays */
        return;
    }
    target->wanted = (struct wanted){.point = target->made.kind == MADE_POINT,
                                     .point_id = target->made.point_id,
                                     .content_hash = target->made.content_hash,
                                     .payload_hash = target->made.payload_hash,
                                     .doc = doc->json};
    /* A first scan into a collection that was empty when we came needn't ask for what nobody has written. */
    bool first = c->known_empty && doc->work.scanned && !entry->present && !doc->src.contested;
    if (first ? target->wanted.point || !doc->gone
              : !classify_needs_stamp(&target->wanted, entry, target_verifies_point(e, target))) {
        enum action action = classify_by_entry(&target->wanted, entry);
        if (action == ACTION_CLEAR && !add_stale_point(target, entry->point_id)) {
            out_of_memory(e, target);
            return;
        }
        if (doc->work.force && target->wanted.point) action = ACTION_EMBED;
        /* What is written with the vector that is there has to be seen in the point's own turn: another
           document may have come to the point since this one was read. And so has what a write would drop. */
        target->wants_vector = action == ACTION_PAYLOAD || (c->further && action == ACTION_EMBED && !first);
        if (target->wants_vector)
            with_point_lock(e, target, TARGET_FETCH, target->made.point_id);
        else
            act(e, target, action);
        return;
    }
    look(e, target);
}

void target_start(struct engine *e, struct target *target)
{
    target->failed = target->wrote = target->embedded = false;
    target->leaves = owed_stale_points_only(target) && !refused_is(e, target->doc);
    target->twin[0] = '\0';
    target_move(e, target, TARGET_MAKE);
    if (entry_of(target)->status == SYNC_FAILED && entry_of(target)->present)
        collection_of(e, target)->stats.retried++;
    if (target->doc->gone) {
        target->made.kind = MADE_NOTHING;
        decide(e, target);
    } else if (collection_of(e, target)->fatal) {
        target_defer(e, target);
    } else {
        queue(e, target);
    }
}

void target_made(struct engine *e, struct target *target, struct made *made)
{
    target->made = *made;
    memset(made, 0, sizeof *made);
    decide(e, target);
}

/*
 * Its record says of this point that it is synced. If it must go because its document changed, that change
 * brings us back; but not if another document has come to hold the business id, which may be gone by then.
 */
static bool needs_takeover(const struct target *target, const char *stale_point)
{
    const struct entry *entry = &target->doc->src.record.entries[target->collection];
    return !target->doc->gone && target->doc->src.owner && entry->present && entry->status == SYNC_SYNCED &&
           strcmp(entry->point_id, stale_point) == 0;
}

static void delete_stale_point(struct engine *e, struct target *target, const struct stamp *stale_point)
{
    if (!target_may_delete(e, target, stale_point)) {
        target_leave_to_another(e, target, "a point that no document of ours calls for is left");
        return;
    }
    bool takeovers = needs_takeover(target, stale_point->point_id);
    struct docid *id = takeovers ? docid_copy(target->doc->id) : NULL;
    if (takeovers && !id) {
        out_of_memory(e, target);
        return;
    }
    document_add_freed(e, target->doc, stale_point->key);
    target->blind = false;
    if (!takeovers || takeover(e, target, id))
        with_point_lock(e, target, TARGET_STALE_DELETE, stale_point->point_id);
}

/* Is this stale point still ours to delete? It was read in its turn. */
static void stale_point_looked(struct engine *e, struct target *target, const struct stamp *found,
                               size_t count)
{
    const char *stale_point = target->stale_points[target->stale_count - 1];
    const struct stamp *seen = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct stamp *w = &found[i];
        if (strcmp(w->point_id, stale_point) != 0) continue;
        seen = w;
        if (!w->ours || !w->doc || strcmp(w->doc, target->doc->json) != 0) continue;
        delete_stale_point(e, target, w);
        return;
    }
    struct lks_err err;
    switch (owed_judge_stale(target, stale_point, seen, &err)) {
    case STALE_DELETE:
        if (seen) document_add_freed(e, target->doc, seen->key);
        target->blind = true;
        with_point_lock(e, target, TARGET_STALE_DELETE, stale_point);
        return;
    case STALE_UNKNOWN:
        target_failed(e, target, &err);
        return;
    case STALE_GONE:
        break;
    }
    target->stale_count--;
    next_stale_point(e, target);
}

/* Its own point will not be written: what one replica has of it and another has not must go, then. */
static bool add_owed_own(struct target *target)
{
    const char *own = target->made.point_id;
    return !owed_has(&target->doc->work.owed, target->collection, own) || add_stale_point(target, own);
}

/* With the vector of its former point, if that has the same content. The point's own turn is held. */
static void act_or_borrow(struct engine *e, struct target *target, enum action action,
                          const struct stamp *twin)
{
    bool may = action == ACTION_EMBED && !target_embeds_anew(target) && !target->twin[0];
    const char *former = may ? target_former_point(target, twin) : NULL;
    if (!former) {
        act(e, target, action);
        return;
    }
    memcpy(target->twin, former, sizeof target->twin);
    target->wants_vector = true;
    with_point_lock(e, target, TARGET_BORROW, target->made.point_id);
}

/*
 * Takes the point of another document over. That one's record may say that it is synced, and from the first
 * write on it isn't.
 */
static void take_over(struct engine *e, struct target *target, const struct stamp *own, enum action action,
                      const struct stamp *twin)
{
    struct docid *id = NULL;
    if (own->doc && !docid_read(own->doc, &id)) {
        out_of_memory(e, target);
        return;
    }
    document_add_freed(e, target->doc, target->made.key);
    if (!id || takeover(e, target, id))
        act_or_borrow(e, target, action, twin); /* no id: no document has it */
}

static bool must_write(const struct engine *e, const struct target *target, const struct stamp *own)
{
    return target_needs_stamp(e, target, own) || owed_want_write(e, target, own);
}

/* What has to follow from what its point says now; `twin`: a point under another id with the wanted content.
 */
static void own_looked(struct engine *e, struct target *target, const struct stamp *own,
                       const struct stamp *twin)
{
    target_note_point(target, own);
    target->keeps = own && own->further;
    if (target->vector_credit) vector_drop(e, target); /* of an earlier look */
    bool force = target_embeds_anew(target) && target->wanted.point && !target->embedded;
    bool takes_over = classify_takes_over(&target->wanted, own);
    enum action action = force ? ACTION_EMBED : classify_by_stamp(&target->wanted, own);
    if (action == ACTION_NONE && !takes_over && must_write(e, target, own)) action = ACTION_PAYLOAD;
    if (own && action != ACTION_NONE && target_kept_out(e, target, own)) {
        target_leave_to_another(e, target, "its point stays as the other wrote it");
        return;
    }
    if (action == ACTION_PAYLOAD && !target->vector) {
        if (!vector_take(e, target, own)) {
            out_of_memory(e, target);
            return;
        }
        if (!target->vector && target->asked_vector) action = ACTION_EMBED; /* it can't be used */
        target->wants_vector = true;
    }
    if (target->leaves && action == ACTION_EMBED) {
        if (add_owed_own(target))
            next_stale_point(e, target);
        else
            out_of_memory(e, target);
        return;
    }
    target->leaves &= target->made.kind == MADE_FAILED;
    if (takes_over)
        take_over(e, target, own, action, twin);
    else
        act_or_borrow(e, target, action, twin);
}

/* The twin's vector and what it is of came in one piece: whatever became of that point, they fit each other.
 */
static void borrowed(struct engine *e, struct target *target, const struct stamp *twin)
{
    if (twin && target_is_twin(target, twin) && !vector_take(e, target, twin)) {
        out_of_memory(e, target);
        return;
    }
    act(e, target, target->vector ? ACTION_PAYLOAD : ACTION_EMBED);
}

/* Points that may be on a replica which was not read are stale points, too. */
static bool add_owed(const struct engine *e, struct target *target)
{
    const struct owed_points *owed = &target->doc->work.owed;
    size_t seen = target->stale_count;
    if (!owed_add_former(e, target)) return false;
    for (size_t i = 0; i < owed->count; i++) {
        const char *id = owed->items[i].id;
        bool other = owed->items[i].collection == target->collection &&
                     !(target->wanted.point && strcmp(id, target->made.point_id) == 0);
        for (size_t k = 0; k < seen && other; k++) other = strcmp(target->stale_points[k], id) != 0;
        if (other && !add_stale_point(target, id)) return false;
    }
    return true;
}

void target_looked(struct engine *e, struct target *target, const struct stamp *found, size_t count)
{
    for (size_t i = 0; i < count; i++) epoch_seen(e, target->collection, &found[i]);
    if (target->stage == TARGET_FETCH) {
        own_looked(e, target, count ? found : NULL, NULL);
        return;
    }
    if (target->stage == TARGET_BORROW) {
        borrowed(e, target, count ? found : NULL);
        return;
    }
    if (target->stage == TARGET_STALE_LOOK) {
        stale_point_looked(e, target, found, count);
        return;
    }
    const struct stamp *own = NULL, *twin = NULL;
    target->looked = true;
    target->stale_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct stamp *w = &found[i];
        if (target->wanted.point && strcmp(w->point_id, target->made.point_id) == 0) {
            own = w;
        } else if (w->ours && w->doc && strcmp(w->doc, target->doc->json) == 0 &&
                   !add_stale_point(target, w->point_id)) {
            out_of_memory(e, target);
            return;
        }
        if (w != own && target_is_twin(target, w)) twin = w;
    }
    if (!add_owed(e, target)) {
        out_of_memory(e, target);
        return;
    }
    own_looked(e, target, own, twin);
}

void target_embedded(struct engine *e, struct target *target, float *vector, size_t dimensions)
{
    target->vector = vector;
    target->dimensions = dimensions;
    target->embedded = true;
    collection_of(e, target)->stats.embedded++;
    free(target->made.text);
    target->made.text = NULL;
    with_point_lock(e, target, TARGET_UPSERT, target->made.point_id);
}

void target_not_embedded(struct engine *e, struct target *target, const struct lks_err *err)
{
    bool for_good = retry_kind_of(err->code) == RETRY_ON_CHANGE;
    if (for_good && !add_owed_own(target)) {
        out_of_memory(e, target);
        return;
    }
    if (!for_good || target->stale_count == 0) {
        target_failed(e, target, err);
        return;
    }
    if (!target->made.err && !(target->made.err = malloc(sizeof *err))) {
        out_of_memory(e, target);
        return;
    }
    *target->made.err = *err;
    target->made.kind = MADE_FAILED; /* once what it had under other ids is gone */
    next_stale_point(e, target);
}

/* The point was written; `target->node` is in no queue. */
void target_written(struct engine *e, struct target *target)
{
    struct collection_state *c = collection_of(e, target);
    invariant(target->stage == TARGET_UPSERT && target->point_lock.has, "a point is written under its lock");
    target->wrote = true;
    if (target->vector_credit)
        c->stats.payloads++;
    else
        c->stats.upserted++;
    /* Whether it was still there, and let itself be written, nobody has said. */
    if (target->keeps && target->rounds++ < MAX_ROUNDS) {
        look(e, target);
        return;
    }
    if (target->keeps) {
        struct lks_err err;
        lks_fail(&err, LKS_E_QDRANT_REJECTED,
                 "point %s has vectors under further names and does not take what is written beside them",
                 target->made.point_id);
        target_failed(e, target, &err);
        return;
    }
    /* A reply that came after the lease's end proves nothing: another writer may have been there meanwhile.
     */
    bool verify_points =
        now_ms(e) > e->facts.lease_until_ms || e->facts.another_epoch; /* nor does one that was skipped */
    if (verify_points && target->rounds++ < MAX_ROUNDS)
        look(e, target);
    else if (e->facts.another_epoch)
        target_leave_to_another(e, target, "its point is written over again and again");
    else
        next_stale_point(e, target);
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
    target_move(e, target, TARGET_TAKEOVER);
    batch_queue_push(&e->takeovers, &target->node);
}

void target_stale_again(struct engine *e, struct target *target)
{
    with_point_lock(e, target, TARGET_STALE_LOOK, target->stale_points[target->stale_count - 1]);
}

void target_deleted(struct engine *e, struct target *target)
{
    invariant(target->stage == TARGET_STALE_DELETE && target->point_lock.has,
              "a point is deleted under its lock");
    if (!target->blind) target->wrote = true;
    collection_of(e, target)->stats.deleted += !target->blind;
    owed_done(&target->doc->work.owed, target->collection, target->stale_points[target->stale_count - 1]);
    target->stale_count--;
    next_stale_point(e, target);
}
