/*
 * turn.h - one writer at a time for each point, in the order in which they came.
 *
 * Two documents can come to the same point (deleted and created again, an id moved or held twice), so writes
 * are put in order by (collection, point id), not by document.
 */
#ifndef LOCKSTEP_ENGINE_TURN_H
#define LOCKSTEP_ENGINE_TURN_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/record.h"

/* Embedded in whatever takes turns; zero it before first use. It must stay where it is while it has or waits
 * for a turn. */
struct turn_ticket {
    struct turn_ticket *chain; /* of the bucket: tickets that have their turn */
    struct turn_ticket *wait;  /* who waits behind this one, in order */
    size_t collection;
    char point_id[POINT_ID_BYTES];
    bool has, waits;
};

struct turns {
    struct turn_ticket **buckets;
    size_t bucket_count, held;
};

bool turns_init(struct turns *t);
void turns_fini(struct turns *t);
/* True: the turn is yours. False: you wait, and turn_give_back() of somebody else will name you. */
bool turn_take(struct turns *t, struct turn_ticket *ticket, size_t collection, const char *point_id);
/* Ends a turn, or the waiting for one. Returns whose turn it now is, or NULL. */
struct turn_ticket *turn_give_back(struct turns *t, struct turn_ticket *ticket);

#endif
