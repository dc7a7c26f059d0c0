/*
 * exchange.h - within qdrant/: a request under way as a task, its HTTP requests as exchanges.
 *
 * Everything here happens on the adapter's thread. A task begins with task kind's start(); that, and each
 * exchange's then(), may send further exchanges. When none is under way any more, the task's finish() runs
 * and the request is posted back.
 */
#ifndef LOCKSTEP_QDRANT_EXCHANGE_H
#define LOCKSTEP_QDRANT_EXCHANGE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/queue.h"
#include "http/http_secret.h"
#include "qdrant/body.h"
#include "qdrant/qdrant.h"
#include "qdrant/qdrant_verdict.h"
#include "qdrant/reply.h"

#define BODY_BYTES_MAX (8u << 20) /* Qdrant takes 32 MB; smaller bodies keep memory and pauses small */
#define PAGE_POINTS_MAX 1000
#define WHAT_BYTES 320

struct qdrant_collection {
    char *name, *distance, *model; /* owned */
    char *url;                     /* owned: "…/collections/NAME" */
    struct stamp_fields stamp;
    /* learned */
    size_t dimensions;   /* from ENSURE; 0: not yet */
    bool guarded;        /* the server knows update_filter */
    bool further;        /* it has vectors under further names, so that all of a point's are asked for */
    size_t upsert_limit; /* points in an upsert, as strict mode allows; 0: any number */
    size_t page_limit;   /* points in a page; never 0 */
};

struct qdrant {
    struct http *http;
    struct inbox inbox;
    char *url, *source, *source_filter; /* owned */
    struct secret *key;
    int timeout_ms;
    bool loopback, plain;
    struct qdrant_collection *collections;
    size_t collection_count;
    pthread_t thread;
    sem_t bell;            /* rings once for each object in one of the queues */
    struct queue incoming; /* struct req */
    struct queue finished; /* struct exchange */
    atomic_bool closing;
    struct meter meters[QDRANT_REQUEST_KINDS];
    struct exchange *active; /* under way; doubly linked */
    size_t task_count;
};

struct task;
struct exchange;
typedef void (*exchange_then)(struct task *task, struct exchange *x, struct qdrant_verdict *v);

struct task {
    struct qdrant *q;
    struct req *req;
    struct qdrant_collection *c;
    size_t outstanding;                /* exchanges under way */
    void (*finish)(struct task *task); /* may be NULL */
    void *state;                       /* of the kind; freed by its finish() */
};

/* One HTTP request of a task. */
struct exchange {
    struct http_call call;
    struct exchange *next;           /* of the queue */
    struct exchange *before, *after; /* of qdrant.active */
    struct qdrant *q;
    struct task *task;
    exchange_then then;
    char *url; /* owned */
    char *key; /* owned: what it is sent with */
    struct http_header headers[2];
    struct buf body; /* owned; empty: none */
    char what[WHAT_BYTES];
    enum qdrant_request_kind kind;
    int64_t sent_us, took_us;
    size_t first, count; /* which part of the request this is about; the task kind's own */
    int step;            /* and which step of it */
};

/*
 * Makes an exchange for `base` followed by `path`. `what` is a format for verdict_read(). NULL (and the task
 * failed) when memory is out. Fill `body`, then exchange_send(), which gives it away in any case.
 */
struct exchange *exchange_new(struct task *task, const char *method, const char *base, const char *path,
                              exchange_then then, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void exchange_send(struct exchange *x);
/* Judges a finished one, goes on with then() and frees it. */
void exchange_finish(struct exchange *x);

/* Sets the request's error unless it has one; always false. */
bool task_fail(struct task *task, const struct lks_err *err);
bool task_fail_nomem(struct task *task);
bool task_failed(const struct task *task);
/* The verdict of a reply that can't be read. */
void verdict_broken(struct qdrant_verdict *v, enum reply_state state, const char *what);

/* The kinds. */
void ensure_start(struct task *task);
/* Whether vectors of the wanted size can be stored in it. LKS_E_QDRANT_REJECTED says why not. */
enum lks_code collection_fits(const struct qdrant_collection *c, const struct reply_info *info, size_t wanted,
                              struct lks_err *err);
void lookup_start(struct task *task);
void scroll_start(struct task *task);
void count_start(struct task *task);
void epochs_start(struct task *task);
void write_start(struct task *task);
void delete_start(struct task *task);

/* The headers of a request with this key; how many. */
size_t request_headers(const char *key, struct http_header headers[2]);
/* What a request is for, by its method and what follows the collection's URL. */
enum qdrant_request_kind request_kind(const char *method, const char *path);
/* base "/collections/" name, percent-encoded; NULL when memory is out. */
char *collection_url(const char *base, const char *name);

#endif
