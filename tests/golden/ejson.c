/*
 * ejson.c - canonical Extended JSON into BSON, and a BSON value as text for a message. Owns nothing.
 */
#include "golden/ejson.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

#define SHOWN_BYTES 300

struct target {
    bson_t *doc;
    const char *key;
    int key_bytes;
};

static enum lks_code append_value(struct target t, const json_t *v, struct lks_err *err);

static enum lks_code bad(struct lks_err *err, const struct target *t, const char *what)
{
    return lks_fail(err, LKS_E_CONFIG, "key \"%s\": not a valid %s", t->key, what);
}

static bool to_int64(const json_t *v, int64_t *out)
{
    const char *text = json_string_value(v);
    char *end;

    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return true;
    }
    if (!text || !*text) return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0;
}

static bool to_double(const json_t *v, double *out)
{
    const char *text = json_string_value(v);
    char *end;

    if (json_is_number(v)) {
        *out = json_number_value(v);
        return true;
    }
    if (!text || !*text) return false;
    *out = strtod(text, &end); /* knows NaN, Infinity and -Infinity, too */
    return *end == '\0';
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static bool base64_decode(const char *text, struct buf *out)
{
    unsigned bits = 0, held = 0;

    for (; *text && *text != '='; text++) {
        int digit = base64_digit(*text);

        if (digit < 0) return false;
        held = held << 6 | (unsigned)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_putc(out, (char)(held >> bits & 0xff));
        }
    }
    return !out->failed;
}

static enum lks_code append_binary(struct target t, const json_t *v, struct lks_err *err)
{
    const char *base64 = json_string_value(json_object_get(v, "base64"));
    const char *subtype = json_string_value(json_object_get(v, "subType"));
    enum lks_code code = LKS_E_OK;
    struct buf bytes;

    buf_init(&bytes, 0);
    if (!base64 || !subtype || !base64_decode(base64, &bytes))
        code = bad(err, &t, "$binary");
    else
        bson_append_binary(t.doc, t.key, t.key_bytes, (bson_subtype_t)strtol(subtype, NULL, 16),
                           (const uint8_t *)(bytes.data ? bytes.data : ""), (uint32_t)bytes.bytes);
    buf_fini(&bytes);
    return code;
}

static enum lks_code append_timestamp(struct target t, const json_t *v, struct lks_err *err)
{
    int64_t seconds, increment;

    if (!to_int64(json_object_get(v, "t"), &seconds) || !to_int64(json_object_get(v, "i"), &increment))
        return bad(err, &t, "$timestamp");
    bson_append_timestamp(t.doc, t.key, t.key_bytes, (uint32_t)seconds, (uint32_t)increment);
    return LKS_E_OK;
}

static enum lks_code append_regex(struct target t, const json_t *v, struct lks_err *err)
{
    const char *pattern = json_string_value(json_object_get(v, "pattern"));
    const char *options = json_string_value(json_object_get(v, "options"));

    if (!pattern || !options) return bad(err, &t, "$regularExpression");
    bson_append_regex(t.doc, t.key, t.key_bytes, pattern, options);
    return LKS_E_OK;
}

static enum lks_code append_date(struct target t, const json_t *v, struct lks_err *err)
{
    int64_t ms;

    if (!to_int64(json_is_object(v) ? json_object_get(v, "$numberLong") : v, &ms))
        return bad(err, &t, "$date");
    bson_append_date_time(t.doc, t.key, t.key_bytes, ms);
    return LKS_E_OK;
}

static enum lks_code append_oid(struct target t, const json_t *v, struct lks_err *err)
{
    const char *hex = json_string_value(v);
    bson_oid_t oid;

    if (!hex || !bson_oid_is_valid(hex, strlen(hex))) return bad(err, &t, "$oid");
    bson_oid_init_from_string(&oid, hex);
    bson_append_oid(t.doc, t.key, t.key_bytes, &oid);
    return LKS_E_OK;
}

static enum lks_code append_int32(struct target t, const json_t *v, struct lks_err *err)
{
    int64_t n;

    if (!to_int64(v, &n) || n < INT32_MIN || n > INT32_MAX) return bad(err, &t, "$numberInt");
    bson_append_int32(t.doc, t.key, t.key_bytes, (int32_t)n);
    return LKS_E_OK;
}

static enum lks_code append_int64(struct target t, const json_t *v, struct lks_err *err)
{
    int64_t n;

    if (!to_int64(v, &n)) return bad(err, &t, "$numberLong");
    bson_append_int64(t.doc, t.key, t.key_bytes, n);
    return LKS_E_OK;
}

static enum lks_code append_double(struct target t, const json_t *v, struct lks_err *err)
{
    double d;

    if (!to_double(v, &d)) return bad(err, &t, "$numberDouble");
    bson_append_double(t.doc, t.key, t.key_bytes, d);
    return LKS_E_OK;
}

static enum lks_code append_decimal(struct target t, const json_t *v, struct lks_err *err)
{
    const char *text = json_string_value(v);
    bson_decimal128_t d;

    if (!text || !bson_decimal128_from_string(text, &d)) return bad(err, &t, "$numberDecimal");
    bson_append_decimal128(t.doc, t.key, t.key_bytes, &d);
    return LKS_E_OK;
}

static enum lks_code append_minkey(struct target t, const json_t *v, struct lks_err *err)
{
    (void)v;
    (void)err;
    bson_append_minkey(t.doc, t.key, t.key_bytes);
    return LKS_E_OK;
}

static enum lks_code append_maxkey(struct target t, const json_t *v, struct lks_err *err)
{
    (void)v;
    (void)err;
    bson_append_maxkey(t.doc, t.key, t.key_bytes);
    return LKS_E_OK;
}

static enum lks_code append_undefined(struct target t, const json_t *v, struct lks_err *err)
{
    (void)v;
    (void)err;
    bson_append_undefined(t.doc, t.key, t.key_bytes);
    return LKS_E_OK;
}

static enum lks_code append_symbol(struct target t, const json_t *v, struct lks_err *err)
{
    if (!json_is_string(v)) return bad(err, &t, "$symbol");
    bson_append_symbol(t.doc, t.key, t.key_bytes, json_string_value(v), (int)json_string_length(v));
    return LKS_E_OK;
}

static enum lks_code append_code(struct target t, const json_t *v, struct lks_err *err)
{
    if (!json_is_string(v)) return bad(err, &t, "$code");
    bson_append_code(t.doc, t.key, t.key_bytes, json_string_value(v));
    return LKS_E_OK;
}

/* The one-key objects that stand for a value. Everything else is a document, whatever its keys begin with. */
static const struct {
    const char *key;
    enum lks_code (*append)(struct target t, const json_t *v, struct lks_err *err);
} typed[] = {
    {"$oid", append_oid},
    {"$numberInt", append_int32},
    {"$numberLong", append_int64},
    {"$numberDouble", append_double},
    {"$numberDecimal", append_decimal},
    {"$date", append_date},
    {"$timestamp", append_timestamp},
    {"$binary", append_binary},
    {"$regularExpression", append_regex},
    {"$minKey", append_minkey},
    {"$maxKey", append_maxkey},
    {"$undefined", append_undefined},
    {"$symbol", append_symbol},
    {"$code", append_code},
};

static enum lks_code append_object(struct target t, const json_t *v, struct lks_err *err)
{
    enum lks_code code;
    bson_t child;

    if (json_object_size(v) == 1) {
        void *first = json_object_iter((json_t *)v);
        const char *key = json_object_iter_key(first);

        for (size_t i = 0; i < sizeof typed / sizeof *typed; i++)
            if (strcmp(key, typed[i].key) == 0) return typed[i].append(t, json_object_iter_value(first), err);
    }
    bson_append_document_begin(t.doc, t.key, t.key_bytes, &child);
    code = ejson_document(v, &child, err);
    bson_append_document_end(t.doc, &child);
    return code;
}

static enum lks_code append_array(struct target t, const json_t *v, struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    bson_t child;

    bson_append_array_begin(t.doc, t.key, t.key_bytes, &child);
    for (size_t i = 0; code == LKS_E_OK && i < json_array_size(v); i++) {
        char space[16];
        const char *key;
        size_t bytes = bson_uint32_to_string((uint32_t)i, &key, space, sizeof space);

        code = append_value((struct target){&child, key, (int)bytes}, json_array_get(v, i), err);
    }
    bson_append_array_end(t.doc, &child);
    return code;
}

static enum lks_code append_value(struct target t, const json_t *v, struct lks_err *err)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return append_object(t, v, err);
    case JSON_ARRAY:
        return append_array(t, v, err);
    case JSON_STRING:
        bson_append_utf8(t.doc, t.key, t.key_bytes, json_string_value(v), (int)json_string_length(v));
        return LKS_E_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        bson_append_bool(t.doc, t.key, t.key_bytes, json_is_true(v));
        return LKS_E_OK;
    case JSON_NULL:
        bson_append_null(t.doc, t.key, t.key_bytes);
        return LKS_E_OK;
    case JSON_REAL:
        bson_append_double(t.doc, t.key, t.key_bytes, json_real_value(v));
        return LKS_E_OK;
    case JSON_INTEGER: /* canonical form has no bare numbers, but a hand-written recording may */
        if (json_integer_value(v) >= INT32_MIN && json_integer_value(v) <= INT32_MAX)
            bson_append_int32(t.doc, t.key, t.key_bytes, (int32_t)json_integer_value(v));
        else
            bson_append_int64(t.doc, t.key, t.key_bytes, json_integer_value(v));
        return LKS_E_OK;
    default:
        return bad(err, &t, "value");
    }
}

enum lks_code ejson_document(const json_t *object, bson_t *out, struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)object, key, v)
    {
        if (code == LKS_E_OK) code = append_value((struct target){out, key, (int)strlen(key)}, v, err);
    }
    return code;
}

char *ejson_show(const bson_iter_t *value)
{
    static const char before[] = "{ \"\" : ";
    bson_t doc = BSON_INITIALIZER;
    char *json, *shown = NULL;
    size_t bytes;

    bson_append_iter(&doc, "", 0, value);
    json = bson_as_canonical_extended_json(&doc, &bytes);
    bson_destroy(&doc);
    if (!json) /* invalid UTF-8 */
        return strdup("(a value that isn't valid UTF-8)");
    if (bytes > sizeof before + 1) {
        const char *start = json + sizeof before - 1;
        size_t inner = bytes - (sizeof before - 1) - 2; /* without " }" */
        size_t cut = utf8_cut(start, inner, SHOWN_BYTES);
        struct buf text;

        buf_init(&text, 0);
        buf_put(&text, start, cut);
        if (cut < inner) buf_printf(&text, "... (%zu bytes)", inner);
        shown = buf_take(&text, NULL);
    }
    bson_free(json);
    return shown ? shown : strdup("(nothing)");
}
