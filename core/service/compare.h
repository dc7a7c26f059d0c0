/*
 * compare.h - what documents call for, beside what Qdrant has: the parts that verify.c and plan.c share.
 *
 * Reads only. Everything here blocks, and may be called from any thread.
 */
#ifndef LOCKSTEP_SERVICE_COMPARE_H
#define LOCKSTEP_SERVICE_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collection/collection.h"
#include "engine/rules/classify.h"
#include "mongo/mongo.h"
#include "qdrant/qdrant.h"

#define COMPARE_PAGE_DOCS 256
#define COMPARE_PAGE_BYTES ((size_t)8 << 20)
#define COMPARE_PAGE_POINTS 256

/* One source. Borrowed; index i of the arrays is collection i of `mongo` and of `qdrant`. */
struct compare_source {
    const char *name;
    struct mongo *mongo;
    struct qdrant *qdrant;
    const struct collection *const *collections;
    const char *const *names;
    size_t count;
    uint64_t only; /* set of collections to look at; 0: all */
};

bool compare_is_asked(const struct compare_source *s, size_t collection);

/* What a document should have in one collection. */
struct compare_wanted {
    bool point;   /* it should have this point */
    bool refused; /* it can't have one: not valid, or another document owns its business id */
    char point_id[POINT_ID_BYTES];
    char content_hash[HASH_HEX_BYTES], payload_hash[HASH_HEX_BYTES];
    char *doc;          /* owned: the `_id` as `_lockstep.doc` shows it */
    struct lks_err err; /* with `refused` */
};

/* `doc` was read; its body may be missing (then nothing is wanted). False when memory is out. */
bool compare_want(const struct compare_source *s, size_t collection, const struct source_document *doc,
                  struct compare_wanted *out);
/* The same of what was made of it elsewhere. */
bool compare_judge(const struct source_document *doc, const struct made *made, struct compare_wanted *out);
void compare_wanted_free(struct compare_wanted *wanted, size_t count);

/*
 * The points that are wanted, as they are: sorted by id. A Qdrant collection that isn't there has none, and
 * `*exists` (may be NULL) says so. To be freed by qdrant_stamps_free().
 */
enum lks_code compare_look(const struct compare_source *s, size_t collection,
                           const struct compare_wanted *wanted, size_t count, bool whole,
                           struct stamp **found, size_t *found_count, bool *exists, struct lks_err *err);
/* NULL if there is none with this id. */
const struct stamp *compare_find(const struct stamp *found, size_t count, const char *point_id);

/* The other way round: has a point of ours its document? */
enum compare_point {
    COMPARE_POINT_RIGHT,
    COMPARE_POINT_ORPHAN, /* there is no such document */
    COMPARE_POINT_STALE   /* its document has its point elsewhere, or should have none */
};
/* One verdict per point, in `out`; `found` are points of this collection. */
enum lks_code compare_points(const struct compare_source *s, size_t collection, const struct stamp *found,
                             size_t count, enum compare_point *out, struct lks_err *err);

/* The `_id` in the point as a person writes it. free() it. */
char *compare_plain_doc(const struct stamp *w);

#endif
