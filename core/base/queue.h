/*
 * queue.h - a first-in first-out queue between threads, of objects that carry their own link.
 *
 * Any object with a pointer member to its own kind can travel (struct req by its `next`): the queue is given
 * once where that member is and allocates nothing, so pushing cannot fail. An object is in one queue at a
 * time; the queue never looks into it and never frees it.
 */
#ifndef LOCKSTEP_BASE_QUEUE_H
#define LOCKSTEP_BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    size_t link_offset; /* of the link member in the objects */
    void *head, *tail;
    size_t count;
    bool closed;
};

/* `link_offset` is offsetof(struct thing, next). False if the system has no mutex left. */
bool queue_init(struct queue *q, size_t link_offset);
/* The queue must be empty (or its objects be freed otherwise) and used by nobody any more. */
void queue_fini(struct queue *q);

/* Appends one object and wakes one waiter. From any thread, never blocks for long. Works on a closed queue
 * too, so that what is still under way can be collected. */
void queue_push(struct queue *q, void *object);

/*
 * Takes the oldest object, waiting up to `wait_ms` for one (0: not at all, < 0: until there is one). NULL if
 * none came, or at once when the queue is empty and closed.
 */
void *queue_take(struct queue *q, int wait_ms);

/* Takes everything as a list linked by the link member, oldest first; waits like queue_take(). */
void *queue_take_all(struct queue *q, int wait_ms);

/* Wakes all waiters; from now on taking from the empty queue does not wait. */
void queue_close(struct queue *q);

/* How many objects are in it right now: for metrics. */
size_t queue_count(struct queue *q);

#endif
