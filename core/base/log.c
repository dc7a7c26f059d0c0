/* log.c - formats a line on the stack and writes it with one write(2), so that lines of threads do not mix. A
 * value that is too long is cut, so that the line always fits. */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

#define LINE_BYTES 8192
#define END_BYTES 8 /* what the shortest end needs: dots, quote, brace, line feed */
#define CUT "..."

/* The line under construction. What does not fit before `limit` is left out. */
struct line {
    char data[LINE_BYTES];
    size_t bytes;
    size_t limit; /* of the value being written; at most LINE_BYTES - END_BYTES */
};

static enum log_level threshold = LOG_LEVEL_INFO;
static bool as_json = false;
static bool tracing = false;
static const char *const level_names[] = {"trace", "debug", "info", "warn", "error", "off"};

void log_setup(enum log_level level, bool json)
{
    threshold = tracing ? LOG_LEVEL_TRACE : level;
    as_json = json;
}

void log_trace(void)
{
    tracing = true;
    threshold = LOG_LEVEL_TRACE;
}

bool log_enabled(enum log_level level)
{
    return level >= threshold && level < LOG_LEVEL_OFF;
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)((int)i + LOG_LEVEL_TRACE);
            return true;
        }
    return false;
}

static bool put(struct line *line, const char *text, size_t bytes)
{
    if (line->bytes + bytes > line->limit) return false;
    memcpy(line->data + line->bytes, text, bytes);
    line->bytes += bytes;
    return true;
}

/* For what must be there: quotes, dots, the end. It may use the room behind the limit. */
static void put_end(struct line *line, const char *text)
{
    size_t bytes = strlen(text);
    if (bytes > sizeof line->data - line->bytes) return;
    memcpy(line->data + line->bytes, text, bytes);
    line->bytes += bytes;
}

/* One character with the escapes of JSON, which logfmt readers know too. False if there is no room for it. */
static bool put_escaped(struct line *line, const char *character, size_t bytes)
{
    unsigned char c = (unsigned char)*character;
    char escape[8];
    if (bytes != 1 || (c >= 0x20 && c != 0x7F && c != '"' && c != '\\')) return put(line, character, bytes);
    int n = c == '"' || c == '\\' ? snprintf(escape, sizeof escape, "\\%c", c)
                                  : snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
    return put(line, escape, (size_t)n);
}

/* Text up to the limit, cut between characters; invalid UTF-8 is replaced. */
static void put_text(struct line *line, const char *text, bool escape)
{
    size_t bytes = strlen(text);
    for (size_t i = 0; i < bytes;) {
        size_t skip, length = utf8_step(text + i, bytes - i, &skip);
        bool fits = !length  ? put(line, "\xEF\xBF\xBD", 3)
                    : escape ? put_escaped(line, text + i, length)
                             : put(line, text + i, length);
        if (!fits) {
            put_end(line, CUT);
            return;
        }
        i += length ? length : skip;
    }
}

static bool is_plain(const char *text)
{
    if (!*text) return false;
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || (unsigned char)*c >= 0x7F) return false;
    return true;
}

static bool is_said(const struct log_field *field)
{
    return field->key && (field->is_number || field->text);
}

static void put_field(struct line *line, const struct log_field *field)
{
    char number[24];
    put_end(line, as_json ? ",\"" : " ");
    put_end(line, field->key);
    put_end(line, as_json ? "\":" : "=");
    if (field->is_number) {
        snprintf(number, sizeof number, "%lld", (long long)field->number);
        put_end(line, number);
    } else if (!as_json && is_plain(field->text)) {
        put_text(line, field->text, false);
    } else {
        put_end(line, "\"");
        put_text(line, field->text, true);
        put_end(line, "\"");
    }
}

/* What fields take even if their values are cut to nothing. */
static size_t least_bytes(const struct log_field *fields, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        if (is_said(&fields[i]))
            bytes += strlen(fields[i].key) + sizeof ",\"\":\"\"" CUT + 20 * fields[i].is_number;
    return bytes;
}

static size_t text_count(const struct log_field *fields, size_t count)
{
    size_t texts = 0;
    for (size_t i = 0; i < count; i++) texts += is_said(&fields[i]) && !fields[i].is_number;
    return texts;
}

/* What is left is divided evenly among the texts still to come. */
static void set_limit(struct line *line, const struct log_field *fields, size_t count, size_t texts)
{
    size_t needed = line->bytes + least_bytes(fields, count) + END_BYTES;
    size_t left = needed < sizeof line->data ? sizeof line->data - needed : 0;
    line->limit = line->bytes + (texts ? left / texts : left);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    if (!log_enabled(level)) return;
    struct timespec now;
    struct tm utc;
    struct line line = {.bytes = 0};
    char stamp[32], head[96];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(head, sizeof head,
             as_json ? "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"message\":\"" : "%s.%03ldZ %-5s ", stamp,
             now.tv_nsec / 1000000, level_names[level - LOG_LEVEL_TRACE]);
    put_end(&line, head);
    set_limit(&line, fields, count, 1 + text_count(fields, count));
    put_text(&line, message, as_json);
    if (as_json) put_end(&line, "\"");
    for (size_t i = 0; i < count; i++) {
        if (!is_said(&fields[i])) continue;
        set_limit(&line, fields + i, count - i, text_count(fields + i, count - i));
        if (!fields[i].is_number) line.limit += strlen(fields[i].key) + sizeof ",\"\":\"";
        put_field(&line, &fields[i]);
    }
    put_end(&line, as_json ? "}\n" : "\n");
    if (write(STDERR_FILENO, line.data, line.bytes) < 0) { /* nowhere to say so */
    }
}
