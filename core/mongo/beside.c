/*
 * beside.c - records beside documents, in the sidecar collection: finds those that outlived their document,
 * and removes the record of a document that is gone.
 *
 * Such a record would be believed by a document that is created with the same `_id`.
 */
#include <stdlib.h>

#include "base/log.h"
#include "mongo/mongo_internal.h"

#define UNAUTHORIZED 13

/* ---- finding ---- */

struct page {
    struct docid **ids; /* owned, also the ids */
    size_t count, capacity;
};

static enum lks_code page_fill(struct mongo *m, mongoc_client_t *client, const bson_t *command,
                               cluster_time after, struct page *page, struct lks_err *err)
{
    static const char what[] = "looking for records without a document";
    struct rows rows;
    const bson_t *row;
    enum lks_code code = rows_open(m, client, &rows, command, LEVEL_MAJORITY, after, what, err);
    while (!code && rows_next(&rows, &row))
        if (!ids_add(&page->ids, &page->count, &page->capacity, docid_of(row)))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    return code ? code : closed;
}

/* By bounds of the index on `_id`, which are inclusive: one record more where the page begins after one. */
static void records_command(const struct mongo *m, const struct req *req, bson_t *command)
{
    const struct docid *from = req->orphan_records.from;
    bson_t inner;
    BSON_APPEND_UTF8(command, "find", m->sidecar);
    BSON_APPEND_DOCUMENT_BEGIN(command, "filter", &inner);
    reads_recorded(&inner);
    bson_append_document_end(command, &inner);
    BSON_APPEND_DOCUMENT(command, "projection", m->only_id);
    BSON_APPEND_UTF8(command, "hint", "_id_");
    if (from) {
        BSON_APPEND_DOCUMENT_BEGIN(command, "min", &inner);
        docid_append(from, &inner, "_id");
        bson_append_document_end(command, &inner);
    }
    rows_sorted(command, "_id", req->orphan_records.max_records + (from ? 1 : 0));
}

static bool has(const struct page *page, const struct docid *id)
{
    for (size_t i = 0; i < page->count; i++)
        if (docid_equal(page->ids[i], id)) return true;
    return false;
}

static enum lks_code without_document(struct mongo *m, mongoc_client_t *client, const struct docid **ids,
                                      size_t *count, cluster_time after, struct lks_err *err)
{
    struct page there = {0};
    size_t kept = 0;
    bson_t command = BSON_INITIALIZER;
    reads_by_id_command(&command, m->collection, ids, *count, m->only_id);
    enum lks_code code = page_fill(m, client, &command, after, &there, err);
    for (size_t i = 0; !code && i < *count; i++)
        if (!has(&there, ids[i])) ids[kept++] = ids[i];
    if (!code) *count = kept;
    bson_destroy(&command);
    mongo_ids_free(there.ids, there.count);
    return code;
}

enum lks_code beside_without_document(struct mongo *m, mongoc_client_t *client, const struct docid **ids,
                                      size_t *count, struct lks_err *err)
{
    return *count ? without_document(m, client, ids, count, 0, err) : LKS_E_OK;
}

/* Copies the ids that have no document from the page into the answer. */
static enum lks_code take_orphans(struct mongo *m, mongoc_client_t *client, const struct page *page,
                                  struct req *req)
{
    const struct docid *from = req->orphan_records.from;
    size_t count = 0, capacity = 0;
    const struct docid **ids = calloc(page->count + 1, sizeof *ids);
    if (!ids) return lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < page->count; i++)
        if (!from || !docid_equal(page->ids[i], from)) ids[count++] = page->ids[i];
    enum lks_code code = LKS_E_OK;
    if (count) code = without_document(m, client, ids, &count, req->orphan_records.after, &req->err);
    for (size_t i = 0; !code && i < count; i++)
        if (!ids_add(&req->orphan_records.ids, &req->orphan_records.count, &capacity, docid_copy(ids[i])))
            code = lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    free(ids);
    return code;
}

enum lks_code beside_orphans(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    struct page page = {0};
    size_t most = req->orphan_records.max_records + (req->orphan_records.from ? 1 : 0);
    if (m->metadata == MONGO_EMBEDDED && !atomic_load(&m->sidecar_fallbacks)) return LKS_E_OK;
    bson_t command = BSON_INITIALIZER;
    records_command(m, req, &command);
    enum lks_code code = page_fill(m, client, &command, req->orphan_records.after, &page, &req->err);
    bson_destroy(&command);
    if (!code && page.count) code = take_orphans(m, client, &page, req);
    if (!code && page.count && page.count >= most) {
        req->orphan_records.next = docid_copy(page.ids[page.count - 1]);
        if (!req->orphan_records.next) code = lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    }
    mongo_ids_free(page.ids, page.count);
    return code;
}

/* ---- removing ---- */

/* One statement for each: a delete, or an update that empties the record. */
static void append_statements(bson_t *list, const struct docid *const *ids, size_t count, bool empty)
{
    bson_t step, inner, unset;
    char buffer[16];
    const char *index;
    for (size_t i = 0; i < count; i++) {
        bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof buffer);
        BSON_APPEND_DOCUMENT_BEGIN(list, index, &step);
        BSON_APPEND_DOCUMENT_BEGIN(&step, "q", &inner);
        docid_append(ids[i], &inner, "_id");
        bson_append_document_end(&step, &inner);
        if (empty) {
            BSON_APPEND_DOCUMENT_BEGIN(&step, "u", &inner);
            BSON_APPEND_DOCUMENT_BEGIN(&inner, "$unset", &unset);
            BSON_APPEND_UTF8(&unset, METADATA, "");
            bson_append_document_end(&inner, &unset);
            bson_append_document_end(&step, &inner);
        } else {
            BSON_APPEND_INT32(&step, "limit", 1);
        }
        mongo_append_simple(&step);
        bson_append_document_end(list, &step);
    }
}

/* `*allowed` says whether the user may do that. */
static enum lks_code run(struct mongo *m, mongoc_client_t *client, const struct docid *const *ids,
                         size_t count, bool empty, bool *allowed, struct lks_err *err)
{
    static const char what[] = "removing records of deleted documents";
    bson_t command = BSON_INITIALIZER, list, reply;
    bson_error_t error;
    bson_iter_t iter;
    enum lks_code code = LKS_E_OK;
    *allowed = true;
    BSON_APPEND_UTF8(&command, empty ? "update" : "delete", m->sidecar);
    BSON_APPEND_ARRAY_BEGIN(&command, empty ? "updates" : "deletes", &list);
    append_statements(&list, ids, count, empty);
    bson_append_array_end(&command, &list);
    BSON_APPEND_BOOL(&command, "ordered", false);
    if (!mongo_command(m, client, NULL, 0, MONGO_WRITES, &command, &reply, &error)) {
        code = mongo_fail(err, &error, what);
        *allowed = !mongo_is_server_error(&error) || error.code != UNAUTHORIZED;
    } else if (bson_iter_init_find(&iter, &reply, "writeErrors")) {
        code = lks_fail(err, LKS_E_MONGO, "MongoDB, %s: some were refused", what);
    }
    bson_destroy(&reply);
    bson_destroy(&command);
    return code;
}

/* Without the right to remove it, a record is emptied; without the right to update it, it stays, and nothing
 * waits for it: the count of points shows a document that believes it. */
enum lks_code beside_remove(struct mongo *m, mongoc_client_t *client, const struct docid *const *ids,
                            size_t count, struct lks_err *err)
{
    bool allowed;
    if (!count || (m->metadata == MONGO_EMBEDDED && !atomic_load(&m->sidecar_fallbacks))) return LKS_E_OK;
    enum lks_code code = run(m, client, ids, count, false, &allowed, err);
    if (code && !allowed) code = run(m, client, ids, count, true, &allowed, err);
    if (code && allowed) return code;
    if (code && !atomic_load(&m->records_remain))
        log_error("records of deleted documents stay in the sidecar collection", LOG_STR("source", m->source),
                  LOG_STR("error", err->text));
    atomic_store(&m->records_remain, !allowed);
    if (code) lks_err_clear(err);
    return LKS_E_OK;
}

bool mongo_records_remain(struct mongo *m)
{
    return atomic_load(&m->records_remain);
}
