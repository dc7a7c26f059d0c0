/*
 * buf.h - a growing byte buffer with a cap and a sticky error.
 *
 * Appending never fails on the spot: the first failure (out of memory, cap passed) is remembered, later
 * appends do nothing, and the owner asks once at the end. `data` always ends with a NUL that `bytes` does not
 * count.
 */
#ifndef LOCKSTEP_BASE_BUF_H
#define LOCKSTEP_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* owned; NULL before the first append */
    size_t bytes;
    size_t capacity;
    size_t max_bytes; /* 0: no cap */
    bool failed;
};

/* An empty buffer; `max_bytes` 0 means no cap. Nothing is allocated yet. */
void buf_init(struct buf *b, size_t max_bytes);
/* Frees the data; the buffer is as after buf_init. */
void buf_fini(struct buf *b);
/* Forgets contents and failure, keeps the memory. */
void buf_clear(struct buf *b);
/* Makes room for `more` bytes beyond those there; false after a failure. */
bool buf_reserve(struct buf *b, size_t more);
void buf_put(struct buf *b, const void *data, size_t bytes);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Hands the data over to the caller (to be freed by free()) and leaves the buffer empty; NULL after a
 * failure. */
char *buf_take(struct buf *b, size_t *bytes);

#endif
