/* reply.h - within qdrant/: what is in `result` of replies. The slices are verdict_read()'s. */
#ifndef LOCKSTEP_QDRANT_REPLY_H
#define LOCKSTEP_QDRANT_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/ports.h"
#include "qdrant/qdrant_scan.h"

/* A growing list of stamps. */
struct stamps {
    struct stamp *items; /* owned, and what each owns */
    size_t count, capacity;
};

void stamps_fini(struct stamps *list);
/* Sorts by point id and drops the second of two with the same. */
void stamps_unique(struct stamps *list);

/* What became of reading a reply. */
enum reply_state { REPLY_OK, REPLY_BROKEN, REPLY_NOMEM };

/*
 * Appends the points of a retrieve (`result` is an array) or a scroll (an object; `next` then gets the id to
 * go on from, "" at the end; POINT_ID_BYTES). A point is `ours` if its `_lockstep` names `source` and a
 * document; anything else is `foreign`, whatever it holds. Hashes and epoch that are not what we write are
 * read as none. Its vector is read where the reply has it.
 */
enum reply_state reply_stamps(struct slice result, const char *source, struct stamps *list, char *next);

/* `result.count`. */
enum reply_state reply_count(struct slice result, int64_t *count);

/* The `order_value` of the first point of an ordered scroll: a whole number, or UINT64_MAX. 0: no point. */
enum reply_state reply_highest(struct slice result, uint64_t *highest);

/* What a collection is, from GET /collections/NAME. */
struct reply_info {
    bool single;       /* it has a vector without a name, of `size` */
    bool further;      /* and, or, vectors under names, dense or sparse */
    uint64_t size;     /* 0 unless `single` */
    char distance[16]; /* "Cosine", ... */
    char datatype[16]; /* "float16", ...; "" for floats of 32 bits */
    bool multivector;
    unsigned replicas; /* replication_factor; 1 if it does not say */
    uint64_t points;   /* roughly */
    char status[16];   /* "green", ... */
    /* which of our payload indexes are there, with the right type, in the order of reply_indexes[] */
    bool indexed[4];
};
enum reply_state reply_info(struct slice result, struct reply_info *info);

/* From GET /collections/NAME/cluster: is each replica of each shard "Active"? */
enum reply_state reply_replicas(struct slice result, bool *active);

/* Our payload indexes. */
struct reply_index {
    const char *field, *schema;
};
extern const struct reply_index reply_indexes[4];

/* `version` of GET /, as major * 1000 + minor; 0 if there is none to be read. */
int reply_version(const char *body, size_t bytes);

/* The collection behind `alias` in the result of GET /aliases; NULL: none such, or memory is out. free() it.
 */
char *reply_alias_target(struct slice result, const char *alias);
/* In the same list, an alias of `collection` other than `alias`; NULL: there is none. To be freed by free().
 */
char *reply_alias_beside(struct slice result, const char *collection, const char *alias);

#endif
