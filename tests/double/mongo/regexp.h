/*
 * regexp.h - the regular expressions that queries carry, on top of the C library's.
 *
 * The server speaks PCRE. Patterns are translated to POSIX extended syntax; what has no counterpart there
 * (look-around, lazy repetition, back references) is refused rather than misread.
 */
#ifndef DOUBLE_MONGO_REGEXP_H
#define DOUBLE_MONGO_REGEXP_H

#include "err.h"

struct regexp;
/* Compiles; the result lives as long as the pool. Options: i, m, s, x as the server takes them. */
int regexp_compile(struct pool *a, const char *pattern, const char *options, struct regexp **out,
                   struct merr *err);
/* Searches `text` from byte `from`; on a hit gives where it begins and ends. */
bool regexp_find(const struct regexp *re, const char *text, size_t bytes, size_t from, size_t *begin,
                 size_t *end);

#endif
