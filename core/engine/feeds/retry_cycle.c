/*
 * retry_cycle.c - the cycle: comes back to entries that are due (pending, stale, failed and their time has
 * come) and that nobody holds in memory; every interval, when a nextRetryAt has come, and when a provider is
 * well again. Once an interval it also looks for records whose overallStatus is not what their entries make:
 * an application wrote that, and updates of nothing but records have no event.
 */
#include <string.h>

#include "base/log.h"
#include "engine/feeds/feeds.h"

#define DEFERRED_REVISIT_MS 1000
/* Looking for contradictions takes 2 % of the time at most. */
#define COMPARE_PAUSE 49

static void note_retry(struct engine *e, int64_t wall)
{
    if (wall == NO_TIME) return;
    if (e->feeds->worker.retry_wall_ms == NO_TIME || wall < e->feeds->worker.retry_wall_ms)
        e->feeds->worker.retry_wall_ms = wall;
}

/* What documents have come to since the last step. */
static void take_results(struct engine *e)
{
    note_retry(e, e->retry_wall_ms);
    e->retry_wall_ms = NO_TIME;
    e->feeds->worker.open -= e->cycle_done < e->feeds->worker.open ? e->cycle_done : e->feeds->worker.open;
    e->feeds->worker.processed += e->cycle_done;
    e->feeds->worker.failed += e->cycle_failed;
    e->cycle_done = e->cycle_failed = 0;
}

static bool batch_queues_idle(const struct collection_state *c)
{
    return !c->look.queued && !c->upsert.queued && !c->del.queued;
}

/* Something was put aside in a collection that has time for it now. */
static bool deferred_can_go_on(struct engine *e)
{
    if (now_ms(e) < e->feeds->worker.started_ms + DEFERRED_REVISIT_MS) return false;
    for (size_t i = 0; i < e->collection_count; i++) {
        const struct collection_state *c = &e->collections[i];
        if (c->deferred && !c->fatal && circuit_closed(&c->circuit) && batch_queues_idle(c) &&
            circuit_closed(&e->embedders[c->config->embedder].circuit))
            return true;
    }
    return false;
}

static bool due(struct engine *e)
{
    if (e->feeds->worker.wanted) return true;
    if (!e->config->worker_enabled || e->config->once) return false;
    if (now_ms(e) >= e->feeds->worker.next_ms) return true;
    if (e->feeds->worker.retry_wall_ms != NO_TIME && wall_ms(e) >= e->feeds->worker.retry_wall_ms)
        return true;
    return deferred_can_go_on(e);
}

static void begin(struct engine *e)
{
    bool any = false;
    for (size_t i = 0; i < e->collection_count; i++) {
        struct collection_state *c = &e->collections[i];
        bool up = circuit_closed(&c->circuit) && circuit_closed(&e->embedders[c->config->embedder].circuit) &&
                  !c->fatal;
        e->feeds->worker.collections[i] = up;
        if (up) c->deferred = false;
        any |= up;
    }
    e->feeds->worker.wanted = false;
    e->feeds->worker.started_ms = now_ms(e);
    e->feeds->worker.next_ms = e->feeds->worker.started_ms + e->config->interval_ms;
    e->feeds->worker.retry_wall_ms = NO_TIME;
    e->feeds->worker.processed = e->feeds->worker.failed = e->feeds->worker.skipped = 0;
    docid_free(e->feeds->worker.from);
    e->feeds->worker.from = NULL;
    e->feeds->worker.round_done = !any;
    e->feeds->worker.rejected_too = e->rejects_wanted;
    if (any) e->rejects_wanted = false;
    e->feeds->worker.compares = false;
    /* a scan reads all records itself */
    e->feeds->worker.compare_due =
        now_ms(e) >= e->feeds->worker.compare_ms && !e->feeds->scan.wanted && !e->feeds->scan.running;
    e->feeds->worker.running = true;
}

/* What is due was asked for: the second half is about records that contradict themselves. */
static void begin_comparing(struct engine *e)
{
    docid_free(e->feeds->worker.from);
    e->feeds->worker.from = NULL;
    e->feeds->worker.compare_due = false;
    e->feeds->worker.compares = true;
    e->feeds->worker.compare_cost_ms = 0;
    e->feeds->worker.round_done = false;
}

static void end(struct engine *e)
{
    e->feeds->worker.running = false;
    e->stats.cycles++;
    e->stats.last_cycle_wall_ms = wall_ms(e);
    e->stats.cycle_processed = e->feeds->worker.processed;
    e->stats.cycle_failed = e->feeds->worker.failed;
    e->stats.cycle_successful = e->feeds->worker.processed - e->feeds->worker.failed;
    e->stats.cycle_skipped = e->feeds->worker.skipped;
    e->stats.cycle_duration_ms = now_ms(e) - e->feeds->worker.started_ms;
    if (e->feeds->worker.processed)
        log_info("worker cycle done", LOG_STR("source", e->config->source),
                 LOG_INT("processed", e->feeds->worker.processed),
                 LOG_INT("failed", e->feeds->worker.failed));
}

void worker_run(struct engine *e)
{
    if (e->phase != PHASE_RUN) return;
    take_results(e);
    if (!e->feeds->worker.running && due(e)) begin(e);
    if (!e->feeds->worker.running || e->feeds->worker.requested) return;
    if (e->feeds->worker.round_done && e->feeds->worker.compare_due) begin_comparing(e);
    if (!e->feeds->worker.round_done) {
        if (e->docs_in_work < e->config->max_docs / 2 && !mongo_paused(e)) ask(e, ASK_DUE);
    } else if (e->feeds->worker.open == 0) {
        end(e);
    }
}

bool worker_compared(struct engine *e, const struct lks_err *err)
{
    int64_t now = now_ms(e);
    e->feeds->worker.compare_cost_ms += now - e->feeds->worker.asked_ms;
    int64_t pause = COMPARE_PAUSE * e->feeds->worker.compare_cost_ms;
    e->feeds->worker.compare_ms = now + (pause > e->config->interval_ms ? pause : e->config->interval_ms);
    if (err->code == LKS_E_OK) return true;
    log_debug("records that contradict themselves could not be looked for",
              LOG_STR("source", e->config->source), LOG_STR("error", err->text));
    e->feeds->worker.round_done = true;
    return false;
}

/* It is in memory, and what it is looked at for leaves none of its collections out, as a tombstone does and
 * who asks for some of them. */
static bool is_seen_to(const struct document *doc)
{
    if (!doc || doc->state == DOCUMENT_LINGER) return false;
    const struct dirty_reason *reason = doc->is_dirty ? &doc->dirty : &doc->work;
    return !reason->tombstone_alone && !reason->only;
}

void worker_take(struct engine *e, struct docid **ids, size_t count, bool ends, int64_t next_ms)
{
    for (size_t i = 0; i < count; i++) {
        struct dirty_reason reason = {.cycle = true};
        if (is_seen_to(document_table_find(e, ids[i]))) {
            e->feeds->worker.skipped++;
            continue;
        }
        if (document_make_dirty(e, ids[i], &reason)) e->feeds->worker.open++;
    }
    if (count > 0) {
        docid_free(e->feeds->worker.from);
        e->feeds->worker.from = ids[count - 1];
        ids[count - 1] = NULL;
    }
    e->feeds->worker.round_done = ends || count == 0;
    if (e->feeds->worker.round_done && !e->feeds->worker.compares && next_ms != NO_TIME)
        note_retry(e, next_ms);
}
