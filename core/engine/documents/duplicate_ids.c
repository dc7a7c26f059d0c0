/*
 * duplicate_ids.c - documents that have no point because another one with a lower `_id` holds their business
 * id.
 *
 * Their record says so and waits for a change; the change that matters is the owner's. So they are remembered
 * here under their owner and looked at again when it is gone or holds another id. A restart forgets them, and
 * so does a table that is full, as some of those in it hold other ids by now: then the next worker cycle asks
 * for all that were rejected.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/documents/documents.h"

#define MOST_DUPLICATES 20000

static struct duplicate_pair **bucket_of(struct engine *e, const struct docid *owner)
{
    return &e->duplicate_ids[docid_hash(owner) % DUPLICATE_BUCKETS];
}

static void duplicate_pair_free(struct duplicate_pair *r)
{
    docid_free(r->owner);
    docid_free(r->duplicate);
    free(r->key);
    free(r);
}

void duplicate_ids_fini(struct engine *e)
{
    for (size_t i = 0; i < DUPLICATE_BUCKETS; i++) {
        for (struct duplicate_pair *r = e->duplicate_ids[i], *next; r; r = next) {
            next = r->chain;
            duplicate_pair_free(r);
        }
        e->duplicate_ids[i] = NULL;
    }
    e->duplicate_pair_count = 0;
}

static bool known(struct engine *e, const struct document *doc, const char *key)
{
    for (const struct duplicate_pair *r = *bucket_of(e, doc->src.owner); r; r = r->chain)
        if (docid_equal(r->duplicate, doc->id) && docid_equal(r->owner, doc->src.owner) &&
            strcmp(r->key, key) == 0)
            return true;
    return false;
}

static void remember(struct engine *e, const struct document *doc, const char *key)
{
    if (e->duplicate_pair_count >= MOST_DUPLICATES) {
        duplicate_ids_fini(e);
        e->rejects_wanted = true;
    }
    struct duplicate_pair *r = calloc(1, sizeof *r);
    if (r) {
        r->owner = docid_copy(doc->src.owner);
        r->duplicate = docid_copy(doc->id);
        r->key = strdup(key);
        if (!r->owner || !r->duplicate || !r->key) {
            duplicate_pair_free(r);
            r = NULL;
        }
    }
    if (!r) {
        e->rejects_wanted = true;
        return;
    }
    struct duplicate_pair **bucket = bucket_of(e, doc->src.owner);
    r->chain = *bucket;
    *bucket = r;
    e->duplicate_pair_count++;
}

bool duplicate_id_refuse(struct target *target)
{
    struct document *doc = target->doc;
    if (doc->gone || !doc->src.owner || target->made.kind == MADE_FATAL) return true;
    if (!target->made.err && !(target->made.err = malloc(sizeof *target->made.err))) return false;
    char *owner = docid_plain(doc->src.owner);
    lks_fail(target->made.err, LKS_E_VALIDATION,
             "the business id \"%.200s\" is also held by document %.200s, which has the lower _id and so "
             "owns the point; "
             "give one of them another id",
             target->made.key ? target->made.key : "", owner ? owner : "?");
    free(owner);
    target->made.kind = MADE_FAILED;
    target->made.point_id[0] = '\0';
    return true;
}

void duplicate_id_not_dirty(struct engine *e, struct dirty_reason *reason)
{
    dirty_reason_release(reason);
    e->rejects_wanted = true;
}

void duplicate_id_lost(struct engine *e, const struct document *doc, const char *key)
{
    if (known(e, doc, key)) return;
    remember(e, doc, key);
    /* The owner may have gone between the read that saw it and now. */
    struct dirty_reason reason = {.after = doc->work.after, .duplicate_pair = true};
    if (!document_make_dirty(e, doc->src.owner, &reason)) duplicate_id_not_dirty(e, &reason);
}

void duplicate_ids_recheck(struct engine *e, const struct document *doc, const char *key)
{
    if (!e->duplicate_pair_count) return;
    for (struct duplicate_pair **at = bucket_of(e, doc->id), *r; (r = *at) != NULL;) {
        if (!docid_equal(r->owner, doc->id) || (key && strcmp(r->key, key) == 0)) {
            at = &r->chain;
            continue;
        }
        *at = r->chain;
        e->duplicate_pair_count--;
        struct dirty_reason reason = {.after = doc->work.after, .duplicate_pair = true};
        if (!dirty_reason_share_holds(&reason, &doc->work) || !document_make_dirty(e, r->duplicate, &reason))
            duplicate_id_not_dirty(e, &reason); /* its record says that it failed */
        duplicate_pair_free(r);
    }
}

void document_add_freed(struct engine *e, struct document *doc, const char *key)
{
    if (!key) return;
    for (size_t i = 0; i < doc->freed_count; i++)
        if (strcmp(doc->freed[i], key) == 0) return;
    char **freed = realloc(doc->freed, (doc->freed_count + 1) * sizeof *freed);
    if (freed) doc->freed = freed;
    char *copy = freed ? strdup(key) : NULL;
    if (copy)
        freed[doc->freed_count++] = copy;
    else
        e->rejects_wanted = true; /* whoever waits for it is among them */
}
