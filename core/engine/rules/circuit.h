/*
 * circuit.h - whether a provider (an embedding endpoint, a Qdrant collection) is worth asking. Pure.
 *
 * Closed: ask. After a few failures in a row that are the provider's fault it opens: nothing is attempted but
 * a probe of its own, at growing intervals; when that succeeds it closes.
 */
#ifndef LOCKSTEP_ENGINE_RULES_CIRCUIT_H
#define LOCKSTEP_ENGINE_RULES_CIRCUIT_H

#include "engine/engine.h"

#define CIRCUIT_FAILURES 3 /* requests in a row that open it */
#define CIRCUIT_PROBE_MIN_MS 500
#define CIRCUIT_PROBE_MAX_MS 15000
#define CIRCUIT_RELAPSE_MS 60000 /* one that opens again so soon is probed no sooner than before */

struct circuit {
    enum circuit_state state;
    int failures;        /* in a row */
    int probes;          /* failed ones since it opened, or opened again soon after */
    int64_t probe_at_ms; /* monotonic; when open */
    bool ever_probed;
    int64_t opened_ms;  /* monotonic; when open or probing: since when */
    bool opened_before; /* by a failure */
    int64_t closed_ms;  /* monotonic; when a probe closed it last */
    struct lks_err reason;
};

/* Open, with a probe due at once: nothing is known yet. */
void circuit_init(struct circuit *c, int64_t now_ms);
bool circuit_closed(const struct circuit *c);
bool circuit_probe_due(const struct circuit *c, int64_t now_ms);
/* A probe is on its way. */
void circuit_probing(struct circuit *c);
/* A request went well. True if the circuit was not closed and is now. */
bool circuit_success(struct circuit *c, int64_t now_ms);
/* A request failed by the provider's fault. True if that opened the circuit. */
bool circuit_failure(struct circuit *c, const struct lks_err *err, int64_t now_ms);
/* Opens at once, whatever the count (the collection is gone). */
void circuit_trip(struct circuit *c, const struct lks_err *err, int64_t now_ms);

#endif
