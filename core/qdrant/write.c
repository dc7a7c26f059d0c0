/*
 * write.c - UPSERT and PAYLOAD: points in bodies of bounded size, one after the other, until each point's
 * outcome is known.
 *
 * A body that is refused for its content is sent again in halves, until the bad points stand alone. A failure
 * of the server ends the task: what was under way carries its `unknown`, what was not yet sent is known not
 * to be applied. PAYLOAD ends with a look at all points that were overwritten, because Qdrant doesn't say
 * whether a filter found its point.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant/exchange.h"

#define RETRIEVE_IDS_MAX 1000
#define HALVES_MAX 64 /* of halving 2^32 points */

enum mark {
    MARK_TODO = 0,
    MARK_WRITTEN, /* PAYLOAD: sent and taken, not looked at yet */
    MARK_FINAL    /* its code says what became of it */
};

struct range {
    size_t first, count;
};

struct write {
    bool payload;         /* REQ_PAYLOAD */
    unsigned char *marks; /* enum mark, one per point; owned */
    size_t cursor;        /* all points before it were sent, or are in `halves` */
    struct range halves[HALVES_MAX];
    size_t half_count;
    size_t confirmed;      /* points with LKS_E_OK */
    struct lks_err failed; /* the server's failure that ended it, if one did */
    struct witnesses seen; /* PAYLOAD: what the look at the end found */
};

static void write_next(struct task *task);

static void point_final(struct task *task, size_t i, enum lks_code code, const char *error, bool unknown)
{
    struct write *w = task->state;
    struct point_write *p = &task->req->write.points[i];
    free(p->error);
    p->code = code;
    p->error = code ? strdup(error) : NULL; /* without memory it has a code alone */
    p->unknown = code && unknown;
    w->marks[i] = MARK_FINAL;
    if (!code) w->confirmed++;
}

/* The server failed: points of this range may be written, nothing further will be. */
static void write_fail(struct task *task, struct range range, const struct verdict *v)
{
    struct write *w = task->state;
    w->failed = v->err;
    for (size_t i = range.first; i < range.first + range.count; i++)
        if (w->marks[i] != MARK_FINAL) point_final(task, i, v->code, v->err.text, v->unknown);
}

/* ---- what can be seen without asking the server ---- */

static bool point_usable(struct task *task, size_t i)
{
    const struct write *w = task->state;
    const struct point_write *p = &task->req->write.points[i];
    size_t wanted = task->c->dimensions;
    char text[WHAT_BYTES];
    if (!body_payload_usable(p->payload, p->payload_bytes)) {
        point_final(task, i, LKS_E_QDRANT_REJECTED, "the payload is no JSON object", false);
        return false;
    }
    if (w->payload) return true;
    if (p->vector && p->dimensions && (!wanted || wanted == p->dimensions)) return true;
    snprintf(text, sizeof text, "the vector has %zu dimensions, \"%s\" takes %zu",
             p->vector ? p->dimensions : 0, task->c->name, wanted);
    point_final(task, i, LKS_E_QDRANT_REJECTED, text, false);
    return false;
}

static bool point_guarded(const struct task *task, size_t i)
{
    return task->c->guarded && !task->req->write.points[i].unguarded;
}

/* How many points from `first` on can share a body: equally guarded, and under one epoch if they are. */
static size_t run_length(const struct task *task, struct range range)
{
    const struct write *w = task->state;
    const struct point_write *points = task->req->write.points;
    bool guarded = point_guarded(task, range.first);
    size_t limit = w->payload ? 0 : task->c->upsert_limit;
    size_t n = 1;
    while (n < range.count && (!limit || n < limit) && w->marks[range.first + n] == MARK_TODO &&
           point_guarded(task, range.first + n) == guarded &&
           (!guarded || points[range.first + n].epoch == points[range.first].epoch))
        n++;
    return n;
}

/* ---- sending ---- */

static void halve(struct task *task, struct range range)
{
    struct write *w = task->state;
    size_t first = range.count / 2;
    w->halves[w->half_count++] = (struct range){range.first + first, range.count - first};
    w->halves[w->half_count++] = (struct range){range.first, first};
}

static void written(struct task *task, struct exchange *x, struct verdict *v)
{
    struct write *w = task->state;
    struct range range = {x->first, x->count};
    verdict_operations(v, w->payload ? x->count : 1, x->what);
    if (!v->code) {
        for (size_t i = range.first; i < range.first + range.count; i++) {
            if (w->payload)
                w->marks[i] = MARK_WRITTEN;
            else
                point_final(task, i, LKS_E_OK, NULL, false);
        }
    } else if (v->content && range.count > 1 && w->half_count + 2 <= HALVES_MAX) {
        if (v->limit && !w->payload) task->c->upsert_limit = v->limit;
        halve(task, range);
    } else if (v->content) {
        for (size_t i = range.first; i < range.first + range.count; i++)
            point_final(task, i, v->code, v->err.text, false);
    } else {
        write_fail(task, range, v);
        return;
    }
    write_next(task);
}

static void write_send(struct task *task, struct range range)
{
    struct write *w = task->state;
    struct collection *c = task->c;
    const struct point_write *points = task->req->write.points + range.first;
    struct exchange *x = w->payload ? exchange_new(task, "POST", c->url, "/points/batch?wait=true", written,
                                                   "overwrite payloads in \"%s\"", c->name)
                                    : exchange_new(task, "PUT", c->url, "/points?wait=true", written,
                                                   "upsert into \"%s\"", c->name);
    if (!x) return;
    bool guarded = point_guarded(task, range.first);
    size_t run = run_length(task, range);
    x->first = range.first;
    x->count =
        (w->payload ? body_payload : body_upsert)(&x->body, &c->stamp, points, run, guarded, BODY_BYTES_MAX);
    if (x->count < range.count) {
        if (w->half_count == HALVES_MAX) { /* cannot be: every half is half as long as the one below it */
            task_fail_nomem(task);
            x->body.failed = true;
        } else {
            w->halves[w->half_count++] = (struct range){range.first + x->count, range.count - x->count};
        }
    }
    exchange_send(x);
}

/* ---- PAYLOAD: looking whether it was written ---- */

static int by_id(const void *id, const void *w)
{
    return strcmp(id, ((const struct witness *)w)->point_id);
}

static void judge_seen(struct task *task, size_t i)
{
    const struct write *w = task->state;
    const struct point_write *p = &task->req->write.points[i];
    const struct witness *seen =
        w->seen.count ? bsearch(p->point_id, w->seen.items, w->seen.count, sizeof *seen, by_id) : NULL;
    char text[160];
    if (!seen) {
        point_final(task, i, LKS_E_NOT_FOUND, "the point is not there", false);
    } else if (seen->ours && seen->epoch == p->epoch && !strcmp(seen->content_hash, p->content_hash) &&
               !strcmp(seen->payload_hash, p->payload_hash) && !strcmp(seen->doc, p->doc)) {
        point_final(task, i, LKS_E_OK, NULL, false);
    } else {
        snprintf(text, sizeof text, "the point was not overwritten: its epoch is %" PRIu64 ", ours %" PRIu64,
                 seen->epoch, p->epoch);
        point_final(task, i, LKS_E_MISSED, text, false);
    }
}

static void look(struct task *task, size_t from);

static void looked(struct task *task, struct exchange *x, struct verdict *v)
{
    struct write *w = task->state;
    if (!v->code) verdict_broken(v, reply_witnesses(v->result, task->q->source, &w->seen, NULL), x->what);
    if (v->code) {
        v->unknown = true; /* they are written, or kept by the guard */
        write_fail(task, (struct range){0, task->req->write.count}, v);
        return;
    }
    look(task, x->first + x->count);
}

/* Retrieves what was written, from point `from` on; at the end all are judged. */
static void look(struct task *task, size_t from)
{
    struct write *w = task->state;
    const struct req *req = task->req;
    const char *ids[RETRIEVE_IDS_MAX];
    size_t count = 0, i;
    for (i = from; i < req->write.count && count < RETRIEVE_IDS_MAX; i++)
        if (w->marks[i] == MARK_WRITTEN) ids[count++] = req->write.points[i].point_id;
    if (!count) {
        witnesses_unique(&w->seen);
        for (i = 0; i < req->write.count; i++)
            if (w->marks[i] == MARK_WRITTEN) judge_seen(task, i);
        return;
    }
    struct exchange *x =
        exchange_new(task, "POST", task->c->url, "/points", looked, "look into \"%s\"", task->c->name);
    if (!x) return;
    x->first = from;
    x->count = i - from;
    body_retrieve(&x->body, ids, count, "[\"_lockstep\"]", false);
    exchange_send(x);
}

/* ---- the whole ---- */

/* Sends what comes next: a half that waits, or the points at the cursor. */
static void write_next(struct task *task)
{
    struct write *w = task->state;
    size_t count = task->req->write.count;
    if (w->half_count) {
        write_send(task, w->halves[--w->half_count]);
        return;
    }
    while (w->cursor < count && w->marks[w->cursor] != MARK_TODO) w->cursor++;
    if (w->cursor < count) {
        struct range range = {w->cursor, count - w->cursor};
        range.count = run_length(task, range);
        w->cursor += range.count;
        write_send(task, range);
    } else if (w->payload) {
        look(task, 0);
    }
}

/* Points that nothing was said about: the task ended before their turn. */
static void write_finish(struct task *task)
{
    struct write *w = task->state;
    struct req *req = task->req;
    if (!w) return;
    const struct lks_err *why = w->failed.code ? &w->failed : &req->err;
    for (size_t i = 0; i < req->write.count; i++)
        if (w->marks[i] != MARK_FINAL)
            point_final(task, i, why->code ? why->code : LKS_E_UNKNOWN, why->text,
                        w->marks[i] == MARK_WRITTEN);
    if (w->failed.code && (!w->confirmed || w->failed.code == LKS_E_NOT_FOUND)) task_fail(task, &w->failed);
    witnesses_fini(&w->seen);
    free(w->marks);
    free(w);
}

void write_start(struct task *task)
{
    struct req *req = task->req;
    struct write *w = calloc(1, sizeof *w);
    unsigned char *marks = calloc(req->write.count + 1, 1);
    if (!w || !marks) {
        free(w);
        free(marks);
        task_fail_nomem(task);
        for (size_t i = 0; i < req->write.count; i++) req->write.points[i].code = LKS_E_NOMEM;
        return;
    }
    w->payload = req->kind == REQ_PAYLOAD;
    w->marks = marks;
    task->state = w;
    task->finish = write_finish;
    for (size_t i = 0; i < req->write.count; i++) point_usable(task, i);
    write_next(task);
}
