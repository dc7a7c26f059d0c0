/*
 * heal.c - notices what nobody told: the number of our points in each collection must be that of the entries
 * with a point. If it isn't, twice in a row, everything is compared.
 *
 * It is counted when nothing is in flight; where that never is so, every hour all the same, and then only a
 * difference counts that the changes meanwhile can't explain.
 */
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

#define SECOND_LOOK_MS 2000
/* Between looks while nothing happens: somebody else may change Qdrant all the same. */
#define IDLE_MS 300000
/* Between scans that don't help, at most. */
#define AGAIN_MAX_MS 3600000

static uint64_t activity(const struct engine *e)
{
    return e->stats.documents + e->stream.events;
}

static bool at_rest(const struct engine *e)
{
    return (scan_idle(e) || sweep_waits(e)) && e->docs_in_work == 0;
}

/* Documents in work, and what else changed since the count was begun, may each make a difference of one. */
static uint64_t in_between(const struct engine *e)
{
    return e->heal.in_work + (activity(e) - e->heal.activity) + e->docs_in_work;
}

/* Counting takes 2 % of the time at most. */
static int64_t pause_ms(const struct engine *e, int64_t least_ms)
{
    int64_t pause = 49 * (now_ms(e) - e->heal.began_ms);
    return pause > least_ms ? pause : least_ms;
}

static void begin(struct engine *e)
{
    struct req *req = req_new(REQ_TALLY, NULL);
    if (!req) return;
    e->heal.activity = activity(e);
    e->heal.in_work = e->docs_in_work;
    e->heal.began_ms = now_ms(e);
    e->heal.busy_ms = now_ms(e) + e->config->count_busy_ms;
    e->heal.collection = 0;
    e->heal.difference = 0;
    memset(e->heal.off, 0, sizeof e->heal.off);
    e->heal.requested = true;
    submit(e, &e->ports.source, req);
}

void heal_begin(struct engine *e)
{
    e->heal.wanted = true;
    e->heal.busy_ms = now_ms(e) + e->config->count_busy_ms;
}

/* One that is never at rest is counted all the same, once in a while. */
static bool may_count(const struct engine *e)
{
    return at_rest(e) || ((scan_idle(e) || sweep_waits(e)) && now_ms(e) >= e->heal.busy_ms);
}

void heal_run(struct engine *e)
{
    if (e->phase != PHASE_RUN || e->config->once || e->heal.requested) return;
    if (e->heal.activity != activity(e) || now_ms(e) >= e->heal.idle_ms) e->heal.wanted = true;
    if (!e->heal.wanted || now_ms(e) < e->heal.next_ms || mongo_paused(e) || !may_count(e)) return;
    begin(e);
}

/* A difference that what happened meanwhile can't explain. */
static bool differs(struct engine *e)
{
    uint64_t slack = in_between(e);
    bool any = false;
    if (slack > 0) slack += e->config->hold_from; /* and some that nobody has told of yet */
    for (size_t i = 0; i < e->collection_count; i++) {
        int64_t off = e->heal.off[i] < 0 ? -e->heal.off[i] : e->heal.off[i];
        if ((uint64_t)off <= slack) continue;
        e->heal.difference += off;
        any = true;
    }
    return any;
}

static void done(struct engine *e)
{
    int64_t now = now_ms(e);
    bool quiet = in_between(e) == 0 && at_rest(e), scans = !scan_idle(e) && !sweep_waits(e);
    bool mismatch = !scans && differs(e);
    e->heal.wanted = !quiet;
    e->heal.next_ms = now + pause_ms(e, e->config->interval_ms);
    e->heal.idle_ms = now + pause_ms(e, IDLE_MS);
    if (!mismatch && !quiet) return; /* it says little, and is counted again at rest */
    if (!mismatch) {
        e->heal.mismatches = 0;
        e->heal.wait_ms = 0;
        return;
    }
    e->heal.wanted = true;
    if (++e->heal.mismatches < 2) {
        e->heal.next_ms = now + pause_ms(e, SECOND_LOOK_MS);
        e->heal.busy_ms = e->heal.next_ms;
        return;
    }
    e->heal.mismatches = 0;
    if (now < e->heal.again_ms) { /* comparing everything did not help: not over and over again */
        e->heal.next_ms = e->heal.again_ms;
        return;
    }
    e->heal.wait_ms = e->heal.wait_ms ? 2 * e->heal.wait_ms : e->config->interval_ms;
    if (e->heal.wait_ms > AGAIN_MAX_MS) e->heal.wait_ms = AGAIN_MAX_MS;
    e->heal.again_ms = now + e->heal.wait_ms;
    log_warn("Qdrant does not hold as many points as the records say; everything is compared",
             LOG_STR("source", e->config->source), LOG_INT("difference", e->heal.difference));
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
    while (e->heal.collection < e->collection_count && left_out(&e->collections[e->heal.collection]))
        e->heal.collection++;
    if (e->heal.collection == e->collection_count) {
        done(e);
        return;
    }
    struct req *req = req_new(REQ_COUNT, NULL);
    if (!req) return;
    req->count.collection = e->heal.collection++;
    e->heal.requested = true;
    submit_to_index(e, req);
}

static void counted(struct engine *e, struct req *req)
{
    size_t i = req->count.collection;
    int64_t off = req->count.points - e->heal.with_point[i];
    if (req->err.code != LKS_E_OK) {
        collection_failed(e, &e->collections[i], &req->err);
    } else {
        e->heal.off[i] = off;
    }
    count_next(e);
}

void heal_handle(struct engine *e, struct req *req)
{
    e->heal.requested = false;
    if (req->kind == REQ_COUNT) {
        counted(e, req);
        return;
    }
    if (req->err.code != LKS_E_OK) { /* too slow, perhaps; if MongoDB is away, others notice */
        log_debug("the records could not be counted", LOG_STR("source", e->config->source),
                  LOG_STR("error", req->err.text));
        e->heal.next_ms = now_ms(e) + pause_ms(e, SECOND_LOOK_MS);
        return;
    }
    mongo_answered(e);
    for (size_t i = 0; i < e->collection_count; i++) e->heal.with_point[i] = req->tally.with_point[i];
    count_next(e);
}
