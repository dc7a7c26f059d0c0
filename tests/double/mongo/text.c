/* text.c - prints values for error messages. */
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define TEXT_MAX_BYTES (1 << 20)

static void text_double(struct buf *out, double d)
{
    char b[40];
    if (isnan(d)) {
        buf_puts(out, "nan.0");
    } else if (isinf(d)) {
        buf_puts(out, d > 0 ? "inf.0" : "-inf.0");
    } else {
        snprintf(b, sizeof b, "%.16g", d);
        buf_puts(out, b);
        if (!strpbrk(b, ".eE")) buf_puts(out, ".0");
    }
}

static void text_hex(struct buf *out, const uint8_t *p, size_t n, const char *digits)
{
    for (size_t i = 0; i < n; i++) {
        buf_putc(out, digits[p[i] >> 4]);
        buf_putc(out, digits[p[i] & 15]);
    }
}

static void text_binary(struct buf *out, struct val v)
{
    const uint8_t *data = v.p + 5;
    uint32_t n = rd32(v.p);
    if (v.p[4] == BSON_SUBTYPE_UUID && n == 16) {
        buf_puts(out, "UUID(\"");
        static const size_t cut[6] = {0, 4, 6, 8, 10, 16};
        for (size_t i = 0; i < 5; i++) {
            if (i) buf_putc(out, '-');
            text_hex(out, data + cut[i], cut[i + 1] - cut[i], "0123456789abcdef");
        }
        buf_puts(out, "\")");
        return;
    }
    buf_printf(out, "BinData(%u, ", v.p[4]);
    text_hex(out, data, n, "0123456789ABCDEF");
    buf_putc(out, ')');
}

static void text_container(struct buf *out, struct val v, enum text_style style)
{
    bool arr = val_is_arr(v), first = true;
    const char *pad = style == TEXT_BSON ? " " : "";
    if (doc_is_empty(v)) {
        buf_puts(out, arr ? "[]" : "{}");
        return;
    }
    buf_puts(out, arr ? "[" : "{");
    buf_puts(out, pad);
    struct iter it;
    for (iter_init(&it, v); iter_next(&it);) {
        if (!first) buf_puts(out, ", ");
        first = false;
        if (!arr) {
            buf_put(out, it.key, it.keylen);
            buf_puts(out, ": ");
        }
        text_val(out, it.v, style);
    }
    buf_puts(out, pad);
    buf_puts(out, arr ? "]" : "}");
}

void text_val(struct buf *out, struct val v, enum text_style style)
{
    switch (v.t) {
    case BSON_TYPE_EOD:
        buf_puts(out, style == TEXT_BSON ? "EOO" : "MISSING");
        break;
    case BSON_TYPE_DOUBLE:
        text_double(out, val_double(v));
        break;
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        buf_printf(out, "%" PRId64, val_int(v));
        break;
    case BSON_TYPE_DECIMAL128: {
        bson_decimal128_t d = {.low = rd64(v.p), .high = rd64(v.p + 8)};
        char text[BSON_DECIMAL128_STRING];
        bson_decimal128_to_string(&d, text);
        buf_puts(out, text);
        break;
    }
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
        buf_putc(out, '"');
        buf_put(out, val_str(v), val_strlen(v));
        buf_putc(out, '"');
        break;
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        text_container(out, v, style);
        break;
    case BSON_TYPE_BINARY:
        text_binary(out, v);
        break;
    case BSON_TYPE_OID:
        buf_puts(out, style == TEXT_BSON ? "ObjectId('" : "");
        text_hex(out, v.p, 12, "0123456789abcdef");
        buf_puts(out, style == TEXT_BSON ? "')" : "");
        break;
    case BSON_TYPE_BOOL:
        buf_puts(out, v.p[0] ? "true" : "false");
        break;
    case BSON_TYPE_DATE_TIME:
        buf_printf(out, "new Date(%" PRId64 ")", val_i64raw(v));
        break;
    case BSON_TYPE_TIMESTAMP:
        buf_printf(out, "Timestamp(%" PRIu32 ", %" PRIu32 ")", rd32(v.p + 4), rd32(v.p));
        break;
    case BSON_TYPE_NULL:
        buf_puts(out, "null");
        break;
    case BSON_TYPE_UNDEFINED:
        buf_puts(out, "undefined");
        break;
    case BSON_TYPE_REGEX: {
        const char *pattern = (const char *)v.p;
        buf_printf(out, "/%s/%s", pattern, pattern + strlen(pattern) + 1);
        break;
    }
    case BSON_TYPE_CODE:
        buf_put(out, val_str(v), val_strlen(v));
        break;
    case BSON_TYPE_MINKEY:
        buf_puts(out, "MinKey");
        break;
    case BSON_TYPE_MAXKEY:
        buf_puts(out, "MaxKey");
        break;
    default:
        buf_printf(out, "?type=%u", v.t);
        break;
    }
}

static char *finish(struct pool *a, struct buf *b)
{
    char *text = pool_strndup(a, b->data ? b->data : "", b->bytes);
    buf_fini(b);
    return text;
}

char *text_of(struct pool *a, struct val v, enum text_style style)
{
    struct buf b;
    buf_init(&b, TEXT_MAX_BYTES);
    text_val(&b, v, style);
    return finish(a, &b);
}

char *text_field(struct pool *a, const char *name, struct val v)
{
    struct buf b;
    buf_init(&b, TEXT_MAX_BYTES);
    buf_puts(&b, name);
    buf_puts(&b, ": ");
    text_val(&b, v, TEXT_BSON);
    return finish(a, &b);
}
