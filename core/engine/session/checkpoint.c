/*
 * checkpoint.c - what is saved of how far we are, and when.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/session/session.h"

#define SAVE_BUSY_MS 300   /* between saves while documents move */
#define SAVE_IDLE_MS 10000 /* between saves of a token that only moves because time does */

/* A copy of a text of each collection; "" for one that has none. False when memory is out. */
static bool copy_texts(const struct engine *e, const char *(*text_of)(const struct engine_collection *),
                       char ***out)
{
    *out = calloc(e->collection_count + 1, sizeof **out);
    for (size_t i = 0; *out && i < e->collection_count; i++) {
        const char *text = text_of(e->collections[i].config);
        if (!((*out)[i] = strdup(text ? text : ""))) return false;
    }
    return *out != NULL;
}

static const char *digest_of(const struct engine_collection *c)
{
    return c->digest;
}

static const char *place_of(const struct engine_collection *c)
{
    return c->place;
}

bool checkpoint_fill(struct engine *e, struct engine_state *state)
{
    const struct stream_position *safe = e->feeds->stream.watermark.safe;
    const struct docid *scanned = e->feeds->scan.running ? e->feeds->scan.watermark.safe : NULL;
    state->token = safe && safe->token ? bson_copy(safe->token) : NULL;
    state->token_time = safe ? safe->at : 0;
    bool asked =
        e->feeds->compare.state == COMPARE_RUNS; /* by a person, who will notice: not to be gone on with */
    bool sweeps = (e->feeds->sweep.running && !asked && !e->feeds->sweep.recount) ||
                  !watermark_idle(&e->feeds->sweep.watermark);
    bool again = sweeps || epochs_another(e); /* who comes next must see that, too */
    state->scan_running = (!asked && (e->feeds->scan.running || e->feeds->scan.wanted)) || again;
    state->scan_verifies = state->scan_running && (e->feeds->scan.verify_points || again);
    state->scan_after = state->scan_running && scanned ? docid_copy(scanned) : NULL;
    state->replicas_known = e->feeds->replicas.known;
    state->replicas_owed = e->feeds->replicas.owed;
    state->clean = e->phase == PHASE_RELEASE && session_leaves_clean(e);
    state->drop_reported = e->feeds->sweep.drop_reported && state->scan_running;
    state->held = calloc(e->collection_count + 1, sizeof *state->held);
    if (!state->held) return false;
    for (size_t i = 0; i < e->collection_count; i++) state->held[i] = e->collections[i].held;
    return copy_texts(e, digest_of, &state->digests) && copy_texts(e, place_of, &state->places);
}

void checkpoint_sent(struct engine *e)
{
    e->feeds->stream.watermark.moved = e->feeds->scan.watermark.moved = e->feeds->sweep.watermark.moved =
        e->save_dirty = false;
    e->session->save.requested = true;
    e->session->save.events = e->feeds->stream.events;
}

void checkpoint_run(struct engine *e)
{
    int64_t now = now_ms(e);
    bool moved = e->feeds->stream.watermark.moved || e->feeds->scan.watermark.moved ||
                 e->feeds->sweep.watermark.moved || e->save_dirty;
    if (e->config->one_shot.on) {
        e->session->save.final_done = true; /* there is nothing of its own to save */
        return;
    }
    /* a save is for one epoch of the lease, and which one that is, is not known */
    if (e->session->save.requested || mongo_paused(e) || !e->session->lease.held ||
        e->session->epochs.raise_sent)
        return;
    if (e->phase == PHASE_RELEASE) {
        if (e->session->state_loaded && !e->session->save.final_done) ask(e, ASK_STATE_SAVE);
        return;
    }
    if ((e->phase != PHASE_RUN && e->phase != PHASE_DRAIN) || !moved) return;
    bool idle = e->session->save.events == e->feeds->stream.events && !e->feeds->scan.watermark.moved &&
                !e->feeds->sweep.watermark.moved && !e->save_dirty;
    if (now < e->session->save.last_ms + (idle ? SAVE_IDLE_MS : SAVE_BUSY_MS)) return;
    ask(e, ASK_STATE_SAVE);
}

void checkpoint_failed(struct engine *e)
{
    e->session->save.last_ms = now_ms(e);
    e->save_dirty = true;
    if (e->phase == PHASE_RELEASE) e->session->save.final_done = e->unknown = true;
}

void checkpoint_saved(struct engine *e, bool clean)
{
    e->session->save.last_ms = now_ms(e);
    if (e->phase == PHASE_RELEASE && clean == session_leaves_clean(e)) e->session->save.final_done = true;
}
