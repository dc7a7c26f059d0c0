/*
 * list_join.c - which documents a list shows, where records are in the sidecar collection: all of them, or
 * those of the few documents that refuse theirs. It reads only.
 *
 * Ids come in the order asked for, some hundreds at a time, and their records are read and judged here: that
 * is exact whatever stands where, and every server can do it. Before that the server narrows them down to
 * candidates, so that the usual questions (what has failed?) don't look at all documents.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mongo/list.h"
#include "mongo/metadata.h"

#define CHUNK 1000
#define MOST_CANDIDATES 20000 /* ids in a filter: far below 16 MB */
#define MOST_SORTED 200000    /* documents that are sorted by what their records say */

static const char what[] = "listing documents";

/* ---- candidates ---- */

/* Ids of records in the sidecar collection that have the status. `*all`: there are too many to name. */
static enum lks_code candidates(struct mongo *m, mongoc_client_t *client,
                                const struct mongo_list_request *request, struct list_ids *out, bool *all,
                                struct lks_err *err)
{
    struct rows rows;
    const bson_t *row;
    bson_t command = BSON_INITIALIZER, filter;
    *all = !request->filtered || (m->metadata == MONGO_SIDECAR && request->status == SYNC_PENDING);
    if (*all) return LKS_E_OK;
    BSON_APPEND_UTF8(&command, "find", m->sidecar);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    list_match_status(&filter, request, m->names, m->name_count);
    bson_append_document_end(&command, &filter);
    BSON_APPEND_DOCUMENT(&command, "projection", m->only_id);
    BSON_APPEND_INT64(&command, "limit", MOST_CANDIDATES + 1);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err);
    while (!code && rows_next(&rows, &row))
        if (!ids_add(&out->ids, &out->count, &out->capacity, docid_of(row)))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    *all = out->count > MOST_CANDIDATES;
    return code ? code : closed;
}

static void append_ids(bson_t *to, const struct list_ids *ids)
{
    bson_t condition, in;
    char buffer[16];
    const char *index;
    BSON_APPEND_DOCUMENT_BEGIN(to, "_id", &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$in", &in);
    for (size_t i = 0; i < ids->count; i++) {
        bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof buffer);
        docid_append(ids->ids[i], &in, index);
    }
    bson_append_array_end(&condition, &in);
    bson_append_document_end(to, &condition);
}

/* {$and: [search, {$or: [own record fits, _id is one of the candidates]}]}. False when memory is out. */
static bool append_filter(struct mongo *m, bson_t *to, const struct mongo_list_request *request,
                          const struct list_ids *named, bool all)
{
    bson_t filter, both, one, either, choice;
    BSON_APPEND_DOCUMENT_BEGIN(to, "$match", &filter);
    BSON_APPEND_ARRAY_BEGIN(&filter, "$and", &both);
    BSON_APPEND_DOCUMENT_BEGIN(&both, "0", &one);
    bool whole = list_match_search(&one, request, m->id_field);
    bson_append_document_end(&both, &one);
    BSON_APPEND_DOCUMENT_BEGIN(&both, "1", &one);
    if (!all) {
        BSON_APPEND_ARRAY_BEGIN(&one, "$or", &either);
        BSON_APPEND_DOCUMENT_BEGIN(&either, "0", &choice);
        append_ids(&choice, named);
        bson_append_document_end(&either, &choice);
        if (m->metadata == MONGO_EMBEDDED) {
            BSON_APPEND_DOCUMENT_BEGIN(&either, "1", &choice);
            list_match_status(&choice, request, m->names, m->name_count);
            bson_append_document_end(&either, &choice);
        }
        bson_append_array_end(&one, &either);
    }
    bson_append_document_end(&both, &one);
    bson_append_array_end(&filter, &both);
    bson_append_document_end(to, &filter);
    return whole;
}

/* Ids (and the records that are in documents) of all candidates, sorted by id or name. False when memory is
 * out. */
static bool walk_command(struct mongo *m, bson_t *command, const struct mongo_list_request *request,
                         const struct list_ids *named, bool all)
{
    struct mongo_list_request order = *request;
    bson_t pipeline, stage, inner;
    if (order.sort == MONGO_SORT_UPDATED || order.sort == MONGO_SORT_STATUS) order.sort = MONGO_SORT_ID;
    BSON_APPEND_UTF8(command, "aggregate", m->collection);
    BSON_APPEND_ARRAY_BEGIN(command, "pipeline", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    bool whole = append_filter(m, &stage, request, named, all);
    bson_append_document_end(&pipeline, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "1", &stage);
    list_sort(m, &stage, &order);
    bson_append_document_end(&pipeline, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "2", &stage);
    BSON_APPEND_DOCUMENT(&stage, "$project", m->metadata == MONGO_SIDECAR ? m->only_id : m->only_record);
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(command, &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(command, "cursor", &inner);
    BSON_APPEND_INT32(&inner, "batchSize", CHUNK);
    bson_append_document_end(command, &inner);
    BSON_APPEND_BOOL(command, "allowDiskUse", true);
    BSON_APPEND_INT64(command, "maxTimeMS", LIST_PAGE_MS);
    return whole;
}

/* ---- judging ---- */

/* A document that is sorted here. */
struct sorted {
    struct docid *id;
    int64_t key;
    size_t place; /* in the order it came in */
};

struct walk {
    struct mongo *m;
    mongoc_client_t *client;
    const struct mongo_list_request *request;
    struct list_ids *out;
    struct source_document docs[CHUNK];
    size_t count;
    struct sorted *sorted; /* owned */
    size_t sorted_count, sorted_capacity;
};

static bool sorts_here(const struct mongo_list_request *request)
{
    return request->sort == MONGO_SORT_UPDATED || request->sort == MONGO_SORT_STATUS;
}

static enum lks_code keep_sorted(struct walk *w, const struct source_document *doc, struct lks_err *err)
{
    if (w->sorted_count == MOST_SORTED)
        return lks_fail(err, LKS_E_UNSUPPORTED,
                        "with records in the sidecar collection no more than %d documents can be sorted by "
                        "status or by update; filter them, or sort by id or name",
                        MOST_SORTED);
    if (w->sorted_count == w->sorted_capacity) {
        size_t capacity = w->sorted_capacity ? w->sorted_capacity * 2 : CHUNK;
        struct sorted *grown = realloc(w->sorted, capacity * sizeof *grown);
        if (!grown) return lks_fail(err, LKS_E_NOMEM, "out of memory");
        w->sorted = grown;
        w->sorted_capacity = capacity;
    }
    int64_t key = w->request->sort == MONGO_SORT_STATUS ? list_rank_of(&doc->record, w->request)
                                                        : doc->record.updated_ms;
    struct docid *id = docid_copy(doc->id);
    if (!id) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    w->sorted[w->sorted_count] = (struct sorted){.id = id, .key = key, .place = w->sorted_count};
    w->sorted_count++;
    return LKS_E_OK;
}

static enum lks_code keep(struct walk *w, const struct source_document *doc, struct lks_err *err)
{
    struct list_ids *out = w->out;
    int64_t place = out->total++;
    if (sorts_here(w->request)) return keep_sorted(w, doc, err);
    if (place < (int64_t)w->request->skip || out->count == w->request->limit) return LKS_E_OK;
    return ids_add(&out->ids, &out->count, &out->capacity, docid_copy(doc->id))
               ? LKS_E_OK
               : lks_fail(err, LKS_E_NOMEM, "out of memory");
}

/* Reads the records of what has come together, and keeps those that fit. */
static enum lks_code judge(struct walk *w, struct lks_err *err)
{
    enum lks_code code = reads_sidecar(w->m, w->client, w->docs, w->count, 0, err);
    for (size_t i = 0; i < w->count; i++) {
        if (!code && list_has_status(&w->docs[i].record, w->request)) code = keep(w, &w->docs[i], err);
        source_document_fini(&w->docs[i]);
    }
    w->count = 0;
    return code;
}

/* The page is there and counting on takes too long. */
static bool is_enough(const struct walk *w, int64_t since_ms)
{
    return !sorts_here(w->request) && w->out->count == w->request->limit &&
           clock_ms() > since_ms + LIST_COUNT_MS;
}

static enum lks_code walk(struct walk *w, const bson_t *command, struct lks_err *err)
{
    struct rows rows;
    const bson_t *row;
    int64_t since_ms = clock_ms();
    w->out->exact = true;
    enum lks_code code = rows_open(w->m, w->client, &rows, command, LEVEL_MAJORITY, 0, what, err);
    while (!code && w->out->exact && rows_next(&rows, &row)) {
        struct source_document *doc = &w->docs[w->count++];
        *doc = (struct source_document){.id = NULL};
        if (!reads_fill(w->m, doc, row)) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
        if (code || w->count < CHUNK) continue;
        code = judge(w, err);
        if (!code && clock_ms() > since_ms + LIST_PAGE_MS && !is_enough(w, since_ms))
            code = lks_fail(err, LKS_E_MONGO, "looking for these documents takes too long");
        w->out->exact = !is_enough(w, since_ms);
    }
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    if (!code) code = closed;
    if (!code) code = judge(w, err);
    for (size_t i = 0; i < w->count; i++) source_document_fini(&w->docs[i]);
    return code;
}

/* ---- sorting here ---- */

static int by_key(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static int by_key_descending(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    if (x->key != y->key) return x->key > y->key ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static bool take_page(struct walk *w)
{
    size_t end = w->request->skip + w->request->limit;
    bool ok = true;
    if (w->sorted_count > 1)
        qsort(w->sorted, w->sorted_count, sizeof *w->sorted,
              w->request->descending ? by_key_descending : by_key);
    for (size_t i = w->request->skip; ok && i < w->sorted_count && i < end; i++)
        ok = ids_add(&w->out->ids, &w->out->count, &w->out->capacity, docid_copy(w->sorted[i].id));
    for (size_t i = 0; i < w->sorted_count; i++) docid_free(w->sorted[i].id);
    free(w->sorted);
    return ok;
}

enum lks_code list_join(struct mongo *m, mongoc_client_t *client, const struct mongo_list_request *request,
                        struct list_ids *out, struct lks_err *err)
{
    struct list_ids named = {.ids = NULL};
    bool all = false;
    bson_t command = BSON_INITIALIZER;
    struct walk *w = calloc(1, sizeof *w);
    if (!w) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    *w = (struct walk){.m = m, .client = client, .request = request, .out = out};
    enum lks_code code = candidates(m, client, request, &named, &all, err);
    bool whole = walk_command(m, &command, request, &named, all);
    if (!code && !whole) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (!code) code = walk(w, &command, err);
    if (!take_page(w) && !code) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    bson_destroy(&command);
    mongo_ids_free(named.ids, named.count);
    free(w);
    return code;
}
