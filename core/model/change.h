/* change.h - what the source shows: documents, and events that name them. */
#ifndef LOCKSTEP_MODEL_CHANGE_H
#define LOCKSTEP_MODEL_CHANGE_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/docid.h"
#include "model/record.h"

/* MongoDB's cluster time: seconds in the upper, increment in the lower 32 bits. 0: none. */
typedef uint64_t cluster_time;

/* A document as read from the source with majority concern. Owned by the request that brought it until taken.
 */
struct source_document {
    struct docid *id;     /* owned */
    bson_t *body;         /* owned; projected to what enabled collections read; NULL: no such document */
    struct record record; /* what its syncMetadata (or sidecar) says; absent if there is none */
    struct docid *owner;  /* owned; the lowest other `_id` with the same business id if it is lower than this
                             one's; else NULL */
    bool contested;       /* a document with a higher `_id` holds the same business id */
    size_t bytes;         /* memory it takes, for credits */
};

enum change_op {
    CHANGE_UPSERT,
    /* insert or replace: anything may have changed */ CHANGE_UPDATE,
    CHANGE_DELETE
};

/* One event of the change stream. */
struct change {
    enum change_op op;
    struct docid *id; /* owned */
    char **keys;      /* owned, NULL-terminated, without those of the record: dotted paths that an update set,
                         removed or truncated; the names of all fields but `_id` after an insert or a replace;
                         NULL: not known */
    bson_t *token;    /* owned; the event's own resume token */
    cluster_time at;
    int64_t wall_ms; /* when it happened, for the lag */
    bool replaced;   /* a replace: a record that was there is gone */
    bool record_too; /* an update that also wrote to the record, which may say anything now */
};

#endif
