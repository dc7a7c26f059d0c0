/*
 * extjson.c - canonical Extended JSON, written here because libbson's own writer gives nothing at all for
 * invalid UTF-8, and its names differ between the major versions. Owns nothing.
 *
 * https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/ has the forms.
 */
#include "base/extjson.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define MAX_DEPTH 200 /* the server's own limit for BSON that it reads */

static void put_value(struct buf *out, const bson_iter_t *iter, int depth);

static void put_text(struct buf *out, const char *text)
{
    json_put_string(out, text ? text : "", text ? strlen(text) : 0);
}

static void put_span(struct buf *out, const char *text, uint32_t bytes)
{
    json_put_string(out, text ? text : "", text ? bytes : 0);
}

static void put_members(struct buf *out, bson_iter_t *child, bool keys, int depth)
{
    bool first = true;
    buf_putc(out, keys ? '{' : '[');
    while (bson_iter_next(child)) {
        if (!first) buf_putc(out, ',');
        first = false;
        if (keys) {
            put_text(out, bson_iter_key(child));
            buf_putc(out, ':');
        }
        put_value(out, child, depth + 1);
    }
    buf_putc(out, keys ? '}' : ']');
}

static void put_nested(struct buf *out, const bson_iter_t *iter, int depth)
{
    bson_iter_t child;
    bool keys = BSON_ITER_HOLDS_DOCUMENT(iter);
    if (bson_iter_recurse(iter, &child)) {
        put_members(out, &child, keys, depth);
    } else {
        buf_puts(out, keys ? "{}" : "[]");
    }
}

static void put_double(struct buf *out, double value)
{
    char text[JSON_NUMBER_BYTES];
    buf_puts(out, "{\"$numberDouble\":\"");
    if (isnan(value)) {
        buf_puts(out, "NaN");
    } else if (isinf(value)) {
        buf_puts(out, value < 0 ? "-Infinity" : "Infinity");
    } else {
        /* whole numbers in full, as the official drivers have them */
        bool whole = value == trunc(value) && fabs(value) < 1e21;
        size_t bytes = whole ? (size_t)snprintf(text, sizeof text, "%.0f", value) : json_number(value, text);
        buf_put(out, text, bytes);
        if (whole) buf_puts(out, ".0");
    }
    buf_puts(out, "\"}");
}

static void put_wrapped_int(struct buf *out, const char *name, int64_t value)
{
    char digits[JSON_NUMBER_BYTES];
    size_t bytes = json_digits(value, digits);
    buf_puts(out, "{\"");
    buf_puts(out, name);
    buf_puts(out, "\":\"");
    buf_put(out, digits, bytes);
    buf_puts(out, "\"}");
}

static void put_binary(struct buf *out, const bson_iter_t *iter)
{
    bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
    uint32_t bytes = 0;
    const uint8_t *data = NULL;
    bson_iter_binary(iter, &subtype, &bytes, &data);
    buf_puts(out, "{\"$binary\":{\"base64\":");
    json_put_base64(out, data, data ? bytes : 0);
    buf_printf(out, ",\"subType\":\"%02x\"}}", (unsigned)subtype & 0xFF);
}

static void put_oid(struct buf *out, const bson_oid_t *oid)
{
    char hex[25] = "000000000000000000000000";
    if (oid) bson_oid_to_string(oid, hex);
    buf_printf(out, "{\"$oid\":\"%s\"}", hex);
}

static void put_regex(struct buf *out, const bson_iter_t *iter)
{
    const char *options = "", *pattern = bson_iter_regex(iter, &options);
    buf_puts(out, "{\"$regularExpression\":{\"pattern\":");
    put_text(out, pattern);
    buf_puts(out, ",\"options\":");
    put_text(out, options);
    buf_puts(out, "}}");
}

static void put_dbpointer(struct buf *out, const bson_iter_t *iter)
{
    uint32_t bytes = 0;
    const char *collection = NULL;
    const bson_oid_t *oid = NULL;
    bson_iter_dbpointer(iter, &bytes, &collection, &oid);
    buf_puts(out, "{\"$dbPointer\":{\"$ref\":");
    put_span(out, collection, bytes);
    buf_puts(out, ",\"$id\":");
    put_oid(out, oid);
    buf_puts(out, "}}");
}

static void put_code(struct buf *out, const bson_iter_t *iter, int depth)
{
    uint32_t bytes = 0, scope_bytes = 0;
    const uint8_t *scope = NULL;
    bool scoped = bson_iter_type(iter) == BSON_TYPE_CODEWSCOPE;
    const char *code =
        scoped ? bson_iter_codewscope(iter, &bytes, &scope_bytes, &scope) : bson_iter_code(iter, &bytes);
    buf_puts(out, "{\"$code\":");
    put_span(out, code, bytes);
    if (scoped) {
        bson_iter_t child;
        buf_puts(out, ",\"$scope\":");
        if (scope && bson_iter_init_from_data(&child, scope, scope_bytes)) {
            put_members(out, &child, true, depth);
        } else {
            buf_puts(out, "{}");
        }
    }
    buf_putc(out, '}');
}

static void put_decimal(struct buf *out, const bson_iter_t *iter)
{
    bson_decimal128_t value;
    char text[BSON_DECIMAL128_STRING] = "NaN";
    if (bson_iter_decimal128(iter, &value)) bson_decimal128_to_string(&value, text);
    buf_printf(out, "{\"$numberDecimal\":\"%s\"}", text);
}

static void put_date(struct buf *out, const bson_iter_t *iter)
{
    buf_printf(out, "{\"$date\":{\"$numberLong\":\"%lld\"}}", (long long)bson_iter_date_time(iter));
}

static void put_timestamp(struct buf *out, const bson_iter_t *iter)
{
    uint32_t t = 0, i = 0;
    bson_iter_timestamp(iter, &t, &i);
    buf_printf(out, "{\"$timestamp\":{\"t\":%u,\"i\":%u}}", t, i);
}

static void put_string(struct buf *out, const bson_iter_t *iter)
{
    uint32_t bytes = 0;
    const char *text = bson_iter_utf8(iter, &bytes);
    put_span(out, text, bytes);
}

static void put_symbol(struct buf *out, const bson_iter_t *iter)
{
    uint32_t bytes = 0;
    const char *text = bson_iter_symbol(iter, &bytes);
    buf_puts(out, "{\"$symbol\":");
    put_span(out, text, bytes);
    buf_putc(out, '}');
}

static void put_value(struct buf *out, const bson_iter_t *iter, int depth)
{
    if (depth > MAX_DEPTH) out->failed = true;
    if (out->failed) return;
    switch (bson_iter_type(iter)) {
    case BSON_TYPE_UTF8:
        put_string(out, iter);
        break;
    case BSON_TYPE_SYMBOL:
        put_symbol(out, iter);
        break;
    case BSON_TYPE_INT32:
        put_wrapped_int(out, "$numberInt", bson_iter_int32(iter));
        break;
    case BSON_TYPE_INT64:
        put_wrapped_int(out, "$numberLong", bson_iter_int64(iter));
        break;
    case BSON_TYPE_DOUBLE:
        put_double(out, bson_iter_double(iter));
        break;
    case BSON_TYPE_DECIMAL128:
        put_decimal(out, iter);
        break;
    case BSON_TYPE_BOOL:
        buf_puts(out, bson_iter_bool(iter) ? "true" : "false");
        break;
    case BSON_TYPE_OID:
        put_oid(out, bson_iter_oid(iter));
        break;
    case BSON_TYPE_DATE_TIME:
        put_date(out, iter);
        break;
    case BSON_TYPE_TIMESTAMP:
        put_timestamp(out, iter);
        break;
    case BSON_TYPE_BINARY:
        put_binary(out, iter);
        break;
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        put_nested(out, iter, depth);
        break;
    case BSON_TYPE_REGEX:
        put_regex(out, iter);
        break;
    case BSON_TYPE_DBPOINTER:
        put_dbpointer(out, iter);
        break;
    case BSON_TYPE_CODE:
    case BSON_TYPE_CODEWSCOPE:
        put_code(out, iter, depth);
        break;
    case BSON_TYPE_UNDEFINED:
        buf_puts(out, "{\"$undefined\":true}");
        break;
    case BSON_TYPE_MINKEY:
        buf_puts(out, "{\"$minKey\":1}");
        break;
    case BSON_TYPE_MAXKEY:
        buf_puts(out, "{\"$maxKey\":1}");
        break;
    default:
        buf_puts(out, "null");
    }
}

bool extjson_put(struct buf *out, const bson_iter_t *iter)
{
    put_value(out, iter, 0);
    return !out->failed;
}
