/* answers_state.c - how things are: liveness, readiness, counts, the worker. */
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/shape.h"
#include "service/lookup.h"

#define CYCLE_WAIT_MS 60000

void answer_healthz(struct call *call)
{
    call_json(call, 200, json_pack("{s:s}", "status", "ok"));
}

/* Can anything reach Qdrant by this source now? A process that stands by for another's lease can't know: it
 * is ready to take over. */
static bool engine_is_usable(const struct engine_snapshot *s)
{
    if (s->phase == PHASE_LEASE && s->lease_holder[0]) return true;
    for (size_t i = 0; s->phase == PHASE_RUN && i < s->collection_count; i++) {
        const struct collection_snapshot *c = &s->collections[i];
        if (!c->fatal && c->circuit == CIRCUIT_CLOSED && c->embedder_circuit == CIRCUIT_CLOSED) return true;
    }
    return false;
}

static bool source_is_usable(const struct service *service, size_t index)
{
    struct engine_snapshot *s = calloc(1, sizeof *s); /* large */
    bool usable = s && control_snapshot(service->control, index, s) && engine_is_usable(s);
    free(s);
    return usable;
}

static bool any_is_usable(const struct service *service)
{
    for (size_t i = 0; i < service->source_count; i++)
        if (service->sources[i].all.count > 0 && source_is_usable(service, i)) return true;
    return false;
}

void answer_readyz(struct call *call)
{
    const struct service *service = call->service;
    for (size_t i = 0; i < service->source_count; i++) {
        struct lks_err err;
        if (service->sources[i].all.count == 0) continue;
        if (lookup_servers(&service->sources[i], &err) == LKS_E_OK) continue;
        call_fail(call, 503, "NOT_READY", "%s", err.text);
        return;
    }
    if (any_is_usable(service))
        call_json(call, 200, json_pack("{s:s}", "status", "ready"));
    else /* anybody may ask this, so what is wrong with which collection is not said here */
        call_fail(call, 503, "NOT_READY",
                  "no collection is usable; `lockstep status` and /api/sync/worker/problems say why");
}

static json_t *shape_status(const struct service_source *source, const struct mongo_counts *counts)
{
    json_t *out = shape_counts(counts->by_status), *per = json_object();
    json_object_set_new(out, "total", json_integer((json_int_t)counts->total));
    for (size_t i = 0; i < counts->collection_count; i++)
        json_object_set_new(per, source->all.names[i], shape_counts(counts->per_collection[i]));
    json_object_set_new(out, "perCollection", per);
    json_object_set_new(out, "source", json_string(source->all.name));
    return out;
}

/* The names of all sources, so that one can be chosen. */
static json_t *shape_sources(const struct service *service)
{
    json_t *out = json_array();
    for (size_t i = 0; i < service->source_count; i++)
        if (service->sources[i].all.count > 0)
            json_array_append_new(out, json_string(service->sources[i].all.name));
    return out;
}

static json_t *shape_this_worker(const struct service *service, size_t source)
{
    struct engine_snapshot *s = malloc(sizeof *s);
    bool known = s && control_snapshot(service->control, source, s);
    json_t *out = shape_worker(service, known ? s : NULL);
    free(s);
    return out;
}

json_t *body_status(const struct service *service, size_t source, struct lks_err *err)
{
    struct mongo_counts counts;
    if (counts_get(service->counts, source, &counts, err) != LKS_E_OK) return NULL;
    json_t *out = shape_status(&service->sources[source], &counts);
    json_object_set_new(out, "sources", shape_sources(service));
    json_object_set_new(out, "worker", shape_this_worker(service, source));
    mongo_counts_fini(&counts);
    return out;
}

void answer_status(struct call *call)
{
    const struct service_source *source = call_source(call);
    struct lks_err err;
    if (!source) return;
    json_t *out = body_status(call->service, call_source_index(call, source), &err);
    if (out)
        call_json(call, 200, out);
    else
        call_fail_err(call, &err);
}

void answer_worker(struct call *call)
{
    const struct service_source *source = call_source(call);
    if (source) call_json(call, 200, shape_this_worker(call->service, call_source_index(call, source)));
}

void answer_worker_run(struct call *call)
{
    const struct service_source *source = call_source(call);
    struct lks_err err;
    if (!source) return;
    struct engine_snapshot *after = malloc(sizeof *after);
    enum lks_code code = after ? control_cycle(call->service->control, call_source_index(call, source),
                                               CYCLE_WAIT_MS, after, &err)
                               : lks_fail(&err, LKS_E_NOMEM, "out of memory");
    if (code != LKS_E_OK)
        call_fail_err(call, &err);
    else
        call_json(call, 200,
                  json_pack("{s:s, s:o}", "message", "worker cycle done", "stats", shape_cycle(after)));
    free(after);
}
