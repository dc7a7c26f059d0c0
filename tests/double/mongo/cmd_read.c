/* cmd_read.c - find, getMore, killCursors, count, distinct. */
#include "agg.h"
#include "commands.h"
#include "cursor.h"
#include "text.h"

#include <stdlib.h>

#define DEFAULT_BATCH 101
#define DEFAULT_AWAIT_MS 1000

static int parse_error(struct req *r, const char *name, struct val v, const char *what)
{
    return merr_set(&r->err, MERR_FAILED_TO_PARSE, "Failed to parse: %s. '%s' field must be %s.",
                    text_field(&r->a, name, v), name, what);
}

static int get_number(struct req *r, const char *name, int64_t *out, const char *complaint)
{
    struct val v = doc_get(r->body, name);
    if (val_missing(v)) return 0;
    if (!val_is_num(v)) return parse_error(r, name, v, "numeric");
    *out = val_int(v);
    if (*out < 0)
        return merr_set(&r->err, MERR_BAD_VALUE, "%s value must be non-negative, but received: %lld",
                        complaint, (long long)*out);
    return 0;
}

static int get_doc(struct req *r, const char *name, struct val *out)
{
    *out = doc_get(r->body, name);
    if (!val_missing(*out) && !val_is_doc(*out)) return parse_error(r, name, *out, "of BSON type object");
    return 0;
}

/* ---- find ---- */

static const char *const find_fields[] = {"filter",
                                          "sort",
                                          "projection",
                                          "hint",
                                          "skip",
                                          "limit",
                                          "batchSize",
                                          "ntoreturn",
                                          "singleBatch",
                                          "max",
                                          "min",
                                          "returnKey",
                                          "showRecordId",
                                          "tailable",
                                          "awaitData",
                                          "oplogReplay",
                                          "noCursorTimeout",
                                          "allowPartialResults",
                                          "collation",
                                          "allowDiskUse",
                                          "$readPreference",
                                          "runtimeConstants",
                                          "options",
                                          NULL};

static int empty_find(struct req *r, const char *ns)
{
    bw_doc(&r->reply, "cursor");
    bw_i64(&r->reply, "id", 0);
    bw_str(&r->reply, "ns", ns);
    bw_arr(&r->reply, "firstBatch");
    bw_end(&r->reply);
    bw_end(&r->reply);
    return 0;
}

static int find_options(struct req *r, struct query_spec *q, struct val *projection, int64_t *batch,
                        bool *single)
{
    static const char *const refused[] = {"returnKey", "showRecordId", "tailable", "awaitData"};
    memset(q, 0, sizeof *q);
    if (request_fields(r, find_fields, UNKNOWN_PARSE)) return r->err.code;
    if (get_doc(r, "filter", &q->filter) || get_doc(r, "sort", &q->sort) ||
        get_doc(r, "projection", projection) || get_doc(r, "min", &q->min) || get_doc(r, "max", &q->max) ||
        get_number(r, "skip", &q->skip, "Skip") || get_number(r, "limit", &q->limit, "Limit") ||
        get_number(r, "batchSize", batch, "BatchSize"))
        return r->err.code;
    struct iter it;
    for (iter_init(&it, q->sort); iter_next(&it);)
        if (!val_is_doc(it.v) && (!val_is_num(it.v) || (val_ldouble(it.v) != 1 && val_ldouble(it.v) != -1)))
            return merr_set(&r->err, MERR_BAD_VALUE, "bad sort specification");
    q->projection = *projection;
    q->batch_size = doc_get(r->body, "batchSize");
    q->hint = doc_get(r->body, "hint");
    for (size_t i = 0; i < 4; i++)
        if (val_truthy(doc_get(r->body, refused[i])))
            return merr_set(&r->err, MERR_NOT_IMPLEMENTED, "the stand-in does not know the option %s of find",
                            refused[i]);
    *single = val_truthy(doc_get(r->body, "singleBatch"));
    return 0;
}

/* What the options refer to must outlive the message. */
static void keep_spec(struct pool *a, struct query_spec *q)
{
    q->filter = val_dup(a, q->filter);
    q->sort = val_dup(a, q->sort);
    q->hint = val_dup(a, q->hint);
    q->min = val_dup(a, q->min);
    q->max = val_dup(a, q->max);
}

static int find_in_view(struct req *r, const char *ns, const struct query_spec *spec, int64_t batch)
{
    struct val stages;
    if (view_stages(r, spec, &stages)) return r->err.code;
    return run_pipeline(r, ns, stages, batch < 0 ? DEFAULT_BATCH : batch);
}

int cmd_find(struct req *r)
{
    struct query_spec spec;
    struct val projection, first = doc_get(r->body, r->name);
    int64_t batch = -1;
    bool single = false;
    char *ns;
    struct coll *snapshot;
    if (!val_is_str(first)) return parse_error(r, r->name, first, "of BSON type string");
    if (find_options(r, &spec, &projection, &batch, &single) || request_ns(r, &ns)) return r->err.code;
    struct coll *c = request_view(r, ns, &snapshot);
    if (request_collation(r, c)) return r->err.code;
    if (c && c->view) return find_in_view(r, ns, &spec, batch);
    struct cursor *cur = cursor_new(r, ns);
    keep_spec(&cur->a, &spec);
    projection = val_dup(&cur->a, projection);
    struct ectx e = r->ectx;
    e.a = &cur->a;
    int rc = 0;
    if (val_is_doc(projection) && !doc_is_empty(projection))
        rc = projection_parse(&cur->a, projection, PROJECT_FIND, NULL, &cur->projection, &r->err);
    if (!rc) rc = query_open(&cur->a, c, &spec, &e, &cur->query, &r->err);
    if (!rc) rc = r->err.code;
    if (rc || !c) {
        cursor_free(r->s, cur);
        return rc ? rc : empty_find(r, ns);
    }
    if (store_find(&r->s->store, ns) == c) cur->coll = c;
    cur->single = single;
    return cursor_reply(r, cur, batch < 0 ? DEFAULT_BATCH : batch, true, false);
}

/* ---- getMore, killCursors ---- */

static const char *const get_more_fields[] = {"collection", "batchSize", "term", "lastKnownCommittedOpTime",
                                              NULL};

static int bad_field(struct req *r, int code, const char *field, const char *what)
{
    return merr_set(&r->err, code, "Field '%s' %s: %s", field, what, text_of(&r->a, r->body, TEXT_BSON));
}

static int parse_get_more(struct req *r, int64_t *id, const char **coll, int64_t *batch, int64_t *max)
{
    struct val idv = doc_get(r->body, r->name), collv = doc_get(r->body, "collection"),
               batchv = doc_get(r->body, "batchSize"), maxv = doc_get(r->body, "maxTimeMS");
    if (!val_is(idv, BSON_TYPE_INT64))
        return bad_field(r, MERR_TYPE_MISMATCH, "getMore", "must be of type long in");
    if (val_missing(collv)) return bad_field(r, MERR_FAILED_TO_PARSE, "collection", "missing in");
    if (!val_is_str(collv))
        return bad_field(r, MERR_TYPE_MISMATCH, "collection", "must be of type string in");
    if (!val_missing(batchv) && !val_is_num(batchv))
        return bad_field(r, MERR_TYPE_MISMATCH, "batchSize", "must be a number in");
    if (!val_missing(maxv) && !val_is_num(maxv))
        return merr_set(&r->err, MERR_BAD_VALUE, "maxTimeMS must be a number");
    *id = val_int(idv);
    *coll = val_str(collv);
    *batch = val_int(batchv) ? val_int(batchv) : -1;
    *max = val_int(maxv);
    if (val_int(batchv) < 0)
        return merr_set(&r->err, MERR_BAD_VALUE,
                        "Batch size for getMore must be non-negative, but received: %lld", (long long)*batch);
    return *max < 0 ? merr_set(&r->err, MERR_BAD_VALUE, "%lld value for maxTimeMS is out of range",
                               (long long)*max)
                    : 0;
}

/* A cursor belongs to the session that opened it. */
static int check_session(struct req *r, const struct cursor *c)
{
    char ours[SESSION_TEXT_BYTES], own[SESSION_TEXT_BYTES];
    if (r->session) session_text(r->session->id, ours);
    if (c->session) session_text(c->session, own);
    if (r->session && !c->session)
        return merr_set(
            &r->err, 50736,
            "Cannot run getMore on cursor %lld, which was not created in a session, in session %s",
            (long long)c->id, ours);
    if (!r->session && c->session)
        return merr_set(&r->err, 50737,
                        "Cannot run getMore on cursor %lld, which was created in session %s, without an lsid",
                        (long long)c->id, own);
    if (c->session && memcmp(c->session, r->session->id, 16))
        return merr_set(&r->err, 50738,
                        "Cannot run getMore on cursor %lld, which was created in session %s, in session %s",
                        (long long)c->id, own, ours);
    return 0;
}

static int check_cursor(struct req *r, struct cursor *c, const char *coll, int64_t max)
{
    size_t db = strlen(r->db);
    if (strncmp(c->ns, r->db, db) || c->ns[db] != '.' || strcmp(c->ns + db + 1, coll))
        return merr_set(
            &r->err, MERR_UNAUTHORIZED,
            "Requested getMore on namespace '%s.%s', but cursor belongs to a different namespace %s", r->db,
            coll, c->ns);
    if (check_session(r, c)) return r->err.code;
    if (c->user && c->user != r)
        return merr_set(&r->err, 12051, "cursor id %lld is already in use", (long long)c->id);
    if (!c->stream && max > 0)
        return merr_set(&r->err, MERR_BAD_VALUE,
                        "cannot set maxTimeMS on getMore command for a non-awaitData cursor");
    if (c->coll && store_find(&r->s->store, c->ns) != c->coll) {
        merr_set(&r->err, 175, "collection dropped. UUID of the cursor's collection is gone: %s", c->ns);
        cursor_free(r->s, c);
    }
    return r->err.code;
}

int cmd_get_more(struct req *r)
{
    int64_t id = 0, batch = -1, max = 0;
    const char *coll = "";
    if (request_fields(r, get_more_fields, UNKNOWN_PARSE) || parse_get_more(r, &id, &coll, &batch, &max))
        return r->err.code;
    struct cursor *c = cursor_find(r->s, id);
    if (!c) return merr_set(&r->err, MERR_CURSOR_NOT_FOUND, "cursor id %lld not found", (long long)id);
    if (check_cursor(r, c, coll, max)) return r->err.code;
    bool wait = false;
    if (c->stream) {
        r->change_stream = true;
        r->deadline_ms = r->arrived_ms + (max > 0 ? max : DEFAULT_AWAIT_MS);
        wait = now_monotonic_ms() < r->deadline_ms;
        c->user = r;
    }
    int rc = cursor_reply(r, c, batch, false, wait);
    if (rc == MONGO_DEFER) return rc;
    c = cursor_find(r->s, id);
    if (c) c->user = NULL;
    return rc;
}

int cmd_kill_cursors(struct req *r)
{
    struct val ids = doc_get(r->body, "cursors"), none = val_empty_doc();
    struct bw killed, missing;
    struct iter it;
    size_t k = 0, m = 0;
    if (val_missing(ids)) return bad_field(r, MERR_FAILED_TO_PARSE, "cursors", "missing in");
    if (!val_is_arr(ids)) return bad_field(r, MERR_FAILED_TO_PARSE, "cursors", "must be of type array in");
    if (doc_is_empty(ids))
        return merr_set(&r->err, MERR_BAD_VALUE, "Must specify at least one cursor id in: %s",
                        text_of(&r->a, r->body, TEXT_BSON));
    bw_init(&killed, &r->a);
    bw_init(&missing, &r->a);
    for (iter_init(&it, ids); iter_next(&it);) {
        if (!val_is(it.v, BSON_TYPE_INT64))
            return merr_set(&r->err, MERR_FAILED_TO_PARSE,
                            "Field 'cursors' contains an element that is not of type long: %s",
                            text_field(&r->a, it.key, it.v));
        struct cursor *c = cursor_find(r->s, val_int(it.v));
        if (c) {
            bw_puti(&killed, k++, it.v);
            cursor_free(r->s, c);
        } else {
            bw_puti(&missing, m++, it.v);
        }
    }
    struct val kv = bw_done(&killed), mv = bw_done(&missing);
    kv.t = mv.t = none.t = BSON_TYPE_ARRAY;
    bw_put(&r->reply, "cursorsKilled", kv);
    bw_put(&r->reply, "cursorsNotFound", mv);
    bw_put(&r->reply, "cursorsAlive", none);
    bw_put(&r->reply, "cursorsUnknown", none);
    return 0;
}

/* ---- count, distinct ---- */

static const char *const count_fields[] = {"query", "limit", "skip", "hint", "collation", "fields", NULL};

static bool count_one(void *ctx, struct val doc)
{
    (void)doc;
    ++*(int64_t *)ctx;
    return true;
}

static int count_in_view(struct req *r, struct coll *view, const struct query_spec *spec)
{
    struct val stages;
    struct pipeline *p;
    struct rec *rec;
    int64_t n = 0;
    if (view_stages(r, spec, &stages)) return r->err.code;
    struct coll *base = view_base(r, view, &stages);
    if (pipeline_parse(&r->a, stages, &p, &r->err)) return r->err.code;
    pipeline_start(p, &r->a, &r->ectx, count_one, &n);
    for (uint64_t at = 0; base && (rec = coll_scan(base, at)); at = rec->rid + 1)
        if (!pipeline_push(p, rec_doc(rec))) break;
    if (!r->err.code) pipeline_finish(p);
    bw_int(&r->reply, "n", n);
    return r->err.code;
}

int cmd_count(struct req *r)
{
    struct query_spec spec = {.filter = doc_get(r->body, "query"), .hint = doc_get(r->body, "hint")};
    struct val limit = doc_get(r->body, "limit"), skip = doc_get(r->body, "skip");
    struct coll *snapshot;
    char *ns;
    if (request_fields(r, count_fields, UNKNOWN_IDL) || request_ns(r, &ns)) return r->err.code;
    if (val_is(spec.filter, BSON_TYPE_NULL)) spec.filter = VAL_NONE;
    if (!val_missing(spec.filter) && !val_is_doc(spec.filter))
        return merr_set(&r->err, MERR_TYPE_MISMATCH,
                        "BSON field 'count.query' is the wrong type '%s', expected type 'object'",
                        val_type_name(spec.filter.t));
    spec.limit = val_int(limit) < 0 ? -val_int(limit) : val_int(limit);
    spec.skip = val_int(skip);
    if (spec.skip < 0)
        return merr_set(&r->err, MERR_BAD_VALUE, "Skip value must be non-negative, but received: %lld",
                        (long long)spec.skip);
    struct coll *c = request_view(r, ns, &snapshot);
    int64_t n = 0;
    if (request_collation(r, c)) return r->err.code;
    if (c && c->view) return count_in_view(r, c, &spec);
    if (c && (val_missing(spec.filter) || doc_is_empty(spec.filter)) && !spec.limit && !spec.skip) {
        n = c->count;
    } else {
        struct query *q;
        if (query_open(&r->a, c, &spec, &r->ectx, &q, &r->err)) return r->err.code;
        while (query_next(q, &r->ectx)) n++;
        if (r->err.code) return r->err.code;
    }
    bw_int(&r->reply, "n", n);
    return 0;
}

static const char *const distinct_fields[] = {"key", "query", "collation", "hint", NULL};

struct values {
    struct val *v;
    size_t n, cap;
    struct pool *a;
};

static bool add_value(void *ctx, struct val v, int64_t index)
{
    struct values *d = ctx;
    (void)index;
    if (val_missing(v) || val_is_arr(v)) return false;
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 64;
        d->v = xrealloc(d->v, d->cap * sizeof *d->v);
    }
    d->v[d->n++] = v;
    return false;
}

struct place {
    struct val v;
    size_t at;
};

static int by_value(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int c = val_cmp(x->v, y->v);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* Each value once, in the order of first appearance. */
static void put_distinct(struct req *r, struct values *d)
{
    struct place *p = xmalloc((d->n + 1) * sizeof *p);
    size_t keep = 0;
    for (size_t i = 0; i < d->n; i++) p[i] = (struct place){d->v[i], i};
    if (d->n) qsort(p, d->n, sizeof *p, by_value);
    for (size_t i = 0; i < d->n; i++)
        if (!keep || val_cmp(p[keep - 1].v, p[i].v) != 0) p[keep++] = p[i];
    if (keep) qsort(p, keep, sizeof *p, by_place);
    bw_arr(&r->reply, "values");
    for (size_t i = 0; i < keep; i++) bw_puti(&r->reply, i, p[i].v);
    bw_end(&r->reply);
    free(p);
}

int cmd_distinct(struct req *r)
{
    struct query_spec spec = {.filter = doc_get(r->body, "query")};
    struct val key = doc_get(r->body, "key");
    struct coll *snapshot;
    char *ns;
    if (request_fields(r, distinct_fields, UNKNOWN_IDL) || request_ns(r, &ns) || request_no_view(r, ns))
        return r->err.code;
    if (!val_is_str(key))
        return merr_set(&r->err, MERR_TYPE_MISMATCH, "\"key\" had the wrong type. Expected string, found %s",
                        val_type_name(key.t));
    struct path *path = path_parse(&r->a, val_str(key), val_strlen(key));
    if (!path) return merr_set(&r->err, MERR_OVERFLOW, "FieldPath is too long");
    struct query *q;
    struct values d = {.a = &r->a};
    struct rec *rec;
    struct coll *c = request_view(r, ns, &snapshot);
    if (request_collation(r, c) || query_open(&r->a, c, &spec, &r->ectx, &q, &r->err)) return r->err.code;
    while ((rec = query_next(q, &r->ectx))) path_visit(path, rec_doc(rec), PATH_LEAF_ELEMENTS, add_value, &d);
    if (!r->err.code) put_distinct(r, &d);
    free(d.v);
    return r->err.code;
}
