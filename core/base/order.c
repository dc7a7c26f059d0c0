/* order.c - comparing BSON values as the server does. Reads borrowed values, owns nothing. */
#include "base/order.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits of a double written out in full, and of a Decimal128, fit in here. */
#define DIGITS_MAX 800

/* sign * 0.DIGITS * 10^point; no leading or trailing zeros; zero has no digits. */
struct number {
    int sign;
    int special; /* -2 NaN, -1 and 1 the infinities, 0 a number */
    int count;
    long point;
    char digits[DIGITS_MAX];
};

static int rank(const bson_iter_t *iter)
{
    switch (bson_iter_type(iter)) {
    case BSON_TYPE_MINKEY:
        return 0;
    case BSON_TYPE_UNDEFINED:
        return 1;
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DECIMAL128:
        return 3;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
        return 4;
    case BSON_TYPE_DOCUMENT:
        return 5;
    case BSON_TYPE_ARRAY:
        return 6;
    case BSON_TYPE_BINARY:
        return 7;
    case BSON_TYPE_OID:
        return 8;
    case BSON_TYPE_BOOL:
        return 9;
    case BSON_TYPE_DATE_TIME:
        return 10;
    case BSON_TYPE_TIMESTAMP:
        return 11;
    case BSON_TYPE_REGEX:
        return 12;
    case BSON_TYPE_DBPOINTER:
        return 13;
    case BSON_TYPE_CODE:
        return 14;
    case BSON_TYPE_CODEWSCOPE:
        return 15;
    case BSON_TYPE_MAXKEY:
        return 16;
    default:
        return 2; /* null */
    }
}

static int sign_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_bytes(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    size_t least = a_bytes < b_bytes ? a_bytes : b_bytes;
    int order = least ? memcmp(a, b, least) : 0;
    return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

/* Reads "-12.5E+3" of libc or libbson into digits and point. */
static void parse_number(const char *text, struct number *n)
{
    memset(n, 0, offsetof(struct number, digits));
    n->sign = *text == '-' ? -1 : 1;
    text += *text == '-';
    if (*text == 'N' || *text == 'n') n->special = -2;
    if (*text == 'I' || *text == 'i') n->special = n->sign;
    if (n->special) return;
    bool fraction = false;
    for (; *text && *text != 'E' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9') {
            fraction = true;
            continue;
        }
        if (!fraction && (n->count || *text != '0')) n->point++;
        if (fraction && !n->count && *text == '0') n->point--;
        if ((n->count || *text != '0') && n->count < DIGITS_MAX) n->digits[n->count++] = *text;
    }
    if (*text) n->point += strtol(text + 1, NULL, 10);
    while (n->count && n->digits[n->count - 1] == '0') n->count--;
    if (!n->count) n->point = 0;
}

static void load_number(const bson_iter_t *iter, struct number *n)
{
    char text[DIGITS_MAX + 32];
    if (BSON_ITER_HOLDS_DECIMAL128(iter)) {
        bson_decimal128_t value;
        bson_iter_decimal128(iter, &value);
        bson_decimal128_to_string(&value, text);
    } else if (BSON_ITER_HOLDS_DOUBLE(iter)) {
        snprintf(text, sizeof text, "%.*e", DIGITS_MAX - 20, bson_iter_double(iter)); /* exact */
        if (isnan(bson_iter_double(iter))) memcpy(text, "NaN", 4);
    } else {
        snprintf(text, sizeof text, "%lld", (long long)bson_iter_as_int64(iter));
    }
    parse_number(text, n);
}

static int compare_decimals(const bson_iter_t *a, const bson_iter_t *b)
{
    struct number x, y;
    load_number(a, &x);
    load_number(b, &y);
    if (x.special || y.special) {
        /* NaN, -infinity, numbers, infinity */
        return sign_of(x.special, y.special);
    }
    if (!x.count || !y.count) return (x.count ? x.sign : 0) - (y.count ? y.sign : 0);
    if (x.sign != y.sign) return x.sign;
    int order = x.point != y.point ? sign_of(x.point, y.point)
                                   : compare_bytes(x.digits, (size_t)x.count, y.digits, (size_t)y.count);
    return x.sign * order;
}

/* Exact, also where the integer has more digits than a double. */
static int compare_int_double(int64_t i, double d)
{
    if (isnan(d)) return 1;
    if (d >= 9223372036854775808.0) return -1;
    if (d < -9223372036854775808.0) return 1;
    double whole = trunc(d);
    int order = sign_of(i, (int64_t)whole);
    return order ? order : (whole > d) - (whole < d);
}

static int compare_doubles(double a, double b)
{
    if (isnan(a) || isnan(b)) return !isnan(a) - !isnan(b);
    return (a > b) - (a < b);
}

static int compare_numbers(const bson_iter_t *a, const bson_iter_t *b)
{
    if (BSON_ITER_HOLDS_DECIMAL128(a) || BSON_ITER_HOLDS_DECIMAL128(b)) return compare_decimals(a, b);
    bool x = BSON_ITER_HOLDS_DOUBLE(a), y = BSON_ITER_HOLDS_DOUBLE(b);
    if (x && y) return compare_doubles(bson_iter_double(a), bson_iter_double(b));
    if (x) return -compare_int_double(bson_iter_as_int64(b), bson_iter_double(a));
    if (y) return compare_int_double(bson_iter_as_int64(a), bson_iter_double(b));
    return sign_of(bson_iter_as_int64(a), bson_iter_as_int64(b));
}

static const char *text_of(const bson_iter_t *iter, uint32_t *bytes)
{
    const char *text = BSON_ITER_HOLDS_UTF8(iter)     ? bson_iter_utf8(iter, bytes)
                       : BSON_ITER_HOLDS_SYMBOL(iter) ? bson_iter_symbol(iter, bytes)
                                                      : bson_iter_code(iter, bytes);
    if (!text) *bytes = 0;
    return text;
}

static int compare_texts(const bson_iter_t *a, const bson_iter_t *b)
{
    uint32_t x_bytes = 0, y_bytes = 0;
    const char *x = text_of(a, &x_bytes), *y = text_of(b, &y_bytes);
    return compare_bytes(x, x_bytes, y, y_bytes);
}

/* Members in their order: by type, then by name (in objects), then by value. */
static int compare_members(bson_iter_t *x, bson_iter_t *y, bool names)
{
    for (;;) {
        bool more_x = bson_iter_next(x), more_y = bson_iter_next(y);
        if (!more_x || !more_y) return more_x - more_y;
        int order = rank(x) - rank(y);
        if (!order && names) order = strcmp(bson_iter_key(x), bson_iter_key(y));
        if (!order) order = order_compare(x, y);
        if (order) return order;
    }
}

static int compare_nested(const bson_iter_t *a, const bson_iter_t *b)
{
    bson_iter_t x, y;
    bool ok_x = bson_iter_recurse(a, &x), ok_y = bson_iter_recurse(b, &y);
    if (!ok_x || !ok_y) return ok_x - ok_y;
    return compare_members(&x, &y, BSON_ITER_HOLDS_DOCUMENT(a));
}

/* Length, then subtype, then bytes. The old subtype 2 counts its inner length word. */
static int compare_binaries(const bson_iter_t *a, const bson_iter_t *b)
{
    bson_subtype_t x_type, y_type;
    uint32_t x_bytes = 0, y_bytes = 0;
    const uint8_t *x = NULL, *y = NULL;
    bson_iter_binary(a, &x_type, &x_bytes, &x);
    bson_iter_binary(b, &y_type, &y_bytes, &y);
    int64_t x_size = (int64_t)x_bytes + (x_type == BSON_SUBTYPE_BINARY_DEPRECATED ? 4 : 0);
    int64_t y_size = (int64_t)y_bytes + (y_type == BSON_SUBTYPE_BINARY_DEPRECATED ? 4 : 0);
    if (x_size != y_size) return sign_of(x_size, y_size);
    if (x_type != y_type) return (int)x_type - (int)y_type;
    return compare_bytes(x, x_bytes, y, y_bytes);
}

static int compare_timestamps(const bson_iter_t *a, const bson_iter_t *b)
{
    uint32_t x_t = 0, x_i = 0, y_t = 0, y_i = 0;
    bson_iter_timestamp(a, &x_t, &x_i);
    bson_iter_timestamp(b, &y_t, &y_i);
    return x_t != y_t ? sign_of(x_t, y_t) : sign_of(x_i, y_i);
}

static int compare_regexes(const bson_iter_t *a, const bson_iter_t *b)
{
    const char *x_options = "", *y_options = "";
    const char *x = bson_iter_regex(a, &x_options), *y = bson_iter_regex(b, &y_options);
    int order = strcmp(x ? x : "", y ? y : "");
    return order ? order : strcmp(x_options, y_options);
}

static int compare_dbpointers(const bson_iter_t *a, const bson_iter_t *b)
{
    uint32_t x_bytes = 0, y_bytes = 0;
    const char *x = NULL, *y = NULL;
    const bson_oid_t *x_oid = NULL, *y_oid = NULL;
    bson_iter_dbpointer(a, &x_bytes, &x, &x_oid);
    bson_iter_dbpointer(b, &y_bytes, &y, &y_oid);
    if (x_bytes != y_bytes) return sign_of(x_bytes, y_bytes);
    int order = compare_bytes(x, x_bytes, y, y_bytes);
    return order || !x_oid || !y_oid ? order : bson_oid_compare(x_oid, y_oid);
}

static int compare_scoped(const bson_iter_t *a, const bson_iter_t *b)
{
    uint32_t x_bytes = 0, y_bytes = 0, x_scope_bytes = 0, y_scope_bytes = 0;
    const uint8_t *x_scope = NULL, *y_scope = NULL;
    const char *x = bson_iter_codewscope(a, &x_bytes, &x_scope_bytes, &x_scope);
    const char *y = bson_iter_codewscope(b, &y_bytes, &y_scope_bytes, &y_scope);
    int order = compare_bytes(x, x_bytes, y, y_bytes);
    bson_iter_t x_iter, y_iter;
    if (order || !bson_iter_init_from_data(&x_iter, x_scope, x_scope_bytes) ||
        !bson_iter_init_from_data(&y_iter, y_scope, y_scope_bytes))
        return order;
    return compare_members(&x_iter, &y_iter, true);
}

int order_compare(const bson_iter_t *a, const bson_iter_t *b)
{
    int order = rank(a) - rank(b);
    if (order) return order;
    switch (bson_iter_type(a)) {
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DECIMAL128:
        return compare_numbers(a, b);
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
    case BSON_TYPE_CODE:
        return compare_texts(a, b);
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        return compare_nested(a, b);
    case BSON_TYPE_BINARY:
        return compare_binaries(a, b);
    case BSON_TYPE_OID:
        return bson_oid_compare(bson_iter_oid(a), bson_iter_oid(b));
    case BSON_TYPE_BOOL:
        return (int)bson_iter_bool(a) - (int)bson_iter_bool(b);
    case BSON_TYPE_DATE_TIME:
        return sign_of(bson_iter_date_time(a), bson_iter_date_time(b));
    case BSON_TYPE_TIMESTAMP:
        return compare_timestamps(a, b);
    case BSON_TYPE_REGEX:
        return compare_regexes(a, b);
    case BSON_TYPE_DBPOINTER:
        return compare_dbpointers(a, b);
    case BSON_TYPE_CODEWSCOPE:
        return compare_scoped(a, b);
    default:
        return 0;
    }
}
