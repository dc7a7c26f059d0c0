/*
 * send.c - turns what waits in lanes into requests.
 *
 * Also keeps the two kinds of patience: MongoDB's (a pause for everything that needs it) and the lease's
 * (nothing goes to Qdrant that the lease would not outlast). What comes back is receive.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

#define MONGO_PAUSE_MIN_MS 100
#define MONGO_PAUSE_MAX_MS 5000

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
    if (!e->pause.failures) e->pause.since_wall_ms = wall_ms(e);
    snprintf(e->pause.error, sizeof e->pause.error, "%.250s", err->text);
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

/*
 * A write is over, one way or the other, when its time-out is, which lease_covers_request() has made sure the
 * lease outlasts. Making a collection takes several steps, as long as the lease lasts. What only reads does
 * no harm when it is late, and has its time-out at least.
 */
void submit_to_index(struct engine *e, struct req *req)
{
    int64_t timeout = now_ms(e) + e->config->index_timeout_ms, lease = e->lease.until_ms;
    bool writes = req->kind == REQ_UPSERT || req->kind == REQ_DELETE;
    bool shorter = lease < timeout;
    if (writes)
        req->deadline_ms = shorter ? lease : timeout;
    else
        req->deadline_ms = shorter && req->kind != REQ_ENSURE ? timeout : lease;
    submit(e, &e->ports.index, req);
}

/* ---- out ---- */

static struct batch *take(struct batch_queue *batch_queue)
{
    size_t count = batch_queue_batch(batch_queue);
    struct batch *batch = malloc(sizeof *batch + count * sizeof(void *));
    if (!batch) return NULL;
    batch->batch_queue = batch_queue;
    batch->count = count;
    for (size_t i = 0; i < count; i++) batch->items[i] = batch_queue_pop(batch_queue);
    batch_queue->in_flight++;
    return batch;
}

/* Everything back into the lane it came from, in its order. */
void batch_put_back(struct batch *batch)
{
    for (size_t i = batch->count; i-- > 0;) batch_queue_push_front(batch->batch_queue, batch->items[i]);
}

static void give_up_batch(struct batch *batch, struct req *req)
{
    batch_put_back(batch);
    batch->batch_queue->in_flight--;
    free(batch);
    req_free(req);
}

/* A request of `kind` for what waits in the lane; NULL when memory is out (everything waits on). */
static struct req *request_for(struct batch_queue *batch_queue, enum req_kind kind, struct batch **batch)
{
    *batch = take(batch_queue);
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
        struct document *doc = batch->items[i];
        req->record.writes[i] =
            (struct record_write){.id = doc->id, .before = &doc->src.record, .after = &doc->after};
    }
    submit(e, &e->ports.store, req);
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
    struct req *req = request_for(&e->duplicates, REQ_DUPLICATES, &batch);
    if (!req) return;
    size_t keys = 0;
    for (size_t i = 0; i < batch->count; i++) keys += ((struct document *)batch->items[i])->freed_count;
    req->duplicates.max_ids = e->config->max_docs;
    req->duplicates.from = ((struct document *)batch->items[0])->duplicates_from;
    req->duplicates.keys = calloc(keys, sizeof *req->duplicates.keys);
    if (!req->duplicates.keys) {
        give_up_batch(batch, req);
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct document *doc = batch->items[i];
        for (size_t k = 0; k < doc->freed_count; k++)
            req->duplicates.keys[req->duplicates.count++] = doc->freed[k];
    }
    submit(e, &e->ports.source, req);
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
    struct req *req = request_for(batch_queue, kind, &batch);
    if (!req) return;
    req->tombstones.tombstones = calloc(batch->count, sizeof *req->tombstones.tombstones);
    bool ok = req->tombstones.tombstones != NULL;
    for (size_t i = 0; ok && i < batch->count; i++)
        ok = fill_tombstone(e, batch, i, &req->tombstones.tombstones[req->tombstones.count++]);
    if (!ok) {
        give_up_batch(batch, req);
        return;
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
    for (size_t i = 0; i < batch->count; i++)
        req->make.docs[i] = &((struct target *)batch->items[i])->doc->src;
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
    bool *fresh = calloc(batch->count, sizeof *fresh);
    req->embed.text_bytes = bytes;
    req->embed.fresh = fresh;
    if (!texts || !bytes || !fresh) {
        give_up_batch(batch, req);
        return;
    }
    req->embed.count = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        const struct target *target = batch->items[i];
        texts[i] = target->made.text;
        bytes[i] = target->made.text_bytes;
        fresh[i] = target_embeds_anew(target);
    }
    submit(e, &e->ports.embedder, req);
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
    struct req *req = request_for(&e->collections[collection].look, REQ_LOOKUP, &batch);
    if (!req) return;
    req->lookup.collection = collection;
    req->lookup.point_ids = calloc(batch->count, sizeof *req->lookup.point_ids);
    req->lookup.docs = calloc(batch->count, sizeof *req->lookup.docs);
    if (!req->lookup.point_ids || !req->lookup.docs) {
        give_up_batch(batch, req);
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

static void send_writes(struct engine *e, size_t collection)
{
    struct batch *batch;
    struct req *req = request_for(&e->collections[collection].upsert, REQ_UPSERT, &batch);
    if (!req) return;
    req->write.collection = collection;
    req->write.points = calloc(batch->count, sizeof *req->write.points);
    if (!req->write.points) {
        give_up_batch(batch, req);
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
                                                    .epoch = e->lease.epoch,
                                                    .keeps = target->keeps};
    }
    submit_to_index(e, req);
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
        const struct target *target = batch->items[i];
        req->del.point_ids[i] = target->stale_points[target->stale_count - 1];
    }
    submit_to_index(e, req);
}

void send_ready(struct engine *e)
{
    bool mongo = !mongo_paused(e), covered = lease_covers_request(e) && !epochs_hold(e);
    bool tombstones = mongo && !e->tombstones.requested; /* not while they are being listed */
    size_t before;
    do { /* memory out leaves a lane ready without sending: then wait for completions */
        before = e->in_flight;
        if (mongo && e->bytes_in_work < e->config->max_bytes && batch_queue_ready(&e->reads)) send_reads(e);
        if (mongo && batch_queue_ready(&e->records)) send_records(e);
        if (mongo && space_for_duplicates(e) && batch_queue_ready(&e->duplicates)) send_duplicates(e);
        if (tombstones && batch_queue_ready(&e->tombstone_puts))
            send_tombstones(e, &e->tombstone_puts, REQ_TOMBSTONES_PUT);
        if (tombstones && batch_queue_ready(&e->takeovers))
            send_tombstones(e, &e->takeovers, REQ_TOMBSTONES_PUT);
        if (tombstones && batch_queue_ready(&e->tombstone_drops))
            send_tombstones(e, &e->tombstone_drops, REQ_TOMBSTONES_DROP);
        for (size_t i = 0; i < e->collection_count; i++) {
            struct collection_state *c = &e->collections[i];
            if (batch_queue_ready(&c->make)) send_makes(e, i);
            if (batch_queue_ready(&c->look)) send_looks(e, i);
            if (covered && batch_queue_ready(&c->upsert)) send_writes(e, i);
            if (covered && batch_queue_ready(&c->del)) send_deletes(e, i);
        }
        for (size_t i = 0; i < e->config->embedder_count; i++)
            if (batch_queue_ready(&e->embedders[i].embed)) send_embeds(e, i);
    } while (e->in_flight != before);
}
