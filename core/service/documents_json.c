/* documents_json.c - see documents_json.h. */
#include "service/documents_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/json_memory.h"
#include "base/utf8.h"

#define MAX_DEPTH 99 /* below the document itself: MongoDB takes 100 levels */

bool document_hides(const char *name)
{
    return strcmp(name, "syncMetadata") == 0 || strcmp(name, "_lockstep") == 0;
}

/* ---- checking ---- */

/* The way to a name, for messages: cut where it gets too long. */
struct way {
    const struct way *up;
    const char *name;
};

static size_t put_way(const struct way *way, char *out, size_t bytes)
{
    size_t at = way->up ? put_way(way->up, out, bytes) : 0;
    if (at < bytes) at += (size_t)snprintf(out + at, bytes - at, "%s%.80s", way->up ? "." : "", way->name);
    return at < bytes ? at : bytes;
}

static enum lks_code refuse(const struct way *way, struct lks_err *err, const char *reason)
{
    char path[400];
    put_way(way, path, sizeof path);
    return lks_fail(err, LKS_E_VALIDATION, "`%s`: %s", path, reason);
}

static enum lks_code check(const json_t *value, const struct way *up, int depth, struct lks_err *err);

static enum lks_code check_name(const struct way *way, struct lks_err *err)
{
    if (!way->up && document_hides(way->name))
        return refuse(way, err, "this is Lockstep's own; leave it out");
    if (!*way->name) return refuse(way, err, "a name must not be empty");
    if (*way->name == '$')
        return refuse(way, err,
                      "a name must not begin with `$`; documents are plain JSON, not Extended JSON");
    if (strchr(way->name, '.')) return refuse(way, err, "a name must not have a dot; nest objects instead");
    return LKS_E_OK;
}

static enum lks_code check_object(const json_t *object, const struct way *up, int depth, struct lks_err *err)
{
    const char *name;
    json_t *value;
    enum lks_code code = LKS_E_OK;
    json_object_foreach((json_t *)object, name, value)
    {
        const struct way way = {.up = up, .name = name};
        code = check_name(&way, err);
        if (!code) code = check(value, &way, depth + 1, err);
        if (code) return code;
    }
    return code;
}

static enum lks_code check(const json_t *value, const struct way *up, int depth, struct lks_err *err)
{
    size_t i;
    json_t *item;
    enum lks_code code = LKS_E_OK;
    if (depth > MAX_DEPTH) return refuse(up, err, "this is nested deeper than MongoDB takes");
    if (json_is_object(value)) return check_object(value, up, depth, err);
    json_array_foreach(value, i, item)
    {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        const struct way way = {.up = up, .name = index};
        code = check(item, &way, depth + 1, err);
        if (code) return code;
    }
    return code;
}

enum lks_code document_check(const json_t *body, struct lks_err *err)
{
    return check_object(body, NULL, 0, err);
}

/* ---- JSON to BSON ---- */

static bool append_object(bson_t *to, const char *key, const json_t *value)
{
    bson_t inner;
    const char *name;
    json_t *item;
    bool ok = BSON_APPEND_DOCUMENT_BEGIN(to, key, &inner);
    json_object_foreach((json_t *)value, name, item) ok = ok && document_append(&inner, name, item);
    return bson_append_document_end(to, &inner) && ok;
}

static bool append_array(bson_t *to, const char *key, const json_t *value)
{
    bson_t inner;
    size_t i;
    json_t *item;
    char buffer[16];
    const char *index;
    bool ok = BSON_APPEND_ARRAY_BEGIN(to, key, &inner);
    json_array_foreach(value, i, item)
    {
        bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof buffer);
        ok = ok && document_append(&inner, index, item);
    }
    return bson_append_array_end(to, &inner) && ok;
}

bool document_append(bson_t *to, const char *key, const json_t *value)
{
    json_int_t whole = json_integer_value(value);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return append_object(to, key, value);
    case JSON_ARRAY:
        return append_array(to, key, value);
    case JSON_STRING:
        return bson_append_utf8(to, key, -1, json_string_value(value), (int)json_string_length(value));
    case JSON_INTEGER:
        return whole >= INT32_MIN && whole <= INT32_MAX ? BSON_APPEND_INT32(to, key, (int32_t)whole)
                                                        : BSON_APPEND_INT64(to, key, whole);
    case JSON_REAL:
        return BSON_APPEND_DOUBLE(to, key, json_real_value(value));
    case JSON_TRUE:
    case JSON_FALSE:
        return BSON_APPEND_BOOL(to, key, json_is_true(value));
    case JSON_NULL:
        break;
    }
    return BSON_APPEND_NULL(to, key);
}

/* ---- BSON to JSON ---- */

json_t *document_value(const bson_iter_t *iter)
{
    struct buf text;
    buf_init(&text, 0);
    bool ok = json_put_value(&text, iter) && !text.failed;
    json_t *out = ok ? json_loadb(text.data, text.bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    buf_fini(&text);
    if (json_memory_was_out()) {
        json_decref(out);
        out = NULL;
    }
    return out;
}

json_t *document_json(const bson_t *body)
{
    json_t *out = json_object();
    bson_iter_t iter;
    if (!out || !bson_iter_init(&iter, body)) return out;
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        /* names that are no UTF-8 can't be shown */
        if (document_hides(key) || !utf8_valid(key, strlen(key))) continue;
        if (json_object_set_new(out, key, document_value(&iter)) == 0) continue;
        json_decref(out); /* less than the whole would be another document */
        return NULL;
    }
    return out;
}

/* ---- merging ---- */

static void note_change(struct document_patch *out, const char *path)
{
    BSON_APPEND_BOOL(&out->changed, path, true);
}

/* Does the value that is there read as this one? False when memory is out. */
static bool reads_as(const bson_iter_t *there, const json_t *value, bool *same)
{
    json_t *is = document_value(there);
    bool known = is != NULL;
    *same = known && json_equal(is, value);
    json_decref(is);
    return known;
}

static bool merge_into(struct document_patch *out, bson_t *to, const char *key, const bson_iter_t *there,
                       const json_t *patch, const char *path);

/* The members of an object that are there (`there` NULL: none), each as the patch leaves it. */
static bool merge_members(struct document_patch *out, bson_t *to, const bson_iter_t *there,
                          const json_t *patch, const char *path)
{
    bson_iter_t member, other;
    const char *name;
    json_t *value;
    bool ok = true;
    bool any = there && bson_iter_recurse(there, &member);
    while (ok && any && bson_iter_next(&member)) {
        char *inner = bson_strdup_printf("%s.%s", path, bson_iter_key(&member));
        const json_t *change = json_object_get(patch, bson_iter_key(&member));
        if (!change)
            ok = bson_append_iter(to, bson_iter_key(&member), -1, &member);
        else
            ok = merge_into(out, to, bson_iter_key(&member), &member, change, inner);
        bson_free(inner);
    }
    json_object_foreach((json_t *)patch, name, value)
    {
        if (there && bson_iter_recurse(there, &other) && bson_iter_find(&other, name)) continue;
        char *inner = bson_strdup_printf("%s.%s", path, name);
        ok = ok && merge_into(out, to, name, NULL, value, inner);
        bson_free(inner);
    }
    return ok;
}

/* Appends what becomes of one value; nothing if it is removed. */
static bool merge_into(struct document_patch *out, bson_t *to, const char *key, const bson_iter_t *there,
                       const json_t *patch, const char *path)
{
    bson_t inner;
    bool same = false;
    if (json_is_null(patch)) {
        if (there) note_change(out, path);
        return true;
    }
    if (there && !reads_as(there, patch, &same)) return false;
    if (same) return bson_append_iter(to, key, -1, there);
    if (!json_is_object(patch)) {
        note_change(out, path);
        return document_append(to, key, patch);
    }
    bool object = there && BSON_ITER_HOLDS_DOCUMENT(there);
    if (!object) note_change(out, path); /* another kind of value gives way to an object */
    bool ok = BSON_APPEND_DOCUMENT_BEGIN(to, key, &inner) &&
              merge_members(out, &inner, object ? there : NULL, patch, path);
    return bson_append_document_end(to, &inner) && ok;
}

static bool merge_field(struct document_patch *out, const bson_t *body, const char *name, const json_t *patch)
{
    bson_iter_t there;
    bool is = bson_iter_init_find(&there, body, name);
    uint32_t changes = bson_count_keys(&out->changed);
    bson_t merged = BSON_INITIALIZER;
    bson_iter_t made;
    bool ok = merge_into(out, &merged, name, is ? &there : NULL, patch, name);
    if (ok && bson_count_keys(&out->changed) > changes) {
        if (bson_iter_init_find(&made, &merged, name))
            ok = bson_append_iter(&out->set, name, -1, &made);
        else
            ok = BSON_APPEND_UTF8(&out->unset, name, "");
        /* what was merged depends on what was there */
        if (ok && json_is_object(patch))
            ok = is ? bson_append_iter(&out->unchanged, name, -1, &there)
                    : BSON_APPEND_UNDEFINED(&out->unchanged, name);
    }
    bson_destroy(&merged);
    return ok;
}

bool document_merge(const bson_t *body, const json_t *patch, struct document_patch *out)
{
    const char *name;
    json_t *value;
    bool ok = true;
    bson_init(&out->set);
    bson_init(&out->unset);
    bson_init(&out->unchanged);
    bson_init(&out->changed);
    json_object_foreach((json_t *)patch, name, value) ok = ok && merge_field(out, body, name, value);
    return ok;
}

void document_patch_fini(struct document_patch *patch)
{
    bson_destroy(&patch->set);
    bson_destroy(&patch->unset);
    bson_destroy(&patch->unchanged);
    bson_destroy(&patch->changed);
}
