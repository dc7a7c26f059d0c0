/*
 * collation.h - the order of strings other than by their bytes.
 *
 * Letters of ASCII are compared as the Unicode collation algorithm does, other characters by their bytes:
 * enough for collations that take no account of case. One collation is in force at a time, like the server's
 * for one operation: val_cmp() and keystring_put() ask for it.
 */
#ifndef DOUBLE_MONGO_COLLATION_H
#define DOUBLE_MONGO_COLLATION_H

#include "err.h"
#include "keystring.h"

struct collation {
    int strength; /* 1: base letters, 2: accents too, 3: case too */
};

/* *out is NULL for none and for the simple one. Refuses options that the stand-in does not know. */
int collation_parse(struct pool *a, struct val given, const struct collation **out, struct merr *err);
/* The specification with all its fields, as listIndexes shows it; VAL_NONE for the simple one. */
struct val collation_full(struct pool *a, struct val given);
/* Puts a collation into force (NULL: the simple one) until the next call; returns the one before. */
const struct collation *collation_use(const struct collation *c);
const struct collation *collation_used(void);
/* Appends the bytes by which the collation in force, which is not the simple one, compares a string. */
void collation_key(struct kbuf *out, const char *text, size_t bytes);
int collation_compare(const char *a, size_t a_bytes, const char *b, size_t b_bytes);

#endif
