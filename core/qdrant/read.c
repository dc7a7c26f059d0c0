/*
 * read.c - LOOKUP, SCROLL, COUNT, EPOCHS: what is in Qdrant. And DELETE, which is as simple.
 *
 * LOOKUP retrieves by ids and scrolls by documents, beside each other: a retrieve finds a point by hashing
 * alone and is never refused by strict mode, which a filter with has_id might be. A point found both ways is
 * reported once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/float.h"
#include "qdrant/exchange.h"
#include "qdrant/whole.h"

#define RETRIEVE_IDS_MAX 1000
#define CONSISTENT "?consistency=all"
#define SCROLL_DOCS_MAX 256
#define REPLY_BYTES (16u << 20) /* about what one with vectors may hold */

/* A page was refused for its size, and a smaller one is allowed: it is asked for from now on. */
static bool learn_page_limit(struct qdrant_collection *c, const struct qdrant_verdict *v)
{
    if (!v->limit || v->limit >= c->page_limit) return false;
    c->page_limit = v->limit;
    return true;
}

/* ---- LOOKUP ---- */

static void take_found(struct task *task, struct exchange *x, struct qdrant_verdict *v, char *next)
{
    if (!v->code) verdict_broken(v, reply_stamps(v->result, task->q->source, task->state, next), x->what);
    if (v->code) task_fail(task, &v->err);
}

static void take_points(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    struct stamps *list = task->state;
    size_t first = list->count;
    take_found(task, x, v, NULL);
    if (v->code || !task->req->lookup.whole) return;
    verdict_broken(v, whole_check(v->result, list->items + first, list->count - first), x->what);
    if (v->code) task_fail(task, &v->err);
}

static void retrieved(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    take_points(task, x, v);
}

/* Those that replicas do not agree on, as one of them has them. */
static void rest_retrieved(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    struct stamps *list = task->state;
    size_t first = list->count;
    take_points(task, x, v);
    for (size_t i = first; i < list->count; i++) list->items[i].differs = true;
}

static void retrieve_ids(struct task *task, const char *const *ids, size_t first, size_t count, bool vectors,
                         const char *how, exchange_then then)
{
    char path[64];
    snprintf(path, sizeof path, "/points%s", how);
    struct exchange *x =
        exchange_new(task, "POST", task->c->url, path, then, "look into \"%s\"", task->c->name);
    if (!x) return;
    x->first = first;
    x->count = count;
    body_retrieve(&x->body, ids, count, task->req->lookup.whole ? "true" : "[\"_lockstep\"]", vectors);
    exchange_send(x);
}

/* Is one of the points found since `from` this one? */
static bool among(const struct stamps *list, size_t from, const char *id)
{
    while (from < list->count && strcmp(list->items[from].point_id, id) != 0) from++;
    return from < list->count;
}

/*
 * All replicas were asked. What they do not agree on is left out, and asked for once more; where they can't
 * all be asked, all of it is.
 */
static void agreed_retrieved(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    struct req *req = task->req;
    struct stamps *list = task->state;
    const char *ids[RETRIEVE_IDS_MAX];
    size_t from = list->count, count = 0;
    bool vectors = x->first < req->lookup.vector_count;
    if (v->code == LKS_E_QDRANT_UNAVAILABLE && !x->call.failure && x->call.status == 500) {
        req->lookup.agreed = false;
        retrieve_ids(task, req->lookup.point_ids + x->first, x->first, x->count, vectors, "", retrieved);
        return;
    }
    take_points(task, x, v);
    for (size_t i = x->first; i < x->first + x->count && !task_failed(task); i++)
        if (!among(list, from, req->lookup.point_ids[i])) ids[count++] = req->lookup.point_ids[i];
    if (count && !task_failed(task)) retrieve_ids(task, ids, 0, count, true, "", rest_retrieved);
}

static void scroll_docs(struct task *task, size_t first, size_t count);

static void scroll_page(struct task *task, size_t first, size_t count, const char *from);

static void docs_scrolled(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    char next[POINT_ID_BYTES];
    if (learn_page_limit(task->c, v)) {
        /* from these documents' first page again: what was found before is reported once all the same */
        scroll_docs(task, x->first, x->count);
        return;
    }
    take_found(task, x, v, next);
    if (!task_failed(task) && next[0]) scroll_page(task, x->first, x->count, next);
}

static void scroll_page(struct task *task, size_t first, size_t count, const char *from)
{
    struct qdrant_collection *c = task->c;
    struct exchange *x =
        exchange_new(task, "POST", c->url, "/points/scroll", docs_scrolled, "look into \"%s\"", c->name);
    if (!x) return;
    x->first = first;
    x->count = count;
    body_scroll(&x->body, task->q->source, task->req->lookup.docs + first, count, from, c->page_limit);
    exchange_send(x);
}

/* Looks for points of these documents, a bounded number in a filter (strict mode limits lists as well). */
static void scroll_docs(struct task *task, size_t first, size_t count)
{
    size_t most = task->c->page_limit < SCROLL_DOCS_MAX ? task->c->page_limit : SCROLL_DOCS_MAX;
    for (size_t i = 0; i < count && !task_failed(task); i += most)
        scroll_page(task, first + i, count - i < most ? count - i : most, "");
}

/* How many points a reply may hold, vectors and all, before it gets large. */
static size_t retrieve_most(const struct qdrant_collection *c, bool vectors)
{
    size_t bytes = c->dimensions * FLOAT_TEXT_BYTES + 1024;
    if (!vectors) return RETRIEVE_IDS_MAX;
    if (c->further) bytes *= 8; /* nobody knows what those are like */
    size_t most = REPLY_BYTES / bytes;
    return !most ? 1 : most < RETRIEVE_IDS_MAX ? most : RETRIEVE_IDS_MAX;
}

static void retrieve(struct task *task, size_t from, size_t to, bool vectors)
{
    const struct req *req = task->req;
    bool all = req->lookup.consistent;
    size_t most = retrieve_most(task->c, vectors || all); /* replicas may differ in their vectors alone */
    for (size_t i = from; i < to && !task_failed(task); i += most)
        retrieve_ids(task, req->lookup.point_ids + i, i, to - i < most ? to - i : most, vectors || all,
                     all ? CONSISTENT : "", all ? agreed_retrieved : retrieved);
}

static void lookup_finish(struct task *task)
{
    struct stamps *list = task->state;
    if (!list) return;
    if (task_failed(task)) {
        stamps_fini(list);
    } else {
        stamps_unique(list);
        task->req->lookup.found = list->items;
        task->req->lookup.found_count = list->count;
    }
    free(list);
}

void lookup_start(struct task *task)
{
    struct req *req = task->req;
    req->lookup.agreed = req->lookup.consistent;
    req->lookup.found = NULL;
    req->lookup.found_count = 0;
    task->finish = lookup_finish;
    task->state = calloc(1, sizeof(struct stamps));
    if (!task->state) {
        task_fail_nomem(task);
        return;
    }
    retrieve(task, 0, req->lookup.vector_count, true);
    retrieve(task, req->lookup.vector_count, req->lookup.point_count, false);
    scroll_docs(task, 0, req->lookup.doc_count);
}

/* ---- SCROLL ---- */

static void scrolled(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    struct req *req = task->req;
    struct stamps list = {0};
    if (learn_page_limit(task->c, v)) {
        scroll_start(task);
        return;
    }
    if (!v->code)
        verdict_broken(v, reply_stamps(v->result, task->q->source, &list, req->scroll.next), x->what);
    if (v->code) {
        stamps_fini(&list);
        req->scroll.next[0] = '\0';
        task_fail(task, &v->err);
    } else {
        req->scroll.found = list.items;
        req->scroll.found_count = list.count;
    }
}

void scroll_start(struct task *task)
{
    struct req *req = task->req;
    struct qdrant_collection *c = task->c;
    req->scroll.found = NULL;
    req->scroll.found_count = 0;
    req->scroll.next[0] = '\0';
    size_t limit = req->scroll.max_points;
    if (!limit || limit > c->page_limit) limit = c->page_limit;
    struct exchange *x =
        exchange_new(task, "POST", c->url, "/points/scroll", scrolled, "scroll \"%s\"", c->name);
    if (!x) return;
    body_scroll(&x->body, task->q->source, NULL, 0, req->scroll.from, limit);
    exchange_send(x);
}

/* ---- COUNT ---- */

static void counted(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    if (!v->code) verdict_broken(v, reply_count(v->result, &task->req->count.points), x->what);
    if (v->code) task_fail(task, &v->err);
}

void count_start(struct task *task)
{
    struct qdrant_collection *c = task->c;
    struct exchange *x =
        exchange_new(task, "POST", c->url, "/points/count", counted, "count points of \"%s\"", c->name);
    if (!x) return;
    body_count(&x->body, task->q->source_filter);
    exchange_send(x);
}

/* ---- EPOCHS ---- */

/* Appends the filter to a body by way of `body`; false, the task failed, when memory is out. */
static bool with_epoch_filter(struct task *task, struct buf *to, void (*body)(struct buf *, const char *))
{
    struct buf filter;
    buf_init(&filter, 0);
    body_epoch_filter(&filter, task->q->source, task->req->epochs.floor, task->req->epochs.own);
    bool ok = !filter.failed;
    if (ok) body(to, filter.data);
    buf_fini(&filter);
    return ok || task_fail_nomem(task);
}

static void highest_found(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    struct req *req = task->req;
    if (!v->code) verdict_broken(v, reply_highest(v->result, &req->epochs.highest), x->what);
    if (v->code)
        task_fail(task, &v->err);
    else if (!req->epochs.highest)
        req->epochs.points = 0; /* they have gone since they were counted */
}

static void epochs_counted(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    struct qdrant_collection *c = task->c;
    if (!v->code) verdict_broken(v, reply_count(v->result, &task->req->epochs.points), x->what);
    if (v->code) {
        task_fail(task, &v->err);
        return;
    }
    if (!task->req->epochs.points) return;
    x = exchange_new(task, "POST", c->url, "/points/scroll", highest_found,
                     "find the highest epoch in \"%s\"", c->name);
    if (!x) return;
    with_epoch_filter(task, &x->body, body_highest_epoch);
    exchange_send(x);
}

void epochs_start(struct task *task)
{
    struct qdrant_collection *c = task->c;
    task->req->epochs.points = 0;
    task->req->epochs.highest = 0;
    struct exchange *x = exchange_new(task, "POST", c->url, "/points/count", epochs_counted,
                                      "count higher epochs in \"%s\"", c->name);
    if (!x) return;
    with_epoch_filter(task, &x->body, body_count);
    exchange_send(x);
}

/* ---- DELETE ---- */

static void deleted(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    verdict_operation(v, x->what);
    task->req->del.unknown = v->code && v->unknown;
    if (v->code) task_fail(task, &v->err);
}

/* By ids, not by filter: a filter may be evaluated again when Qdrant replays its log. */
void delete_start(struct task *task)
{
    struct req *req = task->req;
    struct qdrant_collection *c = task->c;
    req->del.unknown = false;
    if (!req->del.count) return; /* an empty list is refused, and there is nothing to do */
    struct exchange *x = exchange_new(task, "POST", c->url, "/points/delete?wait=true", deleted,
                                      "delete from \"%s\"", c->name);
    if (!x) return;
    body_delete(&x->body, req->del.point_ids, req->del.count);
    exchange_send(x);
}
