/*
 * store_io.c - the conversation with the store: records and tombstones, the lease, and the saved state.
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
    bool answered = mongo_replied(e, req, "record");
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
    if (takeover && e->feeds->stream.received.at > tombstone->after)
        tombstone->after = e->feeds->stream.received.at;
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
    if (!mongo_replied(e, req, req_kind_name(req->kind))) {
        batch_put_back(batch);
        return;
    }
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

static void send_tombstones_list(struct engine *e)
{
    struct docid *from = e->feeds->tombstones.from ? docid_copy(e->feeds->tombstones.from) : NULL;
    struct req *req = req_new(REQ_TOMBSTONES_LIST, NULL);
    if (!req || (e->feeds->tombstones.from && !from)) {
        req_free(req);
        docid_free(from);
        return;
    }
    req->tombstones.refused = e->feeds->tombstones.refused;
    req->tombstones.due_by_ms =
        e->feeds->tombstones.all || e->feeds->tombstones.refused ? INT64_MAX : wall_ms(e);
    req->tombstones.from_due_ms = e->feeds->tombstones.from_due_ms;
    req->tombstones.from = from;
    req->tombstones.max = e->feeds->tombstones.max;
    e->feeds->tombstones.requested = true;
    submit(e, &e->ports.store, req);
}

static void tombstones_list_back(struct engine *e, struct req *req)
{
    e->feeds->tombstones.requested = false;
    if (mongo_replied(e, req, "tombstones"))
        tombstones_listed(e, req->tombstones.tombstones, req->tombstones.count,
                          req->tombstones.count >= req->tombstones.max, req->tombstones.next_ms);
}

/* ---- lease and saved state ---- */

static void send_lease(struct engine *e)
{
    struct req *req = req_new(REQ_LEASE, NULL);
    if (!req) return;
    req->lease.op = e->session->lease.op;
    req->lease.lease_ms = e->config->lease_ms;
    req->lease.epoch = e->session->lease.epoch;
    req->lease.raise_to = e->session->epochs.raise_to;
    req->lease.clean = session_leaves_clean(e);
    req->lease.proven = e->session->epochs.proven;
    e->session->lease.requested = true;
    e->session->lease.asked_ms = now_ms(e);
    submit(e, &e->ports.store, req);
}

static void lease_back(struct engine *e, struct req *req)
{
    enum lease_op op = req->lease.op;
    e->session->lease.requested = false;
    if (!mongo_replied(e, req, "lease"))
        lease_failed(e);
    else if (op == LEASE_RELEASE)
        lease_released(e);
    else if (op == LEASE_TAKE && req->lease.held)
        lease_taken(e, req->lease.epoch, req->lease.floor, req->lease.previous_expired);
    else if (op == LEASE_TAKE)
        lease_refused(e, req->lease.lease_holder ? req->lease.lease_holder : "", req->lease.remaining_ms);
    else if (req->lease.held)
        lease_renewed(e, op == LEASE_RAISE);
    else
        lease_lost(e);
}

static void send_state_load(struct engine *e)
{
    struct req *req = req_new(REQ_STATE_LOAD, NULL);
    if (!req) return;
    e->session->save.requested = true;
    submit(e, &e->ports.store, req);
}

static void state_load_back(struct engine *e, struct req *req)
{
    e->session->save.requested = false;
    if (req->err.code == LKS_E_CONFIG)
        session_refused(e, &req->err);
    else if (mongo_replied(e, req, "state"))
        session_loaded(e, &req->state_load.state);
}

static void send_state_save(struct engine *e)
{
    struct req *req = req_new(REQ_STATE_SAVE, NULL);
    if (!req || !checkpoint_fill(e, &req->state_save.state)) {
        req_free(req);
        return;
    }
    req->state_save.epoch = e->session->lease.epoch;
    checkpoint_sent(e);
    submit(e, &e->ports.store, req);
}

static void state_save_back(struct engine *e, struct req *req)
{
    e->session->save.requested = false;
    if (req->err.code == LKS_E_LEASE)
        lease_lost(e);
    else if (mongo_replied(e, req, "save state"))
        checkpoint_saved(e, req->state_save.state.clean);
    else
        checkpoint_failed(e);
}

/* ---- all of it ---- */

void store_io_send(struct engine *e)
{
    if (asked(e, ASK_LEASE)) send_lease(e);
    if (asked(e, ASK_STATE_LOAD)) send_state_load(e);
    if (asked(e, ASK_STATE_SAVE)) send_state_save(e);
    if (asked(e, ASK_TOMBSTONES)) send_tombstones_list(e);
    if (mongo_paused(e)) return;
    if (batch_queue_ready(&e->records)) send_records(e);
    if (e->feeds->tombstones.requested) return; /* none is written while they are being listed */
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
    case REQ_STATE_LOAD:
        state_load_back(e, req);
        break;
    case REQ_STATE_SAVE:
        state_save_back(e, req);
        break;
    case REQ_TOMBSTONES_PUT:
    case REQ_TOMBSTONES_DROP:
        tombstones_back(e, batch, req);
        break;
    case REQ_TOMBSTONES_LIST:
        tombstones_list_back(e, req);
        break;
    default: /* REQ_LEASE */
        lease_back(e, req);
        break;
    }
    free(batch);
}
