/* tap.c - prints results. Owns nothing but the count. */
#include "golden/tap.h"

#include <stdio.h>
#include <string.h>

/* A step's name as a test's: '#' would begin a directive. */
static void print_name(const char *file, const char *step)
{
    printf("%s", file);
    if (step) printf(": ");
    for (; step && *step; step++) putchar(*step == '#' || *step == '\n' ? ' ' : *step);
}

void tap_step(struct tap *t, const char *file, const char *step, const struct diffs *found)
{
    const char *line = found->text.data;

    t->count++;
    if (found->count > 0 && !t->todo) t->failed_count++;
    printf("%sok %zu - ", found->count > 0 ? "not " : "", t->count);
    print_name(file, step);
    if (found->count > 0 && t->todo) printf(" # TODO %s", t->todo);
    putchar('\n');
    while (line && *line) {
        size_t bytes = strcspn(line, "\n");

        printf("#     %.*s\n", (int)bytes, line);
        line += bytes + (line[bytes] != '\0');
    }
    fflush(stdout);
}

void tap_skip(struct tap *t, const char *file, const char *step, const char *reason)
{
    printf("ok %zu - ", ++t->count);
    print_name(file, step);
    printf(" # SKIP %s\n", reason);
    fflush(stdout);
}

void tap_fail(struct tap *t, const char *file, const char *what)
{
    t->failed_count++;
    printf("not ok %zu - ", ++t->count);
    print_name(file, NULL);
    printf("\n#     %s\n", what);
    fflush(stdout);
}

int tap_end(const struct tap *t)
{
    printf("1..%zu\n# %zu played as recorded, %zu differ\n", t->count, t->count - t->failed_count,
           t->failed_count);
    return t->failed_count > 0 ? 1 : 0;
}
