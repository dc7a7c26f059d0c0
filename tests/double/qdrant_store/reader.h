/*
 * reader.h - turning a parsed body into what it means, with Qdrant's complaints.
 *
 * Two kinds of complaint: a body of the wrong form (400, "Format error in JSON body: ...", the first one
 * counts) and values out of range (422, "Validation error in JSON body: [...]", all of them). Where serde
 * buffers a value before it reads it (flattened structs, untagged enums), its errors carry the place where
 * the buffered part ended, or none at all: `place` says which.
 */
#ifndef DOUBLE_QDRANT_STORE_READER_H
#define DOUBLE_QDRANT_STORE_READER_H

#include "qdrant_store/json.h"

enum reader_place { READER_EXACT, READER_PINNED, READER_NOWHERE };

struct reader {
    struct pool *arena;
    const char *text; /* the body the offsets belong to */
    size_t bytes;
    enum reader_place place;
    size_t pin;
    const char *error;   /* without the place; NULL if none */
    const char *located; /* the same with the place */
    const char *invalid; /* "field: problem; field: problem", or NULL */
};

void reader_init(struct reader *r, struct pool *a, const char *text, size_t bytes, enum reader_place place);
/* Records a complaint about the text before `offset`; the first one stays. Returns false. */
bool reader_fail(struct reader *r, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "invalid type: string \"x\", expected usize", at the place where serde_json notices it. Returns false. */
bool reader_mismatch(struct reader *r, const struct json *v, const char *expected);
/* Records a value out of range. */
void reader_invalid(struct reader *r, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Where serde_json stands when it hears of a complaint that has no place of its own: behind the value, and
 * behind what closes or continues the object (or array) that it is in. */
size_t reader_after_member(const struct reader *r, const struct json *v);
size_t reader_after_element(const struct reader *r, const struct json *v);
/* True if nothing is wrong so far. */
bool reader_ok(const struct reader *r);

/* Members of an object; missing and null leave *out as it is and set *given (may be NULL) to false. */
bool reader_bool(struct reader *r, const struct json *object, const char *key, bool *out, bool *given);
bool reader_usize(struct reader *r, const struct json *object, const char *key, uint64_t *out, bool *given);
bool reader_f64(struct reader *r, const struct json *object, const char *key, double *out, bool *given);
/* NULL stays if it is missing. */
bool reader_string(struct reader *r, const struct json *object, const char *key, const struct json **out);
/* The same, and missing is a complaint. */
bool reader_need(struct reader *r, const struct json *object, const char *key, const struct json **out);

#endif
