/*
 * count_check.c - notices changes without an event: the number of our points in each collection must be that
 * of the entries with a point. If it isn't, twice in a row, everything is compared.
 *
 * It is counted when nothing is in flight; where that never is so, every hour all the same, and then only a
 * difference counts that the changes meanwhile can't explain.
 */
#include <string.h>

#include "base/log.h"
#include "engine/feeds/feeds.h"

#define SECOND_LOOK_MS 2000
/* Between looks while nothing happens: somebody else may change Qdrant all the same. */
#define IDLE_MS 300000
/* Between scans that don't help, at most. */
#define AGAIN_MAX_MS 3600000

static uint64_t activity(const struct engine *e)
{
    return e->stats.documents + e->feeds->stream.events;
}

static bool at_rest(const struct engine *e)
{
    return (scan_idle(e) || sweep_waits(e)) && e->docs_in_work == 0;
}

/* Documents in work, and what else changed since the count was begun, may each make a difference of one. */
static uint64_t in_between(const struct engine *e)
{
    return e->feeds->count_check.in_work + (activity(e) - e->feeds->count_check.activity) + e->docs_in_work;
}

/* Counting takes 2 % of the time at most. */
static int64_t pause_ms(const struct engine *e, int64_t least_ms)
{
    int64_t pause = 49 * (now_ms(e) - e->feeds->count_check.began_ms);
    return pause > least_ms ? pause : least_ms;
}

static void begin(struct engine *e)
{
    e->feeds->count_check.activity = activity(e);
    e->feeds->count_check.in_work = e->docs_in_work;
    e->feeds->count_check.began_ms = now_ms(e);
    e->feeds->count_check.busy_ms = now_ms(e) + e->config->count_busy_ms;
    e->feeds->count_check.collection = 0;
    e->feeds->count_check.difference = 0;
    memset(e->feeds->count_check.off, 0, sizeof e->feeds->count_check.off);
    e->feeds->count_check.requested = true;
    ask(e, ASK_COUNT_RECORDS);
}

void count_check_begin(struct engine *e)
{
    e->feeds->count_check.wanted = true;
    e->feeds->count_check.busy_ms = now_ms(e) + e->config->count_busy_ms;
}

/* One that is never at rest is counted all the same, once in a while. */
static bool may_count(const struct engine *e)
{
    return at_rest(e) || ((scan_idle(e) || sweep_waits(e)) && now_ms(e) >= e->feeds->count_check.busy_ms);
}

void count_check_run(struct engine *e)
{
    if (e->phase != PHASE_RUN || e->config->once || e->feeds->count_check.requested) return;
    if (e->feeds->count_check.activity != activity(e) || now_ms(e) >= e->feeds->count_check.idle_ms)
        e->feeds->count_check.wanted = true;
    if (!e->feeds->count_check.wanted || now_ms(e) < e->feeds->count_check.next_ms || mongo_paused(e) ||
        !may_count(e))
        return;
    begin(e);
}

/* A difference that what happened meanwhile can't explain. */
static bool differs(struct engine *e)
{
    uint64_t slack = in_between(e);
    bool any = false;
    if (slack > 0) slack += e->config->hold_from; /* and some whose events are still to come */
    for (size_t i = 0; i < e->collection_count; i++) {
        int64_t off =
            e->feeds->count_check.off[i] < 0 ? -e->feeds->count_check.off[i] : e->feeds->count_check.off[i];
        if ((uint64_t)off <= slack) continue;
        e->feeds->count_check.difference += off;
        any = true;
    }
    return any;
}

static void done(struct engine *e)
{
    int64_t now = now_ms(e);
    bool quiet = in_between(e) == 0 && at_rest(e), scans = !scan_idle(e) && !sweep_waits(e);
    bool mismatch = !scans && differs(e);
    e->feeds->count_check.wanted = !quiet;
    e->feeds->count_check.next_ms = now + pause_ms(e, e->config->interval_ms);
    e->feeds->count_check.idle_ms = now + pause_ms(e, IDLE_MS);
    if (!mismatch && !quiet) return; /* it says little, and is counted again at rest */
    if (!mismatch) {
        e->feeds->count_check.mismatches = 0;
        e->feeds->count_check.wait_ms = 0;
        return;
    }
    e->feeds->count_check.wanted = true;
    if (++e->feeds->count_check.mismatches < 2) {
        e->feeds->count_check.next_ms = now + pause_ms(e, SECOND_LOOK_MS);
        e->feeds->count_check.busy_ms = e->feeds->count_check.next_ms;
        return;
    }
    e->feeds->count_check.mismatches = 0;
    if (now <
        e->feeds->count_check.again_ms) { /* comparing everything did not help: not over and over again */
        e->feeds->count_check.next_ms = e->feeds->count_check.again_ms;
        return;
    }
    e->feeds->count_check.wait_ms =
        e->feeds->count_check.wait_ms ? 2 * e->feeds->count_check.wait_ms : e->config->interval_ms;
    if (e->feeds->count_check.wait_ms > AGAIN_MAX_MS) e->feeds->count_check.wait_ms = AGAIN_MAX_MS;
    e->feeds->count_check.again_ms = now + e->feeds->count_check.wait_ms;
    log_warn("Qdrant does not hold as many points as the records say; everything is compared",
             LOG_STR("source", e->config->source), LOG_INT("difference", e->feeds->count_check.difference));
    scan_start(e, true);
}

/* A collection that does not answer is left out, and so is one with more points than documents because their
 * deletes are held. */
static bool left_out(const struct collection_state *c)
{
    return !circuit_closed(&c->circuit) || c->held.orphans > 0;
}

static void count_next(struct engine *e)
{
    while (e->feeds->count_check.collection < e->collection_count &&
           left_out(&e->collections[e->feeds->count_check.collection]))
        e->feeds->count_check.collection++;
    if (e->feeds->count_check.collection == e->collection_count) {
        done(e);
        return;
    }
    e->feeds->count_check.requested = true;
    ask(e, ASK_COUNT_POINTS);
}

void count_check_points(struct engine *e, bool good, int64_t points)
{
    size_t i = e->feeds->count_check.collection++;
    e->feeds->count_check.requested = false;
    if (good) e->feeds->count_check.off[i] = points - e->feeds->count_check.with_point[i];
    count_next(e);
}

void count_check_failed(struct engine *e, const struct lks_err *err)
{
    e->feeds->count_check.requested = false;
    log_debug("the records could not be counted", LOG_STR("source", e->config->source),
              LOG_STR("error", err->text));
    e->feeds->count_check.next_ms = now_ms(e) + pause_ms(e, SECOND_LOOK_MS);
}

void count_check_records(struct engine *e, const int64_t *with_point)
{
    e->feeds->count_check.requested = false;
    for (size_t i = 0; i < e->collection_count; i++) e->feeds->count_check.with_point[i] = with_point[i];
    count_next(e);
}
