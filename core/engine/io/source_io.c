/*
 * source_io.c - the conversation with the source: the change stream, documents that are read or scanned, who
 * has a business id, what is due, and records that are counted or outlived their document.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/io/io.h"

#define WAIT_MS 1000    /* how long the server may hold an empty getMore */
#define ONCE_WAIT_MS 50 /* the same for one pass, which ends when nothing more comes */
#define PAGE_RECORDS 512

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
    /* No older than what the stream has shown, whatever the reason to read: the event that reported the
       newest contents may be done with already, and nobody would come back for them. */
    req->read.after = e->feeds->stream.received.at;
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
    if (!mongo_replied(e, req, "read")) {
        for (size_t i = 0; i < batch->count; i++) document_unread(e, batch->items[i]);
        return;
    }
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
    if (!mongo_replied(e, req, "holders")) {
        batch_put_back(batch);
        return;
    }
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

/* ---- what feeds ask for ---- */

static void send_stream_open(struct engine *e)
{
    struct req *req = req_new(REQ_STREAM_OPEN, NULL);
    if (!req) return;
    req->stream_open.token = e->feeds->stream.received.token;
    req->stream_open.at = e->feeds->stream.received.at;
    e->feeds->stream.requested = true;
    submit(e, &e->ports.source, req);
}

static void stream_open_back(struct engine *e, struct req *req)
{
    e->feeds->stream.requested = false;
    if (req->err.code == LKS_E_OK)
        stream_opened(e, req->stream_open.opened_at, req->stream_open.now, req->stream_open.proven);
    else
        stream_failed(e, &req->err);
}

static void send_stream_next(struct engine *e)
{
    struct req *req = req_new(REQ_STREAM_NEXT, NULL);
    if (!req) return;
    req->stream_next.max_events = e->feeds->stream.max_events;
    req->stream_next.wait_ms = e->config->once ? ONCE_WAIT_MS : WAIT_MS;
    e->feeds->stream.requested = true;
    submit(e, &e->ports.source, req);
}

static void stream_next_back(struct engine *e, struct req *req)
{
    e->feeds->stream.requested = false;
    for (size_t i = 0; i < req->stream_next.change_count; i++)
        if (!stream_change(e, &req->stream_next.changes[i])) { /* opened again, it reports this one again */
            lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
            stream_failed(e, &req->err);
            return;
        }
    if (req->err.code == LKS_E_OK)
        stream_answered(e, req->stream_next.change_count == 0, req->stream_next.proven);
    if (req->stream_next.token) stream_token(e, req->stream_next.token, req->stream_next.at);
    if (req->err.code != LKS_E_OK) stream_failed(e, &req->err);
}

static void send_scan(struct engine *e)
{
    struct req *req = req_new(REQ_SCAN, NULL);
    if (!req) return;
    e->feeds->scan.page_of = e->facts.scan;
    req->scan.from = e->feeds->scan.from;
    req->scan.max_docs = e->feeds->scan.page_docs;
    req->scan.max_bytes = e->feeds->scan.page_bytes;
    req->scan.after = e->feeds->stream.received.at; /* no older than what the stream has shown already */
    req->scan.recent_only = e->feeds->scan.recent;
    e->facts.page_requested = true;
    submit(e, &e->ports.source, req);
}

static void scan_back(struct engine *e, struct req *req)
{
    e->facts.page_requested = false;
    if (mongo_replied(e, req, "scan"))
        scan_page(e, req->scan.docs, req->scan.count, req->scan.end, req->scan.total_estimate);
    document_table_end_linger(e);
}

static void send_due(struct engine *e)
{
    struct req *req = req_new(REQ_DUE, NULL);
    if (!req) return;
    req->due.now_ms = wall_ms(e);
    req->due.recorded_only = e->feeds->scan.wanted || e->feeds->scan.running; /* the scan reaches the rest */
    req->due.rejected_too = e->feeds->worker.rejected_too;
    req->due.contradicting = e->feeds->worker.compares;
    req->due.collections = e->feeds->worker.collections;
    req->due.from = e->feeds->worker.from;
    req->due.max_docs = e->config->batch_size;
    e->feeds->worker.requested = true;
    e->feeds->worker.asked_ms = now_ms(e);
    submit(e, &e->ports.source, req);
}

static void due_back(struct engine *e, struct req *req)
{
    e->feeds->worker.requested = false;
    if (req->due.contradicting && !worker_compared(e, &req->err)) return;
    if (mongo_replied(e, req, "due"))
        worker_take(e, req->due.ids, req->due.count, req->due.end, req->due.next_ms);
}

static void send_count_records(struct engine *e)
{
    struct req *req = req_new(REQ_COUNT_RECORDS, NULL);
    e->feeds->count_check.requested = req != NULL;
    if (req) submit(e, &e->ports.source, req);
}

/* An error means too slow, perhaps; if MongoDB is away, others notice. */
static void count_records_back(struct engine *e, struct req *req)
{
    if (req->err.code != LKS_E_OK) {
        count_check_failed(e, &req->err);
        return;
    }
    mongo_answered(e);
    count_check_records(e, req->record_counts.with_point);
}

/* Reads the documents of a page of points. */
static void send_sweep_documents(struct engine *e)
{
    struct req *req = req_new(REQ_READ, NULL);
    if (!req || !(req->read.ids = calloc(e->feeds->sweep.page_count, sizeof *req->read.ids))) {
        req_free(req);
        return;
    }
    for (size_t i = 0; i < e->feeds->sweep.page_count; i++) req->read.ids[i] = e->feeds->sweep.ids[i];
    req->read.count = e->feeds->sweep.page_count;
    req->read.after =
        e->feeds->stream.received.at; /* one that is older may still have what a drop took away */
    e->feeds->sweep.requested = true;
    submit(e, &e->ports.source, req);
}

static void sweep_documents_back(struct engine *e, struct req *req)
{
    if (sweep_current(e) && mongo_replied(e, req, "sweep"))
        sweep_documents(e, req->read.docs, req->read.count);
}

static void send_sweep_records(struct engine *e)
{
    struct req *req = req_new(REQ_ORPHAN_RECORDS, NULL);
    if (!req) return;
    if (e->feeds->sweep.record && !(req->orphan_records.from = docid_copy(e->feeds->sweep.record))) {
        req_free(req);
        return;
    }
    req->orphan_records.max_records = PAGE_RECORDS;
    req->orphan_records.after =
        e->feeds->stream.received.at; /* an older one may lack what was inserted since */
    e->feeds->sweep.requested = true;
    submit(e, &e->ports.source, req);
}

static void sweep_records_back(struct engine *e, struct req *req)
{
    if (sweep_current(e) && mongo_replied(e, req, "records without a document"))
        sweep_records(e, req->orphan_records.ids, req->orphan_records.count, &req->orphan_records.next);
}

/* ---- all of it ---- */

void source_io_send(struct engine *e)
{
    if (asked(e, ASK_STREAM_OPEN)) send_stream_open(e);
    if (asked(e, ASK_STREAM_NEXT)) send_stream_next(e);
    if (asked(e, ASK_DUE)) send_due(e);
    if (asked(e, ASK_COUNT_RECORDS)) send_count_records(e);
    if (asked(e, ASK_SCAN)) send_scan(e);
    if (asked(e, ASK_SWEEP_DOCUMENTS)) send_sweep_documents(e);
    if (asked(e, ASK_SWEEP_RECORDS)) send_sweep_records(e);
    if (mongo_paused(e)) return;
    if (e->bytes_in_work < e->config->max_bytes && batch_queue_ready(&e->reads)) send_reads(e);
    if (space_for_duplicates(e) && batch_queue_ready(&e->duplicates)) send_duplicates(e);
}

void source_io_reply(struct engine *e, struct req *req)
{
    struct batch *batch = batch_of_reply(req);
    switch (req->kind) {
    case REQ_STREAM_OPEN:
        stream_open_back(e, req);
        break;
    case REQ_STREAM_NEXT:
        stream_next_back(e, req);
        break;
    case REQ_READ:
        if (batch)
            reads_back(e, batch, req);
        else
            sweep_documents_back(e, req);
        break;
    case REQ_SCAN:
        scan_back(e, req);
        break;
    case REQ_DUE:
        due_back(e, req);
        break;
    case REQ_DUPLICATES:
        duplicates_back(e, batch, req);
        break;
    case REQ_COUNT_RECORDS:
        count_records_back(e, req);
        break;
    default: /* REQ_ORPHAN_RECORDS */
        sweep_records_back(e, req);
        break;
    }
    free(batch);
}
