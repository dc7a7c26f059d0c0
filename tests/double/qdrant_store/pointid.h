/* pointid.h - the two kinds of point id, unsigned 64-bit integers and UUIDs, and their order. */
#ifndef DOUBLE_QDRANT_STORE_POINTID_H
#define DOUBLE_QDRANT_STORE_POINTID_H

#include <stdbool.h>
#include <stdint.h>

#include "qdrant_store/json.h"

struct pointid {
    uint64_t high; /* of a UUID; 0 for an integer */
    uint64_t low;
    bool uuid;
};

#define POINTID_TEXT_BYTES 40

/* Reads an id from a body (integer, or UUID in any of the forms the uuid crate takes). False if it is none.
 */
bool pointid_parse(const struct json *v, struct pointid *out);
/* The same from a path segment or header text. */
bool pointid_parse_text(const char *text, size_t bytes, struct pointid *out);
/* Integers before UUIDs, each by value: the order of scroll. */
int pointid_compare(const struct pointid *a, const struct pointid *b);
uint64_t pointid_hash(const struct pointid *id);
/* As a person reads it: 42, or the hyphenated lower-case UUID. */
void pointid_text(const struct pointid *id, char out[POINTID_TEXT_BYTES]);
/* As JSON: 42, or the UUID in quotes. */
void pointid_write(struct buf *out, const struct pointid *id);
/* The words for what is no id, as Qdrant says them. */
char *pointid_complaint(struct pool *a, const struct json *v);

/* A good 64-bit mixer, for ids and index values. */
uint64_t mix64(uint64_t x);
uint64_t hash_bytes(const void *data, size_t bytes, uint64_t seed);

#endif
