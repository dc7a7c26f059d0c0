/*
 * reads.c - documents: by id, and page by page in the order of `_id`; with their records.
 *
 * Always with majority concern, never older than the newest event seen. It writes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mongo/metadata.h"
#include "mongo/mongo_internal.h"

/* How long a guess at the number of documents holds. */
#define ESTIMATE_FOR_MS 10000
#define POLL_OVERLAP_MS 60000 /* how far behind the newest date a poll looks, at least */

/* ---- one document ---- */

static bson_t *body_of_members(const bson_t *row)
{
    bson_t *body = bson_sized_new(row->len);
    bson_iter_t iter;
    if (!bson_iter_init(&iter, row)) return body;
    while (bson_iter_next(&iter))
        if (strcmp(bson_iter_key(&iter), METADATA) != 0)
            bson_append_iter(body, bson_iter_key(&iter), (int)bson_iter_key_len(&iter), &iter);
    return body;
}

/*
 * A copy without syncMetadata: what stands before it and what stands behind it, in one piece each. Member by
 * member it would cost several times as much, and every document of every scan comes through here.
 */
static bson_t *body_of(const bson_t *row)
{
    uint32_t from = row->len - 1, to = from; /* the NUL at the end stays */
    size_t found = 0;
    bool within = false;
    bson_iter_t iter;
    if (!bson_iter_init(&iter, row)) return bson_new();
    while (bson_iter_next(&iter)) {
        if (within) to = bson_iter_offset(&iter);
        within = strcmp(bson_iter_key(&iter), METADATA) == 0;
        if (within && !found++) from = bson_iter_offset(&iter);
    }
    if (iter.err_off || found > 1) return body_of_members(row);
    uint32_t bytes = row->len - (to - from), length = BSON_UINT32_TO_LE(bytes);
    bson_t *body = bson_sized_new(bytes + 5); /* an empty one's 5 count, too: no byte more is taken */
    uint8_t *data = bson_reserve_buffer(body, bytes);
    memcpy(data, bson_get_data(row), from);
    memcpy(data + from, bson_get_data(row) + to, row->len - to);
    memcpy(data, &length, sizeof length);
    return body;
}

bool reads_fill(struct mongo *m, struct source_document *doc, const bson_t *row)
{
    doc->body = body_of(row);
    if (!doc->id) doc->id = docid_of(row);
    doc->bytes = sizeof *doc + row->len + sizeof(struct entry) * m->name_count;
    record_fini(&doc->record);
    if (doc->id && metadata_parse(row, m->names, m->name_count, &doc->record)) return true;
    return false;
}

void reads_recorded(bson_t *filter)
{
    bson_t condition;
    BSON_APPEND_DOCUMENT_BEGIN(filter, METADATA, &condition);
    BSON_APPEND_BOOL(&condition, "$exists", true);
    bson_append_document_end(filter, &condition);
}

static void by_id_command(bson_t *command, const char *collection, const struct docid *const *ids,
                          size_t count, bool recorded, const bson_t *projection)
{
    bson_t filter, id, in;
    char buffer[16];
    const char *index;
    BSON_APPEND_UTF8(command, "find", collection);
    BSON_APPEND_DOCUMENT_BEGIN(command, "filter", &filter);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &id);
    BSON_APPEND_ARRAY_BEGIN(&id, "$in", &in);
    for (size_t i = 0; i < count; i++) {
        bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof buffer);
        docid_append(ids[i], &in, index);
    }
    bson_append_array_end(&id, &in);
    bson_append_document_end(&filter, &id);
    if (recorded) reads_recorded(&filter);
    bson_append_document_end(command, &filter);
    if (projection) BSON_APPEND_DOCUMENT(command, "projection", projection);
}

void reads_by_id_command(bson_t *command, const char *collection, const struct docid *const *ids,
                         size_t count, const bson_t *projection)
{
    by_id_command(command, collection, ids, count, false, projection);
}

void reads_recorded_command(bson_t *command, const struct mongo *m, const struct docid *const *ids,
                            size_t count)
{
    by_id_command(command, m->sidecar, ids, count, true, m->only_id);
}

/* ---- the sidecar ---- */

static struct source_document *find_doc(struct source_document *docs, size_t count, const struct docid *id)
{
    for (size_t i = 0; i < count; i++)
        if (docs[i].body && docid_equal(docs[i].id, id)) return &docs[i];
    return NULL;
}

static bool take_sidecar(struct mongo *m, struct source_document *docs, size_t count, const bson_t *row)
{
    struct docid *id = docid_of(row);
    struct source_document *doc = id ? find_doc(docs, count, id) : NULL;
    struct record record;
    docid_free(id);
    if (!doc) return id;
    if (!metadata_parse(row, m->names, m->name_count, &record)) return false;
    if (!record.present && doc->record.present) {
        record_fini(&record);
        return true;
    }
    record.sidecar = m->metadata == MONGO_EMBEDDED && record.present;
    record_fini(&doc->record);
    doc->record = record;
    return true;
}

enum lks_code reads_sidecar(struct mongo *m, mongoc_client_t *client, struct source_document *docs,
                            size_t count, cluster_time after, struct lks_err *err)
{
    if (m->metadata == MONGO_EMBEDDED && !atomic_load(&m->sidecar_fallbacks)) return LKS_E_OK;
    struct rows rows;
    const bson_t *row;
    size_t present = 0;
    const struct docid **ids = calloc(count ? count : 1, sizeof *ids);
    if (!ids) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        if (!docs[i].body) continue;
        ids[present++] = docs[i].id;
        if (m->metadata != MONGO_SIDECAR) continue;
        /* what an application keeps under our name in its documents is not ours */
        record_fini(&docs[i].record);
        if (!record_init(&docs[i].record, m->name_count)) present = SIZE_MAX;
        if (present == SIZE_MAX) break;
    }
    if (present == SIZE_MAX || !present) {
        free(ids);
        return present ? lks_fail(err, LKS_E_NOMEM, "out of memory") : LKS_E_OK;
    }
    bson_t command = BSON_INITIALIZER;
    reads_by_id_command(&command, m->sidecar, ids, present, m->only_record);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, after, "reading records", err);
    while (!code && rows_next(&rows, &row))
        if (!take_sidecar(m, docs, count, row)) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code closed = rows_close(&rows, "reading records", code ? NULL : err);
    bson_destroy(&command);
    free(ids);
    return code ? code : closed;
}

enum lks_code reads_fallbacks(struct mongo *m, mongoc_client_t *client, struct lks_err *err)
{
    if (m->metadata == MONGO_SIDECAR || atomic_load(&m->sidecar_fallbacks)) return LKS_E_OK;
    struct rows rows;
    const bson_t *row;
    bson_t command = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&command, "find", m->sidecar);
    BSON_APPEND_INT32(&command, "limit", 1);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0,
                                   "looking for records outside documents", err);
    if (!code && rows_next(&rows, &row)) atomic_store(&m->sidecar_fallbacks, true);
    enum lks_code closed = rows_close(&rows, "looking for records outside documents", code ? NULL : err);
    bson_destroy(&command);
    return code ? code : closed;
}

/* ---- REQ_READ ---- */

static bool read_prepare(struct req *req)
{
    req->read.docs = calloc(req->read.count ? req->read.count : 1, sizeof *req->read.docs);
    if (!req->read.docs) return false;
    for (size_t i = 0; i < req->read.count; i++) {
        req->read.docs[i].id = docid_copy(req->read.ids[i]);
        if (!req->read.docs[i].id) return false;
    }
    return true;
}

/* Puts a row to all requests for its id; one that nobody asked for (an equal number of another type) is
 * left. */
static bool read_place(struct mongo *m, struct req *req, const bson_t *row)
{
    struct docid *id = docid_of(row);
    bool ok = id;
    for (size_t i = 0; ok && i < req->read.count; i++)
        if (!req->read.docs[i].body && docid_equal(req->read.docs[i].id, id))
            ok = reads_fill(m, &req->read.docs[i], row);
    docid_free(id);
    return ok;
}

static bool read_fill_absent(struct mongo *m, struct req *req)
{
    for (size_t i = 0; i < req->read.count; i++) {
        struct source_document *doc = &req->read.docs[i];
        if (doc->body) continue;
        doc->bytes = sizeof *doc;
        if (!record_init(&doc->record, m->name_count)) return false;
    }
    return true;
}

static enum lks_code no_memory(struct req *req)
{
    return lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
}

enum lks_code reads_read(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    static const char what[] = "reading documents";
    struct rows rows = {0};
    const bson_t *row;
    if (!read_prepare(req)) return no_memory(req);
    if (!req->read.count) return LKS_E_OK;
    bson_t command = BSON_INITIALIZER;
    reads_by_id_command(&command, m->collection, req->read.ids, req->read.count, m->projection);
    enum lks_code code =
        rows_open(m, client, &rows, &command, LEVEL_MAJORITY, req->read.after, what, &req->err);
    while (!code && rows_next(&rows, &row))
        if (!read_place(m, req, row)) code = no_memory(req);
    enum lks_code closed = rows_close(&rows, what, code ? NULL : &req->err);
    bson_destroy(&command);
    if (!code) code = closed;
    if (!code && !read_fill_absent(m, req)) code = no_memory(req);
    if (!code) code = reads_sidecar(m, client, req->read.docs, req->read.count, req->read.after, &req->err);
    if (!code) code = keys_owners(m, client, req->read.docs, req->read.count, req->read.after, &req->err);
    return code;
}

/* ---- REQ_SCAN ---- */

/* An application's clocks differ, and a transaction commits after the time it wrote down. */
static int64_t overlap_ms(const struct mongo *m)
{
    return m->poll_interval_ms > POLL_OVERLAP_MS / 2 ? 2 * m->poll_interval_ms : POLL_OVERLAP_MS;
}

/* {$or: [{field: {$gte: since}}, {field: {$not: {$type: "date"}}}]} */
static void append_recent(const struct mongo *m, const struct poll *p, bson_t *filter)
{
    bson_t either, one, two, is, isnt;
    BSON_APPEND_ARRAY_BEGIN(filter, "$or", &either);
    BSON_APPEND_DOCUMENT_BEGIN(&either, "0", &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, m->poll_field, &is);
    BSON_APPEND_DATE_TIME(&is, "$gte", p->since_ms);
    bson_append_document_end(&one, &is);
    bson_append_document_end(&either, &one);
    BSON_APPEND_DOCUMENT_BEGIN(&either, "1", &two);
    BSON_APPEND_DOCUMENT_BEGIN(&two, m->poll_field, &is);
    BSON_APPEND_DOCUMENT_BEGIN(&is, "$not", &isnt);
    BSON_APPEND_UTF8(&isnt, "$type", "date");
    bson_append_document_end(&is, &isnt);
    bson_append_document_end(&two, &is);
    bson_append_document_end(&either, &two);
    bson_append_array_end(filter, &either);
}

/* A page of documents that are recent by the date field, whichever index finds them. */
static void recent_command(const struct mongo *m, const struct poll *p, bson_t *command,
                           const struct docid *from, size_t max_docs)
{
    bson_t filter;
    BSON_APPEND_UTF8(command, "find", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(command, "filter", &filter);
    append_recent(m, p, &filter);
    if (from) ids_after(&filter, from);
    bson_append_document_end(command, &filter);
    if (m->projection) BSON_APPEND_DOCUMENT(command, "projection", m->projection);
    rows_sorted(command, "_id", max_docs);
}

/* Remembers the newest date of the field to poll by. */
static void note_poll_field(const struct mongo *m, struct poll *p, const bson_t *row)
{
    bson_iter_t iter, value;
    if (!m->poll_field || !bson_iter_init(&iter, row) ||
        !bson_iter_find_descendant(&iter, m->poll_field, &value) || !BSON_ITER_HOLDS_DATE_TIME(&value))
        return;
    if (bson_iter_date_time(&value) > p->seen_ms) p->seen_ms = bson_iter_date_time(&value);
}

/* Before the first page of a scan: all its pages ask for the same. */
static void poll_begin(const struct mongo *m, struct poll *p, bool recent_only)
{
    p->began_ms = clock_wall_ms();
    p->first_ms = p->seen_ms;
    p->since_ms = recent_only && p->next_ms > 0 ? p->next_ms - overlap_ms(m) : 0;
}

/* After the last page. A scan that another process began proves nothing. */
static void poll_end(struct poll *p)
{
    int64_t newest_ms = p->first_ms ? p->first_ms : p->seen_ms;
    p->next_ms = p->began_ms < newest_ms ? p->began_ms : newest_ms;
}

/*
 * By index bounds: `min` with a hint passes over from one type of `_id` to the next, which {$gt: id} doesn't.
 * The bound is inclusive, so the document it names comes first again.
 */
static void walk_index(bson_t *command, const char *index, const struct docid *from, bool simple)
{
    bson_t inner;
    BSON_APPEND_UTF8(command, "hint", index);
    if (!from) return;
    BSON_APPEND_DOCUMENT_BEGIN(command, "min", &inner);
    docid_append(from, &inner, "_id");
    if (simple) BSON_APPEND_MINKEY(&inner, SIMPLE_ID_FIELD);
    bson_append_document_end(command, &inner);
}

void reads_walk(struct mongo *m, mongoc_client_t *client, bson_t *command, const struct docid *from,
                size_t limit)
{
    struct mongo_facts facts;
    bson_t filter;
    facts_of(m, client, &facts);
    BSON_APPEND_UTF8(command, "find", m->collection);
    if (!facts.view && !facts.collated) {
        walk_index(command, "_id_", from, false);
    } else if (!facts.view && facts.id_index) {
        walk_index(command, SIMPLE_ID_INDEX, from, true);
    } else if (from) { /* neither views nor indexes by another collation take bounds */
        BSON_APPEND_DOCUMENT_BEGIN(command, "filter", &filter);
        ids_after(&filter, from);
        bson_append_document_end(command, &filter);
    }
    rows_sorted(command, "_id", limit);
}

static void scan_command(struct mongo *m, mongoc_client_t *client, bson_t *command, const struct docid *from,
                         size_t max_docs)
{
    reads_walk(m, client, command, from, max_docs + (from ? 1 : 0));
    if (m->projection) BSON_APPEND_DOCUMENT(command, "projection", m->projection);
}

/* The document the page begins after. */
static bool is_from(const struct docid *from, const bson_t *row)
{
    struct docid *id = from ? docid_of(row) : NULL;
    bool same = id && docid_compare(id, from) == 0;
    docid_free(id);
    return same;
}

static enum lks_code scan_rows(struct mongo *m, struct poll *p, struct req *req, struct rows *rows)
{
    const bson_t *row = NULL;
    size_t bytes = 0, max = req->scan.max_docs;
    req->scan.docs = calloc(max, sizeof *req->scan.docs);
    if (!req->scan.docs) return no_memory(req);
    while (req->scan.count < max) {
        if (!rows_next(rows, &row)) {
            req->scan.end = true; /* or an error, which closing reports */
            break;
        }
        if (is_from(req->scan.from, row)) continue;
        struct source_document *doc = &req->scan.docs[req->scan.count++];
        if (!reads_fill(m, doc, row)) return no_memory(req);
        note_poll_field(m, p, row);
        bytes += doc->bytes;
        if (req->scan.max_bytes && bytes >= req->scan.max_bytes) break;
    }
    return LKS_E_OK;
}

/* The server's count from its statistics, asked for now and then. */
static int64_t estimate(struct mongo *m, mongoc_client_t *client)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t error;
    bson_iter_t iter;
    pthread_mutex_lock(&m->lock);
    int64_t value = m->estimate;
    bool fresh = clock_ms() < m->estimate_until_ms;
    pthread_mutex_unlock(&m->lock);
    if (fresh) return value;
    BSON_APPEND_UTF8(&command, "count", m->collection);
    bool ok = mongo_command(m, client, NULL, 0, MONGO_READS, &command, &reply, &error);
    value = ok && bson_iter_init_find(&iter, &reply, "n") && BSON_ITER_HOLDS_NUMBER(&iter)
                ? bson_iter_as_int64(&iter)
                : -1;
    bson_destroy(&command);
    bson_destroy(&reply);
    pthread_mutex_lock(&m->lock);
    m->estimate = value;
    m->estimate_until_ms = clock_ms() + ESTIMATE_FOR_MS;
    pthread_mutex_unlock(&m->lock);
    return value;
}

enum lks_code reads_scan(struct mongo *m, mongoc_client_t *client, struct poll *p, struct req *req)
{
    static const char what[] = "scanning documents";
    struct rows rows = {0};
    bson_t command = BSON_INITIALIZER;
    if (!req->scan.max_docs) req->scan.max_docs = 1;
    if (!req->scan.from) poll_begin(m, p, req->scan.recent_only && m->poll_field);
    if (p->since_ms)
        recent_command(m, p, &command, req->scan.from, req->scan.max_docs);
    else
        scan_command(m, client, &command, req->scan.from, req->scan.max_docs);
    enum lks_code code =
        rows_open(m, client, &rows, &command, LEVEL_MAJORITY, req->scan.after, what, &req->err);
    if (!code) code = scan_rows(m, p, req, &rows);
    enum lks_code closed = rows_close(&rows, what, code ? NULL : &req->err);
    bson_destroy(&command);
    if (!code) code = closed;
    if (!code) code = reads_sidecar(m, client, req->scan.docs, req->scan.count, req->scan.after, &req->err);
    if (!code) code = keys_owners(m, client, req->scan.docs, req->scan.count, req->scan.after, &req->err);
    if (!code && req->scan.end) poll_end(p);
    if (!code) req->scan.total_estimate = estimate(m, client);
    return code;
}
