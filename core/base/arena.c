/* arena.c - blocks that grow with what is asked for. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define BLOCK_BYTES 4096

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){.max_bytes = max_bytes};
}

void arena_fini(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    arena_init(a, a->max_bytes);
}

static struct arena_block *grow(struct arena *a, size_t bytes)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct arena_block *block = malloc(sizeof *block + size);
    if (!block) return NULL;
    *block = (struct arena_block){.next = a->blocks, .size = size};
    a->blocks = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    const size_t align = alignof(max_align_t);
    if (a->failed) return NULL;
    a->full = bytes > SIZE_MAX / 2 || (a->max_bytes && bytes > a->max_bytes - a->used_bytes);
    if (a->full) goto fail;
    size_t rounded = (bytes + align - 1) / align * align;
    struct arena_block *block = a->blocks;
    if (!block || block->size - block->used < rounded) block = grow(a, rounded);
    if (!block) goto fail;
    void *at = block->data + block->used;
    block->used += rounded;
    a->used_bytes += bytes;
    memset(at, 0, rounded);
    return at;
fail:
    a->failed = true;
    return NULL;
}

char *arena_text(struct arena *a, const char *text, size_t bytes)
{
    char *copy = arena_alloc(a, bytes + 1);
    if (copy && bytes) memcpy(copy, text, bytes);
    return copy;
}

char *arena_clean_text(struct arena *a, const char *text, size_t bytes, size_t *written)
{
    size_t length = bytes;
    char *copy;
    if (utf8_valid(text, bytes)) {
        copy = arena_text(a, text, bytes);
    } else {
        copy = bytes < SIZE_MAX / 8 ? arena_alloc(a, 3 * bytes + 1) : NULL;
        if (copy) length = utf8_clean(copy, 3 * bytes, text, bytes);
    }
    if (written) *written = copy ? length : 0;
    return copy;
}
