/* cmd_fam.c - findAndModify. */
#include "commands.h"
#include "project.h"
#include "query.h"

static const char *const fields[] = {"query",
                                     "sort",
                                     "remove",
                                     "update",
                                     "new",
                                     "fields",
                                     "upsert",
                                     "bypassDocumentValidation",
                                     "collation",
                                     "arrayFilters",
                                     "hint",
                                     "stmtId",
                                     "runtimeConstants",
                                     NULL};

static int put_value(struct req *r, struct bw *w, struct rec *rec)
{
    struct val spec = doc_get(r->body, "fields"), doc;
    struct projection *p;
    if (!rec) {
        bw_null(w, "value");
        return 0;
    }
    doc = rec_doc(rec);
    if (val_is_doc(spec) && !doc_is_empty(spec)) {
        if (projection_parse(&r->a, spec, PROJECT_FIND, NULL, &p, &r->err)) return r->err.code;
        doc = projection_apply(p, doc, &r->ectx);
    }
    bw_put(w, "value", doc);
    return r->err.code;
}

/* Remembers the whole answer for who retries, and gives it. */
static int answer(struct req *r, struct bw *w, bool wrote)
{
    struct val doc = bw_done(w);
    if (wrote) {
        struct retry_record *rec = session_record(r, (int32_t)val_int(doc_get(r->body, "stmtId")));
        if (rec) rec->value = rec_new(doc);
    }
    bw_merge(&r->reply, doc);
    return 0;
}

static int remove_one(struct req *r, const char *ns)
{
    struct query_spec spec = {.filter = doc_get(r->body, "query"),
                              .sort = doc_get(r->body, "sort"),
                              .hint = doc_get(r->body, "hint"),
                              .limit = 1};
    struct coll *c = store_find(&r->s->store, ns);
    struct query *q;
    struct bw w;
    if (c && r->in_txn && write_target(r, ns, &c)) return r->err.code;
    if (query_open(&r->a, c, &spec, &r->ectx, &q, &r->err)) return r->err.code;
    struct rec *rec = query_next(q, &r->ectx);
    if (rec) rec_ref(rec);
    query_close(q);
    bw_init(&w, &r->a);
    bw_doc(&w, "lastErrorObject");
    bw_i32(&w, "n", rec ? 1 : 0);
    bw_end(&w);
    int rc = r->err.code;
    if (!rc) rc = put_value(r, &w, rec);
    if (!rc && rec) rc = write_delete(r, c, rec);
    bool wrote = rec != NULL;
    rec_unref(rec);
    return rc ? rc : answer(r, &w, wrote);
}

static int update_one(struct req *r, const char *ns, bool give_new)
{
    struct update_call call = {.q = doc_get(r->body, "query"),
                               .u = doc_get(r->body, "update"),
                               .sort = doc_get(r->body, "sort"),
                               .hint = doc_get(r->body, "hint"),
                               .array_filters = doc_get(r->body, "arrayFilters"),
                               .upsert = val_truthy(doc_get(r->body, "upsert"))};
    struct update_outcome out = {0};
    struct bw w;
    if (val_missing(call.q)) call.q = val_empty_doc();
    int rc = update_one_or_many(r, ns, &call, &out);
    if (!rc) {
        bw_init(&w, &r->a);
        bw_doc(&w, "lastErrorObject");
        bw_i32(&w, "n", out.matched || out.upserted ? 1 : 0);
        bw_bool(&w, "updatedExisting", out.matched > 0);
        if (out.upserted) bw_put(&w, "upserted", out.upserted_id);
        bw_end(&w);
        rc = put_value(r, &w, give_new ? out.after : out.before);
    }
    rec_unref(out.before);
    rec_unref(out.after);
    return rc ? rc : answer(r, &w, out.modified || out.upserted);
}

static int check_options(struct req *r, bool removes, struct val update)
{
    static const char *const objects[] = {"query", "sort", "fields"};
    for (size_t i = 0; i < 3; i++) {
        struct val v = doc_get(r->body, objects[i]);
        if (!val_missing(v) && !val_is_doc(v))
            return merr_set(&r->err, MERR_TYPE_MISMATCH,
                            "BSON field 'findAndModify.%s' is the wrong type '%s', expected type 'object'",
                            objects[i], val_type_name(v.t));
    }
    if (removes) {
        if (!val_missing(update))
            return merr_set(&r->err, MERR_FAILED_TO_PARSE, "Cannot specify both an update and remove=true");
        if (val_truthy(doc_get(r->body, "upsert")))
            return merr_set(&r->err, MERR_FAILED_TO_PARSE,
                            "Cannot specify both upsert=true and remove=true ");
        if (val_truthy(doc_get(r->body, "new")))
            return merr_set(
                &r->err, MERR_FAILED_TO_PARSE,
                "Cannot specify both new=true and remove=true; 'remove' always returns the deleted document");
        return 0;
    }
    if (val_missing(update))
        return merr_set(&r->err, MERR_FAILED_TO_PARSE, "Either an update or remove=true must be specified");
    if (!val_is_doc(update) && !val_is_arr(update))
        return merr_set(&r->err, MERR_FAILED_TO_PARSE,
                        "Update argument must be either an object or an array");
    return 0;
}

int cmd_find_and_modify(struct req *r)
{
    struct val update = doc_get(r->body, "update");
    bool removes = val_truthy(doc_get(r->body, "remove"));
    char *ns;
    if (request_fields(r, fields, UNKNOWN_IDL) || request_ns(r, &ns) || check_options(r, removes, update))
        return r->err.code;
    if (request_no_view(r, ns) || request_collation(r, store_find(&r->s->store, ns))) return r->err.code;
    r->wrote = true;
    const struct retry_record *done = session_retried(r, (int32_t)val_int(doc_get(r->body, "stmtId")));
    if (done && done->value) {
        bw_merge(&r->reply, rec_doc(done->value));
        return 0;
    }
    return removes ? remove_one(r, ns) : update_one(r, ns, val_truthy(doc_get(r->body, "new")));
}
