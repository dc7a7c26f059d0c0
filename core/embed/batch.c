/*
 * batch.c - making, sending and receiving one request. Owns its items, URL and body; borrows texts only while
 * the body is made, so that a request of the engine can be posted back while its batch is still under way.
 */
#include "embed/batch.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "embed/remote_internal.h"

#define CONNECT_TIMEOUT_MS 5000

struct embed_batch *batch_new(struct embedder *e, enum batch_kind kind, size_t count)
{
    struct embed_batch *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->e = e;
    b->kind = kind;
    b->count = count;
    buf_init(&b->url, 0);
    buf_init(&b->body, 0);
    buf_init(&b->authorization, 0);
    b->items = count ? calloc(count, sizeof *b->items) : NULL;
    if (!count || b->items) return b;
    free(b);
    return NULL;
}

void batch_free(struct embed_batch *b)
{
    if (!b) return;
    http_call_fini(&b->call);
    buf_fini(&b->url);
    buf_fini(&b->body);
    if (b->authorization.data) explicit_bzero(b->authorization.data, b->authorization.bytes);
    buf_fini(&b->authorization);
    secret_end(b->key);
    free(b->items);
    free(b);
}

static bool make_body(struct embed_batch *b, const struct provider *provider)
{
    static const char *const word[] = {PROBE_TEXT};
    static const size_t word_bytes[] = {sizeof PROBE_TEXT - 1};
    size_t count = b->kind == BATCH_TEXTS ? b->count : 1;
    const char **texts = calloc(count, sizeof *texts);
    size_t *bytes = calloc(count, sizeof *bytes);
    for (size_t i = 0; texts && bytes && i < b->count; i++) {
        const struct req *req = b->items[i].job->req;
        texts[i] = req->embed.texts[b->items[i].index];
        bytes[i] = req->embed.text_bytes[b->items[i].index];
    }
    bool probe = b->kind != BATCH_TEXTS;
    struct ask ask = {.config = &b->e->config,
                      .model = b->e->config.model,
                      .prefix = b->e->config.document_prefix,
                      .texts = probe ? word : texts,
                      .text_bytes = probe ? word_bytes : bytes,
                      .count = count,
                      .base64 = b->base64};
    if (texts && bytes) provider->body(&ask, &b->body);
    bool ok = texts && bytes && !b->body.failed;
    free(texts);
    free(bytes);
    return ok;
}

/* The key as it is now: it may be another one than a minute ago. */
static bool make_authorization(struct embed_batch *b)
{
    secret_end(b->key);
    buf_clear(&b->authorization);
    b->key = secret_take(b->e->key);
    if (b->key && *b->key) buf_printf(&b->authorization, "Bearer %s", b->key);
    return b->key && !b->authorization.failed;
}

static int timeout_ms_of(const struct embedder *e)
{
    int64_t ms = e->config.timeout_ms;
    if (e->remote->loading && e->config.load_timeout_ms > ms) ms = e->config.load_timeout_ms;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

bool batch_prepare(struct embed_batch *b)
{
    const struct provider *provider = provider_of(b->e->config.provider);
    bool info = b->kind == BATCH_INFO;
    buf_clear(&b->url);
    buf_clear(&b->body);
    bool wanted = b->kind == BATCH_CHECK || atomic_load(&b->e->base64);
    b->base64 = b->e->config.provider == EMBED_OPENAI && wanted && !b->plain;
    if (info)
        tei_info_url(&b->e->config, &b->url);
    else
        provider->url(&b->e->config, &b->url);
    if (b->url.failed || (!info && !make_body(b, provider)) || !make_authorization(b)) return false;
    size_t n = 0;
    if (*b->key) b->headers[n++] = (struct http_header){"Authorization", b->authorization.data};
    b->headers[n++] = (struct http_header){"Accept", "application/json"};
    if (!info) b->headers[n++] = (struct http_header){"Content-Type", "application/json"};
    b->call.method = info ? "GET" : "POST";
    b->call.url = b->url.data;
    b->call.headers = b->headers;
    b->call.header_count = n;
    b->call.body = info ? NULL : b->body.data;
    b->call.body_bytes = b->body.bytes;
    b->call.timeout_ms = info ? CONNECT_TIMEOUT_MS : timeout_ms_of(b->e);
    b->call.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    return true;
}

/* On the HTTP loop's thread: back to the embedder, or, if that has ended, to nobody. */
static void arrived(struct http_call *call)
{
    struct embed_batch *b = call->context;
    struct embedder *e = b->e;
    b->took_us = clock_us() - b->sent_us;
    pthread_mutex_lock(&e->lock);
    bool closed = e->closed;
    bool last = false;
    if (closed) {
        last = --e->away == 0 && e->orphan;
    } else {
        b->next = e->done;
        e->done = b;
        pthread_cond_signal(&e->filled);
    }
    pthread_mutex_unlock(&e->lock);
    if (closed) batch_free(b);
    if (last) embedder_free(e);
}

void batch_send(struct embed_batch *b)
{
    b->call.done = arrived;
    b->call.context = b;
    pthread_mutex_lock(&b->e->lock);
    b->e->away++;
    pthread_mutex_unlock(&b->e->lock);
    atomic_fetch_add(&b->e->requests, 1);
    b->sent_us = clock_us();
    http_send(b->e->http, &b->call);
}
