/*
 * keys.c - business ids: who else has the same, and who owns it.
 *
 * Two documents have the same business id if their points would be the same, so values are compared by the
 * text that stands for them: 5, 5.0 and "5" are one id. Arrays, documents and null are no ids.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mongo/room.h"

/* How long we believe what the list of indexes said. */
#define UNIQUE_FOR_MS 60000

/* ---- values and texts ---- */

static char *text_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text_printf(const char *format, ...)
{
    char text[64];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return strdup(text);
}

/* The shortest digits that read back as the same number. */
static char *text_double(double value)
{
    char text[40];
    if (fabs(value) < 9007199254740992.0 && value == floor(value))
        return text_printf("%" PRId64, (int64_t)value);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) >= value && strtod(text, NULL) <= value) break;
    }
    return strdup(text);
}

char *keys_text(const bson_iter_t *value)
{
    uint32_t bytes = 0;
    switch (bson_iter_type(value)) {
    case BSON_TYPE_EOD:
    case BSON_TYPE_NULL:
    case BSON_TYPE_UNDEFINED:
    case BSON_TYPE_ARRAY:
    case BSON_TYPE_DOCUMENT:
        return NULL;
    case BSON_TYPE_UTF8:
        bson_iter_utf8(value, &bytes);
        if (!bytes) return NULL;
        break;
    case BSON_TYPE_INT32:
        return text_printf("%" PRId32, bson_iter_int32(value));
    case BSON_TYPE_INT64:
        return text_printf("%" PRId64, bson_iter_int64(value));
    case BSON_TYPE_DOUBLE:
        return text_double(bson_iter_double(value));
    case BSON_TYPE_BOOL:
        return strdup(bson_iter_bool(value) ? "true" : "false");
    default:
        break;
    }
    struct docid *id = docid_new(value);
    char *plain = id ? docid_plain(id) : NULL;
    docid_free(id);
    return plain;
}

static void append_at(bson_t *to, uint32_t *n, const struct docid *id)
{
    char buffer[16];
    const char *index;
    bson_uint32_to_string((*n)++, &index, buffer, sizeof buffer);
    docid_append(id, to, index);
}

static void append_number(const char *key, bson_t *to, uint32_t *n)
{
    char buffer[16], *end;
    const char *index;
    bson_decimal128_t decimal;
    if (!key[0] || strspn(key, "+-.0123456789eE") != strlen(key)) return;
    errno = 0;
    double value = strtod(key, &end);
    if (*end || !isfinite(value)) return;
    bson_uint32_to_string((*n)++, &index, buffer, sizeof buffer);
    BSON_APPEND_DOUBLE(to, index, value);
    long long whole = strtoll(key, &end, 10);
    if (!*end && !errno) { /* beyond 2^53 it is another number than the double */
        bson_uint32_to_string((*n)++, &index, buffer, sizeof buffer);
        BSON_APPEND_INT64(to, index, whole);
    }
    if (bson_decimal128_from_string(key, &decimal)) {
        bson_uint32_to_string((*n)++, &index, buffer, sizeof buffer);
        BSON_APPEND_DECIMAL128(to, index, &decimal);
    }
}

void keys_candidates(const char *key, bson_t *to, uint32_t *n)
{
    char buffer[16];
    const char *index;
    bson_uint32_to_string((*n)++, &index, buffer, sizeof buffer);
    BSON_APPEND_UTF8(to, index, key);
    append_number(key, to, n);
    if (!strcmp(key, "true") || !strcmp(key, "false")) {
        bson_uint32_to_string((*n)++, &index, buffer, sizeof buffer);
        BSON_APPEND_BOOL(to, index, key[0] == 't');
    }
    if (strlen(key) == 24 && bson_oid_is_valid(key, 24)) {
        bson_oid_t oid;
        bson_oid_init_from_string(&oid, key);
        bson_uint32_to_string((*n)++, &index, buffer, sizeof buffer);
        BSON_APPEND_OID(to, index, &oid);
    }
    if (key[0] == '{' || key[0] == '"') {
        struct docid *id = docid_parse(key);
        if (id) append_at(to, n, id);
        docid_free(id);
    }
}

/* The business id of a document, as text. */
static char *key_of(struct mongo *m, const bson_t *body)
{
    bson_iter_t iter, value;
    if (!body || !bson_iter_init(&iter, body) || !bson_iter_find_descendant(&iter, m->id_field, &value))
        return NULL;
    return keys_text(&value);
}

/* ---- is there a unique index? ---- */

static bool index_is_unique(struct mongo *m, const bson_t *index)
{
    bson_iter_t iter, key;
    if (!bson_iter_init_find(&iter, index, "unique") || !bson_iter_as_bool(&iter)) return false;
    if (bson_iter_init_find(&iter, index, "partialFilterExpression")) return false;
    if (!bson_iter_init_find(&iter, index, "key") || !BSON_ITER_HOLDS_DOCUMENT(&iter) ||
        !bson_iter_recurse(&iter, &key) || !bson_iter_next(&key))
        return false;
    return !strcmp(bson_iter_key(&key), m->id_field) && !bson_iter_next(&key);
}

static bool look_for_unique(struct mongo *m, mongoc_client_t *client)
{
    struct rows rows;
    const bson_t *row;
    bool unique = false;
    bson_t command = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&command, "listIndexes", m->collection);
    if (!rows_open(m, client, &rows, &command, LEVEL_NONE, 0, "listing indexes", NULL))
        while (rows_next(&rows, &row)) unique = unique || index_is_unique(m, row);
    if (rows_close(&rows, "listing indexes", NULL)) unique = false;
    bson_destroy(&command);
    return unique;
}

/* True if MongoDB itself keeps business ids apart. Where the list of indexes can't be read: false. */
static bool ids_are_unique(struct mongo *m, mongoc_client_t *client)
{
    if (!strcmp(m->id_field, "_id")) return true;
    pthread_mutex_lock(&m->lock);
    bool unique = m->id_unique, fresh = mongo_now_ms() < m->id_unique_until_ms;
    pthread_mutex_unlock(&m->lock);
    if (fresh) return unique;
    unique = look_for_unique(m, client);
    pthread_mutex_lock(&m->lock);
    m->id_unique = unique;
    m->id_unique_until_ms = mongo_now_ms() + UNIQUE_FOR_MS;
    pthread_mutex_unlock(&m->lock);
    return unique;
}

/* ---- owners ---- */

/* {id_field: {$in: values that read as one of keys}} */
static void append_holders(struct mongo *m, bson_t *filter, const char *const *keys, size_t count)
{
    bson_t condition, in;
    uint32_t n = 0;
    BSON_APPEND_DOCUMENT_BEGIN(filter, m->id_field, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$in", &in);
    for (size_t i = 0; i < count; i++)
        if (keys[i]) keys_candidates(keys[i], &in, &n);
    bson_append_array_end(&condition, &in);
    bson_append_document_end(filter, &condition);
}

/* One row for each business id, with the lowest `_id` that has it. */
static void owners_command(struct mongo *m, bson_t *command, const char *const *keys, size_t count)
{
    bson_t pipeline, stage, inner, low;
    BSON_APPEND_UTF8(command, "aggregate", m->collection);
    BSON_APPEND_ARRAY_BEGIN(command, "pipeline", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &inner);
    append_holders(m, &inner, keys, count);
    bson_append_document_end(&stage, &inner);
    bson_append_document_end(&pipeline, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "1", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$group", &inner);
    char *path = bson_strdup_printf("$%s", m->id_field);
    BSON_APPEND_UTF8(&inner, "_id", path);
    bson_free(path);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, "low", &low);
    BSON_APPEND_UTF8(&low, "$min", "$_id");
    bson_append_document_end(&inner, &low);
    bson_append_document_end(&stage, &inner);
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(command, &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(command, "cursor", &inner);
    bson_append_document_end(command, &inner);
}

/* Makes `low` the owner of each document with this key whose own id, and owner so far, is higher. */
static bool own(struct source_doc *docs, char **keys, size_t count, const char *key, const struct docid *low)
{
    for (size_t i = 0; i < count; i++) {
        if (!keys[i] || strcmp(keys[i], key) != 0 || docid_compare(low, docs[i].id) >= 0) continue;
        if (docs[i].owner && docid_compare(low, docs[i].owner) >= 0) continue;
        docid_free(docs[i].owner);
        docs[i].owner = docid_copy(low);
        if (!docs[i].owner) return false;
    }
    return true;
}

static bool take_owner(struct source_doc *docs, char **keys, size_t count, const bson_t *row)
{
    bson_iter_t value, low;
    if (!bson_iter_init_find(&value, row, "_id") || !bson_iter_init_find(&low, row, "low")) return true;
    char *key = keys_text(&value);
    struct docid *id = docid_new(&low);
    bool ok = id && (!key || own(docs, keys, count, key, id));
    docid_free(id);
    free(key);
    return ok;
}

static enum lks_code find_owners(struct mongo *m, mongoc_client_t *client, struct source_doc *docs,
                                 char **keys, size_t count, cluster_time after, struct lks_err *err)
{
    static const char what[] = "looking for owners of business ids";
    struct rows rows;
    const bson_t *row;
    bson_t command = BSON_INITIALIZER;
    owners_command(m, &command, (const char *const *)keys, count);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, after, what, err);
    while (!code && rows_next(&rows, &row))
        if (!take_owner(docs, keys, count, row)) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    return code ? code : closed;
}

enum lks_code keys_owners(struct mongo *m, mongoc_client_t *client, struct source_doc *docs, size_t count,
                          cluster_time after, struct lks_err *err)
{
    size_t with_key = 0;
    if (!count || ids_are_unique(m, client)) return LKS_E_OK;
    char **keys = calloc(count, sizeof *keys);
    if (!keys) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        if ((keys[i] = key_of(m, docs[i].body))) with_key++;
    enum lks_code code = with_key ? find_owners(m, client, docs, keys, count, after, err) : LKS_E_OK;
    for (size_t i = 0; i < count; i++) free(keys[i]);
    free(keys);
    return code;
}

/* ---- REQ_HOLDERS ---- */

enum lks_code keys_holders(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    static const char what[] = "looking for documents of a business id";
    struct rows rows = {0};
    const bson_t *row;
    size_t room = 0;
    bson_t command = BSON_INITIALIZER, filter;
    BSON_APPEND_UTF8(&command, "find", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    append_holders(m, &filter, req->holders.keys, req->holders.count);
    bson_append_document_end(&command, &filter);
    BSON_APPEND_DOCUMENT(&command, "projection", m->only_id);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, &req->err);
    while (!code && rows_next(&rows, &row))
        if (!ids_add(&req->holders.ids, &req->holders.id_count, &room, docid_of(row)))
            code = lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    enum lks_code closed = rows_close(&rows, what, code ? NULL : &req->err);
    bson_destroy(&command);
    return code ? code : closed;
}
