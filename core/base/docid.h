/*
 * docid.h - a document's `_id`, whatever its BSON type, as one opaque value that can be compared, hashed and
 * printed.
 */
#ifndef LOCKSTEP_BASE_DOCID_H
#define LOCKSTEP_BASE_DOCID_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Immutable once made; heap-allocated in one piece; freed by docid_free(). */
struct docid {
    uint32_t bytes; /* of `data` */
    uint8_t data[]; /* a whole BSON document {"_id": value}, the value in canonical form */
};

/* Copies the value `iter` stands on, in its canonical form (canonical.h). NULL when memory is out. */
struct docid *docid_new(const bson_iter_t *iter);
/* Copies the `_id` of `doc`; NULL when it has none or memory is out. */
struct docid *docid_of(const bson_t *doc);
struct docid *docid_copy(const struct docid *id);
void docid_free(struct docid *id);

/* Equal for MongoDB by its simple collation: 1, 1.0 and NumberDecimal("1.00") are one id. */
bool docid_equal(const struct docid *a, const struct docid *b);
/* Stable within a process only. */
uint64_t docid_hash(const struct docid *id);
/* MongoDB's sort order (BSON comparison order across types, numbers compared by value): <0, 0, >0. */
int docid_compare(const struct docid *a, const struct docid *b);

/* Puts an iterator on the value; it lives as long as the id. */
void docid_iter(const struct docid *id, bson_iter_t *iter);
/* Appends the value under `key`. */
bool docid_append(const struct docid *id, bson_t *to, const char *key);

/*
 * The value in canonical Extended JSON v2 (`{"$oid":"…"}`, `"text"`, `{"$numberInt":"1"}`), without spaces,
 * keys of documents in their order, invalid UTF-8 as U+FFFD. This is `_lockstep.doc`. To be freed by free();
 * NULL when memory is out.
 */
char *docid_json(const struct docid *id);
/* The reverse; *out is NULL if `json` is no value in Extended JSON. False when memory is out. */
bool docid_read(const char *json, struct docid **out);
/* The same for who needs no difference: NULL in both cases. */
struct docid *docid_parse(const char *json);
/* Puts the text of a canonical value in the place of `*text` (owned, free()) if that is one in another
 * spelling, as earlier versions wrote them: `{"$numberLong":"1"}` is `{"$numberInt":"1"}`. *changed says so.
 * False when memory is out. */
bool docid_respell(char **text, bool *changed);
/* As `_lockstep.key` shows a business id: a string by its own bytes up to a NUL, any other value as
 * docid_json. free() it; NULL when memory is out. */
char *docid_key(const struct docid *id);
/* The id as a person writes it, and as all lists show it: the string itself, a number's digits, the 24 hex
 * digits of an ObjectId, the text of a UUID (binary of subtype 3 or 4), anything else as docid_json. free()
 * it. */
char *docid_plain(const struct docid *id);
/* What docid_plain() would say of the business id that `_lockstep.key` shows as `key`; `typed`: the id field
 * is
 * `_id`, so that strings are quoted there. free() it; NULL when memory is out. */
char *docid_plain_of_key(const char *key, bool typed);
/* The same as JSON, for the payload's `id`: an integer up to 2^53 as a number, all others as strings. False
 * when memory is out. */
bool docid_put_payload(const struct docid *id, struct buf *out);

#endif
