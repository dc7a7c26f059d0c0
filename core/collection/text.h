/*
 * text.h - the text that is embedded: values of fields, repeated by weight, and sentences. Pure.
 *
 * The rules are those of docs/reference/documents.md; where it is silent: a string is taken as it is (blank
 * ones, of white space alone, count as nothing, but nothing is trimmed), dates as ISO 8601 in UTC, ObjectIds
 * as hex digits; NaN, infinities, binary data and the rarer types give nothing.
 */
#ifndef LOCKSTEP_COLLECTION_TEXT_H
#define LOCKSTEP_COLLECTION_TEXT_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct sentence;
struct view;

/* A text that grows part by part; what would pass `max_bytes` is cut off at a character. */
struct text {
    struct buf out;
    size_t max_bytes;
    bool full; /* something was cut off: nothing more is taken */
};

void text_init(struct text *t, size_t max_bytes);
void text_fini(struct text *t);
/* The space before a part, unless it is the first one. */
void text_piece(struct text *t);
/* Bytes of the part that was begun; invalid UTF-8 becomes U+FFFD. */
void text_put(struct text *t, const char *bytes, size_t count);

/* A value as text. `bytes` may be any bytes. False ends the walk. */
typedef bool (*text_visit)(void *context, const char *bytes, size_t count);

/*
 * Calls `visit` for each text that the field at `path` of the view gives: one of a scalar, those of the
 * elements of an array (nested ones flattened) in their order, none of what counts as nothing.
 */
bool text_each(const struct view *view, const char *path, text_visit visit, void *context);

/* True if the field gives at least one. */
bool text_any(const struct view *view, const char *path);

/* Each value of the field as a part, `times` times. */
void text_weighted(struct text *t, const struct view *view, const char *path, unsigned times);
/* The sentence as a part, unless one of its fields has nothing. */
void text_sentence(struct text *t, const struct view *view, const struct sentence *sentence);

#endif
