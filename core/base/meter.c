/* meter.c - see meter.h. */
#include "base/meter.h"

static enum meter_result result_of(enum lks_code code)
{
    switch (code) {
    case LKS_E_OK:
        return METER_OK;
    case LKS_E_EMBEDDING_TIMEOUT:
    case LKS_E_QDRANT_TIMEOUT:
        return METER_TIMEOUT;
    case LKS_E_EMBEDDING_UNAVAILABLE:
    case LKS_E_QDRANT_UNAVAILABLE:
        return METER_UNAVAILABLE;
    case LKS_E_EMBEDDING_RATE_LIMIT:
        return METER_RATE_LIMIT;
    case LKS_E_EMBEDDING_REJECTED:
    case LKS_E_QDRANT_REJECTED:
        return METER_REJECTED;
    case LKS_E_NOT_FOUND:
        return METER_NOT_FOUND;
    case LKS_E_CANCELLED:
        return METER_CANCELLED;
    default:
        return METER_ERROR;
    }
}

void meter_add(struct meter *m, enum lks_code code, int64_t took_us)
{
    atomic_fetch_add_explicit(&m->results[result_of(code)], 1, memory_order_relaxed);
    histogram_live_add(&m->took, took_us);
}

struct meter_reading meter_read(const struct meter *m)
{
    struct meter_reading out;
    for (int i = 0; i < METER_RESULTS; i++)
        out.results[i] = atomic_load_explicit(&m->results[i], memory_order_relaxed);
    out.took = histogram_read(&m->took);
    return out;
}

const char *meter_result_name(enum meter_result result)
{
    static const char *const names[METER_RESULTS] = {"ok",         "rejected",  "unavailable", "timeout",
                                                     "rate_limit", "not_found", "cancelled",   "error"};
    return names[result];
}
