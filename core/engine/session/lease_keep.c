/*
 * lease_keep.c - takes the lease, keeps it, and raises its epoch.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/session/session.h"

bool lease_covers_request(struct engine *e)
{
    return e->session->lease.held && now_ms(e) + e->config->index_timeout_ms <= e->session->lease.until_ms;
}

void lease_ask(struct engine *e, enum lease_op op)
{
    e->session->lease.op = op;
    ask(e, ASK_LEASE);
}

/* Once it was sent, the same is asked for until it is known whether it took place. */
static void raise_lease(struct engine *e)
{
    uint64_t over = e->session->epochs.found > e->session->lease.epoch ? e->session->epochs.found
                                                                       : e->session->lease.epoch;
    if (!e->session->epochs.raise_sent) e->session->epochs.raise_to = over + 1;
    e->session->epochs.raise_sent = true;
    lease_ask(e, LEASE_RAISE);
}

void lease_keep(struct engine *e)
{
    if (e->session->lease.held && !e->session->lease.requested && e->phase != PHASE_RELEASE &&
        e->phase != PHASE_DONE) {
        if (epochs_raise_due(e))
            raise_lease(e);
        else if (now_ms(e) >= e->session->lease.next_ms)
            lease_ask(e, LEASE_RENEW);
    }
}

void lease_taken(struct engine *e, uint64_t epoch, uint64_t floor, bool previous_expired)
{
    e->session->lease.held = true;
    e->session->lease.epoch = epoch;
    e->session->lease.until_ms = e->session->lease.asked_ms + e->config->lease_ms;
    e->session->lease.next_ms = e->session->lease.asked_ms + e->config->lease_ms / 3;
    e->session->lease.was_expired = previous_expired;
    e->session->lease.settle_ms = now_ms(e) + (previous_expired ? e->config->index_timeout_ms : 0);
    e->phase = e->session->stopping ? PHASE_DRAIN : PHASE_SETTLE;
    epochs_begin(e, floor);
    log_info(previous_expired ? "lease taken over; waiting until requests of its last holder are over"
                              : "lease taken",
             LOG_STR("source", e->config->source), LOG_INT("epoch", epoch));
}

void lease_refused(struct engine *e, const char *lease_holder, int64_t remaining_ms)
{
    int64_t wait = remaining_ms < 100 ? 100 : remaining_ms;
    if (strcmp(e->session->lease.lease_holder, lease_holder) != 0)
        log_info("another process holds the lease; waiting for it", LOG_STR("source", e->config->source),
                 LOG_STR("holder", lease_holder));
    snprintf(e->session->lease.lease_holder, sizeof e->session->lease.lease_holder, "%s", lease_holder);
    e->session->lease.next_ms = now_ms(e) + (wait > 1000 ? 1000 : wait);
}

void lease_lost(struct engine *e)
{
    log_warn("the lease was lost: another process writes now; all work is dropped, and this one follows",
             LOG_STR("source", e->config->source));
    e->session->lease.held = false;
    e->session->lease_lost = true;
    e->unknown = true;
    session_stop(e);
    e->session->hurry = true;
    if (e->phase == PHASE_RELEASE) e->phase = PHASE_DONE; /* there is nothing to give back any more */
}

void lease_failed(struct engine *e)
{
    e->session->lease.next_ms = now_ms(e) + 500;
    if (e->phase == PHASE_RELEASE) e->phase = PHASE_DONE;
}

void lease_renewed(struct engine *e, bool raised)
{
    if (raised) epochs_raised(e);
    e->session->lease.until_ms = e->session->lease.asked_ms + e->config->lease_ms;
    e->session->lease.next_ms = e->session->lease.asked_ms + e->config->lease_ms / 3;
}

void lease_released(struct engine *e)
{
    e->session->lease.held = false;
    e->phase = PHASE_DONE;
}
