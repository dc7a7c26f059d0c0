/*
 * arena.h - memory that is given back all at once: what a request parses lives here and dies with it.
 *
 * Not thread-safe: every request has its own.
 */
#ifndef DOUBLE_QDRANT_STORE_ARENA_H
#define DOUBLE_QDRANT_STORE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *first; /* newest block */
};

void arena_init(struct arena *a);
/* Frees everything that was taken from it. */
void arena_fini(struct arena *a);
/* Forgets all but the newest block, which is used again: for scans that parse one payload after another. */
void arena_reset(struct arena *a);
/* `bytes` bytes aligned for any type, not cleared. Out of memory ends the process: a stand-in has nothing
 * better to do. */
void *arena_take(struct arena *a, size_t bytes);
void *arena_zero(struct arena *a, size_t bytes);
/* A copy of `text` with a NUL behind it. */
char *arena_text(struct arena *a, const char *text, size_t bytes);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* malloc and realloc that end the process instead of failing. */
void *must_alloc(size_t bytes);
void *must_realloc(void *old, size_t bytes);

#endif
