/*
 * search_notes.c - why a filter found nothing: fields that no point of a collection has.
 *
 * Asks Qdrant only about collections whose search found nothing. Owns nothing between calls.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "service/search.h"

/* Does any point have this field? True also where Qdrant can't say. */
static bool any_point_has(struct qdrant *qdrant, size_t index, const char *field, size_t bytes)
{
    struct lks_err err;
    struct buf filter;
    int64_t points = 1;
    buf_init(&filter, 0);
    buf_puts(&filter, "{\"must_not\":[{\"is_empty\":{\"key\":");
    json_put_string(&filter, field, bytes);
    buf_puts(&filter, "}}]}");
    if (!filter.failed && qdrant_count(qdrant, index, filter.data, &points, &err) != LKS_E_OK) points = 1;
    buf_fini(&filter);
    return points > 0;
}

static bool add_note(struct search_results *results, const char *collection, const char *field, size_t bytes)
{
    bool plain_path = memchr(field, '.', bytes) && !memchr(field, '[', bytes);
    struct buf note;
    buf_init(&note, 0);
    buf_printf(&note, "no point of %s has the field \"%.*s\", so the filter finds nothing there%s",
               collection, (int)bytes, field,
               plain_path ? "; through a list it is written with brackets: list[].member" : "");
    char **notes = note.failed ? NULL : realloc(results->notes, (results->note_count + 1) * sizeof *notes);
    if (notes) results->notes = notes;
    if (notes) notes[results->note_count++] = buf_take(&note, NULL);
    buf_fini(&note);
    return notes != NULL;
}

static bool asked_before(const char *const *terms, size_t i, size_t bytes)
{
    for (size_t k = 0; k < i; k++)
        if (strcspn(terms[k], ":") == bytes && memcmp(terms[k], terms[i], bytes) == 0) return true;
    return false;
}

enum lks_code search_notes(struct qdrant *qdrant, const struct search_collection *collections,
                           const char *const *terms, size_t count, struct search_results *results,
                           struct lks_err *err)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct search_result *r = &results->collections[i];
        for (size_t k = 0; r->err.code == LKS_E_OK && r->count == 0 && k < count; k++) {
            size_t bytes = strcspn(terms[k], ":");
            if (asked_before(terms, k, bytes) || any_point_has(qdrant, collections[i].index, terms[k], bytes))
                continue;
            if (!add_note(results, r->collection, terms[k], bytes))
                return lks_fail(err, LKS_E_NOMEM, "out of memory");
        }
    }
    return LKS_E_OK;
}
