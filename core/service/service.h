/* service.h - all that a person can ask things of: sources, embedders, and the engines that run. */
#ifndef LOCKSTEP_SERVICE_SERVICE_H
#define LOCKSTEP_SERVICE_SERVICE_H

#include "service/compare.h"
#include "service/control.h"
#include "service/counts.h"
#include "service/events.h"
#include "service/history.h"
#include "service/search.h"

/* One source. Borrowed. */
struct service_source {
    struct compare_source all;              /* its MongoDB, Qdrant, collections; `only` is 0 */
    const char *title;                      /* the field that documents are called by; "": the usual ones */
    const char *id_field;                   /* where the business id stands; dotted paths allowed */
    const struct search_collection *search; /* one per collection */
    /* What a collection makes of a document, by the thread that its plugin expects. made_fini() it. */
    void (*make)(void *self, size_t collection, const struct source_document *doc, struct made *out);
    void *make_self;
};

struct jobs;
struct fields;

/* All of it is borrowed; its parts may be used from any thread. */
struct service {
    const struct service_source *sources; /* those with enabled collections have all.count > 0 */
    size_t source_count;
    struct embedders *embedders;
    const char *const *embedder_names; /* unique */
    size_t embedder_count;
    struct control *control;
    struct counts *counts;
    struct history *history;
    struct fields *fields; /* fields.h */
    struct jobs *jobs;     /* jobs.h */
    struct events *events;
    bool worker_enabled;
    int64_t interval_ms;
    size_t batch_size;
    struct retry_policy retry;
};

#endif
