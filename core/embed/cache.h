/*
 * cache.h - vectors of texts that were embedded lately, within a fixed amount of memory; least recently used
 * first out.
 *
 * A key is SHA-256 over the embedder's fingerprint and the text, so equal keys are equal texts. Thread-safe.
 */
#ifndef LOCKSTEP_EMBED_CACHE_H
#define LOCKSTEP_EMBED_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#define CACHE_KEY_BYTES 32

struct cache;

/* NULL when memory is out or `max_bytes` is 0: all functions take NULL for a cache that never has anything.
 */
struct cache *cache_new(size_t max_bytes);
void cache_free(struct cache *cache);

/* The key of `text` under `space` (a fingerprint). */
void cache_key(const char *space, const char *text, size_t text_bytes, unsigned char key[CACHE_KEY_BYTES]);

/* A copy of the vector, to be freed by free(), or NULL. */
float *cache_get(struct cache *cache, const unsigned char key[CACHE_KEY_BYTES], size_t *dimensions);
/* Copies the vector in; does nothing if it does not fit or memory is out. */
void cache_put(struct cache *cache, const unsigned char key[CACHE_KEY_BYTES], const float *vector,
               size_t dimensions);

void cache_clear(struct cache *cache);

/* What is held, for tests and metrics. */
void cache_usage(struct cache *cache, size_t *entries, size_t *bytes);

#endif
