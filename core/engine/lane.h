/*
 * lane.h - a queue of things that wait to go out together in one request.
 *
 * Nagle's idea: while fewer than `max_in_flight` requests are out, what waits goes at once; what comes
 * meanwhile gathers, up to `max_items` a request. A thing is in at most one lane at a time.
 */
#ifndef LOCKSTEP_ENGINE_LANE_H
#define LOCKSTEP_ENGINE_LANE_H

#include <stdbool.h>
#include <stddef.h>

struct lane;

/* Embedded as the first member of whatever queues. */
struct node {
    struct node *prev, *next;
    struct lane *lane; /* NULL: not queued */
};

struct lane {
    struct node *head, *tail;
    size_t queued;
    size_t in_flight; /* requests */
    size_t max_in_flight;
    size_t max_items;
};

void lane_init(struct lane *lane, size_t max_in_flight, size_t max_items);
void lane_push(struct lane *lane, struct node *node);
/* Back to the front, for what must be tried again. */
void lane_push_front(struct lane *lane, struct node *node);
/* NULL when empty. */
struct node *lane_pop(struct lane *lane);
/* Takes the node out of whatever lane it is in; harmless if it is in none. */
void lane_remove(struct node *node);
/* Something waits and a request may go out. */
bool lane_ready(const struct lane *lane);
/* How many items the next request takes. */
size_t lane_batch(const struct lane *lane);

#endif
