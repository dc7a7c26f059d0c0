/* answers_worker.c - a source's engine in detail: its state now, the last hour, and what is wrong. */
#include <math.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/shape.h"
#include "base/clock.h"
#include "service/problems.h"
#include "service/report.h"

/* ---- state ---- */

static const char *phase_name(enum engine_phase phase)
{
    static const char *const names[] = {
        [PHASE_LEASE] = "lease",     [PHASE_SETTLE] = "settle", [PHASE_LOAD] = "load",
        [PHASE_PROBE] = "probe",     [PHASE_RUN] = "run",       [PHASE_DRAIN] = "drain",
        [PHASE_RELEASE] = "release", [PHASE_DONE] = "done"};
    return names[phase];
}

static const char *circuit_name(enum circuit_state state)
{
    static const char *const names[] = {
        [CIRCUIT_CLOSED] = "closed", [CIRCUIT_OPEN] = "open", [CIRCUIT_PROBING] = "probing"};
    return names[state];
}

static json_t *text_or_null(const char *text)
{
    return *text ? shape_text(text) : json_null();
}

static json_t *number_or_null(int64_t number, bool known)
{
    return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *shape_stream(const struct engine_snapshot *s)
{
    bool off = s->watch == WATCH_OFF, polls = s->watch == WATCH_POLL || s->stream_unsupported;
    return json_pack("{s:s, s:b, s:b, s:o, s:o}", "mode",
                     off     ? "off"
                     : polls ? "poll"
                             : "stream",
                     "open", s->stream_open, "proven", s->stream_open && s->stream_proven, "lagMs",
                     number_or_null(s->stream_lag_ms, s->stream_lag_ms >= 0), "error",
                     text_or_null(s->stream_open ? "" : s->stream_error));
}

static json_t *shape_scan(const struct engine_snapshot *s)
{
    bool rated = s->scanning && s->scan_rate >= 0;
    int64_t left = s->scan_total - (int64_t)s->scanned;
    bool ends = rated && s->scan_rate > 0 && s->scan_total >= 0 && left >= 0;
    return json_pack("{s:b, s:b, s:I, s:o, s:o, s:o}", "running", s->scanning, "comparing",
                     s->scanning && s->scan_verifies, "done", (json_int_t)s->scanned, "total",
                     number_or_null(s->scan_total, s->scan_total >= 0), "ratePerSecond",
                     number_or_null(rated ? llround(s->scan_rate) : 0, rated), "etaMs",
                     number_or_null(ends ? llround((double)left * 1000 / s->scan_rate) : 0, ends));
}

/* A collection stands still with its embedder too. */
static json_t *shape_collection(const struct collection_snapshot *c, const char *embedder)
{
    bool own = c->circuit != CIRCUIT_CLOSED && (c->looked || c->embedder_circuit == CIRCUIT_CLOSED);
    enum circuit_state circuit = own ? c->circuit : c->embedder_circuit;
    const char *error = c->fatal ? c->fatal_error : own ? c->error : c->embedder_error;
    json_t *out = json_pack("{s:s, s:o, s:s, s:b, s:I, s:I}", "circuit", circuit_name(circuit), "error",
                            c->fatal || circuit != CIRCUIT_CLOSED ? text_or_null(error) : json_null(),
                            "embedder", embedder, "stopped", c->fatal, "queued", (json_int_t)c->queued,
                            "inFlight", (json_int_t)c->in_flight);
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {{"embedded", c->embedded}, {"upserted", c->upserted},   {"payloads", c->payloads},
                    {"deleted", c->deleted},   {"unchanged", c->unchanged}, {"failed", c->failed},
                    {"parked", c->deferred},   {"retried", c->retried}};
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        json_object_set_new(out, counters[i].name, json_integer((json_int_t)counters[i].value));
    return out;
}

/* Embedders are shared by all sources, and so are these counts. */
static json_t *shape_embedders(const struct service *service)
{
    json_t *list = json_array();
    for (size_t i = 0; i < service->embedder_count; i++) {
        struct embed_stats stats;
        embed_stats(service->embedders, i, &stats);
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "name", service->embedder_names[i],
                                        "requests", (json_int_t)stats.requests, "failures",
                                        (json_int_t)stats.failed, "texts", (json_int_t)stats.texts, "tokens",
                                        (json_int_t)stats.tokens, "cacheHits", (json_int_t)stats.cached));
    }
    return list;
}

static json_t *shape_collections(const struct service *service, const struct service_source *source,
                                 const struct engine_snapshot *s)
{
    json_t *out = json_object();
    for (size_t i = 0; i < s->collection_count; i++)
        json_object_set_new(
            out, source->all.names[i],
            shape_collection(&s->collections[i], service->embedder_names[s->collections[i].embedder]));
    return out;
}

json_t *shape_state(const struct service *service, size_t index)
{
    const struct service_source *source = &service->sources[index];
    struct engine_snapshot *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    if (!control_snapshot(service->control, index, s)) /* nothing is known yet */
        *s = (struct engine_snapshot){.stream_lag_ms = -1, .scan_total = -1, .lag_since_wall_ms = NO_TIME};
    bool waits = s->lag_since_wall_ms != NO_TIME;
    int64_t waited_ms = waits ? clock_wall_ms() - s->lag_since_wall_ms : 0;
    json_t *out = json_pack("{s:s, s:s, s:o, s:I, s:o, s:o}", "source", source->all.name, "phase",
                            phase_name(s->phase), "leaseHolder", text_or_null(s->lease_holder), "epoch",
                            (json_int_t)s->epoch, "stream", shape_stream(s), "scan", shape_scan(s));
    json_object_set_new(out, "documentsInWork", json_integer((json_int_t)s->docs_in_work));
    json_object_set_new(out, "bytesInWork", json_integer((json_int_t)s->bytes_in_work));
    json_object_set_new(out, "creditsDocuments", json_integer((json_int_t)s->max_docs));
    json_object_set_new(out, "creditsBytes", json_integer((json_int_t)s->max_bytes));
    json_object_set_new(out, "collections", shape_collections(service, source, s));
    json_object_set_new(out, "embedders", shape_embedders(service));
    json_object_set_new(out, "oldestUnsyncedSeconds",
                        number_or_null(waited_ms > 0 ? waited_ms / 1000 : 0, waits));
    free(s);
    return out;
}

void answer_worker_state(struct call *call)
{
    const struct service_source *source = call_source(call);
    if (source) call_json(call, 200, shape_state(call->service, call_source_index(call, source)));
}

/* ---- history ---- */

static json_t *shape_point(const struct history_point *p)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "at", shape_date(p->at_wall_ms),
                     "synced", (json_int_t)p->settled, "embedded", (json_int_t)p->embedded, "upserted",
                     (json_int_t)p->upserted, "payloads", (json_int_t)p->payloads, "deleted",
                     (json_int_t)p->deleted, "failed", (json_int_t)p->failed, "events", (json_int_t)p->events,
                     "latencyMsP50", number_or_null(llround(p->latency_ms_p50), p->latency_ms_p50 >= 0),
                     "latencyMsP99", number_or_null(llround(p->latency_ms_p99), p->latency_ms_p99 >= 0));
}

void answer_worker_history(struct call *call)
{
    const struct service_source *source = call_source(call);
    long minutes;
    if (!source || !call_query_number(call, "minutes", 1, 60, 60, &minutes)) return;
    struct history_point *points = calloc(HISTORY_POINTS, sizeof *points);
    json_t *list = json_array();
    size_t count = points ? history_read(call->service->history, call_source_index(call, source),
                                         (size_t)minutes * 60000 / HISTORY_STEP_MS, points)
                          : 0;
    for (size_t i = 0; i < count; i++) json_array_append_new(list, shape_point(&points[i]));
    free(points);
    call_json(
        call, 200,
        json_pack("{s:s, s:i, s:o}", "source", source->all.name, "stepMs", HISTORY_STEP_MS, "points", list));
}

/* ---- problems ---- */

void answer_worker_problems(struct call *call)
{
    const struct service_source *source = call_source(call);
    struct problems problems;
    struct lks_err err;
    if (!source) return;
    if (problems_find(call->service, call_source_index(call, source), &problems, &err) != LKS_E_OK) {
        call_fail_err(call, &err);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < problems.count; i++) json_array_append_new(list, report_problem(&problems.all[i]));
    problems_fini(&problems);
    call_json(call, 200, json_pack("{s:s, s:o}", "source", source->all.name, "problems", list));
}
