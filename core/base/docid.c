/*
 * docid.c - ids as tiny BSON documents: in canonical form, so that what the server holds equal is equal by
 * its bytes; printed on demand.
 *
 * Owns nothing. The order of values lives in base/order.c.
 */
#include "base/docid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/canonical.h"
#include "base/extjson.h"
#include "base/json.h"
#include "base/order.h"
#include "base/siphash.h"
#include "base/utf8.h"
#include "base/uuid.h"

static struct docid *from_bson(const bson_t *doc)
{
    struct docid *id = malloc(sizeof *id + doc->len);
    if (!id) return NULL;
    id->bytes = doc->len;
    memcpy(id->data, bson_get_data(doc), doc->len);
    return id;
}

struct docid *docid_new(const bson_iter_t *iter)
{
    bson_t doc = BSON_INITIALIZER;
    struct docid *id = canonical_append(&doc, "_id", 3, iter) ? from_bson(&doc) : NULL;
    bson_destroy(&doc);
    return id;
}

struct docid *docid_of(const bson_t *doc)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, doc, "_id") ? docid_new(&iter) : NULL;
}

struct docid *docid_copy(const struct docid *id)
{
    struct docid *copy = malloc(sizeof *copy + id->bytes);
    if (copy) memcpy(copy, id, sizeof *copy + id->bytes);
    return copy;
}

void docid_free(struct docid *id)
{
    free(id);
}

bool docid_equal(const struct docid *a, const struct docid *b)
{
    return a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

uint64_t docid_hash(const struct docid *id)
{
    return siphash(id->data, id->bytes);
}

void docid_iter(const struct docid *id, bson_iter_t *iter)
{
    bool found = bson_iter_init_from_data(iter, id->data, id->bytes) && bson_iter_next(iter);
    (void)found; /* always: from_bson() made it */
}

int docid_compare(const struct docid *a, const struct docid *b)
{
    bson_iter_t x, y;
    docid_iter(a, &x);
    docid_iter(b, &y);
    return order_compare(&x, &y);
}

bool docid_append(const struct docid *id, bson_t *to, const char *key)
{
    bson_iter_t iter;
    docid_iter(id, &iter);
    return bson_append_iter(to, key, -1, &iter);
}

char *docid_json(const struct docid *id)
{
    struct buf out;
    bson_iter_t iter;
    buf_init(&out, 0);
    docid_iter(id, &iter);
    extjson_put(&out, &iter);
    char *json = buf_take(&out, NULL);
    if (!json) buf_fini(&out);
    return json;
}

char *docid_key(const struct docid *id)
{
    bson_iter_t iter;
    docid_iter(id, &iter);
    return BSON_ITER_HOLDS_UTF8(&iter) ? strdup(bson_iter_utf8(&iter, NULL)) : docid_json(id);
}

/* One value and nothing after it: no comma or closing bracket outside of strings and brackets, so that what
 * stands between our own braces can't end them. */
static bool one_value(const char *json)
{
    long depth = 0;
    bool quoted = false;
    for (; *json; json++) {
        if (quoted) {
            if (*json == '\\' && json[1]) {
                json++;
            } else if (*json == '"') {
                quoted = false;
            }
            continue;
        }
        if (*json == '"') quoted = true;
        if (*json == '{' || *json == '[') depth++;
        if ((*json == '}' || *json == ']') && --depth < 0) return false;
        if (*json == ',' && depth == 0) return false;
    }
    return depth == 0 && !quoted;
}

bool docid_read(const char *json, struct docid **out)
{
    struct buf text;
    bson_iter_t iter;
    bson_error_t error;
    bool ok = true;
    *out = NULL;
    if (!one_value(json)) return true;
    buf_init(&text, 0);
    buf_puts(&text, "{\"_id\":");
    buf_puts(&text, json);
    buf_putc(&text, '}');
    ok = !text.failed;
    if (!ok || text.bytes > INT32_MAX) goto out;
    bson_t *doc = bson_new_from_json((const uint8_t *)text.data, (ssize_t)text.bytes, &error);
    if (!doc) goto out;
    if (bson_count_keys(doc) == 1 && bson_iter_init_find(&iter, doc, "_id")) {
        *out = docid_new(&iter);
        ok = *out != NULL;
    }
    bson_destroy(doc);
out:
    buf_fini(&text);
    return ok;
}

struct docid *docid_parse(const char *json)
{
    struct docid *id;
    return docid_read(json, &id) ? id : NULL;
}

bool docid_respell(char **text, bool *changed)
{
    static const char *const wide[] = {"$numberL", "$numberDo", "$numberDe", "$symbol"};
    struct docid *id = NULL;
    size_t i = 0;
    *changed = false;
    while (i < sizeof wide / sizeof *wide && !strstr(*text, wide[i])) i++;
    if ((*text)[0] != '{' || i == sizeof wide / sizeof *wide) return true;
    if (!docid_read(*text, &id)) return false;
    if (!id) return true;
    char *canonical = docid_json(id);
    docid_free(id);
    if (!canonical) return false;
    *changed = strcmp(canonical, *text) != 0;
    free(*text);
    *text = canonical;
    return true;
}

/* A number as payloads show it, without the quotes that some have there; no number has no plain form. */
static void put_unquoted(struct buf *out, const bson_iter_t *iter)
{
    struct buf json;
    buf_init(&json, 0);
    if (!json_put_value(&json, iter) || json.failed)
        out->failed = true;
    else if (json.data[0] == '"')
        buf_put(out, json.data + 1, json.bytes - 2);
    else
        buf_put(out, json.data, json.bytes);
    buf_fini(&json);
}

/* Infinite and NaN: JSON has no number for them. */
static bool is_number(const bson_iter_t *iter)
{
    return BSON_ITER_HOLDS_DOUBLE(iter) ? isfinite(bson_iter_double(iter))
                                        : BSON_ITER_HOLDS_NUMBER(iter) || BSON_ITER_HOLDS_DECIMAL128(iter);
}

static void put_clean(struct buf *out, const bson_iter_t *iter)
{
    uint32_t bytes = 0;
    const char *string = bson_iter_utf8(iter, &bytes);
    if (!buf_reserve(out, 3 * (size_t)bytes)) return;
    out->bytes = utf8_clean(out->data, 3 * (size_t)bytes, string, bytes);
    out->data[out->bytes] = '\0';
}

char *docid_plain(const struct docid *id)
{
    bson_iter_t iter;
    struct buf out;
    char fixed[UUID_TEXT_BYTES];
    buf_init(&out, 0);
    docid_iter(id, &iter);
    if (BSON_ITER_HOLDS_OID(&iter)) {
        bson_oid_to_string(bson_iter_oid(&iter), fixed);
        buf_puts(&out, fixed);
    } else if (BSON_ITER_HOLDS_UTF8(&iter)) {
        put_clean(&out, &iter);
    } else if (is_number(&iter)) {
        put_unquoted(&out, &iter);
    } else if (uuid_of_value(&iter, fixed)) {
        buf_puts(&out, fixed);
    } else {
        extjson_put(&out, &iter);
    }
    char *text = buf_take(&out, NULL);
    if (!text) buf_fini(&out);
    return text;
}

char *docid_plain_of_key(const char *key, bool typed)
{
    struct docid *id = NULL;
    if ((typed || key[0] == '{') && !docid_read(key, &id)) return NULL;
    char *plain = id ? docid_plain(id) : strdup(key);
    docid_free(id);
    return plain;
}

bool docid_put_payload(const struct docid *id, struct buf *out)
{
    bson_iter_t iter;
    docid_iter(id, &iter);
    bool whole = BSON_ITER_HOLDS_INT32(&iter) || BSON_ITER_HOLDS_INT64(&iter);
    char *plain = whole || BSON_ITER_HOLDS_UTF8(&iter) ? NULL : docid_plain(id);
    if (whole || BSON_ITER_HOLDS_UTF8(&iter)) {
        json_put_value(out, &iter);
    } else if (plain) {
        json_put_string(out, plain, strlen(plain));
    } else {
        out->failed = true;
    }
    free(plain);
    return !out->failed;
}
