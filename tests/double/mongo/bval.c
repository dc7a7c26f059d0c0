/*
 * bval.c - BSON views, pool and writer. Owns no document; knows nothing of commands or storage.
 * Comparison follows the server's BSON comparison order.
 */
#include "bval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct pool_chunk {
    struct pool_chunk *next;
    size_t used, cap;
    max_align_t data[];
};

struct pool_defer {
    struct pool_defer *next;
    void (*fn)(void *);
    void *p;
};

static void out_of_memory(void)
{
    fputs("mongod stand-in: out of memory\n", stderr);
    exit(70);
}

void *xmalloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    if (!p) out_of_memory();
    return p;
}

void *xcalloc(size_t count, size_t bytes)
{
    void *p = calloc(count ? count : 1, bytes ? bytes : 1);
    if (!p) out_of_memory();
    return p;
}

void *xrealloc(void *old, size_t bytes)
{
    void *p = realloc(old, bytes ? bytes : 1);
    if (!p) out_of_memory();
    return p;
}

void *pool_alloc(struct pool *a, size_t bytes)
{
    size_t need = (bytes + 15) & ~(size_t)15;
    struct pool_chunk *c = a->head;
    if (!c || c->cap - c->used < need) {
        size_t cap = need > 16384 ? need : 16384;
        c = xmalloc(sizeof *c + cap);
        c->next = a->head;
        c->used = 0;
        c->cap = cap;
        a->head = c;
        a->bytes += cap;
    }
    void *p = (uint8_t *)c->data + c->used;
    c->used += need;
    return p;
}

void *pool_copy(struct pool *a, const void *data, size_t bytes)
{
    void *p = pool_alloc(a, bytes ? bytes : 1);
    if (bytes) memcpy(p, data, bytes);
    return p;
}

char *pool_strndup(struct pool *a, const char *text, size_t bytes)
{
    char *p = pool_alloc(a, bytes + 1);
    memcpy(p, text, bytes);
    p[bytes] = 0;
    return p;
}

void pool_defer(struct pool *a, void (*fn)(void *), void *p)
{
    struct pool_defer *d = pool_alloc(a, sizeof *d);
    d->next = a->deferred;
    d->fn = fn;
    d->p = p;
    a->deferred = d;
}

static void run_deferred(struct pool *a)
{
    for (struct pool_defer *d = a->deferred; d; d = d->next) d->fn(d->p);
    a->deferred = NULL;
}

void pool_reset(struct pool *a)
{
    run_deferred(a);
    struct pool_chunk *keep = NULL;
    while (a->head) {
        struct pool_chunk *next = a->head->next;
        if (!keep && a->head->cap <= 65536) {
            keep = a->head;
        } else {
            a->bytes -= a->head->cap;
            free(a->head);
        }
        a->head = next;
    }
    a->head = keep;
    if (keep) keep->next = NULL, keep->used = 0;
}

void pool_fini(struct pool *a)
{
    run_deferred(a);
    while (a->head) {
        struct pool_chunk *next = a->head->next;
        free(a->head);
        a->head = next;
    }
    a->bytes = 0;
}

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

/* ---- writer ---- */

static void reserve(struct bw *w, size_t more)
{
    if (w->n + more <= w->cap) return;
    size_t cap = w->cap ? w->cap * 2 : 256;
    while (cap < w->n + more) cap *= 2;
    if (w->pool) {
        uint8_t *p = pool_alloc(w->pool, cap);
        if (w->n) memcpy(p, w->p, w->n);
        w->p = p;
    } else {
        w->p = xrealloc(w->p, cap);
    }
    w->cap = cap;
}

void bw_raw(struct bw *w, const void *data, size_t bytes)
{
    if (!bytes) return;
    reserve(w, bytes);
    memcpy(w->p + w->n, data, bytes);
    w->n += bytes;
}

static void open_level(struct bw *w)
{
    static const uint8_t zero[4];
    w->open[w->depth++] = (uint32_t)w->n;
    bw_raw(w, zero, 4);
}

void bw_init(struct bw *w, struct pool *a)
{
    w->pool = a;
    w->p = NULL;
    w->n = w->cap = 0;
    w->depth = 0;
    open_level(w);
}

void bw_end(struct bw *w)
{
    reserve(w, 1);
    w->p[w->n++] = 0;
    uint32_t at = w->open[--w->depth];
    wr32(w->p + at, (uint32_t)w->n - at);
}

struct val bw_done(struct bw *w)
{
    while (w->depth) bw_end(w);
    return val_doc(w->p);
}

void bw_fini(struct bw *w)
{
    if (!w->pool) free(w->p);
    w->p = NULL;
    w->n = w->cap = 0;
}

static void put_key(struct bw *w, uint8_t t, const char *key, size_t keylen)
{
    reserve(w, keylen + 2);
    w->p[w->n++] = t;
    memcpy(w->p + w->n, key, keylen);
    w->n += keylen;
    w->p[w->n++] = 0;
}

void bw_putn(struct bw *w, const char *key, size_t keylen, struct val v)
{
    if (v.t == BSON_TYPE_EOD) return;
    put_key(w, v.t, key, keylen);
    bw_raw(w, v.p, v.n);
}

void bw_put(struct bw *w, const char *key, struct val v)
{
    bw_putn(w, key, strlen(key), v);
}

const char *index_key(char *buf, size_t index, size_t *len)
{
    size_t at = 11;
    buf[at] = 0;
    do {
        buf[--at] = (char)('0' + index % 10);
        index /= 10;
    } while (index && at);
    *len = 11 - at;
    return buf + at;
}

void bw_puti(struct bw *w, size_t index, struct val v)
{
    char buf[12];
    size_t len;
    const char *key = index_key(buf, index, &len);
    bw_putn(w, key, len, v);
}

void bw_docn(struct bw *w, const char *key, size_t keylen)
{
    put_key(w, BSON_TYPE_DOCUMENT, key, keylen);
    open_level(w);
}

void bw_doc(struct bw *w, const char *key)
{
    bw_docn(w, key, strlen(key));
}

void bw_arrn(struct bw *w, const char *key, size_t keylen)
{
    put_key(w, BSON_TYPE_ARRAY, key, keylen);
    open_level(w);
}

void bw_arr(struct bw *w, const char *key)
{
    bw_arrn(w, key, strlen(key));
}

static void put64(struct bw *w, uint8_t t, const char *key, uint64_t bits)
{
    uint8_t b[8];
    wr64(b, bits);
    put_key(w, t, key, strlen(key));
    bw_raw(w, b, 8);
}

void bw_i32(struct bw *w, const char *key, int32_t v)
{
    uint8_t b[4];
    wr32(b, (uint32_t)v);
    put_key(w, BSON_TYPE_INT32, key, strlen(key));
    bw_raw(w, b, 4);
}

void bw_i64(struct bw *w, const char *key, int64_t v)
{
    put64(w, BSON_TYPE_INT64, key, (uint64_t)v);
}

void bw_int(struct bw *w, const char *key, int64_t v)
{
    if (v >= INT32_MIN && v <= INT32_MAX) {
        bw_i32(w, key, (int32_t)v);
    } else {
        bw_i64(w, key, v);
    }
}

void bw_f64(struct bw *w, const char *key, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    put64(w, BSON_TYPE_DOUBLE, key, bits);
}

void bw_bool(struct bw *w, const char *key, bool v)
{
    bw_put(w, key, val_bool(v));
}

void bw_null(struct bw *w, const char *key)
{
    bw_put(w, key, val_null());
}

void bw_strn(struct bw *w, const char *key, const char *text, size_t bytes)
{
    uint8_t b[4];
    wr32(b, (uint32_t)bytes + 1);
    put_key(w, BSON_TYPE_UTF8, key, strlen(key));
    bw_raw(w, b, 4);
    bw_raw(w, text, bytes);
    bw_raw(w, "", 1);
}

void bw_str(struct bw *w, const char *key, const char *text)
{
    bw_strn(w, key, text, strlen(text));
}

void bw_oid(struct bw *w, const char *key, const uint8_t oid[12])
{
    put_key(w, BSON_TYPE_OID, key, strlen(key));
    bw_raw(w, oid, 12);
}

void bw_date(struct bw *w, const char *key, int64_t ms)
{
    put64(w, BSON_TYPE_DATE_TIME, key, (uint64_t)ms);
}

void bw_ts(struct bw *w, const char *key, uint64_t ts)
{
    put64(w, BSON_TYPE_TIMESTAMP, key, ts);
}

void bw_bin(struct bw *w, const char *key, uint8_t subtype, const void *data, uint32_t bytes)
{
    uint8_t b[5];
    wr32(b, bytes);
    b[4] = subtype;
    put_key(w, BSON_TYPE_BINARY, key, strlen(key));
    bw_raw(w, b, 5);
    bw_raw(w, data, bytes);
}

void bw_merge(struct bw *w, struct val doc)
{
    if (doc.n > 5) bw_raw(w, doc.p + 4, doc.n - 5);
}
