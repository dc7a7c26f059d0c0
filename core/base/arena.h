/*
 * arena.h - many small allocations that are freed together, with a cap.
 *
 * Not thread-safe. A failure (memory out, cap passed) is remembered in `failed`.
 */
#ifndef LOCKSTEP_BASE_ARENA_H
#define LOCKSTEP_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned, the newest first */
    size_t used_bytes;          /* handed out */
    size_t max_bytes;           /* 0: no cap */
    bool failed;
    bool full; /* and it was the cap */
};

void arena_init(struct arena *a, size_t max_bytes);
/* Frees everything; the arena is as after arena_init. */
void arena_fini(struct arena *a);
/* Zeroed and aligned for anything; NULL after a failure. */
void *arena_alloc(struct arena *a, size_t bytes);
/* A copy with a NUL after it; NULL after a failure. */
char *arena_text(struct arena *a, const char *text, size_t bytes);
/* The same, invalid UTF-8 replaced by U+FFFD; *written may be NULL. */
char *arena_clean_text(struct arena *a, const char *text, size_t bytes, size_t *written);

#endif
