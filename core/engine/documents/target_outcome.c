/*
 * target_outcome.c - how a target ends: in sync, failed, or put off until later; what its entry says then,
 * and what it lets go of.
 *
 * A document whose last target is settled goes to `settled`, a target that is given a point lock to
 * `granted`: document.c goes on with both.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "base/log.h"
#include "engine/documents/documents.h"

void target_release_point_lock(struct engine *e, struct target *target)
{
    if (!target->point_lock.has && !target->point_lock.waits) return;
    struct point_lock *next = point_lock_release(&e->point_locks, &target->point_lock);
    if (!next) return;
    struct target *granted = (struct target *)((char *)next - offsetof(struct target, point_lock));
    batch_queue_push(&e->granted, &granted->node);
}

void target_fini(struct engine *e, struct target *target)
{
    batch_queue_remove(&target->node);
    target_release_point_lock(e, target);
    made_fini(&target->made);
    vector_drop(e, target);
    docid_free(target->taken_over);
    free(target->unconfirmed);
    free(target->stale_points);
    *target = (struct target){.doc = target->doc, .collection = target->collection, .stage = TARGET_SETTLED};
}

void document_count_settled(struct engine *e, struct document *doc)
{
    invariant(doc->targets_open > 0, "no more targets are settled than were open");
    if (--doc->targets_open == 0) batch_queue_push(&e->settled, &doc->node);
}

void target_settled(struct engine *e, struct target *target)
{
    target_move(e, target, TARGET_SETTLED);
    target->settled_ms = now_ms(e);
    target_release_point_lock(e, target);
    vector_drop(e, target);
    free(target->made.text);
    target->made.text = NULL;
    document_count_settled(e, target->doc);
}

void entry_clear_hashes(struct entry *entry)
{
    entry->content_hash[0] = entry->payload_hash[0] = entry->point_id[0] = '\0';
}

/*
 * The last lease holder did not end well: it may be paused before it writes a record that was read when the
 * document was another. Its compare-and-set must miss, so each outcome of a change leaves a trace in the
 * record. (Scans follow no change, and duplicates only one of another document, which matters if it is
 * replayed.)
 */
static bool must_leave_trace(const struct engine *e, const struct document *doc)
{
    bool replayed = doc->work.after && doc->work.after <= e->facts.verify_until;
    return !e->facts.clean_start && !doc->work.scanned && (!doc->work.duplicate_pair || replayed);
}

/*
 * A target that is not synced leaves a trace after every change, and after a scan that compares, as that may
 * see a change without an event: a former lease holder that was paused may still write the record of a later
 * attempt, and a lease holder in between may have ended well without reading this document.
 */
static bool unsynced_leaves_trace(const struct engine *e, const struct document *doc)
{
    return doc->work.happened_ms || (doc->work.verify_points && !doc->work.duplicate_pair) ||
           must_leave_trace(e, doc);
}

void target_synced(struct engine *e, struct target *target)
{
    struct collection_state *c = collection_of(e, target);
    struct entry *entry = entry_of(target);
    if (target->doc->gone) {
        target_settled(e, target);
        return;
    }
    const struct entry *before = &target->doc->src.record.entries[target->collection];
    bool as_before = !target->wrote && before->present && before->status == SYNC_SYNCED;
    if (target->wanted.point) {
        as_before = as_before && strcmp(before->content_hash, target->wanted.content_hash) == 0 &&
                    strcmp(before->payload_hash, target->wanted.payload_hash) == 0 &&
                    strcmp(before->point_id, target->wanted.point_id) == 0;
        memcpy(entry->content_hash, target->made.content_hash, sizeof entry->content_hash);
        memcpy(entry->payload_hash, target->made.payload_hash, sizeof entry->payload_hash);
        memcpy(entry->point_id, target->made.point_id, sizeof entry->point_id);
        owed_done(&target->doc->work.owed, target->collection, target->made.point_id);
    } else {
        as_before = as_before && !before->point_id[0];
        entry_clear_hashes(entry);
    }
    if (target->doc->work.verify_points && must_leave_trace(e, target->doc)) as_before = false;
    if (as_before) {
        c->stats.unchanged++;
    } else {
        entry->present = true;
        entry->status = SYNC_SYNCED;
        entry->retry_count = 0;
        entry->next_retry_ms = NO_TIME;
        entry->last_synced_ms = entry->last_attempt_ms = wall_ms(e);
        entry_set_error(entry, LKS_E_OK, NULL);
        if (target->embedded || (target->wanted.point && entry->vector_version == 0)) entry_add_vector(entry);
    }
    target_settled(e, target);
}

static void warn_of_failure(struct engine *e, struct target *target, const struct lks_err *err)
{
    struct collection_state *c = collection_of(e, target);
    int64_t now = now_ms(e);
    bool quiet =
        c->last_warning_ms && now - c->last_warning_ms < 1000; /* a failed batch is one line, not a hundred */
    if (!quiet) c->last_warning_ms = now;
    LOG_WITH(quiet ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, "a document could not be synced",
             LOG_STR("source", e->config->source), LOG_STR("collection", c->config->name),
             LOG_STR("doc", target->doc->json), LOG_STR("code", lks_code_name(err->code)),
             LOG_STR("error", err->text));
}

void target_failed(struct engine *e, struct target *target, const struct lks_err *err)
{
    struct collection_state *c = collection_of(e, target);
    struct entry *entry = entry_of(target);
    target->failed = true;
    c->stats.failed++;
    if (target->doc->gone) { /* its tombstone stays */
        warn_of_failure(e, target, err);
        target_settled(e, target);
        return;
    }
    bool waits_as_before = retry_kind_of(err->code) == RETRY_ON_CHANGE && entry->status == SYNC_FAILED &&
                           entry->error == err->code && entry->last_error &&
                           strcmp(entry->last_error, err->text) == 0 && entry->next_retry_ms == NO_TIME;
    if (waits_as_before && !target->wrote && !target->doc->work.explicit_ask &&
        !unsynced_leaves_trace(e, target->doc)) {
        target_settled(e, target);
        return;
    }
    warn_of_failure(e, target, err);
    entry->present = true;
    entry->status = SYNC_FAILED;
    if (!lks_err_of_provider(err)) entry_add_attempt(entry); /* a refused key is none of the document's */
    entry->last_attempt_ms = wall_ms(e);
    entry_set_error(entry, err->code, err->text);
    int64_t delay =
        retry_next_ms(&e->config->retry, err->code, entry->retry_count, err->retry_after_ms, chance(e));
    entry->next_retry_ms = delay < 0 ? NO_TIME : entry->last_attempt_ms + delay;
    if (delay >= 0 && (e->retry_wall_ms == NO_TIME || entry->next_retry_ms < e->retry_wall_ms))
        e->retry_wall_ms = entry->next_retry_ms;
    target_settled(e, target);
}

/* What the target is to do is left to the other installation that writes points of this source. */
void target_leave_to_another(struct engine *e, struct target *target, const char *what)
{
    struct lks_err err;
    lks_fail(&err, LKS_E_QDRANT_UNAVAILABLE,
             "another installation writes points of this source with epoch %" PRIu64 ", ours is %" PRIu64
             ": %s (the problem ANOTHER_WRITER says what to do)",
             e->facts.another_epoch, e->facts.epoch, what);
    target_failed(e, target, &err);
}

void target_defer(struct engine *e, struct target *target)
{
    struct collection_state *c = collection_of(e, target);
    struct entry *entry = entry_of(target);
    target->failed = true;
    c->deferred = true;
    c->stats.deferred++;
    if (!target->doc->gone) {
        entry->status = entry->last_synced_ms != NO_TIME || entry->point_id[0] ? SYNC_STALE : SYNC_PENDING;
        entry->present = true;
        entry->next_retry_ms = NO_TIME;
        /* A duplicate, too: it may have owned its business id when it was deferred. */
        if (target->doc->work.verify_points || unsynced_leaves_trace(e, target->doc))
            entry->last_attempt_ms = wall_ms(e);
    }
    target_settled(e, target);
}
