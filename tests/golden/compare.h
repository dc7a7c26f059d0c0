/*
 * compare.h - a recorded answer against the one that came, by the rules of tests/data/golden/README.md.
 */
#ifndef LOCKSTEP_GOLDEN_COMPARE_H
#define LOCKSTEP_GOLDEN_COMPARE_H

#include <bson/bson.h>
#include <jansson.h>

#include "golden/diffs.h"
#include "golden/known.h"

enum compare_extent {
    COMPARE_ALL,
    COMPARE_SHAPE, /* fields and their types, but not what lists hold: it depends on what else the server has
                    */
    COMPARE_OK     /* `ok` alone: a report of which clients read little */
};

/* A MongoDB reply: same keys in the same order, same types, same values but for those that name a moment or
 * an instance. Ids and tokens are noted in `known`. */
void compare_bson(struct known *known, const bson_t *recorded, const bson_t *got, enum compare_extent extent,
                  struct diffs *out);

/* How much of the reply to this command (its first key) can be compared. */
enum compare_extent compare_extent_of(const char *command);

/* Qdrant's JSON: same keys, types and values; numbers up to single precision. */
void compare_json(const json_t *recorded, const json_t *got, struct diffs *out);

#endif
