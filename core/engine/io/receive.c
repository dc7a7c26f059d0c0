/*
 * receive.c - what came back from a lane's request becomes the next step of each document or part in it;
 * failures of a provider count for its circuit.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"
#include "engine/rules/usable.h"

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

static void all_failed(struct engine *e, struct batch *batch, const struct lks_err *err)
{
    for (size_t i = 0; i < batch->count; i++) target_failed(e, batch->items[i], err);
}

static void makes_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (req->err.code != LKS_E_OK) {
        all_failed(e, batch, &req->err);
        return;
    }
    for (size_t i = 0; i < batch->count; i++) target_made(e, batch->items[i], &req->make.made[i]);
}

/* Counts a failure for a circuit; one that is certainly the provider's opens it at once. True if it opened.
 */
static bool provider_failed(struct engine *e, struct circuit *circuit, const struct lks_err *err)
{
    bool closed = circuit_closed(circuit);
    if (!retry_trips_circuit(err->code) || err->blame == LKS_BLAME_CONTENT) return false;
    if (!lks_err_of_provider(err)) return circuit_failure(circuit, err, now_ms(e));
    circuit_trip(circuit, err, now_ms(e));
    return closed;
}

/* Errors of embedding count for the endpoint's circuit by the request, not by the text. */
static void embedder_failed(struct engine *e, struct embedder_state *em, const struct lks_err *err)
{
    struct lks_err capped = retry_capped(e, err);
    if (provider_failed(e, &em->circuit, &capped))
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
        const struct lks_err *err = req->embed.errors ? req->embed.errors[i] : NULL;
        if (!err)
            good += req->embed.vectors[i] != NULL;
        else if (retry_trips_circuit(err->code) && !(tripping && lks_err_of_provider(tripping)))
            tripping = err;
    }
    if (good && req->embed.dimensions)
        em->dimensions = req->embed.dimensions; /* it may be before any probe */
    if (good) circuit_success(&em->circuit, now_ms(e));
    if (tripping && (!good || lks_err_of_provider(tripping))) embedder_failed(e, em, tripping);
    for (size_t i = 0; i < batch->count; i++) {
        if (req->embed.errors && req->embed.errors[i]) {
            target_not_embedded(e, batch->items[i], req->embed.errors[i]);
            continue;
        }
        struct target *target = batch->items[i];
        const struct collection_state *c = &e->collections[target->collection];
        struct lks_err err;
        if (!req->embed.vectors[i]) { /* still under way: asked for again */
            if (circuit_closed(&em->circuit) || target->doc->work.explicit_ask)
                batch_queue_push(batch->batch_queue, &target->node);
            else
                target_defer(e, target);
            continue;
        }
        if (usable_vector(req->embed.vectors[i], req->embed.dimensions, c->cosine, c->most, &err)) {
            target_embedded(e, target, req->embed.vectors[i], req->embed.dimensions);
            req->embed.vectors[i] = NULL;
        } else {
            target_not_embedded(e, target, &err);
        }
    }
}

void collection_failed(struct engine *e, struct collection_state *c, const struct lks_err *err)
{
    bool opened = false;
    if (err->code == LKS_E_NOT_FOUND) {
        opened = circuit_closed(&c->circuit);
        circuit_trip(&c->circuit, err, now_ms(e));
    } else {
        struct lks_err capped = retry_capped(e, err);
        opened = provider_failed(e, &c->circuit, &capped);
    }
    if (opened)
        log_warn("Qdrant collection set aside until a probe succeeds", LOG_STR("source", e->config->source),
                 LOG_STR("collection", c->config->name), LOG_STR("code", lks_code_name(err->code)),
                 LOG_STR("error", err->text));
}

/* An open circuit is closed by its probe alone: a late success of an earlier request proves less. */
void collection_succeeded(struct collection_state *c)
{
    if (circuit_closed(&c->circuit)) c->circuit.failures = 0;
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

static void deletes_back(struct engine *e, struct batch *batch, struct req *req)
{
    if (index_request_failed(e, batch, req, req->del.collection)) return;
    collection_succeeded(&e->collections[req->del.collection]);
    for (size_t i = 0; i < batch->count; i++) target_deleted(e, batch->items[i]);
}

void receive(struct engine *e, struct req *req)
{
    struct batch *batch = req->context;
    batch->batch_queue->in_flight--;
    switch (req->kind) {
    case REQ_READ:
        reads_back(e, batch, req);
        break;
    case REQ_RECORD:
        records_back(e, batch, req);
        break;
    case REQ_DUPLICATES:
        duplicates_back(e, batch, req);
        break;
    case REQ_TOMBSTONES_PUT:
    case REQ_TOMBSTONES_DROP:
        tombstones_back(e, batch, req);
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
