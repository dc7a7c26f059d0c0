/*
 * list.c - pages of documents for people: filtered, searched, sorted. It reads only.
 *
 * Where records are in the documents, the server does all of it. Where some or all are kept beside them,
 * list_join.c finds the ids of the page, if what is asked for depends on records at all.
 */
#include "mongo/list.h"

#include <stdlib.h>
#include <string.h>

#include "mongo/metadata.h"

static const char what[] = "listing documents";

/* ---- the server's part ---- */

/* {$and: [status, search]} under `key`. False when memory is out. */
static bool append_filter(struct mongo *m, bson_t *to, const char *key,
                          const struct mongo_list_request *request)
{
    bson_t filter, both, one;
    BSON_APPEND_DOCUMENT_BEGIN(to, key, &filter);
    BSON_APPEND_ARRAY_BEGIN(&filter, "$and", &both);
    BSON_APPEND_DOCUMENT_BEGIN(&both, "0", &one);
    list_match_status(&one, request, m->names, m->name_count);
    bson_append_document_end(&both, &one);
    BSON_APPEND_DOCUMENT_BEGIN(&both, "1", &one);
    bool whole = list_match_search(&one, request, m->id_field);
    bson_append_document_end(&both, &one);
    bson_append_array_end(&filter, &both);
    bson_append_document_end(to, &filter);
    return whole;
}

static bson_t *stage_begin(bson_t *pipeline, uint32_t *count, bson_t *stage)
{
    char buffer[16];
    const char *index;
    bson_uint32_to_string((*count)++, &index, buffer, sizeof buffer);
    BSON_APPEND_DOCUMENT_BEGIN(pipeline, index, stage);
    return stage;
}

static void append_number(bson_t *pipeline, uint32_t *count, const char *name, int64_t value)
{
    bson_t stage;
    BSON_APPEND_INT64(stage_begin(pipeline, count, &stage), name, value);
    bson_append_document_end(pipeline, &stage);
}

/* The fields of rows; to be destroyed. */
static bson_t *projection(struct mongo *m, const struct mongo_list_request *request)
{
    bson_t *fields = bson_new();
    const char *const shown[] = {"_id",   m->id_field, "name",    "slug",  METADATA,
                                 "title", "headline",  "subject", "label", m->title ? m->title : "_id"};
    if (request->whole) BSON_APPEND_INT32(fields, LIST_RANK, 0);
    for (size_t i = 0; !request->whole && i < sizeof shown / sizeof *shown; i++)
        mongo_project(fields, shown[i]);
    return fields;
}

static bool page_command(struct mongo *m, bson_t *command, const struct mongo_list_request *request)
{
    bson_t *fields = projection(m, request), pipeline, stage, inner;
    uint32_t count = 0;
    BSON_APPEND_UTF8(command, "aggregate", m->collection);
    BSON_APPEND_ARRAY_BEGIN(command, "pipeline", &pipeline);
    bool whole = append_filter(m, stage_begin(&pipeline, &count, &stage), "$match", request);
    bson_append_document_end(&pipeline, &stage);
    if (request->sort == MONGO_SORT_STATUS) {
        BSON_APPEND_DOCUMENT_BEGIN(stage_begin(&pipeline, &count, &stage), "$addFields", &inner);
        list_rank(&inner, LIST_RANK, request, m->names, m->name_count);
        bson_append_document_end(&stage, &inner);
        bson_append_document_end(&pipeline, &stage);
    }
    list_sort(m, stage_begin(&pipeline, &count, &stage), request);
    bson_append_document_end(&pipeline, &stage);
    if (request->skip) append_number(&pipeline, &count, "$skip", (int64_t)request->skip);
    append_number(&pipeline, &count, "$limit", (int64_t)request->limit);
    BSON_APPEND_DOCUMENT(stage_begin(&pipeline, &count, &stage), "$project", fields);
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(command, &pipeline);
    bson_destroy(fields);
    BSON_APPEND_DOCUMENT_BEGIN(command, "cursor", &inner);
    bson_append_document_end(command, &inner);
    BSON_APPEND_BOOL(command, "allowDiskUse", true);
    BSON_APPEND_INT64(command, "maxTimeMS", LIST_PAGE_MS);
    return whole;
}

/* ---- rows ---- */

static bool add_doc(struct mongo *m, struct mongo_list *out, const bson_t *row)
{
    struct source_document *docs = realloc(out->docs, (out->count + 1) * sizeof *docs);
    if (!docs) return false;
    out->docs = docs;
    docs[out->count] = (struct source_document){.id = NULL};
    struct source_document *doc = &docs[out->count++];
    return reads_fill(m, doc, row) && metadata_parse_modified(row, &doc->record);
}

/* Runs a find or an aggregate whose rows are documents. */
static enum lks_code fetch(struct mongo *m, mongoc_client_t *client, const bson_t *command,
                           struct mongo_list *out, struct lks_err *err)
{
    struct rows rows;
    const bson_t *row;
    enum lks_code code = rows_open(m, client, &rows, command, LEVEL_MAJORITY, 0, what, err);
    while (!code && rows_next(&rows, &row))
        if (!add_doc(m, out, row)) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    return code ? code : closed;
}

/* lastModifiedFields of records that are in the sidecar collection. */
static enum lks_code fetch_modified(struct mongo *m, mongoc_client_t *client, struct source_document *docs,
                                    size_t count, struct lks_err *err)
{
    struct rows rows;
    const bson_t *row;
    bson_t command = BSON_INITIALIZER;
    const struct docid **ids = calloc(count ? count : 1, sizeof *ids);
    if (!ids) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) ids[i] = docs[i].id;
    reads_by_id_command(&command, m->sidecar, ids, count, m->only_record);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err);
    while (!code && rows_next(&rows, &row)) {
        struct docid *id = docid_of(row);
        for (size_t i = 0; id && i < count; i++)
            if (docs[i].record.present && docid_equal(docs[i].id, id) &&
                !metadata_parse_modified(row, &docs[i].record))
                code = lks_fail(err, LKS_E_NOMEM, "out of memory");
        docid_free(id);
    }
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    free(ids);
    return code ? code : closed;
}

enum lks_code list_records(struct mongo *m, mongoc_client_t *client, struct source_document *docs,
                           size_t count, struct lks_err *err)
{
    if (!count || (m->metadata == MONGO_EMBEDDED && !atomic_load(&m->sidecar_fallbacks))) return LKS_E_OK;
    enum lks_code code = reads_sidecar(m, client, docs, count, 0, err);
    return code ? code : fetch_modified(m, client, docs, count, err);
}

/* ---- how many ---- */

/* False: it took too long, or failed in another way, which whoever fetched the page would have seen. */
static bool count_matches(struct mongo *m, mongoc_client_t *client, const struct mongo_list_request *request,
                          int64_t *total)
{
    bson_t command = BSON_INITIALIZER, reply = BSON_INITIALIZER, concern;
    bson_error_t error;
    bson_iter_t iter;
    bool whole = true;
    BSON_APPEND_UTF8(&command, "count", m->collection);
    /* without a query the server knows the number without counting */
    if (request->filtered || (request->search && *request->search))
        whole = append_filter(m, &command, "query", request);
    mongo_append_simple(&command);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "readConcern", &concern);
    BSON_APPEND_UTF8(&concern, "level", "majority");
    bson_append_document_end(&command, &concern);
    BSON_APPEND_INT64(&command, "maxTimeMS", LIST_COUNT_MS);
    bool ok = whole && mongo_command(m, client, NULL, 0, MONGO_READS, &command, &reply, &error) &&
              bson_iter_init_find(&iter, &reply, "n");
    if (ok) *total = bson_iter_as_int64(&iter);
    bson_destroy(&command);
    bson_destroy(&reply);
    return ok;
}

static void add_total(struct mongo *m, mongoc_client_t *client, const struct mongo_list_request *request,
                      struct mongo_list *out)
{
    int64_t seen = (int64_t)(out->count ? request->skip + out->count : 0);
    bool all_seen = out->count < request->limit && (out->count || !request->skip);
    out->total = seen;
    out->exact = true;
    if (all_seen) return;
    out->exact = count_matches(m, client, request, &out->total);
    if (!out->exact)
        out->total = seen + (out->count == request->limit); /* there is one more, for all we know */
}

/* ---- a page ---- */

static bool record_decides(const struct mongo_list_request *request)
{
    return request->filtered || request->sort == MONGO_SORT_UPDATED || request->sort == MONGO_SORT_STATUS;
}

static enum lks_code list_here(struct mongo *m, mongoc_client_t *client,
                               const struct mongo_list_request *request, struct mongo_list *out,
                               struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER;
    enum lks_code code = page_command(m, &command, request) ? fetch(m, client, &command, out, err)
                                                            : lks_fail(err, LKS_E_NOMEM, "out of memory");
    bson_destroy(&command);
    if (!code) add_total(m, client, request, out);
    return code;
}

/* Puts documents into the order of the ids; those that are gone meanwhile are left out. */
static void put_in_order(struct mongo_list *out, struct docid *const *ids, size_t count)
{
    size_t done = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = done; k < out->count; k++) {
            if (!docid_equal(out->docs[k].id, ids[i])) continue;
            struct source_document swap = out->docs[done];
            out->docs[done++] = out->docs[k];
            out->docs[k] = swap;
            break;
        }
}

static enum lks_code list_joined(struct mongo *m, mongoc_client_t *client,
                                 const struct mongo_list_request *request, struct mongo_list *out,
                                 struct lks_err *err)
{
    struct list_ids ids = {.ids = NULL};
    bson_t command = BSON_INITIALIZER;
    enum lks_code code = list_join(m, client, request, &ids, err);
    if (!code && ids.count) {
        bson_t *fields = projection(m, request);
        reads_by_id_command(&command, m->collection, (const struct docid *const *)ids.ids, ids.count, fields);
        bson_destroy(fields);
        code = fetch(m, client, &command, out, err);
        if (!code) put_in_order(out, ids.ids, ids.count);
    }
    bson_destroy(&command);
    mongo_ids_free(ids.ids, ids.count);
    out->total = ids.total;
    out->exact = ids.exact;
    return code;
}

enum lks_code mongo_list(struct mongo *m, const struct mongo_list_request *request, struct mongo_list *out,
                         struct lks_err *err)
{
    *out = (struct mongo_list){.docs = NULL};
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = reads_fallbacks(m, client, err);
    bool beside = m->metadata == MONGO_SIDECAR || atomic_load(&m->sidecar_fallbacks);
    if (!code && beside && record_decides(request))
        code = list_joined(m, client, request, out, err);
    else if (!code)
        code = list_here(m, client, request, out, err);
    if (!code) code = list_records(m, client, out->docs, out->count, err);
    mongo_push(m, client);
    if (code) {
        mongo_docs_free(out->docs, out->count);
        *out = (struct mongo_list){.docs = NULL};
    }
    return code;
}
