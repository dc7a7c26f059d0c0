/* skips.c - reads the list of what isn't played. Owns its entries. */
#include "golden/skips.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* Cuts the next field off at '|', without the blanks around it. NULL if there is none. */
static char *field(char **rest)
{
    char *start = *rest, *end;

    if (!start) return NULL;
    end = strpbrk(start, "|\n");
    *rest = end && *end == '|' ? end + 1 : NULL;
    if (!end) end = start + strlen(start);
    while (end > start && end[-1] == ' ') end--;
    *end = '\0';
    return start + strspn(start, " ");
}

static enum lks_code add(struct skips *s, char *line, struct lks_err *err)
{
    char *rest = line, *file = field(&rest), *step = field(&rest), *where = field(&rest),
         *reason = field(&rest);
    struct skip *entries;

    if (!reason || !*reason || (strcmp(where, "always") != 0 && strcmp(where, "real") != 0))
        return lks_fail(err, LKS_E_CONFIG, "an entry without a reason, or neither always nor real: %s", file);
    entries = realloc(s->entries, (s->count + 1) * sizeof *entries);
    if (!entries) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    s->entries = entries;
    s->entries[s->count++] =
        (struct skip){strdup(file), strdup(step), strdup(reason), strcmp(where, "real") == 0};
    return LKS_E_OK;
}

enum lks_code skips_read(struct skips *s, const char *path, struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    size_t capacity = 0;
    char *line = NULL;
    FILE *f;

    memset(s, 0, sizeof *s);
    f = fopen(path, "r");
    if (!f) return lks_fail(err, LKS_E_IO, "%s: %s", path, strerror(errno));
    while (code == LKS_E_OK && getline(&line, &capacity, f) > 0)
        if (line[0] != '#' && line[0] != '\n') code = add(s, line, err);
    free(line);
    fclose(f);
    return code;
}

void skips_fini(struct skips *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->entries[i].file);
        free(s->entries[i].step);
        free(s->entries[i].reason);
    }
    free(s->entries);
    memset(s, 0, sizeof *s);
}

const char *skips_reason(const struct skips *s, const char *file, const char *step, bool is_standin)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct skip *e = &s->entries[i];

        if (strcmp(e->file, file) == 0 && strcmp(e->step, step ? step : "*") == 0 &&
            !(e->real_only && is_standin))
            return e->reason;
    }
    return NULL;
}
