/*
 * mongo_forget.c - takes the entries of a collection that was switched off out of all records, in the
 * documents and beside them, and drops the index that served them.
 *
 * One pass over what has such an entry, a batch of ids at a time, so that no command runs for long. It writes
 * nothing else; documents without an entry aren't touched, and doing it twice is doing it once.
 */
#include <stdlib.h>
#include <string.h>

#include "mongo/mongo_internal.h"

#define BATCH 1000

static const char what[] = "forgetting entries";

struct forget {
    struct mongo *m;
    mongoc_client_t *client;
    char *path; /* syncMetadata.collections.NAME */
    bool (*progress)(void *self, int64_t done);
    void *self;
    int64_t done;
};

static void append_has_entry(bson_t *filter, const char *path)
{
    bson_t exists;
    BSON_APPEND_DOCUMENT_BEGIN(filter, path, &exists);
    BSON_APPEND_BOOL(&exists, "$exists", true);
    bson_append_document_end(filter, &exists);
}

/* {update: name, updates: [{q: {_id: {$in: ids}, path: {$exists}}, u: {$unset: {path}}, multi: true}]} */
static void unset_command(bson_t *command, const char *name, const char *path, struct docid *const *ids,
                          size_t count)
{
    bson_t list, one, inner, id, in;
    char buffer[16];
    const char *index;
    BSON_APPEND_UTF8(command, "update", name);
    BSON_APPEND_ARRAY_BEGIN(command, "updates", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "q", &inner);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, "_id", &id);
    BSON_APPEND_ARRAY_BEGIN(&id, "$in", &in);
    for (size_t i = 0; i < count; i++) {
        bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof buffer);
        docid_append(ids[i], &in, index);
    }
    bson_append_array_end(&id, &in);
    bson_append_document_end(&inner, &id);
    append_has_entry(&inner, path);
    bson_append_document_end(&one, &inner);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "u", &inner);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, "$unset", &id);
    BSON_APPEND_UTF8(&id, path, "");
    bson_append_document_end(&inner, &id);
    bson_append_document_end(&one, &inner);
    BSON_APPEND_BOOL(&one, "multi", true);
    mongo_append_simple(&one);
    bson_append_document_end(&list, &one);
    bson_append_array_end(command, &list);
    BSON_APPEND_BOOL(command, "ordered", false);
}

/* A document may refuse (a schema validator): the first refusal is reported, the others of the batch are
 * done. */
static enum lks_code refusal(const bson_t *reply, struct lks_err *err)
{
    bson_iter_t iter, text;
    if (!bson_iter_init_find(&iter, reply, "writeErrors")) return LKS_E_OK;
    bool has = bson_iter_init(&iter, reply) &&
               bson_iter_find_descendant(&iter, "writeErrors.0.errmsg", &text) && BSON_ITER_HOLDS_UTF8(&text);
    return lks_fail(err, LKS_E_MONGO, "MongoDB, %s: %.300s", what,
                    has ? bson_iter_utf8(&text, NULL) : "a document refuses");
}

static enum lks_code unset(struct forget *f, const char *name, struct docid *const *ids, size_t count,
                           struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t error;
    bson_iter_t iter;
    unset_command(&command, name, f->path, ids, count);
    enum lks_code code = LKS_E_OK;
    if (!mongo_command(f->m, f->client, NULL, 0, MONGO_WRITES, &command, &reply, &error))
        code = mongo_fail(err, &error, what);
    else
        code = refusal(&reply, err);
    if (bson_iter_init_find(&iter, &reply, "n") && BSON_ITER_HOLDS_NUMBER(&iter))
        f->done += bson_iter_as_int64(&iter);
    bson_destroy(&command);
    bson_destroy(&reply);
    if (!code && f->progress && !f->progress(f->self, f->done))
        code = lks_fail(err, LKS_E_CANCELLED, "stopped; what is left can be forgotten later");
    return code;
}

static enum lks_code forget_in(struct forget *f, const char *name, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, filter;
    struct docid **ids = NULL;
    size_t count = 0, capacity = 0;
    struct rows rows;
    const bson_t *row;
    BSON_APPEND_UTF8(&command, "find", name);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    append_has_entry(&filter, f->path);
    bson_append_document_end(&command, &filter);
    BSON_APPEND_DOCUMENT(&command, "projection", f->m->only_id);
    enum lks_code code = rows_open(f->m, f->client, &rows, &command, LEVEL_LOCAL, 0, what, err);
    while (!code && rows_next(&rows, &row)) {
        if (!ids_add(&ids, &count, &capacity, docid_of(row)))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
        if (code || count < BATCH) continue;
        code = unset(f, name, ids, count, err);
        while (count > 0) docid_free(ids[--count]);
    }
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    if (!code) code = closed;
    if (!code && count) code = unset(f, name, ids, count, err);
    mongo_ids_free(ids, count);
    bson_destroy(&command);
    return code;
}

/* The index of due entries for this collection. Without it nothing is missing, so errors are no
 * matter. */
static void drop_index(struct forget *f)
{
    bson_t command = BSON_INITIALIZER, key, reply;
    bson_error_t error;
    char *status = bson_strdup_printf("%s.status", f->path);
    char *retry = bson_strdup_printf("%s.nextRetryAt", f->path);
    BSON_APPEND_UTF8(&command, "dropIndexes",
                     f->m->metadata == MONGO_SIDECAR ? f->m->sidecar : f->m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "index", &key);
    BSON_APPEND_INT32(&key, status, 1);
    BSON_APPEND_INT32(&key, retry, 1);
    bson_append_document_end(&command, &key);
    mongo_command(f->m, f->client, NULL, 0, MONGO_WRITES, &command, &reply, &error);
    bson_destroy(&command);
    bson_destroy(&reply);
    bson_free(status);
    bson_free(retry);
}

enum lks_code mongo_forget(struct mongo *m, const char *name, bool (*progress)(void *self, int64_t done),
                           void *self, int64_t *entries, struct lks_err *err)
{
    struct forget f = {.m = m, .progress = progress, .self = self};
    f.path = bson_strdup_printf("%s.collections.%s", METADATA, name);
    f.client = mongo_pop(m);
    enum lks_code code = forget_in(&f, m->collection, err);
    if (!code) code = forget_in(&f, m->sidecar, err);
    if (!code) drop_index(&f);
    mongo_push(m, f.client);
    bson_free(f.path);
    *entries = f.done;
    return code;
}

static enum lks_code count_in(struct mongo *m, mongoc_client_t *client, const char *name, const char *path,
                              int64_t *count, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, query, reply;
    bson_error_t error;
    bson_iter_t iter;
    enum lks_code code = LKS_E_OK;
    BSON_APPEND_UTF8(&command, "count", name);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "query", &query);
    append_has_entry(&query, path);
    bson_append_document_end(&command, &query);
    if (!mongo_command(m, client, NULL, 0, MONGO_READS, &command, &reply, &error))
        code = mongo_fail(err, &error, "counting entries");
    else if (bson_iter_init_find(&iter, &reply, "n") && BSON_ITER_HOLDS_NUMBER(&iter))
        *count += bson_iter_as_int64(&iter);
    bson_destroy(&command);
    bson_destroy(&reply);
    return code;
}

enum lks_code mongo_entries(struct mongo *m, const char *name, int64_t *count, struct lks_err *err)
{
    char *path = bson_strdup_printf("%s.collections.%s", METADATA, name);
    mongoc_client_t *client = mongo_pop(m);
    *count = 0;
    enum lks_code code = count_in(m, client, m->collection, path, count, err);
    if (!code) code = count_in(m, client, m->sidecar, path, count, err);
    mongo_push(m, client);
    bson_free(path);
    return code;
}
