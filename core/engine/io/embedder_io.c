/*
 * embedder_io.c - the conversation with the embedders: vectors of texts, and probes.
 */
#include <stdlib.h>

#include "engine/io/io.h"
#include "engine/rules/retry.h"
#include "engine/rules/usable.h"

static void send_embeds(struct engine *e, size_t embedder)
{
    struct batch *batch;
    struct req *req = batch_request(&e->embedders[embedder].embed, REQ_EMBED, &batch);
    if (!req) return;
    req->embed.embedder = embedder;
    const char **texts = calloc(batch->count, sizeof *texts);
    size_t *bytes = calloc(batch->count, sizeof *bytes);
    req->embed.texts = texts;
    bool *fresh = calloc(batch->count, sizeof *fresh);
    req->embed.text_bytes = bytes;
    req->embed.fresh = fresh;
    if (!texts || !bytes || !fresh) {
        batch_give_up(batch, req);
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

static void embeds_back(struct engine *e, struct batch *batch, struct req *req)
{
    struct embedder_state *em = &e->embedders[req->embed.embedder];
    if (req->err.code != LKS_E_OK) {
        embedder_failed(e, em, &req->err);
        batch_failed(e, batch, &req->err);
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

static void send_probe(struct engine *e, size_t embedder)
{
    struct req *req = req_new(REQ_EMBED_PROBE, NULL);
    if (!req) return;
    req->embed_probe.embedder = embedder;
    circuit_probing(&e->embedders[embedder].circuit);
    submit(e, &e->ports.embedder, req);
}

void embedder_io_send(struct engine *e)
{
    for (size_t i = 0; i < e->config->embedder_count; i++) {
        if (probe_embedder_due(e, i)) send_probe(e, i);
        if (batch_queue_ready(&e->embedders[i].embed)) send_embeds(e, i);
    }
}

void embedder_io_reply(struct engine *e, struct req *req)
{
    struct batch *batch = batch_of_reply(req);
    if (req->kind == REQ_EMBED)
        embeds_back(e, batch, req);
    else
        probe_embedder_back(e, req->embed_probe.embedder, &req->err, req->embed_probe.dimensions);
    free(batch);
}
