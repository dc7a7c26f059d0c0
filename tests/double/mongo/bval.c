/*
 * bval.c - reading BSON. Owns no document; knows nothing of commands or storage.
 * Comparison follows the server's BSON comparison order.
 */
#include "bval.h"
#include "collation.h"

#include <math.h>
#include <stdlib.h>

/* libbson's iterator checks every length and terminator of what it steps over; it is entered for each level.
 */
static bool validate_level(bson_iter_t *it, int depth)
{
    if (depth > BVAL_MAX_DEPTH) return false;
    while (bson_iter_next(it)) {
        bson_type_t t = bson_iter_type(it);
        if (t == BSON_TYPE_DOCUMENT || t == BSON_TYPE_ARRAY) {
            bson_iter_t child;
            if (!bson_iter_recurse(it, &child) || !validate_level(&child, depth + 1)) return false;
        } else if (t == BSON_TYPE_CODEWSCOPE) {
            uint32_t len = 0, scope_len = 0;
            const uint8_t *scope = NULL;
            if (!bson_iter_codewscope(it, &len, &scope_len, &scope) || !bval_validate(scope, scope_len))
                return false;
        } else if (t == BSON_TYPE_EOD) {
            return false;
        }
    }
    return it->err_off == 0;
}

bool bval_validate(const uint8_t *p, size_t bytes)
{
    if (bytes < 5 || rd32(p) != bytes || p[bytes - 1] != 0) return false;
    bson_t b;
    bson_iter_t it;
    if (!bson_init_static(&b, p, bytes) || !bson_iter_init(&it, &b)) return false;
    return validate_level(&it, 1);
}

struct val val_doc(const uint8_t *p)
{
    return (struct val){p, rd32(p), BSON_TYPE_DOCUMENT};
}

struct val val_empty_doc(void)
{
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};
    return val_doc(empty);
}

struct val val_null(void)
{
    static const uint8_t nothing;
    return (struct val){&nothing, 0, BSON_TYPE_NULL};
}

struct val val_bool(bool b)
{
    static const uint8_t bools[2] = {0, 1};
    return (struct val){&bools[b], 1, BSON_TYPE_BOOL};
}

/* How many bytes the value of type `t` at `p` takes; the bytes are known to be valid. */
static uint32_t val_bytes(uint8_t t, const uint8_t *p)
{
    switch (t) {
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DATE_TIME:
    case BSON_TYPE_TIMESTAMP:
    case BSON_TYPE_INT64:
        return 8;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_CODE:
    case BSON_TYPE_SYMBOL:
        return 4 + rd32(p);
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
    case BSON_TYPE_CODEWSCOPE:
        return rd32(p);
    case BSON_TYPE_BINARY:
        return 5 + rd32(p);
    case BSON_TYPE_OID:
        return 12;
    case BSON_TYPE_BOOL:
        return 1;
    case BSON_TYPE_INT32:
        return 4;
    case BSON_TYPE_DECIMAL128:
        return 16;
    case BSON_TYPE_DBPOINTER:
        return 4 + rd32(p) + 12;
    case BSON_TYPE_REGEX: {
        uint32_t a = (uint32_t)strlen((const char *)p) + 1;
        return a + (uint32_t)strlen((const char *)p + a) + 1;
    }
    default:
        return 0;
    }
}

void iter_init(struct iter *it, struct val v)
{
    memset(it, 0, sizeof *it);
    if (v.t != BSON_TYPE_DOCUMENT && v.t != BSON_TYPE_ARRAY) return;
    it->p = v.p + 4;
    it->end = v.p + v.n - 1;
}

bool iter_next(struct iter *it)
{
    if (it->p >= it->end) return false;
    uint8_t t = *it->p;
    it->key = (const char *)it->p + 1;
    it->keylen = (uint32_t)strlen(it->key);
    const uint8_t *data = it->p + 2 + it->keylen;
    it->v = (struct val){data, val_bytes(t, data), t};
    it->p = data + it->v.n;
    return true;
}

struct val doc_getn(struct val doc, const char *name, size_t len)
{
    struct iter it;
    iter_init(&it, doc);
    while (iter_next(&it))
        if (it.keylen == len && memcmp(it.key, name, len) == 0) return it.v;
    return VAL_NONE;
}

struct val doc_get(struct val doc, const char *name)
{
    return doc_getn(doc, name, strlen(name));
}

struct val doc_path(struct val doc, const char *path)
{
    struct val v = doc;
    while (path && val_is_doc(v)) {
        const char *dot = strchr(path, '.');
        v = doc_getn(v, path, dot ? (size_t)(dot - path) : strlen(path));
        path = dot ? dot + 1 : NULL;
        if (!path) return v;
    }
    return VAL_NONE;
}

bool doc_is_empty(struct val doc)
{
    return doc.n <= 5;
}

size_t doc_count(struct val doc)
{
    size_t n = 0;
    struct iter it;
    for (iter_init(&it, doc); iter_next(&it);) n++;
    return n;
}

struct val arr_get(struct val arr, size_t index)
{
    struct iter it;
    for (iter_init(&it, arr); iter_next(&it);)
        if (index-- == 0) return it.v;
    return VAL_NONE;
}

bool val_str_is(struct val v, const char *text)
{
    return val_is_str(v) && val_strlen(v) == strlen(text) && memcmp(val_str(v), text, val_strlen(v)) == 0;
}

static double raw_double(struct val v)
{
    uint64_t bits = rd64(v.p);
    double d;
    memcpy(&d, &bits, 8);
    return d;
}

long double val_ldouble(struct val v)
{
    switch (v.t) {
    case BSON_TYPE_INT32:
        return (long double)(int32_t)rd32(v.p);
    case BSON_TYPE_INT64:
        return (long double)(int64_t)rd64(v.p);
    case BSON_TYPE_DOUBLE:
        return (long double)raw_double(v);
    case BSON_TYPE_DECIMAL128: {
        bson_decimal128_t d = {.low = rd64(v.p), .high = rd64(v.p + 8)};
        char text[BSON_DECIMAL128_STRING];
        bson_decimal128_to_string(&d, text);
        return strtold(text, NULL);
    }
    default:
        return (long double)NAN;
    }
}

double val_double(struct val v)
{
    return v.t == BSON_TYPE_DOUBLE ? raw_double(v) : (double)val_ldouble(v);
}

int64_t val_int(struct val v)
{
    switch (v.t) {
    case BSON_TYPE_INT32:
        return (int32_t)rd32(v.p);
    case BSON_TYPE_INT64:
        return (int64_t)rd64(v.p);
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DECIMAL128: {
        long double d = val_ldouble(v);
        if (isnan(d)) return 0;
        if (d >= 9223372036854775807.0L) return INT64_MAX;
        if (d <= -9223372036854775808.0L) return INT64_MIN;
        return (int64_t)d;
    }
    default:
        return 0;
    }
}

bool val_is_integral(struct val v)
{
    if (v.t == BSON_TYPE_INT32 || v.t == BSON_TYPE_INT64) return true;
    if (!val_is_num(v)) return false;
    long double d = val_ldouble(v);
    return d >= -9223372036854775808.0L && d < 9223372036854775808.0L && (long double)(int64_t)d == d;
}

bool val_truthy(struct val v)
{
    if (v.t == BSON_TYPE_BOOL) return v.p[0] != 0;
    if (val_is_num(v)) return val_ldouble(v) != 0.0L;
    return !val_nullish(v);
}

bool val_same_bytes(struct val a, struct val b)
{
    return a.t == b.t && a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int val_canonical(uint8_t type)
{
    switch (type) {
    case BSON_TYPE_MINKEY:
        return -1;
    case BSON_TYPE_EOD:
    case BSON_TYPE_UNDEFINED:
        return 0;
    case BSON_TYPE_NULL:
        return 5;
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DECIMAL128:
        return 10;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
        return 15;
    case BSON_TYPE_DOCUMENT:
        return 20;
    case BSON_TYPE_ARRAY:
        return 25;
    case BSON_TYPE_BINARY:
        return 30;
    case BSON_TYPE_OID:
        return 35;
    case BSON_TYPE_BOOL:
        return 40;
    case BSON_TYPE_DATE_TIME:
        return 45;
    case BSON_TYPE_TIMESTAMP:
        return 47;
    case BSON_TYPE_REGEX:
        return 50;
    case BSON_TYPE_DBPOINTER:
        return 55;
    case BSON_TYPE_CODE:
        return 60;
    case BSON_TYPE_CODEWSCOPE:
        return 65;
    default:
        return 127;
    }
}

static int cmp_bytes(const void *a, size_t an, const void *b, size_t bn)
{
    int c = memcmp(a, b, an < bn ? an : bn);
    return c ? c : (an > bn) - (an < bn);
}

static int cmp_numbers(struct val a, struct val b)
{
    if ((a.t == BSON_TYPE_INT32 || a.t == BSON_TYPE_INT64) &&
        (b.t == BSON_TYPE_INT32 || b.t == BSON_TYPE_INT64)) {
        int64_t x = val_int(a), y = val_int(b);
        return (x > y) - (x < y);
    }
    /* 64 bits of mantissa hold every long exactly */
    long double x = val_ldouble(a), y = val_ldouble(b);
    if (isnan(x) || isnan(y)) return isnan(y) - isnan(x) == 0 ? 0 : (isnan(x) ? -1 : 1);
    return (x > y) - (x < y);
}

static int cmp_containers(struct val a, struct val b, bool names)
{
    struct iter x, y;
    iter_init(&x, a);
    iter_init(&y, b);
    for (;;) {
        bool more_x = iter_next(&x), more_y = iter_next(&y);
        if (!more_x || !more_y) return more_x - more_y;
        int c = val_canonical(x.v.t) - val_canonical(y.v.t);
        if (c) return c;
        if (names && (c = strcmp(x.key, y.key))) return c;
        if ((c = val_cmp(x.v, y.v))) return c;
    }
}

int val_cmp(struct val a, struct val b)
{
    int c = val_canonical(a.t) - val_canonical(b.t);
    if (c) return c;
    switch (a.t) {
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DECIMAL128:
        return cmp_numbers(a, b);
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
        if (collation_used()) return collation_compare(val_str(a), val_strlen(a), val_str(b), val_strlen(b));
        return cmp_bytes(val_str(a), val_strlen(a), val_str(b), val_strlen(b));
    case BSON_TYPE_CODE:
        return cmp_bytes(val_str(a), val_strlen(a), val_str(b), val_strlen(b));
    case BSON_TYPE_DOCUMENT:
        return cmp_containers(a, b, true);
    case BSON_TYPE_ARRAY:
        return cmp_containers(a, b, false);
    case BSON_TYPE_BINARY: {
        uint32_t x = rd32(a.p), y = rd32(b.p);
        if (x != y) return x < y ? -1 : 1;
        return memcmp(a.p + 4, b.p + 4, x + 1);
    }
    case BSON_TYPE_OID:
    case BSON_TYPE_BOOL:
        return memcmp(a.p, b.p, a.n);
    case BSON_TYPE_DATE_TIME: {
        int64_t x = val_i64raw(a), y = val_i64raw(b);
        return (x > y) - (x < y);
    }
    case BSON_TYPE_TIMESTAMP: {
        uint64_t x = rd64(a.p), y = rd64(b.p);
        return (x > y) - (x < y);
    }
    case BSON_TYPE_REGEX:
    case BSON_TYPE_DBPOINTER:
    case BSON_TYPE_CODEWSCOPE:
        return cmp_bytes(a.p, a.n, b.p, b.n);
    default:
        return 0;
    }
}

static const struct {
    uint8_t type;
    const char *name;
} type_names[] = {
    {BSON_TYPE_EOD, "missing"},         {BSON_TYPE_DOUBLE, "double"},
    {BSON_TYPE_UTF8, "string"},         {BSON_TYPE_DOCUMENT, "object"},
    {BSON_TYPE_ARRAY, "array"},         {BSON_TYPE_BINARY, "binData"},
    {BSON_TYPE_UNDEFINED, "undefined"}, {BSON_TYPE_OID, "objectId"},
    {BSON_TYPE_BOOL, "bool"},           {BSON_TYPE_DATE_TIME, "date"},
    {BSON_TYPE_NULL, "null"},           {BSON_TYPE_REGEX, "regex"},
    {BSON_TYPE_DBPOINTER, "dbPointer"}, {BSON_TYPE_CODE, "javascript"},
    {BSON_TYPE_SYMBOL, "symbol"},       {BSON_TYPE_CODEWSCOPE, "javascriptWithScope"},
    {BSON_TYPE_INT32, "int"},           {BSON_TYPE_TIMESTAMP, "timestamp"},
    {BSON_TYPE_INT64, "long"},          {BSON_TYPE_DECIMAL128, "decimal"},
    {BSON_TYPE_MAXKEY, "maxKey"},       {BSON_TYPE_MINKEY, "minKey"},
};

const char *val_type_name(uint8_t type)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (type_names[i].type == type) return type_names[i].name;
    return "unknown";
}

int val_type_parse(const char *name)
{
    for (size_t i = 1; i < sizeof type_names / sizeof *type_names; i++)
        if (strcmp(type_names[i].name, name) == 0) return type_names[i].type;
    return 0;
}

static struct val new_fixed(struct pool *a, uint8_t t, uint64_t bits, uint32_t n)
{
    uint8_t *p = pool_alloc(a, 8);
    wr64(p, bits);
    return (struct val){p, n, t};
}

struct val val_new_i32(struct pool *a, int32_t n)
{
    return new_fixed(a, BSON_TYPE_INT32, (uint64_t)(uint32_t)n, 4);
}

struct val val_new_i64(struct pool *a, int64_t n)
{
    return new_fixed(a, BSON_TYPE_INT64, (uint64_t)n, 8);
}

struct val val_new_int(struct pool *a, int64_t n)
{
    return n >= INT32_MIN && n <= INT32_MAX ? val_new_i32(a, (int32_t)n) : val_new_i64(a, n);
}

struct val val_new_double(struct pool *a, double d)
{
    uint64_t bits;
    memcpy(&bits, &d, 8);
    return new_fixed(a, BSON_TYPE_DOUBLE, bits, 8);
}

struct val val_new_date(struct pool *a, int64_t ms)
{
    return new_fixed(a, BSON_TYPE_DATE_TIME, (uint64_t)ms, 8);
}

struct val val_new_str(struct pool *a, const char *text, size_t bytes)
{
    uint8_t *p = pool_alloc(a, bytes + 5);
    wr32(p, (uint32_t)bytes + 1);
    if (bytes) memcpy(p + 4, text, bytes);
    p[4 + bytes] = 0;
    return (struct val){p, (uint32_t)bytes + 5, BSON_TYPE_UTF8};
}

struct val val_dup(struct pool *a, struct val v)
{
    if (v.n) v.p = pool_copy(a, v.p, v.n);
    return v;
}
