/*
 * elsewhere.c - points of our source that a daemon on another MongoDB wrote: restored from a snapshot, or by
 * a second installation that shares the collections by mistake.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static size_t number_of(const struct world *w, const struct sim_collection *c)
{
    return (size_t)(c - w->qdrant);
}

/* ---- a snapshot ---- */

/* A snapshot is made, or one is restored: of the points as they were, written by a daemon of elsewhere that
 * took its lease later. */
static void snapshot(struct world *w, struct sim_collection *c)
{
    if (!c->exists) return;
    if (!c->snapshot || sim_below(w, FAULT_QDRANT_SNAPSHOT, 2)) {
        if (!c->snapshot && !(c->snapshot = malloc(sizeof c->points))) abort();
        memcpy(c->snapshot, c->points, sizeof c->points);
        c->snapshot_count = c->count;
        if (sim_below(w, FAULT_QDRANT_SNAPSHOT, 2)) return; /* else the points stay, but for their epochs */
    }
    uint64_t epoch = w->mongo.epoch + 1 + sim_below(w, FAULT_QDRANT_SNAPSHOT, 1000);
    sim_trace(w, "a snapshot of collection %zu is restored, with epoch %llu", number_of(w, c),
              (unsigned long long)epoch);
    qdrant_confirm(c);
    for (size_t i = 0; i < c->count; i++) promise_said(w, number_of(w, c), &c->points[i]);
    memcpy(c->points, c->snapshot, sizeof c->points);
    c->count = c->snapshot_count;
    for (size_t i = 0; i < c->count; i++) {
        struct sim_point *p = &c->points[i];
        if (p->foreign) p->foreign_since_ms = w->now;
        p->epoch = epoch;
        p->elsewhere = !p->foreign;
        p->written_ms = w->now;
    }
    c->damaged = true;
}

/* ---- another installation ---- */

static uint64_t highest_epoch(const struct world *w)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < SIM_COLLECTIONS; i++)
        for (size_t k = 0; k < w->qdrant[i].count; k++) {
            const struct sim_point *p = &w->qdrant[i].points[k];
            if (!p->foreign && p->epoch > highest) highest = p->epoch;
        }
    return highest;
}

/* One of its documents has this business id, and it writes its point, if nobody with a higher epoch did. */
static void write_over(struct world *w, struct sim_collection *c, int key)
{
    struct sim_point *p = qdrant_point(c, key);
    if (!c->exists || (p && !p->foreign && p->epoch > w->other.epoch)) return;
    sim_trace(w, "another installation writes point %d of collection %zu, epoch %llu", key, number_of(w, c),
              (unsigned long long)w->other.epoch);
    qdrant_confirm(c);
    if (p && !p->foreign) promise_said(w, number_of(w, c), p);
    if (!p) p = &c->points[c->count++];
    *p = (struct sim_point){.key = key,
                            .doc = (int)sim_below(w, FAULT_INSTALLATION, (uint64_t)w->ids),
                            .vector = FOREIGN_VECTOR,
                            .content_hash = "of another installation",
                            .payload_hash = "of another installation",
                            .epoch = w->other.epoch,
                            .elsewhere = true,
                            .written_ms = w->now};
    c->damaged = true;
}

/* It raises its epoch as we do, as long as it is there. */
static void installation(struct world *w)
{
    struct installation *o = &w->other;
    if (!w->rate[FAULT_INSTALLATION]) return;
    if (!o->there || w->now >= o->next_count_ms) {
        uint64_t highest = highest_epoch(w);
        if (!o->there) o->epoch = w->mongo.epoch + sim_below(w, FAULT_INSTALLATION, 100);
        if (highest > o->epoch) o->epoch = highest + 1;
        o->there = true;
        o->next_count_ms = w->now + 4000;
    }
    for (size_t i = 0; i < SIM_COLLECTIONS; i++)
        if (sim_chance(w, FAULT_INSTALLATION))
            write_over(w, &w->qdrant[i], (int)sim_below(w, FAULT_INSTALLATION, SIM_KEYS));
}

void elsewhere_races(struct world *w, struct sim_collection *c, int key)
{
    if (w->other.there && sim_chance_times(w, FAULT_INSTALLATION, 8)) write_over(w, c, key);
}

void elsewhere_fault(struct world *w)
{
    installation(w);
    for (size_t i = 0; i < SIM_COLLECTIONS; i++)
        if (sim_chance(w, FAULT_QDRANT_SNAPSHOT)) snapshot(w, &w->qdrant[i]);
}
