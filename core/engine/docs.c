/*
 * docs.c - the documents the engine holds: the map by `_id`, how they come into it and become dirty, and when
 * they leave it.
 *
 * Owns struct doc and everything in it. What happens to one in between is doc.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

#define FIRST_BUCKETS 1024

/* ---- the map ---- */

bool docs_init(struct engine *e)
{
    e->bucket_count = FIRST_BUCKETS;
    e->buckets = calloc(e->bucket_count, sizeof(struct doc *));
    return e->buckets != NULL;
}

static struct doc **doc_slot(struct engine *e, const struct docid *id)
{
    struct doc **at = &e->buckets[docid_hash(id) % e->bucket_count];
    while (*at && !docid_equal((*at)->id, id)) at = &(*at)->chain;
    return at;
}

struct doc *docs_find(struct engine *e, const struct docid *id)
{
    return *doc_slot(e, id);
}

static void map_grow(struct engine *e)
{
    size_t count = e->bucket_count * 2;
    struct doc **buckets = calloc(count, sizeof(struct doc *));
    if (!buckets) return;
    for (size_t i = 0; i < e->bucket_count; i++)
        for (struct doc *doc = e->buckets[i], *next; doc; doc = next) {
            next = doc->chain;
            struct doc **to = &buckets[docid_hash(doc->id) % count];
            doc->chain = *to;
            *to = doc;
        }
    free(e->buckets);
    e->buckets = buckets;
    e->bucket_count = count;
}

static struct doc *doc_new(struct engine *e, const struct docid *id)
{
    struct doc *doc = calloc(1, sizeof *doc + e->collection_count * sizeof(struct part));
    if (!doc) return NULL;
    doc->id = docid_copy(id);
    doc->json = docid_json(id);
    if (!doc->id || !doc->json) {
        docid_free(doc->id);
        free(doc->json);
        free(doc);
        return NULL;
    }
    for (size_t i = 0; i < e->collection_count; i++) {
        doc->parts[i].doc = doc;
        doc->parts[i].collection = i;
        doc->parts[i].stage = PART_SETTLED;
    }
    if (e->docs_mapped >= e->bucket_count) map_grow(e);
    struct doc **slot = doc_slot(e, id);
    doc->chain = *slot;
    *slot = doc;
    e->docs_mapped++;
    e->docs_in_work++;
    return doc;
}

void doc_drop_contents(struct engine *e, struct doc *doc)
{
    for (size_t i = 0; i < e->collection_count; i++) part_fini(e, &doc->parts[i]);
    e->bytes_in_work -= doc->bytes;
    doc->bytes = 0;
    source_doc_fini(&doc->src);
    memset(&doc->src, 0, sizeof doc->src);
    record_fini(&doc->after);
    memset(&doc->after, 0, sizeof doc->after);
    for (size_t i = 0; i < doc->freed_count; i++) free(doc->freed[i]);
    free(doc->freed);
    doc->freed = NULL;
    doc->freed_count = 0;
    docid_free(doc->holders_from);
    doc->holders_from = NULL;
    doc->gone = doc->refused = false;
}

static void doc_free(struct engine *e, struct doc *doc)
{
    lane_remove(&doc->node);
    doc_drop_contents(e, doc);
    why_fini(&doc->dirty);
    why_fini(&doc->work);
    docid_free(doc->id);
    free(doc->json);
    free(doc);
}

static void doc_unmap(struct engine *e, struct doc *doc)
{
    *doc_slot(e, doc->id) = doc->chain;
    e->docs_mapped--;
}

void docs_unlinger(struct engine *e)
{
    struct doc *doc = e->lingering;
    e->lingering = NULL;
    for (struct doc *next; doc; doc = next) {
        next = doc->linger_next;
        doc->linger_next = NULL;
        doc->listed = false;
        if (doc->state != DOC_LINGER) continue;
        doc_unmap(e, doc);
        doc_free(e, doc);
    }
}

void docs_drop_all(struct engine *e)
{
    for (size_t i = 0; i < e->bucket_count; i++) /* no turn goes to a neighbour that is about to be freed */
        for (struct doc *doc = e->buckets[i]; doc; doc = doc->chain)
            for (size_t k = 0; k < e->collection_count; k++)
                doc->parts[k].turn = (struct turn_ticket){.chain = NULL};
    memset(e->turns.buckets, 0, e->turns.bucket_count * sizeof(struct turn_ticket *));
    e->turns.held = 0;
    for (size_t i = 0; i < e->bucket_count; i++)
        for (struct doc *doc = e->buckets[i], *next; doc; doc = next) {
            next = doc->chain;
            doc_free(e, doc);
        }
    memset(e->buckets, 0, e->bucket_count * sizeof *e->buckets);
    e->docs_mapped = e->docs_in_work = 0;
    e->lingering = NULL;
}

void docs_fini(struct engine *e)
{
    if (e->buckets) docs_drop_all(e);
    free(e->buckets);
    e->buckets = NULL;
}

void docs_drop_queued(struct engine *e)
{
    deferred_end_reads(e);
    for (struct node *node; (node = lane_pop(&e->reads)) != NULL;) {
        struct doc *doc = (struct doc *)node;
        e->docs_in_work--;
        if (doc->dirty.cycle) worker_doc_done(e, true);
        if (doc->dirty.doubt) e->unknown = true; /* who comes next has to doubt it as well */
        if (doc->listed) {
            why_fini(&doc->dirty);
            doc->is_dirty = false;
            doc->state = DOC_LINGER;
            continue;
        }
        doc_unmap(e, doc);
        doc_free(e, doc);
    }
}

/* ---- becoming dirty ---- */

static void enqueue(struct engine *e, struct doc *doc)
{
    doc->state = DOC_QUEUED;
    lane_push(&e->reads, &doc->node);
}

bool doc_mark(struct engine *e, const struct docid *id, struct why *why)
{
    struct doc *doc = docs_find(e, id);
    if (doc && doc->state == DOC_LINGER) {
        e->docs_in_work++;
        why_move(&doc->dirty, why);
        doc->is_dirty = true;
        enqueue(e, doc);
        return true;
    }
    if (!doc) {
        doc = doc_new(e, id);
        if (!doc) {
            log_error("out of memory: a document waits", LOG_STR("source", e->config->source));
            return false;
        }
        why_move(&doc->dirty, why);
        doc->is_dirty = true;
        enqueue(e, doc);
        return true;
    }
    if (doc->is_dirty) {
        why_merge(&doc->dirty, why);
    } else {
        why_move(&doc->dirty, why);
        doc->is_dirty = true;
    }
    return true;
}

bool doc_mark_holding(struct engine *e, const struct docid *id, struct why *why, struct watermark *until,
                      void *position)
{
    struct mark *mark = watermark_hold(until, position);
    if (mark && why_add_hold(why, mark) && doc_mark(e, id, why)) return true;
    why_fini(why);
    if (mark) watermark_retract(mark);
    return false;
}

void docs_mark_held(struct engine *e, struct watermark *until)
{
    for (size_t i = 0; i < e->bucket_count; i++)
        for (struct doc *doc = e->buckets[i]; doc; doc = doc->chain) {
            if (doc->state == DOC_LINGER) continue;
            struct why why = {.doubt = true, .only = e->config->errand.only};
            struct mark *mark = watermark_hold(until, NULL);
            if (mark && !why_add_hold(&why, mark)) {
                watermark_retract(mark);
                mark = NULL;
            }
            if (!mark) e->unknown = true;
            doc_mark(e, doc->id, &why);
        }
}

void doc_reading(struct engine *e, struct doc *doc)
{
    doc->state = DOC_READING;
    doc->scan = e->scan.generation;
    why_move(&doc->work, &doc->dirty);
    doc->is_dirty = false;
}

void doc_unread(struct engine *e, struct doc *doc)
{
    if (doc->is_dirty) why_merge(&doc->work, &doc->dirty);
    why_move(&doc->dirty, &doc->work);
    doc->is_dirty = true;
    enqueue(e, doc);
}

struct doc *doc_adopt(struct engine *e, struct source_doc *src, struct why *why)
{
    struct doc *doc = doc_new(e, src->id);
    if (!doc) return NULL;
    why_move(&doc->work, why);
    doc->scan = e->scan.generation;
    doc_begin(e, doc, src);
    return doc;
}

/* ---- and no longer ---- */

void docs_let_go(struct engine *e, struct doc *doc, bool scanned)
{
    if (doc->is_dirty) {
        enqueue(e, doc);
        return;
    }
    e->docs_in_work--;
    if ((e->scan.requested && !scanned) || doc->listed) {
        if (!doc->listed) {
            doc->listed = true;
            doc->linger_next = e->lingering;
            e->lingering = doc;
        }
        doc->state = DOC_LINGER;
        return;
    }
    doc_unmap(e, doc);
    doc_free(e, doc);
}
