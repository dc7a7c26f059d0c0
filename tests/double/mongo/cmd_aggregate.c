/* cmd_aggregate.c - aggregate: pipelines over a collection, and the opening of change streams. */
#include "agg.h"
#include "commands.h"
#include "cursor.h"

#define DEFAULT_BATCH 101

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
    struct cursor *cur = cursor_new(r, ns);
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

int run_pipeline(struct req *r, const char *ns, struct val stages, int64_t batch)
{
    struct pipeline *p;
    struct coll *snapshot, *c = request_view(r, ns, &snapshot);
    c = view_base(r, c, &stages);
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
    struct cursor *cur = cursor_new(r, ns);
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
    if (whole) {
        ns = pool_alloc(&r->a, strlen(r->db) + 16);
        memcpy(ns, r->db, strlen(r->db));
        memcpy(ns + strlen(r->db), ".$cmd.aggregate", 16);
    }
    struct coll *snapshot;
    bool stream =
        val_is_doc(arr_get(stages, 0)) && !val_missing(doc_get(arr_get(stages, 0), "$changeStream"));
    /* streams compare by the simple collation if nothing else is said */
    if (request_collation(r, whole || stream ? NULL : request_view(r, ns, &snapshot))) return r->err.code;
    if (stream && !whole && request_no_view(r, ns)) return r->err.code;
    if (stream) {
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
