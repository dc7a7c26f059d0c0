/* agg.h - aggregation pipelines: stages that take documents one by one and hand them on. */
#ifndef DOUBLE_MONGO_AGG_H
#define DOUBLE_MONGO_AGG_H

#include "expr.h"
#include "match.h"

struct pipeline;

/* Takes a result; false stops the pipeline. The document is only valid during the call. */
typedef bool pipeline_sink(void *ctx, struct val doc);

/* Counts the documents of a collection, for $collStats; -1 if there is no such collection. */
typedef int64_t pipeline_count_fn(void *ctx);

/* Parses a read pipeline. Stages that only the server's front knows ($changeStream) are refused here. */
int pipeline_parse(struct pool *a, struct val stages, struct pipeline **out, struct merr *err);
/* The stages that an update may consist of. */
int pipeline_parse_update(struct pool *a, struct val stages, struct pipeline **out, struct merr *err);
/* The stages that may follow $changeStream. */
int pipeline_parse_stream(struct pool *a, struct val stages, struct pipeline **out, struct merr *err);

/* A $match at the start that the query planner can serve, and how many stages that takes away. */
struct val pipeline_leading_match(struct val stages);
/* True if the pipeline begins with $collStats. */
bool pipeline_is_coll_stats(const struct pipeline *p);

/*
 * Runs: start, then push for each document, then finish (which lets sorting and grouping stages hand on what
 * they hold). Scratch memory is the context's pool, which the caller may reset between pushes; stages keep
 * what they must in `keep`. False from push: no more documents are wanted, or an error is set.
 */
void pipeline_start(struct pipeline *p, struct pool *keep, struct ectx *c, pipeline_sink *sink,
                    void *sink_ctx);
bool pipeline_push(struct pipeline *p, struct val doc);
void pipeline_finish(struct pipeline *p);

/* For pipelines of stages that turn one document into one or none (updates, streams): VAL_NONE if dropped. */
struct val pipeline_transform(struct pipeline *p, struct val doc, struct ectx *c);

#endif
