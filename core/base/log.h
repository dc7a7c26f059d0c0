/*
 * log.h - one line per event on standard error: time, level, message, key=value (or one JSON object).
 *
 * Never document text, never a secret. Lines of several threads do not mix. A line has at most 8 KiB: values
 * that are longer than their share are cut and end in `...`. Source of the text form: logfmt.
 */
#ifndef LOCKSTEP_BASE_LOG_H
#define LOCKSTEP_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Trace is for people who follow one document through the code: every move of every state machine. */
enum log_level {
    LOG_LEVEL_TRACE = -1,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_OFF
};

/* A key and its value; made by the macros below. A NULL text is left out. */
struct log_field {
    const char *key;
    const char *text;
    int64_t number;
    bool is_number;
};
#define LOG_STR(k, v) ((struct log_field){.key = (k), .text = (v)})
#define LOG_INT(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v), .is_number = true})

/* Set once, before threads start. The default is info, as text, to standard error. */
void log_setup(enum log_level level, bool json);
/* From now on every line is written, whatever level is set up. */
void log_trace(void);
bool log_enabled(enum log_level level);
/* "debug", "info", "warn", "error", "off"; false for another word. */
bool log_level_parse(const char *name, enum log_level *level);

/* Writes one line. Thread-safe. A line that can't be written (full disk) is dropped without a word. */
void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

/* The last field says nothing; it is there so that a line without fields has one, too. */
#define LOG_NO_FIELD ((struct log_field){.key = NULL})
#define LOG_WITH(level, message, ...)                                                                        \
    log_write((level), (message), (const struct log_field[]){__VA_ARGS__},                                   \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_debug(...) LOG_WITH(LOG_LEVEL_DEBUG, __VA_ARGS__, LOG_NO_FIELD)
#define log_info(...) LOG_WITH(LOG_LEVEL_INFO, __VA_ARGS__, LOG_NO_FIELD)
#define log_warn(...) LOG_WITH(LOG_LEVEL_WARN, __VA_ARGS__, LOG_NO_FIELD)
#define log_error(...) LOG_WITH(LOG_LEVEL_ERROR, __VA_ARGS__, LOG_NO_FIELD)

#endif
