/*
 * rivals.c - documents that have no point because another one with a lower `_id` holds their business id.
 *
 * Their record says so and waits for a change; the change that matters is the owner's. So they are remembered
 * here under their owner and looked at again when it is gone or holds another id. A restart forgets them, and
 * so does a table that is full, as some of those in it hold other ids by now: then the next worker cycle asks
 * for all that were rejected.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

#define MOST_RIVALS 20000

static struct rival **bucket_of(struct engine *e, const struct docid *owner)
{
    return &e->rivals[docid_hash(owner) % RIVAL_BUCKETS];
}

static void rival_free(struct rival *r)
{
    docid_free(r->owner);
    docid_free(r->loser);
    free(r->key);
    free(r);
}

void rivals_fini(struct engine *e)
{
    for (size_t i = 0; i < RIVAL_BUCKETS; i++) {
        for (struct rival *r = e->rivals[i], *next; r; r = next) {
            next = r->chain;
            rival_free(r);
        }
        e->rivals[i] = NULL;
    }
    e->rival_count = 0;
}

static bool known(struct engine *e, const struct doc *doc, const char *key)
{
    for (const struct rival *r = *bucket_of(e, doc->src.owner); r; r = r->chain)
        if (docid_equal(r->loser, doc->id) && docid_equal(r->owner, doc->src.owner) &&
            strcmp(r->key, key) == 0)
            return true;
    return false;
}

static void remember(struct engine *e, const struct doc *doc, const char *key)
{
    if (e->rival_count >= MOST_RIVALS) {
        rivals_fini(e);
        worker_want_rejected(e);
    }
    struct rival *r = calloc(1, sizeof *r);
    if (r) {
        r->owner = docid_copy(doc->src.owner);
        r->loser = docid_copy(doc->id);
        r->key = strdup(key);
        if (!r->owner || !r->loser || !r->key) {
            rival_free(r);
            r = NULL;
        }
    }
    if (!r) {
        worker_want_rejected(e);
        return;
    }
    struct rival **bucket = bucket_of(e, doc->src.owner);
    r->chain = *bucket;
    *bucket = r;
    e->rival_count++;
}

bool rival_refuse(struct part *part)
{
    struct doc *doc = part->doc;
    if (doc->gone || !doc->src.owner || part->made.kind == MADE_FATAL) return true;
    if (!part->made.err && !(part->made.err = malloc(sizeof *part->made.err))) return false;
    char *owner = docid_plain(doc->src.owner);
    lks_fail(part->made.err, LKS_E_VALIDATION,
             "the business id \"%.200s\" is also held by document %.200s, which has the lower _id and so "
             "owns the point; "
             "give one of them another id",
             part->made.key ? part->made.key : "", owner ? owner : "?");
    free(owner);
    part->made.kind = MADE_FAILED;
    part->made.point_id[0] = '\0';
    return true;
}

void rival_unmarked(struct engine *e, struct why *why)
{
    why_release(why);
    worker_want_rejected(e);
}

void rival_lost(struct engine *e, const struct doc *doc, const char *key)
{
    if (known(e, doc, key)) return;
    remember(e, doc, key);
    /* The owner may have gone between the read that saw it and now. */
    struct why why = {.after = doc->work.after, .rival = true};
    if (!doc_mark(e, doc->src.owner, &why)) rival_unmarked(e, &why);
}

void rivals_recheck(struct engine *e, const struct doc *doc, const char *key)
{
    if (!e->rival_count) return;
    for (struct rival **at = bucket_of(e, doc->id), *r; (r = *at) != NULL;) {
        if (!docid_equal(r->owner, doc->id) || (key && strcmp(r->key, key) == 0)) {
            at = &r->chain;
            continue;
        }
        *at = r->chain;
        e->rival_count--;
        struct why why = {.after = doc->work.after, .rival = true};
        if (!why_share_holds(&why, &doc->work) || !doc_mark(e, r->loser, &why))
            rival_unmarked(e, &why); /* its record says that it failed */
        rival_free(r);
    }
}
