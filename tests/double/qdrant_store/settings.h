/* settings.h - a collection's configuration: read from a create or patch request, shown by GET. */
#ifndef DOUBLE_QDRANT_STORE_SETTINGS_H
#define DOUBLE_QDRANT_STORE_SETTINGS_H

#include "qdrant_store/collection.h"

/* Fills a new collection from the body of a create request. False with the complaint in the reader, or in
 * *refused what this stand-in does not keep (multivectors). */
bool settings_create(struct reader *r, const struct json *body, struct collection *c, const char **refused);
/* Changes what the body of a patch names. False with the complaint in the reader; nothing is changed then. */
bool settings_patch(struct reader *r, const struct json *body, struct collection *c);
/* A number of the collection's `params`, such as "replication_factor"; 0 if there is none. */
uint64_t settings_param(const struct collection *c, const char *key);
/* "config": {...} of GET /collections/NAME. */
void settings_write(struct buf *out, const struct collection *c);
/* The body of a create request that makes such a collection. */
void settings_write_create(struct buf *out, const struct collection *c);

#endif
