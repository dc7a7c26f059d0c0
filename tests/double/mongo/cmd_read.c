/* cmd_read.c - find, getMore, killCursors, aggregate, count, distinct. */
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

static int refuse_collation(struct req *r)
{
    struct val c = doc_get(r->body, "collation"), locale = doc_get(c, "locale");
    if (val_missing(c) || (val_is_doc(c) && doc_is_empty(c)) || val_str_is(locale, "simple")) return 0;
    return merr_set(&r->err, MERR_NOT_IMPLEMENTED, "the stand-in knows no collation but the simple one");
}

static void remember_session(struct req *r, struct cursor *cur)
{
    if (r->session) cur->session = pool_copy(&cur->a, r->session->id, 16);
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
        get_number(r, "batchSize", batch, "BatchSize") || refuse_collation(r))
        return r->err.code;
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
    struct cursor *cur = cursor_new(r->s, ns);
    struct coll *c = request_view(r, ns, &snapshot);
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
    remember_session(r, cur);
    cur->single = single;
    return cursor_reply(r, cur, batch < 0 ? DEFAULT_BATCH : batch, true, false);
}

/* ---- getMore, killCursors ---- */

static const char *const get_more_fields[] = {"collection", "batchSize", "term", "lastKnownCommittedOpTime",
                                              NULL};

static int not_found(struct req *r, int64_t id)
{
    return merr_set(&r->err, MERR_CURSOR_NOT_FOUND, "cursor id %lld not found", (long long)id);
}

int cmd_get_more(struct req *r)
{
    struct val id = doc_get(r->body, r->name), coll = doc_get(r->body, "collection"),
               batch = doc_get(r->body, "batchSize"), max = doc_get(r->body, "maxTimeMS");
    if (request_fields(r, get_more_fields, UNKNOWN_PARSE)) return r->err.code;
    if (!val_is(id, BSON_TYPE_INT64))
        return merr_set(&r->err, MERR_TYPE_MISMATCH, "Field 'getMore' must be of type long in: %s",
                        text_of(&r->a, r->body, TEXT_BSON));
    if (!val_is_str(coll))
        return merr_set(&r->err, MERR_TYPE_MISMATCH, "Field 'collection' must be of type string in: %s",
                        text_of(&r->a, r->body, TEXT_BSON));
    int64_t n = val_is_num(batch) && val_int(batch) ? val_int(batch) : -1;
    if (val_is_num(batch) && val_int(batch) < 0)
        return merr_set(&r->err, MERR_BAD_VALUE,
                        "Batch size for getMore must be positive, but received: %lld", (long long)n);
    struct cursor *c = cursor_find(r->s, val_int(id));
    if (!c) return not_found(r, val_int(id));
    size_t db = strlen(r->db);
    if (strncmp(c->ns, r->db, db) || c->ns[db] != '.' || strcmp(c->ns + db + 1, val_str(coll)))
        return merr_set(
            &r->err, MERR_UNAUTHORIZED,
            "Requested getMore on namespace '%s.%s', but cursor belongs to a different namespace %s", r->db,
            val_str(coll), c->ns);
    if (c->session && (!r->session || memcmp(c->session, r->session->id, 16)))
        return merr_set(&r->err, r->session ? 50738 : 50737,
                        "Cannot run getMore on cursor %lld, which was created in session by another %s",
                        (long long)c->id, "session");
    if (c->user && c->user != r)
        return merr_set(&r->err, 12051, "cursor id %lld is already in use", (long long)c->id);
    if (!c->stream && val_is_num(max) && val_int(max) > 0)
        return merr_set(&r->err, MERR_BAD_VALUE,
                        "cannot set maxTimeMS on getMore command for a non-awaitData cursor");
    if (c->coll && store_find(&r->s->store, c->ns) != c->coll) {
        cursor_free(r->s, c);
        return merr_set(&r->err, 175, "collection dropped between getMore calls");
    }
    bool wait = false;
    if (c->stream) {
        r->change_stream = true;
        r->deadline_ms =
            r->arrived_ms + (val_is_num(max) && val_int(max) > 0 ? val_int(max) : DEFAULT_AWAIT_MS);
        wait = now_monotonic_ms() < r->deadline_ms;
        c->user = r;
    }
    int rc = cursor_reply(r, c, n, false, wait);
    if (rc == MONGO_PARK) return rc;
    c = cursor_find(r->s, val_int(id));
    if (c) c->user = NULL;
    return rc;
}

int cmd_kill_cursors(struct req *r)
{
    struct val ids = doc_get(r->body, "cursors");
    struct bw killed, missing;
    struct iter it;
    size_t k = 0, m = 0;
    if (!val_is_arr(ids))
        return merr_set(&r->err, MERR_FAILED_TO_PARSE, "Field 'cursors' must be of type array in: %s",
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
    struct val kv = bw_done(&killed), mv = bw_done(&missing), none = val_empty_doc();
    kv.t = mv.t = none.t = BSON_TYPE_ARRAY;
    bw_put(&r->reply, "cursorsKilled", kv);
    bw_put(&r->reply, "cursorsNotFound", mv);
    bw_put(&r->reply, "cursorsAlive", none);
    bw_put(&r->reply, "cursorsUnknown", none);
    return 0;
}

/* ---- aggregate ---- */

static const char *const aggregate_fields[] = {"pipeline",
                                               "cursor",
                                               "explain",
                                               "allowDiskUse",
                                               "bypassDocumentValidation",
                                               "collation",
                                               "hint",
                                               "fromMongos",
                                               "needsMerge",
                                               "mergeByPBRT",
                                               "exchange",
                                               "runtimeConstants",
                                               "let",
                                               "isMapReduceCommand",
                                               "use44SortKeys",
                                               "useNewUpsert",
                                               NULL};

static bool collect_result(void *ctx, struct val doc)
{
    cursor_add(ctx, doc);
    return true;
}

static int open_stream(struct req *r, const char *coll, struct val stages, const char *ns, int64_t batch)
{
    struct cursor *cur = cursor_new(r->s, ns);
    remember_session(r, cur);
    if (stream_open(r, &cur->a, r->db, coll, val_dup(&cur->a, stages), &cur->stream)) {
        cursor_free(r->s, cur);
        return r->err.code;
    }
    r->change_stream = true;
    return cursor_reply(r, cur, batch, true, false);
}

static void coll_stats(struct req *r, struct pipeline *p, const struct coll *c, const char *ns)
{
    struct bw w;
    bw_init(&w, &r->a);
    bw_str(&w, "ns", ns);
    bw_str(&w, "host", r->s->host);
    bw_date(&w, "localTime", r->ectx.now_ms);
    bw_int(&w, "count", c->count);
    pipeline_push(p, bw_done(&w));
}

/* Feeds the documents of a collection to the pipeline. */
static int feed(struct req *r, struct pipeline *p, struct coll *c, struct val match)
{
    struct query_spec spec = {.filter = match, .hint = doc_get(r->body, "hint")};
    struct query *q;
    struct pool scratch = {0};
    struct ectx e = r->ectx;
    if (query_open(&r->a, c, &spec, &e, &q, &r->err)) return r->err.code;
    struct rec *rec;
    r->ectx.a = &scratch;
    e.a = &scratch;
    while ((rec = query_next(q, &e)) && pipeline_push(p, rec_doc(rec)))
        if (scratch.bytes > 65536) pool_reset(&scratch);
    if (!r->err.code) pipeline_finish(p);
    r->ectx.a = &r->a;
    pool_fini(&scratch);
    query_close(q);
    return r->err.code;
}

static int run_pipeline(struct req *r, const char *ns, struct val stages, int64_t batch)
{
    struct pipeline *p;
    struct coll *snapshot, *c = request_view(r, ns, &snapshot);
    struct val match = pipeline_leading_match(stages);
    if (pipeline_parse(&r->a, stages, &p, &r->err)) return r->err.code;
    if (val_is_doc(match)) {
        struct bw rest;
        struct iter it;
        size_t i = 0;
        bw_init(&rest, &r->a);
        for (iter_init(&it, stages); iter_next(&it); i++)
            if (i) bw_puti(&rest, i - 1, it.v);
        if (pipeline_parse(&r->a, bw_done(&rest), &p, &r->err)) return r->err.code;
    }
    if (pipeline_is_coll_stats(p) && !c)
        return merr_set(
            &r->err, MERR_NAMESPACE_NOT_FOUND,
            "Unable to retrieve count in $collStats stage :: caused by :: Collection [%s] not found.", ns);
    struct cursor *cur = cursor_new(r->s, ns);
    remember_session(r, cur);
    pipeline_start(p, &r->a, &r->ectx, collect_result, cur);
    int rc = 0;
    if (pipeline_is_coll_stats(p)) {
        coll_stats(r, p, c, ns);
        pipeline_finish(p);
    } else if (c) {
        rc = feed(r, p, c, match);
    } else {
        pipeline_finish(p);
    }
    if (!rc) rc = r->err.code;
    if (rc) {
        cursor_free(r->s, cur);
        return rc;
    }
    return cursor_reply(r, cur, batch, true, false);
}

int cmd_aggregate(struct req *r)
{
    struct val first = doc_get(r->body, r->name), stages = doc_get(r->body, "pipeline"),
               options = doc_get(r->body, "cursor");
    char *ns;
    int64_t batch = DEFAULT_BATCH;
    if (request_fields(r, aggregate_fields, UNKNOWN_PLAIN)) return r->err.code;
    if (!val_is_arr(stages))
        return merr_set(&r->err, MERR_TYPE_MISMATCH, "'pipeline' option must be specified as an array");
    bool whole = val_is_num(first);
    if (whole && val_ldouble(first) != 1)
        return merr_set(&r->err, MERR_FAILED_TO_PARSE,
                        "Invalid command format: the 'aggregate' field must specify a collection name or 1");
    if (!whole && request_ns(r, &ns)) return r->err.code;
    if (!val_missing(doc_get(r->body, "explain")))
        return merr_set(&r->err, MERR_NOT_IMPLEMENTED, "the stand-in does not explain");
    if (val_missing(options))
        return merr_set(&r->err, MERR_FAILED_TO_PARSE,
                        "The 'cursor' option is required, except for aggregate with the explain argument");
    if (!val_is_doc(options))
        return merr_set(&r->err, MERR_TYPE_MISMATCH, "cursor field must be missing or an object");
    struct iter it;
    for (iter_init(&it, options); iter_next(&it);) {
        if (strcmp(it.key, "batchSize"))
            return merr_set(&r->err, MERR_BAD_VALUE,
                            "cursor object can't contain fields other than batchSize");
        if (!val_is_num(it.v))
            return merr_set(&r->err, MERR_TYPE_MISMATCH, "cursor.batchSize must be a number");
        batch = val_int(it.v);
        if (batch < 0) return merr_set(&r->err, MERR_BAD_VALUE, "cursor.batchSize must not be negative");
    }
    if (refuse_collation(r)) return r->err.code;
    if (whole) {
        ns = pool_alloc(&r->a, strlen(r->db) + 16);
        memcpy(ns, r->db, strlen(r->db));
        memcpy(ns + strlen(r->db), ".$cmd.aggregate", 16);
    }
    if (val_is_doc(arr_get(stages, 0)) && !val_missing(doc_get(arr_get(stages, 0), "$changeStream"))) {
        if (r->in_txn)
            return merr_set(&r->err, MERR_OPERATION_IN_TRANSACTION,
                            "Stage not supported inside of a multi-document transaction: $changeStream");
        return open_stream(r, whole ? NULL : ns + strlen(r->db) + 1, stages, ns, batch);
    }
    if (whole) {
        struct pipeline *p;
        if (pipeline_parse(&r->a, stages, &p, &r->err)) return r->err.code;
        return merr_set(&r->err, MERR_INVALID_NAMESPACE,
                        "{aggregate: 1} is not valid for '%s'; a collection is required.",
                        val_is_doc(arr_get(stages, 0)) ? "this pipeline" : "an empty pipeline");
    }
    return run_pipeline(r, ns, stages, batch);
}

/* ---- count, distinct ---- */

static const char *const count_fields[] = {"query", "limit", "skip", "hint", "collation", "fields", NULL};

int cmd_count(struct req *r)
{
    struct query_spec spec = {.filter = doc_get(r->body, "query"), .hint = doc_get(r->body, "hint")};
    struct val limit = doc_get(r->body, "limit"), skip = doc_get(r->body, "skip");
    struct coll *snapshot;
    char *ns;
    if (request_fields(r, count_fields, UNKNOWN_IDL) || request_ns(r, &ns) || refuse_collation(r))
        return r->err.code;
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
    if (request_fields(r, distinct_fields, UNKNOWN_IDL) || request_ns(r, &ns) || refuse_collation(r))
        return r->err.code;
    if (!val_is_str(key))
        return merr_set(&r->err, MERR_TYPE_MISMATCH, "\"key\" had the wrong type. Expected string, found %s",
                        val_type_name(key.t));
    struct path *path = path_parse(&r->a, val_str(key), val_strlen(key));
    if (!path) return merr_set(&r->err, MERR_OVERFLOW, "FieldPath is too long");
    struct query *q;
    struct values d = {.a = &r->a};
    struct rec *rec;
    if (query_open(&r->a, request_view(r, ns, &snapshot), &spec, &r->ectx, &q, &r->err)) return r->err.code;
    while ((rec = query_next(q, &r->ectx))) path_visit(path, rec_doc(rec), PATH_LEAF_ELEMENTS, add_value, &d);
    if (!r->err.code) put_distinct(r, &d);
    free(d.v);
    return r->err.code;
}
