/*
 * owed.c - points that may be on a replica although the one that is read does not show them: what was refused
 * or not answered in a collection with replicas. Each is remembered in a tombstone until an acknowledged
 * write or delete of it.
 *
 * Owns the lists it is handed, never what is in a tombstone of a request.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/documents/documents.h"

static size_t place_of(const struct owed_points *list, size_t collection, const char *id)
{
    size_t i = 0;
    while (i < list->count && (list->items[i].collection != collection || strcmp(list->items[i].id, id) != 0))
        i++;
    return i;
}

bool owed_has(const struct owed_points *list, size_t collection, const char *id)
{
    return place_of(list, collection, id) < list->count;
}

bool owed_add(struct owed_points *list, size_t collection, const char *id)
{
    if (owed_has(list, collection, id)) return true;
    struct owed_point *items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items) return false;
    list->items = items;
    items[list->count].collection = collection;
    memcpy(items[list->count++].id, id, POINT_ID_BYTES);
    return true;
}

bool owed_add_all(struct owed_points *list, const struct owed_points *more)
{
    bool all = true;
    for (size_t i = 0; i < more->count; i++)
        all &= owed_add(list, more->items[i].collection, more->items[i].id);
    return all;
}

void owed_done(struct owed_points *list, size_t collection, const char *id)
{
    size_t i = place_of(list, collection, id);
    if (i < list->count) list->items[i] = list->items[--list->count];
}

/* ---- what a target has to do about them ---- */

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

bool owed_want_write(const struct engine *e, const struct target *target, const struct stamp *own)
{
    const struct document *doc = target->doc;
    if (!e->collections[target->collection].replicated || target->wrote || !own || !own->ours) return false;
    bool replayed = doc->work.after && doc->work.after <= e->facts.verify_until && !e->facts.clean_start;
    return own->differs || doc->work.tombstone || !is_recorded(target) || replayed ||
           owed_has(&doc->work.owed, target->collection, own->point_id);
}

bool owed_add_former(const struct engine *e, struct target *target)
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

bool owed_stale_points_only(const struct target *target)
{
    const struct owed_points *owed = &target->doc->work.owed;
    if (!waits(target) || !waits_for_change(target)) return false;
    for (size_t i = 0; i < owed->count; i++)
        if (owed->items[i].collection == target->collection) return true;
    return false;
}

bool owed_leave(const struct target *target)
{
    return waits(target) && !owed_stale_points_only(target);
}

enum stale_verdict owed_judge_stale(struct target *target, const char *stale_point, const struct stamp *seen,
                                    struct lks_err *err)
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

bool owed_ask_all(const struct engine *e, const struct target *target)
{
    if (!e->collections[target->collection].replicated) return false;
    if (target->stage == TARGET_STALE_LOOK)
        return owed_has(&target->doc->work.owed, target->collection,
                        target->stale_points[target->stale_count - 1]);
    return e->facts.compares;
}
