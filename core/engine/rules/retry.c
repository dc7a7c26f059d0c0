/* retry.c - the failure rules of the contract, section 4, in one place. */
#include "engine/rules/retry.h"

#include <math.h>

enum retry_kind retry_kind_of(enum lks_code code)
{
    switch (code) {
    case LKS_E_EMBEDDING_TIMEOUT:
    case LKS_E_EMBEDDING_RATE_LIMIT:
    case LKS_E_EMBEDDING_UNAVAILABLE:
    case LKS_E_QDRANT_UNAVAILABLE:
    case LKS_E_QDRANT_TIMEOUT:
        return RETRY_FOREVER;
    case LKS_E_EMBEDDING_REJECTED:
    case LKS_E_VALIDATION:
        return RETRY_ON_CHANGE;
    default:
        return RETRY_LIMITED;
    }
}

bool retry_trips_circuit(enum lks_code code)
{
    return retry_kind_of(code) == RETRY_FOREVER;
}

int64_t retry_delay_ms(const struct retry_policy *policy, int retry_count, int64_t retry_after_ms,
                       uint64_t random)
{
    double max = (double)policy->max_ms;
    double delay = (double)policy->base_ms * pow(policy->multiplier, retry_count > 1 ? retry_count - 1 : 0);
    if (delay > max) delay = max;
    double unit = (double)(random >> 11) / 9007199254740992.0; /* 53 bits, in [0, 1) */
    delay *= 1.0 + policy->jitter * (2.0 * unit - 1.0);
    int64_t ms = delay < 1.0 ? 1 : (int64_t)delay;
    if (retry_after_ms > policy->max_ms)
        retry_after_ms = policy->max_ms; /* a day would heal nothing sooner */
    return retry_after_ms > ms ? retry_after_ms : ms;
}

int64_t retry_next_ms(const struct retry_policy *policy, enum lks_code code, int retry_count,
                      int64_t retry_after_ms, uint64_t random)
{
    enum retry_kind kind = retry_kind_of(code);
    if (kind == RETRY_ON_CHANGE || (kind == RETRY_LIMITED && retry_count > policy->max_retries)) return -1;
    return retry_delay_ms(policy, retry_count, retry_after_ms, random);
}
