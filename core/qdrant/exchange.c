/*
 * exchange.c - one HTTP request of a task: made, sent, judged and handed to what comes next.
 *
 * Owns exchanges from exchange_new() until their then() has returned. Runs on the adapter's thread, but for
 * exchange_done(), which only passes the exchange on.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "qdrant/exchange.h"

char *collection_url(const char *base, const char *name)
{
    struct buf b;
    buf_init(&b, 0);
    buf_printf(&b, "%s/collections/", base);
    for (const char *p = name; *p; p++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~", *p))
            buf_putc(&b, *p);
        else
            buf_printf(&b, "%%%02X", (unsigned)(unsigned char)*p);
    }
    char *url = buf_take(&b, NULL);
    buf_fini(&b);
    return url;
}

size_t request_headers(const char *key, struct http_header headers[2])
{
    headers[0] = (struct http_header){"Content-Type", "application/json"};
    headers[1] = (struct http_header){"api-key", key};
    return *key ? 2 : 1;
}

static void exchange_free(struct exchange *x)
{
    http_call_fini(&x->call);
    buf_fini(&x->body);
    free(x->url);
    secret_end(x->key);
    free(x);
}

struct exchange *exchange_new(struct task *task, const char *method, const char *base, const char *path,
                              exchange_then then, const char *format, ...)
{
    struct exchange *x = calloc(1, sizeof *x);
    size_t bytes = strlen(base) + strlen(path) + 1;
    if (x) x->url = malloc(bytes);
    if (!x || !x->url) {
        free(x);
        task_fail_nomem(task);
        return NULL;
    }
    snprintf(x->url, bytes, "%s%s", base, path);
    x->q = task->q;
    x->task = task;
    x->then = then;
    x->call.method = method;
    x->kind = request_kind(method, path);
    buf_init(&x->body, 0);
    va_list args;
    va_start(args, format);
    vsnprintf(x->what, sizeof x->what, format, args);
    va_end(args);
    return x;
}

/* On the HTTP loop's thread. */
static void exchange_done(struct http_call *call)
{
    struct exchange *x = call->context;
    struct qdrant *q = x->q;
    x->took_us = clock_us() - x->sent_us;
    queue_push(&q->finished, x);
    sem_post(&q->bell);
}

static void activate(struct exchange *x)
{
    struct qdrant *q = x->q;
    x->before = NULL;
    x->after = q->active;
    if (q->active) q->active->before = x;
    q->active = x;
    x->task->outstanding++;
}

static void deactivate(struct exchange *x)
{
    struct qdrant *q = x->q;
    if (x->before)
        x->before->after = x->after;
    else
        q->active = x->after;
    if (x->after) x->after->before = x->before;
    x->task->outstanding--;
}

void exchange_send(struct exchange *x)
{
    struct qdrant *q = x->q;
    x->key = secret_take(q->key);
    if (x->body.failed || !x->key) {
        task_fail_nomem(x->task);
        exchange_free(x);
        return;
    }
    x->call.url = x->url;
    x->call.headers = x->headers;
    x->call.header_count = request_headers(x->key, x->headers);
    x->call.body = x->body.data;
    x->call.body_bytes = x->body.bytes;
    x->call.accept_gzip = !q->loopback;
    x->call.timeout_ms = q->timeout_ms;
    x->call.deadline_ms = x->task->req->deadline_ms;
    x->call.done = exchange_done;
    x->call.context = x;
    x->sent_us = clock_us();
    activate(x);
    http_send(q->http, &x->call);
    if (atomic_load(&q->closing)) http_cancel(q->http, &x->call);
}

void exchange_finish(struct exchange *x)
{
    struct qdrant_verdict v;
    deactivate(x);
    verdict_read(&v, &x->call, x->what, x->key);
    if (v.err.blame == LKS_BLAME_KEY) secret_refused(x->q->key);
    meter_add(&x->q->meters[x->kind], v.code, x->took_us);
    x->then(x->task, x, &v);
    exchange_free(x);
}

bool task_fail(struct task *task, const struct lks_err *err)
{
    if (!task_failed(task)) task->req->err = *err;
    return false;
}

bool task_fail_nomem(struct task *task)
{
    struct lks_err err;
    lks_fail(&err, LKS_E_NOMEM, "memory is out");
    return task_fail(task, &err);
}

bool task_failed(const struct task *task)
{
    return task->req->err.code != LKS_E_OK;
}

void verdict_broken(struct qdrant_verdict *v, enum reply_state state, const char *what)
{
    if (v->code || state == REPLY_OK) return;
    v->unknown = true;
    if (state == REPLY_NOMEM)
        v->code = lks_fail(&v->err, LKS_E_NOMEM, "memory is out");
    else
        v->code = lks_fail(&v->err, LKS_E_QDRANT_UNAVAILABLE, "%s: the reply makes no sense", what);
}
