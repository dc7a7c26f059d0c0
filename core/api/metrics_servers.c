/* metrics_servers.c - requests to embedders, Qdrant and MongoDB: how many, how they ended, how long they
 * took. */
#include "api/metrics.h"

#define BYTES_PER_TOKEN 4 /* of English; a guess for servers that don't count */

/* ---- embedders ---- */

/* The first collection anywhere that uses an embedder says how its circuit is. */
static const struct collection_snapshot *user_of(const struct metrics_source *sources, size_t count,
                                                 size_t embedder, size_t *source)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; sources[i].known && k < sources[i].engine.collection_count; k++)
            if (sources[i].engine.collections[k].embedder == embedder) {
                *source = i;
                return &sources[i].engine.collections[k];
            }
    return NULL;
}

static const struct {
    const char *name, *type, *help;
} embedder_families[] = {
    {"lockstep_embedding_texts_total", "counter", "Texts that were sent to be embedded, or failed."},
    {"lockstep_embedding_failures_total", "counter", "Texts that could not be embedded."},
    {"lockstep_embedding_cache_hits_total", "counter", "Texts whose vector came from the cache."},
    {"lockstep_embedding_text_bytes_total", "counter", "Bytes of the texts that were sent."},
    {"lockstep_embedding_tokens_total", "counter", "Tokens, as the embedding server counted them."},
    {"lockstep_embedding_estimated_tokens_total", "counter", "Tokens, guessed at four bytes each."},
    {"lockstep_embedder_circuit_open", "gauge", "1 while nothing is sent to the embedder but probes."},
    {"lockstep_embedder_queue_texts", "gauge", "Texts that wait to be embedded, in all sources."},
    {"lockstep_embedder_requests_in_flight", "gauge", "Batches of texts that are out, in all sources."},
};

static double embedder_value(size_t family, const struct embed_stats *e, const struct collection_snapshot *c)
{
    switch (family) {
    case 0:
        return (double)e->texts;
    case 1:
        return (double)e->failed;
    case 2:
        return (double)e->cached;
    case 3:
        return (double)e->text_bytes;
    case 4:
        return (double)e->tokens;
    case 5:
        return (double)(e->text_bytes / BYTES_PER_TOKEN);
    case 6:
        return c ? c->embedder_circuit != CIRCUIT_CLOSED : 0;
    case 7:
        return c ? (double)c->embed_queued : 0;
    default:
        return c ? (double)c->embed_in_flight : 0;
    }
}

/* Queues of the same embedder in several sources are added up. */
static struct collection_snapshot embedder_now(const struct metrics_source *sources, size_t count,
                                               size_t embedder)
{
    struct collection_snapshot sum = {.embedder_circuit = CIRCUIT_CLOSED};
    for (size_t i = 0; i < count; i++) {
        size_t at;
        const struct collection_snapshot *c = user_of(&sources[i], 1, embedder, &at);
        if (!c) continue;
        if (c->embedder_circuit != CIRCUIT_CLOSED) sum.embedder_circuit = c->embedder_circuit;
        sum.embed_queued += c->embed_queued;
        sum.embed_in_flight += c->embed_in_flight;
    }
    return sum;
}

static void put_results(struct buf *out, const char *name, struct label *labels, size_t at,
                        const struct meter_reading *m)
{
    for (int r = 0; r < METER_RESULTS; r++) {
        labels[at] = (struct label){"result", meter_result_name((enum meter_result)r)};
        metrics_sample(out, name, labels, (double)m->results[r]);
    }
    labels[at] = (struct label){NULL, NULL};
}

static void put_embedders(struct buf *out, const struct service *service,
                          const struct metrics_source *sources, size_t count)
{
    static const char requests[] = "lockstep_embedding_requests_total",
                      took[] = "lockstep_embedding_request_duration_seconds";
    struct embed_stats stats;
    for (size_t f = 0; f < sizeof embedder_families / sizeof *embedder_families; f++) {
        metrics_family(out, embedder_families[f].name, embedder_families[f].type, embedder_families[f].help);
        for (size_t i = 0; i < service->embedder_count; i++) {
            struct collection_snapshot now = embedder_now(sources, count, i);
            embed_stats(service->embedders, i, &stats);
            metrics_sample(out, embedder_families[f].name, LABELS({"embedder", service->embedder_names[i]}),
                           embedder_value(f, &stats, &now));
        }
    }
    metrics_family(out, requests, "counter", "Batches of texts that were embedded or not, by result.");
    for (size_t i = 0; i < service->embedder_count; i++) {
        struct label labels[3] = {{"embedder", service->embedder_names[i]}, {NULL, NULL}, {NULL, NULL}};
        embed_stats(service->embedders, i, &stats);
        put_results(out, requests, labels, 1, &stats.meter);
    }
    metrics_family(out, took, "histogram", "How long a batch of texts took.");
    for (size_t i = 0; i < service->embedder_count; i++) {
        embed_stats(service->embedders, i, &stats);
        metrics_histogram(out, took, LABELS({"embedder", service->embedder_names[i]}), &stats.meter.took);
    }
}

/* ---- Qdrant ---- */

static void put_qdrant(struct buf *out, const struct metrics_source *sources, size_t count)
{
    static const char requests[] = "lockstep_qdrant_requests_total",
                      took[] = "lockstep_qdrant_request_duration_seconds";
    struct meter_reading m;
    metrics_family(out, requests, "counter", "Requests to Qdrant, by kind and result.");
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < QDRANT_REQUEST_KINDS; k++) {
            enum qdrant_request_kind kind = (enum qdrant_request_kind)k;
            struct label labels[4] = {{"source", sources[i].source->all.name},
                                      {"kind", qdrant_request_name(kind)},
                                      {NULL, NULL},
                                      {NULL, NULL}};
            qdrant_meter(sources[i].source->all.qdrant, kind, &m);
            put_results(out, requests, labels, 2, &m);
        }
    metrics_family(out, took, "histogram", "How long requests to Qdrant took, by kind.");
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < QDRANT_REQUEST_KINDS; k++) {
            enum qdrant_request_kind kind = (enum qdrant_request_kind)k;
            qdrant_meter(sources[i].source->all.qdrant, kind, &m);
            metrics_histogram(
                out, took,
                LABELS({"source", sources[i].source->all.name}, {"kind", qdrant_request_name(kind)}),
                &m.took);
        }
}

/* ---- MongoDB ---- */

static void put_mongo(struct buf *out, const struct metrics_source *sources, size_t count)
{
    static const char requests[] = "lockstep_mongodb_requests_total",
                      seconds[] = "lockstep_mongodb_request_seconds_total";
    struct meter_reading m;
    metrics_family(out, requests, "counter", "The engine's requests to MongoDB, by kind and result.");
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < REQ_KIND_COUNT; k++) {
            if (!mongo_meter(sources[i].source->all.mongo, (enum req_kind)k, &m)) continue;
            const char *kind = req_kind_name((enum req_kind)k);
            uint64_t good = m.results[METER_OK], bad = histogram_count(&m.took) - good;
            metrics_sample(out, requests,
                           LABELS({"source", sources[i].source->all.name}, {"kind", kind}, {"result", "ok"}),
                           (double)good);
            metrics_sample(
                out, requests,
                LABELS({"source", sources[i].source->all.name}, {"kind", kind}, {"result", "error"}),
                (double)bad);
        }
    metrics_family(out, seconds, "counter",
                   "How long they took together; `stream_next` waits for changes, up to a second.");
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < REQ_KIND_COUNT; k++)
            if (mongo_meter(sources[i].source->all.mongo, (enum req_kind)k, &m))
                metrics_sample(out, seconds,
                               LABELS({"source", sources[i].source->all.name},
                                      {"kind", req_kind_name((enum req_kind)k)}),
                               (double)m.took.sum_us / 1e6);
}

void metrics_servers(struct buf *out, const struct service *service, const struct metrics_source *sources,
                     size_t count)
{
    put_embedders(out, service, sources, count);
    put_qdrant(out, sources, count);
    put_mongo(out, sources, count);
}
