/* arena.c - the blocks behind arena.h. It owns nothing but them. */
#include "qdrant_store/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 * 1024)
#define ALIGNMENT 16

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t capacity;
    _Alignas(ALIGNMENT) char data[];
};

void *must_alloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);

    if (!p) {
        fputs("out of memory\n", stderr);
        _Exit(1);
    }
    return p;
}

void *must_realloc(void *old, size_t bytes)
{
    void *p = realloc(old, bytes ? bytes : 1);

    if (!p) {
        fputs("out of memory\n", stderr);
        _Exit(1);
    }
    return p;
}

void arena_init(struct arena *a)
{
    a->first = NULL;
}

void arena_fini(struct arena *a)
{
    struct arena_block *b = a->first;

    while (b) {
        struct arena_block *next = b->next;

        free(b);
        b = next;
    }
    a->first = NULL;
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = a->first;

    if (!keep) return;
    a->first = keep->next;
    arena_fini(a);
    keep->next = NULL;
    keep->used = 0;
    a->first = keep;
}

void *arena_take(struct arena *a, size_t bytes)
{
    size_t need = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct arena_block *b = a->first;
    void *p;

    if (!b || b->capacity - b->used < need) {
        /* growing blocks keep a body of 32 MB from needing thousands of them */
        size_t capacity = b ? b->capacity * 2 : BLOCK_BYTES;

        if (capacity > (size_t)8 << 20) capacity = (size_t)8 << 20;
        if (capacity < need) capacity = need;
        b = must_alloc(sizeof *b + capacity);
        b->next = a->first;
        b->used = 0;
        b->capacity = capacity;
        a->first = b;
    }
    p = b->data + b->used;
    b->used += need;
    return p;
}

void *arena_zero(struct arena *a, size_t bytes)
{
    void *p = arena_take(a, bytes);

    memset(p, 0, bytes);
    return p;
}

char *arena_text(struct arena *a, const char *text, size_t bytes)
{
    char *p = arena_take(a, bytes + 1);

    if (bytes) memcpy(p, text, bytes);
    p[bytes] = '\0';
    return p;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_list again;
    char *p = NULL;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0) {
        p = arena_take(a, (size_t)n + 1);
        vsnprintf(p, (size_t)n + 1, format, again);
    } else {
        p = arena_text(a, "", 0);
    }
    va_end(again);
    return p;
}
