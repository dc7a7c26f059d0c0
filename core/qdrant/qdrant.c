/*
 * qdrant.c - the adapter as a whole: its thread, its queues, requests in and out.
 *
 * Owns the thread, copies of the configuration, and all tasks. Formatting and parsing happen on this thread,
 * so that neither the engine nor the HTTP loop waits for them. Never blocks on a server.
 */
#include "qdrant/qdrant.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant/exchange.h"

#define TIMEOUT_DEFAULT_MS 5000

/* ---- tasks ---- */

static void task_end(struct task *task)
{
    struct qdrant *q = task->q;
    if (task->finish) task->finish(task);
    q->task_count--;
    q->inbox.post(q->inbox.self, task->req);
    free(task);
}

static size_t *request_collection(struct req *req)
{
    switch (req->kind) {
    case REQ_ENSURE:
        return &req->ensure.collection;
    case REQ_LOOKUP:
        return &req->lookup.collection;
    case REQ_UPSERT:
        return &req->write.collection;
    case REQ_DELETE:
        return &req->del.collection;
    case REQ_SCROLL:
        return &req->scroll.collection;
    case REQ_COUNT:
        return &req->count.collection;
    case REQ_EPOCHS:
        return &req->epochs.collection;
    default:
        return NULL;
    }
}

static void (*task_start(enum req_kind kind))(struct task *)
{
    switch (kind) {
    case REQ_ENSURE:
        return ensure_start;
    case REQ_LOOKUP:
        return lookup_start;
    case REQ_SCROLL:
        return scroll_start;
    case REQ_COUNT:
        return count_start;
    case REQ_EPOCHS:
        return epochs_start;
    case REQ_DELETE:
        return delete_start;
    default:
        return write_start;
    }
}

static void request_begin(struct qdrant *q, struct req *req)
{
    const size_t *collection = request_collection(req);
    struct task *task = NULL;
    lks_err_clear(&req->err);
    if (atomic_load(&q->closing))
        lks_fail(&req->err, LKS_E_CANCELLED, "Qdrant's adapter is being closed");
    else if (!collection || *collection >= q->collection_count)
        lks_fail(&req->err, LKS_E_UNSUPPORTED, "not a request for Qdrant: %s", req_kind_name(req->kind));
    else if (!(task = calloc(1, sizeof *task)))
        lks_fail(&req->err, LKS_E_NOMEM, "memory is out");
    if (!task) {
        q->inbox.post(q->inbox.self, req);
        return;
    }
    *task = (struct task){.q = q, .req = req, .c = &q->collections[*collection]};
    q->task_count++;
    task_start(req->kind)(task);
    if (!task->outstanding) task_end(task);
}

/* ---- the thread ---- */

static void cancel_active(struct qdrant *q)
{
    for (struct exchange *x = q->active; x; x = x->after) http_cancel(q->http, &x->call);
}

static void *run(void *context)
{
    struct qdrant *q = context;
    bool cancelled = false;
    for (;;) {
        while (sem_wait(&q->bell) && errno == EINTR) {
        }
        struct exchange *x = queue_take(&q->finished, 0);
        if (x) {
            struct task *task = x->task;
            exchange_finish(x);
            if (!task->outstanding) task_end(task);
        } else {
            struct req *req = queue_take(&q->incoming, 0);
            if (req) request_begin(q, req);
        }
        if (!atomic_load(&q->closing)) continue;
        if (!cancelled) cancel_active(q);
        cancelled = true;
        if (!q->task_count && !queue_count(&q->incoming)) return NULL;
    }
}

static void submit(void *self, struct req *req)
{
    struct qdrant *q = self;
    queue_push(&q->incoming, req);
    sem_post(&q->bell);
}

struct port qdrant_port(struct qdrant *q)
{
    return (struct port){.self = q, .submit = submit};
}

/* ---- opening and closing ---- */

static char *copy(const char *text)
{
    return strdup(text ? text : "");
}

static bool collection_init(struct qdrant_collection *c, const char *url, const char *source,
                            const struct qdrant_collection_config *config)
{
    *c = (struct qdrant_collection){.name = copy(config->name),
                                    .distance = copy(config->distance),
                                    .model = copy(config->model),
                                    .page_limit = PAGE_POINTS_MAX};
    if (!c->name || !c->distance || !c->model) return false;
    c->url = collection_url(url, c->name);
    c->stamp = (struct stamp_fields){.source = source, .model = c->model};
    return c->url != NULL;
}

static void collection_fini(struct qdrant_collection *c)
{
    free(c->name);
    free(c->distance);
    free(c->model);
    free(c->url);
}

static void qdrant_free(struct qdrant *q)
{
    for (size_t i = 0; q->collections && i < q->collection_count; i++) collection_fini(&q->collections[i]);
    free(q->collections);
    free(q->url);
    secret_free(q->key);
    free(q->source);
    free(q->source_filter);
    free(q);
}

/* "http(s)://host…" without query, fragment and trailing slashes. */
static char *usable_url(const char *url)
{
    if (!url || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)) return NULL;
    if (strpbrk(url, "?# \t\r\n") || !strstr(url, "://")[3]) return NULL;
    size_t bytes = strlen(url);
    while (bytes && url[bytes - 1] == '/') bytes--;
    return strndup(url, bytes);
}

/* A port that the scheme implies is left out. */
static size_t port_begins(const char *host, size_t bytes, bool tls)
{
    const char *implied = tls ? ":443" : ":80";
    size_t port = strlen(implied);
    return bytes > port && strncmp(host + bytes - port, implied, port) == 0 ? bytes - port : bytes;
}

char *qdrant_place(const char *url, const char *collection)
{
    struct buf out;
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    bool tls = tolower((unsigned char)url[0]) == 'h' && (host - url) == 8;
    size_t authority = strcspn(host, "/?#"), path = strcspn(host + authority, "?#");
    const char *rest = host + authority;
    for (const char *at; (at = memchr(host, '@', (size_t)(rest - host))) != NULL;) host = at + 1;
    while (path && rest[path - 1] == '/') path--;
    buf_init(&out, 0);
    buf_puts(&out, tls ? "https://" : "http://");
    size_t bytes = port_begins(host, (size_t)(rest - host), tls);
    for (size_t i = 0; i < bytes; i++) buf_putc(&out, (char)tolower((unsigned char)host[i]));
    buf_put(&out, rest, path);
    buf_printf(&out, "/collections/%s", collection);
    return buf_take(&out, NULL);
}

static bool copy_config(struct qdrant *q, const struct qdrant_config *config)
{
    struct buf filter;
    q->key = secret_new(config->api_key, config->api_key_file);
    q->source = copy(config->source);
    q->collections = calloc(config->collection_count + 1, sizeof *q->collections);
    if (!q->key || !q->source || !q->collections) return false;
    buf_init(&filter, 0);
    body_source_filter(&filter, q->source);
    q->source_filter = buf_take(&filter, NULL);
    if (!q->source_filter) return false;
    for (; q->collection_count < config->collection_count; q->collection_count++) {
        size_t i = q->collection_count;
        if (!collection_init(&q->collections[i], q->url, q->source, &config->collections[i])) {
            collection_fini(&q->collections[i]);
            return false;
        }
    }
    q->timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : TIMEOUT_DEFAULT_MS;
    q->loopback = http_url_loopback(q->url);
    q->plain = config->plain;
    return true;
}

static bool queues_init(struct qdrant *q)
{
    if (!queue_init(&q->incoming, offsetof(struct req, next))) return false;
    if (!queue_init(&q->finished, offsetof(struct exchange, next))) {
        queue_fini(&q->incoming);
        return false;
    }
    sem_init(&q->bell, 0, 0);
    return true;
}

static void queues_fini(struct qdrant *q)
{
    queue_fini(&q->incoming);
    queue_fini(&q->finished);
    sem_destroy(&q->bell);
}

/* Signals are the main thread's business. */
static int thread_start(struct qdrant *q)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&q->thread, NULL, run, q);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

enum lks_code qdrant_open(const struct qdrant_config *config, struct http *http, struct inbox inbox,
                          struct qdrant **out, struct lks_err *err)
{
    *out = NULL;
    struct qdrant *q = calloc(1, sizeof *q);
    if (!q) return lks_fail(err, LKS_E_NOMEM, "memory is out");
    q->http = http;
    q->inbox = inbox;
    q->url = usable_url(config->url);
    if (!q->url) {
        qdrant_free(q);
        return lks_fail(err, LKS_E_CONFIG, "Qdrant's url must be http://HOST[:PORT] or https://HOST[:PORT]");
    }
    if (!copy_config(q, config)) {
        qdrant_free(q);
        return lks_fail(err, LKS_E_NOMEM, "memory is out");
    }
    if (!queues_init(q)) {
        qdrant_free(q);
        return lks_fail(err, LKS_E_IO, "no mutex to be had");
    }
    if (thread_start(q)) {
        queues_fini(q);
        qdrant_free(q);
        return lks_fail(err, LKS_E_IO, "Qdrant's thread does not start");
    }
    *out = q;
    return LKS_E_OK;
}

void qdrant_close(struct qdrant *q)
{
    if (!q) return;
    atomic_store(&q->closing, true);
    sem_post(&q->bell);
    pthread_join(q->thread, NULL);
    queues_fini(q);
    qdrant_free(q);
}
