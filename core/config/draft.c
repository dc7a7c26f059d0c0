/* draft.c - memory and messages of a configuration that is being read. */
#include "config/draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

void *draft_keep(struct config_draft *draft, void *memory)
{
    void **all = NULL;
    if (memory && (draft->owned_count & (draft->owned_count - 1)) == 0) { /* room doubles at powers of two */
        size_t space = draft->owned_count ? 2 * draft->owned_count : 1;
        all = realloc(draft->owned, space * sizeof *all);
        if (all) draft->owned = all;
    } else {
        all = draft->owned;
    }
    if (!memory || !all) {
        free(memory);
        draft->no_memory = true;
        return NULL;
    }
    draft->owned[draft->owned_count++] = memory;
    return memory;
}

const char *draft_printf(struct config_draft *draft, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = bytes < 0 ? NULL : malloc((size_t)bytes + 1);
    if (text) (void)vsnprintf(text, (size_t)bytes + 1, format, again);
    va_end(again);
    text = draft_keep(draft, text);
    return text ? text : "";
}

const char *draft_where(struct config_draft *draft, unsigned line)
{
    return line == NO_LINE ? draft->path : draft_printf(draft, "%s:%u", draft->path, line);
}

void draft_problem(struct config_draft *draft, unsigned line, const char *where, const char *format, ...)
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
    struct problem *all = realloc(draft->problems, (draft->problem_count + 1) * sizeof *all);
    if (all) draft->problems = all;
    /* a variable can hold any bytes, and a long value was cut anywhere */
    char *clean = raw.failed ? NULL : malloc(3 * raw.bytes + 1);
    if (all && clean) {
        clean[utf8_clean(clean, 3 * raw.bytes, raw.data, raw.bytes)] = '\0';
        all[draft->problem_count++] = (struct problem){.line = line, .text = clean};
    } else {
        free(clean);
        draft->no_memory = true;
    }
    buf_fini(&raw);
}

struct section *draft_section(struct config_draft *draft, enum section_kind kind, const char *name)
{
    for (size_t i = 0; i < draft->section_count; i++) {
        struct section *s = draft->sections[i];
        if (s->kind == kind && strcmp(s->name, name) == 0) return s;
    }
    return NULL;
}
