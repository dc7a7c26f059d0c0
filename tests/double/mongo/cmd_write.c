/* cmd_write.c - insert, update, delete: batches of statements with their errors. */
#include "commands.h"
#include "query.h"
#include "text.h"
#include "update.h"

#include <stdlib.h>

#define BATCH_MAX 100000

/* ---- statements and their errors ---- */

struct errors {
    struct bw w;
    size_t n;
};

static void add_error(struct req *r, struct errors *e, size_t index)
{
    struct bw d;
    bw_init(&d, &r->a);
    bw_int(&d, "index", (int64_t)index);
    bw_i32(&d, "code", r->err.code);
    if (r->err.has_extra) bw_merge(&d, bw_done(&r->err.extra));
    /* the server stops repeating messages when they add up to a megabyte */
    bw_str(&d, "errmsg", e->w.n > 1024 * 1024 ? "" : r->err.msg);
    bw_puti(&e->w, e->n++, bw_done(&d));
    merr_clear(&r->err);
}

static void put_errors(struct req *r, struct errors *e)
{
    struct val v = bw_done(&e->w);
    v.t = BSON_TYPE_ARRAY;
    if (e->n) bw_put(&r->reply, "writeErrors", v);
}

/* Errors that end the whole command rather than one statement: who gets them tries it all again. */
static bool ends_command(const struct req *r)
{
    return r->err.code == MERR_WRITE_CONFLICT;
}

/* Does the batch end with this error? A transaction does too, and the batch with it. */
static bool ends_batch(struct req *r, bool ordered)
{
    if (r->in_txn) session_abort(r->session);
    return ordered || r->in_txn;
}

static int statements(struct req *r, const char *field, struct val *out)
{
    *out = doc_get(r->body, field);
    if (val_missing(*out))
        return merr_set(&r->err, 40414, "BSON field '%s.%s' is missing but a required field", r->name, field);
    if (!val_is_arr(*out))
        return merr_set(&r->err, MERR_TYPE_MISMATCH,
                        "BSON field '%s.%s' is the wrong type '%s', expected type 'array'", r->name, field,
                        val_type_name(out->t));
    size_t n = 0;
    struct iter it;
    for (iter_init(&it, *out); iter_next(&it); n++)
        if (!val_is_doc(it.v))
            return merr_set(&r->err, MERR_TYPE_MISMATCH,
                            "BSON field '%s.%s.%zu' is the wrong type '%s', expected type 'object'", r->name,
                            field, n, val_type_name(it.v.t));
    if (!n || n > BATCH_MAX)
        return merr_set(&r->err, MERR_INVALID_LENGTH,
                        "Write batch sizes must be between 1 and %d. Got %zu operations.", BATCH_MAX, n);
    return 0;
}

static int check_fields(struct req *r, const char *where, struct val doc, const char *const *known,
                        const char *const *required)
{
    struct iter it;
    for (iter_init(&it, doc); iter_next(&it);) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], it.key)) i++;
        if (!known[i])
            return merr_set(&r->err, 40415, "BSON field '%s.%s' is an unknown field.", where, it.key);
    }
    for (size_t i = 0; required[i]; i++)
        if (val_missing(doc_get(doc, required[i])))
            return merr_set(&r->err, 40414, "BSON field '%s.%s' is missing but a required field", where,
                            required[i]);
    return 0;
}

static bool is_ordered(const struct req *r)
{
    struct val v = doc_get(r->body, "ordered");
    return val_missing(v) || val_truthy(v);
}

static int32_t statement_id(const struct req *r, size_t i)
{
    struct val ids = doc_get(r->body, "stmtIds"), one = doc_get(r->body, "stmtId");
    if (val_is_arr(ids)) return (int32_t)val_int(arr_get(ids, i));
    return (int32_t)(val_int(one) + (int64_t)i);
}

/* ---- insert ---- */

static void new_object_id(uint8_t out[12])
{
    bson_oid_t oid;
    bson_oid_init(&oid, NULL);
    memcpy(out, oid.bytes, 12);
}

static int check_id(struct req *r, struct val id)
{
    static const struct {
        uint8_t type;
        const char *message;
    } bad[] = {{BSON_TYPE_ARRAY, "can't use an array for _id"},
               {BSON_TYPE_REGEX, "can't use a regex for _id"},
               {BSON_TYPE_UNDEFINED, "can't use a undefined for _id"}};
    for (size_t i = 0; i < 3; i++)
        if (id.t == bad[i].type) return merr_set(&r->err, MERR_BAD_VALUE, "%s", bad[i].message);
    struct iter it;
    for (iter_init(&it, id); iter_next(&it);)
        if (it.key[0] == '$')
            return merr_set(&r->err, MERR_DOLLAR_PREFIXED,
                            "_id fields may not contain '$'-prefixed fields: %s is not valid for storage.",
                            it.key);
    return 0;
}

/* Checks a document that is to be inserted, and puts its _id first. */
static int fix_document(struct req *r, struct val *doc)
{
    struct iter it;
    bool first = true, id_first = false;
    struct val id = VAL_NONE;
    if (doc->n > BVAL_MAX_DOC_BYTES)
        return merr_set(&r->err, MERR_BAD_VALUE,
                        "object to insert too large. size in bytes: %u, max size: %d", doc->n,
                        BVAL_MAX_DOC_BYTES);
    for (iter_init(&it, *doc); iter_next(&it); first = false) {
        if (it.key[0] == '$')
            return merr_set(&r->err, MERR_BAD_VALUE, "Document can't have $ prefixed field names: %s",
                            it.key);
        if (strcmp(it.key, "_id")) continue;
        if (!val_missing(id))
            return merr_set(&r->err, MERR_BAD_VALUE, "can't have multiple _id fields in one document");
        id = it.v;
        id_first = first;
        if (check_id(r, id)) return r->err.code;
    }
    if (id_first) return 0;
    struct bw w;
    bw_init(&w, &r->a);
    if (val_missing(id)) {
        uint8_t oid[12];
        new_object_id(oid);
        bw_oid(&w, "_id", oid);
    } else {
        bw_put(&w, "_id", id);
    }
    for (iter_init(&it, *doc); iter_next(&it);)
        if (strcmp(it.key, "_id")) bw_putn(&w, it.key, it.keylen, it.v);
    *doc = bw_done(&w);
    return 0;
}

static const char *const insert_fields[] = {"documents", "ordered", "bypassDocumentValidation",
                                            "stmtIds",   "stmtId",  NULL};

static int insert_one(struct req *r, const char *ns, struct val doc, int32_t stmt)
{
    struct coll *c;
    if (request_no_view(r, ns) || fix_document(r, &doc) || write_target(r, ns, &c) ||
        write_insert(r, c, doc, NULL))
        return r->err.code;
    session_record(r, stmt);
    return 0;
}

int cmd_insert(struct req *r)
{
    struct val docs;
    struct iter it;
    struct errors errors = {.n = 0};
    int64_t n = 0;
    size_t i = 0;
    char *ns;
    if (request_fields(r, insert_fields, UNKNOWN_IDL) || request_ns(r, &ns) ||
        statements(r, "documents", &docs))
        return r->err.code;
    bw_init(&errors.w, &r->a);
    for (iter_init(&it, docs); iter_next(&it); i++) {
        if (session_retried(r, statement_id(r, i)) || insert_one(r, ns, it.v, statement_id(r, i)) == 0) {
            n++;
            continue;
        }
        if (ends_command(r)) return r->err.code;
        add_error(r, &errors, i);
        if (ends_batch(r, is_ordered(r))) break;
    }
    r->wrote = true;
    if (request_wants_no_answer(r)) return 0;
    bw_int(&r->reply, "n", n);
    put_errors(r, &errors);
    reply_op_time(r);
    return 0;
}

/* ---- update ---- */

static int check_size(struct req *r, struct val doc)
{
    struct iter it;
    if (doc.n > BVAL_MAX_INTERNAL_BYTES) {
        iter_init(&it, doc);
        iter_next(&it);
        return merr_set(
            &r->err, MERR_TOO_LARGE,
            "BSONObj size: %u (0x%X) is invalid. Size must be between 0 and %d(16MB) First element: %s",
            doc.n, doc.n, BVAL_MAX_INTERNAL_BYTES, text_field(&r->a, it.key, it.v));
    }
    if (doc.n > BVAL_MAX_DOC_BYTES)
        return merr_set(&r->err, 17419, "Resulting document after update is larger than %d",
                        BVAL_MAX_DOC_BYTES);
    if (!bval_validate(doc.p, doc.n))
        return merr_set(&r->err, MERR_OVERFLOW, "Document exceeds maximum nested object depth of %d",
                        BVAL_MAX_DEPTH);
    return 0;
}

static int change_one(struct req *r, struct coll *c, const struct update *u, const struct match *filter,
                      struct rec *rec, struct update_outcome *out)
{
    struct update_result res;
    struct match_vars vars = {.ectx = &r->ectx, .array_index = -1};
    match_eval(filter, rec_doc(rec), &vars);
    if (r->err.code || update_apply(u, rec_doc(rec), false, vars.array_index, &r->ectx, &res))
        return r->err.code;
    out->matched++;
    if (!out->before) out->before = rec_ref(rec);
    if (!res.changed) {
        if (!out->after) out->after = rec_ref(rec);
        return 0;
    }
    if (check_size(r, res.doc)) return r->err.code;
    struct rec *now = rec_new(res.doc);
    if (write_update(r, c, rec, now, res.set, res.unset, res.replaced) == 0) {
        out->modified++;
        if (!out->after) out->after = rec_ref(now);
    }
    rec_unref(now);
    return r->err.code;
}

static int upsert(struct req *r, const char *ns, const struct update *u, const struct match *filter,
                  struct update_outcome *out)
{
    struct val seed;
    struct update_result res;
    struct coll *c;
    if (update_seed(&r->a, filter, &seed, &r->err)) return r->err.code;
    if (update_apply(u, seed, true, -1, &r->ectx, &res)) return r->err.code;
    struct val doc = res.doc;
    if (val_missing(doc_get(doc, "_id"))) {
        struct bw w;
        uint8_t oid[12];
        new_object_id(oid);
        bw_init(&w, &r->a);
        bw_oid(&w, "_id", oid);
        bw_merge(&w, doc);
        doc = bw_done(&w);
    }
    if (check_id(r, doc_get(doc, "_id")) || check_size(r, doc) || write_target(r, ns, &c) ||
        write_insert(r, c, doc, &out->after))
        return r->err.code;
    rec_ref(out->after);
    out->upserted = true;
    out->upserted_id = val_dup(&r->a, doc_get(doc, "_id"));
    return 0;
}

struct targets {
    struct rec **v;
    size_t n, cap;
};

/* The documents that the query finds now; updates are applied when all are known. */
static void find_targets(struct req *r, struct query *q, bool multi, struct targets *t)
{
    struct rec *rec;
    while ((rec = query_next(q, &r->ectx))) {
        if (t->n == t->cap) {
            t->cap = t->cap ? t->cap * 2 : 16;
            t->v = xrealloc(t->v, t->cap * sizeof *t->v);
        }
        t->v[t->n++] = rec_ref(rec);
        if (!multi) break;
    }
}

static void free_targets(struct targets *t)
{
    for (size_t i = 0; i < t->n; i++) rec_unref(t->v[i]);
    free(t->v);
}

static struct coll *writable(struct req *r, const char *ns, bool *missing)
{
    struct coll *c = store_find(&r->s->store, ns);
    *missing = !c;
    if (c && r->in_txn) write_target(r, ns, &c);
    return c;
}

int update_one_or_many(struct req *r, const char *ns, const struct update_call *call,
                       struct update_outcome *out)
{
    struct update *u;
    struct query *q;
    struct targets t = {0};
    bool missing;
    struct query_spec spec = {
        .filter = call->q, .sort = call->sort, .hint = call->hint, .limit = call->multi ? 0 : 1};
    if (update_parse(&r->a, call->u, call->array_filters, &u, &r->err)) return r->err.code;
    if (call->multi && update_is_replacement(u))
        return merr_set(&r->err, MERR_FAILED_TO_PARSE,
                        "multi update is not supported for replacement-style update");
    struct coll *c = writable(r, ns, &missing);
    if (query_open(&r->a, c, &spec, &r->ectx, &q, &r->err)) return r->err.code;
    find_targets(r, q, call->multi, &t);
    struct pool scratch = {0};
    r->ectx.a = &scratch;
    for (size_t i = 0; i < t.n && !r->err.code; i++) {
        change_one(r, c, u, query_filter(q), t.v[i], out);
        if (scratch.bytes > 65536) pool_reset(&scratch);
    }
    r->ectx.a = &r->a;
    pool_fini(&scratch);
    if (!r->err.code && !t.n && call->upsert) upsert(r, ns, u, query_filter(q), out);
    free_targets(&t);
    query_close(q);
    return r->err.code;
}

static const char *const update_fields[] = {
    "updates", "ordered", "bypassDocumentValidation", "stmtIds", "stmtId", "runtimeConstants", NULL};
static const char *const update_entry[] = {"q",    "u",         "c", "multi", "upsert", "arrayFilters",
                                           "hint", "collation", NULL};
static const char *const update_required[] = {"q", "u", NULL};

static int read_update(struct req *r, struct val entry, struct update_call *call)
{
    memset(call, 0, sizeof *call);
    if (check_fields(r, "update.updates", entry, update_entry, update_required)) return r->err.code;
    call->q = doc_get(entry, "q");
    call->u = doc_get(entry, "u");
    call->array_filters = doc_get(entry, "arrayFilters");
    call->hint = doc_get(entry, "hint");
    call->multi = val_truthy(doc_get(entry, "multi"));
    call->upsert = val_truthy(doc_get(entry, "upsert"));
    if (!val_is_doc(call->q))
        return merr_set(&r->err, MERR_TYPE_MISMATCH,
                        "BSON field 'update.updates.q' is the wrong type '%s', expected type 'object'",
                        val_type_name(call->q.t));
    if (!val_is_doc(call->u) && !val_is_arr(call->u))
        return merr_set(&r->err, MERR_FAILED_TO_PARSE,
                        "Update argument must be either an object or an array");
    if (!val_missing(call->array_filters) && !val_is_arr(call->array_filters))
        return merr_set(
            &r->err, MERR_TYPE_MISMATCH,
            "BSON field 'update.updates.arrayFilters' is the wrong type '%s', expected type 'array'",
            val_type_name(call->array_filters.t));
    if (!val_missing(doc_get(entry, "c")))
        return merr_set(&r->err, MERR_NOT_IMPLEMENTED, "the stand-in does not know update constants");
    return 0;
}

struct update_totals {
    int64_t n, modified;
    struct bw upserted;
    size_t upserted_count;
};

static void add_upserted(struct update_totals *t, size_t i, struct val id)
{
    char buf[12];
    size_t len;
    const char *key = index_key(buf, t->upserted_count++, &len);
    bw_docn(&t->upserted, key, len);
    bw_int(&t->upserted, "index", (int64_t)i);
    bw_put(&t->upserted, "_id", id);
    bw_end(&t->upserted);
    t->n++;
}

static void remember(struct req *r, int32_t stmt, const struct update_outcome *out)
{
    if (!out->upserted && !out->modified) return;
    struct retry_record *rec = session_record(r, stmt);
    if (!rec) return;
    rec->updated = !out->upserted;
    if (out->upserted) {
        struct bw w;
        bw_init(&w, &r->a);
        bw_put(&w, "_id", out->upserted_id);
        rec->upserted = rec_new(bw_done(&w));
    }
}

static int update_statement(struct req *r, const char *ns, struct val entry, size_t i,
                            struct update_totals *t)
{
    struct update_call call;
    struct update_outcome out = {0};
    const struct retry_record *done = session_retried(r, statement_id(r, i));
    if (done) {
        if (done->upserted) {
            add_upserted(t, i, doc_get(rec_doc(done->upserted), "_id"));
        } else {
            t->n++;
            t->modified++;
        }
        return 0;
    }
    if (read_update(r, entry, &call) || request_no_view(r, ns) ||
        request_collation_of(r, doc_get(entry, "collation"), store_find(&r->s->store, ns)))
        return r->err.code;
    if (call.multi && r->has_txn_number && !r->in_txn)
        return merr_set(&r->err, MERR_INVALID_OPTIONS,
                        "Cannot use (or request) retryable writes with multi=true");
    if (update_one_or_many(r, ns, &call, &out) == 0) {
        t->n += out.matched;
        t->modified += out.modified;
        if (out.upserted) add_upserted(t, i, out.upserted_id);
        remember(r, statement_id(r, i), &out);
    }
    rec_unref(out.before);
    rec_unref(out.after);
    return r->err.code;
}

/* What is wrong with the shape of a statement ends the command before anything is done. */
static int check_updates(struct req *r, struct val updates)
{
    struct update_call call;
    struct iter it;
    for (iter_init(&it, updates); iter_next(&it);)
        if (read_update(r, it.v, &call)) return r->err.code;
    return 0;
}

int cmd_update(struct req *r)
{
    struct val updates;
    struct iter it;
    struct errors errors = {.n = 0};
    struct update_totals t = {.n = 0};
    size_t i = 0;
    char *ns;
    if (request_fields(r, update_fields, UNKNOWN_IDL) || request_ns(r, &ns) ||
        statements(r, "updates", &updates) || check_updates(r, updates))
        return r->err.code;
    bw_init(&errors.w, &r->a);
    bw_init(&t.upserted, &r->a);
    for (iter_init(&it, updates); iter_next(&it); i++) {
        if (update_statement(r, ns, it.v, i, &t) == 0) continue;
        if (ends_command(r)) return r->err.code;
        add_error(r, &errors, i);
        if (ends_batch(r, is_ordered(r))) break;
    }
    r->wrote = true;
    if (request_wants_no_answer(r)) return 0;
    bw_int(&r->reply, "n", t.n);
    bw_int(&r->reply, "nModified", t.modified);
    struct val upserted = bw_done(&t.upserted);
    upserted.t = BSON_TYPE_ARRAY;
    if (t.upserted_count) bw_put(&r->reply, "upserted", upserted);
    put_errors(r, &errors);
    reply_op_time(r);
    return 0;
}

/* ---- delete ---- */

static const char *const delete_fields[] = {"deletes", "ordered", "bypassDocumentValidation",
                                            "stmtIds", "stmtId",  NULL};
static const char *const delete_entry[] = {"q", "limit", "hint", "collation", NULL};
static const char *const delete_required[] = {"q", "limit", NULL};

static int check_deletes(struct req *r, struct val deletes)
{
    struct iter it;
    for (iter_init(&it, deletes); iter_next(&it);) {
        if (check_fields(r, "delete.deletes", it.v, delete_entry, delete_required)) return r->err.code;
        struct val q = doc_get(it.v, "q"), limit = doc_get(it.v, "limit");
        if (!val_is_doc(q))
            return merr_set(&r->err, MERR_TYPE_MISMATCH,
                            "BSON field 'delete.deletes.q' is the wrong type '%s', expected type 'object'",
                            val_type_name(q.t));
        if (!val_is_num(limit) || (val_int(limit) != 0 && val_int(limit) != 1))
            return merr_set(&r->err, MERR_FAILED_TO_PARSE,
                            "The limit field in delete objects must be 0 or 1. Got %s",
                            text_of(&r->a, limit, TEXT_BSON));
    }
    return 0;
}

static int delete_statement(struct req *r, const char *ns, struct val entry, int32_t stmt, int64_t *n)
{
    struct query *q;
    struct targets t = {0};
    bool missing, multi = val_int(doc_get(entry, "limit")) == 0;
    struct query_spec spec = {
        .filter = doc_get(entry, "q"), .hint = doc_get(entry, "hint"), .limit = multi ? 0 : 1};
    if (session_retried(r, stmt)) return *n += 1, 0;
    if (multi && r->has_txn_number && !r->in_txn)
        return merr_set(&r->err, MERR_INVALID_OPTIONS,
                        "Cannot use (or request) retryable writes with limit=0");
    struct coll *c = writable(r, ns, &missing);
    if (request_no_view(r, ns) || request_collation_of(r, doc_get(entry, "collation"), c) ||
        query_open(&r->a, c, &spec, &r->ectx, &q, &r->err))
        return r->err.code;
    find_targets(r, q, multi, &t);
    query_close(q);
    for (size_t i = 0; i < t.n && !r->err.code; i++)
        if (write_delete(r, c, t.v[i]) == 0) *n += 1;
    if (t.n && !r->err.code) session_record(r, stmt);
    free_targets(&t);
    return r->err.code;
}

int cmd_delete(struct req *r)
{
    struct val deletes;
    struct iter it;
    struct errors errors = {.n = 0};
    int64_t n = 0;
    size_t i = 0;
    char *ns;
    if (request_fields(r, delete_fields, UNKNOWN_IDL) || request_ns(r, &ns) ||
        statements(r, "deletes", &deletes) || check_deletes(r, deletes))
        return r->err.code;
    bw_init(&errors.w, &r->a);
    for (iter_init(&it, deletes); iter_next(&it); i++) {
        if (delete_statement(r, ns, it.v, statement_id(r, i), &n) == 0) continue;
        if (ends_command(r)) return r->err.code;
        add_error(r, &errors, i);
        if (ends_batch(r, is_ordered(r))) break;
    }
    r->wrote = true;
    if (request_wants_no_answer(r)) return 0;
    bw_int(&r->reply, "n", n);
    put_errors(r, &errors);
    reply_op_time(r);
    return 0;
}
