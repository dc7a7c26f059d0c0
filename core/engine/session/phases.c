/*
 * phases.c - from nothing to running: the lease, the saved state, the first look at all providers; and in the
 * end, when all is saved, the lease is given back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/session/session.h"

#define FIRST_LOOK_MS 2000 /* how long the others wait for one that doesn't answer */

/* The points are on another server or in another Qdrant collection than at the last run: the records say
 * nothing of points that are there. */
static bool is_elsewhere(const struct engine_collection *c, const char *saved)
{
    if (!*saved || !c->place || strcmp(saved, c->place) == 0) return false;
    log_info("the collection's points are in another place than before: everything is compared",
             LOG_STR("collection", c->name), LOG_STR("before", saved), LOG_STR("now", c->place));
    return true;
}

/* What decides a collection's points, or where they are, is not what it was, or the collection was off
 * meanwhile. */
static bool digests_changed(struct engine *e, const struct engine_state *state)
{
    bool changed = false;
    for (size_t i = 0; i < e->collection_count; i++) {
        const char *saved = state->digests ? state->digests[i] : NULL;
        const struct engine_collection *c = e->collections[i].config;
        if (saved && c->digest && strcmp(saved, c->digest) == 0) continue;
        changed = true;
        if (e->feeds->stream.received.token)
            log_info("the collection's declaration changed, or it was off: everything is compared",
                     LOG_STR("collection", c->name));
    }
    for (size_t i = 0; state->places && i < e->collection_count; i++)
        changed |= is_elsewhere(e->collections[i].config, state->places[i]);
    return changed;
}

void session_refused(struct engine *e, const struct lks_err *err)
{
    log_error("the first start is refused", LOG_STR("source", e->config->source),
              LOG_STR("error", err->text));
    e->session->start_refused = true;
    session_stop(e);
}

void session_loaded(struct engine *e, struct engine_state *state)
{
    if (e->session->stopping) return; /* asked to end meanwhile: what is saved stays as it is */
    e->no_documents = state->no_documents;
    e->facts.clean_start = state->clean && !e->session->lease.was_expired;
    if (state->token) {
        struct stream_position *position = malloc(sizeof *position);
        e->feeds->stream.received = (struct stream_position){.token = state->token, .at = state->token_time};
        state->token = NULL;
        if (position) { /* until we get further, this is what may be saved */
            *position = (struct stream_position){.token = bson_copy(e->feeds->stream.received.token),
                                                 .at = e->feeds->stream.received.at};
            watermark_advance(&e->feeds->stream.watermark, position);
        }
    }
    for (size_t i = 0; state->held && i < e->collection_count; i++) e->collections[i].held = state->held[i];
    e->feeds->sweep.drop_reported = state->drop_reported;
    if (e->config->one_shot.on) { /* beside what is saved, whatever that is */
        e->feeds->scan.wanted = e->config->one_shot.scan;
        e->feeds->scan.verify_points = true;
        e->session->state_loaded = true;
        e->session->first_look_until_ms = INT64_MAX;
        if (!e->session->stopping) e->phase = PHASE_PROBE;
        return;
    }
    e->feeds->replicas.known = state->replicas_known;
    e->feeds->replicas.owed = state->replicas_owed;
    bool changed = digests_changed(e, state);
    e->feeds->scan.wanted =
        state->scan_running || !e->feeds->stream.received.token || changed || e->config->once;
    e->feeds->scan.verify_points =
        state->scan_verifies || changed || !e->feeds->stream.received.token || !e->facts.clean_start;
    if (state->scan_running && !changed && e->feeds->stream.received.token && !e->config->once) {
        e->feeds->scan.from = state->scan_after;
        state->scan_after = NULL;
    }
    e->session->state_loaded = true;
    e->session->first_look_until_ms = e->config->once ? INT64_MAX : now_ms(e) + FIRST_LOOK_MS;
    if (!e->session->stopping) e->phase = PHASE_PROBE; /* else it was asked to stop while it was loading */
}

/* Everybody was looked at once, or can't be: begin with who is there. Who doesn't answer keeps nobody
 * waiting, unless this is one pass alone, which would miss all of theirs. */
static bool first_look_done(struct engine *e)
{
    if (now_ms(e) >= e->session->first_look_until_ms) return true;
    for (size_t i = 0; i < e->config->embedder_count; i++)
        if (!e->embedders[i].circuit.ever_probed) return false;
    for (size_t i = 0; i < e->collection_count; i++)
        if (e->embedders[e->collections[i].config->embedder].dimensions &&
            !e->collections[i].circuit.ever_probed)
            return false;
    return epochs_known(e);
}

static void begin_running(struct engine *e)
{
    e->phase = PHASE_RUN;
    e->feeds->worker.next_ms = now_ms(e);
    tombstones_begin(e);
    count_check_begin(e);
    log_info("running", LOG_STR("source", e->config->source), LOG_INT("epoch", e->session->lease.epoch),
             LOG_STR("scan", !e->feeds->scan.wanted         ? "no"
                             : e->feeds->scan.verify_points ? "comparing"
                                                            : "yes"));
}

void session_run(struct engine *e)
{
    int64_t now = now_ms(e);
    lease_keep(e);
    switch (e->phase) {
    case PHASE_LEASE:
        if (e->session->stopping)
            e->phase = PHASE_DONE;
        else if (!e->session->lease.requested && now >= e->session->lease.next_ms && !mongo_paused(e))
            lease_ask(e, LEASE_TAKE);
        break;
    case PHASE_SETTLE:
        if (now >= e->session->lease.settle_ms) e->phase = PHASE_LOAD;
        if (e->phase == PHASE_LOAD) session_run(e);
        break;
    case PHASE_LOAD:
        if (!e->session->save.requested && !mongo_paused(e)) ask(e, ASK_STATE_LOAD);
        break;
    case PHASE_PROBE:
        if (first_look_done(e)) begin_running(e);
        break;
    case PHASE_RELEASE:
        if (e->session->lease.requested || e->session->save.requested) break;
        if (e->session->epochs.raise_sent)
            e->phase = PHASE_DONE; /* which epoch it has is not known: it runs out */
        if (e->phase == PHASE_DONE || (!e->session->save.final_done && e->session->state_loaded)) break;
        /* Until the requests of its last holder are over it runs out by itself: whoever takes a lease that
           was given back doesn't wait for them. */
        if (now < e->session->lease.settle_ms)
            e->phase = PHASE_DONE;
        else
            lease_ask(e, LEASE_RELEASE);
        break;
    case PHASE_RUN:
    case PHASE_DRAIN:
    case PHASE_DONE:
        break;
    }
}
