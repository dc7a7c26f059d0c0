/*
 * write.c - changes to collections together with their oplog entries, and undoing them. Inside a transaction
 * changes go to the transaction's own view and are noted there.
 */
#include "journal.h"
#include "server.h"

#include <stdlib.h>

static void logged(struct server *s, struct oplog_entry *e)
{
    journal_write(s->journal, e);
    oplog_commit(&s->oplog);
}

/* Appends an entry, unless there is no oplog to append it to. */
static struct oplog_entry *append(struct req *r, enum oplog_op op, const struct coll *c, struct rec *doc,
                                  struct rec *pre, struct val delta)
{
    struct server *s = r->s;
    uint64_t ts = oplog_tick(&s->oplog);
    struct oplog_entry *e = oplog_append(&s->oplog, ts, op, c->ns, c->uuid, doc, pre, delta);
    r->wrote_ts = ts;
    return e;
}

static struct rec *key_record(struct val doc)
{
    struct bw w;
    bw_init(&w, NULL);
    bw_put(&w, "_id", doc_get(doc, "_id"));
    struct rec *r = rec_new(bw_done(&w));
    bw_fini(&w);
    return r;
}

int write_create(struct req *r, const char *ns, struct val options, struct coll **out)
{
    struct server *s = r->s;
    struct coll *c = store_create(&s->store, ns, NULL, val_empty_doc());
    int rc = coll_set_options(c, options, &r->err);
    if (rc) {
        coll_unref(store_take(&s->store, ns));
        return rc;
    }
    struct bw w;
    bw_init(&w, &r->a);
    bw_put(&w, "o", options);
    logged(s, append(r, OP_CREATE, c, NULL, NULL, bw_done(&w)));
    *out = c;
    return 0;
}

int write_target(struct req *r, const char *ns, struct coll **out)
{
    if (!r->in_txn) {
        *out = store_find(&r->s->store, ns);
        return *out ? 0 : write_create(r, ns, val_empty_doc(), out);
    }
    struct session *se = r->session;
    *out = store_find(&se->view, ns);
    if (*out) return 0;
    struct coll *c = store_find(&r->s->store, ns);
    if (!c) {
        /* made outside, and at once: what a transaction creates is empty until it commits */
        int rc = write_create(r, ns, val_empty_doc(), &c);
        if (rc) return rc;
    }
    *out = coll_clone(c);
    store_put(&se->view, *out);
    return 0;
}

/* `old`: what an update starts from; a moderate validator lets documents alone that it never accepted. */
static int validate(struct req *r, const struct coll *c, const struct rec *old, struct val doc)
{
    if (val_truthy(doc_get(r->body, "bypassDocumentValidation"))) return 0;
    if (old && c->validate_moderate) {
        struct merr ignored;
        merr_init(&ignored);
        bool was_bad = coll_validate(c, rec_doc(old), &ignored) != 0;
        merr_fini(&ignored);
        if (was_bad) return 0;
    }
    return coll_validate(c, doc, &r->err);
}

int write_insert(struct req *r, struct coll *c, struct val doc, struct rec **out)
{
    if (validate(r, c, NULL, doc)) return r->err.code;
    if (r->in_txn && session_conflict(r, c->ns, doc_get(doc, "_id"))) return r->err.code;
    struct rec *rec = rec_new(doc);
    int rc = coll_insert(c, rec, &r->err);
    if (!rc) {
        coll_cap(c);
        request_wrote(r);
        if (r->in_txn) {
            session_note(r->session, OP_INSERT, c->ns, NULL, rec, VAL_NONE);
        } else {
            logged(r->s, append(r, OP_INSERT, c, rec, NULL, VAL_NONE));
        }
        if (out) *out = c ? coll_by_rid(c, rec->rid) : NULL;
    }
    rec_unref(rec);
    return rc;
}

static struct val delta_of(struct req *r, struct val set, struct val unset)
{
    struct bw w;
    bw_init(&w, r->ectx.a);
    bw_put(&w, "s", set);
    bw_put(&w, "u", unset);
    return bw_done(&w);
}

static void log_update(struct req *r, struct coll *c, struct rec *old, struct rec *now, struct val delta)
{
    if (val_missing(delta)) {
        logged(r->s, append(r, OP_REPLACE, c, now, old, VAL_NONE));
        return;
    }
    struct rec *key = key_record(rec_doc(now));
    struct oplog_entry *e = append(r, OP_UPDATE, c, key, old, delta);
    rec_unref(key);
    journal_after_image(r->s->journal, now);
    logged(r->s, e);
}

int write_update(struct req *r, struct coll *c, struct rec *old, struct rec *now, struct val set,
                 struct val unset, bool replaced)
{
    if (validate(r, c, old, rec_doc(now))) return r->err.code;
    if (c->capped_bytes && old->bytes != now->bytes)
        return merr_set(&r->err, MERR_CANNOT_GROW_CAPPED,
                        "Cannot change the size of a document in a capped collection: %u != %u", old->bytes,
                        now->bytes);
    if (session_conflict(r, c->ns, doc_get(rec_doc(old), "_id"))) return r->err.code;
    rec_ref(old);
    int rc = coll_replace(c, old, now, &r->err);
    if (!rc) {
        struct val delta = replaced ? VAL_NONE : delta_of(r, set, unset);
        request_wrote(r);
        if (r->in_txn) {
            session_note(r->session, replaced ? OP_REPLACE : OP_UPDATE, c->ns, old, now, delta);
        } else {
            log_update(r, c, old, now, delta);
        }
    }
    rec_unref(old);
    return rc;
}

int write_delete(struct req *r, struct coll *c, struct rec *old)
{
    if (c->capped_bytes)
        return merr_set(&r->err, MERR_ILLEGAL_OPERATION, "cannot remove from a capped collection: %s", c->ns);
    if (session_conflict(r, c->ns, doc_get(rec_doc(old), "_id"))) return r->err.code;
    rec_ref(old);
    coll_delete(c, old);
    request_wrote(r);
    if (r->in_txn) {
        session_note(r->session, OP_DELETE, c->ns, old, NULL, VAL_NONE);
    } else {
        struct rec *key = key_record(rec_doc(old));
        logged(r->s, append(r, OP_DELETE, c, key, old, VAL_NONE));
        rec_unref(key);
    }
    rec_unref(old);
    return 0;
}

int write_drop(struct req *r, struct coll *c)
{
    store_take(&r->s->store, c->ns);
    struct oplog_entry *e = append(r, OP_DROP, c, NULL, NULL, VAL_NONE);
    e->coll = c; /* the catalogue's reference */
    request_wrote(r);
    logged(r->s, e);
    return 0;
}

static char *copy_text(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(xmalloc(n), s, n);
}

int write_rename(struct req *r, struct coll *c, const char *to)
{
    struct coll *target = store_take(&r->s->store, to);
    struct oplog_entry *e = append(r, OP_RENAME, c, NULL, NULL, VAL_NONE);
    e->coll = target;
    e->to = copy_text(to);
    store_take(&r->s->store, c->ns);
    coll_rename(c, to);
    store_put(&r->s->store, c);
    request_wrote(r);
    logged(r->s, e);
    return 0;
}

void write_drop_database(struct req *r, const char *db)
{
    struct store *st = &r->s->store;
    for (size_t i = 0; i < st->n;) {
        if (strcmp(st->colls[i]->db, db)) {
            i++;
        } else {
            write_drop(r, st->colls[i]);
        }
    }
    char *ns = pool_alloc(&r->a, strlen(db) + 6);
    memcpy(ns, db, strlen(db));
    memcpy(ns + strlen(db), ".$cmd", 6);
    r->wrote_ts = oplog_tick(&r->s->oplog);
    request_wrote(r);
    logged(r->s, oplog_append(&r->s->oplog, r->wrote_ts, OP_DROP_DATABASE, ns, NULL, NULL, NULL, VAL_NONE));
}

void write_other(struct req *r, struct coll *c)
{
    struct bw w;
    bw_init(&w, &r->a);
    bw_put(&w, "o", c->options);
    bw_arr(&w, "i");
    for (size_t i = 1; i < c->index_count; i++) bw_puti(&w, i - 1, c->indexes[i]->spec);
    bw_end(&w);
    request_wrote(r);
    logged(r->s, append(r, OP_INDEX, c, NULL, NULL, bw_done(&w)));
}

/* ---- undoing ---- */

/* Takes the effect of one entry on documents back out of `c`. */
static void undo_document(struct coll *c, const struct oplog_entry *e)
{
    struct merr ignored;
    merr_init(&ignored);
    struct rec *now = coll_by_id(c, doc_get(rec_doc(e->op == OP_DELETE || !e->doc ? e->pre : e->doc), "_id"));
    if (e->op == OP_INSERT) {
        if (now) coll_delete(c, now);
    } else {
        struct rec *back = rec_new(rec_doc(e->pre));
        back->rid = e->pre->rid;
        if (e->op != OP_DELETE && now) coll_replace(c, now, back, &ignored);
        if (e->op == OP_DELETE && !now) coll_insert(c, back, &ignored);
        rec_unref(back);
    }
    merr_fini(&ignored);
}

static bool is_document(const struct oplog_entry *e)
{
    return e->op == OP_INSERT || e->op == OP_UPDATE || e->op == OP_REPLACE || e->op == OP_DELETE;
}

static void undo(struct server *s, struct oplog_entry *e)
{
    struct coll *c;
    if (is_document(e)) {
        c = store_find(&s->store, e->ns);
        if (c) undo_document(c, e);
    } else if (e->op == OP_CREATE) {
        coll_unref(store_take(&s->store, e->ns));
    } else if (e->op == OP_DROP && e->coll) {
        store_put(&s->store, coll_ref(e->coll));
    } else if (e->op == OP_RENAME) {
        c = store_take(&s->store, e->to);
        if (c) {
            coll_rename(c, e->ns);
            store_put(&s->store, c);
        }
        if (e->coll) store_put(&s->store, coll_ref(e->coll));
    }
}

void write_rollback(struct server *s)
{
    struct oplog_entry e;
    uint64_t from = s->oplog.commit_ts + 1;
    while (oplog_pop(&s->oplog, &e)) {
        undo(s, &e);
        oplog_entry_fini(&e);
    }
    sessions_rollback(&s->sessions, from);
    s->oplog.frozen = false;
    s->oplog.term++;
    journal_rollback(s->journal, from);
    oplog_noop(&s->oplog);
}

struct coll *write_majority_view(struct server *s, const char *ns, bool *is_snapshot)
{
    struct coll *c = store_find(&s->store, ns);
    struct oplog *o = &s->oplog;
    const char *name = ns;
    *is_snapshot = false;
    for (uint64_t seq = oplog_end(o); seq-- > o->commit_seq;) {
        struct oplog_entry *e = oplog_at(o, seq);
        if (e->op == OP_RENAME && !strcmp(e->ns, name) && !c) {
            c = store_find(&s->store, e->to);
            continue;
        }
        if (strcmp(e->op == OP_RENAME ? e->to : e->ns, name)) continue;
        if (e->op == OP_CREATE || e->op == OP_DROP || e->op == OP_RENAME) {
            if (*is_snapshot) coll_unref(c);
            *is_snapshot = false;
            c = e->op == OP_CREATE ? NULL : e->coll;
        } else if (is_document(e) && c) {
            if (!*is_snapshot) c = coll_clone(c), *is_snapshot = true;
            undo_document(c, e);
        }
    }
    return c;
}
