/* circuit.c - see circuit.h. */
#include "engine/rules/circuit.h"

void circuit_init(struct circuit *c, int64_t now_ms)
{
    *c = (struct circuit){.state = CIRCUIT_OPEN, .probe_at_ms = now_ms, .opened_ms = now_ms};
    lks_fail(&c->reason, LKS_E_UNKNOWN, "not looked at yet");
}

bool circuit_closed(const struct circuit *c)
{
    return c->state == CIRCUIT_CLOSED;
}

bool circuit_probe_due(const struct circuit *c, int64_t now_ms)
{
    return c->state == CIRCUIT_OPEN && now_ms >= c->probe_at_ms;
}

void circuit_probing(struct circuit *c)
{
    c->state = CIRCUIT_PROBING;
}

bool circuit_success(struct circuit *c, int64_t now_ms)
{
    bool closes = c->state != CIRCUIT_CLOSED;
    if (closes) c->closed_ms = now_ms;
    c->state = CIRCUIT_CLOSED;
    c->ever_probed = true;
    c->failures = 0;
    lks_err_clear(&c->reason);
    return closes;
}

static void open_until_probe(struct circuit *c, const struct lks_err *err, int64_t now_ms)
{
    if (c->state ==
        CIRCUIT_CLOSED) { /* what a probe does not meet, as writes that a key may not do, goes on */
        bool relapse = c->opened_before && now_ms - c->closed_ms < CIRCUIT_RELAPSE_MS;
        c->probes = relapse ? c->probes + 1 : 0;
    }
    int64_t wait = CIRCUIT_PROBE_MIN_MS;
    for (int i = 0; i < c->probes && wait < CIRCUIT_PROBE_MAX_MS; i++) wait *= 2;
    if (wait > CIRCUIT_PROBE_MAX_MS) wait = CIRCUIT_PROBE_MAX_MS;
    if (err->retry_after_ms > wait) wait = err->retry_after_ms;
    if (c->state == CIRCUIT_CLOSED) c->opened_ms = now_ms;
    c->state = CIRCUIT_OPEN;
    c->opened_before = true;
    c->probe_at_ms = now_ms + wait;
    c->reason = *err;
}

bool circuit_failure(struct circuit *c, const struct lks_err *err, int64_t now_ms)
{
    if (c->state == CIRCUIT_PROBING) {
        c->ever_probed = true;
        c->probes++;
        open_until_probe(c, err, now_ms);
        return false;
    }
    if (c->state == CIRCUIT_OPEN || ++c->failures < CIRCUIT_FAILURES) return false;
    open_until_probe(c, err, now_ms);
    return true;
}

void circuit_trip(struct circuit *c, const struct lks_err *err, int64_t now_ms)
{
    if (c->state != CIRCUIT_CLOSED) return;
    open_until_probe(c, err, now_ms);
}
