/* strict.h - the limits of a collection's strict mode. Each answers with the server's words and is false
 * where a limit is passed. The collection is open. */
#ifndef DOUBLE_QDRANT_HTTP_STRICT_H
#define DOUBLE_QDRANT_HTTP_STRICT_H

#include "qdrant_http/update.h"

bool strict_upsert(struct call *c, const struct update *u);
bool strict_update(struct call *c, const struct update *u);
/* A read: its filter (may be NULL), and its limit if it has one. */
bool strict_read(struct call *c, struct filter *f, bool has_limit, uint64_t limit);
bool strict_search_batch(struct call *c, uint64_t searches);
bool strict_exact(struct call *c, bool exact);
bool strict_ef(struct call *c, bool has_ef, uint64_t ef);
bool strict_index(struct call *c, const struct jsonpath *path);

#endif
