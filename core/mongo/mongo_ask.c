/*
 * mongo_ask.c - documents for commands: page by page, by id, or some at random; with their records, as the
 * engine would see them. It reads only, and blocks.
 */
#include <stdlib.h>

#include "mongo/mongo_internal.h"

void mongo_docs_free(struct source_document *docs, size_t count)
{
    for (size_t i = 0; docs && i < count; i++) source_document_fini(&docs[i]);
    free(docs);
}

/* The error of a request becomes the caller's. */
static enum lks_code answer(const struct req *req, enum lks_code code, struct lks_err *err)
{
    if (code && err) *err = req->err;
    return code;
}

enum lks_code mongo_page(struct mongo *m, const struct docid *from, size_t max_docs, size_t max_bytes,
                         struct mongo_page *page, struct lks_err *err)
{
    struct req *req = req_new(REQ_SCAN, NULL);
    struct poll poll = {0}; /* never the engine's, which scans at the same time */
    *page = (struct mongo_page){.docs = NULL};
    if (!req) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    req->scan.from = from;
    req->scan.max_docs = max_docs;
    req->scan.max_bytes = max_bytes;
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = reads_fallbacks(m, client, &req->err);
    if (!code) code = reads_scan(m, client, &poll, req);
    mongo_push(m, client);
    if (!code) {
        *page = (struct mongo_page){.docs = req->scan.docs,
                                    .count = req->scan.count,
                                    .end = req->scan.end,
                                    .total_estimate = req->scan.total_estimate};
        req->scan.docs = NULL;
        req->scan.count = 0;
    }
    code = answer(req, code, err);
    req_free(req);
    return code;
}

enum lks_code mongo_read(struct mongo *m, const struct docid *const *ids, size_t count,
                         struct source_document **docs, struct lks_err *err)
{
    struct req *req = req_new(REQ_READ, NULL);
    *docs = NULL;
    if (req) req->read.ids = calloc(count ? count : 1, sizeof *req->read.ids);
    if (!req || !req->read.ids) {
        req_free(req);
        return lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) req->read.ids[i] = ids[i];
    req->read.count = count;
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = reads_fallbacks(m, client, &req->err);
    if (!code) code = reads_read(m, client, req);
    mongo_push(m, client);
    if (!code) {
        *docs = req->read.docs;
        req->read.docs = NULL;
        req->read.count = 0;
    }
    code = answer(req, code, err);
    req_free(req);
    return code;
}

enum lks_code mongo_failed_ids(struct mongo *m, const bool *collections, const struct docid *from, size_t max,
                               struct docid ***ids, size_t *id_count, bool *end, struct lks_err *err)
{
    struct req *req = req_new(REQ_DUE, NULL);
    *ids = NULL;
    *id_count = 0;
    if (!req) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    req->due.failed_only = req->due.recorded_only = true;
    req->due.collections = collections;
    req->due.from = from;
    req->due.max_docs = max;
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = due_find(m, client, req);
    mongo_push(m, client);
    if (code) {
        *err = req->err;
    } else {
        *ids = req->due.ids;
        *id_count = req->due.count;
        *end = req->due.end;
        req->due.ids = NULL;
        req->due.count = 0;
    }
    req_free(req);
    return code;
}

enum lks_code mongo_sample(struct mongo *m, size_t count, struct docid ***ids, size_t *id_count,
                           struct lks_err *err)
{
    static const char what[] = "taking a sample";
    bson_t command = BSON_INITIALIZER, pipeline, stage, inner;
    struct rows rows;
    const bson_t *row;
    size_t capacity = 0;
    *ids = NULL;
    *id_count = 0;
    BSON_APPEND_UTF8(&command, "aggregate", m->collection);
    BSON_APPEND_ARRAY_BEGIN(&command, "pipeline", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$sample", &inner);
    BSON_APPEND_INT64(&inner, "size", (int64_t)count);
    bson_append_document_end(&stage, &inner);
    bson_append_document_end(&pipeline, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "1", &stage);
    BSON_APPEND_DOCUMENT(&stage, "$project", m->only_id);
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(&command, &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "cursor", &inner);
    bson_append_document_end(&command, &inner);
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err);
    while (!code && rows_next(&rows, &row))
        if (!ids_add(ids, id_count, &capacity, docid_of(row)))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    mongo_push(m, client);
    bson_destroy(&command);
    if (!code) code = closed;
    if (code) {
        mongo_ids_free(*ids, *id_count);
        *ids = NULL;
        *id_count = 0;
    }
    return code;
}
