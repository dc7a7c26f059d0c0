/*
 * run.c - tests/sim/run [--seeds N] [--from S] [--jobs J] [--trace] and what makes worlds smaller.
 *
 * Speaks TAP: one line for each hundred worlds, so that totals mean something, and how to replay a seed that
 * failed. Worlds are independent: with --jobs, several processes share them.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/invariant.h"
#include "base/log.h"
#include "sim.h"

#define PER_LINE 100
#define DEFAULT_SEEDS 10000

struct plan {
    uint64_t from, seeds;
    int jobs;
    bool trace, first_only, shrink;
    struct limits limits;
};

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

static uint64_t fault_set(const char *names)
{
    uint64_t set = 0;
    while (*names) {
        size_t bytes = strcspn(names, ",");
        enum fault fault = fault_parse(names, bytes);
        if (fault == FAULT_COUNT) {
            fprintf(stderr, "no such fault: %.*s; there are:", (int)bytes, names);
            for (int i = 0; i < FAULT_COUNT; i++) fprintf(stderr, " %s", fault_name((enum fault)i));
            fputc('\n', stderr);
            exit(2);
        }
        set |= (uint64_t)1 << fault;
        names += bytes + (names[bytes] == ',');
    }
    return set;
}

static uint64_t seed_at_work;

static void report_invariant(const char *meaning)
{
    printf("# seed %llu: Invariant: %s\n", (unsigned long long)seed_at_work, meaning);
    fflush(stdout);
    abort();
}

static bool world_holds(uint64_t seed, const struct plan *plan)
{
    seed_at_work = seed;
    struct world summary;
    bool good = sim_world(seed, &plan->limits, plan->trace, &summary);
    if (!good) {
        printf("# seed %llu: %s\n# replay it with: tests/sim/run ", (unsigned long long)seed,
               summary.failure);
        limits_print(seed, &plan->limits);
        printf(" --trace\n");
    }
    if (plan->trace)
        printf("# %llu events, %llu texts embedded, %llu points upserted, %llu payloads, %llu deletes, %u "
               "daemons, "
               "until %lld ms\n",
               (unsigned long long)summary.events, (unsigned long long)summary.embedded,
               (unsigned long long)summary.upserted, (unsigned long long)summary.payloads,
               (unsigned long long)summary.deleted, summary.run_count, (long long)summary.now);
    return good;
}

/* Every jobs-th line from the given one. */
static int run_lines(const struct plan *plan, uint64_t first_line)
{
    uint64_t lines = (plan->seeds + PER_LINE - 1) / PER_LINE, failed = 0;
    for (uint64_t line = first_line; line < lines; line += (uint64_t)plan->jobs) {
        uint64_t first = plan->from + line * PER_LINE, last = first + PER_LINE, bad = 0;
        if (last > plan->from + plan->seeds) last = plan->from + plan->seeds;
        for (uint64_t seed = first; seed < last; seed++) {
            bad += !world_holds(seed, plan);
            if (bad && plan->first_only) break;
        }
        /* without a number: the jobs end in any order */
        printf("%s - worlds %llu to %llu keep every promise\n", bad ? "not ok" : "ok",
               (unsigned long long)first, (unsigned long long)last - 1);
        fflush(stdout);
        failed += bad;
        if (bad && plan->first_only) break;
    }
    return failed ? 1 : 0;
}

static int run_all(const struct plan *plan)
{
    int failed = 0;
    printf("1..%llu\n", (unsigned long long)((plan->seeds + PER_LINE - 1) / PER_LINE));
    fflush(stdout);
    for (int i = 1; i < plan->jobs; i++) {
        pid_t child = fork();
        if (child == 0) _exit(run_lines(plan, (uint64_t)i));
        if (child < 0) {
            perror("fork");
            exit(99);
        }
    }
    failed = run_lines(plan, 0);
    for (int i = 1, status; i < plan->jobs; i++)
        if (wait(&status) < 0 || status != 0) failed = 1;
    return failed;
}

static void read_options(int argc, char **argv, struct plan *plan)
{
    static const struct option options[] = {{"seeds", required_argument, NULL, 'n'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {"trace", no_argument, NULL, 't'},
                                            {"first", no_argument, NULL, '1'},
                                            {"shrink", required_argument, NULL, 's'},
                                            {"without", required_argument, NULL, 'w'},
                                            {"ids", required_argument, NULL, 'i'},
                                            {"collections", required_argument, NULL, 'c'},
                                            {"writes", required_argument, NULL, 'a'},
                                            {"chaos", required_argument, NULL, 'm'},
                                            {"one-batch", no_argument, NULL, 'b'},
                                            {0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'n':
            plan->seeds = number(optarg);
            break;
        case 'f':
            plan->from = number(optarg);
            break;
        case 'j':
            plan->jobs = (int)number(optarg);
            break;
        case 't':
            plan->trace = true;
            break;
        case '1':
            plan->first_only = true;
            break;
        case 's':
            plan->shrink = true;
            plan->from = number(optarg);
            break;
        case 'w':
            plan->limits.without = fault_set(optarg);
            break;
        case 'i':
            plan->limits.ids = number(optarg);
            break;
        case 'c':
            plan->limits.collections = number(optarg);
            break;
        case 'a':
            plan->limits.writes = number(optarg);
            break;
        case 'm':
            plan->limits.chaos_ms = (int64_t)number(optarg);
            break;
        case 'b':
            plan->limits.one_batch = true;
            break;
        default:
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    struct plan plan = {.from = 1, .seeds = DEFAULT_SEEDS, .limits = no_limits};
    const char *request = getenv("LOCKSTEP_TEST_SEEDS");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    plan.jobs = cores > 1 ? (int)cores : 1;
    if (request && *request) plan.seeds = number(request);
    read_options(argc, argv, &plan);
    if (plan.trace || plan.first_only || plan.jobs < 1) plan.jobs = 1;
    log_setup(plan.trace ? LOG_LEVEL_TRACE : LOG_LEVEL_OFF, false);
    invariant_on_broken(report_invariant);
    return plan.shrink ? shrink(plan.from, &plan.limits) : run_all(&plan);
}
