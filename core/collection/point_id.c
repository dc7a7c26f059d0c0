/* point_id.c - the business id of a document, and the UUID that follows from it. Pure. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/canonical.h"
#include "base/docid.h"
#include "base/extjson.h"
#include "base/utf8.h"
#include "collection/making.h"

struct found {
    bson_iter_t value;
    size_t count;
};

static bool remember(void *context, const bson_iter_t *value)
{
    struct found *f = context;
    f->value = *value;
    f->count++;
    return true;
}

static bool is_id(const struct collection *c)
{
    return strcmp(c->id_field, "_id") == 0;
}

/* What is wrong with the value as a business id; NULL if nothing is. */
static const char *wrong(const bson_iter_t *value)
{
    switch (bson_iter_type(value)) {
    case BSON_TYPE_NULL:
    case BSON_TYPE_UNDEFINED:
        return "is null";
    case BSON_TYPE_ARRAY:
        return "is an array";
    case BSON_TYPE_DOCUMENT:
        return "is a document";
    default:
        return NULL;
    }
}

static bool only_spaces(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!strchr(" \t\n\v\f\r", text[i]) || !text[i]) return false;
    return true;
}

static const char cure[] = "give the document a unique text or number there, or choose another `id_field`";

static enum lks_code read_text(const struct collection *c, const bson_iter_t *value, struct buf *key,
                               struct lks_err *err)
{
    uint32_t bytes = 0;
    const char *text = bson_iter_utf8(value, &bytes);
    if (!text || only_spaces(text, bytes))
        return lks_fail(err, LKS_E_VALIDATION, "the id field `%s` is blank: %s", c->id_field, cure);
    if (memchr(text, '\0', bytes))
        return lks_fail(err, LKS_E_VALIDATION, "the id field `%s` has a NUL character in it: %s", c->id_field,
                        cure);
    buf_put(key, text, bytes);
    return LKS_E_OK;
}

/* Strings by their own bytes; `_id`, and what isn't a string, as canonical Extended JSON of the canonical
 * value, so that ids that MongoDB holds equal have one key. */
static enum lks_code read_key(const struct collection *c, const bson_iter_t *found, struct buf *key,
                              struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    bson_iter_t value;
    const char *reason = is_id(c) ? NULL : wrong(found);
    if (canonical_is_nan(found)) reason = "is NaN";
    if (reason) return lks_fail(err, LKS_E_VALIDATION, "the id field `%s` %s: %s", c->id_field, reason, cure);
    struct docid *id = docid_new(found);
    if (!id) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    docid_iter(id, &value);
    if (is_id(c) || !BSON_ITER_HOLDS_UTF8(&value))
        extjson_put(key, &value);
    else
        code = read_text(c, &value, key, err);
    docid_free(id);
    return code || !key->failed ? code : lks_fail(err, LKS_E_NOMEM, "out of memory");
}

static bool make_uuid(const struct collection *c, const struct buf *key, char out[UUID_TEXT_BYTES])
{
    if (c->id_scheme == COLLECTION_PREFIXED_SHA1)
        return uuid_prefixed_sha1(c->id_prefix, key->data, key->bytes, out);
    return uuid_v5(c->id_namespace, key->data, key->bytes, out);
}

/* The key as it is shown, from the bytes that were hashed. */
static char *valid_key(struct buf *key)
{
    if (utf8_valid(key->data, key->bytes)) return buf_take(key, NULL);
    char *text = malloc(3 * key->bytes + 1);
    if (text) text[utf8_clean(text, 3 * key->bytes, key->data, key->bytes)] = '\0';
    return text;
}

/* Of equal names the first one, unlike elsewhere (view.h): it is the one that MongoDB's own queries and
 * indexes see, and so what decides who else holds the id. */
static bool find_id(const struct making *m, struct found *found)
{
    const char *path = m->collection->id_field;
    size_t head = path_head(path);
    bson_iter_t iter, inner;
    bool spread = false, there = bson_iter_init_find_w_len(&iter, m->view.doc, path, (int)head);
    while (there && path[head] && BSON_ITER_HOLDS_DOCUMENT(&iter)) {
        path += head + 1;
        head = path_head(path);
        there = bson_iter_recurse(&iter, &inner) && bson_iter_find_w_len(&inner, path, (int)head);
        if (there) iter = inner;
    }
    if (there) path_each(&iter, path[head] ? path + head + 1 : NULL, &spread, remember, found);
    return found->count && !spread;
}

enum lks_code point_id_write(const struct making *m, struct made *out, struct lks_err *err)
{
    const struct collection *c = m->collection;
    struct found found = {.count = 0};
    struct buf key;
    enum lks_code code;
    buf_init(&key, 0);
    if (!find_id(m, &found)) {
        code = lks_fail(err, LKS_E_VALIDATION,
                        "the id field `%s` is %s: give the document one, or choose another `id_field`",
                        c->id_field, found.count ? "inside an array" : "missing");
        goto out;
    }
    code = read_key(c, &found.value, &key, err);
    if (code) goto out;
    if (!make_uuid(c, &key, out->point_id)) {
        code = lks_fail(err, LKS_E_NOMEM, "SHA-1 can't be computed: out of memory, or switched off");
        goto out;
    }
    out->key = valid_key(&key);
    if (!out->key) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
out:
    buf_fini(&key);
    return code;
}
