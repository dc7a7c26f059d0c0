/* update.h - what an update does to a document: operators, replacement, pipeline. */
#ifndef DOUBLE_MONGO_UPDATE_H
#define DOUBLE_MONGO_UPDATE_H

#include "expr.h"
#include "match.h"

struct update;

/* Parses `spec` (document or pipeline). Refers to the bytes of `spec` and `array_filters`. */
int update_parse(struct pool *a, struct val spec, struct val array_filters, struct update **out,
                 struct merr *err);
bool update_is_replacement(const struct update *u);
bool update_is_pipeline(const struct update *u);

struct update_result {
    struct val doc;
    bool changed;
    bool replaced;    /* the oplog carries the whole document, and streams say "replace" */
    struct val set;   /* otherwise: what was set, by dotted path, as streams show it */
    struct val unset; /* and an array of the paths that were removed */
};

/*
 * Applies to `old`; the result lives in the context's pool. `array_index` is where the query matched (for
 * the positional operator), -1 if nowhere. With `insert` the document is new: $setOnInsert counts.
 */
int update_apply(const struct update *u, struct val old, bool insert, int64_t array_index, struct ectx *c,
                 struct update_result *r);
/* What an upsert starts from: the equalities that the query states. */
int update_seed(struct pool *a, const struct match *query, struct val *out, struct merr *err);

#endif
