/*
 * canonical.h - one form for all values that MongoDB's simple collation holds equal.
 *
 * Two values are equal for the server (in a query, a group, a unique index) exactly if their canonical forms
 * are the same bytes. So ids are compared, hashed and shown in this form.
 */
#ifndef LOCKSTEP_BASE_CANONICAL_H
#define LOCKSTEP_BASE_CANONICAL_H

#include <bson/bson.h>
#include <stdbool.h>

/*
 * Appends the value `iter` stands on under `key` in its canonical form: a number in the narrowest of int32,
 * int64, double and decimal128 that holds it (-0.0 is 0, 1.50 is 1.5, NaN is the double NaN), a symbol as a
 * string; inside documents and arrays likewise. Every other value as it is. False when memory is out.
 */
bool canonical_append(bson_t *to, const char *key, int key_bytes, const bson_iter_t *iter);
/* A double or decimal that is no number. */
bool canonical_is_nan(const bson_iter_t *iter);

#endif
