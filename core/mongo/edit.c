/*
 * edit.c - writing documents for applications: the only place that touches anything but syncMetadata.
 *
 * Each write is acknowledged by a majority before it counts as done. Qdrant, embedders and leases are none of
 * its business: the change stream reports these writes as of any others.
 */
#include <string.h>

#include "mongo/list.h"
#include "mongo/metadata.h"
#include "mongo/mongo_internal.h"

#define NOT_CONFIRMED "MongoDB has the write, but a majority has not confirmed it in time; it may yet be lost"
#define DUPLICATE_KEY 11000
#define VALIDATOR 121

/* "email_1" out of "E11000 duplicate key error collection: db.c index: email_1 dup key: ..." */
static void name_index(const char *message, char *out, size_t bytes)
{
    static const char label[] = "index: ";
    const char *at = strstr(message, label);
    at = at ? at + sizeof label - 1 : "";
    snprintf(out, bytes, "%.*s", (int)strcspn(at, " "), at);
}

/* A write's error as what a caller can do something about. */
static enum lks_code refuse(struct lks_err *err, const bson_error_t *error, const char *what)
{
    char index[128];
    if (error->domain == MONGOC_ERROR_WRITE_CONCERN || error->code == MONGOC_ERROR_WRITE_CONCERN_ERROR)
        return lks_fail(err, LKS_E_CANCELLED, NOT_CONFIRMED);
    switch (error->code) {
    case DUPLICATE_KEY:
        name_index(error->message, index, sizeof index);
        return lks_fail(err, LKS_E_EXISTS,
                        "another document has the same value in the unique index %s of this collection",
                        index);
    case VALIDATOR:
        return lks_fail(err, LKS_E_REFUSED, "MongoDB's validator of this collection refuses the document");
    case 17280: /* key too long, in old versions */
    case 10334: /* too large */
    case 17419: /* too large after the update */
    case 17420:
    case 2: /* bad value */
        return lks_fail(err, LKS_E_REFUSED, "MongoDB refuses the document: %s", error->message);
    default:
        return mongo_fail(err, error, what);
    }
}

/* Does a document hold this business id? By the newest that the server has, since this is for a write. */
static enum lks_code is_taken(struct mongo *m, mongoc_client_t *client, const bson_iter_t *id, bool *taken,
                              struct lks_err *err)
{
    static const char what[] = "looking for the id";
    struct rows rows;
    const bson_t *row;
    bson_t command = BSON_INITIALIZER, filter, condition, inner;
    BSON_APPEND_UTF8(&command, "find", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, m->id_field, &condition);
    bson_append_iter(&condition, "$eq", -1, id);
    BSON_APPEND_DOCUMENT_BEGIN(&condition, "$not", &inner); /* a list of ids is none */
    BSON_APPEND_UTF8(&inner, "$type", "array");
    bson_append_document_end(&condition, &inner);
    bson_append_document_end(&filter, &condition);
    bson_append_document_end(&command, &filter);
    BSON_APPEND_DOCUMENT(&command, "projection", m->only_id);
    BSON_APPEND_INT32(&command, "limit", 1);
    BSON_APPEND_INT64(&command, "maxTimeMS", LIST_PAGE_MS); /* the field may have no index */
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_LOCAL, 0, what, err);
    *taken = !code && rows_next(&rows, &row);
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    return code ? code : closed;
}

enum lks_code mongo_insert(struct mongo *m, const bson_t *doc, struct lks_err *err)
{
    bson_iter_t iter, id;
    bson_t opts = BSON_INITIALIZER;
    bson_error_t error = {0};
    bool taken = false;
    enum lks_code code = LKS_E_OK;
    mongoc_client_t *client = mongo_pop(m);
    if (strcmp(m->id_field, "_id") != 0 && bson_iter_init(&iter, doc) &&
        bson_iter_find_descendant(&iter, m->id_field, &id))
        code = is_taken(m, client, &id, &taken, err);
    if (taken) code = lks_fail(err, LKS_E_EXISTS, "there is a document with this `%s` already", m->id_field);
    mongo_append_majority(&opts);
    mongoc_collection_t *collection = mongoc_client_get_collection(client, m->database, m->collection);
    if (!code && !mongoc_collection_insert_one(collection, doc, &opts, NULL, &error))
        code = refuse(err, &error, "inserting a document");
    mongoc_collection_destroy(collection);
    mongo_push(m, client);
    bson_destroy(&opts);
    return code;
}

/* Runs a findAndModify; the document it answers with goes to `doc`, with its record. LKS_E_MISSED: none fits.
 */
static enum lks_code modify(struct mongo *m, const bson_t *command, struct source_document *doc,
                            const char *what, struct lks_err *err)
{
    bson_t reply, row;
    bson_error_t error;
    bson_iter_t iter;
    uint32_t bytes = 0;
    const uint8_t *data = NULL;
    enum lks_code code = LKS_E_OK;
    *doc = (struct source_document){.id = NULL};
    mongoc_client_t *client = mongo_pop(m);
    if (!mongo_command(m, client, NULL, 0, MONGO_WRITES, command, &reply, &error))
        code = refuse(err, &error, what);
    mongo_saw(m, mongo_operation_time(&reply));
    if (!code && bson_iter_init_find(&iter, &reply, "value") && BSON_ITER_HOLDS_DOCUMENT(&iter))
        bson_iter_document(&iter, &bytes, &data);
    if (!code && (!data || !bson_init_static(&row, data, bytes)))
        code = lks_fail(err, LKS_E_MISSED, "the document was changed meanwhile");
    if (!code && (!reads_fill(m, doc, &row) || !metadata_parse_modified(&row, &doc->record)))
        code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (!code) code = reads_fallbacks(m, client, err);
    if (!code) code = list_records(m, client, doc, 1, err);
    mongo_push(m, client);
    bson_destroy(&reply);
    if (code) source_document_fini(doc);
    return code;
}

/* {$eq: ["$field", {$literal: value}]}: unlike {field: value} it doesn't look into lists. */
static void append_equal(bson_t *all, const char *index, const bson_iter_t *iter)
{
    bson_t one, pair, inner;
    char *path = bson_strdup_printf("$%s", bson_iter_key(iter));
    bool missing = bson_iter_type(iter) == BSON_TYPE_UNDEFINED;
    BSON_APPEND_DOCUMENT_BEGIN(all, index, &one);
    BSON_APPEND_ARRAY_BEGIN(&one, "$eq", &pair);
    if (missing) {
        BSON_APPEND_DOCUMENT_BEGIN(&pair, "0", &inner);
        BSON_APPEND_UTF8(&inner, "$type", path);
        bson_append_document_end(&pair, &inner);
        BSON_APPEND_UTF8(&pair, "1", "missing");
    } else {
        BSON_APPEND_UTF8(&pair, "0", path);
        BSON_APPEND_DOCUMENT_BEGIN(&pair, "1", &inner);
        bson_append_iter(&inner, "$literal", -1, iter);
        bson_append_document_end(&pair, &inner);
    }
    bson_append_array_end(&one, &pair);
    bson_append_document_end(all, &one);
    bson_free(path);
}

/* {$expr: {$and: [...]}} */
static void append_unchanged(bson_t *query, const bson_t *unchanged)
{
    bson_iter_t iter;
    bson_t expr, all;
    char buffer[16];
    const char *index;
    uint32_t count = 0;
    if (!bson_iter_init(&iter, unchanged)) return;
    BSON_APPEND_DOCUMENT_BEGIN(query, "$expr", &expr);
    BSON_APPEND_ARRAY_BEGIN(&expr, "$and", &all);
    while (bson_iter_next(&iter)) {
        bson_uint32_to_string(count++, &index, buffer, sizeof buffer);
        append_equal(&all, index, &iter);
    }
    bson_append_array_end(&expr, &all);
    bson_append_document_end(query, &expr);
}

enum lks_code mongo_update(struct mongo *m, const struct docid *id, const bson_t *unchanged,
                           const bson_t *update, struct source_document *doc, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, query;
    BSON_APPEND_UTF8(&command, "findAndModify", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "query", &query);
    docid_append(id, &query, "_id");
    append_unchanged(&query, unchanged);
    bson_append_document_end(&command, &query);
    BSON_APPEND_DOCUMENT(&command, "update", update);
    BSON_APPEND_BOOL(&command, "new", true);
    mongo_append_simple(&command);
    enum lks_code code = modify(m, &command, doc, "updating a document", err);
    bson_destroy(&command);
    return code;
}

enum lks_code mongo_delete(struct mongo *m, const struct docid *id, struct source_document *doc,
                           struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, query;
    BSON_APPEND_UTF8(&command, "findAndModify", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "query", &query);
    docid_append(id, &query, "_id");
    bson_append_document_end(&command, &query);
    BSON_APPEND_BOOL(&command, "remove", true);
    mongo_append_simple(&command);
    enum lks_code code = modify(m, &command, doc, "deleting a document", err);
    bson_destroy(&command);
    return code == LKS_E_MISSED ? lks_fail(err, LKS_E_NOT_FOUND, "the document was deleted meanwhile") : code;
}
