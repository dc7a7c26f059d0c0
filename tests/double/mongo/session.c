/*
 * session.c - sessions, retryable writes, transactions. A transaction works on copies of the collections it
 * touches and applies its operations when it commits; whoever writes to a document that it has changed first
 * makes it fail, as the server may do at any time.
 */
#include "session.h"
#include "journal.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

static void clear_ops(struct session *s)
{
    for (size_t i = 0; i < s->op_count; i++) {
        free(s->ops[i].ns);
        rec_unref(s->ops[i].old);
        rec_unref(s->ops[i].now);
        free(s->ops[i].delta);
    }
    s->op_count = 0;
    store_fini(&s->view);
}

static void clear_retries(struct session *s)
{
    for (size_t i = 0; i < s->retry_count; i++) {
        rec_unref(s->retries[i].upserted);
        rec_unref(s->retries[i].value);
    }
    s->retry_count = 0;
}

static void session_free(struct session *s)
{
    clear_ops(s);
    clear_retries(s);
    free(s->ops);
    free(s->retries);
    free(s);
}

void sessions_fini(struct sessions *s)
{
    for (size_t i = 0; i < s->n; i++) session_free(s->all[i]);
    free(s->all);
    memset(s, 0, sizeof *s);
}

struct session *sessions_get(struct sessions *s, const uint8_t id[16])
{
    for (size_t i = s->n; i-- > 0;)
        if (!memcmp(s->all[i]->id, id, 16)) return s->all[i];
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->all = xrealloc(s->all, s->cap * sizeof *s->all);
    }
    struct session *se = xcalloc(1, sizeof *se);
    memcpy(se->id, id, 16);
    se->txn_number = -1;
    s->all[s->n++] = se;
    return se;
}

void sessions_end(struct sessions *s, const uint8_t id[16])
{
    for (size_t i = 0; i < s->n; i++) {
        if (memcmp(s->all[i]->id, id, 16)) continue;
        session_free(s->all[i]);
        s->all[i] = s->all[--s->n];
        return;
    }
}

void session_abort(struct session *s)
{
    clear_ops(s);
    s->state = TXN_ABORTED;
}

void sessions_rollback(struct sessions *s, uint64_t from_ts)
{
    for (size_t i = 0; i < s->n; i++) {
        struct session *se = s->all[i];
        size_t keep = 0;
        for (size_t k = 0; k < se->retry_count; k++) {
            if (se->retries[k].ts < from_ts) {
                se->retries[keep++] = se->retries[k];
            } else {
                rec_unref(se->retries[k].upserted);
                rec_unref(se->retries[k].value);
            }
        }
        se->retry_count = keep;
        if (se->state == TXN_ACTIVE) session_abort(se);
        if (se->state == TXN_COMMITTED && se->commit_ts >= from_ts) se->state = TXN_ABORTED;
    }
}

void session_text(const uint8_t id[16], char out[SESSION_TEXT_BYTES])
{
    size_t n = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out[n++] = '-';
        n += (size_t)snprintf(out + n, 3, "%02x", id[i]);
    }
    snprintf(out + n, SESSION_TEXT_BYTES - n, " - 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

static int too_old(struct req *r, const struct session *s)
{
    char id[SESSION_TEXT_BYTES];
    session_text(s->id, id);
    return merr_set(&r->err, MERR_TRANSACTION_TOO_OLD,
                    r->in_txn
                        ? "Cannot start transaction %lld on session %s because a newer transaction %lld has "
                          "already started on this session."
                        : "Retryable write with txnNumber %lld is prohibited on session %s because a newer "
                          "retryable write with txnNumber %lld has already started on this session.",
                    (long long)r->txn_number, id, (long long)s->txn_number);
}

static int begin_transaction(struct req *r, struct session *s)
{
    if (r->start_txn) {
        if (r->txn_number == s->txn_number && (s->txn_is_retryable || s->state != TXN_NONE))
            return merr_set(&r->err, 50911,
                            "Only servers in a sharded cluster can start a new transaction at the active "
                            "transaction number");
        clear_ops(s);
        clear_retries(s);
        s->txn_number = r->txn_number;
        s->txn_is_retryable = false;
        s->state = TXN_ACTIVE;
        s->read_seq = oplog_end(&r->s->oplog);
        return 0;
    }
    if (r->txn_number != s->txn_number || s->state == TXN_NONE)
        return merr_set(&r->err, MERR_NO_SUCH_TRANSACTION,
                        "Given transaction number %lld does not match any in-progress transactions. The "
                        "active transaction number is %lld",
                        (long long)r->txn_number, (long long)s->txn_number);
    if (s->state == TXN_COMMITTED && strcmp(r->name, "commitTransaction"))
        return merr_set(&r->err, MERR_TRANSACTION_COMMITTED, "Transaction %lld has been committed.",
                        (long long)r->txn_number);
    if (s->state == TXN_ABORTED)
        return merr_set(&r->err, MERR_NO_SUCH_TRANSACTION, "Transaction %lld has been aborted.",
                        (long long)r->txn_number);
    return 0;
}

int session_begin(struct req *r)
{
    struct session *s = r->session;
    if (!r->has_txn_number) return 0;
    if (r->txn_number < s->txn_number) return too_old(r, s);
    if (r->in_txn) return begin_transaction(r, s);
    if (r->txn_number > s->txn_number) {
        clear_ops(s);
        clear_retries(s);
        s->txn_number = r->txn_number;
        s->txn_is_retryable = true;
        s->state = TXN_NONE;
    } else if (!s->txn_is_retryable) {
        return merr_set(&r->err, 50768,
                        "Cannot specify 'txnNumber' of a transaction for a retryable write: %lld",
                        (long long)r->txn_number);
    }
    return 0;
}

struct retry_record *session_retried(struct req *r, int32_t stmt)
{
    if (!r->has_txn_number || r->in_txn) return NULL;
    for (size_t i = 0; i < r->session->retry_count; i++)
        if (r->session->retries[i].stmt == stmt) return &r->session->retries[i];
    return NULL;
}

struct retry_record *session_record(struct req *r, int32_t stmt)
{
    if (!r->has_txn_number || r->in_txn) return NULL;
    struct session *s = r->session;
    if (s->retry_count == s->retry_cap) {
        s->retry_cap = s->retry_cap ? s->retry_cap * 2 : 4;
        s->retries = xrealloc(s->retries, s->retry_cap * sizeof *s->retries);
    }
    struct retry_record *rec = &s->retries[s->retry_count++];
    memset(rec, 0, sizeof *rec);
    rec->stmt = stmt;
    rec->ts = r->wrote_ts;
    return rec;
}

void session_note(struct session *s, int op, const char *ns, struct rec *old, struct rec *now,
                  struct val delta)
{
    if (s->op_count == s->op_cap) {
        s->op_cap = s->op_cap ? s->op_cap * 2 : 8;
        s->ops = xrealloc(s->ops, s->op_cap * sizeof *s->ops);
    }
    struct txn_op *o = &s->ops[s->op_count++];
    size_t n = strlen(ns) + 1;
    o->op = op;
    o->ns = memcpy(xmalloc(n), ns, n);
    o->old = old ? rec_ref(old) : NULL;
    o->now = now ? rec_ref(now) : NULL;
    o->delta = val_missing(delta) ? NULL : memcpy(xmalloc(delta.n), delta.p, delta.n);
}

static bool touches(const struct session *s, const char *ns, struct val id)
{
    for (size_t i = 0; i < s->op_count; i++) {
        const struct rec *rec = s->ops[i].now ? s->ops[i].now : s->ops[i].old;
        if (!strcmp(s->ops[i].ns, ns) && val_cmp(doc_get(rec_doc(rec), "_id"), id) == 0) return true;
    }
    return false;
}

static int write_conflict(struct req *r)
{
    return merr_set(&r->err, MERR_WRITE_CONFLICT, "WriteConflict");
}

/* Has the document changed since the transaction took its copy of the collection? */
static bool changed_since(struct req *r, const char *ns, struct val id)
{
    struct oplog *o = &r->s->oplog;
    uint64_t seq = r->session->read_seq > o->first_seq ? r->session->read_seq : o->first_seq;
    for (; seq < oplog_end(o); seq++) {
        struct oplog_entry *e = oplog_at(o, seq);
        if (e->doc && !strcmp(e->ns, ns) && val_cmp(doc_get(rec_doc(e->doc), "_id"), id) == 0) return true;
    }
    return false;
}

int session_conflict(struct req *r, const char *ns, struct val id)
{
    struct sessions *all = &r->s->sessions;
    for (size_t i = 0; i < all->n; i++) {
        struct session *other = all->all[i];
        if (other == r->session || other->state != TXN_ACTIVE || !touches(other, ns, id)) continue;
        if (r->in_txn) return write_conflict(r);
        session_abort(other);
    }
    return r->in_txn && changed_since(r, ns, id) ? write_conflict(r) : 0;
}

/* ---- commit and abort ---- */

static int apply_op(struct req *r, const struct txn_op *o, uint64_t ts, struct oplog_txn *txn, uint32_t index)
{
    struct server *s = r->s;
    struct coll *c = store_find(&s->store, o->ns);
    if (!c)
        return merr_set(&r->err, MERR_NO_SUCH_TRANSACTION, "Transaction %lld has been aborted.",
                        (long long)r->txn_number);
    struct rec *now = o->now ? rec_new(rec_doc(o->now)) : NULL, *key = NULL;
    struct rec *old = coll_by_id(c, doc_get(rec_doc(o->now ? o->now : o->old), "_id"));
    struct rec *pre = old ? rec_ref(old) : NULL;
    int rc = 0;
    if (o->op == OP_INSERT) {
        rc = coll_insert(c, now, &r->err);
    } else if (o->op == OP_DELETE) {
        if (old) coll_delete(c, old);
    } else if (old) {
        rc = coll_replace(c, old, now, &r->err);
    }
    if (!rc) {
        struct bw w;
        bw_init(&w, &r->a);
        bw_put(&w, "_id", doc_get(rec_doc(o->now ? o->now : o->old), "_id"));
        key = rec_new(bw_done(&w));
        bool whole = o->op == OP_INSERT || o->op == OP_REPLACE;
        struct oplog_entry *e = oplog_append(&s->oplog, ts, (enum oplog_op)o->op, c->ns, c->uuid,
                                             whole ? now : key, pre, o->delta ? val_doc(o->delta) : VAL_NONE);
        e->txn = txn;
        e->txn_index = index;
        txn->refs++;
        if (o->op == OP_UPDATE) journal_after_image(s->journal, now);
        journal_write(s->journal, e);
    }
    rec_unref(key);
    rec_unref(pre);
    rec_unref(now);
    return rc;
}

/* Before anything is applied: would a unique index refuse an insert that the transaction's copy took? */
static int check_ops(struct req *r, struct session *se)
{
    for (size_t i = 0; i < se->op_count; i++) {
        const struct txn_op *o = &se->ops[i];
        struct coll *c = store_find(&r->s->store, o->ns), *view = store_find(&se->view, o->ns);
        if (!c || !view || memcmp(c->uuid, view->uuid, 16)) return write_conflict(r);
    }
    return 0;
}

int cmd_commit_transaction(struct req *r)
{
    struct session *se = r->session;
    struct server *s = r->s;
    if (!r->in_txn) return merr_set(&r->err, 125, "commitTransaction must be run within a transaction");
    if (se->state == TXN_COMMITTED) {
        r->wrote = true;
        r->wrote_ts = se->commit_ts;
        return 0;
    }
    int rc = check_ops(r, se);
    if (!rc && se->op_count) {
        struct oplog_txn *txn = xcalloc(1, sizeof *txn);
        uint64_t ts = oplog_tick(&s->oplog);
        txn->refs = 1;
        memcpy(txn->lsid, se->id, 16);
        txn->number = r->txn_number;
        for (size_t i = 0; i < se->op_count && !rc; i++) rc = apply_op(r, &se->ops[i], ts, txn, (uint32_t)i);
        if (--txn->refs == 0) free(txn);
        oplog_commit(&s->oplog);
        r->wrote_ts = ts;
        request_wrote(r);
    }
    if (rc) {
        session_abort(se);
        return rc;
    }
    se->commit_ts = s->oplog.last_ts;
    clear_ops(se);
    se->state = TXN_COMMITTED;
    return 0;
}

int cmd_abort_transaction(struct req *r)
{
    if (!r->in_txn) return merr_set(&r->err, 125, "abortTransaction must be run within a transaction");
    session_abort(r->session);
    return 0;
}
