/* failures.c - how many documents of a collection have failed with which error code. Reads only. */
#include <string.h>

#include "mongo/mongo_internal.h"

static const char what[] = "counting failures";

/* [{$match: {"<entry>.status": "failed"}}, {$group: {_id: CODE, n: {$sum: 1}}}], where CODE is the entry's
 * errorReason, or errorCode where there is none. */
static void failures_command(bson_t *command, const char *collection, const char *name)
{
    bson_t pipeline, stage, inner, sum, id, either;
    char *status = bson_strdup_printf(METADATA ".collections.%s.status", name);
    char *code = bson_strdup_printf("$" METADATA ".collections.%s.errorCode", name);
    char *reason = bson_strdup_printf("$" METADATA ".collections.%s.errorReason", name);
    BSON_APPEND_UTF8(command, "aggregate", collection);
    BSON_APPEND_ARRAY_BEGIN(command, "pipeline", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &inner);
    BSON_APPEND_UTF8(&inner, status, sync_status_name(SYNC_FAILED));
    bson_append_document_end(&stage, &inner);
    bson_append_document_end(&pipeline, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "1", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$group", &inner);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, "_id", &id);
    BSON_APPEND_ARRAY_BEGIN(&id, "$ifNull", &either);
    BSON_APPEND_UTF8(&either, "0", reason);
    BSON_APPEND_UTF8(&either, "1", code);
    bson_append_array_end(&id, &either);
    bson_append_document_end(&inner, &id);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, "n", &sum);
    BSON_APPEND_INT32(&sum, "$sum", 1);
    bson_append_document_end(&inner, &sum);
    bson_append_document_end(&stage, &inner);
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(command, &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(command, "cursor", &inner);
    bson_append_document_end(command, &inner);
    bson_free(status);
    bson_free(code);
    bson_free(reason);
}

static void add_row(const bson_t *row, int64_t by_code[MONGO_FAILURE_CODES])
{
    bson_iter_t iter;
    int64_t n = bson_iter_init_find(&iter, row, "n") ? bson_iter_as_int64(&iter) : 0;
    enum lks_code code = LKS_E_UNKNOWN;
    if (bson_iter_init_find(&iter, row, "_id") && BSON_ITER_HOLDS_UTF8(&iter))
        code = lks_code_parse(bson_iter_utf8(&iter, NULL));
    by_code[code] += n;
}

static enum lks_code failures_in(struct mongo *m, mongoc_client_t *client, const char *collection,
                                 const char *name, int64_t by_code[MONGO_FAILURE_CODES], struct lks_err *err)
{
    struct rows rows;
    const bson_t *row;
    bson_t command = BSON_INITIALIZER;
    failures_command(&command, collection, name);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err);
    while (!code && rows_next(&rows, &row)) add_row(row, by_code);
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    return code ? code : closed;
}

enum lks_code mongo_failures(struct mongo *m, const char *name, int64_t by_code[MONGO_FAILURE_CODES],
                             struct lks_err *err)
{
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = LKS_E_OK;
    memset(by_code, 0, MONGO_FAILURE_CODES * sizeof *by_code);
    if (m->metadata != MONGO_SIDECAR) code = failures_in(m, client, m->collection, name, by_code, err);
    if (!code) code = failures_in(m, client, m->sidecar, name, by_code, err);
    mongo_push(m, client);
    return code;
}
