/*
 * lag.c - which documents are known to be behind, and since when: for people, never for a decision.
 *
 * A document in work knows the moment of its oldest event itself. One that was let go unfinished (it failed
 * and will be tried again, or waits for a provider) is remembered here, up to a fixed number; the backlog
 * itself is in MongoDB. What was given up, or waits for a change of the document, is counted as failed, not
 * as behind. A document that vanished without an event is forgotten after the next scan.
 */
#include <stdlib.h>

#include "engine/documents/documents.h"

#define MOST 4096

struct lag_entry {
    struct lag_entry *chain;
    struct docid *id; /* owned */
    int64_t since_wall_ms;
    bool event;     /* `since` is the time of an event, not that of our first look */
    bool gone;      /* it is its points that are to go: its tombstone brings it back */
    uintptr_t scan; /* it was asked for since this one began */
};

static struct lag_entry **slot(struct engine *e, const struct docid *id)
{
    struct lag_entry **at = &e->lag.buckets[docid_hash(id) % LAG_BUCKETS];
    while (*at && !docid_equal((*at)->id, id)) at = &(*at)->chain;
    return at;
}

/* One more is behind than can be remembered: the moment of the oldest such one is. */
static void remember_without_name(struct engine *e, int64_t since)
{
    if (e->lag.unnamed_wall_ms == NO_TIME || since < e->lag.unnamed_wall_ms) e->lag.unnamed_wall_ms = since;
}

static void note(struct engine *e, const struct document *doc)
{
    struct lag_entry **at = slot(e, doc->id);
    bool event = doc->work.happened_ms != 0;
    int64_t since = event ? doc->work.happened_ms : wall_ms(e);
    if (*at) { /* it has been for longer */
        (*at)->gone = doc->gone;
        (*at)->scan = doc->scan;
        return;
    }
    struct lag_entry *b = e->lag.count < MOST ? malloc(sizeof *b) : NULL;
    if (b)
        *b = (struct lag_entry){.id = docid_copy(doc->id),
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
    e->lag.count++;
}

static void forget(struct engine *e, struct lag_entry **at)
{
    struct lag_entry *b = *at;
    *at = b->chain;
    docid_free(b->id);
    free(b);
    if (--e->lag.count == 0) e->lag.unnamed_wall_ms = NO_TIME;
}

void lag_scanned(struct engine *e)
{
    for (size_t i = 0; i < LAG_BUCKETS; i++)
        for (struct lag_entry **at = &e->lag.buckets[i]; *at;)
            if (!(*at)->gone && (*at)->scan < e->facts.scan)
                forget(e, at);
            else
                at = &(*at)->chain;
}

/* Forgets it. True if it was behind because of an event; then *since is when that happened. */
static bool take(struct engine *e, const struct docid *id, int64_t *since)
{
    struct lag_entry **at = slot(e, id), *b = *at;
    if (!b) return false;
    bool event = b->event;
    *since = b->since_wall_ms;
    forget(e, at);
    return event;
}

static bool lag_entry_of(const struct entry *entry)
{
    if (entry->status == SYNC_FAILED)
        return entry->next_retry_ms != NO_TIME && retry_kind_of(entry->error) != RETRY_ON_CHANGE;
    return entry->status != SYNC_SYNCED;
}

static bool document_lags(const struct engine *e, const struct document *doc)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (doc->gone ? doc->targets[i].failed : lag_entry_of(&doc->after.entries[i])) return true;
    return false;
}

void lag_document_done(struct engine *e, const struct document *doc)
{
    int64_t since = 0;
    if (!doc->gone && doc->after.entry_count < e->collection_count) return; /* memory was out */
    if (document_lags(e, doc)) {
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

int64_t lag_since(const struct engine *e)
{
    int64_t oldest = e->lag.unnamed_wall_ms;
    for (size_t i = 0; i < LAG_BUCKETS; i++)
        for (const struct lag_entry *b = e->lag.buckets[i]; b; b = b->chain) older(&oldest, b->since_wall_ms);
    for (size_t i = 0; i < e->bucket_count; i++)
        for (const struct document *doc = e->buckets[i]; doc; doc = doc->chain) {
            older(&oldest, doc->dirty.happened_ms);
            older(&oldest, doc->work.happened_ms);
        }
    return oldest;
}

void lag_fini(struct engine *e)
{
    for (size_t i = 0; i < LAG_BUCKETS; i++)
        for (struct lag_entry *b = e->lag.buckets[i], *next; b; b = next) {
            next = b->chain;
            docid_free(b->id);
            free(b);
        }
}
