/* query.h - finding records: by index where one fits, else by looking at all. */
#ifndef DOUBLE_MONGO_QUERY_H
#define DOUBLE_MONGO_QUERY_H

#include "store.h"

struct query_spec {
    struct val filter; /* none or a document */
    struct val sort, hint, min, max;
    int64_t skip, limit;               /* limit 0: none */
    struct val projection, batch_size; /* only for error messages */
};

struct query;
/*
 * Plans a query on `c` (NULL: no such collection, and nothing will be found). Keeps a reference to it, and
 * refers to the bytes of the spec.
 */
int query_open(struct pool *a, struct coll *c, const struct query_spec *spec, struct ectx *ectx,
               struct query **out, struct merr *err);
/* Gives the query up; its memory belongs to the pool. */
void query_close(struct query *q);
/* The next match, or NULL at the end or after an error (see the context). Valid until the collection changes.
 */
struct rec *query_next(struct query *q, struct ectx *ectx);
/* True if it is known, without looking, that nothing more will come. */
bool query_at_end(const struct query *q);
/* Makes the query survive changes of the collection until query_next is called again. */
void query_save(struct query *q);
/* The filter, for who wants to know where its positional operator points or what an upsert starts from. */
const struct match *query_filter(const struct query *q);
int64_t query_array_index(const struct query *q);
struct coll *query_coll(const struct query *q);

#endif
