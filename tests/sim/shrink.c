/*
 * shrink.c - looks for the smallest world of a seed that still fails: fewer kinds of faults, documents,
 * collections and writes, less time. Greedy: each step that keeps the failure is kept.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

void limits_print(uint64_t seed, const struct limits *limits)
{
    printf("--from %llu --seeds 1", (unsigned long long)seed);
    const char *before = " --without ";
    for (int i = 0; i < FAULT_COUNT; i++) {
        if (!(limits->without >> i & 1)) continue;
        printf("%s%s", before, fault_name((enum fault)i));
        before = ",";
    }
    if (limits->ids < SIM_MAX_IDS) printf(" --ids %llu", (unsigned long long)limits->ids);
    if (limits->collections < SIM_COLLECTIONS)
        printf(" --collections %llu", (unsigned long long)limits->collections);
    if (limits->writes < UINT64_MAX) printf(" --writes %llu", (unsigned long long)limits->writes);
    if (limits->chaos_ms < INT64_MAX) printf(" --chaos %lld", (long long)limits->chaos_ms);
    if (limits->one_batch) printf(" --one-batch");
}

/* The promise, which stands before the colon. */
static bool fails(uint64_t seed, const struct limits *limits, char promise[64])
{
    struct world summary;
    if (sim_world(seed, limits, false, &summary)) return false;
    size_t bytes = strcspn(summary.failure, ":");
    char name[64];
    snprintf(name, sizeof name, "%.*s", bytes < 60 ? (int)bytes : 60, summary.failure);
    if (!promise[0]) memcpy(promise, name, sizeof name);
    return strcmp(promise, name) == 0;
}

/* Is there a smaller number that still fails? Halves the distance as long as there is. */
static bool lower(uint64_t seed, struct limits *limits, uint64_t *value, uint64_t from, uint64_t least,
                  char promise[64])
{
    uint64_t kept = *value, high = kept < from ? kept : from, low = least;
    bool smaller = false;
    while (low < high) {
        *value = low + (high - low) / 2;
        if (fails(seed, limits, promise)) {
            high = kept = *value;
            smaller = true;
        } else {
            low = *value + 1;
        }
    }
    *value = kept;
    return smaller;
}

static bool without_more(uint64_t seed, struct limits *limits, char promise[64])
{
    bool smaller = false;
    for (int i = 0; i < FAULT_COUNT; i++) {
        uint64_t one = (uint64_t)1 << i;
        if (limits->without & one) continue;
        limits->without |= one;
        if (fails(seed, limits, promise))
            smaller = true;
        else
            limits->without &= ~one;
    }
    return smaller;
}

int shrink(uint64_t seed, struct limits *limits)
{
    char promise[64] = "";
    struct world summary;
    if (!fails(seed, limits, promise)) {
        printf("seed %llu does not fail\n", (unsigned long long)seed);
        return 0;
    }
    sim_world(seed, limits, false, &summary);
    uint64_t chaos_ms = (uint64_t)summary.chaos_ms, writes = summary.writes, ids = (uint64_t)summary.ids;
    for (bool again = true; again;) {
        again = without_more(seed, limits, promise);
        uint64_t ms = limits->chaos_ms < INT64_MAX ? (uint64_t)limits->chaos_ms : chaos_ms;
        struct limits with_ms = *limits;
        /* the time is the only signed limit */
        for (uint64_t less = ms / 2; less > 0; less /= 2) {
            with_ms.chaos_ms = (int64_t)(ms - less);
            if (!fails(seed, &with_ms, promise)) continue;
            ms -= less;
            *limits = with_ms;
            again = less > ms / 50;
        }
        again |= lower(seed, limits, &limits->writes, writes, 0, promise);
        again |= lower(seed, limits, &limits->ids, ids, 1, promise);
        again |= lower(seed, limits, &limits->collections, SIM_COLLECTIONS, 1, promise);
        if (!limits->one_batch) {
            limits->one_batch = true;
            if (!fails(seed, limits, promise)) limits->one_batch = false;
        }
    }
    sim_world(seed, limits, false, &summary);
    printf("%s\ntests/sim/run ", summary.failure);
    limits_print(seed, limits);
    printf(" --trace\n");
    return 1;
}
