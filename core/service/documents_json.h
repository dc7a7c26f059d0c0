/* documents_json.h - documents as applications write them in JSON, to BSON and back. Pure. */
#ifndef LOCKSTEP_SERVICE_DOCUMENTS_JSON_H
#define LOCKSTEP_SERVICE_DOCUMENTS_JSON_H

#include <bson/bson.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/* Names that are Lockstep's, in no document and in no answer. */
bool document_hides(const char *name);

/*
 * Checks names and depth of a whole body: LKS_E_VALIDATION, naming the field. Plain JSON: a name with `$` in
 * front (as Extended JSON has), with a dot or empty is refused, and so are Lockstep's own.
 */
enum lks_code document_check(const json_t *body, struct lks_err *err);

/* Appends a value under a key: whole numbers as 32 or 64 bits, others as doubles. False when memory is out.
 */
bool document_append(bson_t *to, const char *key, const json_t *value);

/* The JSON form of a value, as payloads have it; NULL when memory is out. */
json_t *document_value(const bson_iter_t *iter);
/* A whole document without what is Lockstep's; NULL when memory is out. */
json_t *document_json(const bson_t *body);

/*
 * What a JSON merge patch (RFC 7396) makes of a document. A value that reads as what is there changes
 * nothing, so that dates and ObjectIds outlive being sent back as they were read.
 */
struct document_patch {
    bson_t set, unset; /* top-level fields */
    bson_t unchanged;  /* fields where objects were merged, as they were; undefined: missing */
    bson_t changed;    /* dotted paths that changed, each a key */
};
/* False when memory is out. To be freed by document_patch_fini() in any case. */
bool document_merge(const bson_t *body, const json_t *patch, struct document_patch *out);
void document_patch_fini(struct document_patch *patch);

#endif
