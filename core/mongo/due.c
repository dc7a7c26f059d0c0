/*
 * due.c - which documents the worker has to look at, in the order of `_id`, and when the next one is.
 *
 * Records may be in two places: in the documents, and in the sidecar collection (all of them, or the few
 * whose documents refuse them). Both are asked, and the answers merged. It reads only.
 */
#include <stdlib.h>
#include <string.h>

#include "mongo/contradictions.h"
#include "mongo/metadata.h"
#include "mongo/mongo_internal.h"

/* Documents looked at in one go where only a comparison of two collections shows what has no record. */
#define WALK_PAGE 1000
/* The server gives up looking for contradictions then. With the index it takes milliseconds. */
#define CONTRADICTIONS_MS 5000

static const char what[] = "looking for due documents";

/* Ids in ascending order, and whether there are more behind the last. */
struct page {
    struct docid **ids;
    size_t count, capacity;
    bool end;
};

static struct due_rule rule_of(const struct req *req, bool recorded_only)
{
    return (struct due_rule){.wanted = req->due.collections,
                             .now_ms = req->due.now_ms,
                             .recorded_only = recorded_only,
                             .rejected_too = req->due.rejected_too,
                             .failed_only = req->due.failed_only};
}

static void page_fini(struct page *page)
{
    mongo_ids_free(page->ids, page->count);
    *page = (struct page){0};
}

static enum lks_code page_fill(struct mongo *m, mongoc_client_t *client, const bson_t *command, size_t max,
                               const struct docid *from, struct page *page, struct lks_err *err)
{
    struct rows rows;
    const bson_t *row;
    enum lks_code code = rows_open(m, client, &rows, command, LEVEL_MAJORITY, 0, what, err);
    size_t seen = 0;
    while (!code && rows_next(&rows, &row)) {
        seen++;
        struct docid *id = docid_of(row);
        if (id && from && docid_compare(id, from) == 0) {
            docid_free(id); /* an index bound that includes it */
            continue;
        }
        if (!ids_add(&page->ids, &page->count, &page->capacity, id))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    page->end = seen < max;
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    return code ? code : closed;
}

/* The next due ids by what the records in `collection` say; the indexes on status and nextRetryAt find them.
 * Or those that contradict themselves, by an index of their own. */
static enum lks_code due_page(struct mongo *m, mongoc_client_t *client, const char *collection,
                              const struct req *req, const struct docid *from, bool recorded_only,
                              struct page *page, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, filter;
    struct due_rule rule = rule_of(req, recorded_only);
    enum lks_code code = LKS_E_OK;
    BSON_APPEND_UTF8(&command, "find", collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    bool any = req->due.contradicting ? contradictions_filter(&filter, m->names, m->name_count)
                                      : metadata_due(&filter, m->names, m->name_count, &rule);
    if (from) ids_after(&filter, from);
    bson_append_document_end(&command, &filter);
    rows_sorted(&command, "_id", req->due.max_docs);
    BSON_APPEND_DOCUMENT(&command, "projection", m->only_id);
    if (req->due.contradicting) BSON_APPEND_INT32(&command, "maxTimeMS", CONTRADICTIONS_MS);
    if (any)
        code = page_fill(m, client, &command, req->due.max_docs, NULL, page, err);
    else
        page->end = true;
    bson_destroy(&command);
    return code;
}

/* ---- records in documents, but for a few; or beside them ---- */

static void page_remove(struct page *page, size_t start, const struct docid *id)
{
    for (size_t i = start; i < page->count; i++) {
        if (!docid_equal(page->ids[i], id)) continue;
        docid_free(page->ids[i]);
        memmove(&page->ids[i], &page->ids[i + 1], (page->count - i - 1) * sizeof *page->ids);
        page->count--;
        return;
    }
}

/* Takes out the ids from `start` on that have no document: their records wait for the sweep, which knows
 * whether deletes are held. */
static enum lks_code drop_gone(struct mongo *m, mongoc_client_t *client, struct page *page, size_t start,
                               struct lks_err *err)
{
    size_t count = page->count - start, kept = start;
    if (!count) return LKS_E_OK;
    const struct docid **gone = calloc(count, sizeof *gone);
    if (!gone) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) gone[i] = page->ids[start + i];
    enum lks_code code = beside_without_document(m, client, gone, &count, err);
    for (size_t i = start, g = 0; !code && i < page->count; i++) { /* both are in the same order */
        if (g < count && page->ids[i] == gone[g]) {
            docid_free(page->ids[i]);
            g++;
        } else {
            page->ids[kept++] = page->ids[i];
        }
    }
    if (!code) page->count = kept;
    free(gone);
    return code;
}

/* Takes out the ids from `start` on that have a record in the sidecar: that one counts. */
static enum lks_code drop_refuged(struct mongo *m, mongoc_client_t *client, struct page *page, size_t start,
                                  struct lks_err *err)
{
    struct page refuged = {0};
    if (page->count == start || !atomic_load(&m->sidecar_fallbacks)) return LKS_E_OK;
    bson_t command = BSON_INITIALIZER;
    reads_recorded_command(&command, m, (const struct docid *const *)page->ids + start, page->count - start);
    enum lks_code code = page_fill(m, client, &command, SIZE_MAX, NULL, &refuged, err);
    bson_destroy(&command);
    for (size_t r = 0; !code && r < refuged.count; r++) page_remove(page, start, refuged.ids[r]);
    page_fini(&refuged);
    return code;
}

/* By what the records say, in the documents or beside them. */
static enum lks_code due_by_records(struct mongo *m, mongoc_client_t *client, struct req *req, bool beside,
                                    struct page *page)
{
    const char *collection = beside ? m->sidecar : m->collection;
    struct docid *copy = NULL; /* of the last id of a page, which may be taken out of it */
    const struct docid *from = req->due.from;
    enum lks_code code = LKS_E_OK;
    do {
        size_t start = page->count;
        code = due_page(m, client, collection, req, from, beside || req->due.recorded_only, page, &req->err);
        docid_free(copy);
        from = copy = page->count > start ? docid_copy(page->ids[page->count - 1]) : NULL;
        if (!code && page->count > start && !copy) code = lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
        if (!code)
            code = beside ? drop_gone(m, client, page, start, &req->err)
                          : drop_refuged(m, client, page, start, &req->err);
    } while (!code && !page->end && from && page->count < req->due.max_docs);
    docid_free(copy);
    return code;
}

/* ---- records beside documents: those without one show only by comparison ---- */

static enum lks_code walk_page(struct mongo *m, mongoc_client_t *client, const struct docid *from,
                               struct page *page, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER;
    reads_walk(m, client, &command, from, WALK_PAGE);
    BSON_APPEND_DOCUMENT(&command, "projection", m->only_id);
    enum lks_code code = page_fill(m, client, &command, WALK_PAGE, from, page, err);
    bson_destroy(&command);
    return code;
}

/* Copies the due ones of `page` to `due`. */
static enum lks_code walk_judge(struct mongo *m, mongoc_client_t *client, struct req *req,
                                const struct page *page, struct page *due)
{
    int64_t ignored = NO_TIME;
    struct due_rule rule = rule_of(req, false);
    enum lks_code code = LKS_E_OK;
    struct source_document *docs = calloc(page->count ? page->count : 1, sizeof *docs);
    if (!docs) return lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < page->count; i++) {
        docs[i].id = docid_copy(page->ids[i]);
        docs[i].body = bson_new(); /* it is there: all that reads_sidecar() asks */
        if (!docs[i].id) code = lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    }
    if (!code) code = reads_sidecar(m, client, docs, page->count, 0, &req->err);
    for (size_t i = 0; !code && i < page->count; i++) {
        if (!metadata_is_due(&docs[i].record, &rule, &ignored)) continue;
        if (due->count == req->due.max_docs) {
            due->end = false;
            break;
        }
        if (!ids_add(&due->ids, &due->count, &due->capacity, docid_copy(page->ids[i])))
            code = lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < page->count; i++) source_document_fini(&docs[i]);
    free(docs);
    return code;
}

static enum lks_code due_by_walking(struct mongo *m, mongoc_client_t *client, struct req *req,
                                    struct page *due)
{
    struct page page = {0}, before = {0};
    const struct docid *from = req->due.from;
    enum lks_code code = LKS_E_OK;
    do {
        page_fini(&before);
        before = page; /* `from` is in there */
        page = (struct page){0};
        code = walk_page(m, client, from, &page, &req->err);
        due->end = page.end;
        if (!code) code = walk_judge(m, client, req, &page, due);
        from = page.count ? page.ids[page.count - 1] : NULL;
    } while (!code && !due->end && from && due->count < req->due.max_docs);
    page_fini(&before);
    page_fini(&page);
    return code;
}

/* ---- together ---- */

/* Forgets the first ids, which are another's now. */
static void page_drop_first(struct page *page, size_t count)
{
    if (page->count > count) memmove(page->ids, page->ids + count, (page->count - count) * sizeof *page->ids);
    page->count -= count;
}

/* Merges two ascending pages into the request's answer. Past the last id of a page that isn't at its end
 * nothing is known. */
static void merge(struct req *req, struct page *a, struct page *b)
{
    size_t i = 0, j = 0, n = 0;
    struct docid **ids = calloc(req->due.max_docs ? req->due.max_docs : 1, sizeof *ids);
    if (!ids) return;
    while (n < req->due.max_docs) {
        bool a_left = i < a->count, b_left = j < b->count;
        if ((!a_left && (!a->end || !b_left)) || (!b_left && !b->end)) break;
        int order = !a_left ? 1 : !b_left ? -1 : docid_compare(a->ids[i], b->ids[j]);
        if (order == 0) docid_free(b->ids[j]);
        ids[n++] = order <= 0 ? a->ids[i] : b->ids[j];
        if (order <= 0) i++;
        if (order >= 0) j++;
    }
    req->due.end = a->end && b->end && i == a->count && j == b->count;
    page_drop_first(a, i);
    page_drop_first(b, j);
    req->due.ids = ids;
    req->due.count = n;
}

/* Lowers *next_ms to the earliest nextRetryAt after now of one collection's entries. */
static enum lks_code next_retry(struct mongo *m, mongoc_client_t *client, struct req *req,
                                const char *collection, const char *name)
{
    bson_t command = BSON_INITIALIZER, filter, condition, values;
    bson_iter_t iter, value;
    struct rows rows;
    const bson_t *row;
    char *status = bson_strdup_printf(METADATA ".collections.%s.status", name);
    char *retry = bson_strdup_printf(METADATA ".collections.%s.nextRetryAt", name);
    BSON_APPEND_UTF8(&command, "find", collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, status, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$in", &values);
    BSON_APPEND_UTF8(&values, "0", sync_status_name(SYNC_STALE));
    BSON_APPEND_UTF8(&values, "1", sync_status_name(SYNC_FAILED));
    bson_append_array_end(&condition, &values);
    bson_append_document_end(&filter, &condition);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, retry, &condition);
    BSON_APPEND_DATE_TIME(&condition, "$gt", req->due.now_ms);
    bson_append_document_end(&filter, &condition);
    bson_append_document_end(&command, &filter);
    rows_sorted(&command, retry, 1);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "projection", &values);
    BSON_APPEND_INT32(&values, retry, 1);
    bson_append_document_end(&command, &values);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, &req->err);
    if (!code && rows_next(&rows, &row) && bson_iter_init(&iter, row) &&
        bson_iter_find_descendant(&iter, retry, &value) && BSON_ITER_HOLDS_DATE_TIME(&value)) {
        int64_t at = bson_iter_date_time(&value);
        if (req->due.next_ms == NO_TIME || at < req->due.next_ms) req->due.next_ms = at;
    }
    enum lks_code closed = rows_close(&rows, what, code ? NULL : &req->err);
    bson_destroy(&command);
    bson_free(status);
    bson_free(retry);
    return code ? code : closed;
}

enum lks_code due_find(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    struct page in_documents = {.end = true}, beside = {.end = true};
    bool sidecar = m->metadata == MONGO_SIDECAR, both = !sidecar && atomic_load(&m->sidecar_fallbacks);
    bool walks = sidecar && !req->due.recorded_only && !req->due.contradicting;
    bool later = !req->due.failed_only && !req->due.contradicting;
    enum lks_code code = LKS_E_OK;
    if (!req->due.max_docs) req->due.max_docs = 1;
    req->due.next_ms = NO_TIME;
    if (!sidecar)
        code = due_by_records(m, client, req, false, &in_documents);
    else if (walks)
        code = due_by_walking(m, client, req, &in_documents);
    if (!code && (both || (sidecar && !walks))) code = due_by_records(m, client, req, true, &beside);
    if (!code) {
        merge(req, &in_documents, &beside);
        if (!req->due.ids) code = lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; !code && req->due.end && later && i < m->name_count; i++) {
        if (req->due.collections && !req->due.collections[i]) continue;
        if (!sidecar) code = next_retry(m, client, req, m->collection, m->names[i]);
        if (!code && (sidecar || both)) code = next_retry(m, client, req, m->sidecar, m->names[i]);
    }
    page_fini(&in_documents);
    page_fini(&beside);
    return code;
}
