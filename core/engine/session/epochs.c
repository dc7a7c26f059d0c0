/*
 * epochs.c - proves that what the lease's epoch guards is really written.
 *
 * A guarded write to a point with a higher epoch is skipped, and the server does not say so. Therefore the
 * points of our source with an epoch above the lease's are counted: at the start, every interval, and
 * whenever a look shows one. Usually there are none. If there are, points were restored from elsewhere, or
 * another installation writes to the same collection: the lease is raised above them once, and everything is
 * compared, as no record since the last count is proven. A second rise within an hour is another
 * installation.
 *
 * It counts and decides; lease_keep.c sends what follows for the lease. Servers without update_filter skip
 * nothing, and are not counted.
 */
#include "base/log.h"
#include "engine/session/session.h"

#define HOUR_MS 3600000
#define EPOCH_MOST ((uint64_t)1 << 52) /* Qdrant compares as double; the lease goes one above */

bool epochs_another(const struct engine *e)
{
    return e->session->epochs.state == EPOCHS_ANOTHER;
}

bool epochs_hold(const struct engine *e)
{
    return e->session->epochs.state == EPOCHS_SUSPECTED || e->session->epochs.state == EPOCHS_RAISING;
}

void epochs_begin(struct engine *e, uint64_t floor)
{
    e->session->epochs.floor = floor && floor < e->session->lease.epoch ? floor : e->session->lease.epoch;
    e->session->epochs.next_ms = now_ms(e);
}

/* ---- what is found ---- */

static bool within_the_hour(const struct engine *e)
{
    return e->session->epochs.raised_ms != NO_TIME && now_ms(e) < e->session->epochs.raised_ms + HOUR_MS;
}

/* A collection that was not counted since the last raise may have had that epoch all the time. */
static void take_found(struct engine *e, const struct collection_state *c, uint64_t highest)
{
    if (highest > e->session->epochs.found) e->session->epochs.found = highest;
    e->session->epochs.again |=
        highest > e->session->lease.epoch && c->epoch_clean == e->session->lease.epoch && within_the_hour(e);
    e->session->epochs.seen_ms = now_ms(e);
}

void epochs_take_seen(struct engine *e)
{
    for (size_t i = 0; i < e->collection_count; i++) {
        struct collection_state *c = &e->collections[i];
        uint64_t seen = c->epoch_seen;
        c->epoch_seen = 0;
        if (seen <= e->session->lease.epoch) continue;
        take_found(e, c, seen);
        if (e->session->epochs.state != EPOCHS_CLEAN) continue;
        e->session->epochs.state = EPOCHS_SUSPECTED;
        e->session->epochs.next_ms = now_ms(e);
    }
}

/* ---- what follows ---- */

/* What it is about to delete was decided before it was known whose points these may be. */
static void recheck_deletes(struct engine *e)
{
    for (size_t i = 0; i < e->collection_count; i++) {
        struct batch_queue *del = &e->collections[i].del;
        for (size_t n = del->queued; n > 0; n--) target_stale_again(e, (struct target *)batch_queue_pop(del));
    }
}

/* From the first document on; a one-shot run for some documents leaves it to the next one, by the saved
 * state. */
static void compare_everything(struct engine *e)
{
    e->feeds->sweep.running = false;
    if (e->config->one_shot.on && !e->config->one_shot.scan) return;
    if (e->phase == PHASE_RUN)
        scan_start(e, true);
    else
        e->feeds->scan.wanted = e->feeds->scan.verify_points = e->feeds->scan.restart = true;
}

static void declare_another(struct engine *e)
{
    e->session->epochs.state = EPOCHS_ANOTHER;
    e->session->epochs.another_wall_ms = wall_ms(e);
    log_error("another installation writes points of this source with a higher epoch: nothing is swept, and "
              "no write is believed without a look, until none has a higher epoch for an hour or `verify "
              "--repair` is asked for",
              LOG_STR("source", e->config->source), LOG_INT("epoch", e->session->lease.epoch),
              LOG_INT("found", e->session->epochs.found));
    for (size_t i = 0; i < e->collection_count; i++) e->collections[i].known_empty = false;
    recheck_deletes(e);
    compare_everything(e); /* what was believed until now is not proven either; nothing is swept after it */
}

static void end_another(struct engine *e)
{
    e->session->epochs.state = EPOCHS_CLEAN;
    e->session->epochs.found = 0;
    e->session->epochs.raised_ms = e->session->epochs.another_wall_ms = NO_TIME;
    log_info("no point has had a higher epoch for an hour: everything is compared, and swept again",
             LOG_STR("source", e->config->source), LOG_INT("epoch", e->session->lease.epoch));
    compare_everything(e);
}

void epochs_forgive(struct engine *e)
{
    bool another = epochs_another(e);
    e->session->epochs.raised_ms = e->session->epochs.another_wall_ms = NO_TIME;
    e->session->epochs.again = false;
    e->session->epochs.next_ms = now_ms(e);
    if (!another) return;
    e->session->epochs.state = EPOCHS_SUSPECTED; /* until it is counted once more */
    e->session->epochs.found = 0;
    compare_everything(
        e); /* which has been owed, sweep and all, whatever becomes of what the person asks for */
}

/* All that could be counted is. */
static void round_over(struct engine *e)
{
    bool found = e->session->epochs.found > 0, again = e->session->epochs.again;
    e->session->epochs.round = e->session->epochs.again = false;
    e->session->epochs.next_ms = now_ms(e) + e->config->interval_ms;
    if (epochs_another(e)) {
        if (!e->session->epochs.skipped && now_ms(e) >= e->session->epochs.seen_ms + HOUR_MS) end_another(e);
        return;
    }
    if (e->session->epochs.state == EPOCHS_RAISING) return;
    e->session->epochs.state = EPOCHS_CLEAN;
    if (!found) {
        if (!e->session->epochs.skipped) e->session->epochs.proven = true;
    } else if (again || e->session->epochs.found >= EPOCH_MOST) {
        declare_another(e);
    } else {
        e->session->epochs.state = EPOCHS_RAISING;
    }
}

bool epochs_raise_due(const struct engine *e)
{
    if (e->session->epochs.state != EPOCHS_RAISING) return false;
    if (e->session->epochs.raise_sent) return now_ms(e) >= e->session->lease.next_ms;
    return e->session->state_loaded && !e->session->save.requested;
}

void epochs_raised(struct engine *e)
{
    uint64_t before = e->session->lease.epoch;
    log_warn(
        "points of this source had a higher epoch than the lease, as after a restored snapshot: the lease "
        "was raised, and everything is compared with the points",
        LOG_STR("source", e->config->source), LOG_INT("epoch", before),
        LOG_INT("found", e->session->epochs.found), LOG_INT("raised", e->session->epochs.raise_to));
    if (e->session->epochs.found > before) { /* else it is what a lease before ours may have met */
        e->session->epochs.raised_from = before;
        e->session->epochs.raised_over = e->session->epochs.found;
        e->session->epochs.raised_wall_ms = wall_ms(e);
        e->session->epochs.raised_ms = now_ms(e);
    }
    e->session->lease.epoch = e->session->epochs.floor = e->session->epochs.raise_to;
    e->session->epochs.raise_sent = false;
    e->session->epochs.proven = true; /* the saved state says that everything is to be compared */
    e->session->epochs.next_ms = now_ms(e);
    if (e->session->epochs.found < e->session->lease.epoch) {
        e->session->epochs.found = 0;
        e->session->epochs.state = EPOCHS_CLEAN;
    }
    compare_everything(e);
}

/* ---- counting ---- */

static bool nothing_to_prove(const struct collection_state *c)
{
    return c->looked && !c->guarded;
}

/* Some collection that is well was not counted yet. */
static bool any_uncounted(const struct engine *e)
{
    for (size_t i = 0; i < e->collection_count; i++) {
        const struct collection_state *c = &e->collections[i];
        if (circuit_closed(&c->circuit) && c->looked && c->guarded && !c->epochs_counted) return true;
    }
    return false;
}

bool epochs_known(const struct engine *e)
{
    return !e->session->epochs.round && !epochs_hold(e) && !any_uncounted(e);
}

static void begin_round(struct engine *e)
{
    e->session->epochs.round = true;
    e->session->epochs.skipped = false;
    e->session->epochs.collection = 0;
}

static void count_next(struct engine *e)
{
    while (e->session->epochs.collection < e->collection_count) {
        struct collection_state *c = &e->collections[e->session->epochs.collection];
        if (circuit_closed(&c->circuit) && c->looked && c->guarded) break;
        e->session->epochs.skipped |= !nothing_to_prove(c);
        e->session->epochs.collection++;
    }
    if (e->session->epochs.collection == e->collection_count) {
        round_over(e);
        return;
    }
    ask(e, ASK_EPOCHS);
}

void epochs_run(struct engine *e)
{
    bool drains = e->phase == PHASE_DRAIN && epochs_hold(e); /* what is in work waits for it */
    if (!e->session->state_loaded || (e->phase != PHASE_PROBE && e->phase != PHASE_RUN && !drains)) return;
    if (e->session->epochs.requested || e->session->epochs.state == EPOCHS_RAISING) return;
    if (!e->session->epochs.round) {
        if (now_ms(e) < e->session->epochs.next_ms && !any_uncounted(e)) return;
        begin_round(e);
    }
    count_next(e);
}

void epochs_not_counted(struct engine *e, size_t collection, const struct lks_err *err)
{
    struct collection_state *c = &e->collections[collection];
    c->epochs_counted = e->session->epochs.skipped = true;
    log_warn("the epochs of points can't be counted; what was written is not proven",
             LOG_STR("source", e->config->source), LOG_STR("collection", c->config->name),
             LOG_STR("error", err->text));
}

void epochs_counted(struct engine *e, size_t collection, uint64_t own, int64_t points, uint64_t highest)
{
    struct collection_state *c = &e->collections[collection];
    c->epochs_counted = true;
    if (own != e->session->lease.epoch) return; /* it was raised meanwhile */
    if (points > 0)
        take_found(e, c, highest);
    else
        c->epoch_clean = e->session->lease.epoch;
}
