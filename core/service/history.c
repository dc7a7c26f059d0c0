/* history.c - see history.h. Owns a ring for each source, and the engine's counters at the end of the last
 * step. */
#include "service/history.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

/* Counters of all collections together. */
struct counters {
    uint64_t settled, embedded, upserted, payloads, deleted, failed, events;
    struct histogram latency;
};

struct ring {
    struct history_point points[HISTORY_POINTS];
    size_t next, count;
    struct counters last;
    int64_t due_ms; /* monotonic; 0: nothing was seen yet */
};

struct history {
    pthread_mutex_t lock;
    struct ring *rings;
    struct engine_snapshot *scratch; /* the engines' thread's: it is too large for a stack */
};

struct history *history_new(size_t source_count)
{
    struct history *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h->rings = calloc(source_count + 1, sizeof *h->rings);
    h->scratch = calloc(1, sizeof *h->scratch);
    pthread_mutex_init(&h->lock, NULL);
    if (h->rings && h->scratch) return h;
    history_free(h);
    return NULL;
}

void history_free(struct history *h)
{
    if (!h) return;
    pthread_mutex_destroy(&h->lock);
    free(h->rings);
    free(h->scratch);
    free(h);
}

/* ---- on the engines' thread ---- */

static struct counters add_up(const struct engine_snapshot *s)
{
    struct counters c = {.settled = s->settled, .events = s->events, .latency = s->latency};
    for (size_t i = 0; i < s->collection_count; i++) {
        c.embedded += s->collections[i].embedded;
        c.upserted += s->collections[i].upserted;
        c.payloads += s->collections[i].payloads;
        c.deleted += s->collections[i].deleted;
        c.failed += s->collections[i].failed;
    }
    return c;
}

/* An engine that lost its lease was replaced by one that counts from 0. */
static uint64_t since(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now;
}

static struct history_point difference(const struct counters *now, const struct counters *before)
{
    struct histogram latency = histogram_since(&now->latency, &before->latency);
    return (struct history_point){.at_wall_ms = clock_wall_ms(),
                                  .settled = since(now->settled, before->settled),
                                  .embedded = since(now->embedded, before->embedded),
                                  .upserted = since(now->upserted, before->upserted),
                                  .payloads = since(now->payloads, before->payloads),
                                  .deleted = since(now->deleted, before->deleted),
                                  .failed = since(now->failed, before->failed),
                                  .events = since(now->events, before->events),
                                  .latency_ms_p50 = histogram_quantile_ms(&latency, 0.5),
                                  .latency_ms_p99 = histogram_quantile_ms(&latency, 0.99)};
}

void history_serve(struct history *h, size_t source, const struct engine *e)
{
    struct ring *ring = &h->rings[source];
    int64_t now = clock_ms();
    if (ring->due_ms == 0) ring->due_ms = now + HISTORY_STEP_MS;
    if (now < ring->due_ms) return;
    engine_snapshot(e, h->scratch);
    struct counters counters = add_up(h->scratch);
    pthread_mutex_lock(&h->lock);
    ring->points[ring->next] = difference(&counters, &ring->last);
    ring->next = (ring->next + 1) % HISTORY_POINTS;
    if (ring->count < HISTORY_POINTS) ring->count++;
    pthread_mutex_unlock(&h->lock);
    ring->last = counters;
    ring->due_ms += HISTORY_STEP_MS;
    if (ring->due_ms <= now) ring->due_ms = now + HISTORY_STEP_MS; /* the machine slept */
}

/* ---- on any thread ---- */

size_t history_read(struct history *h, size_t source, size_t count, struct history_point *out)
{
    struct ring *ring = &h->rings[source];
    pthread_mutex_lock(&h->lock);
    if (count > ring->count) count = ring->count;
    for (size_t i = 0; i < count; i++)
        out[i] = ring->points[(ring->next + HISTORY_POINTS - count + i) % HISTORY_POINTS];
    pthread_mutex_unlock(&h->lock);
    return count;
}
