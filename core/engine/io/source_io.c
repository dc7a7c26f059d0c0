/*
 * source_io.c - the conversation with the source: documents that are read, and other documents with the
 * business ids that they freed. What the feeds ask of it they send themselves so far.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/io/io.h"

static void send_reads(struct engine *e)
{
    struct batch *batch;
    struct req *req = batch_request(&e->reads, REQ_READ, &batch);
    if (!req) return;
    req->read.ids = calloc(batch->count, sizeof *req->read.ids);
    if (!req->read.ids) {
        batch_give_up(batch, req);
        return;
    }
    req->read.count = batch->count;
    /* No older than what the stream has shown, whatever the reason to read: the event that told of the newest
       contents may be done with already, and nobody would come back for them. */
    req->read.after = e->stream.received.at;
    for (size_t i = 0; i < batch->count; i++) {
        struct document *doc = batch->items[i];
        document_reading(e, doc);
        req->read.ids[i] = doc->id;
        if (doc->work.after > req->read.after) req->read.after = doc->work.after;
    }
    e->stats.reads++;
    submit(e, &e->ports.source, req);
}

static void reads_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (req->err.code != LKS_E_OK) {
        mongo_failed(e, &req->err, "read");
        for (size_t i = 0; i < batch->count; i++) document_unread(e, batch->items[i]);
        return;
    }
    mongo_answered(e);
    for (size_t i = 0; i < batch->count; i++) document_begin(e, batch->items[i], &req->read.docs[i]);
}

/* Holders come on top of the credits for documents, so one page of them after the other. What waits for a
 * page may be what takes the bytes that reading needs. */
static bool space_for_duplicates(const struct engine *e)
{
    return e->reads.queued < e->config->max_docs || e->bytes_in_work >= e->config->max_bytes;
}

static void send_duplicates(struct engine *e)
{
    struct batch *batch;
    struct req *req = batch_request(&e->duplicates, REQ_DUPLICATES, &batch);
    if (!req) return;
    size_t keys = 0;
    for (size_t i = 0; i < batch->count; i++) keys += ((struct document *)batch->items[i])->freed_count;
    req->duplicates.max_ids = e->config->max_docs;
    req->duplicates.from = ((struct document *)batch->items[0])->duplicates_from;
    req->duplicates.keys = calloc(keys, sizeof *req->duplicates.keys);
    if (!req->duplicates.keys) {
        batch_give_up(batch, req);
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct document *doc = batch->items[i];
        for (size_t k = 0; k < doc->freed_count; k++)
            req->duplicates.keys[req->duplicates.count++] = doc->freed[k];
    }
    submit(e, &e->ports.source, req);
}

/*
 * The answer names the holders of what any document of the batch has freed. One that is itself in such a
 * batch was just read, so its own business id is known: unless this document has freed that very id, the two
 * have nothing to do with each other, and marking it would let them mark each other for ever.
 */
static bool concerns(struct engine *e, const struct document *doc, const struct docid *lease_holder)
{
    const struct document *other = document_table_find(e, lease_holder);
    const char *key = NULL;
    if (!other || other->state != DOCUMENT_DUPLICATES) return true;
    for (size_t i = 0; i < e->collection_count && !key; i++) key = other->targets[i].made.key;
    for (size_t i = 0; key && i < doc->freed_count; i++)
        if (strcmp(doc->freed[i], key) == 0) return true;
    return !key;
}

/* Every other holder of a freed business id has to be looked at, and this document's marks wait for them too.
 * False when memory is out. */
static bool make_duplicates_dirty(struct engine *e, struct document *doc, const struct req *req)
{
    for (size_t i = 0; i < req->duplicates.id_count; i++) {
        const struct docid *id = req->duplicates.ids[i];
        struct dirty_reason reason = {
            .verify_points = true, .duplicate_pair = true, .after = doc->work.after};
        if (docid_equal(id, doc->id) || !concerns(e, doc, id)) continue;
        if (dirty_reason_share_holds(&reason, &doc->work) && document_make_dirty(e, id, &reason)) continue;
        dirty_reason_release(&reason);
        return false;
    }
    return true;
}

/*
 * There may be more than one answer names. Then each document asks for itself, until all have had their turn,
 * and goes on behind the last holder that was marked.
 */
static void more_duplicates(struct engine *e, struct batch *batch, struct req *req)
{
    struct document *doc = batch->items[0];
    if (batch->count == 1) {
        docid_free(doc->duplicates_from);
        doc->duplicates_from = req->duplicates.ids[--req->duplicates.id_count];
    }
    e->duplicates.max_items = 1;
    batch_put_back(batch);
}

static void duplicates_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (req->err.code != LKS_E_OK) {
        mongo_failed(e, &req->err, "holders");
        batch_put_back(batch);
        return;
    }
    mongo_answered(e);
    for (size_t i = 0; i < batch->count; i++)
        if (!make_duplicates_dirty(e, batch->items[i], req)) { /* they are asked for once more */
            batch_put_back(batch);
            return;
        }
    if (req->duplicates.id_count >= req->duplicates.max_ids) {
        more_duplicates(e, batch, req);
        return;
    }
    if (!e->duplicates.queued) e->duplicates.max_items = MOST_WITH_DUPLICATES;
    for (size_t i = 0; i < batch->count; i++) document_duplicates_known(e, batch->items[i]);
}

void source_io_send(struct engine *e)
{
    if (mongo_paused(e)) return;
    if (e->bytes_in_work < e->config->max_bytes && batch_queue_ready(&e->reads)) send_reads(e);
    if (space_for_duplicates(e) && batch_queue_ready(&e->duplicates)) send_duplicates(e);
}

void source_io_reply(struct engine *e, struct req *req)
{
    struct batch *batch = batch_of_reply(req);
    switch (req->kind) {
    case REQ_STREAM_OPEN:
    case REQ_STREAM_NEXT:
        stream_handle(e, req);
        break;
    case REQ_READ:
        if (batch)
            reads_back(e, batch, req);
        else
            sweep_handle(e, req);
        break;
    case REQ_SCAN:
        scan_handle(e, req);
        break;
    case REQ_DUE:
        worker_handle(e, req);
        break;
    case REQ_DUPLICATES:
        duplicates_back(e, batch, req);
        break;
    case REQ_COUNT_RECORDS:
        count_check_handle(e, req);
        break;
    default: /* REQ_ORPHAN_RECORDS */
        sweep_handle(e, req);
        break;
    }
    free(batch);
}
