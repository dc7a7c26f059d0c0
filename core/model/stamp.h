/* stamp.h - what Qdrant says of a point. */
#ifndef LOCKSTEP_MODEL_STAMP_H
#define LOCKSTEP_MODEL_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/record.h"

/* What Qdrant says of a point: its `_lockstep`. */
struct stamp {
    char point_id[POINT_ID_BYTES];
    bool ours;      /* it has a `_lockstep` whose source is this one */
    bool foreign;   /* it has none, or another source's */
    char *doc;      /* owned: `_lockstep.doc`, in its canonical spelling; NULL unless `ours` */
    bool respelled; /* the point has another spelling of it, of an earlier version */
    char *key;      /* owned */
    char content_hash[HASH_HEX_BYTES];
    char payload_hash[HASH_HEX_BYTES];
    uint64_t epoch;
    float *vector; /* owned; where it was asked for: its vector without a name; NULL: it has none that can be
                      used (one with nulls in it, as a number did not fit) */
    size_t dimensions; /* of that */
    bool further;      /* where the vector was asked for: it has others, under names */
    bool
        differs; /* with `consistent`: replicas of the collection do not agree on it; this is what one says */
};

/* Points that a replica may have although the one that is read does not show them. */
struct owed_points {
    struct owed_point {
        size_t collection; /* SIZE_MAX: of a collection that is off */
        char id[POINT_ID_BYTES];
    } * items; /* owned */
    size_t count;
};

#endif
