/*
 * tombs.c - comes back to deleted documents, and to those whose point another one took over: once at start,
 * then when no request of an earlier writer can be under way any more, and as long as a point could not be
 * deleted.
 */
#include <string.h>

#include "engine/internal.h"

#define PAGE_TOMBS 200
/* All of them once in a while: clocks may have jumped, and then their times say nothing. */
#define IDLE_MS 300000
#define FULL_PAGE_MS 500 /* the next page, once these are in work */

int64_t tomb_keep_ms(const struct engine *e)
{
    return e->config->index_timeout_ms + e->config->lease_ms;
}

void tombs_run(struct engine *e)
{
    if (e->phase != PHASE_RUN || e->tombs.requested || mongo_paused(e)) return;
    if (e->tombs.idle_ms && now_ms(e) >= e->tombs.idle_ms) e->tombs.all = true;
    bool any = e->tombs.all || e->tombs.busy || e->tombs.last_put_wall_ms != NO_TIME;
    /* What is listed has to be so still when the list is here: none is put or dropped meanwhile. */
    if (e->tomb_puts.in_flight + e->tomb_drops.in_flight + e->claims.in_flight > 0) return;
    if (!any || now_ms(e) < e->tombs.next_ms || e->docs_in_work > e->config->max_docs / 2) return;
    struct req *req = req_new(REQ_TOMBS_LIST, NULL);
    if (!req) return;
    req->tombs.older_than_ms = e->tombs.all ? INT64_MAX : wall_ms(e) - tomb_keep_ms(e);
    size_t room = e->config->max_docs - e->docs_in_work;
    req->tombs.max = room < PAGE_TOMBS ? room : PAGE_TOMBS;
    e->tombs.requested = true;
    submit(e, &e->ports.store, req);
}

void tombs_handle(struct engine *e, struct req *req)
{
    e->tombs.requested = false;
    if (req->err.code != LKS_E_OK) {
        mongo_failed(e, &req->err, "tombs");
        return;
    }
    mongo_answered(e);
    for (size_t i = 0; i < req->tombs.count; i++) {
        struct tomb *tomb = &req->tombs.tombs[i];
        struct why why = {.doubt = true,
                          .tomb = true,
                          .tomb_alone = true,
                          .tomb_since_ms = tomb->since_ms,
                          .tomb_key = tomb->key,
                          .after = tomb->after};
        tomb->key = NULL;
        if (!doc_mark(e, tomb->id, &why)) why_fini(&why); /* the tomb stays, and is listed again */
    }
    bool full = req->tombs.count >= req->tombs.max;
    bool newer = e->tombs.last_put_wall_ms != NO_TIME && e->tombs.last_put_wall_ms > req->tombs.older_than_ms;
    e->tombs.busy = req->tombs.count > 0;
    e->tombs.all = false;
    e->tombs.idle_ms = now_ms(e) + IDLE_MS;
    e->tombs.next_ms = now_ms(e) + (full ? FULL_PAGE_MS : tomb_keep_ms(e) / 2 + 1);
    if (!newer && !e->tombs.busy) e->tombs.last_put_wall_ms = NO_TIME;
}
