/* available.c - which plugins there are, by the names of files alone. Opens none of them. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "plugin/plugin.h"

/* Names one after the other, each with its NUL. */
struct found {
    struct buf text;
    size_t count;
};

static void add_folder(struct found *names, const char *folder)
{
    DIR *directory = opendir(folder);
    if (!directory) return;
    for (const struct dirent *entry; (entry = readdir(directory));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || dot == entry->d_name || (strcmp(dot, ".so") != 0 && strcmp(dot, ".la") != 0)) continue;
        buf_put(&names->text, entry->d_name, (size_t)(dot - entry->d_name));
        buf_putc(&names->text, '\0');
        names->count++;
    }
    closedir(directory);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Pointers and strings in one piece, sorted, each name once. */
static char **arrange(const struct found *names)
{
    char **out = malloc((names->count + 1) * sizeof *out + names->text.bytes);
    if (!out) return NULL;
    char *text = (char *)(out + names->count + 1);
    if (names->text.bytes) memcpy(text, names->text.data, names->text.bytes);
    size_t kept = 0;
    for (size_t i = 0; i < names->count; i++, text += strlen(text) + 1) out[i] = text;
    qsort(out, names->count, sizeof *out, compare);
    for (size_t i = 0; i < names->count; i++)
        if (!kept || strcmp(out[kept - 1], out[i]) != 0) out[kept++] = out[i];
    out[kept] = NULL;
    return out;
}

char **plugins_available(const char *const *paths)
{
    struct found names = {.count = 0};
    buf_init(&names.text, 0);
    for (size_t i = 0; paths && paths[i]; i++) add_folder(&names, paths[i]);
    add_folder(&names, PKGLIBDIR "/plugins");
    char **out = names.text.failed ? NULL : arrange(&names);
    buf_fini(&names.text);
    return out;
}
