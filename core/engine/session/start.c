/*
 * start.c - from nothing to running: the lease, the saved state, the first look at everybody; then keeping
 * the lease and saving how far we are; in the end giving the lease back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

#define FIRST_LOOK_MS 2000 /* how long the others wait for one that doesn't answer */
#define SAVE_BUSY_MS 300   /* between saves while documents move */
#define SAVE_IDLE_MS 10000 /* between saves of a token that only moves because time does */

bool session_leaves_clean(const struct engine *e)
{
    if (e->epochs.state != EPOCHS_CLEAN) return false;
    if (e->config->one_shot.on) return e->state_loaded && !e->unknown && e->lease.clean_start;
    bool streams = e->config->watch == WATCH_AUTO || e->config->watch == WATCH_STREAM;
    return e->state_loaded && !e->unknown && (e->lease.clean_start || e->stream.replayed || !streams);
}

/* ---- lease ---- */

bool lease_covers_request(struct engine *e)
{
    return e->lease.held && now_ms(e) + e->config->index_timeout_ms <= e->lease.until_ms;
}

static void ask_for_lease(struct engine *e, enum lease_op op)
{
    e->lease.op = op;
    ask(e, ASK_LEASE);
}

/* Once it was sent, the same is asked for until it is known whether it took place. */
static void raise_lease(struct engine *e)
{
    uint64_t over = e->epochs.found > e->lease.epoch ? e->epochs.found : e->lease.epoch;
    if (!e->epochs.raise_sent) e->epochs.raise_to = over + 1;
    e->epochs.raise_sent = true;
    ask_for_lease(e, LEASE_RAISE);
}

void lease_taken(struct engine *e, uint64_t epoch, uint64_t floor, bool previous_expired)
{
    e->lease.held = true;
    e->lease.epoch = epoch;
    e->lease.until_ms = e->lease.asked_ms + e->config->lease_ms;
    e->lease.next_ms = e->lease.asked_ms + e->config->lease_ms / 3;
    e->lease.was_expired = previous_expired;
    e->lease.settle_ms = now_ms(e) + (previous_expired ? e->config->index_timeout_ms : 0);
    e->phase = e->stopping ? PHASE_DRAIN : PHASE_SETTLE;
    epochs_begin(e, floor);
    log_info(previous_expired ? "lease taken over; waiting until requests of its last holder are over"
                              : "lease taken",
             LOG_STR("source", e->config->source), LOG_INT("epoch", epoch));
}

void lease_refused(struct engine *e, const char *lease_holder, int64_t remaining_ms)
{
    int64_t wait = remaining_ms < 100 ? 100 : remaining_ms;
    if (strcmp(e->lease.lease_holder, lease_holder) != 0)
        log_info("another process holds the lease; waiting for it", LOG_STR("source", e->config->source),
                 LOG_STR("holder", lease_holder));
    snprintf(e->lease.lease_holder, sizeof e->lease.lease_holder, "%s", lease_holder);
    e->lease.next_ms = now_ms(e) + (wait > 1000 ? 1000 : wait);
}

void lease_lost(struct engine *e)
{
    log_warn(
        "the lease was lost: another process writes now; all work is dropped and begun anew as a follower",
        LOG_STR("source", e->config->source));
    e->lease.held = false;
    e->lease_lost = true;
    e->unknown = true;
    engine_stop(e);
    engine_hurry(e);
    if (e->phase == PHASE_RELEASE) e->phase = PHASE_DONE; /* there is nothing to give back any more */
}

void lease_failed(struct engine *e)
{
    e->lease.next_ms = now_ms(e) + 500;
    if (e->phase == PHASE_RELEASE) e->phase = PHASE_DONE;
}

void lease_renewed(struct engine *e, bool raised)
{
    if (raised) epochs_raised(e);
    e->lease.until_ms = e->lease.asked_ms + e->config->lease_ms;
    e->lease.next_ms = e->lease.asked_ms + e->config->lease_ms / 3;
}

void lease_released(struct engine *e)
{
    e->lease.held = false;
    e->phase = PHASE_DONE;
}

/* ---- saved state ---- */

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
        if (e->stream.received.token)
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
    e->start_refused = true;
    engine_stop(e);
}

void session_loaded(struct engine *e, struct engine_state *state)
{
    if (e->stopping) return; /* asked to end meanwhile: what is saved stays as it is */
    e->no_documents = state->no_documents;
    e->lease.clean_start = state->clean && !e->lease.was_expired;
    if (state->token) {
        struct stream_position *position = malloc(sizeof *position);
        e->stream.received = (struct stream_position){.token = state->token, .at = state->token_time};
        state->token = NULL;
        if (position) { /* until we get further, this is what may be saved */
            *position = (struct stream_position){.token = bson_copy(e->stream.received.token),
                                                 .at = e->stream.received.at};
            watermark_advance(&e->stream.watermark, position);
        }
    }
    for (size_t i = 0; state->held && i < e->collection_count; i++) e->collections[i].held = state->held[i];
    e->sweep.drop_reported = state->drop_reported;
    if (e->config->one_shot.on) { /* beside what is saved, whatever that is */
        e->scan.wanted = e->config->one_shot.scan;
        e->scan.verify_points = true;
        e->state_loaded = true;
        e->first_look_until_ms = INT64_MAX;
        if (!e->stopping) e->phase = PHASE_PROBE;
        return;
    }
    e->replicas.known = state->replicas_known;
    e->replicas.owed = state->replicas_owed;
    bool changed = digests_changed(e, state);
    e->scan.wanted = state->scan_running || !e->stream.received.token || changed || e->config->once;
    e->scan.verify_points =
        state->scan_verifies || changed || !e->stream.received.token || !e->lease.clean_start;
    if (state->scan_running && !changed && e->stream.received.token && !e->config->once) {
        e->scan.from = state->scan_after;
        state->scan_after = NULL;
    }
    e->state_loaded = true;
    e->first_look_until_ms = e->config->once ? INT64_MAX : now_ms(e) + FIRST_LOOK_MS;
    if (!e->stopping) e->phase = PHASE_PROBE; /* else it was asked to stop while it was loading */
}

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
    const struct stream_position *safe = e->stream.watermark.safe;
    const struct docid *scanned = e->scan.running ? e->scan.watermark.safe : NULL;
    state->token = safe && safe->token ? bson_copy(safe->token) : NULL;
    state->token_time = safe ? safe->at : 0;
    bool asked = e->compare.state == COMPARE_RUNS; /* by a person, who will notice: not to be gone on with */
    bool sweeps = (e->sweep.running && !asked && !e->sweep.recount) || !watermark_idle(&e->sweep.watermark);
    bool again = sweeps || epochs_another(e); /* who comes next must see that, too */
    state->scan_running = (!asked && (e->scan.running || e->scan.wanted)) || again;
    state->scan_verifies = state->scan_running && (e->scan.verify_points || again);
    state->scan_after = state->scan_running && scanned ? docid_copy(scanned) : NULL;
    state->replicas_known = e->replicas.known;
    state->replicas_owed = e->replicas.owed;
    state->clean = e->phase == PHASE_RELEASE && session_leaves_clean(e);
    state->drop_reported = e->sweep.drop_reported && state->scan_running;
    state->held = calloc(e->collection_count + 1, sizeof *state->held);
    if (!state->held) return false;
    for (size_t i = 0; i < e->collection_count; i++) state->held[i] = e->collections[i].held;
    return copy_texts(e, digest_of, &state->digests) && copy_texts(e, place_of, &state->places);
}

void checkpoint_sent(struct engine *e)
{
    e->stream.watermark.moved = e->scan.watermark.moved = e->sweep.watermark.moved = e->save.dirty = false;
    e->save.requested = true;
    e->save.events = e->stream.events;
}

void save_run(struct engine *e)
{
    int64_t now = now_ms(e);
    bool moved =
        e->stream.watermark.moved || e->scan.watermark.moved || e->sweep.watermark.moved || e->save.dirty;
    if (e->config->one_shot.on) {
        e->save.final_done = true; /* there is nothing of its own to save */
        return;
    }
    /* a save is for one epoch of the lease, and which one that is, is not known */
    if (e->save.requested || mongo_paused(e) || !e->lease.held || e->epochs.raise_sent) return;
    if (e->phase == PHASE_RELEASE) {
        if (e->state_loaded && !e->save.final_done) ask(e, ASK_STATE_SAVE);
        return;
    }
    if ((e->phase != PHASE_RUN && e->phase != PHASE_DRAIN) || !moved) return;
    bool idle = e->save.events == e->stream.events && !e->scan.watermark.moved && !e->sweep.watermark.moved &&
                !e->save.dirty;
    if (now < e->save.last_ms + (idle ? SAVE_IDLE_MS : SAVE_BUSY_MS)) return;
    ask(e, ASK_STATE_SAVE);
}

void checkpoint_failed(struct engine *e)
{
    e->save.last_ms = now_ms(e);
    e->save.dirty = true;
    if (e->phase == PHASE_RELEASE) e->save.final_done = e->unknown = true;
}

void checkpoint_saved(struct engine *e, bool clean)
{
    e->save.last_ms = now_ms(e);
    if (e->phase == PHASE_RELEASE && clean == session_leaves_clean(e)) e->save.final_done = true;
}

/* ---- phases ---- */

/* Everybody was looked at once, or can't be: begin with who is there. Who doesn't answer keeps nobody
 * waiting, unless this is one pass alone, which would miss all of theirs. */
static bool first_look_done(struct engine *e)
{
    if (now_ms(e) >= e->first_look_until_ms) return true;
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
    e->worker.next_ms = now_ms(e);
    tombstones_begin(e);
    count_check_begin(e);
    log_info("running", LOG_STR("source", e->config->source), LOG_INT("epoch", e->lease.epoch),
             LOG_STR("scan", !e->scan.wanted         ? "no"
                             : e->scan.verify_points ? "comparing"
                                                     : "yes"));
}

void start_run(struct engine *e)
{
    int64_t now = now_ms(e);
    if (e->lease.held && !e->lease.requested && e->phase != PHASE_RELEASE && e->phase != PHASE_DONE) {
        if (epochs_raise_due(e))
            raise_lease(e);
        else if (now >= e->lease.next_ms)
            ask_for_lease(e, LEASE_RENEW);
    }
    switch (e->phase) {
    case PHASE_LEASE:
        if (e->stopping)
            e->phase = PHASE_DONE;
        else if (!e->lease.requested && now >= e->lease.next_ms && !mongo_paused(e))
            ask_for_lease(e, LEASE_TAKE);
        break;
    case PHASE_SETTLE:
        if (now >= e->lease.settle_ms) e->phase = PHASE_LOAD;
        if (e->phase == PHASE_LOAD) start_run(e);
        break;
    case PHASE_LOAD:
        if (!e->save.requested && !mongo_paused(e)) ask(e, ASK_STATE_LOAD);
        break;
    case PHASE_PROBE:
        if (first_look_done(e)) begin_running(e);
        break;
    case PHASE_RELEASE:
        if (e->lease.requested || e->save.requested) break;
        if (e->epochs.raise_sent) e->phase = PHASE_DONE; /* which epoch it has is not known: it runs out */
        if (e->phase == PHASE_DONE || (!e->save.final_done && e->state_loaded)) break;
        /* Until the requests of its last holder are over it runs out by itself: whoever takes a lease that
           was given back doesn't wait for them. */
        if (now < e->lease.settle_ms)
            e->phase = PHASE_DONE;
        else
            ask_for_lease(e, LEASE_RELEASE);
        break;
    case PHASE_RUN:
    case PHASE_DRAIN:
    case PHASE_DONE:
        break;
    }
}
