/*
 * engine.c - one engine from new to free: hands what comes back to whoever asked, lets everybody do what is
 * due, and knows when it is over.
 */
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/io/io.h"

void engine_config_defaults(struct engine_config *config)
{
    *config = (struct engine_config){
        .watch = WATCH_AUTO,
        .poll_interval_ms = 10000,
        .worker_enabled = true,
        .interval_ms = 60000,
        .batch_size = 100,
        .retry = {.base_ms = 5000, .multiplier = 2, .max_ms = 300000, .jitter = 0.2, .max_retries = 5},
        .lease_ms = 10000,
        .index_timeout_ms = 5000,
        .max_docs = 1024,
        .max_bytes = 16 << 20,
        .embed_batch = 128,
        .write_batch = 128,
        .count_busy_ms = 3600000,
        .max_delete_percent = 50,
        .hold_from = 100};
}

/* An engine, with what its layers keep for themselves. */
struct whole {
    struct engine engine; /* first: what others know */
    struct feeds feeds;
    struct session session;
};

static void init_batch_queues(struct engine *e)
{
    const struct engine_config *config = e->config;
    batch_queue_init(&e->reads, 2, 128);
    batch_queue_init(&e->deferred, 0, 0);
    batch_queue_init(&e->granted, 0, 0);
    batch_queue_init(&e->settled, 0, 0);
    batch_queue_init(&e->records, 2, 256);
    batch_queue_init(&e->duplicates, 1, MOST_WITH_DUPLICATES);
    batch_queue_init(&e->tombstone_puts, 1, 256);
    batch_queue_init(&e->tombstone_drops, 1, 256);
    batch_queue_init(&e->takeovers, 1, 256);
    for (size_t i = 0; i < e->collection_count; i++) {
        struct collection_state *c = &e->collections[i];
        batch_queue_init(&c->make, 2, 256);
        batch_queue_init(&c->look, 2, config->write_batch);
        batch_queue_init(&c->upsert, 2, config->write_batch);
        batch_queue_init(&c->del, 1, config->write_batch);
    }
    for (size_t i = 0; i < config->embedder_count; i++)
        batch_queue_init(&e->embedders[i].embed, 4, config->embed_batch);
}

struct engine *engine_new(const struct engine_config *config, const struct ports *ports)
{
    struct whole *whole = calloc(1, sizeof *whole);
    if (!whole) return NULL;
    struct engine *e = &whole->engine;
    e->feeds = &whole->feeds;
    e->session = &whole->session;
    e->config = config;
    e->ports = *ports;
    e->collection_count = config->collection_count;
    e->collections = calloc(config->collection_count + 1, sizeof *e->collections);
    e->embedders = calloc(config->embedder_count + 1, sizeof *e->embedders);
    if (!e->collections || !e->embedders || !document_table_init(e) || !point_locks_init(&e->point_locks)) {
        engine_free(e);
        return NULL;
    }
    int64_t now = now_ms(e);
    for (size_t i = 0; i < config->collection_count; i++) {
        e->collections[i].config = &config->collections[i];
        circuit_init(&e->collections[i].circuit, now);
    }
    for (size_t i = 0; i < config->embedder_count; i++) {
        e->embedders[i].name = config->embedders[i];
        circuit_init(&e->embedders[i].circuit, now);
    }
    init_batch_queues(e);
    watermark_init(&e->feeds->stream.watermark, stream_position_free);
    watermark_init(&e->feeds->scan.watermark, docid_position_free);
    watermark_init(&e->feeds->sweep.watermark, docid_position_free);
    e->feeds->scan.total = -1;
    e->feeds->stream.lag_ms = -1;
    e->feeds->stream.heard_ms = NO_TIME;
    e->session->epochs.raised_ms = e->session->epochs.raised_wall_ms = e->session->epochs.another_wall_ms =
        NO_TIME;
    e->feeds->stream.broke_wall_ms = e->lag.unnamed_wall_ms = NO_TIME;
    e->retry_wall_ms = e->feeds->tombstones.next_wall_ms = e->feeds->worker.retry_wall_ms =
        e->stats.last_cycle_wall_ms = NO_TIME;
    e->rejects_wanted = true;
    e->phase = PHASE_LEASE;
    return e;
}

void engine_free(struct engine *e)
{
    if (!e) return;
    if (e->point_locks.buckets) document_table_fini(e);
    point_locks_fini(&e->point_locks);
    duplicate_ids_fini(e);
    lag_fini(e);
    refused_fini(e);
    sweep_fini(e);
    if (e->feeds->stream.watermark.free_position) watermark_fini(&e->feeds->stream.watermark);
    if (e->feeds->scan.watermark.free_position) watermark_fini(&e->feeds->scan.watermark);
    if (e->feeds->sweep.watermark.free_position) watermark_fini(&e->feeds->sweep.watermark);
    if (e->feeds->stream.received.token) bson_destroy(e->feeds->stream.received.token);
    docid_free(e->feeds->scan.from);
    docid_free(e->feeds->worker.from);
    docid_free(e->feeds->tombstones.from);
    free(e->collections);
    free(e->embedders);
    free(e);
}

/* What documents need to know of all that is decided above them. */
static void state_facts(struct engine *e)
{
    struct facts *facts = &e->facts;
    facts->epoch = e->session->lease.epoch;
    facts->lease_until_ms = e->session->lease.until_ms;
    facts->stream_notifies =
        e->feeds->stream.ever_opened && (e->feeds->stream.received.token || e->feeds->stream.received.at);
    facts->compares = e->feeds->scan.verify_points && (e->feeds->scan.wanted || e->feeds->scan.running);
    facts->swept = e->feeds->sweep.running ? e->feeds->sweep.left : 0;
    facts->verify_until = e->feeds->stream.verify_until;
    facts->another_epoch = epochs_another(e) ? e->session->epochs.found : 0;
    facts->tombstone_keep_ms = e->config->index_timeout_ms + e->config->lease_ms;
}

void engine_handle(struct engine *e, struct req *req)
{
    e->in_flight--;
    state_facts(e);
    if (req->kind < REQ_RECORD)
        source_io_reply(e, req);
    else if (req->kind < REQ_MAKE)
        store_io_reply(e, req);
    else if (req->kind == REQ_MAKE)
        maker_io_reply(e, req);
    else if (req->kind < REQ_ENSURE)
        embedder_io_reply(e, req);
    else
        index_io_reply(e, req);
    documents_step(e);
    req_free(req);
}

void engine_discard(struct engine *e, struct req *req)
{
    e->in_flight--;
    if (req->kind != REQ_ENSURE) free(req->context);
    req_free(req);
}

/* The next time at which something is due by the clock alone. */
static int64_t next_time(struct engine *e)
{
    int64_t now = now_ms(e), next = INT64_MAX;
#define AT_MOST(ms)                                                                                          \
    do {                                                                                                     \
        if ((ms) > now && (ms) < next) next = (ms);                                                          \
    } while (0)
    AT_MOST(e->session->lease.next_ms);
    AT_MOST(e->session->lease.settle_ms);
    AT_MOST(e->facts.mongo_until_ms);
    AT_MOST(deferred_next_ms(e));
    if (e->phase == PHASE_PROBE) AT_MOST(e->session->first_look_until_ms);
    if (e->phase == PHASE_RUN || e->phase == PHASE_PROBE) {
        AT_MOST(e->feeds->stream.open_at_ms);
        AT_MOST(e->feeds->tombstones.next_ms);
        if (e->feeds->tombstones.next_wall_ms != NO_TIME) {
            int64_t wait = e->feeds->tombstones.next_wall_ms - wall_ms(e);
            if (wait > 0) AT_MOST(now + wait);
        }
        AT_MOST(e->feeds->sweep.next_ms);
        if (sweep_holds(e)) AT_MOST(e->feeds->sweep.recount_ms);
        if (e->config->worker_enabled) AT_MOST(e->feeds->worker.next_ms);
        AT_MOST(e->feeds->count_check.wanted ? e->feeds->count_check.next_ms : e->feeds->count_check.idle_ms);
        AT_MOST(e->feeds->count_check.busy_ms);
        AT_MOST(e->session->epochs.next_ms);
        if (e->feeds->stream.unsupported || e->config->watch == WATCH_POLL) AT_MOST(e->feeds->scan.next_ms);
        if (e->feeds->worker.retry_wall_ms != NO_TIME && e->config->worker_enabled && !e->config->once) {
            int64_t wait = e->feeds->worker.retry_wall_ms - wall_ms(e);
            AT_MOST(now + (wait > 0 ? wait : 1));
        }
        for (size_t i = 0; i < e->config->embedder_count; i++) AT_MOST(e->embedders[i].circuit.probe_at_ms);
        for (size_t i = 0; i < e->collection_count; i++) {
            AT_MOST(e->collections[i].circuit.probe_at_ms);
            if (e->collections[i].replicated && !e->feeds->replicas.requested)
                AT_MOST(e->feeds->replicas.next_ms);
            if (e->collections[i].deferred) AT_MOST(now + 1000);
        }
        if (e->feeds->stream.watermark.moved || e->feeds->scan.watermark.moved ||
            e->feeds->sweep.watermark.moved || e->save_dirty)
            AT_MOST(now + 300);
        if (e->feeds->replicas.owed && e->feeds->replicas.again_ms > now)
            AT_MOST(e->feeds->replicas.again_ms);
        if (e->docs_in_work >= e->config->max_docs) AT_MOST(now + 100);
    }
#undef AT_MOST
    return next;
}

/* Requests for everything that waits and may go. */
static void send_ready(struct engine *e)
{
    size_t before;
    do { /* memory out leaves a queue ready without sending: then wait for completions */
        before = e->in_flight;
        source_io_send(e);
        store_io_send(e);
        maker_io_send(e);
        index_io_send(e);
        embedder_io_send(e);
    } while (e->in_flight != before);
}

int64_t engine_run(struct engine *e)
{
    epochs_take_seen(e);
    session_run(e);
    epochs_run(e);
    state_facts(e);
    if (e->phase == PHASE_RUN && e->config->once && session_round_done(e)) session_stop(e);
    if (e->phase == PHASE_RUN && !e->config->one_shot.on) {
        stream_run(e);
        tombstones_run(e);
        worker_run(e);
        count_check_run(e);
    }
    if (e->phase == PHASE_RUN) {
        replicas_run(e);
        scan_run(e);
        load_shedding_run(e);
    }
    deferred_run(e);
    state_facts(e);
    documents_step(e);
    if (e->phase == PHASE_DRAIN) session_drain(e);
    if (!e->session->lease_lost) send_ready(e);
    if (e->phase == PHASE_DRAIN) session_drain(e);
    checkpoint_run(e);
    session_run(e);
    if (!e->session->lease_lost) store_io_send(e);
    return next_time(e);
}

void engine_stop(struct engine *e)
{
    session_stop(e);
}

void engine_hurry(struct engine *e)
{
    e->session->hurry = true;
}

bool engine_done(const struct engine *e)
{
    return e->phase == PHASE_DONE && e->in_flight == 0;
}

bool engine_lease_lost(const struct engine *e)
{
    return e->session->lease_lost;
}

bool engine_refused(const struct engine *e)
{
    return e->session->start_refused;
}

size_t engine_in_flight(const struct engine *e)
{
    return e->in_flight;
}

bool engine_resync(struct engine *e, const struct docid *id, uint64_t collections, bool force)
{
    struct dirty_reason reason = {
        .verify_points = true, .explicit_ask = true, .force = force, .only = collections};
    return document_make_dirty(e, id, &reason);
}

void engine_cycle(struct engine *e)
{
    e->feeds->worker.wanted = true;
}

void engine_scan(struct engine *e, bool verify_points)
{
    scan_start(e, verify_points);
}

enum engine_phase engine_phase(const struct engine *e)
{
    return e->phase;
}

size_t engine_docs_in_work(const struct engine *e)
{
    return e->docs_in_work;
}

/* ---- what it says of itself ---- */

static void snapshot_stream(const struct engine *e, struct engine_snapshot *out)
{
    out->watch = e->config->watch;
    out->stream_open = e->feeds->stream.open;
    out->stream_unsupported = e->feeds->stream.unsupported;
    out->stream_proven = e->feeds->stream.proven;
    snprintf(out->stream_error, sizeof out->stream_error, "%s", e->feeds->stream.error);
    out->stream_broke_wall_ms = e->feeds->stream.open ? NO_TIME : e->feeds->stream.broke_wall_ms;
    out->stream_lag_ms = stream_lag_ms(e);
    out->events = e->feeds->stream.events;
    bool waits = e->session->pause.failures > 0;
    snprintf(out->mongo_error, sizeof out->mongo_error, "%s", waits ? e->session->pause.error : "");
    out->mongo_broke_wall_ms = waits ? e->session->pause.since_wall_ms : NO_TIME;
}

static void snapshot_work(const struct engine *e, struct engine_snapshot *out)
{
    out->scanning = e->feeds->scan.running || e->feeds->scan.wanted;
    out->scan_verifies = e->feeds->scan.verify_points;
    out->scanned = e->feeds->scan.seen;
    out->scan_total = e->feeds->scan.total;
    out->scan_rate = scan_rate(e);
    out->sweeping = e->feeds->sweep.running;
    out->compare_asked = e->feeds->compare.state != COMPARE_NONE;
    out->comparing = e->feeds->compare.state == COMPARE_RUNS;
    out->compares = e->feeds->compare.done;
    out->compare_partial = e->feeds->compare.partial;
    out->docs_in_work = e->docs_in_work;
    out->bytes_in_work = e->bytes_in_work;
    out->max_docs = e->config->max_docs;
    out->max_bytes = e->config->max_bytes;
    out->reads_queued = e->reads.queued;
    out->records_queued = e->records.queued;
    out->lag_since_wall_ms = lag_since(e);
    out->cycle_running = e->feeds->worker.running;
}

/* State and reason of a circuit, and since when it is open by the wall clock. */
static enum circuit_state snapshot_circuit(const struct engine *e, const struct circuit *c, char *error,
                                           size_t error_bytes, int64_t *open_wall_ms)
{
    const struct clock *clock = &e->ports.clock;
    snprintf(error, error_bytes, "%.250s", c->reason.text);
    *open_wall_ms = circuit_closed(c)
                        ? NO_TIME
                        : clock->wall_ms(clock->self) - (clock->now_ms(clock->self) - c->opened_ms);
    return c->state;
}

static void snapshot_collection(const struct engine *e, const struct collection_state *c,
                                struct collection_snapshot *s)
{
    const struct embedder_state *em = &e->embedders[c->config->embedder];
    *s = c->stats;
    s->circuit = snapshot_circuit(e, &c->circuit, s->error, sizeof s->error, &s->open_wall_ms);
    s->embedder_circuit = snapshot_circuit(e, &em->circuit, s->embedder_error, sizeof s->embedder_error,
                                           &s->embedder_open_wall_ms);
    if (c->absent) { /* that is no failure */
        s->circuit = CIRCUIT_CLOSED;
        s->error[0] = '\0';
        s->open_wall_ms = NO_TIME;
    }
    s->key_refused = c->circuit.reason.blame == LKS_BLAME_KEY;
    s->embedder_key_refused = em->circuit.reason.blame == LKS_BLAME_KEY;
    s->looked = c->circuit.ever_probed;
    s->embedder = c->config->embedder;
    s->embed_queued = em->embed.queued;
    s->embed_in_flight = em->embed.in_flight;
    s->fatal = c->fatal;
    s->held = c->held;
    s->queued = c->make.queued + c->look.queued + c->upsert.queued + c->del.queued;
    s->in_flight = c->make.in_flight + c->look.in_flight + c->upsert.in_flight + c->del.in_flight;
}

bool engine_compare(struct engine *e, const struct engine_compare *request)
{
    if (!compare_ask(e, request)) return false;
    if (request->whole) epochs_forgive(e);
    return true;
}

void engine_compare_stop(struct engine *e)
{
    compare_stop(e);
}

void engine_snapshot(const struct engine *e, struct engine_snapshot *out)
{
    *out = e->stats;
    out->phase = e->phase;
    out->lease_held = e->session->lease.held;
    out->lease_lost = e->session->lease_lost;
    snprintf(out->lease_holder, sizeof out->lease_holder, "%s", e->session->lease.lease_holder);
    out->epoch = e->session->lease.epoch;
    out->another_epoch = epochs_another(e) ? e->session->epochs.found : 0;
    out->another_wall_ms = e->session->epochs.another_wall_ms;
    out->raised_from = e->session->epochs.raised_from;
    out->raised_over = e->session->epochs.raised_over;
    out->raised_wall_ms = e->session->epochs.raised_wall_ms;
    snapshot_stream(e, out);
    snapshot_work(e, out);
    out->refused_records = e->refused_count;
    out->collection_count = e->collection_count;
    for (size_t i = 0; i < e->collection_count; i++)
        snapshot_collection(e, &e->collections[i], &out->collections[i]);
}
