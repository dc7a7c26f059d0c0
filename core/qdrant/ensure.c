/*
 * ensure.c - ENSURE: a collection that is there, fits, and has our payload indexes.
 *
 * Steps, each an exchange: is the node ready (one that comes back answers from an old replica for a moment);
 * version of the server; what is under the name; if nothing, make NAME_v1 and the alias NAME (or NAME itself,
 * where aliases are not wanted), and look again; missing payload indexes; the states of its replicas, if it
 * has any; how many points of our source there are. Somebody else who does the same at the same time is no
 * error: whoever loses finds what the winner made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant/exchange.h"

#define ROUNDS_MAX 4 /* of looking: 2 if we make it alone, more if others come and go */
#define GUARD_VERSION 1016
#define FLOAT16_MOST 65504.0F

struct ensure {
    int rounds;
    struct reply_info info;
    char *target; /* owned: what is made: NAME_v1, or NAME */
};

static void ensure_look(struct task *task);

static void ensure_finish(struct task *task)
{
    struct ensure *e = task->state;
    if (e) free(e->target);
    free(e);
}

static void ensured_count(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    int64_t points = 0;
    if (!v->code) verdict_broken(v, reply_count(v->result, &points), x->what);
    if (v->code) {
        task_fail(task, &v->err);
        return;
    }
    task->req->ensure.empty = points == 0;
}

static void ensure_count(struct task *task)
{
    struct qdrant_collection *c = task->c;
    struct exchange *x =
        exchange_new(task, "POST", c->url, "/points/count", ensured_count, "count points of \"%s\"", c->name);
    if (!x) return;
    body_count(&x->body, task->q->source_filter);
    exchange_send(x);
}

static void ensure_index(struct task *task, size_t from);

static void ensured_index(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    verdict_operation(v, x->what);
    if (v->code)
        task_fail(task, &v->err);
    else
        ensure_index(task, x->first + 1);
}

/* Whoever may not ask, or asks a server that doesn't say, finds out when replicas are compared. */
static void replicas_known(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    (void)x;
    bool active = true;
    if (!v->code && reply_replicas(v->result, &active) == REPLY_OK) task->req->ensure.active = active;
    ensure_count(task);
}

static void ensure_replicas(struct task *task)
{
    const struct ensure *e = task->state;
    task->req->ensure.replicas = e->info.replicas;
    task->req->ensure.active = true;
    if (e->info.replicas < 2) {
        ensure_count(task);
        return;
    }
    struct exchange *x = exchange_new(task, "GET", task->c->url, "/cluster", replicas_known,
                                      "look at the replicas of \"%s\"", task->c->name);
    if (x) exchange_send(x);
}

/* Makes the next index that isn't there; when all are, goes on. */
static void ensure_index(struct task *task, size_t from)
{
    struct ensure *e = task->state;
    struct qdrant_collection *c = task->c;
    size_t count = sizeof reply_indexes / sizeof *reply_indexes;
    while (from < count && e->info.indexed[from]) from++;
    if (from == count) {
        ensure_replicas(task);
        return;
    }
    struct exchange *x = exchange_new(task, "PUT", c->url, "/index?wait=true", ensured_index,
                                      "index %s of \"%s\"", reply_indexes[from].field, c->name);
    if (!x) return;
    x->first = from;
    body_index(&x->body, reply_indexes[from].field, reply_indexes[from].schema);
    exchange_send(x);
}

/* What doesn't fit can only be said, not repaired: the points in it are somebody's. */
enum lks_code collection_fits(const struct qdrant_collection *c, const struct reply_info *info, size_t wanted,
                              struct lks_err *err)
{
    static const char advice[] = "Name another qdrant_collection, correct the embedding's settings, or "
                                 "delete the collection in Qdrant";
    if (!strcmp(info->datatype, "uint8"))
        return lks_fail(
            err, LKS_E_QDRANT_REJECTED,
            "collection \"%s\" stores vectors as uint8, which keeps nothing of the fractions that a "
            "model's vectors are made of, but float32 or float16 is wanted. %s",
            c->name, advice);
    if (!info->single || info->multivector)
        return lks_fail(
            err, LKS_E_QDRANT_REJECTED,
            "collection \"%s\" has no single vector without a name, but one with size %zu and distance %s is "
            "wanted. %s",
            c->name, wanted, c->distance, advice);
    if (info->size != wanted || strcmp(info->distance, c->distance) != 0)
        return lks_fail(
            err, LKS_E_QDRANT_REJECTED,
            "collection \"%s\" has vectors of size %llu with distance %s, but size %zu with distance %s is "
            "wanted. %s",
            c->name, (unsigned long long)info->size, info->distance, wanted, c->distance, advice);
    return LKS_E_OK;
}

static void aliased(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    (void)x;
    /* 409: the name is a collection's by now; 404: what we made is gone again. Look once more */
    if (v->code && !v->exists && v->code != LKS_E_NOT_FOUND)
        task_fail(task, &v->err);
    else
        ensure_look(task);
}

static void created(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    (void)x;
    struct ensure *e = task->state;
    if (v->code && !v->exists) {
        task_fail(task, &v->err);
        return;
    }
    if (!v->code) task->req->ensure.created = true;
    if (task->q->plain) {
        ensure_look(task);
        return;
    }
    struct exchange *alias = exchange_new(task, "POST", task->q->url, "/collections/aliases", aliased,
                                          "make alias \"%s\" of \"%s\"", task->c->name, e->target);
    if (!alias) return;
    body_alias(&alias->body, e->target, task->c->name);
    exchange_send(alias);
}

static void ensure_create(struct task *task)
{
    struct ensure *e = task->state;
    char *url = collection_url(task->q->url, e->target);
    if (!url) {
        task_fail_nomem(task);
        return;
    }
    struct exchange *x = exchange_new(task, "PUT", url, "", created, "make collection \"%s\"", e->target);
    free(url);
    if (!x) return;
    body_create(&x->body, task->req->ensure.dimensions, task->c->distance);
    exchange_send(x);
}

static void looked(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    struct ensure *e = task->state;
    if (v->code == LKS_E_NOT_FOUND && task->req->ensure.look_only) {
        lks_fail(&v->err, LKS_E_NOT_FOUND, "there is no Qdrant collection \"%s\" yet", task->c->name);
        task_fail(task, &v->err);
        return;
    }
    if (v->code == LKS_E_NOT_FOUND && e->rounds < ROUNDS_MAX) {
        ensure_create(task);
        return;
    }
    if (!v->code) verdict_broken(v, reply_info(v->result, &e->info), x->what);
    if (v->code == LKS_E_NOT_FOUND)
        v->err.code = LKS_E_QDRANT_UNAVAILABLE; /* made, and gone, again and again */
    if (v->code) {
        task_fail(task, &v->err);
        return;
    }
    struct lks_err err;
    if (collection_fits(task->c, &e->info, task->req->ensure.dimensions, &err)) {
        task_fail(task, &err);
        return;
    }
    task->c->dimensions = task->req->ensure.dimensions;
    task->c->further = task->req->ensure.further = e->info.further;
    task->req->ensure.cosine = !strcmp(e->info.distance, "Cosine");
    task->req->ensure.most = strcmp(e->info.datatype, "float16") ? 0 : FLOAT16_MOST;
    ensure_index(task, 0);
}

static void ensure_look(struct task *task)
{
    struct ensure *e = task->state;
    e->rounds++;
    struct exchange *x =
        exchange_new(task, "GET", task->c->url, "", looked, "look at collection \"%s\"", task->c->name);
    if (x) exchange_send(x);
}

/* GET / has no `result`, so it is read for itself. A server that doesn't say its version (a proxy may keep it
 * to itself) is one without update_filter to us. */
static void version_known(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    int version = 0;
    if (x->call.failure || x->call.status >= 500 || x->call.status == 429) {
        task_fail(task, &v->err);
        return;
    }
    if (x->call.status == 200)
        version = reply_version(x->call.reply.data ? x->call.reply.data : "", x->call.reply.bytes);
    task->c->guarded = task->req->ensure.guarded = version >= GUARD_VERSION;
    ensure_look(task);
}

/* A proxy may keep this, too, to itself: only 503 says that it is not. */
static void ready_known(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    if (x->call.failure || x->call.status == 503) {
        task_fail(task, &v->err);
        return;
    }
    struct exchange *next =
        exchange_new(task, "GET", task->q->url, "/", version_known, "ask Qdrant's version");
    if (next) exchange_send(next);
}

void ensure_start(struct task *task)
{
    struct req *req = task->req;
    req->ensure.created = req->ensure.empty = req->ensure.guarded = req->ensure.further = false;
    req->ensure.replicas = 1;
    req->ensure.active = true;
    task->finish = ensure_finish;
    struct ensure *e = task->state = calloc(1, sizeof *e);
    size_t bytes = strlen(task->c->name) + 4;
    if (e) e->target = malloc(bytes);
    if (!e || !e->target) {
        task_fail_nomem(task);
        return;
    }
    snprintf(e->target, bytes, "%s%s", task->c->name, task->q->plain ? "" : "_v1");
    /* a server restored or replaced behind our back may allow more than the last one */
    task->c->page_limit = PAGE_POINTS_MAX;
    task->c->upsert_limit = 0;
    struct exchange *x =
        exchange_new(task, "GET", task->q->url, "/readyz", ready_known, "ask whether Qdrant is ready");
    if (x) exchange_send(x);
}
