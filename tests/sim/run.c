/*
 * run.c - tests/sim/run --seeds N [--from S] [--trace]: that many worlds, each from its seed.
 *
 * Speaks TAP: one line for each hundred worlds, so that totals mean something, and how to replay a seed that
 * failed.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sim.h"

#define PER_LINE 100
#define DEFAULT_SEEDS 2000

static uint64_t number(const char *text)
{
    char *end;
    uint64_t n = strtoull(text, &end, 10);
    if (!*text || *end) {
        fprintf(stderr, "not a number: %s\n", text);
        exit(2);
    }
    return n;
}

static bool world_passes(uint64_t seed, bool trace)
{
    char failure[512];
    struct world summary;
    bool good = sim_world(seed, trace, failure, sizeof failure, &summary);
    if (!good)
        printf("# seed %llu: %s\n# replay it with: tests/sim/run --from %llu --seeds 1 --trace\n",
               (unsigned long long)seed, failure, (unsigned long long)seed);
    if (trace)
        printf("# %llu events, %llu texts embedded, %llu points upserted, %u daemons, until %lld ms\n",
               (unsigned long long)summary.events, (unsigned long long)summary.embedded,
               (unsigned long long)summary.upserted, summary.run_count, (long long)summary.now);
    return good;
}

int main(int argc, char **argv)
{
    uint64_t seeds = DEFAULT_SEEDS, from = 1;
    bool trace = false;
    static const struct option options[] = {{"seeds", required_argument, NULL, 'n'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"trace", no_argument, NULL, 't'},
                                            {0}};
    const char *wish = getenv("LOCKSTEP_TEST_SEEDS");
    if (wish && *wish) seeds = number(wish);
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'n')
            seeds = number(optarg);
        else if (c == 'f')
            from = number(optarg);
        else if (c == 't')
            trace = true;
        else
            return 2;
    }
    log_setup(trace ? LOG_LEVEL_DEBUG : LOG_LEVEL_OFF, false);
    uint64_t lines = (seeds + PER_LINE - 1) / PER_LINE, failed = 0;
    printf("1..%llu\n", (unsigned long long)lines);
    for (uint64_t line = 0; line < lines; line++) {
        uint64_t first = from + line * PER_LINE, last = first + PER_LINE;
        if (last > from + seeds) last = from + seeds;
        uint64_t bad = 0;
        for (uint64_t seed = first; seed < last; seed++) bad += !world_passes(seed, trace);
        printf("%s %llu - worlds %llu to %llu end in step\n", bad ? "not ok" : "ok",
               (unsigned long long)line + 1, (unsigned long long)first, (unsigned long long)last - 1);
        fflush(stdout);
        failed += bad;
    }
    return failed ? 1 : 0;
}
