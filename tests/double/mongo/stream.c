/*
 * stream.c - change streams. A stream is a place in the oplog; each entry of its namespace gives one event,
 * or two where the first invalidates the stream. Only entries committed by a majority are shown. Resuming
 * goes by comparing tokens, and finds out about lost history as late as the server does.
 */
#include "stream.h"
#include "agg.h"
#include "text.h"
#include "token.h"

#include <stdio.h>
#include <stdlib.h>

enum scope { SCOPE_COLL, SCOPE_DB, SCOPE_ALL };

struct stream {
    enum scope scope;
    char *ns; /* db.coll, or db */
    struct pipeline *pipeline;
    bool lookup;
    uint64_t start_ts;
    char *resume;       /* events up to and including this token are not shown; NULL: none */
    bool must_find;     /* the resume token names an event, which must turn up */
    bool check_history; /* a point in time, which the oplog must still reach back to */
    bool positioned, has_read;
    uint64_t seq;     /* next entry to look at */
    bool second;      /* its invalidate is still to come */
    uint64_t seen_ts; /* time of the newest entry looked at */
    char *post_batch; /* owned */
    uint64_t post_batch_ts;
    char *last_event; /* owned; token of the event given last */
    uint64_t last_event_ts;
    bool invalidated;
    struct pool scratch; /* of the event given last */
};

static char *copy_text(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(xmalloc(n), s, n);
}

static void set_post_batch(struct stream *st, const char *text, uint64_t ts)
{
    char *copy = copy_text(text);
    free(st->post_batch);
    st->post_batch = copy;
    st->post_batch_ts = ts;
}

static void stream_release(void *p)
{
    struct stream *st = p;
    free(st->post_batch);
    free(st->last_event);
    pool_fini(&st->scratch);
}

/* ---- opening ---- */

static int wrong_type(struct req *r, const char *field, struct val v, const char *expected)
{
    return merr_set(&r->err, MERR_TYPE_MISMATCH,
                    "BSON field '$changeStream.%s' is the wrong type '%s', expected type '%s'", field,
                    val_type_name(v.t), expected);
}

struct stream_options {
    struct val resume_after, start_after, start_at, full_document;
    bool all;
};

static int parse_options(struct req *r, struct val spec, struct stream_options *o)
{
    struct iter it;
    memset(o, 0, sizeof *o);
    for (iter_init(&it, spec); iter_next(&it);) {
        if (!strcmp(it.key, "resumeAfter") || !strcmp(it.key, "startAfter")) {
            if (!val_is_doc(it.v)) return wrong_type(r, it.key, it.v, "object");
            *(it.key[0] == 'r' ? &o->resume_after : &o->start_after) = it.v;
        } else if (!strcmp(it.key, "startAtOperationTime")) {
            if (!val_is(it.v, BSON_TYPE_TIMESTAMP)) return wrong_type(r, it.key, it.v, "timestamp");
            o->start_at = it.v;
        } else if (!strcmp(it.key, "fullDocument")) {
            if (!val_is_str(it.v)) return wrong_type(r, it.key, it.v, "string");
            o->full_document = it.v;
        } else if (!strcmp(it.key, "allChangesForCluster")) {
            if (!val_is(it.v, BSON_TYPE_BOOL)) return wrong_type(r, it.key, it.v, "bool");
            o->all = it.v.p[0] != 0;
        } else {
            return merr_set(&r->err, 40415, "BSON field '$changeStream.%s' is an unknown field.", it.key);
        }
    }
    return 0;
}

static int check_scope(struct req *r, struct stream *st, const char *db, const char *coll, bool all)
{
    if (all && (strcmp(db, "admin") || coll))
        return merr_set(&r->err, MERR_INVALID_OPTIONS,
                        "A $changeStream with 'allChangesForCluster:true' may only be opened on the 'admin' "
                        "database, and with no collection name; found %s.%s",
                        db, coll ? coll : "$cmd.aggregate");
    if (!all && (!strcmp(db, "admin") || !strcmp(db, "config") || !strcmp(db, "local")))
        return merr_set(&r->err, MERR_INVALID_NAMESPACE,
                        "$changeStream may not be opened on the internal %s database", db);
    if (coll && !strncmp(coll, "system.", 7))
        return merr_set(&r->err, MERR_INVALID_NAMESPACE,
                        "$changeStream may not be opened on the internal %s.%s collection", db, coll);
    st->scope = all ? SCOPE_ALL : coll ? SCOPE_COLL : SCOPE_DB;
    return 0;
}

static int start_point(struct req *r, struct pool *a, struct stream *st, const struct stream_options *o)
{
    struct val token = val_missing(o->resume_after) ? o->start_after : o->resume_after;
    if (!val_missing(o->resume_after) && !val_missing(o->start_after))
        return merr_set(&r->err, 50865,
                        "Do not specify both 'resumeAfter' and 'startAfter' in a $changeStream stage");
    if (!val_missing(token) && !val_missing(o->start_at))
        return merr_set(&r->err, 40674,
                        "Only one type of resume option is allowed, but multiple were found.");
    if (!val_missing(token)) {
        struct token t;
        if (token_parse(a, token, &t, &r->err)) return r->err.code;
        if (t.from_invalidate && !val_missing(o->resume_after))
            return merr_set(&r->err, MERR_INVALID_RESUME_TOKEN,
                            "Attempting to resume a change stream using 'resumeAfter' is not allowed from an "
                            "invalidate notification.");
        st->start_ts = t.ts;
        st->resume = t.text;
        st->must_find = t.event;
        st->check_history = !t.event;
        set_post_batch(st, t.text, t.ts);
        return 0;
    }
    st->start_ts = val_missing(o->start_at) ? oplog_clock(&r->s->oplog) + 1 : rd64(o->start_at.p);
    st->check_history = !val_missing(o->start_at);
    set_post_batch(st, token_high_water(&r->a, st->start_ts), st->start_ts);
    return 0;
}

int stream_open(struct req *r, struct pool *a, const char *db, const char *coll, struct val stages,
                struct stream **out)
{
    struct stream *st = pool_alloc(a, sizeof *st);
    struct stream_options o;
    struct val spec = doc_get(arr_get(stages, 0), "$changeStream");
    memset(st, 0, sizeof *st);
    pool_defer(a, stream_release, st);
    if (!val_is_doc(spec))
        return merr_set(&r->err, 50808, "$changeStream must take a nested object but found: %s",
                        text_field(&r->a, "$changeStream", spec));
    if (parse_options(r, spec, &o)) return r->err.code;
    if (r->s->opt.standalone)
        return merr_set(&r->err, 40573, "The $changeStream stage is only supported on replica sets");
    if (!val_missing(o.full_document)) {
        st->lookup = val_str_is(o.full_document, "updateLookup");
        if (!st->lookup && !val_str_is(o.full_document, "default"))
            return merr_set(&r->err, 40575,
                            "unrecognized value for the 'fullDocument' option to the $changeStream stage. "
                            "Expected 'default' or 'updateLookup', got '%s'",
                            val_str(o.full_document));
    }
    if (check_scope(r, st, db, coll, o.all)) return r->err.code;
    size_t n = strlen(db), m = coll ? strlen(coll) + 1 : 0;
    st->ns = pool_alloc(a, n + m + 1);
    snprintf(st->ns, n + m + 1, "%s%s%s", db, coll ? "." : "", coll ? coll : "");
    struct bw rest;
    struct iter it;
    size_t i = 0;
    bw_init(&rest, a);
    for (iter_init(&it, stages); iter_next(&it); i++)
        if (i) bw_puti(&rest, i - 1, it.v);
    if (pipeline_parse_stream(a, bw_done(&rest), &st->pipeline, &r->err)) return r->err.code;
    *out = st;
    return start_point(r, a, st, &o);
}

/* ---- events ---- */

static bool in_scope(const struct stream *st, const struct oplog_entry *e)
{
    size_t n = strlen(st->ns);
    if (e->op == OP_NOOP || e->op == OP_CREATE || e->op == OP_INDEX) return false;
    switch (st->scope) {
    case SCOPE_COLL:
        return !strcmp(e->ns, st->ns) || (e->to && !strcmp(e->to, st->ns));
    case SCOPE_DB:
        return !strncmp(e->ns, st->ns, n) && e->ns[n] == '.';
    default:
        return true;
    }
}

static bool invalidates(const struct stream *st, const struct oplog_entry *e)
{
    if (st->scope == SCOPE_COLL) return e->op == OP_DROP || e->op == OP_RENAME;
    return st->scope == SCOPE_DB && e->op == OP_DROP_DATABASE;
}

static struct val document_key(struct pool *a, const struct oplog_entry *e)
{
    struct bw w;
    if (!e->doc) return VAL_NONE;
    bw_init(&w, a);
    bw_put(&w, "_id", doc_get(rec_doc(e->doc), "_id"));
    return bw_done(&w);
}

static void put_ns(struct bw *w, const char *key, const char *ns, bool database)
{
    const char *dot = strchr(ns, '.');
    bw_doc(w, key);
    bw_strn(w, "db", ns, (size_t)(dot - ns));
    if (!database) bw_str(w, "coll", dot + 1);
    bw_end(w);
}

/* The newest version that a majority has, or null. */
static void put_lookup(struct req *r, struct bw *w, const struct oplog_entry *e)
{
    bool is_snapshot;
    struct coll *c = write_majority_view(r->s, e->ns, &is_snapshot);
    struct rec *now =
        c && !memcmp(c->uuid, e->uuid, 16) ? coll_by_id(c, doc_get(rec_doc(e->doc), "_id")) : NULL;
    if (now) {
        bw_put(w, "fullDocument", rec_doc(now));
    } else {
        bw_null(w, "fullDocument");
    }
    if (is_snapshot) coll_unref(c);
}

static const char *operation(const struct oplog_entry *e)
{
    switch (e->op) {
    case OP_INSERT:
        return "insert";
    case OP_UPDATE:
        return "update";
    case OP_REPLACE:
        return "replace";
    case OP_DELETE:
        return "delete";
    case OP_DROP:
        return "drop";
    case OP_RENAME:
        return "rename";
    default:
        return "dropDatabase";
    }
}

static void put_token(struct bw *w, const char *key, const char *text)
{
    bw_doc(w, key);
    bw_str(w, "_data", text);
    bw_end(w);
}

static struct val make_event(struct req *r, struct stream *st, const struct oplog_entry *e, const char *token,
                             bool invalidate)
{
    static const uint8_t nobody[32] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
                                       0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
                                       0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
    struct bw w;
    bw_init(&w, &st->scratch);
    if (e->txn) {
        bw_i64(&w, "txnNumber", e->txn->number);
        bw_doc(&w, "lsid");
        bw_bin(&w, "id", BSON_SUBTYPE_UUID, e->txn->lsid, 16);
        bw_bin(&w, "uid", 0, nobody, 32); /* the digest of an empty user name */
        bw_end(&w);
    }
    if (e->op == OP_RENAME && !invalidate) put_ns(&w, "to", e->to, false);
    put_token(&w, "_id", token);
    bw_str(&w, "operationType", invalidate ? "invalidate" : operation(e));
    bw_ts(&w, "clusterTime", e->ts);
    if (invalidate) return bw_done(&w);
    if (e->op == OP_INSERT || e->op == OP_REPLACE) {
        bw_put(&w, "fullDocument", rec_doc(e->doc));
    } else if (e->op == OP_UPDATE && st->lookup) {
        put_lookup(r, &w, e);
    }
    put_ns(&w, "ns", e->ns, e->op == OP_DROP_DATABASE);
    struct val key = document_key(&st->scratch, e);
    if (!val_missing(key)) bw_put(&w, "documentKey", key);
    if (e->op == OP_UPDATE) {
        struct val delta = val_doc(e->delta);
        bw_doc(&w, "updateDescription");
        bw_put(&w, "updatedFields", doc_get(delta, "s"));
        bw_put(&w, "removedFields", doc_get(delta, "u"));
        bw_end(&w);
    }
    return bw_done(&w);
}

static char *event_token(struct pool *a, const struct oplog_entry *e, bool invalidate)
{
    return token_event(a, e->ts, e->txn_index, invalidate, e->op == OP_DROP_DATABASE ? NULL : e->uuid,
                       document_key(a, e));
}

/* ---- walking ---- */

static int history_lost(struct req *r)
{
    r->change_stream = true;
    return merr_set(
        &r->err, MERR_CHANGE_STREAM_HISTORY_LOST,
        "Resume of change stream was not possible, as the resume point may no longer be in the oplog. ");
}

static bool position(struct req *r, struct stream *st)
{
    struct oplog *o = &r->s->oplog;
    if (!st->positioned) {
        if (st->check_history && oplog_lost(o, st->start_ts)) return history_lost(r), false;
        st->seq = oplog_seek(o, st->start_ts);
        st->positioned = true;
        return true;
    }
    /* the record that was read last must still be there */
    if (st->seq < o->first_seq || (st->has_read && st->seq == o->first_seq)) {
        merr_set(&r->err, MERR_CAPPED_POSITION_LOST,
                 "Error in $cursor stage :: caused by :: CollectionScan died due to failure to restore "
                 "tailable cursor position. Last seen record id: RecordId(%llu)",
                 (unsigned long long)(st->seen_ts ? st->seen_ts : st->start_ts));
        return false;
    }
    return true;
}

/* Is this event to be shown, given where the stream was resumed? */
static bool past_resume(struct req *r, struct stream *st, const char *token)
{
    if (!st->resume) return true;
    int c = strcmp(token, st->resume);
    if (c < 0) return false;
    if (c == 0) return st->must_find = false, false;
    if (st->must_find)
        merr_set(&r->err, MERR_CHANGE_STREAM_FATAL,
                 "cannot resume stream; the resume token was not found. {_data: \"%s\"}", token);
    st->resume = NULL;
    return !st->must_find;
}

static int check_id(struct req *r, struct val event, const char *token)
{
    struct bw want, got;
    bw_init(&want, &r->a);
    put_token(&want, "_id", token);
    struct val expected = bw_done(&want), id = doc_get(event, "_id");
    if (val_same_bytes(doc_get(expected, "_id"), id)) return 0;
    bw_init(&got, &r->a);
    bw_put(&got, "_id", id);
    return merr_set(&r->err, MERR_CHANGE_STREAM_FATAL,
                    "Encountered an event whose _id field, which contains the resume token, was modified by "
                    "the pipeline. Modifying the _id field of an event makes it impossible to resume the "
                    "stream from that point. Only transformations that retain the unmodified _id field are "
                    "allowed. Expected: %s but found: %s",
                    text_of(&r->a, expected, TEXT_BSON), text_of(&r->a, bw_done(&got), TEXT_BSON));
}

/* The event of the entry at the stream's place, VAL_NONE if it is not to be shown. */
static struct val entry_event(struct req *r, struct stream *st, const struct oplog_entry *e, bool invalidate)
{
    if (st->scratch.bytes > 65536) pool_reset(&st->scratch);
    char *token = event_token(&st->scratch, e, invalidate);
    if (!past_resume(r, st, token)) return VAL_NONE;
    if (invalidate) st->invalidated = true;
    struct val event = make_event(r, st, e, token, invalidate);
    struct ectx c = r->ectx;
    c.a = &st->scratch;
    event = pipeline_transform(st->pipeline, event, &c);
    if (val_missing(event) || check_id(r, event, token)) return VAL_NONE;
    free(st->last_event);
    st->last_event = copy_text(token);
    st->last_event_ts = e->ts;
    return event;
}

enum stream_got stream_next(struct req *r, struct stream *st, struct val *event)
{
    struct oplog *o = &r->s->oplog;
    r->change_stream = true;
    if (st->invalidated) return STREAM_NOTHING;
    if (!position(r, st)) return STREAM_FAILED;
    while (st->seq < o->commit_seq && !st->invalidated) {
        const struct oplog_entry *e = oplog_at(o, st->seq);
        bool invalidate = st->second, ours = in_scope(st, e);
        st->seen_ts = e->ts;
        st->has_read = true;
        /* a drop or rename is looked at twice: for itself, and for the invalidate that follows it */
        st->second = ours && !invalidate && invalidates(st, e);
        if (!st->second) st->seq++;
        *event = ours ? entry_event(r, st, e, invalidate) : VAL_NONE;
        if (r->err.code) return STREAM_FAILED;
        if (!val_missing(*event)) return STREAM_EVENT;
    }
    return STREAM_NOTHING;
}

void stream_sent(struct stream *st)
{
    set_post_batch(st, st->last_event, st->last_event_ts);
}

void stream_drained(struct stream *st)
{
    struct pool a = {0};
    if (st->seen_ts > st->post_batch_ts) set_post_batch(st, token_high_water(&a, st->seen_ts), st->seen_ts);
    pool_fini(&a);
}

void stream_put_token(struct stream *st, struct bw *w)
{
    put_token(w, "postBatchResumeToken", st->post_batch);
}

bool stream_invalidated(const struct stream *st)
{
    return st->invalidated;
}
