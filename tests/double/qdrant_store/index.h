/*
 * index.h - payload indexes: which points hold a value under a key.
 *
 * Keyword, integer, bool and uuid indexes answer "which points hold this value" from a hash table; the other
 * types only count and let the point checks do the work. Values are known by a 64-bit hash: whoever reads
 * candidates checks each against the filter, and a count alone trusts the hash.
 */
#ifndef DOUBLE_QDRANT_STORE_INDEX_H
#define DOUBLE_QDRANT_STORE_INDEX_H

#include "qdrant_store/filter.h"

enum index_type {
    INDEX_KEYWORD,
    INDEX_INTEGER,
    INDEX_FLOAT,
    INDEX_GEO,
    INDEX_TEXT,
    INDEX_BOOL,
    INDEX_DATETIME,
    INDEX_UUID,
    INDEX_TYPES
};

struct index_entry;

struct field_index {
    struct field_index *next;
    char *field;       /* the key as Qdrant writes it back */
    struct pool arena; /* holds the path */
    struct jsonpath path;
    enum index_type type;
    char *params;                /* the schema object as given, compact, or NULL for a bare type */
    bool lookup, range;          /* an integer index may be made without one of them */
    uint64_t points;             /* points with at least one value of the type */
    struct index_entry *entries; /* open addressing */
    size_t used;
    size_t capacity;
};

struct field_index *index_new(const char *field, enum index_type type, const char *params);
void index_free(struct field_index *x);
/* "keyword" and so on; INDEX_TYPES if it is none. */
enum index_type index_type_parse(const struct json *v);
const char *index_type_name(enum index_type type);

/* Notes the values that `payload` has for this key under `slot`, or forgets them. */
void index_add(struct field_index *x, uint32_t slot, const struct json *payload);
void index_remove(struct field_index *x, uint32_t slot, const struct json *payload);

/* True if the index can list the points with this value (a string, integer or boolean as in a match). */
bool index_answers(const struct field_index *x, const struct json *value);
size_t index_count(const struct field_index *x, const struct json *value);
/* Calls `visit` for each slot that may hold the value. */
void index_each(const struct field_index *x, const struct json *value,
                void (*visit)(void *user, uint32_t slot), void *user);

/* True if a filter condition on this key is served by the index (what strict mode asks). */
bool index_serves(const struct field_index *x, const struct condition *c);

#endif
