/* log.c - formats a line into one buffer and writes it with one write(2), so that lines of threads do not
 * mix. */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/utf8.h"

#define LINE_BYTES 8192

static enum log_level threshold = LOG_LEVEL_INFO;
static bool as_json = false;
static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

void log_setup(enum log_level level, bool json)
{
    threshold = level;
    as_json = json;
}

bool log_enabled(enum log_level level)
{
    return level >= threshold && level < LOG_LEVEL_OFF;
}

bool log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

/* A quoted string with the escapes of JSON, which logfmt readers know too; invalid UTF-8 is mended. */
static void put_quoted(struct buf *line, const char *text)
{
    size_t bytes = strlen(text);
    buf_putc(line, '"');
    for (size_t i = 0; i < bytes;) {
        size_t skip, length = utf8_step(text + i, bytes - i, &skip);
        unsigned char c = (unsigned char)text[i];
        if (!length) {
            buf_puts(line, "\xEF\xBF\xBD");
            length = skip;
        } else if (c == '"' || c == '\\') {
            buf_printf(line, "\\%c", c);
        } else if (c < 0x20 || c == 0x7F) {
            buf_printf(line, "\\u%04x", c);
        } else {
            buf_put(line, text + i, length);
        }
        i += length;
    }
    buf_putc(line, '"');
}

static bool is_plain(const char *text)
{
    if (!*text) return false;
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || (unsigned char)*c >= 0x7F) return false;
    return true;
}

static void put_field(struct buf *line, const struct log_field *field)
{
    if (!field->key || (!field->is_number && !field->text)) return;
    if (as_json)
        buf_printf(line, ",\"%s\":", field->key);
    else
        buf_printf(line, " %s=", field->key);
    if (field->is_number)
        buf_printf(line, "%lld", (long long)field->number);
    else if (!as_json && is_plain(field->text))
        buf_puts(line, field->text);
    else
        put_quoted(line, field->text);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    if (!log_enabled(level)) return;
    struct timespec now;
    struct tm utc;
    char stamp[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);

    struct buf line;
    buf_init(&line, LINE_BYTES);
    if (as_json) {
        buf_printf(&line, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"message\":", stamp,
                   now.tv_nsec / 1000000, level_names[level]);
        put_quoted(&line, message);
    } else {
        buf_printf(&line, "%s.%03ldZ %-5s %s", stamp, now.tv_nsec / 1000000, level_names[level], message);
    }
    for (size_t i = 0; i < count; i++) put_field(&line, &fields[i]);
    if (!line.failed) {
        buf_puts(&line, as_json ? "}\n" : "\n");
        if (!line.failed && write(STDERR_FILENO, line.data, line.bytes) < 0) { /* nowhere to say so */
        }
    }
    buf_fini(&line);
}
