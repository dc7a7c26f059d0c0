/* turn.c - a chained hash table of the tickets that have their turn, each with the list of those behind it.
 */
#include "engine/turn.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 1024

bool turns_init(struct turns *t)
{
    *t = (struct turns){.bucket_count = FIRST_BUCKETS};
    t->buckets = calloc(t->bucket_count, sizeof *t->buckets);
    return t->buckets != NULL;
}

void turns_fini(struct turns *t)
{
    free(t->buckets);
    *t = (struct turns){.buckets = NULL};
}

static size_t bucket_of(const struct turns *t, size_t collection, const char *point_id)
{
    uint64_t h = 1469598103934665603u ^ collection; /* FNV-1a: point ids are hashes already */
    for (const char *c = point_id; *c; c++) h = (h ^ (unsigned char)*c) * 1099511628211u;
    return (size_t)(h % t->bucket_count);
}

static struct turn_ticket **find(struct turns *t, size_t collection, const char *point_id)
{
    struct turn_ticket **at = &t->buckets[bucket_of(t, collection, point_id)];
    while (*at && ((*at)->collection != collection || strcmp((*at)->point_id, point_id) != 0))
        at = &(*at)->chain;
    return at;
}

/* Doubles the table when it is full; staying small when memory is out only costs time. */
static void grow(struct turns *t)
{
    struct turns bigger = {.bucket_count = t->bucket_count * 2, .held = t->held};
    bigger.buckets = calloc(bigger.bucket_count, sizeof *bigger.buckets);
    if (!bigger.buckets) return;
    for (size_t i = 0; i < t->bucket_count; i++)
        for (struct turn_ticket *ticket = t->buckets[i], *next; ticket; ticket = next) {
            next = ticket->chain;
            struct turn_ticket **to =
                &bigger.buckets[bucket_of(&bigger, ticket->collection, ticket->point_id)];
            ticket->chain = *to;
            *to = ticket;
        }
    free(t->buckets);
    *t = bigger;
}

bool turn_take(struct turns *t, struct turn_ticket *ticket, size_t collection, const char *point_id)
{
    if (t->held >= t->bucket_count) grow(t);
    *ticket = (struct turn_ticket){.collection = collection};
    memcpy(ticket->point_id, point_id, strlen(point_id) + 1);
    struct turn_ticket **at = find(t, collection, point_id);
    if (!*at) {
        *at = ticket;
        ticket->has = true;
        t->held++;
        return true;
    }
    struct turn_ticket *last = *at;
    while (last->wait) last = last->wait;
    last->wait = ticket;
    ticket->waits = true;
    return false;
}

struct turn_ticket *turn_give_back(struct turns *t, struct turn_ticket *ticket)
{
    struct turn_ticket *next = NULL;
    struct turn_ticket **at = find(t, ticket->collection, ticket->point_id);
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
        for (struct turn_ticket *before = *at; before; before = before->wait)
            if (before->wait == ticket) {
                before->wait = ticket->wait;
                break;
            }
    }
    *ticket = (struct turn_ticket){.chain = NULL};
    return next;
}
