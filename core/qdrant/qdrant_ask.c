/* qdrant_ask.c - one request that is waited for: sent, judged, its error handed on. Owns nothing between
 * calls. */
#include "qdrant/qdrant_ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void ask_init(struct qdrant_ask *a)
{
    memset(a, 0, sizeof *a);
    buf_init(&a->body, 0);
}

enum lks_code ask_run(struct qdrant_ask *a, struct qdrant *q, const char *method, const char *base,
                      const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(a->what, sizeof a->what, format, args);
    va_end(args);
    size_t bytes = strlen(base) + strlen(path) + 1;
    char *url = malloc(bytes);
    char *key = secret_take(q->key);
    if (!url || !key || a->body.failed) {
        free(url);
        secret_end(key);
        return a->v.code = lks_fail(&a->v.err, LKS_E_NOMEM, "memory is out");
    }
    snprintf(url, bytes, "%s%s", base, path);
    a->call.method = method;
    a->call.url = url;
    struct http_header headers[2];
    a->call.headers = headers;
    a->call.header_count = request_headers(key, headers);
    a->call.body = a->body.data;
    a->call.body_bytes = a->body.bytes;
    a->call.accept_gzip = !q->loopback;
    a->call.timeout_ms = q->timeout_ms;
    int64_t sent_us = clock_us();
    http_perform(q->http, &a->call);
    a->call.headers = NULL;
    verdict_read(&a->v, &a->call, a->what, key);
    if (a->v.err.blame == LKS_BLAME_KEY) secret_refused(q->key);
    secret_end(key);
    free(url);
    a->call.url = NULL;
    meter_add(&q->meters[request_kind(method, path)], a->v.code, clock_us() - sent_us);
    return a->v.code;
}

enum lks_code ask_end(struct qdrant_ask *a, struct lks_err *err)
{
    enum lks_code code = a->v.code;
    if (code && err) *err = a->v.err;
    http_call_fini(&a->call);
    buf_fini(&a->body);
    return code;
}

enum lks_code ask_collection(const struct qdrant *q, size_t collection, struct lks_err *err)
{
    if (collection < q->collection_count) return LKS_E_OK;
    return lks_fail(err, LKS_E_CONFIG, "there is no collection %zu", collection);
}
