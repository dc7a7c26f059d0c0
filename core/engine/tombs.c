/*
 * tombs.c - comes back to deleted documents, and to those whose point another one took over: once, when no
 * request of an earlier writer can be under way any more; again after another such time, as long as a point
 * was found or the check failed; and at once after a start where the last holder did not end well.
 *
 * So is a document whose record was refused everywhere, at each start and every five minutes.
 *
 * A round goes through the tombs that are due, page by page. The next one begins when another is due.
 */
#include <string.h>

#include "engine/internal.h"

#define PAGE_TOMBS 512
#define ROUND_MS 500   /* from one round to the next, so that each has some */
#define IDLE_MS 120000 /* to the next when none is due: an earlier lease holder may have put one late */

int64_t tomb_keep_ms(const struct engine *e)
{
    return e->config->index_timeout_ms + e->config->lease_ms;
}

/* No tomb that was put by a right clock is due later than this. */
static int64_t latest_due(const struct engine *e)
{
    return wall_ms(e) + 2 * tomb_keep_ms(e) + REFUSED_AGAIN_MS;
}

bool tomb_is_due(const struct engine *e, const struct why *why)
{
    return why->tomb_due_ms <= wall_ms(e) || why->tomb_due_ms > latest_due(e);
}

void tombs_note(struct engine *e, int64_t due_ms)
{
    if (e->tombs.next_wall_ms == NO_TIME || due_ms < e->tombs.next_wall_ms) e->tombs.next_wall_ms = due_ms;
}

void tombs_sent(struct engine *e, int64_t since_ms)
{
    if (since_ms < e->tombs.put_first_ms) e->tombs.put_first_ms = since_ms;
    if (since_ms > e->tombs.put_last_ms) e->tombs.put_last_ms = since_ms;
}

static void begin_round(struct engine *e, bool all)
{
    e->tombs.put_first_ms = INT64_MAX;
    e->tombs.put_last_ms = INT64_MIN;
    docid_free(e->tombs.from);
    e->tombs.from = NULL;
    e->tombs.all = all;
    e->tombs.refused = false;
}

void tombs_begin(struct engine *e)
{
    begin_round(e, !e->lease.clean_start);
    e->tombs.refused = e->lease.clean_start;
    e->tombs.first = true;
    e->tombs.next_wall_ms = wall_ms(e);
    e->tombs.next_ms = now_ms(e);
}

/* While none takes a look or a delete, a check would only fail. */
static bool any_collection_answers(const struct engine *e)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (circuit_closed(&e->collections[i].circuit)) return true;
    return e->collection_count == 0;
}

void tombs_run(struct engine *e)
{
    if (e->phase != PHASE_RUN || e->tombs.requested || mongo_paused(e)) return;
    bool any = e->tombs.from || (e->tombs.next_wall_ms != NO_TIME && e->tombs.next_wall_ms <= wall_ms(e));
    if (!any || now_ms(e) < e->tombs.next_ms || e->docs_in_work > e->config->max_docs / 2) return;
    if (!e->config->once && !any_collection_answers(e)) return;
    /* What is listed has to be so still when the list is here: none is put or dropped meanwhile. */
    if (e->tomb_puts.in_flight + e->tomb_drops.in_flight + e->claims.in_flight > 0) return;
    struct docid *from = e->tombs.from ? docid_copy(e->tombs.from) : NULL;
    struct req *req = req_new(REQ_TOMBS_LIST, NULL);
    if (!req || (e->tombs.from && !from)) {
        req_free(req);
        docid_free(from);
        return;
    }
    size_t room = e->config->max_docs - e->docs_in_work;
    req->tombs.refused = e->tombs.refused;
    req->tombs.due_by_ms = e->tombs.all || e->tombs.refused ? INT64_MAX : wall_ms(e);
    req->tombs.from_due_ms = e->tombs.from_due_ms;
    req->tombs.from = from;
    req->tombs.max = room < PAGE_TOMBS ? room : PAGE_TOMBS;
    e->tombs.requested = true;
    submit(e, &e->ports.store, req);
}

/* It was listed in an earlier round, and that check is not over. */
static bool is_at_work(struct engine *e, const struct tomb *tomb)
{
    const struct doc *doc = docs_find(e, tomb->id);
    if (!doc || doc->state == DOC_LINGER) return false;
    return (doc->dirty.tomb && doc->dirty.tomb_since_ms == tomb->since_ms) ||
           (doc->work.tomb && doc->work.tomb_since_ms == tomb->since_ms);
}

/* The round of all tombs has been there: we have put it again since, which would go on for ever. */
static bool is_of_this_round(const struct engine *e, const struct tomb *tomb)
{
    return (e->tombs.all || e->tombs.refused) && tomb->since_ms >= e->tombs.put_first_ms &&
           tomb->since_ms <= e->tombs.put_last_ms;
}

/* False when memory is out. */
static bool take_tomb(struct engine *e, struct tomb *tomb)
{
    struct why why = {.doubt = true,
                      .tomb = true,
                      .tomb_alone = !tomb->refused, /* that brings us here as well */
                      .record_refused = tomb->refused,
                      .tomb_since_ms = tomb->since_ms,
                      .tomb_due_ms = tomb->due_ms,
                      .tomb_key = tomb->key,
                      .owed = tomb->owed,
                      .after = tomb->after};
    if (is_at_work(e, tomb) || is_of_this_round(e, tomb)) return true;
    tomb->key = NULL;
    tomb->owed = (struct owed_points){.items = NULL};
    if (doc_mark(e, tomb->id, &why)) return true;
    why_fini(&why);
    return false;
}

void tombs_handle(struct engine *e, struct req *req)
{
    e->tombs.requested = false;
    if (req->err.code != LKS_E_OK) {
        mongo_failed(e, &req->err, "tombs");
        return;
    }
    mongo_answered(e);
    size_t taken = 0;
    while (taken < req->tombs.count && take_tomb(e, &req->tombs.tombs[taken])) taken++;
    bool more = taken < req->tombs.count || req->tombs.count >= req->tombs.max;
    if (more) { /* goes on behind the last that was taken, which may be none */
        struct tomb *last = taken ? &req->tombs.tombs[taken - 1] : NULL;
        if (!last) return;
        docid_free(e->tombs.from);
        e->tombs.from = last->id;
        e->tombs.from_due_ms = last->due_ms;
        last->id = NULL;
        return;
    }
    bool far = req->tombs.next_ms != NO_TIME && req->tombs.next_ms > latest_due(e); /* a clock has jumped */
    e->tombs.next_wall_ms = e->tombs.all || e->tombs.refused || far ? wall_ms(e) : req->tombs.next_ms;
    tombs_note(e, wall_ms(e) + IDLE_MS);
    e->tombs.next_ms = now_ms(e) + ROUND_MS;
    e->tombs.first = false;
    begin_round(e, far);
}
