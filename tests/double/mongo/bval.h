/*
 * bval.h - BSON values as views into bytes, a pool, and a writer.
 *
 * Everything that comes from the wire is validated once (bval_validate) and from then on read through these
 * views, which trust it. A view never owns its bytes: they belong to a message, a record or a pool.
 * libbson's own iterator refuses strings that are not UTF-8 in places where the server takes them, and costs
 * a structure of 80 bytes for each field, which is why reading is done here; libbson validates the structure.
 */
#ifndef DOUBLE_MONGO_BVAL_H
#define DOUBLE_MONGO_BVAL_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BVAL_MAX_DEPTH 180               /* levels in a message; the server stops at 200 */
#define BVAL_MAX_PATH 200                /* parts of a dotted path */
#define BVAL_MAX_DOC_BYTES 16777216      /* what a stored document may measure */
#define BVAL_MAX_INTERNAL_BYTES 16793600 /* what any BSON object may measure inside the server */

/* Memory that is freed as a whole. Allocation never fails: out of memory ends the process. */
struct pool_chunk;
struct pool_defer;
struct pool {
    struct pool_chunk *head;
    struct pool_defer *deferred;
    size_t bytes;
};
void *pool_alloc(struct pool *a, size_t bytes);
void *pool_copy(struct pool *a, const void *data, size_t bytes);
char *pool_strndup(struct pool *a, const char *text, size_t bytes);
/* Calls `fn(p)` when the pool is reset or freed. */
void pool_defer(struct pool *a, void (*fn)(void *), void *p);
/* Forgets everything, keeps one chunk. */
void pool_reset(struct pool *a);
void pool_fini(struct pool *a);

/* malloc and friends that end the process when memory is out: there is no server without memory. */
void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes);
void *xrealloc(void *p, size_t bytes);

/* A value: its BSON type (BSON_TYPE_EOD: there is none) and its bytes as BSON stores them. */
struct val {
    const uint8_t *p;
    uint32_t n;
    uint8_t t;
};

#define VAL_NONE ((struct val){NULL, 0, BSON_TYPE_EOD})

struct iter {
    const uint8_t *p, *end;
    const char *key;
    uint32_t keylen;
    struct val v;
};

/* True if `bytes` bytes at `p` are one well-formed BSON document no deeper than BVAL_MAX_DEPTH. */
bool bval_validate(const uint8_t *p, size_t bytes);

/* The document that starts at `p`, which must be valid. */
struct val val_doc(const uint8_t *p);
/* An empty document and null, in static storage. */
struct val val_empty_doc(void);
struct val val_null(void);
struct val val_bool(bool b);

/* Goes over the fields of a document or array; over nothing if `v` is neither. */
void iter_init(struct iter *it, struct val v);
bool iter_next(struct iter *it);

/* The field called `name`, or VAL_NONE. */
struct val doc_get(struct val doc, const char *name);
struct val doc_getn(struct val doc, const char *name, size_t len);
/* The value at a dotted path through documents only (arrays are not entered). */
struct val doc_path(struct val doc, const char *path);
bool doc_is_empty(struct val doc);
size_t doc_count(struct val doc);
struct val arr_get(struct val arr, size_t index);

static inline uint32_t rd32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t rd64(const uint8_t *p)
{
    return (uint64_t)rd32(p) | (uint64_t)rd32(p + 4) << 32;
}
static inline void wr32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)(v >> 16), p[3] = (uint8_t)(v >> 24);
}
static inline void wr64(uint8_t *p, uint64_t v)
{
    wr32(p, (uint32_t)v), wr32(p + 4, (uint32_t)(v >> 32));
}

static inline bool val_is(struct val v, bson_type_t t)
{
    return v.t == (uint8_t)t;
}
static inline bool val_missing(struct val v)
{
    return v.t == BSON_TYPE_EOD;
}
static inline bool val_nullish(struct val v)
{
    return v.t == BSON_TYPE_EOD || v.t == BSON_TYPE_NULL || v.t == BSON_TYPE_UNDEFINED;
}
static inline bool val_is_num(struct val v)
{
    return v.t == BSON_TYPE_INT32 || v.t == BSON_TYPE_INT64 || v.t == BSON_TYPE_DOUBLE ||
           v.t == BSON_TYPE_DECIMAL128;
}
static inline bool val_is_doc(struct val v)
{
    return v.t == BSON_TYPE_DOCUMENT;
}
static inline bool val_is_arr(struct val v)
{
    return v.t == BSON_TYPE_ARRAY;
}
static inline bool val_is_str(struct val v)
{
    return v.t == BSON_TYPE_UTF8;
}
/* Text and length of a string, symbol or code value. */
static inline const char *val_str(struct val v)
{
    return (const char *)v.p + 4;
}
static inline uint32_t val_strlen(struct val v)
{
    return rd32(v.p) - 1;
}
static inline int64_t val_i64raw(struct val v)
{
    return (int64_t)rd64(v.p);
}
bool val_str_is(struct val v, const char *text);
double val_double(struct val v); /* any number as a double; NaN for others */
long double val_ldouble(struct val v);
int64_t val_int(struct val v);      /* any number cut to an integer, clamped; 0 for others */
bool val_is_integral(struct val v); /* a number without a fraction that fits 64 bits */
bool val_truthy(struct val v);      /* as the server takes booleans in commands: numbers other than 0, true */
bool val_same_bytes(struct val a, struct val b);

/* The server's order of types, and of values across types. Field names count when `names` is set. */
int val_canonical(uint8_t type);
int val_cmp(struct val a, struct val b);
/* The type's name as the server says it ("int", "objectId"), and the reverse: 0 when unknown. */
const char *val_type_name(uint8_t type);
int val_type_parse(const char *name);

/* A number as a value in the pool. */
struct val val_new_i32(struct pool *a, int32_t n);
struct val val_new_i64(struct pool *a, int64_t n);
struct val val_new_double(struct pool *a, double d);
struct val val_new_date(struct pool *a, int64_t ms);
struct val val_new_str(struct pool *a, const char *text, size_t bytes);
/* The smallest of int and long that holds it. */
struct val val_new_int(struct pool *a, int64_t n);
/* A copy that lives in the pool. */
struct val val_dup(struct pool *a, struct val v);

/* Writes BSON. With a pool the bytes live there; without, they are malloced and bw_fini frees them. */
struct bw {
    struct pool *pool;
    uint8_t *p;
    size_t n, cap;
    uint32_t depth;
    uint32_t open[512]; /* paths have at most 200 parts, and messages 180 levels */
};
void bw_init(struct bw *w, struct pool *a); /* opens the root document */
struct val bw_done(struct bw *w);           /* closes the root and gives a view of it */
void bw_fini(struct bw *w);
void bw_raw(struct bw *w, const void *data, size_t bytes);
void bw_put(struct bw *w, const char *key, struct val v);
void bw_putn(struct bw *w, const char *key, size_t keylen, struct val v);
void bw_puti(struct bw *w, size_t index, struct val v); /* an array's element */
void bw_doc(struct bw *w, const char *key);
void bw_docn(struct bw *w, const char *key, size_t keylen);
void bw_arr(struct bw *w, const char *key);
void bw_arrn(struct bw *w, const char *key, size_t keylen);
void bw_end(struct bw *w);
void bw_i32(struct bw *w, const char *key, int32_t v);
void bw_i64(struct bw *w, const char *key, int64_t v);
void bw_int(struct bw *w, const char *key, int64_t v); /* as int if it fits */
void bw_f64(struct bw *w, const char *key, double v);
void bw_bool(struct bw *w, const char *key, bool v);
void bw_null(struct bw *w, const char *key);
void bw_str(struct bw *w, const char *key, const char *text);
void bw_strn(struct bw *w, const char *key, const char *text, size_t bytes);
void bw_oid(struct bw *w, const char *key, const uint8_t oid[12]);
void bw_date(struct bw *w, const char *key, int64_t ms);
void bw_ts(struct bw *w, const char *key, uint64_t ts);
void bw_bin(struct bw *w, const char *key, uint8_t subtype, const void *data, uint32_t bytes);
/* Puts every field of `doc` at the place where the writer stands. */
void bw_merge(struct bw *w, struct val doc);
/* The key of an array's element; `buf` holds at least 12 bytes. */
const char *index_key(char *buf, size_t index, size_t *len);

#endif
