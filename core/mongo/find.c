/* find.c - one document by what a person writes, for commands. It reads only. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "mongo/list.h"
#include "mongo/metadata.h"

static const char what[] = "looking for a document";
static const char slug_field[] = "slug";

#define FIELD_MS 1000 /* for finding a document with a field */
#define MOST_NAMED 5  /* documents of one slug that an error names */

/* Appends a document's business id, else its `_id`, as a person writes it. */
static bool put_name(struct mongo *m, const bson_t *row, struct buf *names)
{
    bson_iter_t iter, value;
    bool has_key = bson_iter_init(&iter, row) && bson_iter_find_descendant(&iter, m->id_field, &value) &&
                   !BSON_ITER_HOLDS_NULL(&value);
    struct docid *id = has_key ? docid_new(&value) : docid_of(row);
    char *plain = id ? docid_plain(id) : NULL;
    if (plain) buf_printf(names, "%s%.200s", names->bytes ? ", " : "", plain);
    bool whole = plain && !names->failed;
    free(plain);
    docid_free(id);
    return whole;
}

/* A slug names a document only if it is its alone: `doc` is the first that has it, the rest are in `rows`. */
static enum lks_code check_only_one(struct mongo *m, struct rows *rows, const struct source_document *doc,
                                    const char *text, struct lks_err *err)
{
    const bson_t *row;
    struct buf names;
    size_t count = 1;
    buf_init(&names, 0);
    bool whole = put_name(m, doc->body, &names);
    while (whole && rows_next(rows, &row))
        if (++count <= MOST_NAMED) whole = put_name(m, row, &names);
    enum lks_code code = LKS_E_OK;
    if (!whole)
        code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    else if (count > 1)
        code = lks_fail(err, LKS_E_AMBIGUOUS,
                        "several documents of %s.%s have the slug %.200s; name one by its id: %.*s%s",
                        m->database, m->collection, text, (int)names.bytes, names.data,
                        count > MOST_NAMED ? ", ..." : "");
    buf_fini(&names);
    return code;
}

/* The one document that has this slug. */
static enum lks_code find_by_slug(struct mongo *m, mongoc_client_t *client, const char *text,
                                  struct source_document *doc, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, filter;
    struct rows rows = {0};
    const bson_t *row;
    bool found = false;
    BSON_APPEND_UTF8(&command, "find", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_UTF8(&filter, slug_field, text);
    bson_append_document_end(&command, &filter);
    rows_sorted(&command, "_id", MOST_NAMED + 1);
    BSON_APPEND_INT64(&command, "maxTimeMS", LIST_PAGE_MS); /* few have an index on slugs */
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err);
    if (!code && rows_next(&rows, &row)) {
        found = true;
        if (!reads_fill(m, doc, row) || !metadata_parse_modified(row, &doc->record))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
        else
            code = check_only_one(m, &rows, doc, text, err);
    }
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    if (!code) code = closed;
    return code || found ? code : LKS_E_NOT_FOUND;
}

/* What a text may mean as an id, but for `except` (NULL: all of it). *count is how much that is. False when
 * memory is out. */
static bool append_meanings(bson_t *array, const char *text, const struct docid *except, size_t *count)
{
    bson_t all = BSON_INITIALIZER;
    bson_iter_t iter;
    char buffer[16];
    const char *index;
    bool whole = keys_guesses(&all, text) && bson_iter_init(&iter, &all);
    *count = 0;
    while (whole && bson_iter_next(&iter)) {
        struct docid *id = docid_new(&iter);
        whole = id;
        if (id && !(except && docid_equal(id, except))) {
            bson_uint32_to_string((uint32_t)(*count)++, &index, buffer, sizeof buffer);
            docid_append(id, array, index);
        }
        docid_free(id);
    }
    bson_destroy(&all);
    return whole;
}

/* The lowest `_id` whose `field` is one of the values; NOT_FOUND if there is none. */
static enum lks_code find_among_values(struct mongo *m, mongoc_client_t *client, const char *field,
                                       const bson_t *values, struct source_document *doc, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, filter, condition;
    struct rows rows = {0};
    const bson_t *row;
    bool found = false;
    BSON_APPEND_UTF8(&command, "find", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, field, &condition);
    BSON_APPEND_ARRAY(&condition, "$in", values);
    bson_append_document_end(&filter, &condition);
    bson_append_document_end(&command, &filter);
    rows_sorted(&command, "_id", 1);
    BSON_APPEND_INT64(&command, "maxTimeMS", LIST_PAGE_MS); /* the field may have no index */
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err);
    if (!code && rows_next(&rows, &row)) {
        found = true;
        if (!reads_fill(m, doc, row) || !metadata_parse_modified(row, &doc->record))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    if (!code) code = closed;
    return code || found ? code : LKS_E_NOT_FOUND;
}

/* The value of the document's `field`; NULL where it is a list, or memory is out. */
static struct docid *value_of(const struct source_document *doc, const char *field)
{
    bson_iter_t iter, value;
    if (!bson_iter_init(&iter, doc->body) || !bson_iter_find_descendant(&iter, field, &value) ||
        BSON_ITER_HOLDS_ARRAY(&value))
        return NULL;
    return docid_new(&value);
}

static enum lks_code ambiguous(const struct docid *one, const struct docid *two, const char *text,
                               struct lks_err *err)
{
    char *a = docid_json(one), *b = two ? docid_json(two) : NULL;
    enum lks_code code =
        a && b ? lks_fail(err, LKS_E_AMBIGUOUS,
                          "two documents fit %.200s: write the id as %.300s or as %.300s", text, a, b)
               : lks_fail(err, LKS_E_NOMEM, "out of memory");
    free(a);
    free(b);
    return code;
}

/* Is there a document of another id that reads the same? */
static enum lks_code check_only(struct mongo *m, mongoc_client_t *client, const char *field, const char *text,
                                const struct source_document *found, struct lks_err *err)
{
    struct docid *id = value_of(found, field);
    struct source_document other = {0};
    bson_t values = BSON_INITIALIZER;
    size_t count = 0;
    enum lks_code code = LKS_E_NOT_FOUND;
    if (id && !append_meanings(&values, text, id, &count)) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (id && count && code == LKS_E_NOT_FOUND)
        code = find_among_values(m, client, field, &values, &other, err);
    if (code == LKS_E_OK) {
        struct docid *second = value_of(&other, field);
        code = ambiguous(id, second, text, err);
        docid_free(second);
    }
    source_document_fini(&other);
    bson_destroy(&values);
    docid_free(id);
    return code == LKS_E_NOT_FOUND ? LKS_E_OK : code;
}

/* A text in Extended JSON means that value before it means itself: so each id can be named. */
static enum lks_code find_exactly(struct mongo *m, mongoc_client_t *client, const char *field,
                                  const char *text, struct source_document *doc, struct lks_err *err)
{
    struct docid *id = NULL;
    bson_t values = BSON_INITIALIZER;
    enum lks_code code = LKS_E_NOT_FOUND;
    if (text[0] != '{' && text[0] != '"') return code;
    if (!docid_read(text, &id)) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (id) {
        docid_append(id, &values, "0");
        code = find_among_values(m, client, field, &values, doc, err);
    }
    bson_destroy(&values);
    docid_free(id);
    return code;
}

/* By what a person writes. */
static enum lks_code find_by(struct mongo *m, mongoc_client_t *client, const char *field, const char *text,
                             struct source_document *doc, struct lks_err *err)
{
    bson_t values = BSON_INITIALIZER;
    size_t count;
    bool by_slug = strcmp(field, slug_field) == 0;
    enum lks_code code =
        by_slug ? find_by_slug(m, client, text, doc, err) : find_exactly(m, client, field, text, doc, err);
    if (code == LKS_E_NOT_FOUND && !by_slug) {
        code = append_meanings(&values, text, NULL, &count)
                   ? find_among_values(m, client, field, &values, doc, err)
                   : lks_fail(err, LKS_E_NOMEM, "out of memory");
        if (!code) code = check_only(m, client, field, text, doc, err);
    }
    bson_destroy(&values);
    return code == LKS_E_NOT_FOUND
               ? lks_fail(err, code, "no document of %s.%s has the id %s", m->database, m->collection, text)
               : code;
}

/* By each of these fields in turn. */
static enum lks_code find_among(struct mongo *m, const char *const *fields, size_t count, const char *text,
                                struct source_document *doc, struct lks_err *err)
{
    enum lks_code code = LKS_E_NOT_FOUND;
    *doc = (struct source_document){0};
    mongoc_client_t *client = mongo_pop(m);
    for (size_t i = 0; i < count && code == LKS_E_NOT_FOUND; i++)
        if (i == 0 || strcmp(fields[i], fields[0]) != 0) code = find_by(m, client, fields[i], text, doc, err);
    if (!code) code = reads_fallbacks(m, client, err);
    if (!code) code = list_records(m, client, doc, 1, err);
    mongo_push(m, client);
    if (code)
        source_document_fini(doc);
    else
        lks_err_clear(err);
    return code;
}

enum lks_code mongo_find(struct mongo *m, const char *text, struct source_document *doc, struct lks_err *err)
{
    const char *const fields[] = {m->id_field, "_id"};
    return find_among(m, fields, 2, text, doc, err);
}

enum lks_code mongo_find_readable(struct mongo *m, const char *text, struct source_document *doc,
                                  struct lks_err *err)
{
    const char *const fields[] = {m->id_field, slug_field, "_id"};
    return find_among(m, fields, 3, text, doc, err);
}

/* {find: ..., filter: {_id: ID}} */
enum lks_code mongo_find_by_id(struct mongo *m, const struct docid *id, struct source_document *doc,
                               struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, filter;
    struct rows rows = {0};
    const bson_t *row;
    *doc = (struct source_document){0};
    BSON_APPEND_UTF8(&command, "find", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    docid_append(id, &filter, "_id");
    bson_append_document_end(&command, &filter);
    BSON_APPEND_INT64(&command, "maxTimeMS", LIST_PAGE_MS); /* nor `_id`, by another collation */
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err);
    if (!code && !rows_next(&rows, &row))
        code =
            lks_fail(err, LKS_E_NOT_FOUND, "no document of %s.%s has this _id", m->database, m->collection);
    else if (!code && (!reads_fill(m, doc, row) || !metadata_parse_modified(row, &doc->record)))
        code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    if (!code) code = closed;
    if (!code) code = reads_fallbacks(m, client, err);
    if (!code) code = list_records(m, client, doc, 1, err);
    mongo_push(m, client);
    bson_destroy(&command);
    if (code) source_document_fini(doc);
    return code;
}

bool mongo_lacks_field(struct mongo *m, const char *path)
{
    bson_t command = BSON_INITIALIZER, filter, condition;
    struct rows rows = {0};
    struct lks_err err;
    const bson_t *row;
    BSON_APPEND_UTF8(&command, "find", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, path, &condition);
    BSON_APPEND_BOOL(&condition, "$exists", true);
    bson_append_document_end(&filter, &condition);
    bson_append_document_end(&command, &filter);
    BSON_APPEND_DOCUMENT(&command, "projection", m->only_id);
    BSON_APPEND_INT32(&command, "limit", 1);
    BSON_APPEND_INT32(&command, "maxTimeMS", FIELD_MS);
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, &err);
    bool found = !code && rows_next(&rows, &row);
    enum lks_code closed = rows_close(&rows, what, &err);
    mongo_push(m, client);
    bson_destroy(&command);
    return !code && !closed && !found;
}

enum lks_code mongo_find_many(struct mongo *m, struct docid *const *ids, size_t count,
                              const char *const *fields, void (*take)(void *self, const bson_t *row),
                              void *self, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, filter, condition, in, projection = BSON_INITIALIZER;
    char buffer[16];
    const char *index;
    struct rows rows = {0};
    const bson_t *row;
    BSON_APPEND_UTF8(&command, "find", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$in", &in);
    for (size_t i = 0; i < count; i++) {
        bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof buffer);
        docid_append(ids[i], &in, index);
    }
    bson_append_array_end(&condition, &in);
    bson_append_document_end(&filter, &condition);
    bson_append_document_end(&command, &filter);
    for (size_t i = 0; fields[i]; i++) mongo_project(&projection, fields[i]);
    BSON_APPEND_DOCUMENT(&command, "projection", &projection);
    BSON_APPEND_INT64(&command, "maxTimeMS", LIST_PAGE_MS);
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err);
    while (!code && rows_next(&rows, &row)) take(self, row);
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    mongo_push(m, client);
    bson_destroy(&projection);
    bson_destroy(&command);
    return code ? code : closed;
}
