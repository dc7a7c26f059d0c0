/*
 * recording.c - reads recorded conversations. Owns the parsed lines; never changes them.
 */
#include "golden/recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

json_t *json_parse(const char *text, size_t bytes)
{
    json_t *v = json_loadb(text, bytes, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);

    return v ? v : json_loadb(text, bytes, JSON_ALLOW_NUL | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
}

static enum lks_code recording_append(struct recording *r, size_t *capacity, const char *text, size_t bytes,
                                      struct lks_err *err)
{
    json_t *line = json_parse(text, bytes);
    struct step *s;

    if (!json_is_object(line)) {
        json_decref(line);
        return lks_fail(err, LKS_E_CONFIG, "line %zu is no JSON object", r->count + 1);
    }
    if (r->count == *capacity) {
        size_t more = *capacity ? *capacity * 2 : 64;
        struct step *steps = realloc(r->steps, more * sizeof *steps);

        if (!steps) {
            json_decref(line);
            return lks_fail(err, LKS_E_NOMEM, "out of memory");
        }
        r->steps = steps;
        *capacity = more;
    }
    s = &r->steps[r->count];
    s->line = line;
    s->name = json_string_value(json_object_get(line, "step"));
    s->text = strndup(text, bytes);
    r->count++;
    return s->text ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
}

enum lks_code recording_read(struct recording *r, const char *path, struct lks_err *err)
{
    const char *slash = strrchr(path, '/');
    enum lks_code code = LKS_E_OK;
    size_t capacity = 0, line_capacity = 0;
    char *line = NULL;
    ssize_t bytes;
    FILE *f;

    memset(r, 0, sizeof *r);
    f = fopen(path, "r");
    if (!f) return lks_fail(err, LKS_E_IO, "%s", strerror(errno));
    r->name = strdup(slash ? slash + 1 : path);
    while (code == LKS_E_OK && (bytes = getline(&line, &line_capacity, f)) > 0)
        if (bytes > 1) code = recording_append(r, &capacity, line, (size_t)bytes, err);
    if (code == LKS_E_OK && r->count == 0) code = lks_fail(err, LKS_E_CONFIG, "nothing is recorded in it");
    free(line);
    fclose(f);
    return code;
}

void recording_fini(struct recording *r)
{
    for (size_t i = 0; i < r->count; i++) {
        json_decref(r->steps[i].line);
        free(r->steps[i].text);
    }
    free(r->steps);
    free(r->name);
    memset(r, 0, sizeof *r);
}

bool recording_is_tap(const struct recording *r)
{
    return r->count > 0 && json_object_get(r->steps[0].line, "dir") != NULL;
}

int64_t step_ms(const struct step *s, const char *key)
{
    const json_t *v = json_object_get(s->line, key);

    return json_is_number(v) ? (int64_t)json_number_value(v) : -1;
}

const char *step_text(const struct step *s, const char *key)
{
    return json_string_value(json_object_get(s->line, key));
}

/* The end of the JSON string whose opening quote is at `p`. */
static const char *skip_string(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1]) p++;
    return *p ? p + 1 : p;
}

/* The end of the JSON value at `p`. The text is known to be JSON. */
static const char *skip_value(const char *p)
{
    size_t depth = 0;

    do {
        if (*p == '"') {
            p = skip_string(p);
            continue;
        }
        if (*p == '{' || *p == '[')
            depth++;
        else if (*p == '}' || *p == ']') {
            if (depth == 0) return p;
            depth--;
        } else if (*p == ',' && depth == 0)
            return p;
        p++;
    } while (*p);
    return p;
}

const char *step_raw(const struct step *s, const char *key, size_t *bytes)
{
    size_t key_bytes = strlen(key);
    const char *p = strchr(s->text, '{');

    while (p && *p && *p != '}') {
        const char *name = strchr(p, '"'), *value, *end;

        if (!name) break;
        value = skip_string(name);
        value += strspn(value, " \t:");
        end = skip_value(value);
        if (strncmp(name + 1, key, key_bytes) == 0 && name[1 + key_bytes] == '"') {
            while (end > value && (end[-1] == ' ' || end[-1] == '\t')) end--;
            *bytes = (size_t)(end - value);
            return value;
        }
        p = end;
    }
    return NULL;
}
