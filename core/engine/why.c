/*
 * why.c - the reasons to look at a document: they add up, and what waits for them is told when they are done
 * with.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

#define MAX_KEYS 256 /* of lastModifiedFields */

void why_fini(struct why *why)
{
    for (struct hold *h = why->holds, *next; h; h = next) {
        next = h->next;
        free(h);
    }
    for (size_t i = 0; i < why->key_count; i++) free(why->keys[i]);
    free(why->keys);
    free(why->tomb_key);
    free(why->owed.items);
    *why = (struct why){.after = 0};
}

bool why_add_hold(struct why *why, struct mark *mark)
{
    struct hold *h = malloc(sizeof *h);
    if (!h) return false;
    *h = (struct hold){.next = why->holds, .mark = mark};
    why->holds = h;
    return true;
}

bool why_share_holds(struct why *why, const struct why *from)
{
    for (const struct hold *h = from->holds; h; h = h->next) {
        if (!why_add_hold(why, h->mark)) return false;
        watermark_retain(h->mark);
    }
    return true;
}

void why_add_key(struct why *why, const char *path)
{
    size_t bytes = strcspn(path, ".");
    for (size_t i = 0; i < why->key_count; i++)
        if (strncmp(why->keys[i], path, bytes) == 0 && !why->keys[i][bytes]) return;
    if (why->key_count >= MAX_KEYS) return;
    char **keys = realloc(why->keys, (why->key_count + 2) * sizeof *keys);
    if (!keys) return; /* lastModifiedFields is for people: an incomplete one does no harm */
    why->keys = keys;
    keys[why->key_count] = strndup(path, bytes);
    keys[why->key_count + 1] = NULL;
    if (keys[why->key_count]) why->key_count++;
}

void why_merge(struct why *to, struct why *more)
{
    if (more->after > to->after) to->after = more->after;
    if (more->holds) {
        struct hold *last = more->holds;
        while (last->next) last = last->next;
        last->next = to->holds;
        to->holds = more->holds;
        more->holds = NULL;
    }
    to->doubt |= more->doubt;
    to->force |= more->force;
    to->explicit_ask |= more->explicit_ask;
    to->scanned &= more->scanned;
    to->rival &= more->rival;
    to->cycle |= more->cycle;
    if (more->happened_ms && (!to->happened_ms || more->happened_ms < to->happened_ms))
        to->happened_ms = more->happened_ms;
    if (more->tomb && (!to->tomb || more->tomb_since_ms > to->tomb_since_ms))
        to->tomb_since_ms = more->tomb_since_ms, to->tomb_due_ms = more->tomb_due_ms;
    to->tomb |= more->tomb;
    to->record_refused |= more->record_refused;
    if (!owed_add_all(&to->owed, &more->owed)) to->tomb = to->tomb_alone = false; /* it stays, then */
    to->tomb_alone &= more->tomb_alone;
    if (more->tomb_key && !to->tomb_key) {
        to->tomb_key = more->tomb_key;
        more->tomb_key = NULL;
    }
    for (size_t i = 0; i < more->key_count; i++) why_add_key(to, more->keys[i]);
    if (to->names_only || more->names_only) /* which is about no collection at all */
        to->only |= more->only;
    else
        to->only = to->only && more->only ? to->only | more->only : 0;
    to->names_only &= more->names_only;
    why_fini(more);
}

void why_move(struct why *to, struct why *from)
{
    *to = *from;
    *from = (struct why){.after = 0};
}

void why_release(struct why *why)
{
    for (struct hold *h = why->holds; h; h = h->next) watermark_release(h->mark);
    why_fini(why);
}
