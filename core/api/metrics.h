/*
 * metrics.h - how `/metrics` is written: Prometheus' text format 0.0.4. A family has its help and type once,
 * then its samples. Private to this room.
 */
#ifndef LOCKSTEP_API_METRICS_H
#define LOCKSTEP_API_METRICS_H

#include "api/call_counts.h"
#include "service/service.h"

struct label {
    const char *name, *value; /* the value is escaped; a NULL name ends a list */
};
#define LABELS(...)                                                                                          \
    (const struct label[])                                                                                   \
    {                                                                                                        \
        __VA_ARGS__,                                                                                         \
        {                                                                                                    \
            NULL, NULL                                                                                       \
        }                                                                                                    \
    }

/* Types: "counter", "gauge", "histogram". */
void metrics_family(struct buf *out, const char *name, const char *type, const char *help);
/* `labels` NULL: none. */
void metrics_sample(struct buf *out, const char *name, const struct label *labels, double value);
/* All samples of one histogram, in seconds. */
void metrics_histogram(struct buf *out, const char *name, const struct label *labels,
                       const struct histogram *h);

/* What one source says at this moment. */
struct metrics_source {
    const struct service_source *source;
    bool known, counted;
    struct engine_snapshot engine;
    struct mongo_counts counts;
};

/* metrics_engine.c: documents, engines, collections. */
void metrics_engines(struct buf *out, const struct metrics_source *sources, size_t count);
/* metrics_servers.c: embedders, Qdrant, MongoDB. */
void metrics_servers(struct buf *out, const struct service *service, const struct metrics_source *sources,
                     size_t count);
/* metrics_process.c: the HTTP API, the process and its build. */
void metrics_process(struct buf *out, const struct call_counts *call_counts);

#endif
