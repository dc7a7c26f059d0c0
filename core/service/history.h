/*
 * history.h - what the engines did within the last hour, in steps of ten seconds. In memory, of fixed size.
 *
 * The engines' thread writes; any thread may read, and delays no engine for longer than a copy takes.
 */
#ifndef LOCKSTEP_SERVICE_HISTORY_H
#define LOCKSTEP_SERVICE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

#define HISTORY_STEP_MS 10000
#define HISTORY_POINTS 360

/* What happened within a step. */
struct history_point {
    int64_t at_wall_ms; /* the step's end */
    uint64_t settled, embedded, upserted, payloads, deleted, failed, events;
    double latency_ms_p50, latency_ms_p99; /* -1: no change was confirmed */
};

struct history;

/* NULL when memory is out. */
struct history *history_new(size_t source_count);
/* NULL is fine. */
void history_free(struct history *h);

/* On the engines' thread, often: takes a point when a step is over. */
void history_serve(struct history *h, size_t source, const struct engine *e);

/* The points of the last `count` steps (at most HISTORY_POINTS), oldest first; how many there are. */
size_t history_read(struct history *h, size_t source, size_t count, struct history_point *out);

#endif
