/*
 * batch_queue.h - a queue of things that wait to go out together in one request.
 *
 * Nagle's idea: while fewer than `max_in_flight` requests are out, what waits goes at once; what comes
 * meanwhile gathers, up to `max_items` a request. A node is in at most one queue at a time.
 */
#ifndef LOCKSTEP_ENGINE_RULES_BATCH_QUEUE_H
#define LOCKSTEP_ENGINE_RULES_BATCH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct batch_queue;

/* Embedded as the first member of whatever queues. */
struct node {
    struct node *prev, *next;
    struct batch_queue *batch_queue; /* NULL: not queued */
};

struct batch_queue {
    struct node *head, *tail;
    size_t queued;
    size_t in_flight; /* requests */
    size_t max_in_flight;
    size_t max_items;
};

void batch_queue_init(struct batch_queue *batch_queue, size_t max_in_flight, size_t max_items);
void batch_queue_push(struct batch_queue *batch_queue, struct node *node);
/* Back to the front, for what must be tried again. */
void batch_queue_push_front(struct batch_queue *batch_queue, struct node *node);
/* NULL when empty. */
struct node *batch_queue_pop(struct batch_queue *batch_queue);
/* Takes the node out of its queue, if it is in one. */
void batch_queue_remove(struct node *node);
/* Something waits and a request may go out. */
bool batch_queue_ready(const struct batch_queue *batch_queue);
/* How many items the next request takes. */
size_t batch_queue_batch(const struct batch_queue *batch_queue);

#endif
