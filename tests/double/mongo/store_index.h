/* store_index.h - indexes as the store keeps them. */
#ifndef DOUBLE_MONGO_STORE_INDEX_H
#define DOUBLE_MONGO_STORE_INDEX_H

#include "store.h"

void index_free(struct index *ix);
/* Adds the record's keys; entries of `except` do not count as duplicates. */
int index_add(const struct coll *c, struct index *ix, struct rec *r, const struct rec *except,
              struct merr *err);
void index_remove(struct index *ix, struct rec *r);
/* The record's place is taken by another version of it. */
int index_change(const struct coll *c, struct index *ix, struct rec *old, struct rec *now, struct merr *err);

#endif
