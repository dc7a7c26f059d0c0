/* shape.c - see shape.h. */
#include "api/shape.h"

#include <stdlib.h>

#include "service/lookup.h"
#include "service/report.h"
#include "service/title.h"

json_t *shape_date(int64_t wall_ms)
{
    return report_date(wall_ms);
}

json_t *shape_text(const char *text)
{
    return report_text(text);
}

json_t *shape_counts(const int64_t by_status[4])
{
    static const enum sync_status order[] = {SYNC_SYNCED, SYNC_PENDING, SYNC_STALE, SYNC_FAILED};
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        json_object_set_new(out, sync_status_name(order[i]), json_integer((json_int_t)by_status[order[i]]));
    return out;
}

json_t *shape_cycle(const struct engine_snapshot *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "processed", (json_int_t)s->cycle_processed, "successful",
                     (json_int_t)s->cycle_successful, "failed", (json_int_t)s->cycle_failed, "skipped",
                     (json_int_t)s->cycle_skipped, "duration", (json_int_t)s->cycle_duration_ms);
}

static json_t *shape_worker_config(const struct service *service)
{
    const struct retry_policy *retry = &service->retry;
    return json_pack("{s:b, s:I, s:I, s:i, s:I, s:f, s:I}", "enabled", service->worker_enabled, "intervalMs",
                     (json_int_t)service->interval_ms, "batchSize", (json_int_t)service->batch_size,
                     "maxRetries", retry->max_retries, "baseBackoffMs", (json_int_t)retry->base_ms,
                     "backoffMultiplier", retry->multiplier, "maxBackoffMs", (json_int_t)retry->max_ms);
}

json_t *shape_worker(const struct service *service, const struct engine_snapshot *s)
{
    bool at_work = s && s->phase == PHASE_RUN;
    bool processing = at_work && s->cycle_running;
    bool running = at_work && (service->worker_enabled || processing);
    bool ran = s && s->cycles > 0;
    return json_pack("{s:b, s:b, s:s, s:o, s:o, s:o}", "running", running, "processing", processing, "state",
                     processing ? "processing"
                     : running  ? "running"
                                : "stopped",
                     "lastRunAt", shape_date(ran ? s->last_cycle_wall_ms : NO_TIME), "lastCycleStats",
                     ran ? shape_cycle(s) : json_null(), "config", shape_worker_config(service));
}

/* "" is null: there is no hash or point. */
static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static json_t *shape_collection(const struct entry *e)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:I}", "status",
                     sync_status_name(e->status), "lastSyncedAt", shape_date(e->last_synced_ms),
                     "lastSyncAttemptAt", shape_date(e->last_attempt_ms), "lastError",
                     shape_text(e->last_error), "errorCode",
                     e->error == LKS_E_OK ? json_null() : json_string(lks_code_name(e->error)), "retryCount",
                     (int)e->retry_count, "nextRetryAt", shape_date(e->next_retry_ms), "contentHash",
                     text_or_null(e->content_hash), "payloadHash", text_or_null(e->payload_hash), "pointId",
                     text_or_null(e->point_id), "vectorVersion", (json_int_t)e->vector_version);
}

json_t *shape_entry(const struct service_source *source, const struct source_document *doc)
{
    char *id = lookup_id(source, doc), *own = docid_json(doc->id);
    char *title = title_of(source->title, doc->id, doc->body);
    json_t *collections = json_object();
    for (size_t i = 0; i < doc->record.entry_count; i++)
        json_object_set_new(collections, source->all.names[i], shape_collection(&doc->record.entries[i]));
    json_t *modified = json_array();
    for (char **field = doc->record.modified_fields; field && *field; field++)
        json_array_append_new(modified, shape_text(*field));
    json_t *out =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:{s:s, s:o, s:o, s:o, s:o}}", "id", shape_text(id), "_id",
                  shape_text(own), "title", shape_text(title), "name", shape_text(lookup_text(doc, "name")),
                  "slug", shape_text(lookup_text(doc, "slug")), "syncMetadata", "overallStatus",
                  sync_status_name(record_overall(&doc->record)), "collections", collections,
                  "lastModifiedFields", modified, "createdAt", shape_date(doc->record.created_ms),
                  "updatedAt", shape_date(doc->record.updated_ms));
    free(id);
    free(own);
    free(title);
    return out;
}
