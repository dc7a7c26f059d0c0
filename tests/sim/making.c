/* making.c - simulated plugins, and embedders as their adapter reports them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

size_t sim_text(char *to, size_t bytes, const char *text, int64_t number)
{
    char digits[24];
    size_t used = strlen(text), count = 0;
    uint64_t rest = number < 0 ? (uint64_t)-number : (uint64_t)number;
    do digits[count++] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0) digits[count++] = '-';
    if (used + count + 1 > bytes) abort();
    memcpy(to, text, used);
    while (count > 0) to[used++] = digits[--count];
    to[used] = '\0';
    return used;
}

/* ---- plugins ---- */

int sim_vector(const struct setup *setup, size_t collection, int text)
{
    return setup->model[collection % SIM_EMBEDDERS] * 100 + text;
}

/* A new version of the plugin makes another payload of some documents, and the same of others. */
static int payload_of(const struct setup *setup, size_t collection, int payload)
{
    return setup->version[collection] % 2 ? payload / 2 * 2 : payload;
}

void sim_point_id(int key, char id[POINT_ID_BYTES])
{
    static const char zeros[] = "00000000-0000-5000-8000-000000000000";
    memcpy(id, zeros, sizeof zeros);
    for (char *at = id + 35; key > 0; key /= 10) *at-- = (char)('0' + key % 10);
}

int sim_doc_number(const char *json)
{
    return (int)strtol(json + strlen("{\"$numberInt\":\""), NULL, 10);
}

int sim_key(const char *point_id)
{
    return (int)strtol(point_id + 24, NULL, 10);
}

void sim_make(const struct setup *setup, const struct sim_document *doc, size_t collection, struct made *made)
{
    int payload = payload_of(setup, collection, doc->payload);
    *made = (struct made){.kind = doc->text[collection] ? MADE_POINT : MADE_NOTHING};
    if (doc->key == SIM_NO_KEY) {
        made->kind = MADE_FAILED;
        return;
    }
    sim_point_id(doc->key, made->point_id);
    size_t used = sim_text(made->content_hash, sizeof made->content_hash, "content-", (int64_t)collection);
    sim_text(made->content_hash + used, sizeof made->content_hash - used, "-",
             sim_vector(setup, collection, doc->text[collection]));
    sim_text(made->payload_hash, sizeof made->payload_hash, "payload-", payload);
}

/* With what it owns. */
static void make(const struct setup *setup, const struct sim_document *doc, int id, size_t collection,
                 struct made *made)
{
    sim_make(setup, doc, collection, made);
    if (made->kind == MADE_FAILED) {
        made->err = malloc(sizeof *made->err);
        lks_fail(made->err, LKS_E_VALIDATION, "the field k is missing");
        return;
    }
    char text[96];
    const size_t all = sizeof text;
    sim_text(text, all, "k", doc->key);
    made->key = strdup(text);
    size_t used = sim_text(text, all, "text ", doc->text[collection]);
    used += sim_text(text + used, all - used, " model ", setup->model[collection % SIM_EMBEDDERS]);
    used += sim_text(text + used, all - used, " collection ", (int64_t)collection);
    used += sim_text(text + used, all - used, " key ", doc->key);
    used += sim_text(text + used, all - used, " doc ", id);
    made->text = strdup(text);
    made->text_bytes = used;
    used = sim_text(text, all, "{\"p\":", payload_of(setup, collection, doc->payload));
    used += sim_text(text + used, all - used, ",\"n\":", doc->version);
    text[used++] = '}';
    text[used] = '\0';
    made->payload = strdup(text);
    made->payload_bytes = used;
}

static int doc_is(const bson_t *body, struct sim_document *doc)
{
    bson_iter_t iter;
    int id = -1;
    *doc = (struct sim_document){.exists = true, .key = SIM_NO_KEY};
    if (!bson_iter_init(&iter, body)) abort();
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        if (key[0] == '_') id = bson_iter_int32(&iter);
        if (key[0] == 'n') doc->version = bson_iter_int64(&iter);
        if (key[0] == 'p') doc->payload = bson_iter_int32(&iter);
        if (key[0] == 'k') doc->key = bson_iter_int32(&iter);
        if (key[0] == 't') doc->text[key[1] - '0'] = bson_iter_int32(&iter);
    }
    return id;
}

void maker_submit(struct trip *trip)
{
    struct run *run = trip->run;
    struct world *w = run->world;
    struct req *req = trip->req;
    req->make.made = calloc(req->make.count, sizeof *req->make.made);
    for (size_t i = 0; i < req->make.count; i++) {
        struct sim_document doc;
        int id = doc_is(req->make.docs[i]->body, &doc);
        struct made *made = &req->make.made[i];
        make(&run->setup, &doc, id, run->which[req->make.collection], made);
        if (made->kind == MADE_FAILED || !sim_chance(w, FAULT_PLUGIN)) continue;
        made->kind = MADE_FAILED; /* this time: it may go well the next */
        made->err = malloc(sizeof *made->err);
        lks_fail(made->err, LKS_E_PLUGIN, "the plugin asks for another try");
    }
    sim_reply(w, trip, w->now + (int64_t)sim_below(w, BY_NET, 3));
}

/* ---- embedders ---- */

static int number_after(const char *text, const char *word)
{
    return (int)strtol(strstr(text, word) + strlen(word), NULL, 10);
}

/* The adapter has halved a batch that failed until it knew which texts were at fault. */
static void embed(struct world *w, struct trip *trip)
{
    struct req *req = trip->req;
    bool partial = sim_chance(w, FAULT_EMBED_PARTIAL);
    req->embed.vectors = calloc(req->embed.count, sizeof *req->embed.vectors);
    req->embed.errors = calloc(req->embed.count, sizeof *req->embed.errors);
    req->embed.dimensions = 1;
    for (size_t i = 0; i < req->embed.count; i++) {
        const char *text = req->embed.texts[i];
        int number = number_after(text, "text ");
        size_t which = req->embed.embedder;
        if (w->now < w->text_until[which] && number % 4 == w->text_kind[which]) {
            req->embed.errors[i] = malloc(sizeof **req->embed.errors);
            lks_fail(req->embed.errors[i], LKS_E_EMBEDDING_UNAVAILABLE, SIM_TEXT_REFUSED);
            req->embed.errors[i]->blame = LKS_BLAME_CONTENT;
            continue;
        }
        if (number == SIM_POISON || (partial && sim_below(w, FAULT_EMBED_PARTIAL, 2))) {
            req->embed.errors[i] = malloc(sizeof **req->embed.errors);
            lks_fail(req->embed.errors[i],
                     number == SIM_POISON ? LKS_E_EMBEDDING_REJECTED : LKS_E_EMBEDDING_UNAVAILABLE,
                     "this text has no vector");
            continue;
        }
        req->embed.vectors[i] = malloc(sizeof(float));
        req->embed.vectors[i][0] = (float)(number_after(text, "model ") * 100 + number);
        w->embedded++;
    }
}

bool embedder_ever_refused(const struct world *w, int id, size_t collection)
{
    if (w->mongo.elections) return true; /* it may have been in what an election undid */
    for (size_t i = 0; i <= w->mongo.count; i++) {
        const struct sim_document *doc = mongo_doc_at(w, id, i);
        if (doc && w->text_kinds[collection % SIM_EMBEDDERS] >> doc->text[collection] % 4 & 1) return true;
    }
    return false;
}

/* One text hangs on the server, and the adapter does not let the others wait for it. */
static void leave_one(struct world *w, struct req *req)
{
    if (req->embed.count < 2 || !sim_chance(w, FAULT_EMBED_SLOW)) return;
    size_t i = sim_below(w, FAULT_EMBED_SLOW, req->embed.count);
    if (!req->embed.vectors[i]) return;
    free(req->embed.vectors[i]);
    req->embed.vectors[i] = NULL;
    w->embedded--;
}

static void fail(struct world *w, struct req *req)
{
    switch (sim_below(w, FAULT_EMBED_ERROR, 4)) {
    case 0:
        lks_fail(&req->err, LKS_E_EMBEDDING_RATE_LIMIT, "429: slower, please");
        req->err.retry_after_ms = (int64_t)sim_below(w, FAULT_EMBED_ERROR, 5000);
        break;
    case 1: /* wrong count, wrong dimension, NaN: what the server says can't be used */
        lks_fail(&req->err, LKS_E_EMBEDDING_UNAVAILABLE, "the embedding server's answer makes no sense");
        break;
    default:
        lks_fail(&req->err, LKS_E_EMBEDDING_UNAVAILABLE, "503");
        break;
    }
}

void embedder_submit(struct trip *trip)
{
    struct world *w = trip->run->world;
    struct req *req = trip->req;
    size_t which = req->kind == REQ_EMBED ? req->embed.embedder : req->embed_probe.embedder;
    bool broken = w->quiet && w->broken_embedder == (int)which;
    int64_t at = w->now + 2 + (int64_t)sim_below(w, BY_NET, 20), end = w->now + w->embed_timeout_ms;
    if (sim_chance(w, FAULT_EMBED_SLOW)) at += (int64_t)sim_below(w, FAULT_EMBED_SLOW, 20000);
    if (req->kind == REQ_EMBED)
        for (size_t i = 0; i < req->embed.count; i++) promise_needed(w, trip->run, req->embed.texts[i]);
    else
        promise_probe(w, trip->run);
    if ((broken && w->breakage == 1) || sim_chance(w, FAULT_EMBED_HOLE) || at > end) {
        lks_fail(&req->err, LKS_E_EMBEDDING_TIMEOUT, "no answer");
        at = end;
    } else if (broken || w->now < w->embedder_down_until[which] || sim_chance(w, FAULT_EMBED_ERROR)) {
        fail(w, req);
    } else if (w->now < w->embedder_key_until[which]) {
        lks_fail(&req->err, LKS_E_EMBEDDING_UNAVAILABLE, SIM_KEY_REFUSED);
        req->err.blame = LKS_BLAME_KEY;
    } else if (req->kind == REQ_EMBED) {
        embed(w, trip);
        leave_one(w, req);
    } else {
        req->embed_probe.dimensions = 1;
    }
    sim_reply(w, trip, at);
}

void embedders_fault(struct world *w)
{
    for (size_t i = 0; i < SIM_EMBEDDERS; i++) {
        if (sim_chance(w, FAULT_EMBED_OUTAGE))
            w->embedder_down_until[i] = w->now + (int64_t)sim_below(w, FAULT_EMBED_OUTAGE, 20000);
        if (sim_chance(w, FAULT_EMBED_KEY))
            w->embedder_key_until[i] = w->now + (int64_t)sim_below(w, FAULT_EMBED_KEY, 20000);
        if (!sim_chance(w, FAULT_EMBED_TEXT)) continue;
        w->text_until[i] = w->now + (int64_t)sim_below(w, FAULT_EMBED_TEXT, 30000);
        w->text_kind[i] = (int)sim_below(w, FAULT_EMBED_TEXT, 4);
        w->text_kinds[i] |= 1U << w->text_kind[i];
    }
}
