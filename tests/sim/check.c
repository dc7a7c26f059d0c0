/* check.c - the end state: Qdrant equals f(MongoDB), and the records tell the truth about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* The document that owns a business id: the lowest that holds it. */
static int owner_of(const struct world *w, int key)
{
    for (int id = 0; id < SIM_IDS; id++) {
        const struct sim_doc *doc = mongo_doc(w, id);
        if (doc && doc->key == key) return id;
    }
    return -1;
}

static const struct sim_point *point_of(const struct world *w, size_t collection, const char *point_id)
{
    const struct sim_collection *c = &w->qdrant[collection];
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->points[i].id, point_id) == 0) return &c->points[i];
    return NULL;
}

static bool point_is(struct world *w, int id, size_t collection, const struct made *made,
                     const struct sim_doc *doc)
{
    const struct sim_point *p = point_of(w, collection, made->point_id);
    char json[64];
    snprintf(json, sizeof json, "{\"$numberInt\":\"%d\"}", id);
    if (!p)
        sim_fail(w, "lost: document %d has no point in collection %zu; its record says %s, %s", id,
                 collection,
                 doc->record.entries ? sync_status_name(doc->record.entries[collection].status) : "nothing",
                 doc->record.entries && doc->record.entries[collection].last_error
                     ? doc->record.entries[collection].last_error
                     : "no error");
    else if (strcmp(p->doc, json) != 0)
        sim_fail(w, "wrong owner: the point of document %d in collection %zu says %s", id, collection,
                 p->doc);
    else if (strcmp(p->content_hash, made->content_hash) != 0 || p->vector != doc->text[collection])
        sim_fail(
            w, "wrong vector: document %d in collection %zu: %s (%d) instead of %s; its record says %s of %s",
            id, collection, p->content_hash, p->vector, made->content_hash,
            doc->record.entries ? sync_status_name(doc->record.entries[collection].status) : "nothing",
            doc->record.entries ? doc->record.entries[collection].content_hash : "nothing");
    else if (strcmp(p->payload_hash, made->payload_hash) != 0 || strcmp(p->payload, made->payload) != 0)
        sim_fail(w, "wrong payload: document %d in collection %zu: %s instead of %s", id, collection,
                 p->payload_hash, made->payload_hash);
    return !w->failure[0];
}

static void entry_is(struct world *w, int id, size_t collection, enum sync_status status,
                     const struct made *made)
{
    const struct sim_doc *doc = mongo_doc(w, id);
    const struct entry *en = doc->record.entries ? &doc->record.entries[collection] : NULL;
    bool point = status == SYNC_SYNCED && made->kind == MADE_POINT;
    if (!en || !en->present)
        sim_fail(w, "no record: document %d, collection %zu", id, collection);
    else if (en->status != status)
        sim_fail(w, "wrong status: document %d in collection %zu is %s instead of %s (%s)", id, collection,
                 sync_status_name(en->status), sync_status_name(status),
                 en->last_error ? en->last_error : "no error");
    else if (point &&
             (strcmp(en->content_hash, made->content_hash) != 0 ||
              strcmp(en->point_id, made->point_id) != 0 || strcmp(en->payload_hash, made->payload_hash) != 0))
        sim_fail(w, "untrue record: document %d in collection %zu says %s %s", id, collection,
                 en->content_hash, en->payload_hash);
    else if (status == SYNC_SYNCED &&
             (en->error != LKS_E_OK || en->retry_count != 0 || en->next_retry_ms != NO_TIME))
        sim_fail(w, "synced, and yet an error: document %d in collection %zu", id, collection);
}

static bool document_in_step(struct world *w, int id, const struct sim_doc *doc, size_t collection)
{
    struct made made;
    sim_make(doc, collection, &made);
    bool owner = doc->key != SIM_NO_KEY && owner_of(w, doc->key) == id;
    bool poison = owner && doc->text[collection] == SIM_POISON;
    if (!poison && owner && made.kind == MADE_POINT) point_is(w, id, collection, &made, doc);
    if (!w->failure[0]) entry_is(w, id, collection, !owner || poison ? SYNC_FAILED : SYNC_SYNCED, &made);
    made_fini(&made);
    return !w->failure[0];
}

/* Is there a document that wants this point, or one that failed and left its old one? */
static bool wanted(const struct world *w, size_t collection, const struct sim_point *p)
{
    for (int id = 0; id < SIM_IDS; id++) {
        const struct sim_doc *doc = mongo_doc(w, id);
        char point_id[POINT_ID_BYTES], json[64];
        if (!doc || doc->key == SIM_NO_KEY || owner_of(w, doc->key) != id || !doc->text[collection]) continue;
        snprintf(point_id, sizeof point_id, "00000000-0000-5000-8000-%012d", doc->key);
        snprintf(json, sizeof json, "{\"$numberInt\":\"%d\"}", id);
        if (strcmp(point_id, p->id) == 0) return true;
        if (doc->text[collection] == SIM_POISON && strcmp(json, p->doc) == 0)
            return true; /* its new text never embeds */
    }
    return false;
}

bool check_in_step(struct world *w)
{
    for (int id = 0; id < SIM_IDS; id++) {
        const struct sim_doc *doc = mongo_doc(w, id);
        for (size_t c = 0; doc && c < SIM_COLLECTIONS; c++)
            if (!document_in_step(w, id, doc, c)) return false;
    }
    for (size_t c = 0; c < SIM_COLLECTIONS; c++)
        for (size_t i = 0; i < w->qdrant[c].count; i++)
            if (!wanted(w, c, &w->qdrant[c].points[i])) {
                sim_fail(w, "ghost: point %s of document %s in collection %zu", w->qdrant[c].points[i].id,
                         w->qdrant[c].points[i].doc, c);
                return false;
            }
    return true;
}
