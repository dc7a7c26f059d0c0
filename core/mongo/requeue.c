/*
 * requeue.c - what a person asks to be tried again: writes to records from outside of the engine.
 *
 * The engine may hold the same documents. It writes records by compare-and-set over status, hashes, point id,
 * version and retry count, so each write here changes one of those: what the engine had read is then out of
 * date, its own write misses, and it reads the document again.
 */
#include <string.h>

#include "base/clock.h"
#include "mongo/mongo_internal.h"

#define PATH_BYTES 128 /* METADATA ".collections." NAME "." FIELD: names have at most 38 characters */

static const char *entry_path(char path[PATH_BYTES], const char *name, const char *field)
{
    snprintf(path, PATH_BYTES, METADATA ".collections.%s.%s", name, field);
    return path;
}

/* Entries that failed start over: due now, with no attempt counted. Their error stays until they are tried.
 */
static enum lks_code requeue(struct mongo *m, mongoc_client_t *client, const char *collection,
                             const char *name, struct lks_err *err)
{
    bson_t filter = BSON_INITIALIZER, update = BSON_INITIALIZER, opts = BSON_INITIALIZER, set;
    bson_error_t error;
    char path[PATH_BYTES];
    int64_t now_ms = clock_wall_ms();
    enum lks_code code = LKS_E_OK;
    BSON_APPEND_UTF8(&filter, entry_path(path, name, "status"), sync_status_name(SYNC_FAILED));
    BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &set);
    BSON_APPEND_INT32(&set, entry_path(path, name, "retryCount"), 0);
    BSON_APPEND_DATE_TIME(&set, entry_path(path, name, "nextRetryAt"), now_ms);
    BSON_APPEND_DATE_TIME(&set, METADATA ".updatedAt", now_ms);
    bson_append_document_end(&update, &set);
    mongo_append_majority(&opts);
    mongo_append_simple(&opts);
    mongoc_collection_t *to = mongoc_client_get_collection(client, m->database, collection);
    if (!mongoc_collection_update_many(to, &filter, &update, &opts, NULL, &error))
        code = mongo_fail(err, &error, "starting retries over");
    mongoc_collection_destroy(to);
    bson_destroy(&filter);
    bson_destroy(&update);
    bson_destroy(&opts);
    return code;
}

enum lks_code mongo_requeue(struct mongo *m, struct lks_err *err)
{
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = reads_fallbacks(m, client, err);
    bool sidecar = m->metadata == MONGO_SIDECAR, both = !sidecar && atomic_load(&m->sidecar_fallbacks);
    for (size_t i = 0; !code && i < m->name_count; i++) {
        if (!sidecar) code = requeue(m, client, m->collection, m->names[i], err);
        if (!code && (sidecar || both)) code = requeue(m, client, m->sidecar, m->names[i], err);
    }
    mongo_push(m, client);
    return code;
}

enum lks_code mongo_write_record(struct mongo *m, const struct docid *id, const struct record *before,
                                 const struct record *after, struct lks_err *err)
{
    struct req *req = req_new(REQ_RECORD, NULL);
    if (req) req->record.writes = calloc(1, sizeof *req->record.writes);
    if (!req || !req->record.writes) {
        req_free(req);
        return lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    req->record.writes[0] = (struct record_write){.id = id, .before = before, .after = after};
    req->record.count = 1;
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = records_write(m, client, req);
    mongo_push(m, client);
    if (code) {
        *err = req->err;
    } else if ((code = req->record.writes[0].code)) {
        lks_fail(err, code,
                 code == LKS_E_NOT_FOUND ? "the document was deleted meanwhile"
                 : code == LKS_E_MISSED  ? "the document's record was changed meanwhile"
                                         : "the document's record can't be written");
    }
    req_free(req);
    return code;
}
