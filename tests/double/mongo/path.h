/* path.h - dotted paths, and the values they reach with the server's rules about arrays. */
#ifndef DOUBLE_MONGO_PATH_H
#define DOUBLE_MONGO_PATH_H

#include "err.h"

struct piece {
    const char *s;
    uint32_t n;
    bool numeric; /* can be an array index */
    uint32_t index;
};
struct path {
    const char *text;
    uint32_t n;
    struct piece pieces[];
};

/* Splits `text` at its dots; the result refers to a copy in the pool. NULL if it has too many parts. */
struct path *path_parse(struct pool *a, const char *text, size_t bytes);

enum path_leaf {
    PATH_LEAF_WHOLE,   /* an array at the end counts as itself */
    PATH_LEAF_ELEMENTS /* its elements count too, before itself */
};

/*
 * Calls `visit` for each value that queries see at the path, with VAL_NONE where a document lacks it, until
 * it returns true. `index` is the position in the outermost array that was entered on the way, -1 if none.
 */
typedef bool path_visit_fn(void *ctx, struct val v, int64_t index);
bool path_visit(const struct path *p, struct val doc, enum path_leaf leaf, path_visit_fn *visit, void *ctx);
/* The same from part `from` on. */
bool path_visit_from(const struct path *p, uint32_t from, struct val doc, enum path_leaf leaf,
                     path_visit_fn *visit, void *ctx);

#endif
