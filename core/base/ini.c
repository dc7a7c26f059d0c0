/*
 * ini.c - reads INI files through inih.
 *
 * inih (release 55) cuts lines at 199 bytes and section names at 49 without notice, takes an indented key for
 * a continuation of the value before it, never reports an empty section, and has no line numbers. So the
 * reader here takes whole lines off the file, judges them, and gives inih only section headers and keys with
 * empty values; the values are kept here. A line that inih did not take is a problem, never silence.
 *
 * Owns what it hands out until ini_fini(). Knows nothing of Lockstep's options.
 */
#include "base/ini.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

#define KEY_MAX_BYTES 100 /* far above any key there is, and well inside a line of inih */
#define NOWHERE "\x01"    /* the section of keys below a header that can't be read */

struct scan {
    struct ini *out;
    FILE *file;
    char *line; /* of getline() */
    size_t line_capacity;
    unsigned line_number;
    bool key_given;        /* inih was given a key and has not handed it back yet */
    bool open_value;       /* there is a key that an indented line would continue */
    struct buf value;      /* of the last key */
    struct ini_item *last; /* whose value that is; NULL: none, or a duplicate to be dropped */
    bool no_memory;
};

/* ---- results ---- */

static void add_problem(struct scan *s, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_problem(struct scan *s, unsigned line, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct ini_problem *all =
        n < 0 ? NULL : realloc(s->out->problems, (s->out->problem_count + 1) * sizeof *all);
    if (all) s->out->problems = all;
    size_t bytes = strlen(text);
    char *copy = all ? malloc(bytes + 1) : NULL;
    if (!copy) {
        s->no_memory = true;
        return;
    }
    bytes = utf8_clean(copy, bytes, text, bytes); /* a long key may have been cut inside a character */
    copy[bytes] = '\0';
    all[s->out->problem_count++] = (struct ini_problem){.line = line, .text = copy};
}

static struct ini_item *add_item(struct scan *s, const char *section, const char *key)
{
    struct ini *out = s->out;
    struct ini_item *all = realloc(out->items, (out->item_count + 1) * sizeof *all);
    if (!all) {
        s->no_memory = true;
        return NULL;
    }
    out->items = all;
    struct ini_item *item = &all[out->item_count];
    *item = (struct ini_item){.line = s->line_number};
    item->section = strdup(section);
    if (key) item->key = strdup(key);
    if (!item->section || (key && !item->key)) {
        free(item->section);
        free(item->key);
        s->no_memory = true;
        return NULL;
    }
    out->item_count++;
    return item;
}

static const struct ini_item *find_item(const struct ini *ini, const char *section, const char *key)
{
    for (size_t i = 0; i < ini->item_count; i++) {
        const struct ini_item *item = &ini->items[i];
        if (strcmp(item->section, section) != 0) continue;
        if (key ? item->key && strcmp(item->key, key) == 0 : !item->key) return item;
    }
    return NULL;
}

/* The value of the last key is complete. */
static void finish_value(struct scan *s)
{
    if (s->last) {
        s->last->value = strdup(s->value.bytes ? s->value.data : "");
        if (!s->last->value || s->value.failed) s->no_memory = true;
    }
    s->last = NULL;
    buf_clear(&s->value);
}

/* ---- judging lines ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char *trim_end(char *text, size_t bytes)
{
    while (bytes > 0 && is_blank(text[bytes - 1])) bytes--;
    text[bytes] = '\0';
    return text;
}

/* The length of the quoted part that begins at `text`, both quotes included; 0 if it is not closed. */
static size_t quoted_bytes(const char *text)
{
    for (size_t i = 1; text[i]; i++) {
        if (text[i] == '\\' && text[i + 1])
            i++;
        else if (text[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Where a value ends: before a comment, outside quotes. False if a quote is left open. */
static bool value_end(const char *text, size_t *end)
{
    bool item_start = true;
    size_t i = 0;
    while (text[i]) {
        if (text[i] == '"' && item_start) {
            size_t quoted = quoted_bytes(text + i);
            if (quoted == 0) return false;
            i += quoted;
            item_start = false;
            continue;
        }
        if (text[i] == ';' && i > 0 && is_blank(text[i - 1])) break;
        if (!is_blank(text[i])) item_start = text[i] == ',';
        i++;
    }
    *end = i;
    return true;
}

/* Looks like `key =`: what an indented line should not. */
static bool looks_like_key(const char *text)
{
    size_t i = 0;
    if (!islower((unsigned char)text[0])) return false;
    while (islower((unsigned char)text[i]) || isdigit((unsigned char)text[i]) || text[i] == '_' ||
           text[i] == '.')
        i++;
    while (is_blank(text[i])) i++;
    return text[i] == '=';
}

/* Appends `separator` and the value at `text` to what the key has so far. */
static bool take_value(struct scan *s, const char *separator, char *text)
{
    size_t end = 0;
    if (!value_end(text, &end)) {
        add_problem(s, s->line_number, "a quote (\") is opened and not closed on this line");
        return false;
    }
    buf_puts(&s->value, separator);
    buf_puts(&s->value, trim_end(text, end));
    return true;
}

/* The name between the brackets, in place; NULL after telling why there is none. */
static char *section_name(struct scan *s, char *text)
{
    char *end = strchr(text, ']');
    if (!end) {
        add_problem(s, s->line_number, "the section's name is not closed by ]");
        return NULL;
    }
    const char *after = end + 1;
    while (is_blank(*after)) after++;
    if (*after && *after != ';' && *after != '#') {
        add_problem(s, s->line_number, "there is something after the section's ]");
        return NULL;
    }
    char *name = text + 1;
    while (is_blank(*name)) name++;
    trim_end(name, (size_t)(end - name));
    size_t bytes = strlen(name);
    if (bytes > 0 && bytes <= INI_SECTION_MAX_BYTES) return name;
    if (bytes == 0)
        add_problem(s, s->line_number, "a section without a name");
    else
        add_problem(s, s->line_number, "the section's name is longer than %d bytes", INI_SECTION_MAX_BYTES);
    return NULL;
}

static void judge_section(struct scan *s, char *text, char *out, size_t space)
{
    s->open_value = false;
    const char *name = section_name(s, text);
    const struct ini_item *twin = name ? find_item(s->out, name, NULL) : NULL;
    if (twin)
        add_problem(s, s->line_number, "section [%s] was already begun on line %u", name, twin->line);
    else if (name)
        add_item(s, name, NULL);
    (void)snprintf(out, space, "[%s]\n", name && !twin ? name : NOWHERE);
}

static void judge_continuation(struct scan *s, char *text, char *out, size_t space)
{
    if (*text == '[' && strchr(text, ']')) {
        finish_value(s);
        add_problem(s, s->line_number, "a section's line must not be indented");
        judge_section(s, text, out, space);
    } else if (looks_like_key(text)) {
        add_problem(s, s->line_number,
                    "an indented line continues the value above it; this one looks like a key (put it "
                    "in quotes if it is a value)");
    } else if (!s->open_value) {
        add_problem(s, s->line_number, "an indented line, but no value above it to continue");
    } else {
        (void)take_value(s, "\n", text);
    }
}

static void judge_key(struct scan *s, char *text, char *out, size_t space)
{
    finish_value(s);
    s->open_value = false;
    size_t split = strcspn(text, "=:");
    size_t comment = 0;
    while (text[comment] && !(text[comment] == ';' && comment > 0 && is_blank(text[comment - 1]))) comment++;
    if (!text[split] || split == 0 || comment < split) {
        add_problem(s, s->line_number,
                    split == 0 && text[0] ? "a value without a key" : "neither [section] nor key = value");
        return;
    }
    text[split] = '\0';
    trim_end(text, split);
    char *value = text + split + 1;
    while (is_blank(*value)) value++;
    if (*value == ';' && is_blank(value[-1])) *value = '\0';
    if (strlen(text) > KEY_MAX_BYTES) {
        add_problem(s, s->line_number, "the key is longer than %d bytes", KEY_MAX_BYTES);
        return;
    }
    s->open_value = true;
    if (!take_value(s, "", value)) return;
    (void)snprintf(out, space, "%s=\n", text);
    s->key_given = true;
}

static void judge_line(struct scan *s, size_t bytes, char *out, size_t space)
{
    char *text = s->line;
    while (bytes > 0 && (text[bytes - 1] == '\n' || text[bytes - 1] == '\r')) text[--bytes] = '\0';
    if (s->line_number == 1 && bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, bytes -= 3;
    if (bytes > INI_LINE_MAX_BYTES) {
        add_problem(s, s->line_number, "the line is longer than %d bytes", INI_LINE_MAX_BYTES);
        return;
    }
    bool odd = false;
    for (size_t i = 0; i < bytes; i++)
        odd = odd || ((unsigned char)text[i] < 32 && text[i] != '\t') || text[i] == 127;
    if (odd || !utf8_valid(text, bytes)) {
        add_problem(s, s->line_number,
                    odd ? "there is a control character in this line" : "this line is not UTF-8");
        return;
    }
    char *start = text;
    while (is_blank(*start)) start++;
    if (!*start || *start == ';' || *start == '#') return;
    if (start > text)
        judge_continuation(s, start, out, space);
    else if (*start == '[')
        finish_value(s), judge_section(s, start, out, space);
    else
        judge_key(s, start, out, space);
}

/* ---- what inih calls ---- */

/* A key that inih passed over must not get lost. */
static void check_taken(struct scan *s)
{
    if (s->key_given) add_problem(s, s->line_number, "the line could not be read");
    s->key_given = false;
}

/* ini_reader: fgets over judged lines. `num` counts the NUL. */
static char *read_judged(char *str, int num, void *stream)
{
    struct scan *s = stream;
    check_taken(s);
    if (s->no_memory) return NULL;
    ssize_t bytes = getline(&s->line, &s->line_capacity, s->file);
    if (bytes < 0) return NULL;
    s->line_number++;
    memcpy(str, "\n", 2);
    judge_line(s, (size_t)bytes, str, (size_t)num);
    return str;
}

/* ini_handler: the key of the line that was judged last. */
static int take_key(void *user, const char *section, const char *key, const char *value)
{
    struct scan *s = user;
    (void)value;
    s->key_given = false;
    if (strcmp(section, NOWHERE) == 0) return 1;
    const struct ini_item *twin = find_item(s->out, section, key);
    if (twin)
        add_problem(s, s->line_number, "%s was already set on line %u", key, twin->line);
    else
        s->last = add_item(s, section, key);
    return 1;
}

enum lks_code ini_read(struct ini *out, FILE *file, struct lks_err *err)
{
    *out = (struct ini){0};
    struct scan s = {.out = out, .file = file};
    buf_init(&s.value, 0);
    errno = 0;
    (void)ini_parse_stream(read_judged, &s, take_key, &s);
    check_taken(&s);
    finish_value(&s);
    enum lks_code code = LKS_E_OK;
    if (ferror(file))
        code = lks_fail(err, LKS_E_IO, "%s", strerror(errno ? errno : EIO));
    else if (s.no_memory)
        code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    free(s.line);
    buf_fini(&s.value);
    return code;
}

void ini_fini(struct ini *ini)
{
    for (size_t i = 0; i < ini->item_count; i++) {
        free(ini->items[i].section);
        free(ini->items[i].key);
        free(ini->items[i].value);
    }
    for (size_t i = 0; i < ini->problem_count; i++) free(ini->problems[i].text);
    free(ini->items);
    free(ini->problems);
    *ini = (struct ini){0};
}

/* ---- values ---- */

/* Copies what is between the quotes of text[0..bytes), escapes undone. */
static char *inside_quotes(const char *text, size_t bytes)
{
    char *out = malloc(bytes);
    if (!out) return NULL;
    size_t n = 0;
    for (size_t i = 1; i + 1 < bytes; i++) {
        char c = text[i];
        if (c == '\\' && i + 2 < bytes) {
            char next = text[i + 1];
            if (next == '"' || next == '\\')
                c = next, i++;
            else if (next == 'n')
                c = '\n', i++;
            else if (next == 't')
                c = '\t', i++;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

char *ini_unquote(const char *value, const char **reason)
{
    *reason = NULL;
    if (value[0] != '"') return strdup(value);
    size_t bytes = quoted_bytes(value);
    if (bytes == 0)
        *reason = "the quote (\") is not closed";
    else if (value[bytes])
        *reason = "there is text after the closing quote (\")";
    return *reason ? NULL : inside_quotes(value, bytes);
}

/* The end of the item that begins at `text`. */
static size_t item_bytes(const char *text)
{
    size_t i = 0, braces = 0;
    if (text[0] == '"') i = quoted_bytes(text);
    for (; text[i]; i++) {
        if (text[i] == '\n') break;
        if (text[i] == '{')
            braces++;
        else if (text[i] == '}' && braces > 0)
            braces--;
        else if (text[i] == ',' && braces == 0)
            break;
    }
    return i;
}

char **ini_list(const char *value, const char **reason)
{
    *reason = NULL;
    size_t count = 0, capacity = 8;
    char **items = calloc(capacity, sizeof *items);
    const char *at = value;
    while (items && *at) {
        while (is_blank(*at) || *at == ',' || *at == '\n') at++;
        if (!*at) break;
        size_t bytes = item_bytes(at);
        char *copy = strndup(at, bytes);
        at += bytes;
        char *item = copy ? ini_unquote(trim_end(copy, bytes), reason) : NULL;
        free(copy);
        if (count + 2 > capacity) {
            char **more = realloc(items, 2 * capacity * sizeof *items);
            if (more)
                items = more, capacity *= 2;
            else
                free(item), item = NULL;
        }
        if (!item) {
            items[count] = NULL;
            ini_list_free(items);
            return NULL;
        }
        items[count++] = item;
        items[count] = NULL;
    }
    return items;
}

void ini_list_free(char **items)
{
    for (size_t i = 0; items && items[i]; i++) free(items[i]);
    free(items);
}
