/* bwrite.c - the BSON writer. Owns its bytes unless a pool does. */
#include "bval.h"

#include <stdlib.h>

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
