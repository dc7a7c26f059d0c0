/*
 * behind.c - which documents are known to be behind, and since when: for people, never for a decision.
 *
 * A document in work knows the moment of its oldest event itself. One that was let go unfinished (it failed
 * and will be tried again, or waits for a provider) is remembered here, up to a fixed number; the backlog
 * itself is in MongoDB. What was given up, or waits for a change of the document, is counted as failed, not
 * as behind. A document that vanished without an event is forgotten after the next scan.
 */
#include <stdlib.h>

#include "engine/internal.h"

#define MOST 4096

struct behind {
    struct behind *chain;
    struct docid *id; /* owned */
    int64_t since_wall_ms;
    bool event;     /* `since` is the time of an event, not that of our first look */
    bool gone;      /* it is its points that are to go: its tombstone brings it back */
    uintptr_t scan; /* it was asked for since this one began */
};

static struct behind **slot(struct engine *e, const struct docid *id)
{
    struct behind **at = &e->behind.buckets[docid_hash(id) % BEHIND_BUCKETS];
    while (*at && !docid_equal((*at)->id, id)) at = &(*at)->chain;
    return at;
}

/* One more is behind than can be remembered: the moment of the oldest such one is. */
static void remember_without_name(struct engine *e, int64_t since)
{
    if (e->behind.unnamed_wall_ms == NO_TIME || since < e->behind.unnamed_wall_ms)
        e->behind.unnamed_wall_ms = since;
}

static void note(struct engine *e, const struct doc *doc)
{
    struct behind **at = slot(e, doc->id);
    bool event = doc->work.happened_ms != 0;
    int64_t since = event ? doc->work.happened_ms : wall_ms(e);
    if (*at) { /* it has been for longer */
        (*at)->gone = doc->gone;
        (*at)->scan = doc->scan;
        return;
    }
    struct behind *b = e->behind.count < MOST ? malloc(sizeof *b) : NULL;
    if (b)
        *b = (struct behind){.id = docid_copy(doc->id),
                             .since_wall_ms = since,
                             .event = event,
                             .gone = doc->gone,
                             .scan = doc->scan};
    if (!b || !b->id) {
        free(b);
        remember_without_name(e, since);
        return;
    }
    *at = b;
    e->behind.count++;
}

static void forget(struct engine *e, struct behind **at)
{
    struct behind *b = *at;
    *at = b->chain;
    docid_free(b->id);
    free(b);
    if (--e->behind.count == 0) e->behind.unnamed_wall_ms = NO_TIME;
}

void behind_scanned(struct engine *e)
{
    for (size_t i = 0; i < BEHIND_BUCKETS; i++)
        for (struct behind **at = &e->behind.buckets[i]; *at;)
            if (!(*at)->gone && (*at)->scan < e->scan.generation)
                forget(e, at);
            else
                at = &(*at)->chain;
}

/* Forgets it. True if it was behind because of an event; then *since is when that happened. */
static bool take(struct engine *e, const struct docid *id, int64_t *since)
{
    struct behind **at = slot(e, id), *b = *at;
    if (!b) return false;
    bool event = b->event;
    *since = b->since_wall_ms;
    forget(e, at);
    return event;
}

static bool entry_behind(const struct entry *entry)
{
    if (entry->status == SYNC_FAILED)
        return entry->next_retry_ms != NO_TIME && retry_kind_of(entry->error) != RETRY_ON_CHANGE;
    return entry->status != SYNC_SYNCED;
}

static bool doc_behind(const struct engine *e, const struct doc *doc)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (doc->gone ? doc->parts[i].failed : entry_behind(&doc->after.entries[i])) return true;
    return false;
}

void behind_done(struct engine *e, const struct doc *doc)
{
    int64_t since = 0;
    if (!doc->gone && doc->after.entry_count < e->collection_count) return; /* memory was out */
    if (doc_behind(e, doc)) {
        note(e, doc);
        return;
    }
    bool waited = take(e, doc->id, &since);
    int64_t happened = waited ? since : doc->work.happened_ms;
    e->stats.settled++;
    if (happened) histogram_add(&e->stats.latency, (wall_ms(e) - happened) * 1000);
}

static void older(int64_t *oldest, int64_t than)
{
    if (than && than != NO_TIME && (*oldest == NO_TIME || than < *oldest)) *oldest = than;
}

int64_t behind_since(const struct engine *e)
{
    int64_t oldest = e->behind.unnamed_wall_ms;
    for (size_t i = 0; i < BEHIND_BUCKETS; i++)
        for (const struct behind *b = e->behind.buckets[i]; b; b = b->chain) older(&oldest, b->since_wall_ms);
    for (size_t i = 0; i < e->bucket_count; i++)
        for (const struct doc *doc = e->buckets[i]; doc; doc = doc->chain) {
            older(&oldest, doc->dirty.happened_ms);
            older(&oldest, doc->work.happened_ms);
        }
    return oldest;
}

void behind_fini(struct engine *e)
{
    for (size_t i = 0; i < BEHIND_BUCKETS; i++)
        for (struct behind *b = e->behind.buckets[i], *next; b; b = next) {
            next = b->chain;
            docid_free(b->id);
            free(b);
        }
}
