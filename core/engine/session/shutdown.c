/*
 * shutdown.c - when the work is over, what is waited for then, and whether anything is left unknown.
 */
#include "engine/session/session.h"

bool session_leaves_clean(const struct engine *e)
{
    if (e->session->epochs.state != EPOCHS_CLEAN) return false;
    if (e->config->one_shot.on) return e->session->state_loaded && !e->unknown && e->facts.clean_start;
    bool streams = e->config->watch == WATCH_AUTO || e->config->watch == WATCH_STREAM;
    return e->session->state_loaded && !e->unknown &&
           (e->facts.clean_start || e->feeds->stream.replayed || !streams);
}

bool session_round_done(const struct engine *e)
{
    const struct engine_one_shot *one_shot = &e->config->one_shot;
    if (!epochs_known(e)) return false;
    if (one_shot->on) return one_shot->scan && scan_idle(e) && e->facts.scan > 0 && e->docs_in_work == 0;
    bool streamed = e->feeds->stream.unsupported || e->config->watch == WATCH_POLL ||
                    e->config->watch == WATCH_OFF || e->feeds->stream.quiet;
    return scan_idle(e) && e->facts.scan > 0 && e->docs_in_work == 0 && streamed &&
           !e->feeds->tombstones.first && !e->feeds->worker.running && !e->feeds->worker.wanted;
}

void session_stop(struct engine *e)
{
    if (e->session->stopping) return;
    e->session->stopping = true;
    if (e->phase == PHASE_LEASE && !e->session->lease.requested)
        e->phase = PHASE_DONE;
    else if (e->phase != PHASE_DONE)
        e->phase = PHASE_DRAIN;
}

void session_drain(struct engine *e)
{
    document_table_drop_queued(e);
    if (e->session->hurry && e->docs_in_work > 0 && e->in_flight == 0) {
        e->unknown = true;
        document_table_drop_all(e);
    }
    if (e->docs_in_work > 0 ||
        e->in_flight > e->session->lease.requested + (size_t)e->session->save.requested)
        return;
    if (e->session->lease_lost || !e->session->lease.held)
        e->phase = e->in_flight ? e->phase : PHASE_DONE;
    else
        e->phase = PHASE_RELEASE;
}
