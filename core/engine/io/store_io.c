/*
 * store_io.c - the conversation with the store: records and tombstones that are written.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/io/io.h"

static void send_records(struct engine *e)
{
    struct batch *batch;
    struct req *req = batch_request(&e->records, REQ_RECORD, &batch);
    if (!req) return;
    req->record.writes = calloc(batch->count, sizeof *req->record.writes);
    if (!req->record.writes) {
        batch_give_up(batch, req);
        return;
    }
    req->record.count = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        struct document *doc = batch->items[i];
        req->record.writes[i] =
            (struct record_write){.id = doc->id, .before = &doc->src.record, .after = &doc->after};
    }
    submit(e, &e->ports.store, req);
}

static void records_back(struct engine *e, struct batch *batch, struct req *req)
{
    bool answered = req->err.code == LKS_E_OK;
    if (answered)
        mongo_answered(e);
    else
        mongo_failed(e, &req->err, "record");
    for (size_t i = batch->count; i-- > 0;) {
        struct document *doc = batch->items[i];
        enum lks_code code = req->record.writes[i].code;
        /* the compare-and-set makes trying again harmless */
        if (!answered)
            batch_queue_push_front(batch->batch_queue, &doc->node);
        else if (code == LKS_E_MONGO)
            document_defer(e, doc, batch->batch_queue);
        else
            document_recorded(e, doc, code);
    }
}

/* The tombstone of a document, or that of the one whose point a part takes over. False when memory is out. */
static bool fill_tombstone(struct engine *e, const struct batch *batch, size_t i, struct tombstone *tombstone)
{
    bool takeover = batch->batch_queue == &e->takeovers, drop = batch->batch_queue == &e->tombstone_drops;
    const struct target *target = takeover ? batch->items[i] : NULL;
    const struct document *doc = takeover ? target->doc : batch->items[i];
    bool own = !takeover || docid_equal(target->taken_over, doc->id);
    bool refused = !takeover && !drop && doc->refused;
    bool still =
        takeover && own && (doc->work.record_refused || refused_is(e, doc)); /* it is not written yet */
    *tombstone =
        (struct tombstone){.id = docid_copy(takeover ? target->taken_over : doc->id),
                           .after = doc->work.after,
                           .since_ms = drop ? doc->work.tombstone_since_ms : wall_ms(e),
                           .due_ms = wall_ms(e) + (refused ? REFUSED_AGAIN_MS : e->facts.tombstone_keep_ms),
                           .takeover = takeover || !doc->gone,
                           .refused = refused || still};
    if (!drop) tombstones_sent(e, tombstone->since_ms);
    if (takeover && e->stream.received.at > tombstone->after) tombstone->after = e->stream.received.at;
    if (!takeover && doc->freed_count > 0) tombstone->key = strdup(doc->freed[0]);
    if (own && !drop && !owed_add_all(&tombstone->owed, &doc->work.owed)) return false;
    return tombstone->id && (takeover || !doc->freed_count || tombstone->key);
}

static void send_tombstones(struct engine *e, struct batch_queue *batch_queue, enum req_kind kind)
{
    struct batch *batch;
    struct req *req = batch_request(batch_queue, kind, &batch);
    if (!req) return;
    req->tombstones.tombstones = calloc(batch->count, sizeof *req->tombstones.tombstones);
    bool ok = req->tombstones.tombstones != NULL;
    for (size_t i = 0; ok && i < batch->count; i++)
        ok = fill_tombstone(e, batch, i, &req->tombstones.tombstones[req->tombstones.count++]);
    if (!ok) {
        batch_give_up(batch, req);
        return;
    }
    submit(e, &e->ports.store, req);
}

static void tombstones_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (req->err.code != LKS_E_OK) {
        mongo_failed(e, &req->err, req_kind_name(req->kind));
        batch_put_back(batch);
        return;
    }
    mongo_answered(e);
    for (size_t i = 0; req->kind == REQ_TOMBSTONES_PUT && i < req->tombstones.count; i++)
        tombstones_note(e, req->tombstones.tombstones[i].due_ms);
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->batch_queue == &e->takeovers)
            target_taken_over(e, batch->items[i]);
        else if (req->kind == REQ_TOMBSTONES_PUT)
            document_tombstone_written(e, batch->items[i]);
        else
            document_tombstone_dropped(e, batch->items[i]);
    }
}

void store_io_send(struct engine *e)
{
    if (mongo_paused(e)) return;
    if (batch_queue_ready(&e->records)) send_records(e);
    if (e->tombstones.requested) return; /* none is written while they are being listed */
    if (batch_queue_ready(&e->tombstone_puts)) send_tombstones(e, &e->tombstone_puts, REQ_TOMBSTONES_PUT);
    if (batch_queue_ready(&e->takeovers)) send_tombstones(e, &e->takeovers, REQ_TOMBSTONES_PUT);
    if (batch_queue_ready(&e->tombstone_drops)) send_tombstones(e, &e->tombstone_drops, REQ_TOMBSTONES_DROP);
}

void store_io_reply(struct engine *e, struct req *req)
{
    struct batch *batch = batch_of_reply(req);
    switch (req->kind) {
    case REQ_RECORD:
        records_back(e, batch, req);
        break;
    case REQ_STATE_SAVE:
        save_handle(e, req);
        break;
    case REQ_TOMBSTONES_PUT:
    case REQ_TOMBSTONES_DROP:
        tombstones_back(e, batch, req);
        break;
    case REQ_TOMBSTONES_LIST:
        tombstones_handle(e, req);
        break;
    default: /* REQ_STATE_LOAD, REQ_LEASE */
        start_handle(e, req);
        break;
    }
    free(batch);
}
