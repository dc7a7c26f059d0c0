/* pool.c - the blocks behind pool.h. It owns nothing but them. */
#include "qdrant_store/pool.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 * 1024)
#define ALIGNMENT 16

struct pool_block {
    struct pool_block *next;
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

void pool_init(struct pool *a)
{
    a->first = NULL;
}

void pool_fini(struct pool *a)
{
    struct pool_block *b = a->first;

    while (b) {
        struct pool_block *next = b->next;

        free(b);
        b = next;
    }
    a->first = NULL;
}

void pool_reset(struct pool *a)
{
    struct pool_block *keep = a->first;

    if (!keep) return;
    a->first = keep->next;
    pool_fini(a);
    keep->next = NULL;
    keep->used = 0;
    a->first = keep;
}

void *pool_take(struct pool *a, size_t bytes)
{
    size_t need = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct pool_block *b = a->first;
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

void *pool_zero(struct pool *a, size_t bytes)
{
    void *p = pool_take(a, bytes);

    memset(p, 0, bytes);
    return p;
}

char *pool_text(struct pool *a, const char *text, size_t bytes)
{
    char *p = pool_take(a, bytes + 1);

    if (bytes) memcpy(p, text, bytes);
    p[bytes] = '\0';
    return p;
}

char *pool_printf(struct pool *a, const char *format, ...)
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
        p = pool_take(a, (size_t)n + 1);
        vsnprintf(p, (size_t)n + 1, format, again);
    } else {
        p = pool_text(a, "", 0);
    }
    va_end(again);
    return p;
}
