/*
 * answers_metrics.c - `/metrics` in Prometheus' text format 0.0.4: one family after the other, each with its
 * help and type once, its samples for all sources together.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "admin/call.h"

/* What one source says. */
struct seen {
    const struct service_source *source;
    bool known, counted;
    struct engine_snapshot engine;
    struct mongo_counts counts;
};

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* ---- of a source ---- */

static const struct {
    const char *name, *type, *help;
} source_families[] = {
    {"lockstep_lease_held", "gauge", "1 if this process keeps the source in step."},
    {"lockstep_stream_open", "gauge", "1 while the change stream is open."},
    {"lockstep_stream_lag_seconds", "gauge", "How old the last change event was when it came."},
    {"lockstep_events_total", "counter", "Change events that came."},
    {"lockstep_documents_processed_total", "counter",
     "Documents that were read and brought in step, or tried."},
    {"lockstep_documents_in_work", "gauge", "Documents that are in memory now."},
    {"lockstep_in_work_bytes", "gauge", "Memory that their contents take."},
    {"lockstep_scan_running", "gauge", "1 while all documents are gone through."},
    {"lockstep_scan_documents", "gauge", "Documents that the scan has gone through."},
    {"lockstep_worker_cycles_total", "counter", "Cycles of the worker that have ended."},
};

static double source_value(size_t family_index, const struct engine_snapshot *s)
{
    switch (family_index) {
    case 0:
        return s->lease_held;
    case 1:
        return s->stream_open;
    case 2:
        return s->stream_lag_ms < 0 ? 0 : (double)s->stream_lag_ms / 1000;
    case 3:
        return (double)s->events;
    case 4:
        return (double)s->documents;
    case 5:
        return (double)s->docs_in_work;
    case 6:
        return (double)s->bytes_in_work;
    case 7:
        return s->scanning;
    case 8:
        return (double)s->scanned;
    default:
        return (double)s->cycles;
    }
}

static void put_sources(struct buf *out, const struct seen *seen, size_t count)
{
    for (size_t f = 0; f < sizeof source_families / sizeof *source_families; f++) {
        family(out, source_families[f].name, source_families[f].type, source_families[f].help);
        for (size_t i = 0; i < count; i++)
            if (seen[i].known)
                buf_printf(out, "%s{source=\"%s\"} %.17g\n", source_families[f].name,
                           seen[i].source->all.name, source_value(f, &seen[i].engine));
    }
}

/* ---- of a collection ---- */

static const struct {
    const char *name, *type, *help;
} collection_families[] = {
    {"lockstep_embedded_total", "counter", "Vectors that were made, or taken from the cache."},
    {"lockstep_points_upserted_total", "counter", "Points that were written whole."},
    {"lockstep_payloads_written_total", "counter", "Points whose payload alone was written."},
    {"lockstep_points_deleted_total", "counter", "Deletions of points."},
    {"lockstep_unchanged_total", "counter", "Documents whose point was right already."},
    {"lockstep_failures_total", "counter", "Attempts that failed."},
    {"lockstep_circuit_open", "gauge", "1 while nothing is sent because the provider is down."},
    {"lockstep_queue_depth", "gauge", "Documents that wait for their turn in this collection."},
    {"lockstep_requests_in_flight", "gauge", "Requests that are out for this collection."},
};

static double collection_value(size_t family_index, const struct collection_snapshot *c)
{
    switch (family_index) {
    case 0:
        return (double)c->embedded;
    case 1:
        return (double)c->upserted;
    case 2:
        return (double)c->payloads;
    case 3:
        return (double)c->deleted;
    case 4:
        return (double)c->unchanged;
    case 5:
        return (double)c->failed;
    case 6:
        return c->circuit != CIRCUIT_CLOSED;
    case 7:
        return (double)c->queued;
    default:
        return (double)c->in_flight;
    }
}

static void put_collections(struct buf *out, const struct seen *seen, size_t count)
{
    for (size_t f = 0; f < sizeof collection_families / sizeof *collection_families; f++) {
        family(out, collection_families[f].name, collection_families[f].type, collection_families[f].help);
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; seen[i].known && k < seen[i].engine.collection_count; k++)
                buf_printf(out, "%s{source=\"%s\",collection=\"%s\"} %.17g\n", collection_families[f].name,
                           seen[i].source->all.name, seen[i].source->all.names[k],
                           collection_value(f, &seen[i].engine.collections[k]));
    }
}

static void put_documents(struct buf *out, const struct seen *seen, size_t count)
{
    static const enum sync_status order[] = {SYNC_SYNCED, SYNC_PENDING, SYNC_STALE, SYNC_FAILED};
    family(out, "lockstep_documents", "gauge", "Documents by collection and status.");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; seen[i].counted && k < seen[i].counts.collection_count; k++)
            for (size_t s = 0; s < sizeof order / sizeof *order; s++)
                buf_printf(out, "lockstep_documents{source=\"%s\",collection=\"%s\",status=\"%s\"} %lld\n",
                           seen[i].source->all.name, seen[i].source->all.names[k], sync_status_name(order[s]),
                           (long long)seen[i].counts.per_collection[k][order[s]]);
}

/* ---- of the process ---- */

/* Resident memory out of /proc/self/statm, whose second number counts pages; -1 if it isn't there. */
static double resident_bytes(void)
{
    unsigned long size, resident;
    FILE *f = fopen("/proc/self/statm", "re");
    bool good = f && fscanf(f, "%lu %lu", &size, &resident) == 2;
    if (f) fclose(f);
    return good ? (double)resident * (double)sysconf(_SC_PAGESIZE) : -1;
}

static void put_process(struct buf *out)
{
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    double resident = resident_bytes();
    family(out, "process_cpu_seconds_total", "counter", "User and system CPU time that was spent.");
    buf_printf(out, "process_cpu_seconds_total %.9f\n", (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    if (resident < 0) return;
    family(out, "process_resident_memory_bytes", "gauge", "Resident memory.");
    buf_printf(out, "process_resident_memory_bytes %.0f\n", resident);
}

void answer_metrics(struct call *call)
{
    const struct service *service = call->service;
    struct seen *seen = calloc(service->source_count + 1, sizeof *seen);
    struct lks_err err;
    struct buf out;
    size_t count = 0, bytes;
    buf_init(&out, 0);
    for (size_t i = 0; seen && i < service->source_count; i++) {
        if (service->sources[i].all.count == 0) continue;
        struct seen *s = &seen[count++];
        s->source = &service->sources[i];
        s->known = control_snapshot(service->control, i, &s->engine);
        s->counted = counts_get(service->counts, i, &s->counts, &err) == LKS_E_OK; /* left out otherwise */
    }
    put_documents(&out, seen, count);
    put_sources(&out, seen, count);
    put_collections(&out, seen, count);
    put_process(&out);
    for (size_t i = 0; i < count; i++)
        if (seen[i].counted) mongo_counts_fini(&seen[i].counts);
    free(seen);
    char *text = buf_take(&out, &bytes);
    call_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", text, bytes);
}
