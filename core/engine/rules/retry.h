/* retry.h - what a failure means, and when to try again. Pure. */
#ifndef LOCKSTEP_ENGINE_RULES_RETRY_H
#define LOCKSTEP_ENGINE_RULES_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct retry_policy {
    int64_t base_ms;
    double multiplier;
    int64_t max_ms;
    double jitter;   /* 0.2: the delay is drawn from 80 % to 120 % */
    int max_retries; /* for failures that are not retried without end */
};

/* What kind of failure a code is. The only place that knows. */
enum retry_kind {
    RETRY_FOREVER,  /* the provider's fault: passes by itself */
    RETRY_LIMITED,  /* at most max_retries times */
    RETRY_ON_CHANGE /* the document's fault: waits until it changes */
};
enum retry_kind retry_kind_of(enum lks_code code);

/* True for failures that say the provider is down or overloaded, not that it dislikes this document: they
 * count for the circuit. */
bool retry_trips_circuit(enum lks_code code);

/*
 * Milliseconds until the next attempt after `retry_count` (at least 1) failed ones: base *
 * multiplier^(retry_count-1), capped at max_ms, with jitter from `random`; `retry_after_ms`, capped likewise,
 * wins when it is longer.
 */
int64_t retry_delay_ms(const struct retry_policy *policy, int retry_count, int64_t retry_after_ms,
                       uint64_t random);

/* The same, deciding also whether: -1 if no further attempt is due by time. */
int64_t retry_next_ms(const struct retry_policy *policy, enum lks_code code, int retry_count,
                      int64_t retry_after_ms, uint64_t random);

#endif
