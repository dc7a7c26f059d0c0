/*
 * point_lock.h - one writer at a time for each point, in the order in which they came.
 *
 * Two documents can come to the same point (deleted and created again, an id moved or held twice), so writes
 * are put in order by (collection, point id), not by document.
 */
#ifndef LOCKSTEP_ENGINE_RULES_POINT_LOCK_H
#define LOCKSTEP_ENGINE_RULES_POINT_LOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "model/record.h"

/* Embedded in whatever takes turns; zero it before first use. It must stay where it is while it has or waits
 * for a turn. */
struct point_lock {
    struct point_lock *chain; /* of the bucket: tickets that have their turn */
    struct point_lock *wait;  /* who waits behind this one, in order */
    size_t collection;
    char point_id[POINT_ID_BYTES];
    bool has, waits;
};

struct point_locks {
    struct point_lock **buckets;
    size_t bucket_count, held;
};

bool point_locks_init(struct point_locks *t);
void point_locks_fini(struct point_locks *t);
/* True: the turn is yours. False: you wait, and point_lock_release() of somebody else will name you. */
bool point_lock_take(struct point_locks *t, struct point_lock *ticket, size_t collection,
                     const char *point_id);
/* Ends a turn, or the waiting for one. Returns whose turn it now is, or NULL. */
struct point_lock *point_lock_release(struct point_locks *t, struct point_lock *ticket);

#endif
