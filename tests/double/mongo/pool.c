/* pool.c - memory that is freed as a whole. Out of memory ends the process: there is no server without
 * memory. */
#include "bval.h"

#include <stdio.h>
#include <stdlib.h>

struct pool_chunk {
    struct pool_chunk *next;
    size_t used, cap;
    max_align_t data[];
};

struct pool_defer {
    struct pool_defer *next;
    void (*fn)(void *);
    void *p;
};

static void out_of_memory(void)
{
    fputs("mongod stand-in: out of memory\n", stderr);
    exit(70);
}

void *xmalloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    if (!p) out_of_memory();
    return p;
}

void *xcalloc(size_t count, size_t bytes)
{
    void *p = calloc(count ? count : 1, bytes ? bytes : 1);
    if (!p) out_of_memory();
    return p;
}

void *xrealloc(void *old, size_t bytes)
{
    void *p = realloc(old, bytes ? bytes : 1);
    if (!p) out_of_memory();
    return p;
}

void *pool_alloc(struct pool *a, size_t bytes)
{
    size_t need = (bytes + 15) & ~(size_t)15;
    struct pool_chunk *c = a->head;
    if (!c || c->cap - c->used < need) {
        size_t cap = need > 16384 ? need : 16384;
        c = xmalloc(sizeof *c + cap);
        c->next = a->head;
        c->used = 0;
        c->cap = cap;
        a->head = c;
        a->bytes += cap;
    }
    void *p = (uint8_t *)c->data + c->used;
    c->used += need;
    return p;
}

void *pool_copy(struct pool *a, const void *data, size_t bytes)
{
    void *p = pool_alloc(a, bytes ? bytes : 1);
    if (bytes) memcpy(p, data, bytes);
    return p;
}

char *pool_strndup(struct pool *a, const char *text, size_t bytes)
{
    char *p = pool_alloc(a, bytes + 1);
    memcpy(p, text, bytes);
    p[bytes] = 0;
    return p;
}

void pool_defer(struct pool *a, void (*fn)(void *), void *p)
{
    struct pool_defer *d = pool_alloc(a, sizeof *d);
    d->next = a->deferred;
    d->fn = fn;
    d->p = p;
    a->deferred = d;
}

static void run_deferred(struct pool *a)
{
    for (struct pool_defer *d = a->deferred; d; d = d->next) d->fn(d->p);
    a->deferred = NULL;
}

void pool_reset(struct pool *a)
{
    run_deferred(a);
    struct pool_chunk *keep = NULL;
    while (a->head) {
        struct pool_chunk *next = a->head->next;
        if (!keep && a->head->cap <= 65536) {
            keep = a->head;
        } else {
            a->bytes -= a->head->cap;
            free(a->head);
        }
        a->head = next;
    }
    a->head = keep;
    if (keep) keep->next = NULL, keep->used = 0;
}

void pool_fini(struct pool *a)
{
    run_deferred(a);
    while (a->head) {
        struct pool_chunk *next = a->head->next;
        free(a->head);
        a->head = next;
    }
    a->bytes = 0;
}
