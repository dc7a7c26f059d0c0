/* world.c - virtual time, chance, daemons that start, stop, crash and pause; and the course of one seed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define CHAOS_MS 60000     /* how long things go wrong */
#define SETTLE_MS 900000   /* how long it may take afterwards until everything is in step */
#define MAX_EVENTS 2000000 /* more is a loop */

/* ---- chance: xorshift64* ---- */

uint64_t sim_random(struct world *w)
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return w->random * 0x2545F4914F6CDD1Dull;
}

uint64_t sim_below(struct world *w, uint64_t n)
{
    return n ? (sim_random(w) >> 11) % n : 0;
}

bool sim_chance(struct world *w, uint64_t thousandths)
{
    return !w->quiet && sim_below(w, 1000) < thousandths;
}

void sim_fail(struct world *w, const char *format, ...)
{
    if (w->failure[0]) return;
    va_list args;
    va_start(args, format);
    vsnprintf(w->failure, sizeof w->failure, format, args);
    va_end(args);
}

void sim_trace(struct world *w, const char *format, ...)
{
    if (!w->trace) return;
    va_list args;
    va_start(args, format);
    printf("# %8lld ", (long long)w->now);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

/* ---- time: a binary heap of events; equal times in the order of their making ---- */

static bool earlier(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

void sim_at(struct world *w, int64_t at, void (*act)(struct world *, void *, uint64_t), void *arg,
            uint64_t number)
{
    if (w->heap_count == w->heap_capacity) {
        w->heap_capacity = w->heap_capacity ? 2 * w->heap_capacity : 256;
        w->heap = realloc(w->heap, w->heap_capacity * sizeof *w->heap);
        if (!w->heap) abort();
    }
    struct event ev = {
        .at = at < w->now ? w->now : at, .order = w->order++, .act = act, .arg = arg, .number = number};
    size_t i = w->heap_count++;
    for (; i > 0 && earlier(&ev, &w->heap[(i - 1) / 2]); i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = ev;
}

static struct event pop(struct world *w)
{
    struct event top = w->heap[0], last = w->heap[--w->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->heap_count) break;
        if (child + 1 < w->heap_count && earlier(&w->heap[child + 1], &w->heap[child])) child++;
        if (!earlier(&w->heap[child], &last)) break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return top;
}

/* ---- daemons ---- */

static int64_t clock_now(void *self)
{
    return ((struct run *)self)->world->now;
}

static int64_t clock_wall(void *self)
{
    return 1700000000000 + ((struct run *)self)->world->now;
}

static uint64_t clock_random(void *self)
{
    return sim_random(((struct run *)self)->world);
}

static void wake(struct world *w, void *arg, uint64_t number);

static void run_engine(struct world *w, struct run *run)
{
    if (!run->alive) return;
    if (w->now < run->paused_until) {
        sim_at(w, run->paused_until, wake, run, ++run->tick);
        return;
    }
    int64_t next = engine_run(run->engine);
    if (next != INT64_MAX) sim_at(w, next, wake, run, ++run->tick);
}

static void wake(struct world *w, void *arg, uint64_t number)
{
    struct run *run = arg;
    if (number == run->tick) run_engine(w, run);
}

struct run *sim_run_of(const struct req *req)
{
    return (struct run *)req->next; /* free for whoever holds the request: here, who sent it */
}

static void deliver(struct world *w, void *arg, uint64_t number)
{
    struct req *req = arg;
    struct run *run = sim_run_of(req);
    (void)number;
    if (run->alive && w->now < run->paused_until) {
        sim_at(w, run->paused_until, deliver, req, 0);
        return;
    }
    run->outstanding--;
    req->next = NULL;
    if (!run->alive) {
        engine_discard(run->engine, req);
        return;
    }
    engine_handle(run->engine, req);
    run_engine(w, run);
}

void sim_reply(struct world *w, struct req *req, int64_t at)
{
    sim_at(w, at, deliver, req, 0);
}

#define SUBMIT(port)                                                                                         \
    static void port##_in(void *self, struct req *req)                                                       \
    {                                                                                                        \
        struct run *run = self;                                                                              \
        req->next = (struct req *)run;                                                                       \
        run->outstanding++;                                                                                  \
        port##_submit(run, req);                                                                             \
    }
SUBMIT(mongo)
SUBMIT(qdrant)
SUBMIT(embedder)
SUBMIT(maker)

static void start_daemon(struct world *w)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run) abort();
    run->world = w;
    run->alive = true;
    run->next = w->runs;
    w->runs = run;
    snprintf(run->owner, sizeof run->owner, "daemon-%u", ++w->run_count);
    run->ports = (struct ports){.source = {run, mongo_in},
                                .store = {run, mongo_in},
                                .maker = {run, maker_in},
                                .embedder = {run, embedder_in},
                                .index = {run, qdrant_in},
                                .clock = {run, clock_now, clock_wall, clock_random}};
    run->engine = engine_new(&w->config, &run->ports);
    if (!run->engine) abort();
    sim_trace(w, "%s starts", run->owner);
    run_engine(w, run);
}

static void restart(struct world *w, void *arg, uint64_t number)
{
    (void)arg;
    (void)number;
    start_daemon(w);
}

static struct run *some_daemon(struct world *w)
{
    unsigned alive = 0;
    for (struct run *run = w->runs; run; run = run->next) alive += run->alive;
    unsigned pick = (unsigned)sim_below(w, alive);
    for (struct run *run = w->runs; run; run = run->next)
        if (run->alive && pick-- == 0) return run;
    return NULL;
}

static void end_daemon(struct world *w, struct run *run, const char *how)
{
    sim_trace(w, "%s %s", run->owner, how);
    run->alive = false;
    sim_at(w, w->now + 1 + (int64_t)sim_below(w, 3000), restart, NULL, 0);
}

/* What happens to the daemons in one step of chaos. */
static void daemons_fault(struct world *w)
{
    struct run *run = some_daemon(w);
    if (!run) return;
    if (sim_chance(w, w->faults.crash)) {
        end_daemon(w, run, "crashes");
    } else if (sim_chance(w, w->faults.stop)) {
        sim_trace(w, "%s is asked to stop", run->owner);
        engine_stop(run->engine);
        run_engine(w, run);
    } else if (sim_chance(w, w->faults.pause)) {
        run->paused_until = w->now + (int64_t)sim_below(w, 30000);
        sim_trace(w, "%s is paused until %lld", run->owner, (long long)run->paused_until);
    }
}

/* A daemon that has stopped, or lost its lease, is started again as an init system would. */
static void tend_daemons(struct world *w)
{
    for (struct run *run = w->runs; run; run = run->next)
        if (run->alive && w->now >= run->paused_until && engine_done(run->engine))
            end_daemon(w, run, "ended");
}

static void free_dead(struct world *w, bool all)
{
    for (struct run **at = &w->runs, *run; (run = *at) != NULL;) {
        if (!all && (run->alive || run->outstanding > 0)) {
            at = &run->next;
            continue;
        }
        *at = run->next;
        engine_free(run->engine);
        run->engine = NULL;
        free(run);
    }
}

/* What each engine still has to do, for whoever reads the trace of a world that did not come into step. */
static void trace_engines(struct world *w)
{
    for (struct run *run = w->runs; run; run = run->next) {
        struct engine_snapshot s;
        if (!run->alive) continue;
        engine_snapshot(run->engine, &s);
        sim_trace(w,
                  "%s: phase %d, %zu documents in work, %zu requests out, scanning %d, sweeping %d, stream "
                  "%d, cycle %d",
                  run->owner, (int)s.phase, s.docs_in_work, engine_in_flight(run->engine), s.scanning,
                  s.sweeping, s.stream_open, s.cycle_running);
        for (size_t i = 0; i < s.collection_count; i++)
            sim_trace(w, "  collection %zu: circuit %d, %zu queued, %zu in flight", i,
                      (int)s.collections[i].circuit, s.collections[i].queued, s.collections[i].in_flight);
    }
}

/* ---- one seed ---- */

static void step(struct world *w, void *arg, uint64_t number)
{
    (void)arg;
    (void)number;
    if (w->now >= CHAOS_MS) {
        w->quiet = true;
        return;
    }
    if (sim_below(w, 3) == 0) mongo_app_write(w);
    mongo_fault(w);
    servers_fault(w);
    daemons_fault(w);
    sim_at(w, w->now + 1 + (int64_t)sim_below(w, 200), step, NULL, 0);
}

static bool touches(void *self, const char *path)
{
    (void)self;
    return strcmp(path, "x") != 0;
}

static uint64_t rate(struct world *w, uint64_t most)
{
    return sim_below(w, 2) ? sim_below(w, most + 1)
                           : 0; /* half of the worlds don't know a given fault at all */
}

static void draw(struct world *w)
{
    w->faults = (struct faults){.mongo_error = rate(w, 60),
                                .mongo_lost_reply = rate(w, 40),
                                .majority_lag_ms = rate(w, 400),
                                .rollback = rate(w, 20),
                                .truncate = rate(w, 20),
                                .qdrant_refused = rate(w, 60),
                                .qdrant_lost_reply = rate(w, 60),
                                .qdrant_slow = rate(w, 60),
                                .qdrant_outage = rate(w, 10),
                                .qdrant_drop = rate(w, 4),
                                .embed_error = rate(w, 60),
                                .embed_slow = rate(w, 60),
                                .embed_outage = rate(w, 10),
                                .crash = rate(w, 20),
                                .stop = rate(w, 20),
                                .pause = rate(w, 15),
                                .second_daemon = rate(w, 1000)};
    static const char *const names[SIM_COLLECTIONS] = {"a", "b", "c"};
    engine_config_defaults(&w->config);
    w->config.source = "sim";
    for (size_t i = 0; i < SIM_COLLECTIONS; i++)
        w->collections[i] = (struct engine_collection){
            .name = names[i], .embedder = i % SIM_EMBEDDERS, .digest = "declaration"};
    w->embedders[0] = "first";
    w->embedders[1] = "second";
    w->config.collections = w->collections;
    w->config.collection_count = SIM_COLLECTIONS;
    w->config.embedders = w->embedders;
    w->config.embedder_count = SIM_EMBEDDERS;
    w->config.touches = touches;
    w->config.batch_size = 1 + sim_below(w, 10);
    w->config.max_docs = 8 + sim_below(w, 40);
    w->config.embed_batch = 1 + sim_below(w, 8);
    w->config.write_batch = 1 + sim_below(w, 8);
    w->config.retry.base_ms = 1000;
    w->config.retry.max_ms = 60000;
    w->config.retry.max_retries = 1000; /* nothing here is to stay failed but what is poisonous or invalid */
}

bool sim_world(uint64_t seed, bool trace, char *failure, size_t failure_bytes, struct world *summary)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w) abort();
    w->seed = seed;
    w->random = seed * 0x9E3779B97F4A7C15ull + 0x123456789ull;
    w->trace = trace;
    for (int i = 0; i < 8; i++) sim_random(w);
    draw(w);
    for (uint64_t i = 0, n = sim_below(w, 20); i < n; i++)
        mongo_app_write(w); /* what is there before the first start */
    start_daemon(w);
    if (sim_below(w, 1000) < w->faults.second_daemon) start_daemon(w);
    sim_at(w, 1, step, NULL, 0);

    bool in_step = false;
    int64_t next_check = CHAOS_MS + 1000;
    while (w->heap_count > 0 && w->now < CHAOS_MS + SETTLE_MS && !in_step) {
        struct event ev = pop(w);
        if (++w->events > MAX_EVENTS) {
            sim_fail(w, "too many events: something goes round in a loop");
            break;
        }
        w->now = ev.at;
        ev.act(w, ev.arg, ev.number);
        tend_daemons(w);
        if (w->now > next_check && w->quiet) {
            next_check = w->now + 5000;
            in_step = check_in_step(w);
            if (!in_step && w->now + 10000 < CHAOS_MS + SETTLE_MS) w->failure[0] = '\0';
        }
    }
    if (!in_step && !w->failure[0]) check_in_step(w);
    if (!in_step) trace_engines(w);
    if (failure) snprintf(failure, failure_bytes, "%s", w->failure);
    if (summary) *summary = *w;
    while (w->heap_count > 0) { /* what is still under way belongs to somebody */
        struct event ev = pop(w);
        if (ev.act == wake || ev.act == restart || ev.act == step) continue;
        struct req *req = ev.arg; /* all others carry a request */
        struct run *run = sim_run_of(req);
        req->next = NULL;
        engine_discard(run->engine, req);
    }
    free_dead(w, true);
    mongo_free(w);
    free(w->heap);
    free(w);
    return in_step;
}
