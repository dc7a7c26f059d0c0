/*
 * body.h - within qdrant/: the JSON bodies of requests.
 *
 * Printing into a struct buf: the caller asks the buffer once, at the end, whether memory sufficed.
 */
#ifndef LOCKSTEP_QDRANT_BODY_H
#define LOCKSTEP_QDRANT_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ports/ports.h"

/* What `_lockstep` says beyond the point itself. */
struct stamp_fields {
    const char *source; /* "database.collection" */
    const char *model;  /* the embedder's fingerprint */
    int64_t written_ms; /* wall clock: the payload's `timestamp`, unless it has one of its own; 0: none */
};

/* Appends a point id: a number if it is all digits (points of others can have such ids), else a string. */
void body_id(struct buf *to, const char *id);

/* True if `payload` is the text of an object, as the bodies below need it. */
bool body_payload_usable(const char *payload, size_t bytes);

/*
 * `{"points":[...]}` of points[0] to points[count-1], with `update_filter` if `guarded`: then all must have
 * the epoch of the first. Stops before the body would pass `max_bytes` (one point always goes in); returns
 * how many went in.
 */
size_t body_upsert(struct buf *to, const struct stamp_fields *stamp, const struct point_write *points,
                   size_t count, bool guarded, size_t max_bytes);

/* The same for /points/vectors: their vectors without a name alone. */
size_t body_vectors(struct buf *to, const struct point_write *points, size_t count, bool guarded,
                    size_t max_bytes);

/* `{"operations":[...]}` for /points/batch: one overwrite_payload each, selected by a filter, which with
 * `guarded` has the epoch's condition too; without the content's hash unless `hashed`. Stops and returns like
 * body_upsert(). */
size_t body_payload(struct buf *to, const struct stamp_fields *stamp, const struct point_write *points,
                    size_t count, bool guarded, bool hashed, size_t max_bytes);

/* `{"points":[ids]}` */
void body_delete(struct buf *to, const char *const *ids, size_t count);
/* `{"ids":[...],"with_payload":...,"with_vector":...}`; `payload` is that member's JSON. */
void body_retrieve(struct buf *to, const char *const *ids, size_t count, const char *payload, bool vector);
/* A page of the source's points from `from` ("": the first), of those documents alone if `doc_count`. */
void body_scroll(struct buf *to, const char *source, const char *const *docs, size_t doc_count,
                 const char *from, size_t limit);
/* Exact count of what `filter` (JSON; NULL: everything) matches. */
void body_count(struct buf *to, const char *filter);
/* A filter: points of the source with an epoch above `floor` other than `own`. */
void body_epoch_filter(struct buf *to, const char *source, uint64_t floor, uint64_t own);
/* The one with the highest epoch among those that `filter` matches. */
void body_highest_epoch(struct buf *to, const char *filter);
/* `{"must":[{"key":"_lockstep.source","match":{"value":source}}]}` */
void body_source_filter(struct buf *to, const char *source);
void body_create(struct buf *to, size_t dimensions, const char *distance);
void body_alias(struct buf *to, const char *collection, const char *alias);
void body_index(struct buf *to, const char *field, const char *schema);
/* Nearest points to `vector`; `filter` is JSON or NULL. */
void body_query(struct buf *to, const float *vector, size_t dimensions, size_t limit, const char *filter);

#endif
