/*
 * remote_reply.c - what comes back from a server, and what follows from it: vectors for those who wait, a
 * narrower or a wider window, the search for the one text that is refused.
 *
 * A batch that seems to hold such a text is cut in halves until it stands alone; but first the server must
 * prove, by another batch or by a fixed word, that it embeds anything at all, so that its own trouble is
 * never blamed on texts.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "embed/embed_verdict.h"
#include "embed/remote.h"
#include "embed/remote_internal.h"

#define BYTES_MAX_LEAST 16384 /* of texts in a request, however small those were that were too large */

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

/* Others are answered: it is this text. */
static void blame(struct embedder *e, struct embed_batch *b)
{
    struct lks_err *err = &b->err;
    int64_t wait = err->retry_after_ms;
    if (b->rejects) (void)lks_fail(err, LKS_E_EMBEDDING_REJECTED, "%s", err->text);
    if (b->reprobe || b->passing)
        lks_err_prefix(err, "the embedding server answers other texts, but not this one");
    err->retry_after_ms = wait;
    err->blame = LKS_BLAME_CONTENT;
    company_halve(e->remote, &b->items[0], 1);
    remote_fail_items(e, b, err);
    batch_free(b);
}

/* Cuts a batch in two, to be sent next. `proven` is what its halves will be. */
static void cut(struct embedder *e, struct embed_batch *b, bool proven)
{
    struct remote *r = e->remote;
    size_t half = b->count / 2;
    struct embed_batch *one = batch_new(e, BATCH_TEXTS, half);
    struct embed_batch *two = one ? batch_new(e, BATCH_TEXTS, b->count - half) : NULL;
    if (!two) {
        batch_free(one);
        remote_out_of_memory(&b->err);
        remote_fail_items(e, b, &b->err);
    } else {
        memcpy(one->items, b->items, half * sizeof *b->items);
        memcpy(two->items, b->items + half, (b->count - half) * sizeof *b->items);
        one->proven = two->proven = proven;
        remote_push(&r->ready, two);
        remote_push(&r->ready, one);
    }
    batch_free(b);
}

/* The server embeds others than these: halves, or the blame. What may pass by itself gets another chance. */
static void divide(struct embedder *e, struct embed_batch *b)
{
    if (b->count > 1) {
        cut(e, b, true);
    } else if (b->passing && !b->proven) {
        b->proven = true;
        remote_push(&e->remote->ready, b);
    } else {
        blame(e, b);
    }
}

static bool send_probe(struct embedder *e)
{
    struct remote *r = e->remote;
    struct embed_batch *probe = batch_new(e, BATCH_PROBE, 0);
    if (!probe) return false;
    probe->number = ++r->probes;
    r->probe_open = true;
    remote_push(&r->ready, probe);
    return true;
}

/* One of its texts seems to be refused, or the server is in trouble. */
static void suspect(struct embedder *e, struct embed_batch *b)
{
    struct remote *r = e->remote;
    if (!b->reprobe && (b->proven || r->good > b->good)) {
        divide(e, b);
        return;
    }
    b->needs = r->probes + 1;               /* one that is under way was sent before this */
    if (!r->probe_open && !send_probe(e)) { /* who is to blame can't be found out */
        remote_out_of_memory(&b->err);
        remote_fail_items(e, b, &b->err);
        batch_free(b);
        return;
    }
    remote_push(&r->suspects, b);
}

/* The server takes fewer texts in a request than we thought; from now on it gets fewer. */
static void crowded(struct embedder *e, struct embed_batch *b)
{
    struct remote *r = e->remote;
    if (r->batch_size > b->count / 2) r->batch_size = b->count / 2;
    if (r->batch_cap > r->batch_size) r->batch_cap = r->batch_size;
    cut(e, b, b->proven);
}

/* Or less of them; not less than what texts of their usual length need, since one of these may be to blame.
 */
static void heavy(struct embedder *e, struct embed_batch *b)
{
    size_t bytes = 0;
    for (size_t i = 0; i < b->count; i++) bytes += b->items[i].job->req->embed.text_bytes[b->items[i].index];
    if (bytes / 2 > BYTES_MAX_LEAST && (!e->remote->bytes_max || bytes / 2 < e->remote->bytes_max))
        e->remote->bytes_max = bytes / 2;
}

/* `probe`: the number of our own probe, if it was that; else 0. */
static void went_well(struct embedder *e, size_t texts, uint64_t probe)
{
    struct remote *r = e->remote;
    struct embed_batch *list = r->suspects;
    bool wait = false;
    r->good++;
    r->loading = false;
    window_grow(r, &e->config, texts);
    r->suspects = NULL;
    while (list) {
        struct embed_batch *b = list;
        list = b->next;
        if (b->reprobe && (!probe || probe < b->needs)) {
            remote_push(&r->suspects, b);
            wait = true;
        } else {
            divide(e, b);
        }
    }
    if (!wait || r->probe_open || send_probe(e)) return;
    struct lks_err err;
    remote_out_of_memory(&err);
    remote_fail_list(e, &r->suspects, &err);
}

/* The trouble is the server's: all that hangs on this batch fails, and perhaps what waits behind it. */
static void server_failed(struct embedder *e, struct embed_batch *b, struct verdict *v)
{
    struct remote *r = e->remote;
    bool own_probe = b->kind == BATCH_PROBE && !b->probe;
    /* what a fixed word does not get either, no text will */
    if (b->kind == BATCH_PROBE && v->kind == VERDICT_TEXT)
        v->err.blame = v->key ? LKS_BLAME_KEY : LKS_BLAME_PROVIDER;
    if (own_probe && v->err.blame == LKS_BLAME_OPEN && v->err.code != LKS_E_UNKNOWN)
        v->err.blame = LKS_BLAME_PROVIDER;
    /* nothing went well since it was sent: who waits would only wait to fail as well */
    bool hopeless = r->good == b->good && (!v->busy || v->slow || v->err.retry_after_ms > 0);
    if (v->slow && b->kind == BATCH_TEXTS)
        for (size_t i = 0; i < b->count; i++) company_alone(r, &b->items[i]); /* until it is known good */
    if (b->hung) { /* others were answered meanwhile */
        lks_err_prefix(&v->err, "the embedding server answers other texts, but not this one");
        v->err.blame = LKS_BLAME_CONTENT;
    } else {
        window_shrink(r, v, b->count);
    }
    remote_fail_items(e, b, &v->err);
    remote_fail_probe(e, b, &v->err);
    batch_free(b);
    if (own_probe) remote_fail_list(e, &r->suspects, &v->err);
    if (hopeless) remote_fail_line(e, &v->err);
}

/* ---- answers with vectors ---- */

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
        remote_item_fail(e, item, &err);
        return;
    }
    if (e->cache) {
        cache_key(e->fingerprint, req->embed.texts[item->index], req->embed.text_bytes[item->index], key);
        cache_put(e->cache, key, *vector, dimensions);
    }
    company_forget(e->remote, item);
    req->embed.dimensions = dimensions;
    req->embed.vectors[item->index] = *vector;
    *vector = NULL;
    remote_item_over(e, item->job);
}

/* A text whose vector was unusable while its neighbours' were not is asked for once more, alone. */
static void again_alone(struct embedder *e, const struct item *item)
{
    struct embed_batch *b = batch_new(e, BATCH_TEXTS, 1);
    if (!b) {
        struct lks_err err;
        remote_out_of_memory(&err);
        remote_item_fail(e, item, &err);
        return;
    }
    b->items[0] = *item;
    b->proven = true;
    remote_push(&e->remote->ready, b);
}

static void deliver_all(struct embedder *e, struct embed_batch *b, struct answer *answer)
{
    atomic_fetch_add(&e->tokens, (uint64_t)(answer->tokens > 0 ? answer->tokens : 0));
    if (b->count)
        b->items[0].job->req->embed.tokens += answer->tokens; /* whose share is whose is not reported */
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
static void read_vectors(struct embedder *e, struct embed_batch *b)
{
    struct remote *r = e->remote;
    struct verdict v = {.kind = VERDICT_SERVER};
    struct answer answer;
    bool probe = b->kind == BATCH_PROBE;
    lks_err_clear(&v.err);
    if (!answer_init(&answer, probe ? 1 : b->count)) {
        remote_out_of_memory(&v.err);
        server_failed(e, b, &v);
        return;
    }
    enum lks_code code = r->provider->read(b->call.reply.data, b->call.reply.bytes, &answer, &v.err);
    bool usable = code == LKS_E_OK && any_vector(&answer), unread = v.err.code == LKS_E_NOMEM;
    if (code == LKS_E_OK && !usable) remote_flawed(&answer, &v.err);
    bool fits = usable && remote_right_dimensions(e, answer.dimensions, &v.err) && right_model(e, &v.err);
    if (!fits) verdict_name_address(&v.err, &b->call);
    if (usable && !fits) {
        server_failed(e, b, &v);
    } else if (!usable && (probe || unread)) { /* what could not be read says nothing of a text */
        if (unread)
            remote_out_of_memory(&v.err);
        else
            v.err.code = LKS_E_EMBEDDING_UNAVAILABLE;
        server_failed(e, b, &v);
    } else if (!usable) { /* if others get sensible answers, it is the text */
        b->err = v.err;
        b->reprobe = b->rejects = false;
        b->passing = v.err.code == LKS_E_EMBEDDING_UNAVAILABLE;
        suspect(e, b);
    } else {
        if (b->base64) r->base64_works = true;
        if (b->plain && atomic_load(&e->base64)) { /* refused with it, and not without */
            log_info("the embedding server refuses base64: vectors are asked for as numbers");
            atomic_store(&e->base64, false);
        }
        if (b->probe) {
            remote_check_begin(e, answer.vectors[0], answer.dimensions);
            b->probe->embed_probe.dimensions = answer.dimensions;
            embedder_post(e, b->probe);
        } else if (probe) {
            r->probe_open = false;
        }
        size_t texts = b->count;
        uint64_t number = b->number;
        remote_answered(r, b);
        /* another model under the old name: what is in the cache does not go with it */
        if (r->dimensions && r->dimensions != answer.dimensions) cache_clear(e->cache);
        r->dimensions = answer.dimensions;
        deliver_all(e, b, &answer);
        batch_free(b);
        went_well(e, texts, number);
    }
    answer_fini(&answer);
}

static void read_info(struct embedder *e, struct embed_batch *b)
{
    struct remote *r = e->remote;
    size_t batch = 0;
    char model[MODEL_BYTES] = "";
    if (!b->call.failure && b->call.status == 200)
        tei_read_info(b->call.reply.data, b->call.reply.bytes, &batch, model, sizeof model);
    if (batch)
        r->batch_size = r->batch_cap =
            e->config.batch_size && e->config.batch_size < batch ? e->config.batch_size : batch;
    if (*model && *e->config.model && strcmp(model, e->config.model) != 0)
        memcpy(r->wrong_model, model, sizeof model);
    else
        r->wrong_model[0] = '\0';
    r->info_known = true;
    r->info_away = false;
    batch_free(b);
}

static void take_away(struct remote *r, struct embed_batch *b)
{
    struct embed_batch **link = &r->away;
    while (*link && *link != b) link = &(*link)->away_next;
    if (!*link) return;
    *link = b->away_next;
    if (b->beside)
        r->beside--;
    else
        r->flying--;
}

static void one_done(struct embedder *e, struct embed_batch *b)
{
    struct verdict v;
    take_away(e->remote, b);
    if (b->kind == BATCH_TEXTS && !b->count) { /* its texts were sent again, or will be */
        batch_free(b);
        return;
    }
    if (b->hung) b->items[0].job->hung--;
    if (b->kind == BATCH_INFO) {
        read_info(e, b);
        return;
    }
    verdict_of_call(&e->config, b->key, &b->call, b->base64, &v);
    if (v.key) secret_refused(e->key);
    if (b->kind == BATCH_CHECK) {
        remote_check_end(e, b, &v);
        return;
    }
    if (v.kind == VERDICT_TEXT && b->base64 && !e->remote->base64_works && !b->call.failure)
        v.kind = VERDICT_PLAIN; /* refused with base64, whatever the words: once without */
    meter_add(&e->meter, v.err.code, b->took_us);
    switch (v.kind) {
    case VERDICT_OK:
        read_vectors(e, b);
        return;
    case VERDICT_PLAIN:
        b->plain = true;
        http_call_fini(&b->call);
        remote_push(&e->remote->ready, b);
        return;
    case VERDICT_TEXT:
        if (b->kind == BATCH_PROBE) {
            if (v.err.code == LKS_E_EMBEDDING_REJECTED)
                lks_err_prefix(&v.err,
                               "it fails for a fixed word too, so check `url` and `model` of the embedding");
            v.err.code = LKS_E_EMBEDDING_UNAVAILABLE;
            break;
        }
        b->err = v.err;
        b->reprobe = v.reprobe;
        b->passing = v.passing;
        b->rejects = v.rejects;
        http_call_fini(&b->call);
        if (v.busy) window_shrink(e->remote, &v, b->count);
        if (v.heavy && b->count > 1) heavy(e, b);
        if (v.crowded && b->count > 1)
            crowded(e, b);
        else
            suspect(e, b);
        return;
    case VERDICT_SERVER:
        break;
    }
    server_failed(e, b, &v);
}

void remote_done(struct embedder *e, struct embed_batch *done)
{
    struct embed_batch *oldest = NULL;
    while (done) {
        struct embed_batch *next = done->next;
        remote_push(&oldest, done);
        done = next;
    }
    while (oldest) {
        struct embed_batch *b = oldest;
        oldest = b->next;
        one_done(e, b);
    }
}
