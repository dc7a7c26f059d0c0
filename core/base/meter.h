/* meter.h - requests to a server, counted by result, and how long they took. Any thread, without locks. */
#ifndef LOCKSTEP_BASE_METER_H
#define LOCKSTEP_BASE_METER_H

#include "base/err.h"
#include "base/histogram.h"

enum meter_result {
    METER_OK,
    METER_REJECTED,    /* refused for what was asked */
    METER_UNAVAILABLE, /* no connection, or the server could not */
    METER_TIMEOUT,
    METER_RATE_LIMIT,
    METER_NOT_FOUND,
    METER_CANCELLED, /* the program ended first */
    METER_ERROR,     /* anything else */
    METER_RESULTS
};

struct meter {
    atomic_uint_fast64_t results[METER_RESULTS];
    struct histogram_live took;
};

/* A copy. */
struct meter_reading {
    uint64_t results[METER_RESULTS];
    struct histogram took;
};

void meter_add(struct meter *m, enum lks_code code, int64_t took_us);
struct meter_reading meter_read(const struct meter *m);
/* "ok", "rejected", ... Static storage. */
const char *meter_result_name(enum meter_result result);

#endif
