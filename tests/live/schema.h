/*
 * schema.h - does a JSON value fit a JSON Schema? The part of the language that docs/reference/openapi.json
 * uses: type (one or several), properties, required, additionalProperties, items, minItems, maxItems, enum,
 * minimum, maximum, oneOf, format date-time, $ref within the document; description and default say nothing.
 */
#ifndef LOCKSTEP_TESTS_LIVE_SCHEMA_H
#define LOCKSTEP_TESTS_LIVE_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* True if it fits; else `why` says what doesn't, with the way to it. */
bool schema_fits(const json_t *document, const json_t *schema, const json_t *value, char *reason,
                 size_t bytes);

/* True if the schema uses nothing but what is checked, and names what is there. Else `why` says what. */
bool schema_sound(const json_t *document, const json_t *schema, char *reason, size_t bytes);

/* What a `$ref` names (`#/components/...`); the value itself if it is none; NULL if nothing is there. */
const json_t *schema_resolve(const json_t *document, const json_t *value);

#endif
