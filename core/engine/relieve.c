/*
 * relieve.c - when one collection is slow and others have nothing to do: takes what waits for the slow one
 * off documents, so that there is room for more.
 */
#include "engine/internal.h"

static bool lane_idle(const struct lane *lane)
{
    return lane->queued == 0 && lane->in_flight == 0;
}

/* A collection other than the slow one that could work and has nothing to do. */
static bool somebody_starves(const struct engine *e, size_t slow_collection, size_t slow_embedder)
{
    for (size_t i = 0; i < e->collection_count; i++) {
        const struct collection_state *c = &e->collections[i];
        const struct lane *embed = &e->embedders[c->config->embedder].embed;
        if (i == slow_collection || c->config->embedder == slow_embedder) continue;
        if (lane_idle(&c->make) && lane_idle(&c->look) && lane_idle(&c->upsert) && lane_idle(&c->del) &&
            lane_idle(embed))
            return true;
    }
    return false;
}

/*
 * Puts aside the older half of what waits in a lane, where nothing else keeps the document. Not the owner of
 * a duplicate id that is only looked at for the duplicate: its record is right, and would be written as stale
 * and then as synced, its points too.
 */
static void relieve_lane(struct engine *e, struct lane *lane)
{
    size_t most = lane->queued / 2 + 1;
    for (struct node *node = lane->head, *next; node && most > 0; node = next, most--) {
        next = node->next;
        struct part *part = (struct part *)node;
        if (part->doc->parts_open > 1 || part->doc->work.rival) continue;
        lane_remove(node);
        part_park(e, part);
    }
}

void docs_relieve(struct engine *e)
{
    bool full = e->docs_in_work >= e->config->max_docs || e->bytes_in_work >= e->config->max_bytes;
    size_t many = e->config->max_docs / 4;
    if (!full) return;
    for (size_t i = 0; i < e->collection_count; i++) {
        struct collection_state *c = &e->collections[i];
        struct lane *lanes[] = {&c->make, &c->look, &c->upsert, &c->del};
        for (size_t k = 0; k < sizeof lanes / sizeof *lanes; k++)
            if (lanes[k]->queued > many && somebody_starves(e, i, SIZE_MAX)) relieve_lane(e, lanes[k]);
        struct lane *embed = &e->embedders[c->config->embedder].embed;
        if (embed->queued > many && somebody_starves(e, SIZE_MAX, c->config->embedder))
            relieve_lane(e, embed);
    }
}
