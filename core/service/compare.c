/* compare.c - see compare.h. Owns nothing between calls. */
#include "service/compare.h"

#include <stdlib.h>
#include <string.h>

bool compare_is_asked(const struct compare_source *s, size_t collection)
{
    return !s->only || (s->only >> collection & 1);
}

static void refuse_duplicate(const struct source_document *doc, struct compare_wanted *out)
{
    char *owner = docid_plain(doc->owner);
    lks_fail(&out->err, LKS_E_VALIDATION, "document %.200s has the same business id, and owns the point",
             owner ? owner : "?");
    free(owner);
    out->refused = true;
}

bool compare_judge(const struct source_document *doc, const struct made *made, struct compare_wanted *out)
{
    *out = (struct compare_wanted){.doc = docid_json(doc->id)};
    if (!out->doc) return false;
    if (!doc->body) return true;
    memcpy(out->point_id, made->point_id, sizeof out->point_id);
    memcpy(out->content_hash, made->content_hash, sizeof out->content_hash);
    memcpy(out->payload_hash, made->payload_hash, sizeof out->payload_hash);
    if (doc->owner) {
        refuse_duplicate(doc, out);
    } else if (made->kind == MADE_POINT) {
        out->point = true;
    } else if (made->kind != MADE_NOTHING) {
        out->refused = true;
        if (made->err) out->err = *made->err;
    }
    return true;
}

bool compare_want(const struct compare_source *s, size_t collection, const struct source_document *doc,
                  struct compare_wanted *out)
{
    struct made made = {.kind = MADE_NOTHING};
    if (doc->body) collection_make(s->collections[collection], doc->body, &made);
    bool ok = compare_judge(doc, &made, out);
    made_fini(&made);
    return ok;
}

void compare_wanted_free(struct compare_wanted *wanted, size_t count)
{
    for (size_t i = 0; wanted && i < count; i++) free(wanted[i].doc);
    free(wanted);
}

enum lks_code compare_look(const struct compare_source *s, size_t collection,
                           const struct compare_wanted *wanted, size_t count, bool whole,
                           struct stamp **found, size_t *found_count, bool *exists, struct lks_err *err)
{
    const char **ids = calloc(count + 1, sizeof *ids);
    size_t n = 0;
    *found = NULL;
    *found_count = 0;
    if (exists) *exists = true;
    if (!ids) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (wanted[i].point) ids[n++] = wanted[i].point_id;
    enum lks_code code = qdrant_look(s->qdrant, collection, ids, n, whole, found, found_count, err);
    free(ids);
    if (code != LKS_E_NOT_FOUND) return code;
    if (exists) *exists = false;
    return LKS_E_OK;
}

const struct stamp *compare_find(const struct stamp *found, size_t count, const char *point_id)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(found[middle].point_id, point_id);
        if (order == 0) return &found[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* A document that is refused keeps what it had, unless another one owns its business id. */
static enum compare_point judge(const struct stamp *w, const struct source_document *doc,
                                const struct compare_wanted *wanted)
{
    if (!doc->body) return COMPARE_POINT_ORPHAN;
    if (wanted->refused && !doc->owner && wanted->point_id[0]) return COMPARE_POINT_RIGHT;
    return wanted->point && strcmp(wanted->point_id, w->point_id) == 0 ? COMPARE_POINT_RIGHT
                                                                       : COMPARE_POINT_STALE;
}

enum lks_code compare_points(const struct compare_source *s, size_t collection, const struct stamp *found,
                             size_t count, enum compare_point *out, struct lks_err *err)
{
    struct docid **ids = calloc(count + 1, sizeof *ids);
    size_t *places = calloc(count + 1, sizeof *places), n = 0;
    struct source_document *docs = NULL;
    enum lks_code code = ids && places ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count && !code; i++) {
        out[i] = COMPARE_POINT_ORPHAN; /* also one whose document's id can't be read */
        if (!found[i].ours || !found[i].doc) continue;
        if (!docid_read(found[i].doc, &ids[n])) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
        if (ids[n]) places[n++] = i;
    }
    if (!code && n) code = mongo_read(s->mongo, (const struct docid *const *)ids, n, &docs, err);
    for (size_t i = 0; docs && i < n && !code; i++) {
        struct compare_wanted wanted;
        if (compare_want(s, collection, &docs[i], &wanted))
            out[places[i]] = judge(&found[places[i]], &docs[i], &wanted);
        else
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
        free(wanted.doc);
    }
    mongo_docs_free(docs, n);
    mongo_ids_free(ids, n);
    free(places);
    return code;
}

char *compare_plain_doc(const struct stamp *w)
{
    struct docid *id = w->doc ? docid_parse(w->doc) : NULL;
    char *plain = id ? docid_plain(id) : strdup(w->doc ? w->doc : "?");
    docid_free(id);
    return plain;
}
