/*
 * select.h - the points of a collection that pass a filter, found through the indexes where they help.
 *
 * The collection's lock is held by the caller.
 */
#ifndef DOUBLE_QDRANT_STORE_SELECT_H
#define DOUBLE_QDRANT_STORE_SELECT_H

#include "qdrant_store/collection.h"

struct slots {
    uint32_t *list; /* malloc'd, the caller's */
    size_t count;
    size_t space;
};

void slots_add(struct slots *s, uint32_t slot);

/* Notes in the text conditions of the filter whether their field has a text index. Once per request. */
void select_bind(const struct collection *c, struct filter *f);
/* Every point that passes (all, if the filter is NULL), in no order. */
void select_all(const struct collection *c, const struct filter *f, struct slots *out);
/* The first `limit` that pass, in the order of ids, from `from` (NULL: the first) on. */
void select_ordered(const struct collection *c, const struct filter *f, const struct pointid *from,
                    size_t limit, struct slots *out);
size_t select_count(const struct collection *c, const struct filter *f);
/* Does this one pass? `a` is scratch. */
bool select_matches(const struct collection *c, const struct filter *f, uint32_t slot, struct pool *a);

#endif
