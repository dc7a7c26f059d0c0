/* search.h - what users of search would find: the nearest documents per collection, and fused over several.
 */
#ifndef LOCKSTEP_SERVICE_SEARCH_H
#define LOCKSTEP_SERVICE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "embed/embed.h"
#include "qdrant/qdrant.h"

/* One collection to ask. Borrowed. */
struct search_collection {
    const char *name;
    size_t index;    /* in `qdrant` */
    size_t embedder; /* in `embedders` */
};

struct search_hit {
    char point_id[POINT_ID_BYTES];
    double score;  /* the distance's own; fused: reciprocal rank */
    char *name;    /* owned: the payload's `name`, or its id; valid UTF-8 */
    char *key;     /* owned: the business id the point was made from, as `_lockstep.key` has it */
    char *id;      /* owned: the same in its plain form */
    char *payload; /* owned: a JSON object without `_lockstep` */
    char *doc; /* owned: the document's `_id` in canonical Extended JSON; NULL: a point of somebody else */
    char *title, *snippet; /* owned; NULL before titles_fill() (title.h) */
};

/* One collection's answer; `err.code` says whether there is one. */
struct search_result {
    const char *collection;
    struct search_hit *hits; /* owned, best first */
    size_t count;
    struct lks_err err;
};

struct search_results {
    struct search_result *collections; /* owned; in the order asked for */
    size_t count;
    struct search_hit *fused; /* owned; best first */
    size_t fused_count;
    char **notes; /* owned, also the texts: what a person should know about this answer */
    size_t note_count;
};

/*
 * `field:value` terms as a filter of Qdrant's, to be freed by free(); NULL if there are none. Of one field
 * any value will do, of several fields each must fit. A value is also taken as the number or truth value that
 * it reads as. LKS_E_VALIDATION for what is no such term.
 */
enum lks_code search_filter(const char *const *terms, size_t count, char **filter, struct lks_err *err);

/*
 * Embeds `text` as a query, once for each embedder, and asks each collection for its `limit` nearest points
 * that fit `filter` (NULL: all). Blocks. A collection that fails says so in its result; LKS_E_NOMEM
 * otherwise. To be freed by search_fini().
 *
 * Fused: reciprocal rank fusion (Cormack, Clarke, Buettcher 2009) with k = 60 over the collections that
 * answered.
 */
enum lks_code search(struct embedders *embedders, struct qdrant *qdrant,
                     const struct search_collection *collections, size_t count, const char *text,
                     const char *filter, size_t limit, struct search_results *out, struct lks_err *err);

/*
 * Adds to `results` (of search() over the same collections with a filter of these terms) a note for each
 * field of the filter that no point of a collection has which found nothing. Blocks; asks Qdrant to count.
 * Where Qdrant can't say there is no note. LKS_E_NOMEM.
 */
enum lks_code search_notes(struct qdrant *qdrant, const struct search_collection *collections,
                           const char *const *terms, size_t count, struct search_results *results,
                           struct lks_err *err);
void search_fini(struct search_results *results);

#endif
