/*
 * send.c - turns what waits in lanes into requests, and what comes back into the next step of each document
 * or part.
 *
 * Also keeps the two kinds of patience: MongoDB's (a pause for everything that needs it) and the lease's
 * (nothing goes to Qdrant that the lease would not outlast).
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

#define MONGO_PAUSE_MIN_MS 100
#define MONGO_PAUSE_MAX_MS 5000

/* What a request carries, so that its results find their way; the request's `context`. */
struct batch {
    struct lane *lane;
    size_t count;
    void *items[]; /* struct doc or struct part */
};

void submit(struct engine *e, const struct port *port, struct req *req)
{
    e->in_flight++;
    port->submit(port->self, req);
}

/* ---- patience ---- */

void mongo_failed(struct engine *e, const struct lks_err *err, const char *what)
{
    int64_t wait = MONGO_PAUSE_MIN_MS;
    for (int i = 0; i < e->pause.failures && wait < MONGO_PAUSE_MAX_MS; i++) wait *= 2;
    if (wait > MONGO_PAUSE_MAX_MS) wait = MONGO_PAUSE_MAX_MS;
    if (err->code == LKS_E_CANCELLED) return;
    LOG_WITH(e->pause.failures++ ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
             "MongoDB did not do what was asked; trying again", LOG_STR("source", e->config->source),
             LOG_STR("request", what), LOG_STR("error", err->text));
    e->pause.until_ms = now_ms(e) + wait;
}

void mongo_answered(struct engine *e)
{
    if (e->pause.failures)
        log_info("MongoDB answers again", LOG_STR("source", e->config->source),
                 LOG_INT("failures", e->pause.failures));
    e->pause.failures = 0;
    e->pause.until_ms = 0;
}

bool mongo_paused(struct engine *e)
{
    return e->pause.until_ms > now_ms(e);
}

bool lease_covers_request(struct engine *e)
{
    return e->lease.held && now_ms(e) + e->config->index_timeout_ms <= e->lease.until_ms;
}

/* ---- out ---- */

static struct batch *take(struct lane *lane)
{
    size_t count = lane_batch(lane);
    struct batch *batch = malloc(sizeof *batch + count * sizeof(void *));
    if (!batch) return NULL;
    batch->lane = lane;
    batch->count = count;
    for (size_t i = 0; i < count; i++) batch->items[i] = lane_pop(lane);
    lane->in_flight++;
    return batch;
}

/* Everything back into the lane it came from, in its order. */
static void put_back(struct batch *batch)
{
    for (size_t i = batch->count; i-- > 0;) lane_push_front(batch->lane, batch->items[i]);
}

static void give_up_batch(struct batch *batch, struct req *req)
{
    put_back(batch);
    batch->lane->in_flight--;
    free(batch);
    req_free(req);
}

/* A request of `kind` for what waits in the lane; NULL when memory is out (everything waits on). */
static struct req *request_for(struct lane *lane, enum req_kind kind, struct batch **batch)
{
    *batch = take(lane);
    if (!*batch) return NULL;
    struct req *req = req_new(kind, *batch);
    if (!req) give_up_batch(*batch, NULL);
    return req;
}

static void send_reads(struct engine *e)
{
    struct batch *batch;
    struct req *req = request_for(&e->reads, REQ_READ, &batch);
    if (!req) return;
    req->read.ids = calloc(batch->count, sizeof *req->read.ids);
    if (!req->read.ids) {
        give_up_batch(batch, req);
        return;
    }
    req->read.count = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        struct doc *doc = batch->items[i];
        doc_reading(doc);
        req->read.ids[i] = doc->id;
        if (doc->work.after > req->read.after) req->read.after = doc->work.after;
    }
    e->stats.reads++;
    submit(e, &e->ports.source, req);
}

static void send_records(struct engine *e)
{
    struct batch *batch;
    struct req *req = request_for(&e->records, REQ_RECORD, &batch);
    if (!req) return;
    req->record.writes = calloc(batch->count, sizeof *req->record.writes);
    if (!req->record.writes) {
        give_up_batch(batch, req);
        return;
    }
    req->record.count = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        struct doc *doc = batch->items[i];
        req->record.writes[i] =
            (struct record_write){.id = doc->id, .before = &doc->src.record, .after = &doc->after};
    }
    submit(e, &e->ports.store, req);
}

static void send_holders(struct engine *e)
{
    struct batch *batch;
    struct req *req = request_for(&e->holders, REQ_HOLDERS, &batch);
    if (!req) return;
    size_t keys = 0;
    for (size_t i = 0; i < batch->count; i++) keys += ((struct doc *)batch->items[i])->freed_count;
    req->holders.keys = calloc(keys, sizeof *req->holders.keys);
    if (!req->holders.keys) {
        give_up_batch(batch, req);
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct doc *doc = batch->items[i];
        for (size_t k = 0; k < doc->freed_count; k++) req->holders.keys[req->holders.count++] = doc->freed[k];
    }
    submit(e, &e->ports.source, req);
}

static void send_tombs(struct engine *e, struct lane *lane, enum req_kind kind)
{
    struct batch *batch;
    struct req *req = request_for(lane, kind, &batch);
    if (!req) return;
    req->tombs.tombs = calloc(batch->count, sizeof *req->tombs.tombs);
    if (!req->tombs.tombs) {
        give_up_batch(batch, req);
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct doc *doc = batch->items[i];
        struct tomb *tomb = &req->tombs.tombs[i];
        tomb->id = docid_copy(doc->id);
        if (!tomb->id) {
            give_up_batch(batch, req);
            return;
        }
        req->tombs.count++;
        tomb->after = doc->work.after;
        tomb->since_ms = wall_ms(e);
        if (doc->freed_count > 0) tomb->key = strdup(doc->freed[0]);
    }
    submit(e, &e->ports.store, req);
}

static void send_makes(struct engine *e, size_t collection)
{
    struct batch *batch;
    struct req *req = request_for(&e->collections[collection].make, REQ_MAKE, &batch);
    if (!req) return;
    req->make.collection = collection;
    req->make.docs = calloc(batch->count, sizeof *req->make.docs);
    if (!req->make.docs) {
        give_up_batch(batch, req);
        return;
    }
    req->make.count = batch->count;
    for (size_t i = 0; i < batch->count; i++) req->make.docs[i] = &((struct part *)batch->items[i])->doc->src;
    submit(e, &e->ports.maker, req);
}

static void send_embeds(struct engine *e, size_t embedder)
{
    struct batch *batch;
    struct req *req = request_for(&e->embedders[embedder].embed, REQ_EMBED, &batch);
    if (!req) return;
    req->embed.embedder = embedder;
    const char **texts = calloc(batch->count, sizeof *texts);
    size_t *bytes = calloc(batch->count, sizeof *bytes);
    req->embed.texts = texts;
    req->embed.text_bytes = bytes;
    if (!texts || !bytes) {
        give_up_batch(batch, req);
        return;
    }
    req->embed.count = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        const struct part *part = batch->items[i];
        texts[i] = part->made.text;
        bytes[i] = part->made.text_bytes;
    }
    submit(e, &e->ports.embedder, req);
}

static void send_looks(struct engine *e, size_t collection)
{
    struct batch *batch;
    struct req *req = request_for(&e->collections[collection].look, REQ_LOOKUP, &batch);
    if (!req) return;
    req->lookup.collection = collection;
    req->lookup.point_ids = calloc(batch->count, sizeof *req->lookup.point_ids);
    req->lookup.docs = calloc(batch->count, sizeof *req->lookup.docs);
    if (!req->lookup.point_ids || !req->lookup.docs) {
        give_up_batch(batch, req);
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct part *part = batch->items[i];
        if (part->stage == PART_STRAY_LOOK) {
            req->lookup.point_ids[req->lookup.point_count++] = part->strays[part->stray_count - 1];
            continue;
        }
        if (part->wanted.point) req->lookup.point_ids[req->lookup.point_count++] = part->made.point_id;
        req->lookup.docs[req->lookup.doc_count++] = part->doc->json;
    }
    submit(e, &e->ports.index, req);
}

static void send_writes(struct engine *e, size_t collection, struct lane *lane, enum req_kind kind)
{
    struct batch *batch;
    struct req *req = request_for(lane, kind, &batch);
    if (!req) return;
    req->write.collection = collection;
    req->write.points = calloc(batch->count, sizeof *req->write.points);
    if (!req->write.points) {
        give_up_batch(batch, req);
        return;
    }
    req->write.count = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        const struct part *part = batch->items[i];
        req->write.points[i] = (struct point_write){.point_id = part->made.point_id,
                                                    .vector = kind == REQ_UPSERT ? part->vector : NULL,
                                                    .dimensions = part->dimensions,
                                                    .payload = part->made.payload,
                                                    .payload_bytes = part->made.payload_bytes,
                                                    .doc = part->doc->json,
                                                    .key = part->made.key,
                                                    .content_hash = part->made.content_hash,
                                                    .payload_hash = part->made.payload_hash,
                                                    .epoch = e->lease.epoch,
                                                    .unguarded = part->unguarded};
    }
    submit(e, &e->ports.index, req);
}

static void send_deletes(struct engine *e, size_t collection)
{
    struct batch *batch;
    struct req *req = request_for(&e->collections[collection].del, REQ_DELETE, &batch);
    if (!req) return;
    req->del.collection = collection;
    req->del.point_ids = calloc(batch->count, sizeof *req->del.point_ids);
    if (!req->del.point_ids) {
        give_up_batch(batch, req);
        return;
    }
    req->del.count = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        const struct part *part = batch->items[i];
        req->del.point_ids[i] = part->strays[part->stray_count - 1];
    }
    submit(e, &e->ports.index, req);
}

void send_ready(struct engine *e)
{
    bool mongo = !mongo_paused(e), covered = lease_covers_request(e);
    size_t before;
    do { /* memory out leaves a lane ready without sending: then wait for completions */
        before = e->in_flight;
        if (mongo && e->bytes_in_work < e->config->max_bytes && lane_ready(&e->reads)) send_reads(e);
        if (mongo && lane_ready(&e->records)) send_records(e);
        if (mongo && lane_ready(&e->holders)) send_holders(e);
        if (mongo && lane_ready(&e->tomb_puts)) send_tombs(e, &e->tomb_puts, REQ_TOMBS_PUT);
        if (mongo && lane_ready(&e->tomb_drops)) send_tombs(e, &e->tomb_drops, REQ_TOMBS_DROP);
        for (size_t i = 0; i < e->collection_count; i++) {
            struct collection_state *c = &e->collections[i];
            if (lane_ready(&c->make)) send_makes(e, i);
            if (lane_ready(&c->look)) send_looks(e, i);
            if (covered && lane_ready(&c->upsert)) send_writes(e, i, &c->upsert, REQ_UPSERT);
            if (covered && lane_ready(&c->payload)) send_writes(e, i, &c->payload, REQ_PAYLOAD);
            if (covered && lane_ready(&c->del)) send_deletes(e, i);
        }
        for (size_t i = 0; i < e->config->embedder_count; i++)
            if (lane_ready(&e->embedders[i].embed)) send_embeds(e, i);
    } while (e->in_flight != before);
}

/* ---- back ---- */

static void reads_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (req->err.code != LKS_E_OK) {
        mongo_failed(e, &req->err, "read");
        for (size_t i = 0; i < batch->count; i++) doc_unread(e, batch->items[i]);
        return;
    }
    mongo_answered(e);
    for (size_t i = 0; i < batch->count; i++) doc_begin(e, batch->items[i], &req->read.docs[i]);
}

static void records_back(struct engine *e, struct batch *batch, struct req *req)
{
    bool answered = req->err.code == LKS_E_OK;
    if (answered)
        mongo_answered(e);
    else
        mongo_failed(e, &req->err, "record");
    for (size_t i = batch->count; i-- > 0;) {
        struct doc *doc = batch->items[i];
        enum lks_code code = req->record.writes[i].code;
        if (!answered || code == LKS_E_MONGO)
            lane_push_front(batch->lane, &doc->node); /* the compare-and-set makes trying again harmless */
        else
            doc_recorded(e, doc, code);
    }
}

/* Every other holder of a freed business id has to be looked at, and this document's marks wait for them too.
 */
static void mark_holders(struct engine *e, struct doc *doc, const struct req *req)
{
    for (size_t i = 0; i < req->holders.id_count; i++) {
        const struct docid *id = req->holders.ids[i];
        struct why why = {.doubt = true, .rival = true, .after = doc->work.after};
        if (docid_equal(id, doc->id)) continue;
        for (struct hold *h = doc->work.holds; h; h = h->next)
            if (why_add_hold(&why, h->mark)) watermark_retain(h->mark);
        doc_mark(e, id, &why);
    }
}

static void holders_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (req->err.code != LKS_E_OK) {
        mongo_failed(e, &req->err, "holders");
        put_back(batch);
        return;
    }
    mongo_answered(e);
    for (size_t i = 0; i < batch->count; i++) mark_holders(e, batch->items[i], req);
    for (size_t i = 0; i < batch->count; i++) doc_holders_known(e, batch->items[i]);
}

static void tombs_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (req->err.code != LKS_E_OK) {
        mongo_failed(e, &req->err, req_kind_name(req->kind));
        put_back(batch);
        return;
    }
    mongo_answered(e);
    for (size_t i = 0; i < batch->count; i++) {
        if (req->kind == REQ_TOMBS_PUT)
            doc_tomb_written(e, batch->items[i]);
        else
            doc_untombed(e, batch->items[i]);
    }
}

static void all_failed(struct engine *e, struct batch *batch, const struct lks_err *err)
{
    for (size_t i = 0; i < batch->count; i++) part_failed(e, batch->items[i], err);
}

static void makes_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (req->err.code != LKS_E_OK) {
        all_failed(e, batch, &req->err);
        return;
    }
    for (size_t i = 0; i < batch->count; i++) part_made(e, batch->items[i], &req->make.made[i]);
}

/* Errors of embedding count for the endpoint's circuit by the request, not by the text. */
static void embedder_failed(struct engine *e, struct embedder_state *em, const struct lks_err *err)
{
    if (retry_trips_circuit(err->code) && circuit_failure(&em->circuit, err, now_ms(e)))
        log_warn("embedding endpoint set aside until a probe succeeds", LOG_STR("embedder", em->name),
                 LOG_STR("code", lks_code_name(err->code)), LOG_STR("error", err->text));
}

static void embeds_back(struct engine *e, struct batch *batch, struct req *req)
{
    struct embedder_state *em = &e->embedders[req->embed.embedder];
    if (req->err.code != LKS_E_OK) {
        embedder_failed(e, em, &req->err);
        all_failed(e, batch, &req->err);
        return;
    }
    const struct lks_err *tripping = NULL;
    size_t good = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (!req->embed.errors || !req->embed.errors[i])
            good++;
        else if (retry_trips_circuit(req->embed.errors[i]->code))
            tripping = req->embed.errors[i];
    }
    if (good)
        circuit_success(&em->circuit);
    else if (tripping)
        embedder_failed(e, em, tripping);
    for (size_t i = 0; i < batch->count; i++) {
        if (req->embed.errors && req->embed.errors[i]) {
            part_failed(e, batch->items[i], req->embed.errors[i]);
        } else {
            part_embedded(e, batch->items[i], req->embed.vectors[i], req->embed.dimensions);
            req->embed.vectors[i] = NULL;
        }
    }
}

void collection_failed(struct engine *e, struct collection_state *c, const struct lks_err *err)
{
    bool opened = false;
    if (err->code == LKS_E_NOT_FOUND) {
        opened = circuit_closed(&c->circuit);
        circuit_trip(&c->circuit, err, now_ms(e));
    } else if (retry_trips_circuit(err->code)) {
        opened = circuit_failure(&c->circuit, err, now_ms(e));
    }
    if (opened)
        log_warn("Qdrant collection set aside until a probe succeeds", LOG_STR("source", e->config->source),
                 LOG_STR("collection", c->config->name), LOG_STR("code", lks_code_name(err->code)),
                 LOG_STR("error", err->text));
}

void collection_succeeded(struct engine *e, struct collection_state *c)
{
    if (c->circuit.state == CIRCUIT_CLOSED) {
        c->circuit.failures = 0;
        return;
    }
    (void)e; /* an open circuit is closed by its probe alone: a late success of an earlier request proves less
              */
}

/* What a document's record shows when the whole request failed. */
static struct lks_err index_error(const struct lks_err *err)
{
    struct lks_err shown = *err;
    if (err->code == LKS_E_NOT_FOUND)
        lks_fail(&shown, LKS_E_QDRANT_UNAVAILABLE, "%s; it is being made again", err->text);
    return shown;
}

static bool index_request_failed(struct engine *e, struct batch *batch, struct req *req, size_t collection)
{
    struct collection_state *c = &e->collections[collection];
    if (req->err.code == LKS_E_OK) return false;
    collection_failed(e, c, &req->err);
    struct lks_err shown = index_error(&req->err);
    all_failed(e, batch, &shown);
    return true;
}

static int by_point_id(const void *a, const void *b)
{
    return strcmp(((const struct witness *)a)->point_id, ((const struct witness *)b)->point_id);
}

/* The witnesses that matter to one part: its point, and those made from its document. */
static size_t witnesses_of(const struct part *part, const struct req *req, struct witness *out, size_t max)
{
    size_t count = 0;
    const char *point_id = part->stage == PART_STRAY_LOOK ? part->strays[part->stray_count - 1]
                           : part->wanted.point           ? part->made.point_id
                                                          : NULL;
    const struct witness *own = NULL;
    if (point_id) {
        struct witness key = {.ours = false};
        memcpy(key.point_id, point_id, POINT_ID_BYTES);
        own = bsearch(&key, req->lookup.found, req->lookup.found_count, sizeof key, by_point_id);
        if (own && count < max) out[count++] = *own;
    }
    for (size_t i = 0; i < req->lookup.found_count && part->stage == PART_LOOK; i++) {
        const struct witness *w = &req->lookup.found[i];
        if (w != own && w->ours && w->doc && count < max && strcmp(w->doc, part->doc->json) == 0)
            out[count++] = *w;
    }
    return count;
}

static void looks_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (index_request_failed(e, batch, req, req->lookup.collection)) return;
    collection_succeeded(e, &e->collections[req->lookup.collection]);
    if (req->lookup.found_count > 1)
        qsort(req->lookup.found, req->lookup.found_count, sizeof *req->lookup.found, by_point_id);
    size_t max = req->lookup.found_count + 1;
    struct witness *some = calloc(max, sizeof *some); /* shallow copies: the request owns the strings */
    for (size_t i = 0; i < batch->count; i++) {
        struct part *part = batch->items[i];
        if (some) {
            part_looked(e, part, some, witnesses_of(part, req, some, max));
        } else {
            struct lks_err err;
            lks_fail(&err, LKS_E_UNKNOWN, "out of memory");
            part_failed(e, part, &err);
        }
    }
    free(some);
}

static void point_back(struct engine *e, struct part *part, struct point_write *point)
{
    struct lks_err err;
    if (point->code == LKS_E_OK) {
        part_written(e, part);
    } else if (part->stage == PART_PAYLOAD &&
               (point->code == LKS_E_NOT_FOUND || point->code == LKS_E_MISSED)) {
        part_repair(e, part, point->code);
    } else {
        lks_fail(&err, point->code, "%s", point->error ? point->error : "Qdrant did not say why");
        part_failed(e, part, &err);
    }
}

static void writes_back(struct engine *e, struct batch *batch, struct req *req)
{
    struct collection_state *c = &e->collections[req->write.collection];
    if (index_request_failed(e, batch, req, req->write.collection)) return;
    const struct point_write *tripping = NULL;
    for (size_t i = 0; i < batch->count; i++)
        if (retry_trips_circuit(req->write.points[i].code)) tripping = &req->write.points[i];
    if (tripping) {
        struct lks_err err;
        lks_fail(&err, tripping->code, "%s", tripping->error ? tripping->error : "");
        collection_failed(e, c, &err);
    } else {
        collection_succeeded(e, c);
    }
    for (size_t i = 0; i < batch->count; i++) point_back(e, batch->items[i], &req->write.points[i]);
}

static void deletes_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (index_request_failed(e, batch, req, req->del.collection)) return;
    collection_succeeded(e, &e->collections[req->del.collection]);
    for (size_t i = 0; i < batch->count; i++) part_deleted(e, batch->items[i]);
}

void send_handle(struct engine *e, struct req *req)
{
    struct batch *batch = req->context;
    batch->lane->in_flight--;
    switch (req->kind) {
    case REQ_READ:
        reads_back(e, batch, req);
        break;
    case REQ_RECORD:
        records_back(e, batch, req);
        break;
    case REQ_HOLDERS:
        holders_back(e, batch, req);
        break;
    case REQ_TOMBS_PUT:
    case REQ_TOMBS_DROP:
        tombs_back(e, batch, req);
        break;
    case REQ_MAKE:
        makes_back(e, batch, req);
        break;
    case REQ_EMBED:
        embeds_back(e, batch, req);
        break;
    case REQ_LOOKUP:
        looks_back(e, batch, req);
        break;
    case REQ_UPSERT:
    case REQ_PAYLOAD:
        writes_back(e, batch, req);
        break;
    case REQ_DELETE:
        deletes_back(e, batch, req);
        break;
    default:
        break;
    }
    free(batch);
}
