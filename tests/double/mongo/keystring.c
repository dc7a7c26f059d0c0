/* keystring.c - order-preserving encoding of values. Pure; owns nothing but the buffer it is given. */
#include "keystring.h"
#include "collation.h"

#include <math.h>
#include <stdlib.h>

enum {
    KS_MINKEY = 10,
    KS_NUMERIC = 30, /* the type byte of a number inside an object, and NaN */
    KS_NEG_LARGE = 31,
    KS_NEG_8 = 32,
    KS_NEG_1 = 39,
    KS_NEG_SMALL = 40,
    KS_POS_SMALL = 42,
    KS_POS_1 = 43,
    KS_POS_8 = 50,
    KS_POS_LARGE = 51,
    KS_REGEX = 140,
    KS_DBREF = 150,
    KS_CODE = 160,
    KS_CODE_SCOPE = 170,
    KS_MAXKEY = 240
};

void kbuf_init(struct kbuf *k)
{
    k->p = NULL;
    k->n = k->cap = 0;
}

void kbuf_fini(struct kbuf *k)
{
    free(k->p);
    kbuf_init(k);
}

void kbuf_raw(struct kbuf *k, const void *data, size_t bytes)
{
    if (k->n + bytes > k->cap) {
        size_t cap = k->cap ? k->cap * 2 : 64;
        while (cap < k->n + bytes) cap *= 2;
        k->p = xrealloc(k->p, cap);
        k->cap = cap;
    }
    if (bytes) memcpy(k->p + k->n, data, bytes);
    k->n += bytes;
}

static void byte(struct kbuf *k, int b)
{
    uint8_t c = (uint8_t)b;
    kbuf_raw(k, &c, 1);
}

void keystring_u64(struct kbuf *k, uint64_t n)
{
    uint8_t b[8];
    for (int i = 0; i < 8; i++) b[i] = (uint8_t)(n >> (56 - 8 * i));
    kbuf_raw(k, b, 8);
}

/* The magnitude, shifted left by one with the lowest bit saying that a fraction follows. */
static void put_shifted(struct kbuf *k, uint64_t shifted, bool negative)
{
    int bytes = 1;
    while (bytes < 8 && shifted >> (8 * bytes)) bytes++;
    byte(k, negative ? KS_NEG_1 - (bytes - 1) : KS_POS_1 + (bytes - 1));
    for (int i = bytes - 1; i >= 0; i--) {
        uint8_t b = (uint8_t)(shifted >> (8 * i));
        byte(k, negative ? (uint8_t)~b : b);
    }
}

static void put_integer(struct kbuf *k, int64_t n)
{
    if (n == 0) {
        byte(k, KS_ZERO);
    } else if (n == INT64_MIN) {
        byte(k, KS_NEG_LARGE);
        keystring_u64(k, ~(uint64_t)0x43E0000000000000); /* -2^63 as a double */
        keystring_u64(k, ~(uint64_t)0);
    } else {
        put_shifted(k, (uint64_t)(n < 0 ? -n : n) << 1, n < 0);
    }
}

static uint64_t bits_of(double d)
{
    uint64_t b;
    memcpy(&b, &d, 8);
    return b;
}

static void put_real(struct kbuf *k, long double d)
{
    if (isnan(d)) {
        byte(k, KS_NUMERIC);
        return;
    }
    bool negative = d < 0;
    long double m = negative ? -d : d;
    if (m < 9223372036854775808.0L && (long double)(int64_t)m == m) {
        put_integer(k, (int64_t)d);
        return;
    }
    uint64_t head, tail = 0;
    if (m >= 9223372036854775808.0L || m < 1) {
        byte(k, m < 1 ? (negative ? KS_NEG_SMALL : KS_POS_SMALL) : (negative ? KS_NEG_LARGE : KS_POS_LARGE));
        /* as a double rounded down, and what is left of a wider number */
        double low = (double)m;
        if ((long double)low > m) low = nextafter(low, 0);
        head = bits_of(low);
        long double rest = isinf(m) ? 0 : (m - (long double)low);
        tail = bits_of((double)rest);
    } else {
        put_shifted(k, (uint64_t)m << 1 | 1, negative);
        long double fraction = (m - (long double)(uint64_t)m) * 18446744073709551616.0L;
        head = (uint64_t)fraction;
    }
    keystring_u64(k, negative ? ~head : head);
    keystring_u64(k, negative ? ~tail : tail);
}

static void put_text(struct kbuf *k, const char *text, size_t bytes)
{
    static const uint8_t escaped[2] = {0, 0xFF};
    while (bytes) {
        const char *nul = memchr(text, 0, bytes);
        size_t piece = nul ? (size_t)(nul - text) : bytes;
        kbuf_raw(k, text, piece);
        if (!nul) break;
        kbuf_raw(k, escaped, 2);
        text += piece + 1;
        bytes -= piece + 1;
    }
    byte(k, 0);
}

/* By the collation in force. */
static void put_string(struct kbuf *k, struct val v)
{
    struct kbuf key;
    if (!collation_used()) {
        put_text(k, val_str(v), val_strlen(v));
        return;
    }
    kbuf_init(&key);
    collation_key(&key, val_str(v), val_strlen(v));
    put_text(k, (const char *)key.p, key.n);
    kbuf_fini(&key);
}

static int generic_type(uint8_t t)
{
    switch (val_canonical(t)) {
    case -1:
        return KS_MINKEY;
    case 0:
        return KS_UNDEFINED;
    case 5:
        return KS_NULL;
    case 10:
        return KS_NUMERIC;
    case 15:
        return KS_STRING;
    case 20:
        return KS_OBJECT;
    case 25:
        return KS_ARRAY;
    case 30:
        return KS_BINARY;
    case 35:
        return KS_OID;
    case 40:
        return KS_FALSE;
    case 45:
        return KS_DATE;
    case 47:
        return KS_TIMESTAMP;
    case 50:
        return KS_REGEX;
    case 55:
        return KS_DBREF;
    case 60:
        return KS_CODE;
    case 65:
        return KS_CODE_SCOPE;
    default:
        return KS_MAXKEY;
    }
}

static void put_value(struct kbuf *k, struct val v);

static void put_container(struct kbuf *k, struct val v)
{
    struct iter it;
    for (iter_init(&it, v); iter_next(&it);) {
        if (val_is_doc(v)) {
            byte(k, generic_type(it.v.t));
            kbuf_raw(k, it.key, it.keylen + 1);
        }
        put_value(k, it.v);
    }
    byte(k, 0);
}

static void put_binary(struct kbuf *k, struct val v)
{
    uint32_t bytes = rd32(v.p);
    if (bytes < 0xFF) {
        byte(k, (int)bytes);
    } else {
        byte(k, 0xFF);
        for (int i = 3; i >= 0; i--) byte(k, (uint8_t)(bytes >> (8 * i)));
    }
    kbuf_raw(k, v.p + 4, bytes + 1);
}

static void put_value(struct kbuf *k, struct val v)
{
    switch (v.t) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        put_integer(k, val_int(v));
        return;
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DECIMAL128:
        put_real(k, val_ldouble(v));
        return;
    case BSON_TYPE_BOOL:
        byte(k, v.p[0] ? KS_TRUE : KS_FALSE);
        return;
    default:
        break;
    }
    byte(k, generic_type(v.t));
    switch (v.t) {
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
        put_string(k, v);
        break;
    case BSON_TYPE_CODE:
        put_text(k, val_str(v), val_strlen(v));
        break;
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        put_container(k, v);
        break;
    case BSON_TYPE_BINARY:
        put_binary(k, v);
        break;
    case BSON_TYPE_OID:
        kbuf_raw(k, v.p, 12);
        break;
    case BSON_TYPE_DATE_TIME:
        keystring_u64(k, rd64(v.p) ^ (uint64_t)1 << 63);
        break;
    case BSON_TYPE_TIMESTAMP:
        keystring_u64(k, rd64(v.p));
        break;
    case BSON_TYPE_REGEX:
    case BSON_TYPE_DBPOINTER:
    case BSON_TYPE_CODEWSCOPE:
        put_text(k, (const char *)v.p, v.n);
        break;
    default:
        break;
    }
}

void keystring_put(struct kbuf *k, struct val v, bool descending)
{
    size_t from = k->n;
    put_value(k, v);
    if (descending)
        for (size_t i = from; i < k->n; i++) k->p[i] = (uint8_t)~k->p[i];
}
