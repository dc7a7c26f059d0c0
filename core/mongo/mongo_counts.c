/*
 * mongo_counts.c - how many documents are in which state, by one aggregation that groups equal states.
 *
 * A document without a record, an entry without a valid status: pending. The stored overallStatus is not
 * asked, since it doesn't know of collections that were switched on later. It reads only.
 */
#include <stdlib.h>
#include <string.h>

#include "mongo/mongo_internal.h"

/* Refuged documents that are counted apart in one go. */
#define FALLBACK_PAGE 1000

static const char what[] = "counting documents";

/* ---- the aggregation ---- */

/* {$in: ["$...status", [names]]} under `key` */
static void append_status_in(bson_t *to, const char *key, const char *path, bool with_pending)
{
    bson_t expr, args, list;
    BSON_APPEND_DOCUMENT_BEGIN(to, key, &expr);
    BSON_APPEND_ARRAY_BEGIN(&expr, "$in", &args);
    BSON_APPEND_UTF8(&args, "0", path);
    BSON_APPEND_ARRAY_BEGIN(&args, "1", &list);
    BSON_APPEND_UTF8(&list, "0", sync_status_name(SYNC_SYNCED));
    BSON_APPEND_UTF8(&list, "1", sync_status_name(SYNC_STALE));
    BSON_APPEND_UTF8(&list, "2", sync_status_name(SYNC_FAILED));
    if (with_pending) BSON_APPEND_UTF8(&list, "3", sync_status_name(SYNC_PENDING));
    bson_append_array_end(&args, &list);
    bson_append_array_end(&expr, &args);
    bson_append_document_end(to, &expr);
}

/* The status that counts. */
static void append_status(bson_t *array, const char *index, const char *name)
{
    bson_t expr, args;
    char *path = bson_strdup_printf("$" METADATA ".collections.%s.status", name);
    BSON_APPEND_DOCUMENT_BEGIN(array, index, &expr);
    BSON_APPEND_ARRAY_BEGIN(&expr, "$cond", &args);
    append_status_in(&args, "0", path, false);
    BSON_APPEND_UTF8(&args, "1", path);
    BSON_APPEND_UTF8(&args, "2", sync_status_name(SYNC_PENDING));
    bson_append_array_end(&expr, &args);
    bson_append_document_end(array, &expr);
    bson_free(path);
}

/* Is there an entry with a pointId? */
static void append_point(bson_t *array, const char *index, const char *name)
{
    bson_t expr, args, equal, pair, type;
    char *status = bson_strdup_printf("$" METADATA ".collections.%s.status", name);
    char *point = bson_strdup_printf("$" METADATA ".collections.%s.pointId", name);
    BSON_APPEND_DOCUMENT_BEGIN(array, index, &expr);
    BSON_APPEND_ARRAY_BEGIN(&expr, "$and", &args);
    append_status_in(&args, "0", status, true);
    BSON_APPEND_DOCUMENT_BEGIN(&args, "1", &equal);
    BSON_APPEND_ARRAY_BEGIN(&equal, "$eq", &pair);
    BSON_APPEND_DOCUMENT_BEGIN(&pair, "0", &type);
    BSON_APPEND_UTF8(&type, "$type", point);
    bson_append_document_end(&pair, &type);
    BSON_APPEND_UTF8(&pair, "1", "string");
    bson_append_array_end(&equal, &pair);
    bson_append_document_end(&args, &equal);
    bson_append_array_end(&expr, &args);
    bson_append_document_end(array, &expr);
    bson_free(status);
    bson_free(point);
}

static void append_each(bson_t *to, const char *key, char *const *names, size_t count,
                        void (*append)(bson_t *, const char *, const char *))
{
    bson_t array;
    char buffer[16];
    const char *index;
    BSON_APPEND_ARRAY_BEGIN(to, key, &array);
    for (size_t i = 0; i < count; i++) {
        bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof buffer);
        append(&array, index, names[i]);
    }
    bson_append_array_end(to, &array);
}

/* {$match: {_id: {$in: ids}}}; without ids all, or all records beside documents. */
static void append_match(bson_t *pipeline, bool beside, struct docid *const *ids, size_t count)
{
    bson_t stage, match, condition, in;
    char buffer[16];
    const char *at;
    BSON_APPEND_DOCUMENT_BEGIN(pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &match);
    if (!ids) {
        if (beside) reads_recorded(&match);
        bson_append_document_end(&stage, &match);
        bson_append_document_end(pipeline, &stage);
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(&match, "_id", &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$in", &in);
    for (size_t i = 0; i < count; i++) {
        bson_uint32_to_string((uint32_t)i, &at, buffer, sizeof buffer);
        docid_append(ids[i], &in, at);
    }
    bson_append_array_end(&condition, &in);
    bson_append_document_end(&match, &condition);
    bson_append_document_end(&stage, &match);
    bson_append_document_end(pipeline, &stage);
}

/* One row for each combination of states: {_id: {s: [status], p: [has a point]}, n}. */
static void counts_command(bson_t *command, const struct mongo *m, const char *collection, size_t name_count,
                           struct docid *const *ids, size_t id_count)
{
    bson_t pipeline, stage, inner, sum;
    BSON_APPEND_UTF8(command, "aggregate", collection);
    BSON_APPEND_ARRAY_BEGIN(command, "pipeline", &pipeline);
    append_match(&pipeline, collection == m->sidecar, ids, id_count);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "1", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$group", &inner);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, "_id", &sum);
    append_each(&sum, "s", m->names, name_count, append_status);
    append_each(&sum, "p", m->names, name_count, append_point);
    bson_append_document_end(&inner, &sum);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, "n", &sum);
    BSON_APPEND_INT32(&sum, "$sum", 1);
    bson_append_document_end(&inner, &sum);
    bson_append_document_end(&stage, &inner);
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(command, &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(command, "cursor", &inner);
    bson_append_document_end(command, &inner);
    BSON_APPEND_BOOL(command, "allowDiskUse", true);
}

/* ---- adding up ---- */

static int badness(enum sync_status status)
{
    static const int order[] = {[SYNC_SYNCED] = 0, [SYNC_STALE] = 1, [SYNC_PENDING] = 2, [SYNC_FAILED] = 3};
    return order[status];
}

static void add_row(struct mongo_counts *counts, const bson_t *row, int64_t sign)
{
    bson_iter_t iter, value, list;
    enum sync_status worst = SYNC_SYNCED;
    int64_t n = 0;
    if (bson_iter_init_find(&iter, row, "n")) n = sign * bson_iter_as_int64(&iter);
    counts->total += n;
    if (bson_iter_init(&iter, row) && bson_iter_find_descendant(&iter, "_id.s", &value) &&
        bson_iter_recurse(&value, &list))
        for (size_t i = 0; i < counts->collection_count && bson_iter_next(&list); i++) {
            enum sync_status status = SYNC_PENDING;
            if (BSON_ITER_HOLDS_UTF8(&list)) sync_status_parse(bson_iter_utf8(&list, NULL), &status);
            counts->per_collection[i][status] += n;
            if (badness(status) > badness(worst)) worst = status;
        }
    counts->by_status[worst] += n;
    if (bson_iter_init(&iter, row) && bson_iter_find_descendant(&iter, "_id.p", &value) &&
        bson_iter_recurse(&value, &list))
        for (size_t i = 0; i < counts->collection_count && bson_iter_next(&list); i++)
            if (bson_iter_as_bool(&list)) counts->with_point[i] += n;
}

static enum lks_code add_group(struct mongo *m, mongoc_client_t *client, const char *collection,
                               struct docid *const *ids, size_t id_count, int64_t sign,
                               struct mongo_counts *counts, struct lks_err *err)
{
    struct rows rows;
    const bson_t *row;
    bson_t command = BSON_INITIALIZER;
    counts_command(&command, m, collection, counts->collection_count, ids, id_count);
    if (counts->max_ms) BSON_APPEND_INT64(&command, "maxTimeMS", counts->max_ms);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err);
    while (!code && rows_next(&rows, &row)) add_row(counts, row, sign);
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    return code ? code : closed;
}

static bool counts_init(struct mongo_counts *counts, size_t collection_count)
{
    *counts = (struct mongo_counts){.collection_count = collection_count};
    counts->per_collection = calloc(collection_count + 1, sizeof *counts->per_collection);
    counts->with_point = calloc(collection_count + 1, sizeof *counts->with_point);
    return counts->per_collection && counts->with_point;
}

void mongo_counts_fini(struct mongo_counts *counts)
{
    free(counts->per_collection);
    free(counts->with_point);
    *counts = (struct mongo_counts){0};
}

/* ---- records elsewhere ---- */

/* The ids of a find's rows. */
static enum lks_code fetch_ids(struct mongo *m, mongoc_client_t *client, const bson_t *command,
                               struct docid ***ids, size_t *count, struct lks_err *err)
{
    struct rows rows;
    const bson_t *row;
    size_t capacity = 0;
    enum lks_code code = rows_open(m, client, &rows, command, LEVEL_MAJORITY, 0, what, err);
    while (!code && rows_next(&rows, &row))
        if (!ids_add(ids, count, &capacity, docid_of(row)))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    return code ? code : closed;
}

static void free_ids(struct docid **ids, size_t count)
{
    for (size_t i = 0; i < count; i++) docid_free(ids[i]);
    free(ids);
}

/* Counts documents that have a record in the sidecar by that record instead of their own. */
static enum lks_code recount(struct mongo *m, mongoc_client_t *client, struct docid *const *ids, size_t count,
                             struct mongo_counts *counts, struct lks_err *err)
{
    struct docid **present = NULL;
    size_t present_count = 0;
    bson_t command = BSON_INITIALIZER;
    reads_by_id_command(&command, m->collection, (const struct docid *const *)ids, count, m->only_id);
    enum lks_code code = fetch_ids(m, client, &command, &present, &present_count, err);
    bson_destroy(&command);
    if (!code && present_count)
        code = add_group(m, client, m->collection, present, present_count, -1, counts, err);
    if (!code && present_count)
        code = add_group(m, client, m->sidecar, present, present_count, 1, counts, err);
    free_ids(present, present_count);
    return code;
}

static enum lks_code count_fallbacks(struct mongo *m, mongoc_client_t *client, struct mongo_counts *counts,
                                     struct lks_err *err)
{
    struct docid **ids = NULL;
    size_t count = 0;
    bson_t command = BSON_INITIALIZER, filter;
    BSON_APPEND_UTF8(&command, "find", m->sidecar);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    reads_recorded(&filter);
    bson_append_document_end(&command, &filter);
    BSON_APPEND_DOCUMENT(&command, "projection", m->only_id);
    enum lks_code code = fetch_ids(m, client, &command, &ids, &count, err);
    bson_destroy(&command);
    for (size_t i = 0; !code && i < count; i += FALLBACK_PAGE) {
        size_t page = count - i < FALLBACK_PAGE ? count - i : FALLBACK_PAGE;
        code = recount(m, client, ids + i, page, counts, err);
    }
    free_ids(ids, count);
    return code;
}

/* All records are in the sidecar: documents it doesn't know are pending. */
static enum lks_code count_sidecar(struct mongo *m, mongoc_client_t *client, struct mongo_counts *counts,
                                   struct lks_err *err)
{
    struct mongo_counts documents;
    enum lks_code code = LKS_E_OK;
    if (!counts_init(&documents, 0)) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (!code) code = add_group(m, client, m->collection, NULL, 0, 1, &documents, err);
    if (!code) code = add_group(m, client, m->sidecar, NULL, 0, 1, counts, err);
    int64_t without = documents.total > counts->total ? documents.total - counts->total : 0;
    counts->total = documents.total;
    counts->by_status[counts->collection_count ? SYNC_PENDING : SYNC_SYNCED] += without;
    for (size_t i = 0; i < counts->collection_count; i++) counts->per_collection[i][SYNC_PENDING] += without;
    mongo_counts_fini(&documents);
    return code;
}

static enum lks_code count_all(struct mongo *m, mongoc_client_t *client, struct mongo_counts *counts,
                               int64_t max_ms, struct lks_err *err)
{
    if (!counts_init(counts, m->name_count)) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    counts->max_ms = max_ms;
    if (m->metadata == MONGO_SIDECAR) return count_sidecar(m, client, counts, err);
    enum lks_code code = reads_fallbacks(m, client, err);
    if (!code) code = add_group(m, client, m->collection, NULL, 0, 1, counts, err);
    if (!code && atomic_load(&m->sidecar_fallbacks)) code = count_fallbacks(m, client, counts, err);
    return code;
}

/* ---- who asks ---- */

enum lks_code mongo_count(struct mongo *m, struct mongo_counts *counts, struct lks_err *err)
{
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = count_all(m, client, counts, 0, err);
    mongo_push(m, client);
    if (code) mongo_counts_fini(counts);
    return code;
}

/* ---- for the engine ---- */

#define RECORD_COUNTS_MS 30000

/* The entries of one collection with a pointId, by the index on it: no document is read. */
static void count_command(bson_t *command, const char *records, const char *name)
{
    bson_t pipeline, stage, inner, condition, list;
    static const enum sync_status statuses[] = {SYNC_SYNCED, SYNC_STALE, SYNC_FAILED, SYNC_PENDING};
    static const char *const indexes[] = {"0", "1", "2", "3"};
    char *point = bson_strdup_printf(METADATA ".collections.%s.pointId", name);
    char *status = bson_strdup_printf(METADATA ".collections.%s.status", name);
    BSON_APPEND_UTF8(command, "aggregate", records);
    BSON_APPEND_ARRAY_BEGIN(command, "pipeline", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &inner);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, point, &condition);
    BSON_APPEND_UTF8(&condition, "$gte", ""); /* any text, and nothing else */
    bson_append_document_end(&inner, &condition);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, status, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$in", &list);
    for (size_t i = 0; i < 4; i++) BSON_APPEND_UTF8(&list, indexes[i], sync_status_name(statuses[i]));
    bson_append_array_end(&condition, &list);
    bson_append_document_end(&inner, &condition);
    bson_append_document_end(&stage, &inner);
    bson_append_document_end(&pipeline, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "1", &stage);
    BSON_APPEND_UTF8(&stage, "$count", "n");
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(command, &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(command, "cursor", &inner);
    bson_append_document_end(command, &inner);
    BSON_APPEND_INT64(command, "maxTimeMS", RECORD_COUNTS_MS);
    bson_free(point);
    bson_free(status);
}

static enum lks_code count_one(struct mongo *m, mongoc_client_t *client, const char *name, int64_t *n,
                               struct lks_err *err)
{
    struct rows rows;
    const bson_t *row;
    bson_iter_t iter;
    bson_t command = BSON_INITIALIZER;
    count_command(&command, m->metadata == MONGO_SIDECAR ? m->sidecar : m->collection, name);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err);
    while (!code && rows_next(&rows, &row))
        if (bson_iter_init_find(&iter, row, "n")) *n = bson_iter_as_int64(&iter);
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    return code ? code : closed;
}

/* Records that fell back to the sidecar collection have to be left out of one count and added to another,
 * which only the grouping of all documents does. */
static enum lks_code count_with_fallbacks(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    struct mongo_counts counts;
    enum lks_code code = count_all(m, client, &counts, RECORD_COUNTS_MS, &req->err);
    if (!code) {
        req->record_counts.with_point = counts.with_point;
        counts.with_point = NULL;
    }
    mongo_counts_fini(&counts);
    return code;
}

enum lks_code counts_points(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    enum lks_code code = m->metadata == MONGO_SIDECAR ? LKS_E_OK : reads_fallbacks(m, client, &req->err);
    if (code) return code;
    if (m->metadata != MONGO_SIDECAR && atomic_load(&m->sidecar_fallbacks))
        return count_with_fallbacks(m, client, req);
    req->record_counts.with_point = calloc(m->name_count + 1, sizeof *req->record_counts.with_point);
    if (!req->record_counts.with_point) return lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; !code && i < m->name_count; i++)
        code = count_one(m, client, m->names[i], &req->record_counts.with_point[i], &req->err);
    return code;
}
