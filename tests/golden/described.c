/*
 * described.c - a table of descriptions and what they stand for. Owns nothing.
 *
 * In the templates the string "x" stands for as many x as the table says, and the array [[]] for arrays
 * nested that deep.
 */
#include "golden/described.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define MIB ((size_t)1 << 20)

struct description {
    const char *words;
    const char *stands_for;
    size_t count;
};

#define FILLER "[one document of 1 MB]"

static const struct description commands[] = {
    {"[one document of 16 MiB of x]", "[{\"_id\":\"big\",\"s\":\"x\"}]", 16 * MIB},
    {"[one document of 15 MiB]", "[{\"_id\":{\"$numberInt\":\"2\"},\"id\":\"two\",\"big\":\"x\"}]", 15 * MIB},
    {"[sets 2 MiB more]", "[{\"q\":{\"_id\":{\"$numberInt\":\"2\"}},\"u\":{\"$set\":{\"more\":\"x\"}}}]",
     2 * MIB},
    {FILLER, "[{\"pad\":\"x\"}]", 1000000},
};

static const struct description bodies[] = {
    {"[one point whose payload holds 34 MiB of x]",
     "{\"points\":[{\"id\":\"00000000-0000-5000-8000-000000000016\",\"vector\":[1,0,0,0],\"payload\":{\"s\":"
     "\"x\"}}]}",
     34 * MIB},
    {"[one point whose payload nests 200 arrays]",
     "{\"points\":[{\"id\":\"00000000-0000-5000-8000-000000000003\",\"vector\":[1,0,0,0],\"payload\":{\"d\":["
     "[]]}}]}",
     200},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const struct description *find(const struct description *table, size_t count, const char *words)
{
    for (size_t i = 0; words && i < count; i++)
        if (strcmp(table[i].words, words) == 0) return &table[i];
    return NULL;
}

bool described_is_words(const char *text)
{
    return text && text[0] == '[' && text[1] >= 'a' && text[1] <= 'z' && text[strlen(text) - 1] == ']';
}

/* The template with its placeholder filled, as text. */
static char *fill(const struct description *d, size_t *bytes)
{
    const char *text = strstr(d->stands_for, "\"x\""), *arrays = strstr(d->stands_for, "[[]]");
    struct buf out;

    buf_init(&out, 0);
    if (text) {
        text++;
        buf_put(&out, d->stands_for, (size_t)(text - d->stands_for));
        for (size_t i = 0; i < d->count; i++) buf_putc(&out, 'x');
        buf_puts(&out, text + 1);
    } else if (arrays) {
        buf_put(&out, d->stands_for, (size_t)(arrays - d->stands_for));
        for (size_t i = 0; i < d->count; i++) buf_putc(&out, '[');
        for (size_t i = 0; i < d->count; i++) buf_putc(&out, ']');
        buf_puts(&out, arrays + 4);
    }
    return buf_take(&out, bytes);
}

char *described_body(const char *words, size_t *bytes, struct lks_err *err)
{
    const struct description *d = find(bodies, COUNT(bodies), words);

    if (!d) {
        lks_fail(err, LKS_E_CONFIG, "the recording says \"%s\", which is not known here", words);
        return NULL;
    }
    return fill(d, bytes);
}

/* Where the lines that describe leave these out, this is what the recorded client had sent. */
static void add_defaults(json_t *command)
{
    if (!json_object_get(command, "writeConcern"))
        json_object_set_new(command, "writeConcern", json_pack("{s:s}", "w", "majority"));
    if (!json_object_get(command, "$db")) json_object_set_new(command, "$db", json_string("golden"));
}

json_t *described_command(const json_t *send, const json_t *previous, struct lks_err *err)
{
    static const char *const members[] = {"documents", "updates", "deletes"};
    json_t *out;

    if (json_is_string(send)) {
        if (previous && strcmp(json_string_value(send), "as above") == 0) return json_deep_copy(previous);
        lks_fail(err, LKS_E_CONFIG, "the recording says \"%s\", which is not known here",
                 json_string_value(send));
        return NULL;
    }
    out = json_copy((json_t *)send);
    for (size_t i = 0; i < COUNT(members); i++) {
        const char *words = json_string_value(json_object_get(send, members[i]));
        const struct description *d = find(commands, COUNT(commands), words);
        size_t bytes;
        char *text;

        if (!words) continue;
        if (!d) {
            lks_fail(err, LKS_E_CONFIG, "the recording says \"%s\", which is not known here", words);
            json_decref(out);
            return NULL;
        }
        text = fill(d, &bytes);
        json_object_set_new(out, members[i], text ? json_loadb(text, bytes, 0, NULL) : NULL);
        free(text);
        add_defaults(out);
    }
    return out;
}

bool described_is_filler(const json_t *send)
{
    const char *words = json_string_value(json_object_get(send, "documents"));

    return (json_is_string(send) && strcmp(json_string_value(send), "as above") == 0) ||
           (words && strcmp(words, FILLER) == 0);
}
