/* buf.c - growth by doubling, so that appending costs amortised constant time. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max_bytes = max_bytes};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max_bytes);
}

void buf_clear(struct buf *b)
{
    b->bytes = 0;
    b->failed = false;
    if (b->data) b->data[0] = '\0';
}

bool buf_reserve(struct buf *b, size_t more)
{
    if (b->failed) return false;
    if (more >= SIZE_MAX / 2 - b->bytes || (b->max_bytes && more > b->max_bytes - b->bytes)) {
        b->failed = true;
        return false;
    }
    size_t need = b->bytes + more + 1;
    if (need <= b->capacity) return true;
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity < need) capacity *= 2;
    char *data = realloc(b->data, capacity);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

void buf_put(struct buf *b, const void *data, size_t bytes)
{
    if (!buf_reserve(b, bytes)) return;
    if (bytes) memcpy(b->data + b->bytes, data, bytes);
    b->bytes += bytes;
    b->data[b->bytes] = '\0';
}

void buf_puts(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

void buf_putc(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (bytes < 0) {
        b->failed = true;
    } else if (buf_reserve(b, (size_t)bytes)) {
        vsnprintf(b->data + b->bytes, (size_t)bytes + 1, format, again);
        b->bytes += (size_t)bytes;
    }
    va_end(again);
}

char *buf_take(struct buf *b, size_t *bytes)
{
    if (!buf_reserve(b, 0)) return NULL;
    char *data = b->data;
    data[b->bytes] = '\0';
    if (bytes) *bytes = b->bytes;
    buf_init(b, b->max_bytes);
    return data;
}
