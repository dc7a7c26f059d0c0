/*
 * servers.c - simulated plugins, embedders and Qdrant. A request to Qdrant takes effect at some moment before
 * its reply, or before its time is out; the reply may be lost, and then nobody knows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* ---- plugins ---- */

void sim_make(const struct sim_doc *doc, size_t collection, struct made *made)
{
    char text[64];
    *made = (struct made){.kind = doc->text[collection] ? MADE_POINT : MADE_NOTHING};
    if (doc->key == SIM_NO_KEY) {
        made->kind = MADE_FAILED;
        made->err = malloc(sizeof *made->err);
        lks_fail(made->err, LKS_E_VALIDATION, "the field k is missing");
        return;
    }
    snprintf(made->point_id, sizeof made->point_id, "00000000-0000-5000-8000-%012d", doc->key);
    snprintf(text, sizeof text, "k%d", doc->key);
    made->key = strdup(text);
    snprintf(text, sizeof text, "text %d", doc->text[collection]);
    made->text = strdup(text);
    made->text_bytes = strlen(text);
    snprintf(made->content_hash, sizeof made->content_hash, "content-%zu-%d", collection,
             doc->text[collection]);
    snprintf(text, sizeof text, "{\"p\":%d}", doc->payload);
    made->payload = strdup(text);
    made->payload_bytes = strlen(text);
    snprintf(made->payload_hash, sizeof made->payload_hash, "payload-%d", doc->payload);
}

void maker_submit(void *self, struct req *req)
{
    struct world *w = ((struct run *)self)->world;
    req->make.made = calloc(req->make.count, sizeof *req->make.made);
    for (size_t i = 0; i < req->make.count; i++) {
        struct sim_doc doc;
        sim_doc_is(req->make.docs[i]->body, &doc);
        sim_make(&doc, req->make.collection, &req->make.made[i]);
    }
    sim_reply(w, req, w->now + (int64_t)sim_below(w, 3));
}

/* ---- embedders ---- */

static int number_in(const char *text)
{
    return (int)strtol(text + strlen("text "), NULL, 10);
}

static void embed(struct world *w, struct req *req)
{
    req->embed.vectors = calloc(req->embed.count, sizeof *req->embed.vectors);
    req->embed.errors = calloc(req->embed.count, sizeof *req->embed.errors);
    req->embed.dimensions = 1;
    for (size_t i = 0; i < req->embed.count; i++) {
        int number = number_in(req->embed.texts[i]);
        if (number == SIM_POISON) {
            req->embed.errors[i] = malloc(sizeof **req->embed.errors);
            lks_fail(req->embed.errors[i], LKS_E_EMBEDDING_REJECTED, "this text can't be embedded");
            continue;
        }
        req->embed.vectors[i] = malloc(sizeof(float));
        req->embed.vectors[i][0] = (float)number;
        w->embedded++;
    }
}

void embedder_submit(void *self, struct req *req)
{
    struct world *w = ((struct run *)self)->world;
    size_t which = req->kind == REQ_EMBED ? req->embed.embedder : req->embed_probe.embedder;
    int64_t at = w->now + 2 + (int64_t)sim_below(w, 20);
    if (sim_chance(w, w->faults.embed_slow)) at += (int64_t)sim_below(w, 20000);
    if (w->now < w->embedder_down_until[which] || sim_chance(w, w->faults.embed_error)) {
        static const enum lks_code codes[] = {LKS_E_EMBEDDING_UNAVAILABLE, LKS_E_EMBEDDING_TIMEOUT,
                                              LKS_E_EMBEDDING_RATE_LIMIT};
        lks_fail(&req->err, codes[sim_below(w, 3)], "the embedder is not well");
        if (req->err.code == LKS_E_EMBEDDING_RATE_LIMIT)
            req->err.retry_after_ms = (int64_t)sim_below(w, 5000);
    } else if (req->kind == REQ_EMBED) {
        embed(w, req);
    } else {
        req->embed_probe.dimensions = 1;
    }
    sim_reply(w, req, at);
}

/* ---- Qdrant ---- */

static struct sim_point *find(struct sim_collection *c, const char *id)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->points[i].id, id) == 0) return &c->points[i];
    return NULL;
}

static void write_point(struct world *w, struct sim_collection *c, struct point_write *p, bool payload_only)
{
    struct sim_point *point = find(c, p->point_id);
    sim_trace(w, "collection %zu: %s %s of %s: %s %s, epoch %llu%s", (size_t)(c - w->qdrant),
              payload_only ? "payload" : "upsert", p->point_id + 34, p->doc, p->content_hash, p->payload_hash,
              (unsigned long long)p->epoch, p->unguarded ? ", unguarded" : "");
    bool guarded_off = point && !point->foreign && !p->unguarded && point->epoch > p->epoch;
    p->code = LKS_E_OK;
    if (payload_only && !point) {
        p->code = LKS_E_NOT_FOUND;
        return;
    }
    if (guarded_off) { /* invisible in an upsert; an overwrite looks afterwards */
        if (payload_only) p->code = LKS_E_MISSED;
        return;
    }
    if (!point) {
        if (c->count == sizeof c->points / sizeof *c->points) abort();
        point = &c->points[c->count++];
        *point = (struct sim_point){.foreign = false};
    }
    point->foreign = false;
    snprintf(point->id, sizeof point->id, "%s", p->point_id);
    snprintf(point->doc, sizeof point->doc, "%s", p->doc);
    snprintf(point->key, sizeof point->key, "%s", p->key ? p->key : "");
    snprintf(point->content_hash, sizeof point->content_hash, "%s", p->content_hash);
    snprintf(point->payload_hash, sizeof point->payload_hash, "%s", p->payload_hash);
    snprintf(point->payload, sizeof point->payload, "%s", p->payload);
    point->epoch = p->epoch;
    if (!payload_only) {
        point->vector = (int)p->vector[0];
        w->upserted++;
    }
}

static void see(const struct sim_point *p, struct witness *out)
{
    *out = (struct witness){.ours = !p->foreign, .foreign = p->foreign, .epoch = p->epoch};
    memcpy(out->point_id, p->id, sizeof p->id);
    if (p->foreign) return;
    out->doc = strdup(p->doc);
    out->key = strdup(p->key);
    memcpy(out->content_hash, p->content_hash, sizeof p->content_hash);
    memcpy(out->payload_hash, p->payload_hash, sizeof p->payload_hash);
}

static bool asked_for(const struct req *req, const struct sim_point *p)
{
    for (size_t i = 0; i < req->lookup.point_count; i++)
        if (strcmp(req->lookup.point_ids[i], p->id) == 0) return true;
    for (size_t i = 0; i < req->lookup.doc_count && !p->foreign; i++)
        if (strcmp(req->lookup.docs[i], p->doc) == 0) return true;
    return false;
}

static void do_lookup(struct sim_collection *c, struct req *req)
{
    req->lookup.found = calloc(c->count + 1, sizeof *req->lookup.found);
    for (size_t i = 0; i < c->count; i++)
        if (asked_for(req, &c->points[i])) see(&c->points[i], &req->lookup.found[req->lookup.found_count++]);
    qsort(req->lookup.found, req->lookup.found_count, sizeof *req->lookup.found, witness_compare);
}

static void do_scroll(struct sim_collection *c, struct req *req)
{
    req->scroll.found = calloc(c->count + 1, sizeof *req->scroll.found);
    for (size_t i = 0; i < c->count; i++)
        if (!c->points[i].foreign) see(&c->points[i], &req->scroll.found[req->scroll.found_count++]);
    req->scroll.next[0] = '\0';
}

static void do_delete(struct world *w, struct sim_collection *c, const struct req *req)
{
    for (size_t i = 0; i < req->del.count; i++) {
        sim_trace(w, "collection %zu: delete %s", (size_t)(c - w->qdrant), req->del.point_ids[i] + 34);
        struct sim_point *p = find(c, req->del.point_ids[i]);
        if (p) *p = c->points[--c->count];
    }
}

static void do_ensure(struct world *w, struct sim_collection *c, struct req *req)
{
    req->ensure.created = !c->exists;
    c->exists = true;
    req->ensure.empty = c->count == 0;
    req->ensure.guarded = true;
    if (req->ensure.created) sim_trace(w, "collection %zu is made", req->ensure.collection);
}

static struct sim_collection *collection_in(struct world *w, const struct req *req)
{
    switch (req->kind) {
    case REQ_ENSURE:
        return &w->qdrant[req->ensure.collection];
    case REQ_LOOKUP:
        return &w->qdrant[req->lookup.collection];
    case REQ_SCROLL:
        return &w->qdrant[req->scroll.collection];
    case REQ_COUNT:
        return &w->qdrant[req->count.collection];
    case REQ_DELETE:
        return &w->qdrant[req->del.collection];
    default:
        return &w->qdrant[req->write.collection];
    }
}

static void take_effect(struct world *w, struct sim_collection *c, struct req *req)
{
    if (req->kind != REQ_ENSURE && !c->exists) {
        lks_fail(&req->err, LKS_E_NOT_FOUND, "no such collection");
        return;
    }
    switch (req->kind) {
    case REQ_ENSURE:
        do_ensure(w, c, req);
        break;
    case REQ_LOOKUP:
        do_lookup(c, req);
        break;
    case REQ_SCROLL:
        do_scroll(c, req);
        break;
    case REQ_COUNT:
        for (size_t i = 0; i < c->count; i++) req->count.points += !c->points[i].foreign;
        break;
    case REQ_DELETE:
        do_delete(w, c, req);
        break;
    default:
        for (size_t i = 0; i < req->write.count; i++)
            write_point(w, c, &req->write.points[i], req->kind == REQ_PAYLOAD);
        break;
    }
}

static void act(struct world *w, void *arg, uint64_t deadline)
{
    struct req *req = arg;
    struct sim_collection *c = collection_in(w, req);
    int64_t at = w->now + 1 + (int64_t)sim_below(w, 10);
    if (w->now < c->down_until || sim_chance(w, w->faults.qdrant_refused)) {
        lks_fail(&req->err, LKS_E_QDRANT_UNAVAILABLE, "connection refused");
        sim_reply(w, req, at);
        return;
    }
    take_effect(w, c, req);
    if (sim_chance(w, w->faults.qdrant_lost_reply) && req->err.code == LKS_E_OK) {
        lks_fail(&req->err, LKS_E_QDRANT_TIMEOUT, "no reply");
        at = (int64_t)deadline;
    }
    sim_reply(w, req, at < (int64_t)deadline ? at : (int64_t)deadline);
}

void qdrant_submit(void *self, struct req *req)
{
    struct world *w = ((struct run *)self)->world;
    int64_t deadline = w->now + w->config.index_timeout_ms;
    int64_t at = w->now + 1 + (int64_t)sim_below(w, 10);
    if (sim_chance(w, w->faults.qdrant_slow))
        at += (int64_t)sim_below(w, (uint64_t)w->config.index_timeout_ms - 100);
    sim_at(w, at, act, req, (uint64_t)deadline);
}

void servers_fault(struct world *w)
{
    for (size_t i = 0; i < SIM_COLLECTIONS; i++) {
        if (sim_chance(w, w->faults.qdrant_outage))
            w->qdrant[i].down_until = w->now + (int64_t)sim_below(w, 20000);
        if (sim_chance(w, w->faults.qdrant_drop)) {
            sim_trace(w, "collection %zu is dropped behind our back", i);
            w->qdrant[i].exists = false;
            w->qdrant[i].count = 0;
        }
    }
    for (size_t i = 0; i < SIM_EMBEDDERS; i++)
        if (sim_chance(w, w->faults.embed_outage))
            w->embedder_down_until[i] = w->now + (int64_t)sim_below(w, 20000);
}
