/*
 * pipeline.h - the change stream's pipeline, and what can be read off a resume token. Pure: no server.
 */
#ifndef LOCKSTEP_MONGO_PIPELINE_H
#define LOCKSTEP_MONGO_PIPELINE_H

#include <bson/bson.h>
#include <stdbool.h>

#include "ports/ports.h"

/*
 * The aggregate command that opens the stream: lean events (no contents), our own metadata writes left out.
 * With `token`: after it; else with `at`: from that time on; else from now. To be destroyed.
 */
bson_t *pipeline_open_command(const char *collection, const bson_t *token, cluster_time at);
/* The command that asks whether the history from `at` on is still there. To be destroyed. */
bson_t *pipeline_probe_command(const char *collection, cluster_time at);

/* 16 hex digits and a NUL: equal for equal pipelines and options. A token must be resumed with no others. */
void pipeline_fingerprint(char out[17]);

/*
 * The cluster time a token of MongoDB 4.0 to 8 begins with, or 0 if it looks otherwise. Tokens are opaque by
 * contract, so use it as a hint between bounds that are known, never alone.
 */
cluster_time pipeline_token_time(const bson_t *token);

#endif
