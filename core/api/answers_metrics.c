/* answers_metrics.c - `/metrics`: asks everybody once, then writes (metrics*.c). */
#include <stdlib.h>

#include "api/metrics.h"

/* Only the lease holder counts documents: with a standby beside it a sum over all processes would count them
 * twice. Where MongoDB is waited for nothing can be counted, and a scrape shall not wait as well. */
static bool look(const struct service *service, size_t index, struct metrics_source *out)
{
    struct lks_err err;
    out->source = &service->sources[index];
    if (out->source->all.count == 0) return false;
    out->known = control_snapshot(service->control, index, &out->engine);
    out->counted = out->known && out->engine.lease_held && !out->engine.mongo_error[0] &&
                   counts_get(service->counts, index, &out->counts, &err) == LKS_E_OK;
    return true;
}

void answer_metrics(struct call *call)
{
    const struct service *service = call->service;
    struct metrics_source *sources = calloc(service->source_count + 1, sizeof *sources);
    struct buf out;
    size_t count = 0, bytes;
    buf_init(&out, 0);
    for (size_t i = 0; sources && i < service->source_count; i++) count += look(service, i, &sources[count]);
    if (sources) metrics_engines(&out, sources, count);
    if (sources) metrics_servers(&out, service, sources, count);
    metrics_process(&out, call->counts);
    for (size_t i = 0; i < count; i++)
        if (sources[i].counted) mongo_counts_fini(&sources[i].counts);
    free(sources);
    char *text = buf_take(&out, &bytes);
    call_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", text, bytes);
}
