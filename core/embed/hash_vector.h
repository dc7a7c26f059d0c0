/* hash_vector.h - feature hashing: each word of a text adds 1 or -1 in one dimension. Knows no meaning; needs
 * nothing. */
#ifndef LOCKSTEP_EMBED_HASH_VECTOR_H
#define LOCKSTEP_EMBED_HASH_VECTOR_H

#include <stddef.h>

#define HASH_VERSION 1 /* raise it when the same text gives another vector */
#define HASH_DEFAULT_DIMENSIONS 256

/* Writes the unit vector of `text` to `out`, the same on every machine; never all zero, also for empty text.
 */
void hash_embed(const char *text, size_t bytes, float *out, size_t dimensions);

#endif
