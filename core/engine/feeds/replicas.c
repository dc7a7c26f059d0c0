/*
 * replicas.c - collections with replicas: a write that was not acknowledged may be on some of them, and a
 * point that is read shows only one.
 *
 * Looks now and then whether all replicas are active, and starts the comparing scan that is owed after they
 * were not. What that means for one point is owed.c's. Owns `replicas` of struct engine.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/feeds/feeds.h"

#define AGAIN_MAX_MS 3600000

static uint64_t bit(size_t collection)
{
    return (uint64_t)1 << collection;
}

void replicas_unasked(struct engine *e, size_t collection)
{
    e->feeds->replicas.proving &= ~bit(collection);
}

/* ---- their states ---- */

static bool owed(const struct engine *e, size_t collection)
{
    return e->feeds->replicas.owed & bit(collection);
}

static void owe(struct engine *e, size_t collection)
{
    e->feeds->replicas.proving &= ~bit(collection);
    if (owed(e, collection)) return;
    e->feeds->replicas.owed |= bit(collection);
    e->save_dirty = true;
}

void replicas_seen(struct engine *e, size_t i, unsigned replicas, bool active, bool empty)
{
    struct collection_state *c = &e->collections[i];
    bool known = e->feeds->replicas.known & bit(i), before = c->replicated && !c->replicas_active;
    c->replicated = replicas > 1;
    c->replicas_active = active;
    e->feeds->replicas.known |= bit(i);
    if (!known) e->save_dirty = true;
    if (!c->replicated) {
        e->feeds->replicas.owed &= ~bit(i);
        return;
    }
    if (!c->replicas_active && !before)
        log_warn("not all replicas of a Qdrant collection are active; they are compared when they are",
                 LOG_STR("source", e->config->source), LOG_STR("collection", c->config->name));
    if (!c->replicas_active || (!known && !empty)) owe(e, i);
}

/* The next of them that is well. */
static void look(struct engine *e)
{
    for (; e->feeds->replicas.next < e->collection_count; e->feeds->replicas.next++) {
        const struct collection_state *c = &e->collections[e->feeds->replicas.next];
        if (!c->replicated || !circuit_closed(&c->circuit)) continue;
        ask(e, ASK_REPLICAS);
        return;
    }
    e->feeds->replicas.next = 0;
    e->feeds->replicas.next_ms = now_ms(e) + e->config->interval_ms;
}

/* ---- the scan that is owed ---- */

/* Those that a scan which begins now can prove to be the same everywhere. */
void replicas_scan_begins(struct engine *e)
{
    uint64_t only = scan_request(e).only;
    e->feeds->replicas.proving = 0;
    if (!e->feeds->scan.verify_points || e->feeds->scan.from || e->feeds->scan.recent) return;
    for (size_t i = 0; i < e->collection_count; i++)
        if (e->collections[i].replicated && e->collections[i].replicas_active && (!only || only & bit(i)))
            e->feeds->replicas.proving |= bit(i);
}

void replicas_scan_ends(struct engine *e, bool verify_points)
{
    uint64_t proven = verify_points ? e->feeds->replicas.proving & e->feeds->replicas.owed : 0;
    e->feeds->replicas.proving = 0;
    if (!proven) return;
    e->feeds->replicas.owed &= ~proven;
    e->feeds->replicas.wait_ms = 0;
    e->save_dirty = true;
}

static bool ready(const struct engine *e)
{
    for (size_t i = 0; i < e->collection_count; i++) {
        const struct collection_state *c = &e->collections[i];
        if (owed(e, i) && c->replicated && c->replicas_active && circuit_closed(&c->circuit)) return true;
    }
    return false;
}

void replicas_run(struct engine *e)
{
    int64_t now = now_ms(e);
    if (e->phase != PHASE_RUN || e->config->one_shot.on || e->config->once) return;
    if (!e->feeds->replicas.requested && now >= e->feeds->replicas.next_ms) look(e);
    if (!ready(e) || now < e->feeds->replicas.again_ms || !scan_idle(e) ||
        e->feeds->compare.state != COMPARE_NONE)
        return;
    e->feeds->replicas.wait_ms =
        e->feeds->replicas.wait_ms ? 2 * e->feeds->replicas.wait_ms : e->config->interval_ms;
    if (e->feeds->replicas.wait_ms > AGAIN_MAX_MS) e->feeds->replicas.wait_ms = AGAIN_MAX_MS;
    e->feeds->replicas.again_ms = now + e->feeds->replicas.wait_ms;
    log_info("replicas of a Qdrant collection were not all active; everything is compared on all of them",
             LOG_STR("source", e->config->source));
    scan_start(e, true);
}
