/*
 * dirty_reason.c - the reasons to look at a document. Several add up; when the work for them is durable, the
 * watermark entries that they hold are released.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/documents/documents.h"

#define MAX_KEYS 256 /* of lastModifiedFields */

void dirty_reason_fini(struct dirty_reason *reason)
{
    for (struct hold *h = reason->holds, *next; h; h = next) {
        next = h->next;
        free(h);
    }
    for (size_t i = 0; i < reason->key_count; i++) free(reason->keys[i]);
    free(reason->keys);
    free(reason->tombstone_key);
    free(reason->owed.items);
    *reason = (struct dirty_reason){.after = 0};
}

bool dirty_reason_add_hold(struct dirty_reason *reason, struct watermark_entry *entry)
{
    struct hold *h = malloc(sizeof *h);
    if (!h) return false;
    *h = (struct hold){.next = reason->holds, .entry = entry};
    reason->holds = h;
    return true;
}

bool dirty_reason_share_holds(struct dirty_reason *reason, const struct dirty_reason *from)
{
    for (const struct hold *h = from->holds; h; h = h->next) {
        if (!dirty_reason_add_hold(reason, h->entry)) return false;
        watermark_retain(h->entry);
    }
    return true;
}

void dirty_reason_add_key(struct dirty_reason *reason, const char *path)
{
    size_t bytes = strcspn(path, ".");
    for (size_t i = 0; i < reason->key_count; i++)
        if (strncmp(reason->keys[i], path, bytes) == 0 && !reason->keys[i][bytes]) return;
    if (reason->key_count >= MAX_KEYS) return;
    char **keys = realloc(reason->keys, (reason->key_count + 2) * sizeof *keys);
    if (!keys) return; /* lastModifiedFields is for people: an incomplete one does no harm */
    reason->keys = keys;
    keys[reason->key_count] = strndup(path, bytes);
    keys[reason->key_count + 1] = NULL;
    if (keys[reason->key_count]) reason->key_count++;
}

void dirty_reason_merge(struct dirty_reason *to, struct dirty_reason *more)
{
    if (more->after > to->after) to->after = more->after;
    if (more->holds) {
        struct hold *last = more->holds;
        while (last->next) last = last->next;
        last->next = to->holds;
        to->holds = more->holds;
        more->holds = NULL;
    }
    to->verify_points |= more->verify_points;
    to->force |= more->force;
    to->explicit_ask |= more->explicit_ask;
    to->scanned &= more->scanned;
    to->duplicate_pair &= more->duplicate_pair;
    to->cycle |= more->cycle;
    if (more->happened_ms && (!to->happened_ms || more->happened_ms < to->happened_ms))
        to->happened_ms = more->happened_ms;
    if (more->tombstone && (!to->tombstone || more->tombstone_since_ms > to->tombstone_since_ms))
        to->tombstone_since_ms = more->tombstone_since_ms, to->tombstone_due_ms = more->tombstone_due_ms;
    to->tombstone |= more->tombstone;
    to->record_refused |= more->record_refused;
    if (!owed_add_all(&to->owed, &more->owed))
        to->tombstone = to->tombstone_alone = false; /* it stays, then */
    to->tombstone_alone &= more->tombstone_alone;
    if (more->tombstone_key && !to->tombstone_key) {
        to->tombstone_key = more->tombstone_key;
        more->tombstone_key = NULL;
    }
    for (size_t i = 0; i < more->key_count; i++) dirty_reason_add_key(to, more->keys[i]);
    if (to->names_only || more->names_only) /* which is about no collection at all */
        to->only |= more->only;
    else
        to->only = to->only && more->only ? to->only | more->only : 0;
    to->names_only &= more->names_only;
    dirty_reason_fini(more);
}

void dirty_reason_move(struct dirty_reason *to, struct dirty_reason *from)
{
    *to = *from;
    *from = (struct dirty_reason){.after = 0};
}

void dirty_reason_release(struct dirty_reason *reason)
{
    for (struct hold *h = reason->holds; h; h = h->next) watermark_release(h->entry);
    dirty_reason_fini(reason);
}

int64_t tombstone_latest_due(const struct engine *e)
{
    return wall_ms(e) + 2 * e->facts.tombstone_keep_ms + REFUSED_AGAIN_MS;
}

bool tombstone_is_due(const struct engine *e, const struct dirty_reason *reason)
{
    return reason->tombstone_due_ms <= wall_ms(e) || reason->tombstone_due_ms > tombstone_latest_due(e);
}
