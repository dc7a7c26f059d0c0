/*
 * daemons.c - daemons that start, stop, crash and pause, each with its configuration and its wall clock; and
 * what lies between an engine and the servers: requests that leave, and come back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* ---- the engine's clock ---- */

static int64_t clock_now(void *self)
{
    return ((struct run *)self)->world->now;
}

static int64_t clock_wall(void *self)
{
    const struct run *run = self;
    return SIM_EPOCH_MS + run->world->now + run->clock_off_ms;
}

static uint64_t clock_random(void *self)
{
    struct world *w = ((struct run *)self)->world;
    return sim_below(w, BY_ENGINE, UINT64_MAX) << 11;
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
    promise_rest(w, run);
}

static void wake(struct world *w, void *arg, uint64_t number)
{
    struct run *run = arg;
    if (number == run->tick) run_engine(w, run);
}

/* ---- requests ---- */

static void pause_now(struct world *w, struct run *run, int64_t least_ms)
{
    int64_t until = w->now + least_ms + (int64_t)sim_below(w, FAULT_PAUSE, 4 * (uint64_t)w->lease_ms);
    if (run->paused_until < until) run->paused_until = until;
    sim_trace(w, "%s is paused until %lld", run->owner, (long long)run->paused_until);
}

static void end_daemon(struct world *w, struct run *run, const char *how)
{
    sim_trace(w, "%s %s", run->owner, how);
    run->alive = false;
    daemon_start_later(w, 3000);
}

static void note_records(struct run *run, const struct req *req)
{
    const struct sim_mongo *m = &run->world->mongo;
    for (size_t i = 0; i < req->record.count; i++) {
        int id = sim_id_number(req->record.writes[i].id);
        bool last = m->last_of[id] && m->log[m->last_of[id] - 1].own;
        run->recorded[id] = last && req->record.writes[i].code == LKS_E_OK ? m->last_of[id] : 0;
    }
    /* a primary shows what it has said is written */
    if (run->saw < mongo_committed(run->world)) run->saw = mongo_committed(run->world);
}

/* What a new lease, and new events, say to whoever checks promises. */
static void note(struct run *run, const struct req *req)
{
    if (req->kind == REQ_LEASE && req->err.code == LKS_E_OK && req->lease.op == LEASE_TAKE && req->lease.held)
        run->epoch = req->lease.epoch;
    if (req->kind == REQ_LEASE && req->err.code == LKS_E_OK && req->lease.op == LEASE_RAISE &&
        req->lease.held)
        run->epoch = req->lease.raise_to;
    if (req->kind == REQ_RECORD && req->err.code == LKS_E_OK) note_records(run, req);
    if (req->kind == REQ_ENSURE && req->err.code == LKS_E_OK && req->ensure.empty)
        run->was_empty[run->which[req->ensure.collection]] = true;
    if (req->kind != REQ_STREAM_NEXT && req->kind != REQ_STREAM_OPEN) return;
    if (req->err.code == LKS_E_STREAM_LOST) {
        run->received = 0;
        run->skipped_until = 0;
        memset(run->seen, 0, sizeof run->seen);
    } else if (req->kind == REQ_STREAM_NEXT && req->err.code == LKS_E_OK) {
        for (size_t i = 0; i < req->stream_next.change_count; i++)
            run->received = (int64_t)req->stream_next.changes[i].at;
    }
}

/* What it can be sure of about a point: a reply that came while its lease ran, or what it saw itself. */
static void note_points(struct run *run, const struct req *req)
{
    bool in_time = run->world->now <= run->lease_until_ms;
    if (req->kind == REQ_EPOCHS) run->met_epoch = 0;
    if (req->err.code != LKS_E_OK) return;
    if (req->kind == REQ_UPSERT)
        for (size_t i = 0; i < req->write.count; i++)
            run->sure[run->which[req->write.collection]][sim_doc_number(req->write.points[i].doc)] = in_time;
    if (req->kind == REQ_LOOKUP)
        for (size_t i = 0; i < req->lookup.found_count; i++) {
            const struct stamp *found = &req->lookup.found[i];
            if (!found->doc) continue;
            run->sure[run->which[req->lookup.collection]][sim_doc_number(found->doc)] = true;
            if (in_time && found->epoch > run->epoch) run->met_epoch = found->epoch;
        }
}

/* The document that a request would write, the first of several. */
static int written_doc(const struct req *req)
{
    if (req->kind == REQ_UPSERT) return sim_doc_number(req->write.points[0].doc);
    return req->kind == REQ_RECORD ? sim_id_number(req->record.writes[0].id) : NEWEST_DOC;
}

/* What a paused or dead daemon has in its hands is often no longer so when it, or another one, goes on. */
static void leave_to_app(struct world *w, const struct req *req)
{
    if (sim_below(w, BY_STEP, 4)) mongo_take_back(w, written_doc(req));
}

/* How likely it dies with what it is to hear. */
static double fateful(const struct trip *trip)
{
    if (trip->moves) return 10;
    if (trip->changes) return 4;
    return trip->req->kind == REQ_UPSERT ? 0.6 : 0.02;
}

static void deliver(struct world *w, void *arg, uint64_t number)
{
    struct trip *trip = arg;
    struct run *run = trip->run;
    struct req *req = trip->req;
    (void)number;
    if (run->alive && w->now < run->paused_until) {
        sim_send(w, run->paused_until, deliver, trip);
        return;
    }
    if (run->alive && sim_chance_times(w, FAULT_CRASH, fateful(trip))) {
        end_daemon(w, run, "crashes before it hears");
        leave_to_app(w, req);
    }
    run->outstanding--;
    if (req->kind == REQ_LEASE && req->err.code == LKS_E_OK && req->lease.held)
        run->lease_until_ms = trip->sent_ms + w->lease_ms;
    free(trip);
    if (!run->alive) {
        engine_discard(run->engine, req);
        return;
    }
    bool created = req->kind == REQ_ENSURE && req->err.code == LKS_E_OK && req->ensure.created;
    bool lost = req->err.code == LKS_E_STREAM_LOST || req->err.code == LKS_E_STREAM_ENDED;
    note(run, req);
    note_points(run, req);
    engine_handle(run->engine, req);
    if (created) promise_heals(w, run, "a Qdrant collection had to be made");
    if (lost) promise_heals(w, run, "history was lost, or the collection dropped");
    run_engine(w, run);
}

void sim_reply(struct world *w, struct trip *trip, int64_t at)
{
    sim_send(w, at, deliver, trip);
}

static bool to_mongo(enum req_kind kind)
{
    return kind <= REQ_LEASE;
}

static bool to_qdrant(enum req_kind kind)
{
    return kind >= REQ_ENSURE;
}

/* Its time was out when a connection was ready: the adapter's own clock stops it, but for the moment between
 * looking at the clock and sending, if the process is paused right then. Deletes can't be guarded, so the
 * lease and that clock are all there is for them. */
static bool stopped_by_adapter(struct world *w, const struct trip *trip)
{
    if (w->now < trip->deadline_ms) return false;
    if (!trip->held) return true;
    if (trip->req->kind != REQ_UPSERT) return true;
    return sim_below(w, FAULT_PAUSE, 4) == 0;
}

static void leave(struct world *w, void *arg, uint64_t number);

/* All connections are in use, for longer perhaps than the lease lasts. */
static bool waits_in_adapter(struct world *w, struct trip *trip)
{
    if (trip->queued || !sim_chance(w, FAULT_QDRANT_QUEUE)) return false;
    trip->queued = true;
    sim_send(w, w->now + 1 + (int64_t)sim_below(w, FAULT_QDRANT_QUEUE, 2 * (uint64_t)w->lease_ms), leave,
             trip);
    return true;
}

/* It leaves the process, unless that was paused, or died, with it in its hands: then it may just have left.
 */
static void leave(struct world *w, void *arg, uint64_t number)
{
    struct trip *trip = arg;
    struct run *run = trip->run;
    enum req_kind kind = trip->req->kind;
    (void)number;
    if (run->alive && to_qdrant(kind) && waits_in_adapter(w, trip)) return;
    if (!run->alive && to_qdrant(kind) && !trip->held && !trip->queued && sim_chance(w, FAULT_QDRANT_LATE)) {
        qdrant_submit(trip);
    } else if (!run->alive) {
        lks_fail(&trip->req->err, LKS_E_CANCELLED, "the process died");
        sim_reply(w, trip, w->now);
    } else if (w->now < run->paused_until) {
        trip->held = true;
        sim_send(w, run->paused_until, leave, trip);
    } else if (to_qdrant(kind) && stopped_by_adapter(w, trip)) {
        lks_fail(&trip->req->err, LKS_E_QDRANT_TIMEOUT, "not sent in time");
        sim_reply(w, trip, w->now);
    } else if (to_mongo(kind)) {
        mongo_submit(trip);
    } else if (to_qdrant(kind)) {
        if (trip->held && w->now >= trip->deadline_ms)
            sim_trace(w, "%s: a request that was held leaves late", run->owner);
        qdrant_submit(trip);
    } else if (kind == REQ_MAKE) {
        maker_submit(trip);
    } else {
        embedder_submit(trip);
    }
}

/* How often something happens to the daemon just as it sends, against how often in a step of chaos. */
static double perilous(enum req_kind kind)
{
    switch (kind) {
    case REQ_UPSERT:
        return 5.0;
    case REQ_DELETE:
        return 1.0;
    case REQ_RECORD:
        return 0.3;
    default:
        return 0.03;
    }
}

static void submit(void *self, struct req *req)
{
    struct run *run = self;
    struct world *w = run->world;
    struct trip *trip = calloc(1, sizeof *trip);
    if (!trip) abort();
    *trip = (struct trip){.req = req, .run = run, .sent_ms = w->now, .deadline_ms = INT64_MAX};
    if (to_qdrant(req->kind)) {
        trip->deadline_ms = w->now + w->index_timeout_ms; /* that is the adapter's own */
        if (req->deadline_ms < trip->deadline_ms) trip->deadline_ms = req->deadline_ms;
        promise_deadline(w, run, req);
    }
    run->outstanding++;
    if (run->alive && req->kind != REQ_STREAM_NEXT) {
        double times = perilous(req->kind);
        if (sim_chance_times(w, FAULT_PAUSE, times))
            pause_now(w, run, times > 1 ? w->lease_ms : 0); /* long enough for somebody to take over */
        else if (sim_chance_times(w, FAULT_CRASH, req->kind == REQ_RECORD ? 0.5 : times / 5))
            end_daemon(w, run, "crashes with a request in work");
        if (w->now < run->paused_until || !run->alive) leave_to_app(w, req);
    }
    sim_send(w, w->now, leave, trip);
}

void sim_discard(struct trip *trip)
{
    engine_discard(trip->run->engine, trip->req);
    free(trip);
}

/* ---- configuration ---- */

static bool touches(void *self, const char *path)
{
    const struct run *run = self;
    if (path[0] == 't') return run->setup.on[path[1] - '0'];
    return strcmp(path, "x") != 0;
}

static void configure(struct world *w, struct run *run)
{
    static const char *const names[SIM_COLLECTIONS] = {"a", "b", "c"};
    static const char *const embedders[SIM_EMBEDDERS] = {"first", "second"};
    struct engine_config *config = &run->config;
    size_t count = 0;
    run->setup = w->setup;
    engine_config_defaults(config);
    for (size_t i = 0; i < SIM_COLLECTIONS; i++) {
        if (!run->setup.on[i]) continue;
        snprintf(run->digests[i], sizeof run->digests[i], "model %d, version %d",
                 run->setup.model[i % SIM_EMBEDDERS], run->setup.version[i]);
        run->which[count] = i;
        run->collections[count++] = (struct engine_collection){
            .name = names[i], .embedder = i % SIM_EMBEDDERS, .digest = run->digests[i]};
    }
    config->source = run->owner;
    config->collections = run->collections;
    config->collection_count = count;
    config->embedders = embedders;
    config->embedder_count = SIM_EMBEDDERS;
    config->touches = touches;
    config->touches_self = run;
    config->interval_ms = w->rate[FAULT_INSTALLATION] ? 4000 : 20000; /* it and we rise in turn */
    config->lease_ms = w->lease_ms;
    config->index_timeout_ms = w->index_timeout_ms;
    config->batch_size = w->batch_size;
    config->max_docs = w->max_docs;
    config->embed_batch = w->embed_batch;
    config->write_batch = w->write_batch;
    config->max_delete_percent = w->max_delete_percent;
    config->hold_from = w->hold_from;
    config->count_busy_ms = COUNT_BUSY_MS;
    config->retry.base_ms = 1000;
    config->retry.max_ms = 60000;
    config->retry.max_retries = 1000; /* nothing here is to stay failed but what is poisonous or invalid */
}

/* An administrator changes the configuration; every daemon is stopped, and starts again with it. */
static void reconfigure(struct world *w)
{
    size_t i = (size_t)sim_below(w, FAULT_CONFIG, SIM_COLLECTIONS);
    switch (sim_below(w, FAULT_CONFIG, 4)) {
    case 0:
        w->setup.model[i % SIM_EMBEDDERS]++;
        sim_trace(w, "embedder %zu gets another model", i % SIM_EMBEDDERS);
        break;
    case 1:
        w->setup.version[i]++;
        sim_trace(w, "the plugin of collection %zu is a new version", i);
        break;
    default:
        if (sim_below(w, FAULT_CONFIG, 2)) /* what is off comes back, sooner or later */
            for (size_t k = 1; k < w->limits.collections; k++)
                if (!w->setup.on[k]) i = k;
        if (i == 0 || i >= w->limits.collections) return;
        w->setup.on[i] = !w->setup.on[i];
        w->qdrant[i].switched_ms = w->now;
        sim_trace(w, "collection %zu is switched %s", i, w->setup.on[i] ? "on" : "off");
        break;
    }
    for (struct run *run = w->runs; run; run = run->next) {
        if (!run->alive) continue;
        engine_stop(run->engine);
        run_engine(w, run);
    }
}

/* ---- from start to end ---- */

void daemon_start(struct world *w)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run) abort();
    run->world = w;
    run->alive = true;
    run->next = w->runs;
    run->started_ms = w->now;
    w->runs = run;
    snprintf(run->owner, sizeof run->owner, "daemon-%u", ++w->run_count);
    configure(w, run);
    const struct port port = {run, submit};
    run->ports = (struct ports){.source = port,
                                .store = port,
                                .maker = port,
                                .embedder = port,
                                .index = port,
                                .clock = {run, clock_now, clock_wall, clock_random}};
    run->engine = engine_new(&run->config, &run->ports);
    if (!run->engine) abort();
    sim_trace(w, "%s starts", run->owner);
    run_engine(w, run);
}

static void restart(struct world *w, void *arg, uint64_t number)
{
    (void)arg;
    (void)number;
    w->starting--;
    if (sim_chance_times(w, FAULT_TRUNCATE, 20)) { /* nobody was there to read */
        mongo_truncate(w);
        /* and nothing comes after that would show it */
        if (sim_below(w, FAULT_TRUNCATE, 4))
            w->silent_until =
                w->now + w->lease_ms + w->index_timeout_ms + (int64_t)sim_below(w, FAULT_TRUNCATE, 30000);
    }
    if (!w->ending) daemon_start(w);
}

void daemon_start_later(struct world *w, int64_t within_ms)
{
    w->starting++;
    sim_at(w, w->now + 1 + (int64_t)sim_below(w, FAULT_CRASH, (uint64_t)within_ms), restart, NULL, 0);
}

static struct run *some_daemon(struct world *w, enum fault fault)
{
    unsigned alive = 0;
    for (struct run *run = w->runs; run; run = run->next) alive += run->alive;
    unsigned pick = (unsigned)sim_below(w, (int)fault, alive);
    for (struct run *run = w->runs; run; run = run->next)
        if (run->alive && pick-- == 0) return run;
    return NULL;
}

static int64_t jump(struct world *w, enum fault fault)
{
    return (int64_t)sim_below(w, (int)fault, 600000) - 300000;
}

/* A person asks, and may be as unreasonable as persons are. */
static void ask(struct world *w, struct run *run)
{
    struct docid *id = sim_id((int)sim_below(w, FAULT_ASK, (uint64_t)w->ids));
    switch (sim_below(w, FAULT_ASK, 7)) {
    case 0:
        engine_cycle(run->engine);
        break;
    case 4:
        if (engine_phase(run->engine) == PHASE_RUN)
            engine_compare(run->engine, &(struct engine_compare){.only = sim_below(w, FAULT_ASK, 2),
                                                                 .whole = sim_below(w, FAULT_ASK, 2) != 0});
        break;
    case 5:
        engine_compare_stop(run->engine);
        break;
    case 6: /* "Sync All Pending", as the API does it */
        mongo_requeue(w);
        engine_cycle(run->engine);
        break;
    case 1:
        engine_scan(run->engine, sim_below(w, FAULT_ASK, 2) != 0);
        break;
    default:
        if (engine_phase(run->engine) == PHASE_RUN && !w->mongo.swapped)
            engine_resync(run->engine, id, 0, false);
        break;
    }
    docid_free(id);
    run_engine(w, run);
}

void daemons_fault(struct world *w)
{
    if (sim_chance(w, FAULT_CONFIG)) reconfigure(w);
    if (sim_chance(w, FAULT_CRASH)) {
        struct run *run = some_daemon(w, FAULT_CRASH);
        if (run) end_daemon(w, run, "crashes");
    }
    if (sim_chance(w, FAULT_STOP)) {
        struct run *run = some_daemon(w, FAULT_STOP);
        if (run && w->now >= run->paused_until) {
            sim_trace(w, "%s is asked to stop", run->owner);
            engine_stop(run->engine);
            if (sim_below(w, FAULT_STOP, 4) == 0) engine_hurry(run->engine);
            run_engine(w, run);
        }
    }
    if (sim_chance(w, FAULT_PAUSE)) {
        struct run *run = some_daemon(w, FAULT_PAUSE);
        if (run) pause_now(w, run, 0);
    }
    if (sim_chance(w, FAULT_CLOCK)) {
        struct run *run = some_daemon(w, FAULT_CLOCK);
        int64_t off = jump(w, FAULT_CLOCK);
        if (run) run->clock_off_ms = off;
        if (run) sim_trace(w, "%s: its clock is off by %lld ms", run->owner, (long long)off);
        w->clocks_jumped = true;
    }
    if (sim_chance(w, FAULT_SERVER_CLOCK)) {
        int64_t off = jump(w, FAULT_SERVER_CLOCK) / 10;
        if (off > w->mongo.clock_off_ms) w->server_jumped_ms = w->now;
        w->mongo.clock_off_ms = off;
        w->clocks_jumped = true;
        sim_trace(w, "MongoDB's clock is off by %lld ms", (long long)off);
    }
    if (sim_chance(w, FAULT_ASK)) {
        struct run *run = some_daemon(w, FAULT_ASK);
        if (run && w->now >= run->paused_until) ask(w, run);
    }
}

void daemons_right_clocks(struct world *w)
{
    if (w->mongo.clock_off_ms < 0) w->server_jumped_ms = w->now;
    w->mongo.clock_off_ms = 0;
    for (struct run *run = w->runs; run; run = run->next) run->clock_off_ms = 0;
}

void daemons_tend(struct world *w)
{
    for (struct run *run = w->runs; run; run = run->next)
        if (run->alive && w->now >= run->paused_until && engine_done(run->engine))
            end_daemon(w, run, "ended");
}

bool daemons_stop(struct world *w)
{
    bool any = w->starting > 0;
    for (struct run *run = w->runs; run; run = run->next) {
        any |= run->alive;
        if (!run->alive || w->now < run->paused_until) continue;
        engine_stop(run->engine);
        run_engine(w, run);
    }
    return !any;
}

void daemons_crash(struct world *w)
{
    for (struct run *run = w->runs; run; run = run->next)
        if (run->alive) end_daemon(w, run, "is stopped hard");
}

struct run *daemon_at_work(const struct world *w)
{
    for (struct run *run = w->runs; run; run = run->next)
        if (run->alive && w->now >= run->paused_until && strcmp(run->owner, w->mongo.owner) == 0 &&
            engine_phase(run->engine) == PHASE_RUN)
            return run;
    return NULL;
}

bool daemons_calm(const struct world *w)
{
    for (const struct run *run = w->runs; run; run = run->next)
        if (run->alive ? w->now < run->paused_until + w->index_timeout_ms : run->outstanding > 0)
            return false;
    return true;
}

void daemons_trace(struct world *w)
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
            sim_trace(w, "  collection %zu: circuit %d, %zu queued, %zu in flight", run->which[i],
                      (int)s.collections[i].circuit, s.collections[i].queued, s.collections[i].in_flight);
    }
}

void daemons_free(struct world *w)
{
    for (struct run *run = w->runs, *next; run; run = next) {
        next = run->next;
        if (run->waiting) sim_discard(run->waiting);
        engine_free(run->engine);
        free(run);
    }
}
