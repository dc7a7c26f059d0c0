/* diffs.c - collects differences. Owns their text; knows nothing of what is compared. */
#include "golden/diffs.h"

#include <stdarg.h>
#include <stdio.h>

#define SHOWN_COUNT 12

void diffs_init(struct diffs *d, const char *root)
{
    d->count = 0;
    buf_init(&d->text, 0);
    buf_init(&d->path, 0);
    buf_puts(&d->path, root);
}

void diffs_fini(struct diffs *d)
{
    buf_fini(&d->text);
    buf_fini(&d->path);
}

size_t diffs_down(struct diffs *d, const char *key)
{
    size_t mark = d->path.bytes;

    buf_putc(&d->path, '.');
    buf_puts(&d->path, key);
    return mark;
}

void diffs_up(struct diffs *d, size_t mark)
{
    if (d->path.failed || mark >= d->path.bytes) return;
    d->path.bytes = mark;
    d->path.data[mark] = '\0';
}

void diffs_add(struct diffs *d, const char *format, ...)
{
    char message[2048];
    va_list args;

    if (++d->count > SHOWN_COUNT) return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    buf_printf(&d->text, "%s: %s\n", d->path.data ? d->path.data : "?", message);
}
