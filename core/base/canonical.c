/* canonical.c - see canonical.h. Pure; owns nothing. */
#include "base/canonical.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"

#define MAX_DEPTH 200         /* the server's own limit for BSON that it reads */
#define DECIMAL_DIGITS 34     /* of a decimal128's coefficient */
#define DECIMAL_EXPONENT 6111 /* its largest */

static bool append(bson_t *to, const char *key, int key_bytes, const bson_iter_t *iter, int depth);

static bool append_int(bson_t *to, const char *key, int key_bytes, int64_t value)
{
    return value >= INT32_MIN && value <= INT32_MAX ? bson_append_int32(to, key, key_bytes, (int32_t)value)
                                                    : bson_append_int64(to, key, key_bytes, value);
}

static bool append_double(bson_t *to, const char *key, int key_bytes, double value)
{
    if (isnan(value)) return bson_append_double(to, key, key_bytes, (double)NAN);
    if (value == trunc(value) && value >= -9223372036854775808.0 && value < 9223372036854775808.0)
        return append_int(to, key, key_bytes, (int64_t)value);
    return bson_append_double(to, key, key_bytes, value);
}

/* ---- decimals ---- */

/* sign DIGITS * 10^exponent, no zeros at either end of the digits; none at all: zero. */
struct decimal {
    bool negative;
    char digits[DECIMAL_DIGITS + 1];
    int count;
    long exponent;
};

/* Reads "-12.50E+3" as libbson prints it; it is a number. */
static void read_decimal(const char *text, struct decimal *d)
{
    bool fraction = false;
    *d = (struct decimal){.negative = *text == '-'};
    text += *text == '-';
    for (; *text && *text != 'E'; text++) {
        if (*text == '.') {
            fraction = true;
            continue;
        }
        if (fraction) d->exponent--;
        if ((d->count || *text != '0') && d->count < DECIMAL_DIGITS) d->digits[d->count++] = *text;
    }
    if (*text) d->exponent += strtol(text + 1, NULL, 10);
    while (d->count && d->digits[d->count - 1] == '0') {
        d->count--;
        d->exponent++;
    }
    d->digits[d->count] = '\0';
}

/* True if the number is one of 64 bits. */
static bool as_int(const struct decimal *d, int64_t *out)
{
    uint64_t value = 0, limit = (uint64_t)INT64_MAX + d->negative;
    if (d->exponent < 0 || d->count + d->exponent > 19) return false;
    for (long i = 0; i < d->count + d->exponent; i++) {
        uint64_t digit = i < d->count ? (uint64_t)(d->digits[i] - '0') : 0;
        if (value > (limit - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = d->negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/* True if a double is exactly this number. */
static bool as_double(const struct decimal *d, const bson_iter_t *iter, double *out)
{
    char text[DECIMAL_DIGITS + 32];
    bson_t container = BSON_INITIALIZER;
    bson_iter_t other;
    snprintf(text, sizeof text, "%s%se%ld", d->negative ? "-" : "", d->digits, d->exponent);
    *out = strtod(text, NULL);
    bool same = isfinite(*out) && bson_append_double(&container, "", 0, *out) &&
                bson_iter_init(&other, &container) && bson_iter_next(&other) &&
                order_compare(iter, &other) == 0;
    bson_destroy(&container);
    return same;
}

/* The decimal with the fewest digits: as many zeros as its exponent needs and no more. */
static bool append_shortest(bson_t *to, const char *key, int key_bytes, const struct decimal *d)
{
    char text[2 * DECIMAL_DIGITS + 32];
    bson_decimal128_t value;
    long exponent = d->exponent;
    int count = snprintf(text, sizeof text, "%s%s", d->negative ? "-" : "", d->digits);
    for (; exponent > DECIMAL_EXPONENT && count < 2 * DECIMAL_DIGITS; exponent--) text[count++] = '0';
    snprintf(text + count, sizeof text - (size_t)count, "E%ld", exponent);
    return bson_decimal128_from_string(text, &value) && bson_append_decimal128(to, key, key_bytes, &value);
}

static bool append_decimal(bson_t *to, const char *key, int key_bytes, const bson_iter_t *iter)
{
    bson_decimal128_t value;
    char text[BSON_DECIMAL128_STRING];
    struct decimal d;
    int64_t whole = 0;
    double binary = 0;
    if (!bson_iter_decimal128(iter, &value)) return bson_append_iter(to, key, key_bytes, iter);
    bson_decimal128_to_string(&value, text);
    if (strchr(text, 'N')) return bson_append_double(to, key, key_bytes, (double)NAN);
    if (strchr(text, 'I'))
        return bson_append_double(to, key, key_bytes, *text == '-' ? -(double)INFINITY : (double)INFINITY);
    read_decimal(text, &d);
    if (!d.count) return bson_append_int32(to, key, key_bytes, 0);
    if (as_int(&d, &whole)) return append_int(to, key, key_bytes, whole);
    if (as_double(&d, iter, &binary)) return bson_append_double(to, key, key_bytes, binary);
    return append_shortest(to, key, key_bytes, &d);
}

/* ---- values ---- */

static bool append_nested(bson_t *to, const char *key, int key_bytes, const bson_iter_t *iter, int depth)
{
    bool document = BSON_ITER_HOLDS_DOCUMENT(iter);
    bson_iter_t child;
    bson_t inner;
    if (depth > MAX_DEPTH || !bson_iter_recurse(iter, &child))
        return bson_append_iter(to, key, key_bytes, iter);
    bool ok = document ? bson_append_document_begin(to, key, key_bytes, &inner)
                       : bson_append_array_begin(to, key, key_bytes, &inner);
    if (!ok) return false;
    while (ok && bson_iter_next(&child))
        ok = append(&inner, bson_iter_key(&child), (int)bson_iter_key_len(&child), &child, depth + 1);
    return (document ? bson_append_document_end(to, &inner) : bson_append_array_end(to, &inner)) && ok;
}

static bool append(bson_t *to, const char *key, int key_bytes, const bson_iter_t *iter, int depth)
{
    uint32_t bytes = 0;
    const char *text;
    switch (bson_iter_type(iter)) {
    case BSON_TYPE_INT64:
        return append_int(to, key, key_bytes, bson_iter_int64(iter));
    case BSON_TYPE_DOUBLE:
        return append_double(to, key, key_bytes, bson_iter_double(iter));
    case BSON_TYPE_DECIMAL128:
        return append_decimal(to, key, key_bytes, iter);
    case BSON_TYPE_SYMBOL:
        text = bson_iter_symbol(iter, &bytes);
        return bson_append_utf8(to, key, key_bytes, text ? text : "", text ? (int)bytes : 0);
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        return append_nested(to, key, key_bytes, iter, depth);
    default:
        return bson_append_iter(to, key, key_bytes, iter);
    }
}

bool canonical_append(bson_t *to, const char *key, int key_bytes, const bson_iter_t *iter)
{
    return append(to, key, key_bytes, iter, 0);
}

bool canonical_is_nan(const bson_iter_t *iter)
{
    bson_decimal128_t value;
    char text[BSON_DECIMAL128_STRING];
    if (BSON_ITER_HOLDS_DOUBLE(iter)) return isnan(bson_iter_double(iter));
    if (!BSON_ITER_HOLDS_DECIMAL128(iter) || !bson_iter_decimal128(iter, &value)) return false;
    bson_decimal128_to_string(&value, text);
    return strchr(text, 'N');
}
