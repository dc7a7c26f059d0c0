/* exposition.c - see exposition.h. */
#include "live/exposition.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool wrong(struct exposition *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(struct exposition *e, const char *format, ...)
{
    va_list args;
    if (*e->wrong) return false;
    va_start(args, format);
    vsnprintf(e->wrong, sizeof e->wrong, format, args);
    va_end(args);
    return false;
}

/* How many bytes of a name stand here. */
static size_t name_bytes(const char *at, bool label)
{
    size_t n = 0;
    while (isalpha((unsigned char)at[n]) || at[n] == '_' || (!label && at[n] == ':') ||
           (n > 0 && isdigit((unsigned char)at[n])))
        n++;
    return n;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* ---- lines ---- */

static bool read_help(struct exposition *e, const char *line)
{
    size_t bytes = name_bytes(line, false);
    if (bytes == 0 || bytes >= EXPOSITION_NAME_BYTES || line[bytes] != ' ' || strlen(line) < bytes + 4)
        return wrong(e, "HELP without a name or a text: %.80s", line);
    struct exposition_family *all = realloc(e->families, (e->family_count + 1) * sizeof *all);
    if (!all) return wrong(e, "out of memory");
    e->families = all;
    struct exposition_family *f = &all[e->family_count];
    *f = (struct exposition_family){.first = e->sample_count};
    memcpy(f->name, line, bytes);
    for (size_t i = 0; i < e->family_count; i++)
        if (strcmp(all[i].name, f->name) == 0) return wrong(e, "%s has HELP twice", f->name);
    for (const char *at = line + bytes; *at; at++)
        if (*at == '\\' && *++at != '\\' && *at != 'n')
            return wrong(e, "a wrong escape in the HELP of %s", f->name);
    e->family_count++;
    return true;
}

static bool read_type(struct exposition *e, const char *line)
{
    struct exposition_family *f = e->family_count ? &e->families[e->family_count - 1] : NULL;
    size_t bytes = name_bytes(line, false);
    if (!f || strlen(f->name) != bytes || strncmp(f->name, line, bytes) != 0 || *f->type ||
        f->first != e->sample_count)
        return wrong(e, "TYPE does not follow its HELP: %.80s", line);
    snprintf(f->type, sizeof f->type, "%s", line + bytes + 1);
    if (strcmp(f->type, "counter") != 0 && strcmp(f->type, "gauge") != 0 && strcmp(f->type, "histogram") != 0)
        return wrong(e, "%s has the type %s", f->name, f->type);
    if (ends_with(f->name, "_total") != (strcmp(f->type, "counter") == 0))
        return wrong(e, "%s is a %s: counters end in _total, and nothing else", f->name, f->type);
    return true;
}

static bool take_le(struct exposition *e, struct exposition_sample *s, const char *value)
{
    char *end;
    s->has_le = true;
    s->le = strcmp(value, "+Inf") == 0 ? INFINITY : strtod(value, &end);
    if (s->le != INFINITY && (*end || end == value)) return wrong(e, "le=\"%s\" is no number", value);
    return true;
}

/* From behind the brace to the one that closes; the labels but `le` are kept. NULL if they are wrong. */
static const char *read_labels(struct exposition *e, struct exposition_sample *s, const char *at)
{
    char value[1024], kept[2048] = "";
    size_t used = 0;
    while (*at && *at != '}') {
        const char *name = at;
        size_t bytes = name_bytes(at, true), n = 0;
        at += bytes;
        if (!bytes || at[0] != '=' || at[1] != '"') return NULL;
        for (at += 2; *at && *at != '"' && n + 2 < sizeof value; at++) {
            if (*at == '\n') return NULL;
            if (*at == '\\') {
                value[n++] = *at++;
                if (*at != '\\' && *at != '"' && *at != 'n') return NULL;
            }
            value[n++] = *at;
        }
        value[n] = '\0';
        if (*at++ != '"') return NULL;
        if (bytes == 2 && strncmp(name, "le", 2) == 0) {
            if (!take_le(e, s, value)) return NULL;
        } else {
            used += (size_t)snprintf(kept + used, sizeof kept - used, "%s%.*s=\"%s\"", used ? "," : "",
                                     (int)bytes, name, value);
            if (used >= sizeof kept) return NULL;
        }
        if (*at == ',') at++;
    }
    s->labels = strdup(kept);
    return *at == '}' ? at + 1 : NULL;
}

static bool belongs(const struct exposition_family *f, const char *name)
{
    size_t bytes = strlen(f->name);
    if (strcmp(f->type, "histogram") != 0) return strcmp(f->name, name) == 0;
    return strncmp(f->name, name, bytes) == 0 &&
           (strcmp(name + bytes, "_bucket") == 0 || strcmp(name + bytes, "_sum") == 0 ||
            strcmp(name + bytes, "_count") == 0);
}

static bool same_series(const struct exposition_sample *a, const struct exposition_sample *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->labels, b->labels) == 0 && a->has_le == b->has_le &&
           (!a->has_le || a->le == b->le);
}

static bool add_sample(struct exposition *e, const struct exposition_sample *s)
{
    struct exposition_family *f = e->family_count ? &e->families[e->family_count - 1] : NULL;
    struct exposition_sample *all = realloc(e->samples, (e->sample_count + 1) * sizeof *all);
    if (!all) return wrong(e, "out of memory");
    e->samples = all;
    all[e->sample_count++] = *s;
    if (!f || !*f->type || !belongs(f, s->name)) return wrong(e, "%s stands outside of its family", s->name);
    if (s->has_le != ends_with(s->name, "_bucket")) return wrong(e, "%s and `le` don't go together", s->name);
    for (size_t i = f->first; i + 1 < e->sample_count; i++)
        if (same_series(&all[i], s)) return wrong(e, "twice: %s{%.200s}", s->name, s->labels);
    if (strcmp(f->type, "gauge") != 0 && (s->value < 0 || isnan(s->value)))
        return wrong(e, "%s{%.200s} is %g", s->name, s->labels, s->value);
    f->count++;
    return true;
}

static bool read_sample(struct exposition *e, const char *line)
{
    struct exposition_sample s = {.labels = NULL};
    size_t bytes = name_bytes(line, false);
    const char *at = line + bytes;
    char *end;
    if (!bytes || bytes >= sizeof s.name) return wrong(e, "no sample: %.80s", line);
    memcpy(s.name, line, bytes);
    if (*at == '{')
        at = read_labels(e, &s, at + 1);
    else
        s.labels = strdup("");
    if (!at || *at != ' ') {
        free(s.labels);
        return wrong(e, "wrong labels: %.200s", line);
    }
    s.value = strtod(at + 1, &end);
    bool good = *end == '\0' && end != at + 1;
    if (!add_sample(e, &s)) return false;
    return good ? true : wrong(e, "no number: %.200s", line);
}

/* ---- histograms ---- */

static bool check_histogram(struct exposition *e, const struct exposition_family *f)
{
    const struct exposition_sample *before = NULL;
    char sum[EXPOSITION_NAME_BYTES + 8], count[EXPOSITION_NAME_BYTES + 8];
    snprintf(sum, sizeof sum, "%s_sum", f->name);
    snprintf(count, sizeof count, "%s_count", f->name);
    for (size_t i = f->first; i < f->first + f->count; i++) {
        const struct exposition_sample *s = &e->samples[i];
        if (!s->has_le) {
            before = NULL;
            continue;
        }
        if (before &&
            (strcmp(before->labels, s->labels) != 0 || before->le >= s->le || before->value > s->value))
            return wrong(e, "the buckets of %s{%.200s} fall or are mixed", f->name, s->labels);
        before = s;
        if (s->le != INFINITY) continue;
        if (i + 2 >= f->first + f->count || strcmp(s[1].name, sum) != 0 || strcmp(s[2].name, count) != 0 ||
            strcmp(s[1].labels, s->labels) != 0 || strcmp(s[2].labels, s->labels) != 0)
            return wrong(e, "%s{%.200s} has no sum and count", f->name, s->labels);
        if (s[2].value != s->value) return wrong(e, "the count of %s{%.200s} is another", f->name, s->labels);
        before = NULL;
    }
    return before ? wrong(e, "%s has no bucket +Inf", f->name) : true;
}

/* ---- the whole ---- */

bool exposition_read(struct exposition *e, const char *text)
{
    char *copy = strdup(text), *at = copy;
    *e = (struct exposition){.wrong = ""};
    bool good = copy && *copy && copy[strlen(copy) - 1] == '\n';
    if (!good) wrong(e, "it does not end with a line break");
    for (char *end; good && *at; at = end + 1) {
        end = strchr(at, '\n');
        *end = '\0';
        if (strncmp(at, "# HELP ", 7) == 0)
            good = read_help(e, at + 7);
        else if (strncmp(at, "# TYPE ", 7) == 0)
            good = read_type(e, at + 7);
        else
            good = read_sample(e, at);
    }
    for (size_t i = 0; good && i < e->family_count; i++)
        if (strcmp(e->families[i].type, "histogram") == 0) good = check_histogram(e, &e->families[i]);
    free(copy);
    return good;
}

void exposition_fini(struct exposition *e)
{
    for (size_t i = 0; i < e->sample_count; i++) free(e->samples[i].labels);
    free(e->samples);
    free(e->families);
    *e = (struct exposition){.wrong = ""};
}

const struct exposition_family *exposition_family(const struct exposition *e, const char *name)
{
    for (size_t i = 0; i < e->family_count; i++)
        if (strcmp(e->families[i].name, name) == 0) return &e->families[i];
    return NULL;
}

double exposition_value(const struct exposition *e, const char *name, const char *labels)
{
    for (size_t i = 0; i < e->sample_count; i++)
        if (!e->samples[i].has_le && strcmp(e->samples[i].name, name) == 0 &&
            strstr(e->samples[i].labels, labels))
            return e->samples[i].value;
    return -1;
}
