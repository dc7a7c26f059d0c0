/*
 * mongo_tombstones.c - documents that somebody has to come back to, as their points must go, durable in
 * lockstep.state.
 *
 * {_id: {source, doc: <_id in canonical Extended JSON>}, source, since, due, id: {_id: <value>}, after, key,
 * points: {<collection>: [ids]}}: the points are those that some replicas may have, see
 * engine/documents/owed.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mongo/mongo_internal.h"

/* Whole bulks travel in one command, far below 16 MB and 100,000 updates. */
#define TOMBSTONES_PER_COMMAND 1000

static void append_key(struct mongo *m, bson_t *to, const char *key, const char *doc)
{
    bson_t id;
    BSON_APPEND_DOCUMENT_BEGIN(to, key, &id);
    BSON_APPEND_UTF8(&id, "source", m->source);
    BSON_APPEND_UTF8(&id, "doc", doc);
    bson_append_document_end(to, &id);
}

static void append_tombstone(struct mongo *m, bson_t *to, const struct tombstone *tombstone)
{
    bson_t wrap;
    BSON_APPEND_UTF8(to, "source", m->source);
    BSON_APPEND_DATE_TIME(to, "since", tombstone->since_ms);
    BSON_APPEND_DATE_TIME(to, "due", tombstone->due_ms);
    BSON_APPEND_BOOL(to, "refused", tombstone->refused);
    BSON_APPEND_DOCUMENT_BEGIN(to, "id", &wrap);
    docid_append(tombstone->id, &wrap, "_id");
    bson_append_document_end(to, &wrap);
    BSON_APPEND_TIMESTAMP(to, "after", (uint32_t)(tombstone->after >> 32), (uint32_t)tombstone->after);
    if (tombstone->key) BSON_APPEND_UTF8(to, "key", tombstone->key); /* else the one that is there stays */
}

/* Those of one collection, beside the ones that are there. */
static void append_owed_of(bson_t *to, const char *name, const struct owed_points *owed, size_t collection)
{
    bson_t each, list;
    char buffer[16];
    const char *index;
    uint32_t count = 0;
    char *path = bson_strdup_printf("points.%s", name);
    for (size_t i = 0; i < owed->count; i++) {
        if (owed->items[i].collection != collection) continue;
        if (!count) {
            BSON_APPEND_DOCUMENT_BEGIN(to, path, &each);
            BSON_APPEND_ARRAY_BEGIN(&each, "$each", &list);
        }
        bson_uint32_to_string(count++, &index, buffer, sizeof buffer);
        BSON_APPEND_UTF8(&list, index, owed->items[i].id);
    }
    if (count) {
        bson_append_array_end(&each, &list);
        bson_append_document_end(to, &each);
    }
    bson_free(path);
}

static void append_owed(struct mongo *m, bson_t *to, const struct owed_points *owed)
{
    bson_t add;
    bool any = false; /* an empty $addToSet is refused */
    for (size_t i = 0; i < owed->count; i++) any |= owed->items[i].collection < m->name_count;
    if (!any) return;
    BSON_APPEND_DOCUMENT_BEGIN(to, "$addToSet", &add);
    for (size_t i = 0; i < m->name_count; i++) append_owed_of(&add, m->names[i], owed, i);
    bson_append_document_end(to, &add);
}

/* The tombstone's key, and how earlier versions spelled it where MongoDB has the number in a wider type. */
static void append_spellings(struct mongo *m, bson_t *to, const char *doc)
{
    static const char *const forms[] = {"$numberLong", "$numberDouble"};
    bson_t in, keys;
    char text[64];
    bool number = strncmp(doc, "{\"$numberInt\":\"", 15) == 0;
    BSON_APPEND_DOCUMENT_BEGIN(to, "_id", &in);
    BSON_APPEND_ARRAY_BEGIN(&in, "$in", &keys);
    append_key(m, &keys, "0", doc);
    for (size_t i = 0; number && i < 2; i++) {
        snprintf(text, sizeof text, "{\"%s\":\"%.*s%s\"}", forms[i], (int)strcspn(doc + 15, "\""), doc + 15,
                 i ? ".0" : "");
        append_key(m, &keys, i ? "2" : "1", text);
    }
    bson_append_array_end(&in, &keys);
    bson_append_document_end(to, &in);
}

/* One element of `updates` or `deletes`. False when memory is out. */
static bool append_step(struct mongo *m, bson_t *list, uint32_t at, const struct tombstone *tombstone,
                        bool put)
{
    bson_t step, inner, set;
    char buffer[16];
    const char *index;
    char *doc = docid_json(tombstone->id);
    if (!doc) return false;
    bson_uint32_to_string(at, &index, buffer, sizeof buffer);
    BSON_APPEND_DOCUMENT_BEGIN(list, index, &step);
    BSON_APPEND_DOCUMENT_BEGIN(&step, "q", &inner);
    if (put)
        append_key(m, &inner, "_id", doc);
    else
        append_spellings(m, &inner, doc);
    if (!put) BSON_APPEND_DATE_TIME(&inner, "since", tombstone->since_ms); /* not one that was put since */
    bson_append_document_end(&step, &inner);
    if (put) {
        BSON_APPEND_DOCUMENT_BEGIN(&step, "u", &inner);
        BSON_APPEND_DOCUMENT_BEGIN(&inner, "$set", &set);
        append_tombstone(m, &set, tombstone);
        bson_append_document_end(&inner, &set);
        append_owed(m, &inner, &tombstone->owed);
        bson_append_document_end(&step, &inner);
        BSON_APPEND_BOOL(&step, "upsert", true);
    } else {
        BSON_APPEND_INT32(&step, "limit", 1);
    }
    bson_append_document_end(list, &step);
    free(doc);
    return true;
}

static enum lks_code run_write(struct mongo *m, mongoc_client_t *client, const bson_t *command,
                               const char *what, struct lks_err *err)
{
    bson_t reply;
    bson_error_t error;
    bson_iter_t iter;
    enum lks_code code = LKS_E_OK;
    if (!mongo_command(m, client, NULL, 0, MONGO_WRITES, command, &reply, &error))
        code = mongo_fail(err, &error, what);
    else if (bson_iter_init_find(&iter, &reply, "writeErrors"))
        code = lks_fail(err, LKS_E_MONGO, "MongoDB, %s: some were refused", what);
    bson_destroy(&reply);
    return code;
}

/* Some tombstones in one command. */
static enum lks_code run_steps(struct mongo *m, mongoc_client_t *client, const struct tombstone *tombstones,
                               size_t count, bool put, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, list;
    bool ok = true;
    BSON_APPEND_UTF8(&command, put ? "update" : "delete", STATE_COLLECTION);
    BSON_APPEND_ARRAY_BEGIN(&command, put ? "updates" : "deletes", &list);
    for (size_t i = 0; ok && i < count; i++) ok = append_step(m, &list, (uint32_t)i, &tombstones[i], put);
    bson_append_array_end(&command, &list);
    BSON_APPEND_BOOL(&command, "ordered", false);
    enum lks_code code =
        ok ? run_write(m, client, &command, put ? "writing tombstones" : "dropping tombstones", err)
           : lks_fail(err, LKS_E_NOMEM, "out of memory");
    bson_destroy(&command);
    return code;
}

/* At once, before the points are deleted: a document of the same `_id` must not find it. */
static enum lks_code remove_records(struct mongo *m, mongoc_client_t *client,
                                    const struct tombstone *tombstones, size_t count, struct lks_err *err)
{
    size_t gone = 0;
    const struct docid **ids = calloc(count, sizeof *ids);
    if (!ids) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (!tombstones[i].takeover) ids[gone++] = tombstones[i].id;
    enum lks_code code = beside_remove(m, client, ids, gone, err);
    free(ids);
    return code;
}

static enum lks_code run_all(struct mongo *m, mongoc_client_t *client, struct req *req, bool put)
{
    enum lks_code code = LKS_E_OK;
    for (size_t i = 0; !code && i < req->tombstones.count; i += TOMBSTONES_PER_COMMAND) {
        size_t left = req->tombstones.count - i,
               n = left < TOMBSTONES_PER_COMMAND ? left : TOMBSTONES_PER_COMMAND;
        code = run_steps(m, client, req->tombstones.tombstones + i, n, put, &req->err);
        if (!code && put) code = remove_records(m, client, req->tombstones.tombstones + i, n, &req->err);
    }
    return code;
}

enum lks_code tombstones_put(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    return run_all(m, client, req, true);
}

enum lks_code tombstones_drop(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    return run_all(m, client, req, false);
}

/* Those of versions that knew no `due`: all of them are looked at. */
enum lks_code tombstones_adopt(struct mongo *m, mongoc_client_t *client, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, list, step, inner, pipeline;
    BSON_APPEND_UTF8(&command, "update", STATE_COLLECTION);
    BSON_APPEND_ARRAY_BEGIN(&command, "updates", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &step);
    BSON_APPEND_DOCUMENT_BEGIN(&step, "q", &inner);
    BSON_APPEND_UTF8(&inner, "source", m->source);
    BSON_APPEND_NULL(&inner, "due");
    bson_append_document_end(&step, &inner);
    BSON_APPEND_ARRAY_BEGIN(&step, "u", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &inner);
    BCON_APPEND(&inner, "$set", "{", "due", "$since", "}");
    bson_append_document_end(&pipeline, &inner);
    bson_append_array_end(&step, &pipeline);
    BSON_APPEND_BOOL(&step, "multi", true);
    bson_append_document_end(&list, &step);
    bson_append_array_end(&command, &list);
    enum lks_code code = run_write(m, client, &command, "taking over tombstones", err);
    bson_destroy(&command);
    return code;
}

/* ---- listing ---- */

static bool load_owed_point(struct owed_points *owed, size_t collection, const bson_iter_t *id)
{
    uint32_t bytes;
    const char *text = bson_iter_utf8(id, &bytes);
    if (bytes >= POINT_ID_BYTES) return true;
    struct owed_point *items = realloc(owed->items, (owed->count + 1) * sizeof *items);
    if (!items) return false;
    owed->items = items;
    items[owed->count].collection = collection;
    memcpy(items[owed->count++].id, text, bytes + 1);
    return true;
}

/* `points`; of a collection that is off they have no number. False when memory is out. */
static bool load_owed(const struct mongo *m, const bson_iter_t *value, struct owed_points *owed)
{
    bson_iter_t names, ids;
    if (!BSON_ITER_HOLDS_DOCUMENT(value) || !bson_iter_recurse(value, &names)) return true;
    while (bson_iter_next(&names)) {
        size_t i = 0;
        while (i < m->name_count && strcmp(m->names[i], bson_iter_key(&names)) != 0) i++;
        if (!BSON_ITER_HOLDS_ARRAY(&names) || !bson_iter_recurse(&names, &ids)) continue;
        while (bson_iter_next(&ids))
            if (BSON_ITER_HOLDS_UTF8(&ids) && !load_owed_point(owed, i < m->name_count ? i : SIZE_MAX, &ids))
                return false;
    }
    return true;
}

/* LKS_E_NOT_FOUND: it is none. LKS_E_NOMEM: less than the whole of it would be a promise broken. */
static enum lks_code load_tombstone(const struct mongo *m, const bson_t *row, struct tombstone *tombstone)
{
    bson_iter_t iter, inner;
    bool has_id = false, has_key = false, whole = true;
    *tombstone = (struct tombstone){0};
    if (!bson_iter_init(&iter, row)) return LKS_E_NOT_FOUND;
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        if (!strcmp(key, "id") && BSON_ITER_HOLDS_DOCUMENT(&iter) && bson_iter_recurse(&iter, &inner) &&
            bson_iter_find(&inner, "_id") && !has_id) {
            has_id = true;
            tombstone->id = docid_new(&inner);
        }
        if (!strcmp(key, "after")) tombstone->after = mongo_cluster_time(&iter);
        if (!strcmp(key, "since") && BSON_ITER_HOLDS_DATE_TIME(&iter))
            tombstone->since_ms = bson_iter_date_time(&iter);
        if (!strcmp(key, "due") && BSON_ITER_HOLDS_DATE_TIME(&iter))
            tombstone->due_ms = bson_iter_date_time(&iter);
        if (!strcmp(key, "refused") && BSON_ITER_HOLDS_BOOL(&iter))
            tombstone->refused = bson_iter_bool(&iter);
        if (!strcmp(key, "key") && BSON_ITER_HOLDS_UTF8(&iter) && !has_key) {
            has_key = true;
            tombstone->key = strdup(bson_iter_utf8(&iter, NULL));
        }
        if (!strcmp(key, "points")) whole = load_owed(m, &iter, &tombstone->owed) && whole;
    }
    if (whole && tombstone->id && (tombstone->key || !has_key)) return LKS_E_OK;
    tombstone_fini(tombstone);
    return has_id ? LKS_E_NOMEM : LKS_E_NOT_FOUND;
}

/* One alternative of the filter: {source, due: {$gt: above, $lte: by}}, or {source, due, "_id.doc": {$gt:
 * doc}}. */
static void append_range(struct mongo *m, bson_t *list, const char *index, const struct req *req,
                         const char *doc)
{
    bson_t filter, condition;
    BSON_APPEND_DOCUMENT_BEGIN(list, index, &filter);
    BSON_APPEND_UTF8(&filter, "source", m->source);
    if (doc) {
        if (req->tombstones.refused) BSON_APPEND_BOOL(&filter, "refused", true);
        BSON_APPEND_DATE_TIME(&filter, "due", req->tombstones.from_due_ms);
        BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id.doc", &condition);
        BSON_APPEND_UTF8(&condition, "$gt", doc);
    } else {
        if (req->tombstones.refused) BSON_APPEND_BOOL(&filter, "refused", true);
        BSON_APPEND_DOCUMENT_BEGIN(&filter, "due", &condition);
        if (req->tombstones.from) BSON_APPEND_DATE_TIME(&condition, "$gt", req->tombstones.from_due_ms);
        BSON_APPEND_DATE_TIME(&condition, "$lte", req->tombstones.due_by_ms);
    }
    bson_append_document_end(&filter, &condition);
    bson_append_document_end(list, &filter);
}

/* Each alternative is a range of the index on (source, due, _id.doc), so that a page costs what it brings. */
static bool list_command(struct mongo *m, bson_t *command, const struct req *req)
{
    bson_t filter, list, sort;
    char *doc = req->tombstones.from ? docid_json(req->tombstones.from) : NULL;
    if (req->tombstones.from && !doc) return false;
    BSON_APPEND_UTF8(command, "find", STATE_COLLECTION);
    BSON_APPEND_DOCUMENT_BEGIN(command, "filter", &filter);
    BSON_APPEND_ARRAY_BEGIN(&filter, "$or", &list);
    append_range(m, &list, "0", req, NULL);
    if (doc) append_range(m, &list, "1", req, doc);
    bson_append_array_end(&filter, &list);
    bson_append_document_end(command, &filter);
    BSON_APPEND_DOCUMENT_BEGIN(command, "sort", &sort);
    BSON_APPEND_INT32(&sort, "due", 1);
    BSON_APPEND_INT32(&sort, "_id.doc", 1);
    bson_append_document_end(command, &sort);
    BSON_APPEND_INT64(command, "limit", (int64_t)req->tombstones.max);
    free(doc);
    return true;
}

/* The earliest that was not due yet. */
static enum lks_code find_next(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    static const char what[] = "looking for the next tombstone";
    struct rows rows = {0};
    const bson_t *row;
    bson_t command = BSON_INITIALIZER, filter, condition;
    BSON_APPEND_UTF8(&command, "find", STATE_COLLECTION);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_UTF8(&filter, "source", m->source);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, "due", &condition);
    BSON_APPEND_DATE_TIME(&condition, "$gt", req->tombstones.due_by_ms);
    bson_append_document_end(&filter, &condition);
    bson_append_document_end(&command, &filter);
    rows_sorted(&command, "due", 1);
    req->tombstones.next_ms = NO_TIME;
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, &req->err);
    while (!code && rows_next(&rows, &row)) {
        bson_iter_t iter;
        if (bson_iter_init_find(&iter, row, "due") && BSON_ITER_HOLDS_DATE_TIME(&iter))
            req->tombstones.next_ms = bson_iter_date_time(&iter);
    }
    enum lks_code closed = rows_close(&rows, what, code ? NULL : &req->err);
    bson_destroy(&command);
    return code ? code : closed;
}

static bool tombstones_add(struct req *req, size_t *capacity, const struct tombstone *tombstone)
{
    if (req->tombstones.count == *capacity) {
        size_t more = *capacity ? *capacity * 2 : 16;
        struct tombstone *grown = realloc(req->tombstones.tombstones, more * sizeof *grown);
        if (!grown) return false;
        req->tombstones.tombstones = grown;
        *capacity = more;
    }
    req->tombstones.tombstones[req->tombstones.count++] = *tombstone;
    return true;
}

enum lks_code tombstones_list(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    static const char what[] = "listing tombstones";
    struct rows rows = {0};
    const bson_t *row;
    size_t capacity = 0;
    bson_t command = BSON_INITIALIZER;
    enum lks_code code = list_command(m, &command, req)
                             ? rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, &req->err)
                             : lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    while (!code && rows_next(&rows, &row)) {
        struct tombstone tombstone;
        enum lks_code loaded = load_tombstone(m, row, &tombstone);
        if (loaded == LKS_E_NOT_FOUND) continue;
        if (loaded == LKS_E_OK && tombstones_add(req, &capacity, &tombstone)) continue;
        tombstone_fini(&tombstone);
        code = lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    }
    enum lks_code closed = rows_close(&rows, what, code ? NULL : &req->err);
    bson_destroy(&command);
    if (!code) code = closed;
    if (!code && req->tombstones.count < req->tombstones.max) code = find_next(m, client, req);
    return code;
}
