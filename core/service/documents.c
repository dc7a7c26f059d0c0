/*
 * documents.c - see documents.h: creates, changes and deletes documents for applications. Knows MongoDB
 * alone; that the points follow is the change stream's affair.
 */
#include "service/documents.h"

#include <string.h>
#include <time.h>

#include "service/documents_json.h"
#include "service/lookup.h"

#define MOST_TRIES 20
#define TRY_AGAIN_MS 10
#define MOST_ID_BYTES 1024
#define MOST_BSON_BYTES ((uint32_t)16 << 20)

/* ---- what a write affects ---- */

static bool is_id(const struct service_source *source, const char *path)
{
    size_t bytes = strcspn(source->id_field, ".");
    return strcmp(path, "_id") == 0 || (strlen(path) == bytes && !strncmp(path, source->id_field, bytes));
}

/* No text can come of it. */
static bool is_empty(const bson_iter_t *value)
{
    bson_iter_t inner;
    uint32_t bytes = 0;
    if (BSON_ITER_HOLDS_NULL(value)) return true;
    if (BSON_ITER_HOLDS_UTF8(value)) return bson_iter_utf8(value, &bytes) && bytes == 0;
    return (BSON_ITER_HOLDS_ARRAY(value) || BSON_ITER_HOLDS_DOCUMENT(value)) &&
           bson_iter_recurse(value, &inner) && !bson_iter_next(&inner);
}

static uint64_t resynced_by(const struct service_source *source, const char *path)
{
    uint64_t set = 0;
    for (size_t i = 0; i < source->all.count; i++)
        if (collection_touches(source->all.collections[i], path) == COLLECTION_TOUCHES_TEXT)
            set |= UINT64_C(1) << i;
    return set;
}

/* The collections that have text of this document, as far as its fields show. */
static uint64_t texts_of(const struct service_source *source, const bson_t *body)
{
    bson_iter_t iter;
    uint64_t set = 0;
    if (!bson_iter_init(&iter, body)) return 0;
    while (bson_iter_next(&iter))
        if (!is_id(source, bson_iter_key(&iter)) && !is_empty(&iter))
            set |= resynced_by(source, bson_iter_key(&iter));
    return set;
}

static uint64_t changed_texts(const struct service_source *source, const bson_t *changed)
{
    bson_iter_t iter;
    uint64_t set = 0;
    if (!bson_iter_init(&iter, changed)) return 0;
    while (bson_iter_next(&iter)) set |= resynced_by(source, bson_iter_key(&iter));
    return set;
}

/* The collections that have, or may have, a point of this document. */
static uint64_t points_of(const struct service_source *source, const struct source_document *doc)
{
    uint64_t set = 0, texts = texts_of(source, doc->body);
    for (size_t i = 0; i < doc->record.entry_count; i++) {
        const struct entry *e = &doc->record.entries[i];
        bool known = e->present && e->status == SYNC_SYNCED;
        if (e->point_id[0] || (!known && texts >> i & 1)) set |= UINT64_C(1) << i;
    }
    return set;
}

/* ---- ids and types ---- */

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n\v\f")] == '\0';
}

static enum lks_code check_id(const char *field, const json_t *id, struct lks_err *err)
{
    if (json_is_number(id)) return LKS_E_OK;
    if (!json_is_string(id))
        return lks_fail(err, LKS_E_VALIDATION, "`%s` must be a string or a number", field);
    if (is_blank(json_string_value(id)))
        return lks_fail(err, LKS_E_VALIDATION, "`%s` must not be blank", field);
    if (json_string_length(id) > MOST_ID_BYTES)
        return lks_fail(err, LKS_E_VALIDATION, "`%s` may have %d bytes", field, MOST_ID_BYTES);
    return LKS_E_OK;
}

/* The member at a dotted path; NULL if there is none. */
static const json_t *member_at(const json_t *body, const char *path)
{
    const json_t *at = body;
    while (at && *path) {
        size_t bytes = strcspn(path, ".");
        at = json_object_getn(at, path, bytes);
        path += bytes + (path[bytes] == '.');
    }
    return at;
}

static enum lks_code check_types(const json_t *body, struct lks_err *err)
{
    static const char *const texts[] = {"name", "slug"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const json_t *value = json_object_get(body, texts[i]);
        if (value && !json_is_string(value) && !json_is_null(value))
            return lks_fail(err, LKS_E_VALIDATION, "`%s` must be a string", texts[i]);
    }
    return LKS_E_OK;
}

static enum lks_code too_large(struct lks_err *err)
{
    return lks_fail(err, LKS_E_REFUSED, "MongoDB takes no document of more than 16 MB");
}

/* ---- creating ---- */

/* The `_id` first, made here if the body has none, then the rest in its order. */
static bool fill(bson_t *doc, const json_t *body)
{
    bson_oid_t oid;
    const char *name;
    json_t *value;
    const json_t *id = json_object_get(body, "_id");
    bson_oid_init(&oid, NULL);
    bool ok = id ? document_append(doc, "_id", id) : BSON_APPEND_OID(doc, "_id", &oid);
    json_object_foreach((json_t *)body, name, value)
    {
        if (strcmp(name, "_id") != 0) ok = ok && document_append(doc, name, value);
    }
    return ok;
}

static enum lks_code check_new(const struct service_source *source, const json_t *body, struct lks_err *err)
{
    const json_t *id = json_object_get(body, "_id"), *key = member_at(body, source->id_field);
    enum lks_code code = document_check(body, err);
    if (!code && id) code = check_id("_id", id, err);
    if (!code && !key && strcmp(source->id_field, "_id") != 0)
        code = lks_fail(err, LKS_E_VALIDATION, "`%s` is missing: the id of the document", source->id_field);
    if (!code && key) code = check_id(source->id_field, key, err);
    return code ? code : check_types(body, err);
}

enum lks_code documents_create(const struct service_source *source, const json_t *body,
                               struct documents_written *out, struct lks_err *err)
{
    *out = (struct documents_written){.affects = 0};
    enum lks_code code = check_new(source, body, err);
    if (code) return code;
    bson_t *doc = bson_new();
    if (!fill(doc, body)) /* the only limit there is: that of BSON, far above MongoDB's */
        code = too_large(err);
    else if (doc->len > MOST_BSON_BYTES)
        code = too_large(err);
    if (!code) code = mongo_insert(source->all.mongo, doc, err);
    if (code) {
        bson_destroy(doc);
        return code;
    }
    out->doc.id = docid_of(doc);
    out->doc.body = doc;
    out->affects = texts_of(source, doc);
    return out->doc.id ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
}

/* ---- changing ---- */

/* The business id as JSON; NULL if there is none. */
static json_t *key_of(const struct service_source *source, const bson_t *body)
{
    json_t *all = document_json(body);
    json_t *key = json_incref((json_t *)member_at(all, source->id_field));
    json_decref(all);
    return key;
}

/* What the patch leaves of the fields it names may not be another id. */
static enum lks_code check_same_id(const struct service_source *source, const bson_t *body,
                                   const struct document_patch *patch, struct lks_err *err)
{
    bson_iter_t iter;
    char top[256];
    bson_t after = BSON_INITIALIZER;
    size_t bytes = strcspn(source->id_field, ".");
    if (bson_iter_init_find(&iter, &patch->set, "_id") || bson_iter_init_find(&iter, &patch->unset, "_id"))
        return lks_fail(err, LKS_E_VALIDATION, "`_id` can't be changed");
    snprintf(top, sizeof top, "%.*s", (int)bytes, source->id_field);
    if (bson_iter_init_find(&iter, &patch->set, top))
        bson_append_iter(&after, top, -1, &iter);
    else if (!bson_iter_init_find(&iter, &patch->unset, top))
        return LKS_E_OK; /* it isn't named, or reads as before */
    json_t *before_key = key_of(source, body), *after_key = key_of(source, &after);
    bool same = before_key == after_key || (before_key && after_key && json_equal(before_key, after_key));
    json_decref(before_key);
    json_decref(after_key);
    bson_destroy(&after);
    return same ? LKS_E_OK
                : lks_fail(
                      err, LKS_E_VALIDATION,
                      "`%s` can't be changed: it is the document's id; create another document and delete "
                      "this one",
                      source->id_field);
}

static enum lks_code apply(const struct service_source *source, const struct source_document *doc,
                           const struct document_patch *patch, struct documents_written *out,
                           struct lks_err *err)
{
    bson_t update = BSON_INITIALIZER;
    enum lks_code code = check_same_id(source, doc->body, patch, err);
    if (!bson_empty(&patch->set)) BSON_APPEND_DOCUMENT(&update, "$set", &patch->set);
    if (!bson_empty(&patch->unset)) BSON_APPEND_DOCUMENT(&update, "$unset", &patch->unset);
    if (!code && update.len > MOST_BSON_BYTES) code = too_large(err);
    if (!code) code = mongo_update(source->all.mongo, doc->id, &patch->unchanged, &update, &out->doc, err);
    if (!code) out->affects = changed_texts(source, &patch->changed);
    bson_destroy(&update);
    return code;
}

/* One try. Where nothing changes, nothing is written. */
static enum lks_code patch_once(const struct service_source *source, const char *id, const json_t *patch,
                                struct documents_written *out, struct lks_err *err)
{
    struct source_document doc;
    struct document_patch merged;
    enum lks_code code = lookup_document(source, id, &doc, err);
    if (code) return code;
    if (!document_merge(doc.body, patch, &merged)) {
        code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    } else if (bson_empty(&merged.set) && bson_empty(&merged.unset)) {
        out->doc = doc;
        doc = (struct source_document){.id = NULL};
    } else {
        code = apply(source, &doc, &merged, out, err);
    }
    document_patch_fini(&merged);
    source_document_fini(&doc);
    return code;
}

enum lks_code documents_patch(const struct service_source *source, const char *id, const json_t *patch,
                              struct documents_written *out, struct lks_err *err)
{
    *out = (struct documents_written){.affects = 0};
    enum lks_code code = document_check(patch, err);
    if (!code) code = check_types(patch, err);
    if (code) return code;
    code = LKS_E_MISSED;
    for (int i = 0; i < MOST_TRIES && code == LKS_E_MISSED; i++) {
        if (i) nanosleep(&(struct timespec){.tv_nsec = TRY_AGAIN_MS * 1000000}, NULL);
        code = patch_once(source, id, patch, out, err);
    }
    return code;
}

/* ---- deleting ---- */

enum lks_code documents_delete(const struct service_source *source, const char *id,
                               struct documents_written *out, struct lks_err *err)
{
    struct source_document doc;
    *out = (struct documents_written){.affects = 0};
    enum lks_code code = lookup_document(source, id, &doc, err);
    if (code) return code;
    code = mongo_delete(source->all.mongo, doc.id, &out->doc, err);
    source_document_fini(&doc);
    if (!code) out->affects = points_of(source, &out->doc);
    return code;
}
