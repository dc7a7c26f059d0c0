/*
 * deferred.c - documents whose record could not be written for a reason that passes: somebody else keeps
 * writing it, or MongoDB refuses this one write for the moment. The first tries follow each other at once;
 * then each wait is twice as long, so that a document that never succeeds costs next to nothing.
 */
#include <limits.h>

#include "engine/documents/documents.h"
#include "engine/rules/retry.h"

#define TRIES_AT_ONCE 3

static const struct retry_policy waits = {.base_ms = 20, .multiplier = 2, .max_ms = 5000};

void document_defer(struct engine *e, struct document *doc, struct batch_queue *to)
{
    batch_queue_remove(&doc->node);
    if (doc->attempts < INT_MAX) doc->attempts++;
    if (doc->attempts < TRIES_AT_ONCE) {
        batch_queue_push_front(to, &doc->node);
        return;
    }
    doc->deferred_to = to;
    doc->deferred_until_ms = now_ms(e) + retry_delay_ms(&waits, doc->attempts - TRIES_AT_ONCE + 1, 0, 0);
    batch_queue_push(&e->deferred, &doc->node);
}

static void go_on(struct document *doc)
{
    batch_queue_remove(&doc->node);
    batch_queue_push(doc->deferred_to, &doc->node);
}

void deferred_run(struct engine *e)
{
    for (struct node *node = e->deferred.head, *next; node; node = next) {
        struct document *doc = (struct document *)node;
        next = node->next;
        if (doc->deferred_until_ms <= now_ms(e)) go_on(doc);
    }
}

void deferred_end_reads(struct engine *e)
{
    for (struct node *node = e->deferred.head, *next; node; node = next) {
        struct document *doc = (struct document *)node;
        next = node->next;
        if (doc->deferred_to == &e->reads) go_on(doc);
    }
}

int64_t deferred_next_ms(const struct engine *e)
{
    int64_t first = INT64_MAX;
    for (const struct node *node = e->deferred.head; node; node = node->next)
        if (((const struct document *)node)->deferred_until_ms < first)
            first = ((const struct document *)node)->deferred_until_ms;
    return first;
}
