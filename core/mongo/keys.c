/*
 * keys.c - business ids: who else has the same, and who owns it.
 *
 * A string stands for itself in `_lockstep.key`, any other value as canonical Extended JSON of its canonical
 * form, so two documents have the same business id if the server holds the values equal by its simple
 * collation. Arrays, documents, null, NaN and blank strings are no ids.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/canonical.h"
#include "base/clock.h"
#include "base/siphash.h"
#include "base/uuid.h"
#include "mongo/mongo_internal.h"

/* How long we believe what the list of indexes said. */
#define UNIQUE_FOR_MS 60000

/* ---- values and texts ---- */

static bool is_blank(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!text[i] || !strchr(" \t\n\v\f\r", text[i])) return false;
    return true;
}

static bool is_usable(const bson_iter_t *value)
{
    uint32_t bytes = 0;
    const char *text;
    switch (bson_iter_type(value)) {
    case BSON_TYPE_EOD:
    case BSON_TYPE_NULL:
    case BSON_TYPE_UNDEFINED:
    case BSON_TYPE_ARRAY:
    case BSON_TYPE_DOCUMENT:
        return false;
    case BSON_TYPE_UTF8:
        text = bson_iter_utf8(value, &bytes);
        return !is_blank(text, bytes) && !memchr(text, '\0', bytes);
    default:
        return !canonical_is_nan(value);
    }
}

/* The value as `_lockstep.key` shows it; *key is NULL if it is no business id. free() it. False when memory
 * is out. */
static bool key_of_value(const bson_iter_t *value, char **key)
{
    *key = NULL;
    if (!is_usable(value)) return true;
    struct docid *id = docid_new(value);
    *key = id ? docid_key(id) : NULL;
    docid_free(id);
    return *key;
}

/* The business id of a document. */
static bool key_of(struct mongo *m, const bson_t *body, char **key)
{
    bson_iter_t iter, value;
    *key = NULL;
    if (!body || !bson_iter_init(&iter, body) || !bson_iter_find_descendant(&iter, m->id_field, &value))
        return true;
    return key_of_value(&value, key);
}

/* Appends array elements one after the other. */
struct values {
    bson_t *array;
    uint32_t count;
};

static const char *next_index(struct values *values, char buffer[16])
{
    const char *index;
    bson_uint32_to_string(values->count++, &index, buffer, 16);
    return index;
}

/* The values that `_lockstep.key` shows as `key`. False when memory is out. */
static bool append_key(struct values *to, const char *key)
{
    char buffer[16];
    struct docid *id = NULL;
    BSON_APPEND_UTF8(to->array, next_index(to, buffer), key);
    if (key[0] == '{' && !docid_read(key, &id)) return false;
    if (id) docid_append(id, to->array, next_index(to, buffer));
    docid_free(id);
    return true;
}

static void guess_number(struct values *to, const char *text)
{
    char buffer[16], *end;
    bson_decimal128_t decimal;
    if (!text[0] || strspn(text, "+-.0123456789eE") != strlen(text)) return;
    errno = 0;
    double value = strtod(text, &end);
    if (*end || !isfinite(value)) return;
    BSON_APPEND_DOUBLE(to->array, next_index(to, buffer), value); /* equal to whole numbers, too */
    long long whole = strtoll(text, &end, 10);
    if (!*end && !errno) BSON_APPEND_INT64(to->array, next_index(to, buffer), whole); /* beyond 2^53 */
    if (bson_decimal128_from_string(text, &decimal))
        BSON_APPEND_DECIMAL128(to->array, next_index(to, buffer), &decimal);
}

/* Of either subtype: they read the same. */
static void guess_uuid(struct values *to, const char *text)
{
    uint8_t uuid[UUID_BYTES];
    char buffer[16];
    if (!uuid_from_text(text, uuid)) return;
    BSON_APPEND_BINARY(to->array, next_index(to, buffer), BSON_SUBTYPE_UUID, uuid, UUID_BYTES);
    BSON_APPEND_BINARY(to->array, next_index(to, buffer), BSON_SUBTYPE_UUID_DEPRECATED, uuid, UUID_BYTES);
}

bool keys_guesses(bson_t *array, const char *text)
{
    struct values to = {.array = array};
    char buffer[16];
    struct docid *quoted = NULL;
    if (!append_key(&to, text) || (text[0] == '"' && !docid_read(text, &quoted))) return false;
    if (quoted) docid_append(quoted, array, next_index(&to, buffer));
    docid_free(quoted);
    guess_number(&to, text);
    if (!strcmp(text, "true") || !strcmp(text, "false"))
        BSON_APPEND_BOOL(array, next_index(&to, buffer), text[0] == 't');
    guess_uuid(&to, text);
    if (strlen(text) == 24 && bson_oid_is_valid(text, 24)) {
        bson_oid_t oid;
        bson_oid_init_from_string(&oid, text);
        BSON_APPEND_OID(array, next_index(&to, buffer), &oid);
    }
    return true;
}

/* ---- is there a unique index? ---- */

/* Is it an index that begins with the id field? Then *alone says whether it has no other. */
static bool index_is_on_id(struct mongo *m, const bson_t *index, bool *alone)
{
    bson_iter_t iter, key;
    if (bson_iter_init_find(&iter, index, "partialFilterExpression") ||
        !bson_iter_init_find(&iter, index, "key") || !BSON_ITER_HOLDS_DOCUMENT(&iter) ||
        !bson_iter_recurse(&iter, &key) || !bson_iter_next(&key) || strcmp(bson_iter_key(&key), m->id_field))
        return false;
    bool ordered = bson_iter_as_int64(&key) == 1 || bson_iter_as_int64(&key) == -1;
    *alone = !bson_iter_next(&key);
    return ordered;
}

static bool index_flag(const bson_t *index, const char *name)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, index, name) && bson_iter_as_bool(&iter);
}

static bool index_has(const bson_t *index, const char *name)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, index, name);
}

void keys_look_for_index(struct mongo *m, mongoc_client_t *client, bool *there, bool *unique)
{
    struct rows rows;
    const bson_t *row;
    bool alone;
    bson_t command = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&command, "listIndexes", m->collection);
    *there = *unique = false;
    if (!rows_open(m, client, &rows, &command, LEVEL_NONE, 0, "listing indexes", NULL))
        while (rows_next(&rows, &row)) {
            if (!index_is_on_id(m, row, &alone)) continue;
            /* the server leaves the simple collation out */
            if (!index_flag(row, "sparse") && !index_has(row, "collation")) *there = true;
            if (alone && index_flag(row, "unique")) *unique = true;
        }
    if (rows_close(&rows, "listing indexes", NULL)) *there = *unique = false;
    bson_destroy(&command);
}

/* True if MongoDB itself keeps business ids apart. Where the list of indexes can't be read: false. */
static bool ids_are_unique(struct mongo *m, mongoc_client_t *client)
{
    if (!strcmp(m->id_field, "_id")) return true;
    pthread_mutex_lock(&m->lock);
    bool unique = m->id_unique, fresh = clock_ms() < m->id_unique_until_ms;
    pthread_mutex_unlock(&m->lock);
    if (fresh) return unique;
    bool there;
    keys_look_for_index(m, client, &there, &unique);
    pthread_mutex_lock(&m->lock);
    m->id_unique = unique;
    m->id_unique_until_ms = clock_ms() + UNIQUE_FOR_MS;
    pthread_mutex_unlock(&m->lock);
    return unique;
}

/* ---- owners ---- */

/* One row {_id: value, low: lowest `_id`, high: highest} for each value that the server holds equal. */
static void append_group(struct mongo *m, bson_t *pipeline)
{
    bson_t stage, group, inner;
    char *path = bson_strdup_printf("$%s", m->id_field);
    BSON_APPEND_DOCUMENT_BEGIN(pipeline, "1", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$group", &group);
    BSON_APPEND_UTF8(&group, "_id", path);
    BSON_APPEND_DOCUMENT_BEGIN(&group, "low", &inner);
    BSON_APPEND_UTF8(&inner, "$min", "$_id");
    bson_append_document_end(&group, &inner);
    BSON_APPEND_DOCUMENT_BEGIN(&group, "high", &inner);
    BSON_APPEND_UTF8(&inner, "$max", "$_id");
    bson_append_document_end(&group, &inner);
    bson_append_document_end(&stage, &group);
    bson_append_document_end(pipeline, &stage);
    bson_free(path);
}

/* A document and its business id; sorted by the id's hash, so that an answer finds its documents. */
struct key_use {
    char *key; /* owned */
    uint64_t hash;
    struct source_document *doc;
};

static int compare_key_uses(const void *a, const void *b)
{
    uint64_t x = ((const struct key_use *)a)->hash, y = ((const struct key_use *)b)->hash;
    return x < y ? -1 : x > y;
}

/* False when memory is out. */
static bool owners_command(struct mongo *m, bson_t *command, const struct key_use *key_uses, size_t count)
{
    bson_t pipeline, stage, match, condition, in;
    struct values values = {.array = &in};
    bool whole = true;
    BSON_APPEND_UTF8(command, "aggregate", m->collection);
    BSON_APPEND_ARRAY_BEGIN(command, "pipeline", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &match);
    BSON_APPEND_DOCUMENT_BEGIN(&match, m->id_field, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$in", &in);
    for (size_t i = 0; i < count; i++) whole &= append_key(&values, key_uses[i].key);
    bson_append_array_end(&condition, &in);
    bson_append_document_end(&match, &condition);
    bson_append_document_end(&stage, &match);
    bson_append_document_end(&pipeline, &stage);
    append_group(m, &pipeline);
    bson_append_array_end(command, &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(command, "cursor", &match);
    bson_append_document_end(command, &match);
    return whole;
}

/* Where the documents of this hash begin: the first of them, or where it would be. */
static size_t first_key_use(const struct key_use *key_uses, size_t count, uint64_t hash)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key_uses[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t hash_of(const char *key)
{
    return siphash(key, strlen(key));
}

/* Notes in each document with this key who else has it. Several rows may have one key: a string that reads
 * like another value's Extended JSON has its key. */
static bool own(const struct key_use *key_uses, size_t count, const char *key, const struct docid *low,
                const struct docid *high)
{
    uint64_t hash = hash_of(key);
    for (size_t i = first_key_use(key_uses, count, hash); i < count && key_uses[i].hash == hash; i++) {
        struct source_document *doc = key_uses[i].doc;
        if (strcmp(key_uses[i].key, key) != 0) continue;
        doc->contested |= docid_compare(high, doc->id) > 0;
        if (docid_compare(low, doc->owner ? doc->owner : doc->id) >= 0) continue;
        docid_free(doc->owner);
        doc->owner = docid_copy(low);
        if (!doc->owner) return false;
    }
    return true;
}

static bool take_owner(const struct key_use *key_uses, size_t count, const bson_t *row)
{
    bson_iter_t value, end;
    struct docid *low = NULL, *high = NULL;
    char *key = NULL;
    if (!bson_iter_init_find(&value, row, "_id")) return true;
    if (!key_of_value(&value, &key)) return false;
    if (!key) return true; /* found in an array, which is no id */
    if (bson_iter_init_find(&end, row, "low")) low = docid_new(&end);
    if (bson_iter_init_find(&end, row, "high")) high = docid_new(&end);
    bool ok = low && high && own(key_uses, count, key, low, high);
    free(key);
    docid_free(low);
    docid_free(high);
    return ok;
}

static enum lks_code find_owners(struct mongo *m, mongoc_client_t *client, const struct key_use *key_uses,
                                 size_t count, cluster_time after, struct lks_err *err)
{
    static const char what[] = "looking for owners of business ids";
    struct rows rows = {0};
    const bson_t *row;
    bson_t command = BSON_INITIALIZER;
    enum lks_code code = owners_command(m, &command, key_uses, count)
                             ? rows_open(m, client, &rows, &command, LEVEL_MAJORITY, after, what, err)
                             : lks_fail(err, LKS_E_NOMEM, "out of memory");
    while (!code && rows_next(&rows, &row))
        if (!take_owner(key_uses, count, row)) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    return code ? code : closed;
}

enum lks_code keys_owners(struct mongo *m, mongoc_client_t *client, struct source_document *docs,
                          size_t count, cluster_time after, struct lks_err *err)
{
    size_t key_use_count = 0;
    if (!count || ids_are_unique(m, client)) return LKS_E_OK;
    struct key_use *key_uses = calloc(count, sizeof *key_uses);
    enum lks_code code = key_uses ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count && !code; i++) {
        char *key;
        if (!key_of(m, docs[i].body, &key)) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
        if (key) key_uses[key_use_count++] = (struct key_use){key, hash_of(key), &docs[i]};
    }
    if (key_use_count) qsort(key_uses, key_use_count, sizeof *key_uses, compare_key_uses);
    if (key_use_count && !code) code = find_owners(m, client, key_uses, key_use_count, after, err);
    for (size_t i = 0; i < key_use_count; i++) free(key_uses[i].key);
    free(key_uses);
    return code;
}

/* ---- REQ_DUPLICATES ---- */

enum lks_code keys_duplicates(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    static const char what[] = "looking for documents of a business id";
    struct rows rows = {0};
    const bson_t *row;
    size_t capacity = 0;
    bson_t command = BSON_INITIALIZER, filter, condition, in;
    struct values values = {.array = &in};
    BSON_APPEND_UTF8(&command, "find", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, m->id_field, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$in", &in);
    bool whole = true;
    for (size_t i = 0; i < req->duplicates.count; i++) whole &= append_key(&values, req->duplicates.keys[i]);
    bson_append_array_end(&condition, &in);
    bson_append_document_end(&filter, &condition);
    if (req->duplicates.from) ids_after(&filter, req->duplicates.from);
    bson_append_document_end(&command, &filter);
    BSON_APPEND_DOCUMENT(&command, "projection", m->only_id);
    rows_sorted(&command, "_id", req->duplicates.max_ids);
    enum lks_code code = whole ? rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, &req->err)
                               : lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    while (!code && rows_next(&rows, &row))
        if (!ids_add(&req->duplicates.ids, &req->duplicates.id_count, &capacity, docid_of(row)))
            code = lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    enum lks_code closed = rows_close(&rows, what, code ? NULL : &req->err);
    bson_destroy(&command);
    return code ? code : closed;
}
