/* parts.c - memory and messages of a configuration that is being read. */
#include "config/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

void *parts_keep(struct config_parts *parts, void *memory)
{
    void **all = NULL;
    if (memory && (parts->owned_count & (parts->owned_count - 1)) == 0) { /* room doubles at powers of two */
        size_t room = parts->owned_count ? 2 * parts->owned_count : 1;
        all = realloc(parts->owned, room * sizeof *all);
        if (all) parts->owned = all;
    } else {
        all = parts->owned;
    }
    if (!memory || !all) {
        free(memory);
        parts->no_memory = true;
        return NULL;
    }
    parts->owned[parts->owned_count++] = memory;
    return memory;
}

const char *parts_printf(struct config_parts *parts, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = bytes < 0 ? NULL : malloc((size_t)bytes + 1);
    if (text) (void)vsnprintf(text, (size_t)bytes + 1, format, again);
    va_end(again);
    text = parts_keep(parts, text);
    return text ? text : "";
}

const char *parts_where(struct config_parts *parts, unsigned line)
{
    return line == NO_LINE ? parts->path : parts_printf(parts, "%s:%u", parts->path, line);
}

void parts_problem(struct config_parts *parts, unsigned line, const char *where, const char *format, ...)
{
    struct buf raw;
    buf_init(&raw, 0);
    buf_printf(&raw, "%s: ", where);
    char text[600];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_puts(&raw, n < 0 ? format : text);
    struct problem *all = realloc(parts->problems, (parts->problem_count + 1) * sizeof *all);
    if (all) parts->problems = all;
    /* a variable can hold any bytes, and a long value was cut anywhere */
    char *clean = raw.failed ? NULL : malloc(3 * raw.bytes + 1);
    if (all && clean) {
        clean[utf8_clean(clean, 3 * raw.bytes, raw.data, raw.bytes)] = '\0';
        all[parts->problem_count++] = (struct problem){.line = line, .text = clean};
    } else {
        free(clean);
        parts->no_memory = true;
    }
    buf_fini(&raw);
}

struct section *parts_section(struct config_parts *parts, enum section_kind kind, const char *name)
{
    for (size_t i = 0; i < parts->section_count; i++) {
        struct section *s = parts->sections[i];
        if (s->kind == kind && strcmp(s->name, name) == 0) return s;
    }
    return NULL;
}
