/* tombstone.h - notes that documents must be looked at again. */
#ifndef LOCKSTEP_MODEL_TOMBSTONE_H
#define LOCKSTEP_MODEL_TOMBSTONE_H

#include "model/change.h"
#include "model/stamp.h"

/*
 * A document that somebody has to come back to, whatever happens: its points must go, or another document
 * takes its point, or its business id. Of a deleted document it is durable before the resume token passes the
 * delete event, and dropped after its points were looked for once more when every request of an earlier
 * writer is over. Of one that is there it is durable before the point is taken, and dropped once its own
 * record is written.
 */
struct tombstone {
    struct docid *id; /* owned */
    char *key; /* owned; business id whose other holders must be looked at before the tombstone is dropped; or
                * NULL
                */
    cluster_time after; /* the delete event: a read must be no older */
    int64_t since_ms;   /* wall clock: when it was made */
    int64_t due_ms;     /* wall clock: it need not be looked at before */
    bool takeover;      /* PUT: the document may well be there, so a record beside it stays */
    bool refused; /* its record can be written nowhere: it is tried again at each start, and when it is due */
    struct owed_points owed; /* what was not acknowledged by all replicas. PUT adds them to those of before */
};

#endif
