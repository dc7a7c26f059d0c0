/* check.c - the end state: Qdrant equals f(MongoDB), and the records are true of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static bool left_out(const struct world *w, size_t collection)
{
    return !w->setup.on[collection] || w->broken_collection == (int)collection ||
           w->broken_embedder == (int)(collection % SIM_EMBEDDERS);
}

static bool point_is(struct world *w, int id, size_t collection, const struct made *made,
                     const struct sim_document *doc)
{
    const struct sim_point *p = qdrant_point(&w->qdrant[collection], doc->key);
    const struct entry *en = doc->record.entries ? &doc->record.entries[collection] : NULL;
    const char *status = en ? sync_status_name(en->status) : "nothing";
    int vector = sim_vector(&w->setup, collection, doc->text[collection]);
    if (!p || p->foreign)
        sim_fail(w, "Lost: document %d has no point in collection %zu; its record says %s, %s", id,
                 collection, status, en && en->last_error ? en->last_error : "no error");
    else if (p->doc != id)
        sim_fail(w, "Wrong owner: the point of document %d in collection %zu says %d", id, collection,
                 p->doc);
    else if (strcmp(p->content_hash, made->content_hash) != 0 || (p->vector != vector && p->vector >= 0))
        sim_fail(
            w, "Wrong vector: document %d in collection %zu: %s (%d) instead of %s; its record says %s of %s",
            id, collection, p->content_hash, p->vector, made->content_hash, status,
            en ? en->content_hash : "nothing");
    else if (strcmp(p->payload_hash, made->payload_hash) != 0)
        sim_fail(w, "Wrong payload: document %d in collection %zu: %s instead of %s", id, collection,
                 p->payload_hash, made->payload_hash);
    return !w->failure[0];
}

static void entry_is(struct world *w, int id, size_t collection, enum sync_status status,
                     const struct made *made)
{
    const struct sim_document *doc = mongo_doc(w, id);
    const struct entry *en = doc->record.entries ? &doc->record.entries[collection] : NULL;
    bool point = status == SYNC_SYNCED && made->kind == MADE_POINT;
    if (!en || !en->present)
        sim_fail(w, "No record: document %d, collection %zu", id, collection);
    else if (en->status != status)
        sim_fail(w, "Wrong status: document %d in collection %zu is %s instead of %s (%s)", id, collection,
                 sync_status_name(en->status), sync_status_name(status),
                 en->last_error ? en->last_error : "no error");
    else if (point &&
             (strcmp(en->content_hash, made->content_hash) != 0 ||
              strcmp(en->point_id, made->point_id) != 0 || strcmp(en->payload_hash, made->payload_hash) != 0))
        sim_fail(w, "Untrue record: document %d in collection %zu says %s %s", id, collection,
                 en->content_hash, en->payload_hash);
    else if (status == SYNC_SYNCED &&
             (en->error != LKS_E_OK || en->retry_count != 0 || en->next_retry_ms != NO_TIME))
        sim_fail(w, "Untrue record: synced, and yet an error: document %d in collection %zu", id, collection);
    else if (status == SYNC_FAILED && retry_kind_of(en->error) == RETRY_ON_CHANGE &&
             en->next_retry_ms != NO_TIME)
        sim_fail(w, "Retry: document %d in collection %zu waits for a change, and is tried again and again",
                 id, collection);
}

static bool document_in_sync(struct world *w, int id, const struct sim_document *doc, size_t collection)
{
    struct made made;
    sim_make(&w->setup, doc, collection, &made);
    bool owner = doc->key != SIM_NO_KEY && mongo_owner(w, doc->key, w->mongo.count) == id;
    bool poison = owner && doc->text[collection] == SIM_POISON;
    if (!poison && owner && made.kind == MADE_POINT) point_is(w, id, collection, &made, doc);
    if (!w->failure[0]) entry_is(w, id, collection, !owner || poison ? SYNC_FAILED : SYNC_SYNCED, &made);
    return !w->failure[0];
}

/* The record as a whole says the worst of what it says of each collection. */
static void overall_is(struct world *w, int id, const struct sim_document *doc)
{
    static const int badness[] = {[SYNC_SYNCED] = 0, [SYNC_STALE] = 1, [SYNC_PENDING] = 2, [SYNC_FAILED] = 3};
    enum sync_status worst = SYNC_SYNCED;
    for (size_t c = 0; c < SIM_COLLECTIONS; c++) {
        const struct entry *en = doc->record.entries ? &doc->record.entries[c] : NULL;
        enum sync_status status = en && en->present ? en->status : SYNC_PENDING;
        if (w->setup.on[c] && badness[status] > badness[worst]) worst = status;
    }
    if (doc->record.entries && doc->overall != worst)
        sim_fail(w, "Untrue record: document %d is %s, and its entries make it %s", id,
                 sync_status_name(doc->overall), sync_status_name(worst));
}

/* The record names the field that changed last, as long as every change is reported and every record taken.
 * (One beside the document may go with a tombstone that an earlier holder puts late, and is made again
 * without.)
 */
static void names_are(struct world *w, int id, const struct sim_document *doc)
{
    static const enum fault untold[] = {FAULT_PAUSE,      FAULT_TRUNCATE, FAULT_INVALIDATE,
                                        FAULT_STATE_LOST, FAULT_SWAP,     FAULT_REFUSE};
    size_t at = mongo_reported(w, id, w->mongo.count);
    const struct entry_log *en = at ? &w->mongo.log[at - 1] : NULL;
    for (size_t i = 0; i < sizeof untold / sizeof *untold; i++)
        if (w->rate[untold[i]]) return;
    const struct run *run = daemon_at_work(w);
    if (w->polls || w->beside || !en || en->op != CHANGE_UPDATE || !run || at <= run->followed_from) return;
    for (char **name = doc->record.modified_fields; name && *name; name++)
        if (strcmp(*name, en->key) == 0) return;
    sim_fail(w, "Untrue record: lastModifiedFields of document %d do not name %s", id, en->key);
}

/* Whoever holds the lease has met every epoch that a point has: it counts them. */
static void epochs_are_met(struct world *w, size_t collection)
{
    for (size_t i = 0; i < w->qdrant[collection].count; i++) {
        const struct sim_point *p = &w->qdrant[collection].points[i];
        if (!p->foreign && p->epoch > w->mongo.epoch)
            sim_fail(w, "One writer: point %d in collection %zu has epoch %llu, and the lease %llu", p->key,
                     collection, (unsigned long long)p->epoch, (unsigned long long)w->mongo.epoch);
    }
}

/* Is it there and wants this point? One whose new text never embeds keeps what it had, under its own id. */
static bool wanted(const struct world *w, size_t collection, const struct sim_point *p)
{
    const struct sim_document *doc = mongo_doc(w, p->doc);
    if (!doc || doc->key == SIM_NO_KEY || mongo_owner(w, doc->key, w->mongo.count) != p->doc) return false;
    return doc->text[collection] && doc->key == p->key;
}

bool check_in_sync(struct world *w)
{
    bool trace = w->trace;
    w->trace = false;
    for (int id = 0; id < w->ids && !w->failure[0]; id++) {
        const struct sim_document *doc = mongo_doc(w, id);
        for (size_t c = 0; doc && c < SIM_COLLECTIONS && !w->failure[0]; c++)
            if (!left_out(w, c)) document_in_sync(w, id, doc, c);
        if (doc && !w->failure[0]) overall_is(w, id, doc);
        if (doc && !w->failure[0]) names_are(w, id, doc);
    }
    for (size_t c = 0; c < SIM_COLLECTIONS; c++)
        for (size_t i = 0; i < w->qdrant[c].count && !left_out(w, c); i++) {
            const struct sim_point *p = &w->qdrant[c].points[i];
            if (!p->foreign && !wanted(w, c, p) && !qdrant_excused(w, &w->qdrant[c], p))
                sim_fail(w, "Orphan: point %d of document %d in collection %zu", p->key, p->doc, c);
        }
    bool broken = w->broken_collection >= 0 || w->broken_embedder >= 0; /* then the last of a sweep waits */
    for (int id = 0; id < w->ids && w->beside && !broken; id++)
        if (!mongo_doc(w, id) && mongo_recorded_at(w, id, w->mongo.count))
            sim_fail(w, "Left: there is a record beside document %d, which is gone", id);
    for (size_t c = 0; c < SIM_COLLECTIONS && !w->failure[0]; c++) {
        if (left_out(w, c)) continue;
        qdrant_same(w, &w->qdrant[c]);
        epochs_are_met(w, c);
    }
    w->trace = trace;
    return !w->failure[0];
}
