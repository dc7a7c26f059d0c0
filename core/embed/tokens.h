/*
 * tokens.h - cutting text into words for the built-in embedders.
 *
 * A word is a run of letters, digits, `'`, `+` and `#`; ASCII letters are made small. Characters beyond ASCII
 * count as letters, except spaces, punctuation and symbols of the Latin-1 and general punctuation blocks.
 */
#ifndef LOCKSTEP_EMBED_TOKENS_H
#define LOCKSTEP_EMBED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#define TOKEN_MAX_BYTES 128 /* of a longer word only the first part is kept */

struct tokens {
    const char *at, *end;
};

static inline void tokens_init(struct tokens *t, const char *text, size_t bytes)
{
    t->at = text;
    t->end = text + bytes;
}

/* Copies the next word to `out` (TOKEN_MAX_BYTES, no NUL) and returns its length; 0: there are no more. */
size_t tokens_next(struct tokens *t, char *out);

/* FNV-1a over the bytes, well mixed: the same on every machine. */
unsigned long long tokens_hash(const char *bytes, size_t count);

#endif
