/*
 * reader.c - a scenario file as lines, scenarios and procedures; a line as words.
 *
 * A line is a command. A JSON value may go on over several lines until its brackets are closed. Empty lines
 * and lines that begin with # are left out. Knows no command by name but those that give a file its parts.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/scenario.h"

_Noreturn __attribute__((format(printf, 3, 4))) static void malformed(const char *path, int number,
                                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: ", path, number);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    /* the TAP driver shows standard output only */
    printf("Bail out! %s:%d is malformed\n", path, number);
    exit(EXIT_FAILURE);
}

static void *grown(void *list, size_t count, size_t bytes)
{
    void *more = realloc(list, (count + 1) * bytes);
    if (!more) abort();
    return more;
}

/* How many brackets are open at the end of a text; -1 inside a string. */
static int open_brackets(const char *text)
{
    int depth = 0;
    bool quoted = false;
    for (; *text; text++) {
        if (*text == '\\' && quoted && text[1])
            text++;
        else if (*text == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += (*text == '{' || *text == '[') - (*text == '}' || *text == ']');
    }
    return quoted ? -1 : depth;
}

static void trim(char *text)
{
    size_t skip = strspn(text, " \t"), bytes = strlen(text);
    while (bytes > skip && strchr(" \t\r\n", text[bytes - 1])) bytes--;
    memmove(text, text + skip, bytes - skip);
    text[bytes - skip] = '\0';
}

/* Adds a line of the file to the one before if that is not complete. True if it did. */
static bool continues(struct scenario_file *f, const char *text, int *open)
{
    if (*open <= 0) return false;
    char **before = &f->lines[f->line_count - 1].text;
    size_t bytes = strlen(*before) + strlen(text) + 2;
    char *both = malloc(bytes);
    if (!both) abort();
    snprintf(both, bytes, "%s %s", *before, text);
    free(*before);
    *before = both;
    *open = open_brackets(both);
    return true;
}

static void read_lines(struct scenario_file *f)
{
    char *text = NULL;
    size_t space = 0;
    int number = 0, open = 0;
    FILE *file = fopen(f->path, "re");
    if (!file) malformed(f->path, 0, "%s", strerror(errno));
    while (getline(&text, &space, file) > 0) {
        number++;
        trim(text);
        if (!*text || *text == '#') continue;
        if (!continues(f, text, &open)) {
            f->lines = grown(f->lines, f->line_count, sizeof *f->lines);
            f->lines[f->line_count++] = (struct line){.number = number, .text = strdup(text)};
            open = open_brackets(text);
        }
        if (open < 0) malformed(f->path, number, "a string is not closed at the end of the line");
    }
    if (open > 0) malformed(f->path, f->lines[f->line_count - 1].number, "a bracket is never closed");
    free(text);
    fclose(file);
}

/* The first word of a line; what follows it in *rest. */
static size_t first_word(const char *text, const char **rest)
{
    size_t bytes = strcspn(text, " \t");
    *rest = text + bytes + strspn(text + bytes, " \t");
    return bytes;
}

static bool begins(const char *text, const char *word, const char **rest)
{
    size_t bytes = first_word(text, rest);
    return bytes == strlen(word) && strncmp(text, word, bytes) == 0;
}

static struct block *add_block(struct block **list, size_t *count, const char *name, size_t first)
{
    *list = grown(*list, *count, sizeof **list);
    struct block *b = &(*list)[(*count)++];
    *b = (struct block){.first = first, .end = first};
    snprintf(b->name, sizeof b->name, "%s", name);
    return b;
}

/* A scenario's name as that of a test. */
static void name_scenario(struct block *b)
{
    for (char *c = b->name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-') *c = '_';
}

static void check_line(const struct scenario_file *f, const struct line *line)
{
    const char *rest;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)first_word(line->text, &rest), line->text);
    if (is_command(word) || scenario_procedure(f, word)) return;
    malformed(f->path, line->number, "unknown command \"%s\"; docs/reference/scenarios.md lists the commands",
              word);
}

/* Which lines belong to which scenario and procedure. */
static void find_blocks(struct scenario_file *f)
{
    struct block *b = NULL;
    bool both = false, defining = false;
    size_t depth = 0;
    for (size_t i = 0; i < f->line_count; i++) {
        const char *text = f->lines[i].text, *rest;
        int number = f->lines[i].number;
        bool scenario = begins(text, "scenario", &rest), define = !scenario && begins(text, "define", &rest);
        if (scenario || define) {
            if (depth || defining) malformed(f->path, number, "an `end` is missing before this line");
            if (!*rest) malformed(f->path, number, "a name is missing");
            b = scenario ? add_block(&f->scenarios, &f->scenario_count, rest, i + 1)
                         : add_block(&f->procedures, &f->procedure_count, rest, i + 1);
            b->both = both;
            if (scenario) name_scenario(b);
            defining = define;
        } else if (begins(text, "records", &rest)) {
            bool is_both = strcmp(rest, "both") == 0;
            if (!is_both && strcmp(rest, "embedded") != 0)
                malformed(f->path, number, "`records` takes both or embedded, not \"%s\"", rest);
            *(b ? &b->both : &both) = is_both;
        } else if (!b) {
            malformed(f->path, number, "a command before the first `scenario`");
        } else if (begins(text, "end", &rest) && depth == 0) {
            if (!defining) malformed(f->path, number, "an `end` without `define` or `repeat`");
            defining = false;
            b = NULL;
        } else {
            depth += begins(text, "repeat", &rest);
            depth -= begins(text, "end", &rest);
        }
        if (b) b->end = i + 1;
    }
    if (depth || defining) malformed(f->path, f->lines[f->line_count - 1].number, "an `end` is missing");
}

void scenario_read(struct scenario_file *f, const char *path)
{
    *f = (struct scenario_file){.path = path};
    read_lines(f);
    find_blocks(f);
    if (f->scenario_count == 0) malformed(path, 1, "there is no `scenario NAME`");
    for (size_t i = 0; i < f->line_count; i++) check_line(f, &f->lines[i]);
}

void scenario_fini(struct scenario_file *f)
{
    for (size_t i = 0; i < f->line_count; i++) free(f->lines[i].text);
    free(f->lines);
    free(f->scenarios);
    free(f->procedures);
}

const struct block *scenario_procedure(const struct scenario_file *f, const char *name)
{
    for (size_t i = 0; i < f->procedure_count; i++)
        if (strcmp(f->procedures[i].name, name) == 0) return &f->procedures[i];
    return NULL;
}

/* ---- lines ---- */

/* The value of %NAME; in `some`, or borrowed. */
static const char *variable(struct run *r, const char *name, char *some, size_t bytes)
{
    static const char *const servers[] = {"mongodb", "qdrant", "embedder", "spare", "api"};
    size_t number = strtoul(name, NULL, 10);
    if (isdigit((unsigned char)*name)) {
        if (number < 1 || number > r->argument_count) STOP(r, "%%%s: there is no such argument", name);
        return r->arguments[number - 1];
    }
    for (size_t i = 0; i < r->variable_count; i++)
        if (strcmp(r->variables[i].name, name) == 0) return r->variables[i].value;
    if (strcmp(name, "folder") == 0) return r->w.folder;
    if (strcmp(name, "database") == 0) return r->w.database;
    *some = '\0';
    if (strcmp(name, "n") == 0) snprintf(some, bytes, "%zu", r->round);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        if (strcmp(name, servers[i]) != 0) continue;
        struct live_process *p = process_named(r, name);
        snprintf(some, bytes, "%s://127.0.0.1:%d", i ? "http" : "mongodb", p->port);
        if (p->real) snprintf(some, bytes, "%s", p->real);
    }
    if (!*some) STOP(r, "there is no variable %%%s (write %%%% for a per cent sign)", name);
    return some;
}

char *line_expand(struct run *r, const char *text)
{
    struct buf out;
    buf_init(&out, 0);
    while (*text) {
        size_t plain = strcspn(text, "%"), bytes = 0;
        buf_put(&out, text, plain);
        text += plain;
        if (!*text) break;
        if (*++text == '%') {
            buf_puts(&out, "%");
            text++;
            continue;
        }
        char name[32], some[300];
        if (isdigit((unsigned char)*text))
            bytes = 1;
        else
            while (isalpha((unsigned char)text[bytes])) bytes++;
        snprintf(name, sizeof name, "%.*s", (int)bytes, text);
        buf_puts(&out, variable(r, name, some, sizeof some));
        text += bytes;
    }
    char *expanded = out.bytes ? buf_take(&out, NULL) : strdup("");
    buf_fini(&out);
    return expanded;
}

/* Bytes of a string or of a JSON value that begins here. */
static size_t json_bytes(const char *text)
{
    size_t i = 0, depth = 0;
    bool quoted = false;
    do {
        if (text[i] == '\\' && quoted && text[i + 1])
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!quoted && (text[i] == '}' || text[i] == ']'))
            depth--;
        i++;
    } while (text[i] && (quoted || depth > 0));
    return i;
}

void line_split(struct run *r, const char *text)
{
    for (size_t i = 0; i < r->word_count; i++) free(r->words[i]);
    r->word_count = 0;
    while (*(text += strspn(text, " \t"))) {
        size_t bytes = strchr("{[\"", *text) ? json_bytes(text) : strcspn(text, " \t");
        if (r->word_count == WORDS_MAX) STOP(r, "more than %d words", WORDS_MAX);
        r->words[r->word_count++] = strndup(text, bytes);
        text += bytes;
    }
}
