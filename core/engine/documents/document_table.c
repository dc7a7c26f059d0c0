/*
 * document_table.c - the documents the engine holds: the map by `_id`, how they come into it and become
 * dirty, and when they leave it.
 *
 * Owns struct document and everything in it. What happens to one in between is document.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "base/log.h"
#include "engine/documents/documents.h"

#define FIRST_BUCKETS 1024

/* ---- the map ---- */

bool document_table_init(struct engine *e)
{
    e->bucket_count = FIRST_BUCKETS;
    e->buckets = calloc(e->bucket_count, sizeof(struct document *));
    return e->buckets != NULL;
}

static struct document **document_slot(struct engine *e, const struct docid *id)
{
    struct document **at = &e->buckets[docid_hash(id) % e->bucket_count];
    while (*at && !docid_equal((*at)->id, id)) at = &(*at)->chain;
    return at;
}

struct document *document_table_find(struct engine *e, const struct docid *id)
{
    return *document_slot(e, id);
}

static void map_grow(struct engine *e)
{
    size_t count = e->bucket_count * 2;
    struct document **buckets = calloc(count, sizeof(struct document *));
    if (!buckets) return;
    for (size_t i = 0; i < e->bucket_count; i++)
        for (struct document *doc = e->buckets[i], *next; doc; doc = next) {
            next = doc->chain;
            struct document **to = &buckets[docid_hash(doc->id) % count];
            doc->chain = *to;
            *to = doc;
        }
    free(e->buckets);
    e->buckets = buckets;
    e->bucket_count = count;
}

struct document *document_new(struct engine *e, const struct docid *id)
{
    struct document *doc = calloc(1, sizeof *doc + e->collection_count * sizeof(struct target));
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
        doc->targets[i].doc = doc;
        doc->targets[i].collection = i;
        doc->targets[i].stage = TARGET_SETTLED;
    }
    if (e->documents_mapped >= e->bucket_count) map_grow(e);
    struct document **slot = document_slot(e, id);
    doc->chain = *slot;
    *slot = doc;
    e->documents_mapped++;
    e->docs_in_work++;
    return doc;
}

void document_drop_contents(struct engine *e, struct document *doc)
{
    for (size_t i = 0; i < e->collection_count; i++) target_fini(e, &doc->targets[i]);
    invariant(e->bytes_in_work >= doc->bytes, "a document returns no more bytes than are counted");
    e->bytes_in_work -= doc->bytes;
    doc->bytes = 0;
    source_document_fini(&doc->src);
    memset(&doc->src, 0, sizeof doc->src);
    record_fini(&doc->after);
    memset(&doc->after, 0, sizeof doc->after);
    for (size_t i = 0; i < doc->freed_count; i++) free(doc->freed[i]);
    free(doc->freed);
    doc->freed = NULL;
    doc->freed_count = 0;
    docid_free(doc->duplicates_from);
    doc->duplicates_from = NULL;
    doc->gone = doc->refused = false;
}

static void document_free(struct engine *e, struct document *doc)
{
    batch_queue_remove(&doc->node);
    document_drop_contents(e, doc);
    dirty_reason_fini(&doc->dirty);
    dirty_reason_fini(&doc->work);
    docid_free(doc->id);
    free(doc->json);
    free(doc);
}

static void document_unmap(struct engine *e, struct document *doc)
{
    *document_slot(e, doc->id) = doc->chain;
    e->documents_mapped--;
}

void document_table_end_linger(struct engine *e)
{
    struct document *doc = e->lingering;
    e->lingering = NULL;
    for (struct document *next; doc; doc = next) {
        next = doc->linger_next;
        doc->linger_next = NULL;
        doc->listed = false;
        if (doc->state != DOCUMENT_LINGER) continue;
        document_unmap(e, doc);
        document_free(e, doc);
    }
}

void document_table_drop_all(struct engine *e)
{
    for (size_t i = 0; i < e->bucket_count; i++) /* no turn goes to a neighbour that is about to be freed */
        for (struct document *doc = e->buckets[i]; doc; doc = doc->chain)
            for (size_t k = 0; k < e->collection_count; k++)
                doc->targets[k].point_lock = (struct point_lock){.chain = NULL};
    memset(e->point_locks.buckets, 0, e->point_locks.bucket_count * sizeof(struct point_lock *));
    e->point_locks.held = 0;
    for (size_t i = 0; i < e->bucket_count; i++)
        for (struct document *doc = e->buckets[i], *next; doc; doc = next) {
            next = doc->chain;
            document_free(e, doc);
        }
    memset(e->buckets, 0, e->bucket_count * sizeof *e->buckets);
    e->documents_mapped = e->docs_in_work = 0;
    e->lingering = NULL;
}

void document_table_fini(struct engine *e)
{
    if (e->buckets) document_table_drop_all(e);
    free(e->buckets);
    e->buckets = NULL;
}

void document_table_drop_queued(struct engine *e)
{
    deferred_end_reads(e);
    for (struct node *node; (node = batch_queue_pop(&e->reads)) != NULL;) {
        struct document *doc = (struct document *)node;
        e->docs_in_work--;
        if (doc->dirty.cycle) document_cycle_done(e, true);
        if (doc->dirty.verify_points) e->unknown = true; /* who comes next has to doubt it as well */
        if (doc->listed) {
            dirty_reason_fini(&doc->dirty);
            doc->is_dirty = false;
            document_move(doc, DOCUMENT_LINGER);
            continue;
        }
        document_unmap(e, doc);
        document_free(e, doc);
    }
}

/* ---- becoming dirty ---- */

void document_cycle_done(struct engine *e, bool failed)
{
    e->cycle_done++;
    e->cycle_failed += failed;
}

static void enqueue(struct engine *e, struct document *doc)
{
    document_move(doc, DOCUMENT_QUEUED);
    batch_queue_push(&e->reads, &doc->node);
}

bool document_make_dirty(struct engine *e, const struct docid *id, struct dirty_reason *reason)
{
    struct document *doc = document_table_find(e, id);
    if (doc && doc->state == DOCUMENT_LINGER) {
        e->docs_in_work++;
        dirty_reason_move(&doc->dirty, reason);
        doc->is_dirty = true;
        enqueue(e, doc);
        return true;
    }
    if (!doc) {
        doc = document_new(e, id);
        if (!doc) {
            log_error("out of memory: a document waits", LOG_STR("source", e->config->source));
            return false;
        }
        dirty_reason_move(&doc->dirty, reason);
        doc->is_dirty = true;
        enqueue(e, doc);
        return true;
    }
    if (doc->is_dirty) {
        dirty_reason_merge(&doc->dirty, reason);
    } else {
        dirty_reason_move(&doc->dirty, reason);
        doc->is_dirty = true;
    }
    return true;
}

bool document_make_dirty_holding(struct engine *e, const struct docid *id, struct dirty_reason *reason,
                                 struct watermark *until, void *position)
{
    struct watermark_entry *entry = watermark_hold(until, position);
    if (entry && dirty_reason_add_hold(reason, entry) && document_make_dirty(e, id, reason)) return true;
    dirty_reason_fini(reason);
    if (entry) watermark_retract(entry);
    return false;
}

void document_table_make_dirty(struct engine *e, struct watermark *until)
{
    for (size_t i = 0; i < e->bucket_count; i++)
        for (struct document *doc = e->buckets[i]; doc; doc = doc->chain) {
            if (doc->state == DOCUMENT_LINGER) continue;
            struct dirty_reason reason = {.verify_points = true, .only = e->config->one_shot.only};
            struct watermark_entry *entry = watermark_hold(until, NULL);
            if (entry && !dirty_reason_add_hold(&reason, entry)) {
                watermark_retract(entry);
                entry = NULL;
            }
            if (!entry) e->unknown = true;
            document_make_dirty(e, doc->id, &reason);
        }
}

void document_reading(struct engine *e, struct document *doc)
{
    document_move(doc, DOCUMENT_READING);
    doc->scan = e->facts.scan;
    dirty_reason_move(&doc->work, &doc->dirty);
    doc->is_dirty = false;
}

void document_unread(struct engine *e, struct document *doc)
{
    if (doc->is_dirty) dirty_reason_merge(&doc->work, &doc->dirty);
    dirty_reason_move(&doc->dirty, &doc->work);
    doc->is_dirty = true;
    enqueue(e, doc);
}

/* ---- and no longer ---- */

void document_table_release(struct engine *e, struct document *doc, bool scanned)
{
    if (doc->is_dirty) {
        enqueue(e, doc);
        return;
    }
    e->docs_in_work--;
    if ((e->facts.page_requested && !scanned) || doc->listed) {
        if (!doc->listed) {
            doc->listed = true;
            doc->linger_next = e->lingering;
            e->lingering = doc;
        }
        document_move(doc, DOCUMENT_LINGER);
        return;
    }
    document_unmap(e, doc);
    document_free(e, doc);
}
