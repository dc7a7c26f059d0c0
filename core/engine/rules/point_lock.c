/* point_lock.c - a chained hash table of the tickets that have their turn, each with the list of those behind
 * it.
 */
#include "engine/rules/point_lock.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 1024

bool point_locks_init(struct point_locks *t)
{
    *t = (struct point_locks){.bucket_count = FIRST_BUCKETS};
    t->buckets = calloc(t->bucket_count, sizeof *t->buckets);
    return t->buckets != NULL;
}

void point_locks_fini(struct point_locks *t)
{
    free(t->buckets);
    *t = (struct point_locks){.buckets = NULL};
}

static size_t bucket_of(const struct point_locks *t, size_t collection, const char *point_id)
{
    uint64_t h = 1469598103934665603u ^ collection; /* FNV-1a: point ids are hashes already */
    for (const char *c = point_id; *c; c++) h = (h ^ (unsigned char)*c) * 1099511628211u;
    return (size_t)(h % t->bucket_count);
}

static struct point_lock **find(struct point_locks *t, size_t collection, const char *point_id)
{
    struct point_lock **at = &t->buckets[bucket_of(t, collection, point_id)];
    while (*at && ((*at)->collection != collection || strcmp((*at)->point_id, point_id) != 0))
        at = &(*at)->chain;
    return at;
}

/* Doubles the table when it is full; staying small when memory is out only costs time. */
static void grow(struct point_locks *t)
{
    struct point_locks bigger = {.bucket_count = t->bucket_count * 2, .held = t->held};
    bigger.buckets = calloc(bigger.bucket_count, sizeof *bigger.buckets);
    if (!bigger.buckets) return;
    for (size_t i = 0; i < t->bucket_count; i++)
        for (struct point_lock *ticket = t->buckets[i], *next; ticket; ticket = next) {
            next = ticket->chain;
            struct point_lock **to =
                &bigger.buckets[bucket_of(&bigger, ticket->collection, ticket->point_id)];
            ticket->chain = *to;
            *to = ticket;
        }
    free(t->buckets);
    *t = bigger;
}

bool point_lock_take(struct point_locks *t, struct point_lock *ticket, size_t collection,
                     const char *point_id)
{
    if (t->held >= t->bucket_count) grow(t);
    *ticket = (struct point_lock){.collection = collection};
    memcpy(ticket->point_id, point_id, strlen(point_id) + 1);
    struct point_lock **at = find(t, collection, point_id);
    if (!*at) {
        *at = ticket;
        ticket->has = true;
        t->held++;
        return true;
    }
    struct point_lock *last = *at;
    while (last->wait) last = last->wait;
    last->wait = ticket;
    ticket->waits = true;
    return false;
}

struct point_lock *point_lock_release(struct point_locks *t, struct point_lock *ticket)
{
    struct point_lock *next = NULL;
    struct point_lock **at = find(t, ticket->collection, ticket->point_id);
    if (ticket->has) {
        next = ticket->wait;
        if (next) {
            next->has = true;
            next->waits = false;
            next->chain = ticket->chain;
            *at = next;
        } else {
            *at = ticket->chain;
            t->held--;
        }
    } else if (ticket->waits) {
        for (struct point_lock *before = *at; before; before = before->wait)
            if (before->wait == ticket) {
                before->wait = ticket->wait;
                break;
            }
    }
    *ticket = (struct point_lock){.chain = NULL};
    return next;
}
