/*
 * json.h - JSON as Qdrant's parser (serde_json) takes it: what it accepts, the numbers it makes of digits,
 * and the words, line and column it complains with.
 *
 * jansson is not used for bodies: it refuses integers beyond 63 bits and U+0000, which Qdrant keeps, and its
 * error positions are others. Values live in an arena and point into it.
 */
#ifndef DOUBLE_QDRANT_STORE_JSON_H
#define DOUBLE_QDRANT_STORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "qdrant_store/pool.h"

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,   /* fits int64_t */
    JSON_UINT,  /* above INT64_MAX, fits uint64_t */
    JSON_FLOAT, /* written with point or exponent, or too large for an integer */
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_member;

struct json {
    enum json_type type;
    uint32_t count; /* bytes of a string, elements of an array, members of an object */
    uint32_t start; /* where it began and ended in the text, for error positions */
    uint32_t end;
    union {
        bool boolean;
        int64_t integer;
        uint64_t uinteger;
        double number;
        const char *string; /* UTF-8, may hold NULs; a NUL follows */
        struct json *items;
        struct json_member *members; /* in the order of the text, keys unique (the last one counts) */
    } u;
};

struct json_member {
    const char *key;
    uint32_t key_bytes;
    struct json value;
};

struct json_error {
    char text[200]; /* "expected value at line 1 column 3" */
};

/* Parses one text. False: `err` says why, in serde_json's words. Nesting above 127 levels is refused. */
bool json_parse(struct pool *a, const char *text, size_t bytes, struct json *out, struct json_error *err);

/* " at line L column C" for the byte at `offset` (that many bytes were read). */
void json_position(const char *text, size_t bytes, size_t offset, char *out, size_t out_bytes);

/* The member of that name, or NULL (also if `object` is NULL or none). */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_get_n(const struct json *object, const char *key, size_t key_bytes);

bool json_is_number(const struct json *v);
/* The number as f64; 0 for what is none. */
double json_number(const struct json *v);
bool json_string_is(const struct json *v, const char *text);
/* Same value as serde_json's == has it: 1 and 1.0 differ. */
bool json_equal(const struct json *a, const struct json *b);

/* Compact text, as serde_json writes it. */
void json_write(struct buf *out, const struct json *v);
void json_write_string(struct buf *out, const char *text, size_t bytes);
void json_write_f64(struct buf *out, double v);
/* Shortest digits that read back as the same float; NaN and infinities are `null`. */
void json_write_f32(struct buf *out, float v);

struct json json_make_string(const char *text, size_t bytes);
struct json json_make_int(int64_t v);

#endif
