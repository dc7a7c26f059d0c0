/* find.c - one document by what a person writes, for commands. It reads only. */
#include <stdlib.h>
#include <string.h>

#include "mongo/list.h"
#include "mongo/metadata.h"

static const char what[] = "looking for a document";

/* The lowest `_id` whose `field` reads as `text`; NOT_FOUND if there is none. */
static enum lks_code find_by(struct mongo *m, mongoc_client_t *client, const char *field, const char *text,
                             struct source_doc *doc, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, filter, condition, in;
    struct rows rows = {0};
    const bson_t *row;
    bool found = false;
    BSON_APPEND_UTF8(&command, "find", m->collection);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, field, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$in", &in);
    bool whole = keys_guesses(&in, text);
    bson_append_array_end(&condition, &in);
    bson_append_document_end(&filter, &condition);
    bson_append_document_end(&command, &filter);
    reads_sorted(&command, "_id", 1);
    enum lks_code code = whole ? rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err)
                               : lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (!code && rows_next(&rows, &row)) {
        found = true;
        if (!reads_fill(m, doc, row) || !metadata_parse_modified(row, &doc->record))
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    if (!code) code = closed;
    return code || found ? code
                         : lks_fail(err, LKS_E_NOT_FOUND, "no document of %s.%s has the id %s", m->database,
                                    m->collection, text);
}

/* By each of these fields in turn. */
static enum lks_code find_among(struct mongo *m, const char *const *fields, size_t count, const char *text,
                                struct source_doc *doc, struct lks_err *err)
{
    enum lks_code code = LKS_E_NOT_FOUND;
    *doc = (struct source_doc){0};
    mongoc_client_t *client = mongo_pop(m);
    for (size_t i = 0; i < count && code == LKS_E_NOT_FOUND; i++)
        if (i == 0 || strcmp(fields[i], fields[0]) != 0) code = find_by(m, client, fields[i], text, doc, err);
    if (!code) code = reads_refuges(m, client, err);
    if (!code) code = list_records(m, client, doc, 1, err);
    mongo_push(m, client);
    if (code)
        source_doc_fini(doc);
    else
        lks_err_clear(err);
    return code;
}

enum lks_code mongo_find(struct mongo *m, const char *text, struct source_doc *doc, struct lks_err *err)
{
    const char *const fields[] = {m->id_field, "_id"};
    return find_among(m, fields, 2, text, doc, err);
}

enum lks_code mongo_find_readable(struct mongo *m, const char *text, struct source_doc *doc,
                                  struct lks_err *err)
{
    const char *const fields[] = {m->id_field, "slug", "_id"};
    return find_among(m, fields, 3, text, doc, err);
}
