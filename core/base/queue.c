/*
 * queue.c - a mutex, a condition variable and a singly linked list through the objects.
 *
 * Owns no object; waits by the monotonic clock, so that setting the time neither hangs nor hurries anybody.
 */
#include "base/queue.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

static void *link_get(const struct queue *q, const void *object)
{
    void *next;
    memcpy(&next, (const char *)object + q->link_offset, sizeof next);
    return next;
}

static void link_set(const struct queue *q, void *object, void *next)
{
    memcpy((char *)object + q->link_offset, &next, sizeof next);
}

bool queue_init(struct queue *q, size_t link_offset)
{
    *q = (struct queue){.link_offset = link_offset};
    if (pthread_mutex_init(&q->lock, NULL)) return false;
    if (clock_cond_init(&q->filled)) return true;
    pthread_mutex_destroy(&q->lock);
    return false;
}

void queue_fini(struct queue *q)
{
    pthread_cond_destroy(&q->filled);
    pthread_mutex_destroy(&q->lock);
}

void queue_push(struct queue *q, void *object)
{
    pthread_mutex_lock(&q->lock);
    link_set(q, object, NULL);
    if (q->tail)
        link_set(q, q->tail, object);
    else
        q->head = object;
    q->tail = object;
    q->count++;
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->lock);
}

/* With the lock held. */
static void wait_filled(struct queue *q, int wait_ms)
{
    if (wait_ms < 0) {
        while (!q->head && !q->closed) pthread_cond_wait(&q->filled, &q->lock);
    } else if (wait_ms > 0 && !q->head && !q->closed) {
        struct timespec until = clock_in_ms(wait_ms);
        while (!q->head && !q->closed)
            if (pthread_cond_timedwait(&q->filled, &q->lock, &until) == ETIMEDOUT) break;
    }
}

void *queue_take(struct queue *q, int wait_ms)
{
    pthread_mutex_lock(&q->lock);
    wait_filled(q, wait_ms);
    void *object = q->head;
    if (object) {
        q->head = link_get(q, object);
        if (!q->head) q->tail = NULL;
        q->count--;
        link_set(q, object, NULL);
    }
    pthread_mutex_unlock(&q->lock);
    return object;
}

void *queue_take_all(struct queue *q, int wait_ms)
{
    pthread_mutex_lock(&q->lock);
    wait_filled(q, wait_ms);
    void *list = q->head;
    q->head = q->tail = NULL;
    q->count = 0;
    pthread_mutex_unlock(&q->lock);
    return list;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->filled);
    pthread_mutex_unlock(&q->lock);
}

size_t queue_count(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t count = q->count;
    pthread_mutex_unlock(&q->lock);
    return count;
}
