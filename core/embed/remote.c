/*
 * remote.c - texts in, batches out, verdicts in between.
 *
 * Texts wait in one line, whatever request brought them, and go out in batches as the window allows; a
 * request is posted back when the last of its texts has an outcome. A batch that seems to hold a text which
 * the server refuses is cut in halves until that text stands alone; but first the server must prove, by
 * another batch or by a fixed word, that it embeds anything at all, so that its own trouble is never blamed
 * on texts.
 *
 * Owns batches, from making to freeing; borrows requests until it posts them. Retries nothing by itself.
 */
#include "embed/remote.h"

#include <stdlib.h>
#include <string.h>

#include "embed/batch.h"
#include "embed/verdict.h"

#define QUERY_TIMEOUT_MS 20000
#define MODEL_BYTES 200

struct remote {
    const struct provider *provider;
    char *authorization; /* owned; "" without a key */
    size_t batch_size;   /* as configured, told by the server, or known of the provider */
    size_t batch_cap;    /* at most this for now: halved when a request took too long */
    double window;       /* how many requests at a time: additive up, halved when the server is busy */
    uint64_t good;       /* requests that went well so far */
    size_t flying;       /* length of `away` */
    bool info_known;     /* /info was asked, or need not be */
    bool info_away;
    bool probe_open;               /* a probe of our own is ready or under way */
    char wrong_model[MODEL_BYTES]; /* what the server has instead of the configured model */

    struct item *line; /* texts that wait: line[head..tail) */
    size_t head, tail, room;
    struct batch *ready;    /* made already, to be sent before the line */
    struct batch *suspects; /* waiting for a proof that the server embeds */
    struct batch *away;     /* under way, by away_next */
    size_t dimensions;      /* of the last vectors; 0: none yet */
};

/* ---- outcomes ---- */

/* A text has its outcome; with the last one its request is over. */
static void item_over(struct embedder *e, struct job *job)
{
    atomic_fetch_add(&e->texts, 1);
    if (--job->open) return;
    embedder_post(e, job->req);
    free(job);
}

static void item_fail(struct embedder *e, const struct item *item, const struct lks_err *err)
{
    embedder_fail_text(e, item->job->req, item->index, err);
    item_over(e, item->job);
}

static void fail_items(struct embedder *e, struct batch *b, const struct lks_err *err)
{
    for (size_t i = 0; i < b->count; i++) item_fail(e, &b->items[i], err);
    b->count = 0;
}

static void fail_probe(struct embedder *e, struct batch *b, const struct lks_err *err)
{
    if (b->kind != BATCH_PROBE) return;
    if (b->probe) {
        b->probe->err = *err;
        embedder_post(e, b->probe);
        b->probe = NULL;
    } else {
        e->remote->probe_open = false;
    }
}

static void fail_line(struct embedder *e, const struct lks_err *err)
{
    struct remote *r = e->remote;
    while (r->head < r->tail) item_fail(e, &r->line[r->head++], err);
}

static void fail_list(struct embedder *e, struct batch **list, const struct lks_err *err)
{
    for (struct batch *b; (b = *list) != NULL;) {
        *list = b->next;
        fail_items(e, b, err);
        fail_probe(e, b, err);
        if (b->kind == BATCH_INFO) e->remote->info_away = false;
        batch_free(b);
    }
}

static void out_of_memory(struct lks_err *err)
{
    lks_err_clear(err);
    (void)lks_fail(err, LKS_E_UNKNOWN, "out of memory");
}

/* ---- lists ---- */

static void push(struct batch **list, struct batch *b)
{
    b->next = *list;
    *list = b;
}

static void push_away(struct remote *r, struct batch *b)
{
    b->away_next = r->away;
    r->away = b;
    r->flying++;
}

static void take_away(struct remote *r, const struct batch *b)
{
    struct batch **link = &r->away;
    while (*link && *link != b) link = &(*link)->away_next;
    if (!*link) return;
    *link = b->away_next;
    r->flying--;
}

static bool line_up(struct remote *r, struct item item)
{
    if (r->head == r->tail) r->head = r->tail = 0;
    if (r->tail == r->room && r->head > r->room / 2) {
        memmove(r->line, r->line + r->head, (r->tail - r->head) * sizeof *r->line);
        r->tail -= r->head;
        r->head = 0;
    }
    if (r->tail == r->room) {
        size_t room = r->room ? 2 * r->room : 256;
        struct item *line = realloc(r->line, room * sizeof *line);
        if (!line) return false;
        r->line = line;
        r->room = room;
    }
    r->line[r->tail++] = item;
    return true;
}

/* ---- requests ---- */

static void take_probe(struct embedder *e, struct req *req)
{
    struct remote *r = e->remote;
    struct batch *b = batch_new(e, BATCH_PROBE, 0);
    if (!b) {
        (void)lks_fail(&req->err, LKS_E_UNKNOWN, "out of memory");
        embedder_post(e, req);
        return;
    }
    b->probe = req;
    if (e->config.provider == EMBED_TEI) r->info_known = false; /* the server may be another one by now */
    push(&r->ready, b);
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
    struct job *job = embedder_prepare(req) ? calloc(1, sizeof *job) : NULL;
    if (!job) {
        if (!req->err.code) (void)lks_fail(&req->err, LKS_E_UNKNOWN, "out of memory");
        embedder_post(e, req);
        return;
    }
    *job = (struct job){.req = req, .open = 1}; /* one more than there are, until all are in line */
    struct lks_err err;
    out_of_memory(&err);
    for (size_t i = 0; i < req->embed.count; i++) {
        if (from_cache(e, req, i)) continue;
        job->open++;
        struct item item = {job, i};
        if (!line_up(e->remote, item)) item_fail(e, &item, &err);
    }
    if (--job->open) return;
    embedder_post(e, req);
    free(job);
}

/* ---- what is to be sent ---- */

/* Tokens of a text, guessed high: English has about 4 bytes to a token, other languages less. */
static size_t tokens_of(const struct embedder *e, const struct item *item)
{
    return (item->job->req->embed.text_bytes[item->index] + strlen(e->config.document_prefix)) / 3 + 2;
}

static struct batch *batch_from_line(struct embedder *e)
{
    struct remote *r = e->remote;
    size_t most = r->batch_size < r->batch_cap ? r->batch_size : r->batch_cap;
    size_t tokens_max =
        e->config.max_batch_tokens ? e->config.max_batch_tokens : r->provider->max_batch_tokens;
    size_t count = 0, tokens = 0;
    while (count < most && r->head + count < r->tail) {
        tokens += tokens_of(e, &r->line[r->head + count]);
        if (count && tokens_max && tokens > tokens_max) break;
        count++;
    }
    if (!count) return NULL;
    struct batch *b = batch_new(e, BATCH_TEXTS, count);
    if (!b) {
        struct lks_err err;
        out_of_memory(&err);
        fail_line(e, &err);
        return NULL;
    }
    memcpy(b->items, r->line + r->head, count * sizeof *b->items);
    r->head += count;
    return b;
}

static void send(struct embedder *e, struct batch *b)
{
    struct remote *r = e->remote;
    if (!batch_prepare(b, r->authorization)) {
        struct lks_err err;
        out_of_memory(&err);
        b->next = NULL;
        fail_list(e, &b, &err);
        return;
    }
    b->good = r->good;
    push_away(r, b);
    batch_send(b);
}

void remote_pump(struct embedder *e)
{
    struct remote *r = e->remote;
    bool work = r->ready || r->head < r->tail;
    if (work && !r->info_known && !r->info_away) {
        struct batch *b = batch_new(e, BATCH_INFO, 0);
        r->info_known = !b;
        r->info_away = b != NULL;
        if (b) send(e, b);
    }
    while (!r->info_away && r->flying < (size_t)r->window) {
        struct batch *b = r->ready;
        if (b)
            r->ready = b->next;
        else
            b = batch_from_line(e);
        if (!b) break;
        send(e, b);
    }
}

/* ---- what comes back ---- */

static void window_grow(struct remote *r, const struct embed_config *config, size_t texts)
{
    r->window += 1.0 / r->window;
    if (r->window > (double)config->concurrency) r->window = (double)config->concurrency;
    if (texts >= r->batch_cap && r->batch_cap < r->batch_size) r->batch_cap += r->batch_cap / 4 + 1;
}

static void window_shrink(struct remote *r, const struct verdict *v, size_t texts)
{
    if (v->busy) r->window = r->window > 2 ? r->window / 2 : 1;
    if (v->slow && texts > 1 && r->batch_cap > texts / 2) r->batch_cap = texts / 2;
}

/* Cuts a batch in two, to be sent next; a lone text gets the blame. */
static void cut(struct embedder *e, struct batch *b)
{
    struct remote *r = e->remote;
    size_t half = b->count / 2;
    struct batch *one = b->count > 1 ? batch_new(e, BATCH_TEXTS, half) : NULL;
    struct batch *two = one ? batch_new(e, BATCH_TEXTS, b->count - half) : NULL;
    if (!two) {
        batch_free(one);
        if (b->count > 1) out_of_memory(&b->err);
        fail_items(e, b, &b->err);
    } else {
        memcpy(one->items, b->items, half * sizeof *b->items);
        memcpy(two->items, b->items + half, (b->count - half) * sizeof *b->items);
        one->proven = two->proven = true;
        push(&r->ready, two);
        push(&r->ready, one);
    }
    batch_free(b);
}

/* One of its texts seems to be refused. */
static void suspect(struct embedder *e, struct batch *b)
{
    struct remote *r = e->remote;
    if (b->proven || r->good > b->good) {
        cut(e, b);
        return;
    }
    struct batch *probe = r->probe_open ? NULL : batch_new(e, BATCH_PROBE, 0);
    if (!probe && !r->probe_open) {
        fail_items(e, b, &b->err);
        batch_free(b);
        return;
    }
    if (probe) push(&r->ready, probe);
    r->probe_open = true;
    push(&r->suspects, b);
}

static void went_well(struct embedder *e, size_t texts)
{
    struct remote *r = e->remote;
    r->good++;
    window_grow(r, &e->config, texts);
    while (r->suspects) {
        struct batch *b = r->suspects;
        r->suspects = b->next;
        cut(e, b);
    }
}

/* The trouble is the server's: all that hangs on this batch fails, and perhaps what waits behind it. */
static void server_failed(struct embedder *e, struct batch *b, const struct verdict *v)
{
    struct remote *r = e->remote;
    bool own_probe = b->kind == BATCH_PROBE && !b->probe;
    /* nothing went well since it was sent: who waits would only wait to fail as well */
    bool hopeless = r->good == b->good && (!v->busy || v->slow || v->err.retry_after_ms > 0);
    window_shrink(r, v, b->count);
    fail_items(e, b, &v->err);
    fail_probe(e, b, &v->err);
    batch_free(b);
    if (own_probe) fail_list(e, &r->suspects, &v->err);
    if (hopeless && !own_probe) fail_line(e, &v->err);
}

/* ---- answers with vectors ---- */

static bool right_dimensions(const struct embedder *e, size_t dimensions, struct lks_err *err)
{
    size_t want = e->config.dimensions;
    if (!want || want == dimensions) return true;
    (void)lks_fail(
        err, LKS_E_EMBEDDING_UNAVAILABLE,
        "the model gives %zu dimensions, the configuration asks for %zu: check `dimensions` of the embedding",
        dimensions, want);
    return false;
}

static bool right_model(const struct embedder *e, struct lks_err *err)
{
    if (!*e->remote->wrong_model) return true;
    (void)lks_fail(
        err, LKS_E_EMBEDDING_UNAVAILABLE,
        "the embedding server has the model %s, the configuration says %s: check `model` of the embedding",
        e->remote->wrong_model, e->config.model);
    return false;
}

/* Hands a vector to its request. */
static void deliver(struct embedder *e, const struct item *item, float **vector, size_t dimensions)
{
    struct req *req = item->job->req;
    unsigned char key[CACHE_KEY_BYTES];
    if (req->embed.dimensions && req->embed.dimensions != dimensions) {
        struct lks_err err;
        lks_err_clear(&err);
        (void)lks_fail(&err, LKS_E_EMBEDDING_UNAVAILABLE,
                       "the model gave %zu dimensions, and %zu before: is it another one now?", dimensions,
                       req->embed.dimensions);
        item_fail(e, item, &err);
        return;
    }
    if (e->cache) {
        cache_key(e->fingerprint, req->embed.texts[item->index], req->embed.text_bytes[item->index], key);
        cache_put(e->cache, key, *vector, dimensions);
    }
    req->embed.dimensions = dimensions;
    req->embed.vectors[item->index] = *vector;
    *vector = NULL;
    item_over(e, item->job);
}

/* A text whose vector was unusable while its neighbours' were not is asked for once more, alone. */
static void again_alone(struct embedder *e, const struct item *item)
{
    struct batch *b = batch_new(e, BATCH_TEXTS, 1);
    if (!b) {
        struct lks_err err;
        out_of_memory(&err);
        item_fail(e, item, &err);
        return;
    }
    b->items[0] = *item;
    b->proven = true;
    push(&e->remote->ready, b);
}

static void deliver_all(struct embedder *e, struct batch *b, struct answer *answer)
{
    atomic_fetch_add(&e->tokens, (uint64_t)(answer->tokens > 0 ? answer->tokens : 0));
    if (b->count) b->items[0].job->req->embed.tokens += answer->tokens; /* whose share is whose is not told */
    for (size_t i = 0; i < b->count; i++)
        if (answer->vectors[i])
            deliver(e, &b->items[i], &answer->vectors[i], answer->dimensions);
        else
            again_alone(e, &b->items[i]);
    b->count = 0;
}

static bool any_vector(const struct answer *answer)
{
    for (size_t i = 0; i < answer->count; i++)
        if (answer->vectors[i]) return true;
    return false;
}

/* Reads the vectors of a reply with status 200. */
static void read_vectors(struct embedder *e, struct batch *b)
{
    struct remote *r = e->remote;
    struct verdict v = {.kind = VERDICT_SERVER};
    struct answer answer;
    bool probe = b->kind == BATCH_PROBE;
    lks_err_clear(&v.err);
    if (!answer_init(&answer, probe ? 1 : b->count)) {
        out_of_memory(&v.err);
        server_failed(e, b, &v);
        return;
    }
    enum lks_code code = r->provider->read(b->call.reply.data, b->call.reply.bytes, &answer, &v.err);
    bool usable = code == LKS_E_OK && any_vector(&answer);
    if (code == LKS_E_OK && !usable)
        (void)lks_fail(&v.err, LKS_E_EMBEDDING_UNAVAILABLE,
                       "the embedding server answered with numbers that are none");
    if (usable && (!right_dimensions(e, answer.dimensions, &v.err) || !right_model(e, &v.err))) {
        server_failed(e, b, &v);
    } else if (!usable && probe) {
        server_failed(e, b, &v);
    } else if (!usable) { /* if others get sensible answers, it is the text */
        b->err = v.err;
        b->err.code = LKS_E_EMBEDDING_REJECTED;
        suspect(e, b);
    } else {
        if (b->probe) {
            b->probe->embed_probe.dimensions = answer.dimensions;
            embedder_post(e, b->probe);
        } else if (probe) {
            r->probe_open = false;
        }
        size_t texts = b->count;
        /* another model under the old name: what is in the cache does not go with it */
        if (r->dimensions && r->dimensions != answer.dimensions) cache_clear(e->cache);
        r->dimensions = answer.dimensions;
        deliver_all(e, b, &answer);
        batch_free(b);
        went_well(e, texts);
    }
    answer_fini(&answer);
}

static void read_info(struct embedder *e, struct batch *b)
{
    struct remote *r = e->remote;
    size_t batch = 0;
    char model[MODEL_BYTES] = "";
    if (!b->call.failure && b->call.status == 200)
        tei_read_info(b->call.reply.data, b->call.reply.bytes, &batch, model, sizeof model);
    if (batch && !e->config.batch_size) r->batch_size = r->batch_cap = batch;
    if (*model && *e->config.model && strcmp(model, e->config.model) != 0)
        memcpy(r->wrong_model, model, sizeof model);
    else
        r->wrong_model[0] = '\0';
    r->info_known = true;
    r->info_away = false;
    batch_free(b);
}

static void one_done(struct embedder *e, struct batch *b)
{
    struct verdict v;
    take_away(e->remote, b);
    if (b->kind == BATCH_INFO) {
        read_info(e, b);
        return;
    }
    verdict_of_call(&e->config, &b->call, b->base64, &v);
    switch (v.kind) {
    case VERDICT_OK:
        read_vectors(e, b);
        return;
    case VERDICT_PLAIN:
        atomic_store(&e->plain_floats, true);
        http_call_fini(&b->call);
        push(&e->remote->ready, b);
        return;
    case VERDICT_TEXT:
        if (b->kind == BATCH_PROBE) {
            /* it refuses a fixed word: then no text of ours is to blame */
            v.err.code = LKS_E_EMBEDDING_UNAVAILABLE;
            lks_err_prefix(&v.err, "even for a fixed word");
            break;
        }
        b->err = v.err;
        http_call_fini(&b->call);
        suspect(e, b);
        return;
    case VERDICT_SERVER:
        break;
    }
    server_failed(e, b, &v);
}

void remote_done(struct embedder *e, struct batch *done)
{
    struct batch *oldest = NULL;
    while (done) {
        struct batch *next = done->next;
        push(&oldest, done);
        done = next;
    }
    while (oldest) {
        struct batch *b = oldest;
        oldest = b->next;
        one_done(e, b);
    }
}

/* ---- beginning and end ---- */

enum lks_code remote_open(struct embedder *e, struct lks_err *err)
{
    struct remote *r = e->remote = calloc(1, sizeof *r);
    if (!r) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    struct buf authorization;
    buf_init(&authorization, 0);
    buf_printf(&authorization, "%s%s", *e->config.api_key ? "Bearer " : "", e->config.api_key);
    r->authorization = buf_take(&authorization, NULL);
    if (!r->authorization) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    r->provider = provider_of(e->config.provider);
    r->batch_size = e->config.batch_size ? e->config.batch_size : r->provider->batch_size;
    r->batch_cap = r->batch_size;
    r->window = (double)e->config.concurrency;
    r->info_known = e->config.provider != EMBED_TEI;
    return LKS_E_OK;
}

void remote_free(struct remote *r)
{
    if (!r) return;
    if (r->authorization) explicit_bzero(r->authorization, strlen(r->authorization));
    free(r->authorization);
    free(r->line);
    free(r);
}

void remote_cancel(struct embedder *e)
{
    struct remote *r = e->remote;
    struct lks_err err;
    lks_err_clear(&err);
    (void)lks_fail(&err, LKS_E_CANCELLED, "stopped before it was embedded");
    fail_line(e, &err);
    fail_list(e, &r->ready, &err);
    fail_list(e, &r->suspects, &err);
    for (struct batch *b = r->away; b; b = b->away_next) {
        fail_items(e, b, &err);
        fail_probe(e, b, &err);
    }
    r->away = NULL;
}

/* ---- searches ---- */

static enum lks_code read_one(struct embedder *e, const struct http_call *call, float **vector,
                              size_t *dimensions, struct lks_err *err)
{
    struct answer answer;
    if (!answer_init(&answer, 1)) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code code = e->remote->provider->read(call->reply.data, call->reply.bytes, &answer, err);
    if (code == LKS_E_OK && !answer.vectors[0])
        code = lks_fail(err, LKS_E_EMBEDDING_REJECTED,
                        "the embedding server answered with numbers that are none");
    if (code == LKS_E_OK && !right_dimensions(e, answer.dimensions, err)) code = LKS_E_EMBEDDING_UNAVAILABLE;
    if (code == LKS_E_OK) {
        *vector = answer.vectors[0];
        *dimensions = answer.dimensions;
        answer.vectors[0] = NULL;
    }
    answer_fini(&answer);
    return code;
}

enum lks_code remote_query(struct embedder *e, const char *text, float **vector, size_t *dimensions,
                           struct lks_err *err)
{
    const struct remote *r = e->remote;
    size_t bytes = strlen(text);
    const char *model = *e->config.query_model ? e->config.query_model : e->config.model;
    struct verdict v = {.kind = VERDICT_SERVER};
    struct buf url, body;
    buf_init(&url, 0);
    buf_init(&body, 0);
    r->provider->url(&e->config, &url);
    const struct http_header headers[] = {{"Content-Type", "application/json"},
                                          {"Accept", "application/json"},
                                          {"Authorization", r->authorization}};
    struct http_call call = {.method = "POST",
                             .headers = headers,
                             .header_count = *r->authorization ? 3 : 2,
                             .timeout_ms = QUERY_TIMEOUT_MS,
                             .connect_timeout_ms = QUERY_TIMEOUT_MS / 4};
    enum lks_code code = LKS_E_OK;
    for (int attempt = 0; attempt < 2; attempt++) {
        struct ask ask = {.config = &e->config,
                          .model = model,
                          .prefix = e->config.query_prefix,
                          .texts = &text,
                          .text_bytes = &bytes,
                          .count = 1,
                          .base64 = e->config.provider == EMBED_OPENAI && !atomic_load(&e->plain_floats)};
        buf_clear(&body);
        r->provider->body(&ask, &body);
        if (url.failed || body.failed) {
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
            break;
        }
        call.url = url.data;
        call.body = body.data;
        call.body_bytes = body.bytes;
        (void)http_perform(e->http, &call);
        verdict_of_call(&e->config, &call, ask.base64, &v);
        code = v.err.code;
        if (v.kind != VERDICT_PLAIN) break;
        atomic_store(&e->plain_floats, true);
        http_call_fini(&call);
    }
    if (code != LKS_E_OK && code != LKS_E_NOMEM && err) *err = v.err;
    if (code == LKS_E_OK) code = read_one(e, &call, vector, dimensions, err);
    http_call_fini(&call);
    buf_fini(&url);
    buf_fini(&body);
    return code;
}
