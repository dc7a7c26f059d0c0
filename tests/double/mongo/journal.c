/* journal.c - writes oplog entries to a file and replays them. Owns the file; a torn end is cut off. */
#include "journal.h"
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct journal {
    FILE *f;
    const struct rec *after;
};

void journal_after_image(struct journal *j, const struct rec *now)
{
    if (j) j->after = now;
}

static void put_record(struct journal *j, struct val doc)
{
    fwrite(doc.p, 1, doc.n, j->f);
    fflush(j->f);
}

void journal_write(struct journal *j, const struct oplog_entry *e)
{
    if (!j) return;
    struct bw w;
    bw_init(&w, NULL);
    bw_ts(&w, "ts", e->ts);
    bw_i64(&w, "t", e->term);
    bw_i32(&w, "op", (int32_t)e->op);
    bw_str(&w, "ns", e->ns);
    bw_bin(&w, "ui", BSON_SUBTYPE_UUID, e->uuid, 16);
    if (e->to) bw_str(&w, "to", e->to);
    if (e->doc) bw_put(&w, "o", rec_doc(e->doc));
    if (e->delta) bw_put(&w, "d", val_doc(e->delta));
    if (j->after) bw_put(&w, "a", rec_doc(j->after));
    if (e->txn) {
        bw_bin(&w, "lsid", BSON_SUBTYPE_UUID, e->txn->lsid, 16);
        bw_i64(&w, "n", e->txn->number);
        bw_i32(&w, "i", (int32_t)e->txn_index);
    }
    j->after = NULL;
    put_record(j, bw_done(&w));
    bw_fini(&w);
}

void journal_rollback(struct journal *j, uint64_t from_ts)
{
    if (!j) return;
    struct bw w;
    bw_init(&w, NULL);
    bw_ts(&w, "rollback", from_ts);
    put_record(j, bw_done(&w));
    bw_fini(&w);
}

/* ---- reading ---- */

static void replay_document(struct server *s, enum oplog_op op, const char *ns, struct rec *doc,
                            struct val after, struct rec **pre)
{
    struct coll *c = store_find(&s->store, ns);
    struct merr err;
    if (!c || !doc) return;
    merr_init(&err);
    struct rec *old = coll_by_id(c, doc_get(rec_doc(doc), "_id"));
    if (old) *pre = rec_ref(old);
    if (op == OP_INSERT && !old) {
        coll_insert(c, doc, &err);
        coll_cap(c);
    } else if (op == OP_DELETE && old) {
        coll_delete(c, old);
    } else if (op == OP_REPLACE && old) {
        coll_replace(c, old, doc, &err);
    } else if (op == OP_UPDATE && old && val_is_doc(after)) {
        struct rec *now = rec_new(after);
        coll_replace(c, old, now, &err);
        rec_unref(now);
    }
    merr_fini(&err);
}

static void replay_indexes(struct coll *c, struct val delta)
{
    struct merr err;
    struct iter it;
    merr_init(&err);
    coll_set_options(c, doc_get(delta, "o"), &err);
    while (c->index_count > 1) coll_drop_index(c, c->index_count - 1);
    for (iter_init(&it, doc_get(delta, "i")); iter_next(&it);) coll_add_index(c, it.v, &err);
    merr_fini(&err);
}

static char *copy_text(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(xmalloc(n), s, n);
}

static void replay(struct server *s, struct val d)
{
    struct val ns = doc_get(d, "ns"), ui = doc_get(d, "ui"), to = doc_get(d, "to"), o = doc_get(d, "o"),
               delta = doc_get(d, "d"), lsid = doc_get(d, "lsid"), roll = doc_get(d, "rollback");
    if (val_is(roll, BSON_TYPE_TIMESTAMP)) {
        struct oplog_entry *newest;
        while (s->oplog.n && (newest = oplog_at(&s->oplog, oplog_end(&s->oplog) - 1))->ts >= rd64(roll.p))
            s->oplog.n--, s->oplog.bytes -= newest->bytes, oplog_entry_fini(newest);
        s->oplog.term++;
        return;
    }
    if (!val_is_str(ns) || !val_is(ui, BSON_TYPE_BINARY) || rd32(ui.p) != 16 ||
        !val_is(doc_get(d, "ts"), BSON_TYPE_TIMESTAMP))
        return;
    enum oplog_op op = (enum oplog_op)val_int(doc_get(d, "op"));
    struct rec *doc = val_is_doc(o) ? rec_new(o) : NULL, *pre = NULL;
    struct coll *c = store_find(&s->store, val_str(ns)), *gone = NULL;
    if (op == OP_CREATE && !c) {
        store_create(&s->store, val_str(ns), ui.p + 5,
                     val_is_doc(doc_get(delta, "o")) ? doc_get(delta, "o") : val_empty_doc());
    } else if (op == OP_DROP) {
        gone = store_take(&s->store, val_str(ns));
    } else if (op == OP_RENAME && val_is_str(to) && c) {
        gone = store_take(&s->store, val_str(to));
        store_take(&s->store, val_str(ns));
        coll_rename(c, val_str(to));
        store_put(&s->store, c);
    } else if (op == OP_INDEX && c && val_is_doc(delta)) {
        replay_indexes(c, delta);
    } else {
        replay_document(s, op, val_str(ns), doc, doc_get(d, "a"), &pre);
    }
    s->oplog.term = val_int(doc_get(d, "t"));
    struct oplog_entry *e =
        oplog_append(&s->oplog, rd64(doc_get(d, "ts").p), op, val_str(ns), ui.p + 5, doc, pre, delta);
    e->coll = gone;
    if (val_is_str(to)) e->to = copy_text(val_str(to));
    if (val_is(lsid, BSON_TYPE_BINARY) && rd32(lsid.p) == 16) {
        e->txn = xcalloc(1, sizeof *e->txn);
        e->txn->refs = 1;
        memcpy(e->txn->lsid, lsid.p + 5, 16);
        e->txn->number = val_int(doc_get(d, "n"));
        e->txn_index = (uint32_t)val_int(doc_get(d, "i"));
    }
    rec_unref(doc);
    rec_unref(pre);
    oplog_commit(&s->oplog);
}

/* A rolled-back entry was applied before the file says so: what it did is taken back by reading twice. */
static long read_records(FILE *f, void (*each)(void *, struct val, long), void *ctx)
{
    long good = 0;
    uint8_t head[4];
    rewind(f);
    while (fread(head, 1, 4, f) == 4) {
        uint32_t n = rd32(head);
        if (n < 5 || n > (uint32_t)4 * BVAL_MAX_INTERNAL_BYTES) break;
        uint8_t *p = xmalloc(n);
        memcpy(p, head, 4);
        bool ok = fread(p + 4, 1, n - 4, f) == n - 4 && bval_validate(p, n);
        if (ok) each(ctx, val_doc(p), good);
        free(p);
        if (!ok) break;
        good += (long)n;
    }
    return good;
}

struct gap {
    uint64_t ts;
    long at;
};

struct reading {
    struct server *s;
    struct gap *gaps;
    size_t n;
};

static void note_gap(void *ctx, struct val d, long at)
{
    struct reading *r = ctx;
    struct val roll = doc_get(d, "rollback");
    if (!val_is(roll, BSON_TYPE_TIMESTAMP)) return;
    r->gaps = xrealloc(r->gaps, (r->n + 1) * sizeof *r->gaps);
    r->gaps[r->n++] = (struct gap){rd64(roll.p), at};
}

static void apply_record(void *ctx, struct val d, long at)
{
    struct reading *r = ctx;
    struct val ts = doc_get(d, "ts");
    for (size_t i = 0; i < r->n && val_is(ts, BSON_TYPE_TIMESTAMP); i++)
        if (at < r->gaps[i].at && rd64(ts.p) >= r->gaps[i].ts) return;
    replay(r->s, d);
}

struct journal *journal_open(struct server *s, const char *path, struct merr *err)
{
    FILE *f = fopen(path, "a+b");
    if (!f) {
        merr_set(err, MERR_INTERNAL, "%s: %s", path, strerror(errno));
        return NULL;
    }
    struct reading r = {.s = s};
    read_records(f, note_gap, &r);
    long good = read_records(f, apply_record, &r);
    free(r.gaps);
    if (fseek(f, 0, SEEK_END) == 0 && ftell(f) > good && ftruncate(fileno(f), good) != 0) {
        merr_set(err, MERR_INTERNAL, "%s: %s", path, strerror(errno));
        fclose(f);
        return NULL;
    }
    struct journal *j = xcalloc(1, sizeof *j);
    j->f = f;
    return j;
}

void journal_close(struct journal *j)
{
    if (!j) return;
    fclose(j->f);
    free(j);
}
