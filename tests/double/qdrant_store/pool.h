/*
 * pool.h - memory that is given back all at once: what a request parses lives here and dies with it.
 *
 * Not thread-safe: every request has its own.
 */
#ifndef DOUBLE_QDRANT_STORE_POOL_H
#define DOUBLE_QDRANT_STORE_POOL_H

#include <stddef.h>

struct pool_block;

struct pool {
    struct pool_block *first; /* newest block */
};

void pool_init(struct pool *a);
/* Frees everything that was taken from it. */
void pool_fini(struct pool *a);
/* Forgets all but the newest block, which is used again: for scans that parse one payload after another. */
void pool_reset(struct pool *a);
/* `bytes` bytes aligned for any type, not cleared. Out of memory ends the process: a stand-in has nothing
 * better to do. */
void *pool_take(struct pool *a, size_t bytes);
void *pool_zero(struct pool *a, size_t bytes);
/* A copy of `text` with a NUL behind it. */
char *pool_text(struct pool *a, const char *text, size_t bytes);
char *pool_printf(struct pool *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* malloc and realloc that end the process instead of failing. */
void *must_alloc(size_t bytes);
void *must_realloc(void *old, size_t bytes);

#endif
