/*
 * index_io.c - the conversation with the index: points that are looked at, written, deleted, swept and
 * counted, and whether a collection is there and well.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/io/io.h"
#include "engine/rules/retry.h"

#define PAGE_POINTS 512

/*
 * A write is over, one way or the other, when its time-out is, which lease_covers_request() has made sure the
 * lease outlasts. Making a collection takes several steps, as long as the lease lasts. What only reads does
 * no harm when it is late, and has its time-out at least.
 */
static void submit_to_index(struct engine *e, struct req *req)
{
    int64_t timeout = now_ms(e) + e->config->index_timeout_ms, lease = e->session->lease.until_ms;
    bool writes = req->kind == REQ_UPSERT || req->kind == REQ_DELETE;
    bool shorter = lease < timeout;
    if (writes)
        req->deadline_ms = shorter ? lease : timeout;
    else
        req->deadline_ms = shorter && req->kind != REQ_ENSURE ? timeout : lease;
    submit(e, &e->ports.index, req);
}

/* What a document's record shows when the whole request failed. */
static struct lks_err index_error(const struct lks_err *err)
{
    struct lks_err shown = *err;
    if (err->code == LKS_E_NOT_FOUND)
        lks_fail(&shown, LKS_E_QDRANT_UNAVAILABLE, "%s; it is being made again", err->text);
    return shown;
}

/* Of the i-th item of a request that failed as a whole. */
static bool may_be_written(const struct req *req, size_t i)
{
    if (req->kind == REQ_DELETE) return req->del.unknown;
    return (req->kind == REQ_UPSERT) && req->write.points[i].unknown;
}

static bool index_request_failed(struct engine *e, struct batch *batch, struct req *req, size_t collection)
{
    struct collection_state *c = &e->collections[collection];
    if (req->err.code == LKS_E_OK) return false;
    collection_failed(e, c, &req->err);
    struct lks_err shown = index_error(&req->err);
    for (size_t i = 0; i < batch->count; i++)
        target_not_written(e, batch->items[i], &shown, may_be_written(req, i));
    return true;
}

/* The points to be looked at with their vectors, or without. */
static void name_points(struct req *req, const struct batch *batch, bool vectors)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct target *target = batch->items[i];
        bool stale_point = target->stage == TARGET_STALE_LOOK;
        bool with = target->wants_vector && !stale_point;
        if (with != vectors || (!stale_point && !target->wanted.point)) continue;
        target->asked_vector = with;
        req->lookup.point_ids[req->lookup.point_count++] =
            stale_point                      ? target->stale_points[target->stale_count - 1]
            : target->stage == TARGET_BORROW ? target->twin
                                             : target->made.point_id;
    }
}

static void send_looks(struct engine *e, size_t collection)
{
    struct batch *batch;
    struct req *req = batch_request(&e->collections[collection].look, REQ_LOOKUP, &batch);
    if (!req) return;
    req->lookup.collection = collection;
    req->lookup.point_ids = calloc(batch->count, sizeof *req->lookup.point_ids);
    req->lookup.docs = calloc(batch->count, sizeof *req->lookup.docs);
    if (!req->lookup.point_ids || !req->lookup.docs) {
        batch_give_up(batch, req);
        return;
    }
    req->lookup.whole = scan_request(e).whole;
    name_points(req, batch, true);
    req->lookup.vector_count = req->lookup.point_count;
    name_points(req, batch, false);
    for (size_t i = 0; i < batch->count; i++) {
        const struct target *target = batch->items[i];
        req->lookup.consistent |= owed_ask_all(e, target);
        if (target->stage == TARGET_LOOK) req->lookup.docs[req->lookup.doc_count++] = target->doc->json;
    }
    submit_to_index(e, req);
}

/* The stamps that matter to one part: its point, and those made from its document. */
static size_t stamps_of(const struct target *target, const struct req *req, struct stamp *out, size_t max)
{
    size_t count = 0;
    const char *point_id = target->stage == TARGET_STALE_LOOK ? target->stale_points[target->stale_count - 1]
                           : target->stage == TARGET_BORROW   ? target->twin
                           : target->wanted.point             ? target->made.point_id
                                                              : NULL;
    const struct stamp *own = NULL;
    if (point_id &&
        req->lookup.found_count > 0) { /* the standard has no search in an array that isn't there */
        struct stamp key = {.ours = false};
        memcpy(key.point_id, point_id, POINT_ID_BYTES);
        own = bsearch(&key, req->lookup.found, req->lookup.found_count, sizeof key, stamp_compare);
        if (own && count < max) out[count++] = *own;
    }
    for (size_t i = 0; i < req->lookup.found_count && target->stage == TARGET_LOOK; i++) {
        const struct stamp *w = &req->lookup.found[i];
        if (w != own && w->ours && w->doc && count < max && strcmp(w->doc, target->doc->json) == 0)
            out[count++] = *w;
    }
    return count;
}

static void looks_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (index_request_failed(e, batch, req, req->lookup.collection)) return;
    collection_succeeded(&e->collections[req->lookup.collection]);
    if (req->lookup.consistent && !req->lookup.agreed) replicas_unasked(e, req->lookup.collection);
    size_t max = req->lookup.found_count + 1;
    struct stamp *some = calloc(max, sizeof *some); /* shallow copies: the request owns the strings */
    for (size_t i = 0; i < batch->count; i++) {
        struct target *target = batch->items[i];
        target->agreed = req->lookup.consistent && req->lookup.agreed;
        if (some) {
            target_looked(e, target, some, stamps_of(target, req, some, max));
        } else {
            struct lks_err err;
            lks_fail(&err, LKS_E_UNKNOWN, "out of memory");
            target_failed(e, target, &err);
        }
    }
    free(some);
}

static void send_writes(struct engine *e, size_t collection)
{
    struct batch *batch;
    struct req *req = batch_request(&e->collections[collection].upsert, REQ_UPSERT, &batch);
    if (!req) return;
    req->write.collection = collection;
    req->write.points = calloc(batch->count, sizeof *req->write.points);
    if (!req->write.points) {
        batch_give_up(batch, req);
        return;
    }
    req->write.count = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        const struct target *target = batch->items[i];
        req->write.points[i] = (struct point_write){.point_id = target->made.point_id,
                                                    .vector = target->vector,
                                                    .dimensions = target->dimensions,
                                                    .payload = target->made.payload,
                                                    .payload_bytes = target->made.payload_bytes,
                                                    .doc = target->doc->json,
                                                    .key = target->made.key,
                                                    .content_hash = target->made.content_hash,
                                                    .payload_hash = target->made.payload_hash,
                                                    .epoch = e->session->lease.epoch,
                                                    .keeps = target->keeps};
    }
    submit_to_index(e, req);
}

static void point_back(struct engine *e, struct target *target, struct point_write *point)
{
    struct lks_err err;
    if (point->code == LKS_E_OK) {
        target_written(e, target);
    } else {
        lks_fail(&err, point->code, "%s", point->error ? point->error : "Qdrant did not say why");
        err.blame = point->blame;
        target_not_written(e, target, &err, point->unknown);
    }
}

static void writes_back(struct engine *e, struct batch *batch, struct req *req)
{
    struct collection_state *c = &e->collections[req->write.collection];
    if (index_request_failed(e, batch, req, req->write.collection)) return;
    const struct point_write *tripping = NULL;
    for (size_t i = 0; i < batch->count; i++)
        if (retry_trips_circuit(req->write.points[i].code)) tripping = &req->write.points[i]; /* all alike */
    if (tripping) {
        struct lks_err err;
        lks_fail(&err, tripping->code, "%s", tripping->error ? tripping->error : "");
        err.blame = tripping->blame;
        collection_failed(e, c, &err);
    } else {
        collection_succeeded(c);
    }
    for (size_t i = 0; i < batch->count; i++) point_back(e, batch->items[i], &req->write.points[i]);
}

static void send_deletes(struct engine *e, size_t collection)
{
    struct batch *batch;
    struct req *req = batch_request(&e->collections[collection].del, REQ_DELETE, &batch);
    if (!req) return;
    req->del.collection = collection;
    req->del.point_ids = calloc(batch->count, sizeof *req->del.point_ids);
    if (!req->del.point_ids) {
        batch_give_up(batch, req);
        return;
    }
    req->del.count = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        const struct target *target = batch->items[i];
        req->del.point_ids[i] = target->stale_points[target->stale_count - 1];
    }
    submit_to_index(e, req);
}

static void deletes_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (index_request_failed(e, batch, req, req->del.collection)) return;
    collection_succeeded(&e->collections[req->del.collection]);
    for (size_t i = 0; i < batch->count; i++) target_deleted(e, batch->items[i]);
}

/* ---- what feeds and session ask for ---- */

/* The probe of a circuit, or a look at its replicas. */
static void send_ensure(struct engine *e, size_t collection, bool replicas)
{
    struct collection_state *c = &e->collections[collection];
    struct req *req = req_new(REQ_ENSURE, replicas ? &e->feeds->replicas : NULL);
    if (!req) return;
    req->ensure.collection = collection;
    req->ensure.look_only = !replicas && e->no_documents;
    req->ensure.dimensions = e->embedders[c->config->embedder].dimensions;
    if (replicas) {
        e->feeds->replicas.requested = true;
        e->feeds->replicas.next++;
    } else {
        circuit_probing(&c->circuit);
    }
    submit_to_index(e, req);
}

static void ensure_back(struct engine *e, struct req *req)
{
    size_t i = req->ensure.collection;
    struct collection_state *c = &e->collections[i];
    bool replicas = req->context != NULL, good = req->err.code == LKS_E_OK;
    if (replicas) e->feeds->replicas.requested = false;
    if (good) replicas_seen(e, i, req->ensure.replicas, req->ensure.active, req->ensure.empty);
    if (replicas && !good) {
        collection_failed(e, c, &req->err);
    } else if (replicas) {
        if (req->ensure.created) scan_start(e, true); /* it was dropped behind our back */
    } else if (!good) {
        probe_collection_failed(e, i, &req->err, req->ensure.look_only);
    } else {
        c->further = req->ensure.further;
        c->cosine = req->ensure.cosine;
        c->most = req->ensure.most;
        c->guarded = req->ensure.guarded;
        probe_collection_back(e, i, req->ensure.created, req->ensure.empty);
    }
}

static void send_scroll(struct engine *e)
{
    struct req *req = req_new(REQ_SCROLL, NULL);
    if (!req) return;
    req->scroll.collection = e->feeds->sweep.collection;
    memcpy(req->scroll.from, e->feeds->sweep.from, sizeof e->feeds->sweep.from);
    req->scroll.max_points = PAGE_POINTS;
    e->feeds->sweep.requested = true;
    submit_to_index(e, req);
}

static void scroll_back(struct engine *e, struct req *req)
{
    if (!sweep_current(e)) return;
    if (req->err.code == LKS_E_OK) {
        sweep_points(e, req->scroll.found, req->scroll.found_count, req->scroll.next);
        return;
    }
    collection_failed(e, &e->collections[req->scroll.collection], &req->err);
    sweep_wait(e);
}

static void send_count(struct engine *e)
{
    struct req *req = req_new(REQ_COUNT, NULL);
    e->feeds->count_check.requested = req != NULL;
    if (!req) return;
    req->count.collection = e->feeds->count_check.collection;
    submit_to_index(e, req);
}

static void count_back(struct engine *e, struct req *req)
{
    bool good = req->err.code == LKS_E_OK;
    if (!good) collection_failed(e, &e->collections[req->count.collection], &req->err);
    count_check_points(e, good, req->count.points);
}

static void send_epochs(struct engine *e)
{
    struct req *req = req_new(REQ_EPOCHS, NULL);
    if (!req) return;
    req->epochs.collection = e->session->epochs.collection++;
    req->epochs.floor = e->session->epochs.floor;
    req->epochs.own = e->session->lease.epoch;
    e->session->epochs.requested = true;
    submit_to_index(e, req);
}

static void epochs_back(struct engine *e, struct req *req)
{
    size_t i = req->epochs.collection;
    e->session->epochs.requested = false;
    if (req->err.code != LKS_E_OK) {
        collection_failed(e, &e->collections[i], &req->err);
        epochs_not_counted(e, i, &req->err);
    } else {
        epochs_counted(e, i, req->epochs.own, req->epochs.points, req->epochs.highest);
    }
}

/* ---- all of it ---- */

void index_io_send(struct engine *e)
{
    bool covered = lease_covers_request(e), writes = covered && !epochs_hold(e);
    if (asked(e, ASK_REPLICAS) && covered) send_ensure(e, e->feeds->replicas.next, true);
    if (asked(e, ASK_SWEEP_POINTS)) send_scroll(e);
    if (asked(e, ASK_COUNT_POINTS)) send_count(e);
    if (asked(e, ASK_EPOCHS)) send_epochs(e);
    for (size_t i = 0; i < e->collection_count; i++) {
        struct collection_state *c = &e->collections[i];
        if (covered && probe_collection_due(e, i)) send_ensure(e, i, false);
        if (batch_queue_ready(&c->look)) send_looks(e, i);
        if (writes && batch_queue_ready(&c->upsert)) send_writes(e, i);
        if (writes && batch_queue_ready(&c->del)) send_deletes(e, i);
    }
}

void index_io_reply(struct engine *e, struct req *req)
{
    struct batch *batch = req->kind == REQ_ENSURE ? NULL : batch_of_reply(req);
    switch (req->kind) {
    case REQ_ENSURE:
        ensure_back(e, req);
        break;
    case REQ_LOOKUP:
        looks_back(e, batch, req);
        break;
    case REQ_UPSERT:
        writes_back(e, batch, req);
        break;
    case REQ_DELETE:
        deletes_back(e, batch, req);
        break;
    case REQ_SCROLL:
        scroll_back(e, req);
        break;
    case REQ_COUNT:
        count_back(e, req);
        break;
    default: /* REQ_EPOCHS */
        epochs_back(e, req);
        break;
    }
    free(batch);
}
