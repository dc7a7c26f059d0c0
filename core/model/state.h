/* state.h - what is saved for a source, and its lease. */
#ifndef LOCKSTEP_MODEL_STATE_H
#define LOCKSTEP_MODEL_STATE_H

#include "model/change.h"

/* Points without a document that a sweep has counted and not deleted, as they are too many. */
struct held_deletes {
    uint64_t orphans; /* 0: none are held */
    uint64_t points;  /* of our source, in the collection */
};

/* What a source's state document in `lockstep.state` holds for the engine. */
struct engine_state {
    bson_t *token; /* owned; resume token; NULL: never saved */
    cluster_time token_time;
    struct docid *scan_after; /* owned; position of an unfinished scan; NULL: from the start */
    bool scan_running;        /* a scan was begun and not finished */
    bool scan_verifies;       /* that scan compares with the points themselves */
    bool clean;               /* the last holder drained and left nothing unknown */
    bool drop_reported;       /* the stream reported a drop or a rename, and the sweep after it is not over */
    bool
        no_documents; /* LOAD, out: the source has none. It is not known where it could not be asked: false */
    struct held_deletes *held; /* owned, one for each enabled collection in their order; NULL: none */
    uint64_t replicas_known;   /* set of enabled collections whose replicas were looked at before */
    uint64_t replicas_owed;    /* those of them whose replicas have to be compared */
    char **digests; /* owned, NULL-terminated: what decided each enabled collection's points at the last run,
                       in their order, saved under their names; "" where none was saved for that name; NULL:
                       none at all */
    char **places;  /* owned, likewise: where each enabled collection's points were at the last run */
};

/* RAISE: the lease, which is mine, gets a higher epoch, and is renewed. In the same write the saved state
 * says that everything has to be compared with the points from the first document on. */
enum lease_op { LEASE_TAKE, LEASE_RENEW, LEASE_RELEASE, LEASE_RAISE };

#endif
