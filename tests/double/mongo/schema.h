/* schema.h - $jsonSchema, as validators use it. */
#ifndef DOUBLE_MONGO_SCHEMA_H
#define DOUBLE_MONGO_SCHEMA_H

#include "err.h"

struct schema;
/* Parses; unknown keywords are refused as the server does. Refers to the bytes of `spec`. */
int schema_parse(struct pool *a, struct val spec, struct schema **out, struct merr *err);
bool schema_matches(const struct schema *s, struct val v);

#endif
