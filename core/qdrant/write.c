/*
 * write.c - UPSERT: points in bodies of bounded size, one after the other, until each point's outcome is
 * known.
 *
 * A body that is refused for its content is sent again in halves, until the bad points stand alone. A failure
 * of the server ends the task: what was under way carries its `unknown`, what was not yet sent is known not
 * to be applied.
 *
 * An upsert drops the vectors that it leaves out. So a point that has some under further names is written in
 * steps: its payload, with no hash in it, so that it is not taken for right as long as it is in between; its
 * vector; and its payload as it is to be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "qdrant/exchange.h"

#define HALVES_MAX 64 /* of halving 2^32 points */

enum point_state {
    POINT_UNDECIDED = 0,
    POINT_FINAL /* its code says what became of it */
};

/* Of points that keep further vectors. */
enum step { STEP_WHOLE, STEP_UNHASH, STEP_VECTOR, STEP_PAYLOAD };

struct range {
    size_t first, count;
};

struct write {
    unsigned char *states; /* enum mark, one per point; owned */
    size_t cursor;         /* all points before it were sent, or are in `halves` */
    struct range halves[HALVES_MAX];
    size_t half_count;
    size_t confirmed;      /* points with LKS_E_OK */
    struct lks_err failed; /* the server's failure that ended it, if one did */
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
    w->states[i] = POINT_FINAL;
    if (!code) w->confirmed++;
}

/* The server failed: points of this range may be written, nothing further will be. */
static void write_fail(struct task *task, struct range range, const struct qdrant_verdict *v)
{
    struct write *w = task->state;
    w->failed = v->err;
    for (size_t i = range.first; i < range.first + range.count; i++)
        if (w->states[i] != POINT_FINAL) {
            point_final(task, i, v->code, v->err.text, v->unknown);
            task->req->write.points[i].blame = v->err.blame;
        }
}

/* ---- what can be seen without asking the server ---- */

static bool point_usable(struct task *task, size_t i)
{
    const struct point_write *p = &task->req->write.points[i];
    size_t wanted = task->c->dimensions;
    char text[WHAT_BYTES];
    if (!body_payload_usable(p->payload, p->payload_bytes)) {
        point_final(task, i, LKS_E_QDRANT_REJECTED, "the payload is no JSON object", false);
        return false;
    }
    if (p->vector && p->dimensions && (!wanted || wanted == p->dimensions)) return true;
    snprintf(text, sizeof text, "the vector has %zu dimensions, \"%s\" takes %zu",
             p->vector ? p->dimensions : 0, task->c->name, wanted);
    point_final(task, i, LKS_E_QDRANT_REJECTED, text, false);
    return false;
}

/* How many points from `first` on can share a body: of one kind, and under one epoch if they are guarded. */
static size_t run_length(const struct task *task, struct range range)
{
    const struct write *w = task->state;
    const struct point_write *points = task->req->write.points;
    bool guarded = task->c->guarded;
    size_t limit = task->c->upsert_limit;
    size_t n = 1;
    while (n < range.count && (!limit || n < limit) && w->states[range.first + n] == POINT_UNDECIDED &&
           points[range.first + n].keeps == points[range.first].keeps &&
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

static void keep_send(struct task *task, struct range range, enum step step);

static void written(struct task *task, struct exchange *x, struct qdrant_verdict *v)
{
    struct write *w = task->state;
    struct range range = {x->first, x->count};
    bool payloads = x->step == STEP_UNHASH || x->step == STEP_PAYLOAD;
    if (payloads)
        verdict_operations(v, x->count, x->what);
    else
        verdict_operation(v, x->what);
    /* Of those that are gone Qdrant names one, and writes the others; whoever looks finds out. */
    if (x->step == STEP_VECTOR && v->missing) v->code = LKS_E_OK;
    if (!v->code && (x->step == STEP_UNHASH || x->step == STEP_VECTOR)) {
        keep_send(task, range, x->step == STEP_UNHASH ? STEP_VECTOR : STEP_PAYLOAD);
        return;
    }
    if (!v->code) {
        for (size_t i = range.first; i < range.first + range.count; i++)
            point_final(task, i, LKS_E_OK, NULL, false);
    } else if (v->content && range.count > 1 && w->half_count + 2 <= HALVES_MAX) {
        if (v->limit && !payloads) task->c->upsert_limit = v->limit;
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

/* What does not fit in waits. */
static void rest_waits(struct task *task, struct exchange *x, struct range range)
{
    struct write *w = task->state;
    if (x->count == range.count) return;
    if (w->half_count == HALVES_MAX) { /* cannot be: every half is half as long as the one below it */
        task_fail_nomem(task);
        x->body.failed = true;
    } else {
        w->halves[w->half_count++] = (struct range){range.first + x->count, range.count - x->count};
    }
}

static struct stamp_fields stamp_now(const struct qdrant_collection *c)
{
    struct stamp_fields stamp = c->stamp;
    stamp.written_ms = clock_wall_ms();
    return stamp;
}

/* One step of writing points that keep further vectors. */
static void keep_send(struct task *task, struct range range, enum step step)
{
    struct qdrant_collection *c = task->c;
    struct stamp_fields stamp = stamp_now(c);
    const struct point_write *points = task->req->write.points + range.first;
    bool guarded = c->guarded, vector = step == STEP_VECTOR;
    struct exchange *x = vector ? exchange_new(task, "PUT", c->url, "/points/vectors?wait=true", written,
                                               "update vectors in \"%s\"", c->name)
                                : exchange_new(task, "POST", c->url, "/points/batch?wait=true", written,
                                               "overwrite payloads in \"%s\"", c->name);
    if (!x) return;
    x->step = (int)step;
    x->first = range.first;
    x->count = vector ? body_vectors(&x->body, points, range.count, guarded, BODY_BYTES_MAX)
                      : body_payload(&x->body, &stamp, points, range.count, guarded, step == STEP_PAYLOAD,
                                     BODY_BYTES_MAX);
    rest_waits(task, x, range);
    exchange_send(x);
}

static void write_send(struct task *task, struct range range)
{
    struct qdrant_collection *c = task->c;
    struct stamp_fields stamp = stamp_now(c);
    const struct point_write *points = task->req->write.points + range.first;
    size_t run = run_length(task, range);
    if (points->keeps) {
        struct range kept = {range.first, run};
        struct write *w = task->state;
        if (run < range.count && w->half_count < HALVES_MAX)
            w->halves[w->half_count++] = (struct range){range.first + run, range.count - run};
        keep_send(task, kept, STEP_UNHASH);
        return;
    }
    struct exchange *x =
        exchange_new(task, "PUT", c->url, "/points?wait=true", written, "upsert into \"%s\"", c->name);
    if (!x) return;
    x->step = STEP_WHOLE;
    x->first = range.first;
    x->count = body_upsert(&x->body, &stamp, points, run, c->guarded, BODY_BYTES_MAX);
    rest_waits(task, x, range);
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
    while (w->cursor < count && w->states[w->cursor] != POINT_UNDECIDED) w->cursor++;
    if (w->cursor < count) {
        struct range range = {w->cursor, count - w->cursor};
        range.count = run_length(task, range);
        w->cursor += range.count;
        write_send(task, range);
    }
}

/* Points that nothing was said about: the task ended before their turn. */
static void write_finish(struct task *task)
{
    struct write *w = task->state;
    struct req *req = task->req;
    if (!w) return;
    const struct lks_err *reason = w->failed.code ? &w->failed : &req->err;
    for (size_t i = 0; i < req->write.count; i++)
        if (w->states[i] != POINT_FINAL) {
            point_final(task, i, reason->code ? reason->code : LKS_E_UNKNOWN, reason->text, false);
            req->write.points[i].blame = reason->blame;
        }
    if (w->failed.code && (!w->confirmed || w->failed.code == LKS_E_NOT_FOUND)) task_fail(task, &w->failed);
    free(w->states);
    free(w);
}

void write_start(struct task *task)
{
    struct req *req = task->req;
    struct write *w = calloc(1, sizeof *w);
    unsigned char *states = calloc(req->write.count + 1, 1);
    if (!w || !states) {
        free(w);
        free(states);
        task_fail_nomem(task);
        for (size_t i = 0; i < req->write.count; i++) req->write.points[i].code = LKS_E_NOMEM;
        return;
    }
    w->states = states;
    task->state = w;
    task->finish = write_finish;
    for (size_t i = 0; i < req->write.count; i++) point_usable(task, i);
    write_next(task);
}
