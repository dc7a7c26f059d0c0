/* shape.h - what things look like in JSON: the same in every route. Each is new, and NULL without memory. */
#ifndef LOCKSTEP_API_SHAPE_H
#define LOCKSTEP_API_SHAPE_H

#include <jansson.h>

#include "service/service.h"

/* "2026-01-31T12:00:00.000Z"; null for NO_TIME. */
json_t *shape_date(int64_t wall_ms);
/* Text that need not be UTF-8, or NULL: null. */
json_t *shape_text(const char *text);
/* `{synced, pending, stale, failed}` */
json_t *shape_counts(const int64_t by_status[4]);
/* `{running, processing, state, lastRunAt, lastCycleStats, config}`; `s` NULL: nothing is known. */
json_t *shape_worker(const struct service *service, const struct engine_snapshot *s);
/* An engine in detail: body of /api/sync/worker/state. May wait for the engines' thread, for a moment. */
json_t *shape_state(const struct service *service, size_t source);
/* `{processed, successful, failed, skipped, duration}` */
json_t *shape_cycle(const struct engine_snapshot *s);
/* `{id, name, slug, syncMetadata}` */
json_t *shape_entry(const struct service_source *source, const struct source_document *doc);

#endif
