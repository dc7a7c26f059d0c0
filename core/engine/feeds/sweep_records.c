/*
 * sweep_records.c - the last part of a sweep: records beside documents that outlived their document without
 * an event, as after a rename over the collection, a drop, or in a capped one.
 *
 * As with points, what it finds is only a suspicion: the document is marked and read with majority concern,
 * and its record goes as that of any deleted document does. It runs only where no delete is held, as what it
 * marks loses its points too.
 */
#include "engine/internal.h"

#define PAGE_RECORDS 512

bool sweep_records_wanted(const struct engine *e)
{
    return !e->sweep.partial && !scan_request(e).only;
}

void sweep_records_run(struct engine *e)
{
    if (e->docs_in_work > e->config->max_docs / 2 || mongo_paused(e)) return;
    struct req *req = req_new(REQ_ORPHAN_RECORDS, NULL);
    if (!req) return;
    if (e->sweep.record && !(req->orphan_records.from = docid_copy(e->sweep.record))) {
        req_free(req);
        return;
    }
    req->orphan_records.max_records = PAGE_RECORDS;
    req->orphan_records.after = e->stream.received.at; /* an older one may lack what was inserted since */
    e->sweep.requested = true;
    submit(e, &e->ports.source, req);
}

bool sweep_records_back(struct engine *e, struct req *req)
{
    if (req->err.code != LKS_E_OK) {
        mongo_failed(e, &req->err, "records without a document");
        return false;
    }
    mongo_answered(e);
    for (size_t i = 0; i < req->orphan_records.count; i++) {
        struct dirty_reason reason = {.verify_points = true};
        e->sweep.suspects++;
        if (document_make_dirty_holding(e, req->orphan_records.ids[i], &reason, &e->sweep.watermark, NULL))
            continue;
        dirty_reason_fini(&reason);
        scan_start(e, true); /* memory is out: from the beginning, then */
        return false;
    }
    docid_free(e->sweep.record);
    e->sweep.record = req->orphan_records.next;
    req->orphan_records.next = NULL;
    return !e->sweep.record;
}
