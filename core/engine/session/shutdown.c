/*
 * shutdown.c - when the work is over, what is waited for then, and whether anything is left unknown.
 */
#include "engine/internal.h"

bool session_leaves_clean(const struct engine *e)
{
    if (e->epochs.state != EPOCHS_CLEAN) return false;
    if (e->config->one_shot.on) return e->state_loaded && !e->unknown && e->lease.clean_start;
    bool streams = e->config->watch == WATCH_AUTO || e->config->watch == WATCH_STREAM;
    return e->state_loaded && !e->unknown && (e->lease.clean_start || e->stream.replayed || !streams);
}

bool session_round_done(const struct engine *e)
{
    const struct engine_one_shot *one_shot = &e->config->one_shot;
    if (!epochs_known(e)) return false;
    if (one_shot->on) return one_shot->scan && scan_idle(e) && e->facts.scan > 0 && e->docs_in_work == 0;
    bool streamed = e->stream.unsupported || e->config->watch == WATCH_POLL ||
                    e->config->watch == WATCH_OFF || e->stream.quiet;
    return scan_idle(e) && e->facts.scan > 0 && e->docs_in_work == 0 && streamed && !e->tombstones.first &&
           !e->worker.running && !e->worker.wanted;
}

void session_stop(struct engine *e)
{
    if (e->stopping) return;
    e->stopping = true;
    if (e->phase == PHASE_LEASE && !e->lease.requested)
        e->phase = PHASE_DONE;
    else if (e->phase != PHASE_DONE)
        e->phase = PHASE_DRAIN;
}

void session_drain(struct engine *e)
{
    document_table_drop_queued(e);
    if (e->hurry && e->docs_in_work > 0 && e->in_flight == 0) {
        e->unknown = true;
        document_table_drop_all(e);
    }
    if (e->docs_in_work > 0 || e->in_flight > e->lease.requested + (size_t)e->save.requested) return;
    if (e->lease_lost || !e->lease.held)
        e->phase = e->in_flight ? e->phase : PHASE_DONE;
    else
        e->phase = PHASE_RELEASE;
}
