/*
 * jsonpath.h - Qdrant's payload keys: `a.b`, `a[].b`, `a[0]`, `"a.b".c`.
 *
 * A parsed path lives in an arena. Reading a path that meets an array goes on only through `[]` or `[n]`.
 */
#ifndef DOUBLE_QDRANT_STORE_JSONPATH_H
#define DOUBLE_QDRANT_STORE_JSONPATH_H

#include "qdrant_store/json.h"

enum jsonpath_step_type { JSONPATH_KEY, JSONPATH_INDEX, JSONPATH_ANY };

struct jsonpath_step {
    enum jsonpath_step_type type;
    const char *key;
    size_t key_bytes;
    uint64_t index;
};

struct jsonpath {
    const char *text; /* as Qdrant writes it back: quoted only where it must be */
    struct jsonpath_step *steps;
    size_t count; /* at least 1, the first a key */
};

/* False if `text` is no path. */
bool jsonpath_parse(struct pool *a, const char *text, size_t bytes, struct jsonpath *out);

/* Called for every value a path leads to; returning false ends the walk. */
typedef bool jsonpath_visit(void *user, const struct json *value);

/* Walks the values that `path` leads to, from step `from`. False if the visitor ended it. */
bool jsonpath_walk(const struct jsonpath *path, size_t from, const struct json *value, jsonpath_visit *visit,
                   void *user);

#endif
