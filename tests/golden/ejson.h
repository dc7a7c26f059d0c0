/*
 * ejson.h - canonical Extended JSON, as the recordings have it, into BSON.
 *
 * Not libbson's own reader: that one also takes older spellings ({"$type": ...}, {"$regex": ...}) for values,
 * which here are query operators and must reach the server as documents.
 */
#ifndef LOCKSTEP_GOLDEN_EJSON_H
#define LOCKSTEP_GOLDEN_EJSON_H

#include <bson/bson.h>
#include <jansson.h>

#include "base/err.h"

/* Appends the members of the JSON object to `out`, which the caller has initialised. */
enum lks_code ejson_document(const json_t *object, bson_t *out, struct lks_err *err);

/* A value as canonical Extended JSON for people, cut to some 300 bytes. To be freed; never NULL but for want
 * of memory. */
char *ejson_show(const bson_iter_t *value);

#endif
