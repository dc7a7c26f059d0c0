/*
 * load_shedding.c - when one collection is slow and others are idle: defers targets of the slow collection,
 * so that their documents end and others can be read.
 */
#include "engine/documents/documents.h"

static bool batch_queue_idle(const struct batch_queue *batch_queue)
{
    return batch_queue->queued == 0 && batch_queue->in_flight == 0;
}

/* Another collection than the slow one has nothing to do. */
static bool somebody_starves(const struct engine *e, size_t slow_collection, size_t slow_embedder)
{
    for (size_t i = 0; i < e->collection_count; i++) {
        const struct collection_state *c = &e->collections[i];
        const struct batch_queue *embed = &e->embedders[c->config->embedder].embed;
        if (i == slow_collection || c->config->embedder == slow_embedder) continue;
        if (batch_queue_idle(&c->make) && batch_queue_idle(&c->look) && batch_queue_idle(&c->upsert) &&
            batch_queue_idle(&c->del) && batch_queue_idle(embed))
            return true;
    }
    return false;
}

/*
 * Defers the older half of the targets in a queue whose documents have no other target open. The owner of a
 * duplicate id that is dirty for its duplicate only is left out: its record is right, and would be written as
 * stale and then as synced, its points too.
 */
static void shed_queue(struct engine *e, struct batch_queue *batch_queue)
{
    size_t most = batch_queue->queued / 2 + 1;
    for (struct node *node = batch_queue->head, *next; node && most > 0; node = next, most--) {
        next = node->next;
        struct target *target = (struct target *)node;
        if (target->doc->targets_open > 1 || target->doc->work.duplicate_pair) continue;
        batch_queue_remove(node);
        target_defer(e, target);
    }
}

void load_shedding_run(struct engine *e)
{
    bool full = e->docs_in_work >= e->config->max_docs || e->bytes_in_work >= e->config->max_bytes;
    size_t many = e->config->max_docs / 4;
    if (!full) return;
    for (size_t i = 0; i < e->collection_count; i++) {
        struct collection_state *c = &e->collections[i];
        struct batch_queue *batch_queues[] = {&c->make, &c->look, &c->upsert, &c->del};
        for (size_t k = 0; k < sizeof batch_queues / sizeof *batch_queues; k++)
            if (batch_queues[k]->queued > many && somebody_starves(e, i, SIZE_MAX))
                shed_queue(e, batch_queues[k]);
        struct batch_queue *embed = &e->embedders[c->config->embedder].embed;
        if (embed->queued > many && somebody_starves(e, SIZE_MAX, c->config->embedder)) shed_queue(e, embed);
    }
}
