/* plugin_options.c - typed values from text. Owns nothing: everything lives in the caller's arena. */
#include "plugin/plugin_options.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ini.h"

/* A value on its way: what it says, and the list it can be read as. */
struct value {
    const char *text;
    const char *const *items; /* NULL: none */
};

struct target {
    const struct lks_option *option;
    struct arena *arena; /* NULL: only check */
    unsigned char *self;
};

static bool read_int(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *out = value;
    return end != text && !*end && !errno && strspn(text, "+-0123456789") == strlen(text);
}

/* Digits, a point and an exponent, whatever the locale of the process: "C", unless a plugin has set another.
 */
static bool read_real(const char *text, double *out)
{
    char *end;
    if (!*text || strspn(text, "+-.0123456789eE") != strlen(text)) return false;
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    locale_t before = c ? uselocale(c) : (locale_t)0;
    *out = strtod(text, &end);
    if (c) {
        uselocale(before);
        freelocale(c);
    }
    return !*end && end != text && isfinite(*out);
}

static bool read_bool(const char *text, bool *out)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(text, words[i]) != 0) continue;
        *out = i % 2;
        return true;
    }
    return false;
}

/* Is `text` one of the words in "a|b|c"? */
static bool is_word(const char *allowed, const char *text)
{
    size_t bytes = strlen(text);
    for (const char *at = allowed; *at;) {
        size_t word = strcspn(at, "|");
        if (word == bytes && memcmp(at, text, bytes) == 0) return true;
        at += word + (at[word] == '|');
    }
    return false;
}

/* Reads "1..100"; either end may be left out. False if it is no range. */
static bool read_range(const char *allowed, double *low, double *high)
{
    char text[64];
    const char *dots = strstr(allowed, "..");
    *low = -HUGE_VAL;
    *high = HUGE_VAL;
    if (!dots || strlen(allowed) >= sizeof text) return false;
    memcpy(text, allowed, strlen(allowed) + 1);
    text[dots - allowed] = '\0';
    if (*text && !read_real(text, low)) return false;
    const char *end = text + (dots - allowed) + 2;
    return (!*end || read_real(end, high)) && *low <= *high;
}

static bool in_range(const char *allowed, double value)
{
    double low, high;
    return !allowed || !read_range(allowed, &low, &high) || (value >= low && value <= high);
}

static const char *store_string(const struct target *t, const char *text)
{
    if (t->option->allowed && !is_word(t->option->allowed, text)) return "is not one of";
    if (!t->arena) return NULL;
    const char *copy = arena_clean_text(t->arena, text, strlen(text), NULL);
    memcpy(t->self + t->option->offset, &copy, sizeof copy);
    return NULL;
}

static const char *store_strings(const struct target *t, const char *const *items)
{
    size_t count = 0;
    if (!items) return "can't be read as a list (commas between, quotes closed)";
    for (; items[count]; count++)
        if (t->option->allowed && !is_word(t->option->allowed, items[count]))
            return "has an item that is not one of";
    if (!t->arena) return NULL;
    const char **copy = arena_alloc(t->arena, (count + 1) * sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        copy[i] = arena_clean_text(t->arena, items[i], strlen(items[i]), NULL);
    memcpy(t->self + t->option->offset, &copy, sizeof copy);
    return NULL;
}

static const char *store_number(const struct target *t, const char *text)
{
    int64_t whole = 0;
    double real = 0;
    bool is_int = t->option->type == LKS_INT;
    if (is_int && !read_int(text, &whole)) return "must be a whole number";
    if (!is_int && !read_real(text, &real)) return "must be a number";
    if (!in_range(t->option->allowed, is_int ? (double)whole : real)) return "is not in the range";
    if (!t->arena) return NULL;
    unsigned char *at = t->self + t->option->offset;
    if (is_int) memcpy(at, &whole, sizeof whole);
    if (!is_int) memcpy(at, &real, sizeof real);
    return NULL;
}

/* NULL, or what is wrong with the value. */
static const char *store(const struct target *t, const struct value *value)
{
    bool flag;
    switch (t->option->type) {
    case LKS_STRING:
        return store_string(t, value->text);
    case LKS_STRINGS:
        return store_strings(t, value->items);
    case LKS_INT:
    case LKS_REAL:
        return store_number(t, value->text);
    case LKS_BOOL:
        if (!read_bool(value->text, &flag)) return "must be yes or no";
        if (t->arena) memcpy(t->self + t->option->offset, &flag, sizeof flag);
        return NULL;
    default:
        return "has an unknown type";
    }
}

static const char *store_fallback(const struct target *t)
{
    const char *reason = NULL;
    char **items = t->option->type == LKS_STRINGS ? ini_list(t->option->fallback, &reason) : NULL;
    if (t->option->type == LKS_STRINGS && !items && !reason) return "can't be read: out of memory";
    struct value value = {t->option->fallback, (const char *const *)items};
    reason = store(t, &value);
    if (items) ini_list_free(items);
    return reason;
}

void option_check_default(const char *file, const struct lks_option *o, struct plugin_problems *problems)
{
    double low, high;
    struct target check = {.option = o};
    bool number = o->type == LKS_INT || o->type == LKS_REAL;
    if (number && o->allowed && !read_range(o->allowed, &low, &high))
        problem(problems, "%s: the option `%s` allows `%s`, which is no range; write it as 1..100", file,
                o->key, o->allowed);
    const char *reason = o->fallback ? store_fallback(&check) : NULL;
    if (reason)
        problem(problems, "%s: the default `%s` of the option `%s` %s%s%s", file, o->fallback, o->key, reason,
                o->allowed ? " " : "", o->allowed ? o->allowed : "");
}

static const struct plugin_setting *find_setting(const struct binding_settings *s, const char *key)
{
    for (size_t i = 0; i < s->setting_count; i++)
        if (strcmp(s->settings[i].key, key) == 0) return &s->settings[i];
    return NULL;
}

static const char *read_option(const struct target *t, const struct binding_settings *settings,
                               struct plugin_problems *problems)
{
    const struct lks_option *o = t->option;
    const struct plugin_setting *given = find_setting(settings, o->key);
    if (!given && !o->fallback) {
        problem(problems, "%s: [collection:%s] needs `%s` for the plugin `%s`%s%s", settings->where,
                settings->name, o->key, settings->plugin, o->help ? ": " : "", o->help ? o->help : "");
        return "";
    }
    if (!given) {
        store_fallback(t);
        return o->fallback;
    }
    struct value value = {given->value, given->items};
    const char *reason = store(t, &value);
    if (reason)
        problem(problems, "%s: `%s` %s%s%s", given->where, o->key, reason, o->allowed ? " " : "",
                o->allowed ? o->allowed : "");
    return given->value;
}

static void report_unknown(const struct lks_plugin *p, const struct binding_settings *s,
                           struct plugin_problems *problems)
{
    for (size_t i = 0; i < s->setting_count; i++) {
        const struct lks_option *o = p->options;
        while (o && o->key && strcmp(o->key, s->settings[i].key) != 0) o++;
        if (o && o->key) continue;
        struct buf names;
        buf_init(&names, 0);
        for (o = p->options; o && o->key; o++) buf_printf(&names, "%s%s", names.bytes ? ", " : "", o->key);
        problem(problems,
                "%s: unknown key `%s`: it is neither Lockstep's nor an option of the plugin `%s`%s%s",
                s->settings[i].where, s->settings[i].key, p->name, names.bytes ? ", which has: " : "",
                names.bytes ? names.data : "");
        buf_fini(&names);
    }
}

bool options_read(const struct lks_plugin *p, const struct binding_settings *settings, struct arena *arena,
                  void *self, const char *const **given, struct plugin_problems *problems)
{
    size_t count = 0, before = problems->count;
    for (const struct lks_option *o = p->options; o && o->key; o++) count++;
    const char **texts = arena_alloc(arena, (count + 1) * sizeof *texts);
    if (!texts) return false;
    report_unknown(p, settings, problems);
    for (size_t i = 0; i < count; i++) {
        struct target t = {.option = &p->options[i], .arena = arena, .self = self};
        const char *value = read_option(&t, settings, problems);
        size_t bytes = strlen(p->options[i].key) + strlen(value) + 2;
        char *text = arena_alloc(arena, bytes);
        if (text) snprintf(text, bytes, "%s=%s", p->options[i].key, value);
        texts[i] = text;
    }
    *given = texts;
    return problems->count == before && !arena->failed;
}
