/* documents_again.c - see documents.h. Writes records, never documents. */
#include <stdlib.h>

#include "base/clock.h"
#include "service/documents.h"
#include "service/lookup.h"

#define MOST_TRIES 10

enum lks_code documents_requeue(const struct service *service, size_t source, int64_t *queued,
                                struct lks_err *err)
{
    struct mongo *mongo = service->sources[source].all.mongo;
    struct mongo_counts counts;
    enum lks_code code = mongo_requeue(mongo, err);
    if (!code) code = mongo_count(mongo, &counts, err);
    if (code) return code;
    *queued = counts.total - counts.by_status[SYNC_SYNCED];
    mongo_counts_fini(&counts);
    control_hint(service->control, source, NULL);
    return LKS_E_OK;
}

/*
 * Pending, with no attempt made. It still knows its point and how often that was embedded, so that nothing is
 * counted or looked for as lost; but not what the point holds, which is what makes it be made again
 * (classify_is_reset()).
 */
static bool reset(struct entry *e)
{
    e->present = true;
    e->status = SYNC_PENDING;
    e->retry_count = 0;
    e->next_retry_ms = NO_TIME;
    e->content_hash[0] = e->payload_hash[0] = '\0';
    return entry_set_error(e, LKS_E_OK, NULL);
}

static enum lks_code write_reset(struct mongo *mongo, struct source_document *doc, struct lks_err *err)
{
    struct record after;
    bool ok = record_copy(&after, &doc->record);
    for (size_t i = 0; ok && i < after.entry_count; i++) ok = reset(&after.entries[i]);
    enum lks_code code = ok ? mongo_write_record(mongo, doc->id, &doc->record, &after, err)
                            : lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (code) {
        record_fini(&after);
        return code;
    }
    record_fini(&doc->record);
    doc->record = after;
    doc->record.updated_ms = clock_wall_ms();
    if (!doc->record.present) doc->record.created_ms = doc->record.updated_ms;
    doc->record.present = true;
    return LKS_E_OK;
}

enum lks_code documents_reset(const struct service *service, size_t source, const char *id,
                              struct source_document *doc, struct lks_err *err)
{
    const struct service_source *s = &service->sources[source];
    enum lks_code code = LKS_E_MISSED;
    for (int i = 0; i < MOST_TRIES && code == LKS_E_MISSED; i++) {
        code = lookup_document(s, id, doc, err);
        if (code) return code;
        code = write_reset(s->all.mongo, doc, err);
        if (code) source_document_fini(doc);
    }
    if (!code) control_hint(service->control, source, doc->id);
    return code;
}
