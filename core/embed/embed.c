/*
 * embed.c - the embedder port: one thread per embedder, its mailbox, and what all providers share.
 *
 * Owns the embedders and the cache. An embedder whose server still holds a call when it is closed outlives
 * embed_close() until the HTTP loop gives that call up; it delivers nothing any more.
 */
#include "embed/embed.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "embed/batch.h"
#include "embed/embedder.h"
#include "embed/hash_vector.h"
#include "embed/remote.h"
#include "embed/remote_internal.h"

#define DEFAULT_CONCURRENCY 4
#define DEFAULT_TIMEOUT_MS 60000 /* a batch on a small machine without a GPU takes its time */
#define DEFAULT_LOAD_TIMEOUT_MS 300000

struct embedders {
    struct embedder **all;
    size_t count;
    struct cache *cache;
};

/* ---- an embedder's thread ---- */

static void serve(struct embedder *e, struct req *reqs, struct embed_batch *done)
{
    if (done) remote_done(e, done);
    while (reqs) {
        struct req *req = reqs;
        reqs = req->next;
        req->next = NULL;
        if (e->remote)
            remote_take(e, req);
        else
            local_embed(e, req);
    }
    if (e->remote) remote_pump(e);
}

/* What is left when the embedder closes: requests are posted, batches that came back are freed. */
static void drain(struct embedder *e, struct req *reqs, struct embed_batch *done)
{
    while (reqs) {
        struct req *req = reqs;
        reqs = req->next;
        req->next = NULL;
        (void)lks_fail(&req->err, LKS_E_CANCELLED, "stopped before it was embedded");
        embedder_post(e, req);
    }
    if (e->remote) remote_cancel(e);
    while (done) {
        struct embed_batch *b = done;
        done = b->next;
        batch_free(b);
    }
}

static size_t list_length(const struct embed_batch *b)
{
    size_t n = 0;
    for (; b; b = b->next) n++;
    return n;
}

/* Under the lock. False when it is later than that (monotonic). */
static bool wait_until(struct embedder *e, int64_t until_us)
{
    if (until_us == INT64_MAX) return pthread_cond_wait(&e->filled, &e->lock) == 0;
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    return pthread_cond_timedwait(&e->filled, &e->lock, &until) == 0;
}

static void *run(void *argument)
{
    struct embedder *e = argument;
    int64_t wake_us = INT64_MAX;
    for (bool closing = false; !closing;) {
        pthread_mutex_lock(&e->lock);
        while (!e->first_req && !e->done && !e->closing && wait_until(e, wake_us)) {
        }
        struct req *reqs = e->first_req;
        struct embed_batch *done = e->done;
        e->first_req = e->last_req = NULL;
        e->done = NULL;
        e->away -= list_length(done);
        closing = e->closing;
        e->closed = closing;
        pthread_mutex_unlock(&e->lock);
        if (closing)
            drain(e, reqs, done);
        else
            serve(e, reqs, done);
        wake_us = e->remote && !closing ? remote_watch(e) : INT64_MAX;
    }
    return NULL;
}

static void submit(void *self, struct req *req)
{
    const struct embedders *embedders = self;
    size_t index = req->kind == REQ_EMBED ? req->embed.embedder : req->embed_probe.embedder;
    struct embedder *e = embedders->all[index];
    req->next = NULL;
    pthread_mutex_lock(&e->lock);
    if (e->last_req)
        e->last_req->next = req;
    else
        e->first_req = req;
    e->last_req = req;
    pthread_cond_signal(&e->filled);
    pthread_mutex_unlock(&e->lock);
}

struct port embed_port(struct embedders *embedders)
{
    return (struct port){.self = embedders, .submit = submit};
}

/* ---- opening and closing ---- */

static const char *words_path(const struct embed_config *config)
{
    return *config->path ? config->path : WORDS_INSTALLED;
}

static bool config_copy(struct embed_config *to, const struct embed_config *from)
{
    *to = *from;
    to->url = strdup(from->url);
    to->model = strdup(from->model);
    to->query_model = strdup(from->query_model);
    to->document_prefix = strdup(from->document_prefix);
    to->query_prefix = strdup(from->query_prefix);
    to->path = strdup(from->path);
    to->api_key = strdup(from->api_key);
    to->api_key_file = strdup(from->api_key_file ? from->api_key_file : "");
    if (!to->timeout_ms) to->timeout_ms = DEFAULT_TIMEOUT_MS;
    if (!to->load_timeout_ms) to->load_timeout_ms = DEFAULT_LOAD_TIMEOUT_MS;
    if (!to->concurrency) to->concurrency = DEFAULT_CONCURRENCY;
    return to->url && to->model && to->query_model && to->document_prefix && to->query_prefix && to->path &&
           to->api_key && to->api_key_file;
}

static enum lks_code fingerprint_with(const struct embed_config *config, const struct words *words,
                                      char **out, struct lks_err *err)
{
    struct buf b;
    buf_init(&b, 0);
    if (words)
        buf_printf(&b, "words/1-%08x", words_checksum(words));
    else if (config->provider == EMBED_HASH)
        buf_printf(&b, "hash/%d;dimensions=%zu", HASH_VERSION,
                   config->dimensions ? config->dimensions : HASH_DEFAULT_DIMENSIONS);
    else
        buf_puts(&b, *config->model ? config->model : "tei");
    if (config->provider != EMBED_HASH && !words && config->dimensions)
        buf_printf(&b, ";dimensions=%zu", config->dimensions);
    if (*config->document_prefix) buf_printf(&b, ";document_prefix=%s", config->document_prefix);
    *out = buf_take(&b, NULL);
    return *out ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
}

enum lks_code embed_fingerprint(const struct embed_config *config, char **out, struct lks_err *err)
{
    struct words *words = NULL;
    *out = NULL;
    enum lks_code code = LKS_E_OK;
    if (config->provider == EMBED_WORDS) code = words_open(words_path(config), &words, err);
    if (code == LKS_E_OK) code = fingerprint_with(config, words, out, err);
    words_close(words);
    return code;
}

static enum lks_code open_provider(struct embedder *e, struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    if (e->config.provider == EMBED_WORDS) {
        code = words_open(words_path(&e->config), &e->words, err);
        if (code != LKS_E_OK) return code;
        e->dimensions = words_dimensions(e->words);
        if (e->config.dimensions && e->config.dimensions != e->dimensions)
            return lks_fail(
                err, LKS_E_CONFIG,
                "the word vectors have %zu dimensions, not %zu: remove `dimensions` of the embedding",
                e->dimensions, e->config.dimensions);
    } else if (e->config.provider == EMBED_HASH) {
        e->dimensions = e->config.dimensions ? e->config.dimensions : HASH_DEFAULT_DIMENSIONS;
    } else {
        code = remote_open(e, err);
        if (code != LKS_E_OK) return code;
    }
    return fingerprint_with(&e->config, e->words, &e->fingerprint, err);
}

static enum lks_code open_one(struct embedders *all, const struct embed_config *config, struct http *http,
                              struct inbox inbox, struct lks_err *err)
{
    struct embedder *e = calloc(1, sizeof *e);
    if (!e) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    (void)pthread_mutex_init(&e->lock, NULL);
    clock_cond_init(&e->filled);
    e->http = http;
    e->inbox = inbox;
    e->cache = all->cache;
    atomic_store(&e->base64, config->encoding == EMBED_ENCODING_BASE64);
    enum lks_code code =
        config_copy(&e->config, config) ? open_provider(e, err) : lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (code == LKS_E_OK && pthread_create(&e->thread, NULL, run, e))
        code = lks_fail(err, LKS_E_NOMEM, "can't start a thread for embedding");
    if (code == LKS_E_OK)
        all->all[all->count++] = e;
    else
        embedder_free(e);
    return code;
}

enum lks_code embed_open(const struct embed_config *configs, size_t count, struct http *http,
                         struct inbox inbox, struct embedders **out, struct lks_err *err)
{
    *out = NULL;
    struct embedders *all = calloc(1, sizeof *all);
    if (!all) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code code = LKS_E_OK;
    size_t cache_bytes = 0;
    bool servers = false;
    for (size_t i = 0; i < count; i++) {
        bool server = provider_of(configs[i].provider) != NULL;
        servers = servers || server;
        if (server && configs[i].cache_bytes > cache_bytes) cache_bytes = configs[i].cache_bytes;
    }
    all->all = calloc(count ? count : 1, sizeof(struct embedder *));
    all->cache = servers ? cache_new(cache_bytes) : NULL;
    if (!all->all || (servers && cache_bytes && !all->cache))
        code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; code == LKS_E_OK && i < count; i++)
        code = open_one(all, &configs[i], http, inbox, err);
    if (code == LKS_E_OK)
        *out = all;
    else
        embed_close(all);
    return code;
}

static void close_one(struct embedder *e)
{
    pthread_mutex_lock(&e->lock);
    e->closing = true;
    pthread_cond_signal(&e->filled);
    pthread_mutex_unlock(&e->lock);
    (void)pthread_join(e->thread, NULL);
    pthread_mutex_lock(&e->lock);
    bool free_now = e->away == 0;
    e->orphan = !free_now;
    pthread_mutex_unlock(&e->lock);
    if (free_now) embedder_free(e);
}

void embed_close(struct embedders *all)
{
    if (!all) return;
    for (size_t i = 0; i < all->count; i++) close_one(all->all[i]);
    cache_free(all->cache);
    free(all->all);
    free(all);
}

/* ---- besides the port ---- */

enum lks_code embed_query(struct embedders *embedders, size_t embedder, const char *text, float **vector,
                          size_t *dimensions, struct lks_err *err)
{
    struct embedder *e = embedders->all[embedder];
    *vector = NULL;
    *dimensions = 0;
    if (e->remote) return remote_query(e, text, false, vector, dimensions, err);
    *vector = local_vector(e, e->config.query_prefix, text, strlen(text));
    *dimensions = e->dimensions;
    return *vector ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
}

enum lks_code embed_dimensions(struct embedders *embedders, size_t embedder, size_t *dimensions,
                               struct lks_err *err)
{
    struct embedder *e = embedders->all[embedder];
    float *vector = NULL;
    *dimensions = e->remote ? e->config.dimensions : e->dimensions;
    if (*dimensions) return LKS_E_OK;
    enum lks_code code = remote_query(e, PROBE_TEXT, true, &vector, dimensions, err);
    free(vector);
    return code;
}

void embed_stats(struct embedders *embedders, size_t embedder, struct embed_stats *out)
{
    struct embedder *e = embedders->all[embedder];
    *out = (struct embed_stats){.texts = atomic_load(&e->texts),
                                .cached = atomic_load(&e->cached),
                                .failed = atomic_load(&e->failed),
                                .requests = atomic_load(&e->requests),
                                .tokens = atomic_load(&e->tokens),
                                .text_bytes = atomic_load(&e->text_bytes),
                                .meter = meter_read(&e->meter)};
}
