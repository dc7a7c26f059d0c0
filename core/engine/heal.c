/*
 * heal.c - notices what nobody told: when nothing is in flight, the number of our points in each collection
 * must be that of the entries with a point. If it isn't, twice in a row, everything is compared.
 */
#include "base/log.h"
#include "engine/internal.h"

#define SECOND_LOOK_MS 2000

static uint64_t activity(const struct engine *e)
{
    return e->stats.documents + e->stream.events;
}

static bool at_rest(const struct engine *e)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (!circuit_closed(&e->collections[i].circuit)) return false;
    return scan_idle(e) && e->docs_in_work == 0;
}

static void begin(struct engine *e)
{
    struct req *req = req_new(REQ_TALLY, NULL);
    if (!req) return;
    e->heal.activity = activity(e);
    e->heal.collection = 0;
    e->heal.difference = 0;
    e->heal.mismatch = false;
    e->heal.requested = true;
    submit(e, &e->ports.source, req);
}

static void count_next(struct engine *e)
{
    struct req *req = req_new(REQ_COUNT, NULL);
    if (!req) return;
    req->count.collection = e->heal.collection;
    e->heal.requested = true;
    submit(e, &e->ports.index, req);
}

void heal_run(struct engine *e)
{
    if (e->phase != PHASE_RUN || e->config->once || e->heal.requested) return;
    if (e->heal.activity != activity(e)) e->heal.wanted = true;
    if (!e->heal.wanted || now_ms(e) < e->heal.next_ms || mongo_paused(e) || !at_rest(e)) return;
    begin(e);
}

static void done(struct engine *e)
{
    bool worthless = e->heal.activity != activity(e) || !at_rest(e);
    e->heal.wanted = worthless;
    e->heal.next_ms = now_ms(e) + e->config->interval_ms;
    if (worthless) return;
    if (!e->heal.mismatch) {
        e->heal.mismatches = 0;
        e->heal.healed_difference = 0;
        return;
    }
    if (++e->heal.mismatches < 2) {
        e->heal.wanted = true;
        e->heal.next_ms = now_ms(e) + SECOND_LOOK_MS;
        return;
    }
    e->heal.mismatches = 0;
    if (e->heal.difference == e->heal.healed_difference) return; /* comparing everything did not change it */
    e->heal.healed_difference = e->heal.difference;
    log_warn("Qdrant does not hold as many points as the records say; everything is compared",
             LOG_STR("source", e->config->source), LOG_INT("difference", e->heal.difference));
    scan_start(e, true);
}

static void counted(struct engine *e, struct req *req)
{
    size_t i = req->count.collection;
    int64_t off = req->count.points - e->heal.with_point[i];
    if (off != 0) e->heal.mismatch = true;
    e->heal.difference += off < 0 ? -off : off;
    if (++e->heal.collection < e->collection_count)
        count_next(e);
    else
        done(e);
}

void heal_handle(struct engine *e, struct req *req)
{
    e->heal.requested = false;
    if (req->err.code != LKS_E_OK) {
        if (req->kind == REQ_COUNT)
            collection_failed(e, &e->collections[req->count.collection], &req->err);
        else
            mongo_failed(e, &req->err, "tally");
        e->heal.next_ms = now_ms(e) + SECOND_LOOK_MS;
        return;
    }
    if (req->kind == REQ_COUNT) {
        counted(e, req);
        return;
    }
    mongo_answered(e);
    for (size_t i = 0; i < e->collection_count; i++) e->heal.with_point[i] = req->tally.with_point[i];
    count_next(e);
}
