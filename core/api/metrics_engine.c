/* metrics_engine.c - documents by status, and what each engine and each of its collections does. */
#include "api/metrics.h"
#include "base/clock.h"

typedef struct engine_snapshot snap;
typedef struct collection_snapshot coll;

/* ---- of a source ---- */

static double lag(const snap *s)
{
    return s->stream_lag_ms < 0 ? 0 : (double)s->stream_lag_ms / 1000;
}

static double waited(const snap *s)
{
    int64_t ms = s->lag_since_wall_ms == NO_TIME ? 0 : clock_wall_ms() - s->lag_since_wall_ms;
    return ms > 0 ? (double)ms / 1000 : 0;
}

static double scan_total(const snap *s)
{
    return s->scan_total < 0 ? 0 : (double)s->scan_total;
}

static double last_cycle(const snap *s)
{
    return s->cycles == 0 ? 0 : (double)s->last_cycle_wall_ms / 1000;
}

/* One line is one family: name, type, help, and its value out of a snapshot `s`. */
#define SOURCE_FAMILIES(X)                                                                                   \
    X("lockstep_lease_held", "gauge", "1 if this process keeps the source in sync.", s->lease_held)          \
    X("lockstep_mongodb_up", "gauge", "1 unless MongoDB is waited for.", s->mongo_error[0] == '\0')          \
    X("lockstep_stream_open", "gauge", "1 while the change stream is open.", s->stream_open)                 \
    X("lockstep_stream_lag_seconds", "gauge",                                                                \
      "How old the last change event was when it came, or how old one may be that has not come.", lag(s))    \
    X("lockstep_events_total", "counter", "Change events that came.", s->events)                             \
    X("lockstep_oldest_unsynced_seconds", "gauge",                                                           \
      "Age of the oldest change that has not reached its points; 0 if nothing waits.", waited(s))            \
    X("lockstep_documents_processed_total", "counter", "Documents that were read and worked on.",            \
      s->documents)                                                                                          \
    X("lockstep_documents_settled_total", "counter", "Documents whose work ended with everything in sync.",  \
      s->settled)                                                                                            \
    X("lockstep_records_written_total", "counter", "Records of documents that were written.", s->records)    \
    X("lockstep_records_missed_total", "counter",                                                            \
      "Records that had changed meanwhile, so that the document was read again.", s->missed)                 \
    X("lockstep_in_work_documents", "gauge", "Documents that are in memory now.", s->docs_in_work)           \
    X("lockstep_in_work_documents_limit", "gauge", "Documents that may be in memory (credits).",             \
      s->max_docs)                                                                                           \
    X("lockstep_in_work_bytes", "gauge", "Memory that their contents take.", s->bytes_in_work)               \
    X("lockstep_in_work_bytes_limit", "gauge", "Memory that their contents may take (credits).",             \
      s->max_bytes)                                                                                          \
    X("lockstep_read_queue_documents", "gauge", "Documents that wait to be read.", s->reads_queued)          \
    X("lockstep_record_queue_documents", "gauge", "Documents whose record waits to be written.",             \
      s->records_queued)                                                                                     \
    X("lockstep_scan_running", "gauge", "1 while all documents are gone through.", s->scanning)              \
    X("lockstep_scan_documents", "gauge", "Documents that the scan has gone through.", s->scanned)           \
    X("lockstep_scan_expected_documents", "gauge",                                                           \
      "Documents that the scan has to go through, roughly; 0 if that is not known.", scan_total(s))          \
    X("lockstep_worker_cycles_total", "counter", "Cycles of the worker that have ended.", s->cycles)         \
    X("lockstep_worker_last_cycle_timestamp_seconds", "gauge",                                               \
      "When the worker's last cycle ended; 0 before the first.", last_cycle(s))

#define VALUE(name, type, help, value) (double)(value),
#define DESCRIBE(name, type, help, value) {name, type, help},

struct description {
    const char *name, *type, *help;
};

static void put_sources(struct buf *out, const struct metrics_source *sources, size_t count)
{
    static const struct description families[] = {SOURCE_FAMILIES(DESCRIBE)};
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        metrics_family(out, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; i < count; i++) {
            const snap *s = &sources[i].engine;
            if (!sources[i].known) continue;
            const double values[] = {SOURCE_FAMILIES(VALUE)};
            metrics_sample(out, families[f].name, LABELS({"source", sources[i].source->all.name}), values[f]);
        }
    }
}

/* ---- of a collection ---- */

#define COLLECTION_FAMILIES(X)                                                                               \
    X("lockstep_embedded_total", "counter", "Vectors that were made, or taken from the cache.", c->embedded) \
    X("lockstep_points_upserted_total", "counter", "Points that were written whole.", c->upserted)           \
    X("lockstep_payloads_written_total", "counter", "Points whose payload alone was written.", c->payloads)  \
    X("lockstep_points_deleted_total", "counter", "Deletions of points.", c->deleted)                        \
    X("lockstep_unchanged_total", "counter", "Documents whose point was right already.", c->unchanged)       \
    X("lockstep_failures_total", "counter", "Attempts that failed.", c->failed)                              \
    X("lockstep_retries_total", "counter", "Attempts at what had failed before.", c->retried)                \
    X("lockstep_parked_total", "counter", "Documents that were put aside because a provider was down.",      \
      c->deferred)                                                                                           \
    X("lockstep_circuit_open", "gauge", "1 while nothing is sent to the Qdrant collection but probes.",      \
      c->circuit != CIRCUIT_CLOSED)                                                                          \
    X("lockstep_deletes_held", "gauge",                                                                      \
      "Points without a document that are kept until a person allows their deletes.", c->held.orphans)       \
    X("lockstep_plugin_stopped", "gauge", "1 if the collection's plugin can't go on.", c->fatal)             \
    X("lockstep_collection_queue_documents", "gauge",                                                        \
      "Documents that wait for their turn in this collection.", c->queued)                                   \
    X("lockstep_collection_requests_in_flight", "gauge", "Requests that are out for this collection.",       \
      c->in_flight)

static void put_collections(struct buf *out, const struct metrics_source *sources, size_t count)
{
    static const struct description families[] = {COLLECTION_FAMILIES(DESCRIBE)};
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        metrics_family(out, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; sources[i].known && k < sources[i].engine.collection_count; k++) {
                const coll *c = &sources[i].engine.collections[k];
                const double values[] = {COLLECTION_FAMILIES(VALUE)};
                metrics_sample(out, families[f].name,
                               LABELS({"source", sources[i].source->all.name},
                                      {"collection", sources[i].source->all.names[k]}),
                               values[f]);
            }
    }
}

static void put_documents(struct buf *out, const struct metrics_source *sources, size_t count)
{
    static const enum sync_status order[] = {SYNC_SYNCED, SYNC_PENDING, SYNC_STALE, SYNC_FAILED};
    metrics_family(out, "lockstep_documents", "gauge", "Documents by collection and status.");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; sources[i].counted && k < sources[i].counts.collection_count; k++)
            for (size_t s = 0; s < sizeof order / sizeof *order; s++)
                metrics_sample(out, "lockstep_documents",
                               LABELS({"source", sources[i].source->all.name},
                                      {"collection", sources[i].source->all.names[k]},
                                      {"status", sync_status_name(order[s])}),
                               (double)sources[i].counts.per_collection[k][order[s]]);
}

static void put_latency(struct buf *out, const struct metrics_source *sources, size_t count)
{
    static const char name[] = "lockstep_sync_latency_seconds";
    metrics_family(out, name, "histogram",
                   "From a change in MongoDB to its confirmation by Qdrant and the document's record.");
    for (size_t i = 0; i < count; i++)
        if (sources[i].known)
            metrics_histogram(out, name, LABELS({"source", sources[i].source->all.name}),
                              &sources[i].engine.latency);
}

void metrics_engines(struct buf *out, const struct metrics_source *sources, size_t count)
{
    put_documents(out, sources, count);
    put_sources(out, sources, count);
    put_collections(out, sources, count);
    put_latency(out, sources, count);
}
