/*
 * remote.c - takes the engine's requests.
 *
 * Texts wait in one line, whatever request brought them, and go out in batches as the window allows
 * (remote_send.c); a request is posted back when the last of its texts has an outcome (remote_outcome.c).
 * What comes back is remote_reply.c's.
 *
 * Owns batches, from making to freeing; borrows requests until it posts them. Retries nothing by itself.
 */
#include "embed/remote.h"

#include <stdlib.h>
#include <string.h>

#include "embed/remote_internal.h"

static bool line_up(struct remote *r, struct item item)
{
    if (r->head == r->tail) r->head = r->tail = 0;
    if (r->tail == r->space && r->head > r->space / 2) {
        memmove(r->line, r->line + r->head, (r->tail - r->head) * sizeof *r->line);
        r->tail -= r->head;
        r->head = 0;
    }
    if (r->tail == r->space) {
        size_t space = r->space ? 2 * r->space : 256;
        struct item *line = realloc(r->line, space * sizeof *line);
        if (!line) return false;
        r->line = line;
        r->space = space;
    }
    r->line[r->tail++] = item;
    return true;
}

/* ---- requests ---- */

static void take_probe(struct embedder *e, struct req *req)
{
    struct remote *r = e->remote;
    struct embed_batch *b = batch_new(e, BATCH_PROBE, 0);
    if (!b) {
        (void)lks_fail(&req->err, LKS_E_UNKNOWN, "out of memory");
        embedder_post(e, req);
        return;
    }
    b->probe = req;
    if (e->config.encoding == EMBED_ENCODING_AUTO)
        atomic_store(&e->base64, false); /* until it is checked again */
    r->loading = true; /* it is asked at the start and after a circuit opened: the model may have to load */
    if (e->config.provider == EMBED_TEI) r->info_known = false; /* the server may be another one by now */
    remote_push(&r->ready, b);
}

/* The vector of a text that was embedded before. */
static bool from_cache(struct embedder *e, struct req *req, size_t i)
{
    unsigned char key[CACHE_KEY_BYTES];
    size_t dimensions = 0;
    if (!e->cache) return false;
    cache_key(e->fingerprint, req->embed.texts[i], req->embed.text_bytes[i], key);
    float *vector = cache_get(e->cache, key, &dimensions);
    if (!vector) return false;
    if (req->embed.dimensions && req->embed.dimensions != dimensions) { /* the model changed under its name */
        free(vector);
        return false;
    }
    req->embed.dimensions = dimensions;
    req->embed.vectors[i] = vector;
    req->embed.cached++;
    atomic_fetch_add(&e->cached, 1);
    return true;
}

void remote_take(struct embedder *e, struct req *req)
{
    if (req->kind == REQ_EMBED_PROBE) {
        take_probe(e, req);
        return;
    }
    struct embed_job *job = embedder_prepare(req) ? calloc(1, sizeof *job) : NULL;
    if (!job) {
        if (!req->err.code) (void)lks_fail(&req->err, LKS_E_UNKNOWN, "out of memory");
        embedder_post(e, req);
        return;
    }
    *job = (struct embed_job){.req = req, .open = 1}; /* one more than there are, until all are in line */
    struct lks_err err;
    remote_out_of_memory(&err);
    for (size_t i = 0; i < req->embed.count; i++) {
        bool fresh = req->embed.fresh && req->embed.fresh[i];
        if (!fresh && from_cache(e, req, i)) continue;
        job->open++;
        struct item item = {job, i};
        if (remote_attach(e, &item)) continue;
        if (!line_up(e->remote, item)) remote_item_fail(e, &item, &err);
    }
    remote_job_less(e, job);
}

/* ---- beginning and end ---- */

enum lks_code remote_open(struct embedder *e, struct lks_err *err)
{
    struct remote *r = e->remote = calloc(1, sizeof *r);
    if (!r) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    e->key = secret_new(e->config.api_key, e->config.api_key_file);
    if (!e->key) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    r->loading = true;
    r->provider = provider_of(e->config.provider);
    r->batch_size = e->config.batch_size ? e->config.batch_size : r->provider->batch_size;
    r->batch_cap = r->batch_size;
    r->window = (double)e->config.concurrency;
    r->info_known = e->config.provider != EMBED_TEI;
    return LKS_E_OK;
}

void remote_cancel(struct embedder *e)
{
    struct remote *r = e->remote;
    struct lks_err err;
    lks_err_clear(&err);
    (void)lks_fail(&err, LKS_E_CANCELLED, "stopped before it was embedded");
    remote_fail_line(e, &err);
    remote_fail_list(e, &r->ready, &err);
    remote_fail_list(e, &r->suspects, &err);
    for (struct embed_batch *b = r->away; b; b = b->away_next) {
        remote_fail_items(e, b, &err);
        remote_fail_probe(e, b, &err);
    }
    r->away = NULL;
}
