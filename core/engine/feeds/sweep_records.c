/*
 * sweep_records.c - the last part of a sweep: records beside documents that outlived their document without
 * an event, as after a rename over the collection, a drop, or in a capped one.
 *
 * As with points, what it finds is only a suspicion: the document is marked and read with majority concern,
 * and its record goes as that of any deleted document does. It runs only where no delete is held, as what it
 * marks loses its points too.
 */
#include "engine/feeds/feeds.h"

bool sweep_records_wanted(const struct engine *e)
{
    return !e->feeds->sweep.partial && !scan_request(e).only;
}

void sweep_records_run(struct engine *e)
{
    if (e->docs_in_work <= e->config->max_docs / 2 && !mongo_paused(e)) ask(e, ASK_SWEEP_RECORDS);
}

bool sweep_records_take(struct engine *e, struct docid **ids, size_t count, struct docid **next)
{
    for (size_t i = 0; i < count; i++) {
        struct dirty_reason reason = {.verify_points = true};
        e->feeds->sweep.suspects++;
        if (document_make_dirty_holding(e, ids[i], &reason, &e->feeds->sweep.watermark, NULL)) continue;
        dirty_reason_fini(&reason);
        scan_start(e, true); /* memory is out: from the beginning, then */
        return false;
    }
    docid_free(e->feeds->sweep.record);
    e->feeds->sweep.record = *next;
    *next = NULL;
    return !e->feeds->sweep.record;
}
