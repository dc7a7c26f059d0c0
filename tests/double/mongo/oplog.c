/* oplog.c - the log of operations: a ring bounded by bytes. Owns its entries; applies nothing. */
#include "oplog.h"

#include <stdlib.h>
#include <time.h>

void oplog_init(struct oplog *o, size_t max_bytes)
{
    memset(o, 0, sizeof *o);
    o->max_bytes = max_bytes;
    o->first_seq = 1;
    o->commit_seq = 1;
    o->term = 1;
}

void oplog_entry_fini(struct oplog_entry *e)
{
    rec_unref(e->doc);
    rec_unref(e->pre);
    coll_unref(e->coll);
    if (e->txn && --e->txn->refs == 0) free(e->txn);
    free(e->delta);
    free(e->ns);
    free(e->to);
}

void oplog_fini(struct oplog *o)
{
    for (uint64_t s = o->first_seq; s < oplog_end(o); s++) oplog_entry_fini(oplog_at(o, s));
    free(o->e);
    memset(o, 0, sizeof *o);
}

uint64_t oplog_end(const struct oplog *o)
{
    return o->first_seq + o->n;
}

struct oplog_entry *oplog_at(const struct oplog *o, uint64_t seq)
{
    return &o->e[(o->head + (size_t)(seq - o->first_seq)) & (o->cap - 1)];
}

uint64_t oplog_clock(const struct oplog *o)
{
    return o->clock > o->last_ts ? o->clock : o->last_ts;
}

void oplog_advance(struct oplog *o, uint64_t ts)
{
    if (ts > o->clock) o->clock = ts;
}

uint64_t oplog_tick(struct oplog *o)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seconds = (uint64_t)now.tv_sec << 32, last = oplog_clock(o);
    return seconds > last ? seconds | 1 : last + 1;
}

static void forget_oldest(struct oplog *o)
{
    struct oplog_entry *e = oplog_at(o, o->first_seq);
    o->bytes -= e->bytes;
    o->truncated = true;
    o->truncated_ts = e->ts;
    oplog_entry_fini(e);
    o->head = (o->head + 1) & (o->cap - 1);
    o->first_seq++;
    o->n--;
}

static void grow(struct oplog *o)
{
    size_t cap = o->cap ? o->cap * 2 : 1024;
    struct oplog_entry *e = xmalloc(cap * sizeof *e);
    for (size_t i = 0; i < o->n; i++) e[i] = *oplog_at(o, o->first_seq + i);
    free(o->e);
    o->e = e;
    o->cap = cap;
    o->head = 0;
}

static char *copy_text(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(xmalloc(n), s, n);
}

struct oplog_entry *oplog_append(struct oplog *o, uint64_t ts, enum oplog_op op, const char *ns,
                                 const uint8_t *uuid, struct rec *doc, struct rec *pre, struct val delta)
{
    if (o->n == o->cap) grow(o);
    struct oplog_entry *e = oplog_at(o, oplog_end(o));
    memset(e, 0, sizeof *e);
    e->ts = ts;
    e->term = o->term;
    e->op = op;
    e->ns = copy_text(ns);
    if (uuid) memcpy(e->uuid, uuid, 16);
    e->doc = doc ? rec_ref(doc) : NULL;
    e->pre = pre ? rec_ref(pre) : NULL;
    if (!val_missing(delta)) e->delta = memcpy(xmalloc(delta.n), delta.p, delta.n);
    e->bytes = (uint32_t)(sizeof *e + (doc ? doc->bytes : 0) + (val_missing(delta) ? 0 : delta.n));
    o->n++;
    o->bytes += e->bytes;
    o->last_ts = ts;
    o->last_write_ms = (int64_t)(ts >> 32) * 1000;
    /* what is not committed must stay, or it could not be undone */
    while (o->bytes > o->max_bytes && o->first_seq + 1 < o->commit_seq) forget_oldest(o);
    return e;
}

void oplog_noop(struct oplog *o)
{
    oplog_append(o, oplog_tick(o), OP_NOOP, "", NULL, NULL, NULL, VAL_NONE);
    oplog_commit(o);
}

void oplog_commit(struct oplog *o)
{
    if (o->frozen) return;
    while (o->commit_seq < oplog_end(o)) {
        struct oplog_entry *e = oplog_at(o, o->commit_seq++);
        o->commit_ts = e->ts;
        o->commit_term = e->term;
        rec_unref(e->pre);
        e->pre = NULL;
        coll_unref(e->coll);
        e->coll = NULL;
    }
}

void oplog_truncate(struct oplog *o)
{
    while (o->n && o->first_seq < o->commit_seq) forget_oldest(o);
    oplog_noop(o);
}

bool oplog_pop(struct oplog *o, struct oplog_entry *out)
{
    if (!o->n || oplog_end(o) <= o->commit_seq) return false;
    struct oplog_entry *e = oplog_at(o, oplog_end(o) - 1);
    *out = *e;
    o->bytes -= e->bytes;
    o->n--;
    return true;
}

bool oplog_lost(const struct oplog *o, uint64_t ts)
{
    /* the server wants the oldest entry to lie before the point of resumption */
    return o->truncated && (!o->n || oplog_at(o, o->first_seq)->ts >= ts);
}

uint64_t oplog_seek(const struct oplog *o, uint64_t ts)
{
    uint64_t lo = o->first_seq, hi = oplog_end(o);
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (oplog_at(o, mid)->ts < ts) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}
