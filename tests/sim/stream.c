/*
 * stream.c - the simulated change stream, and what the adapter before it does: it hands on a position only
 * when the history before it is known to be there. A token is the number of the entry it stands behind.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* Has the oplog forgotten what this stream was to begin with? A probe at the token's time would say so. */
static enum lks_code probe(struct world *w, struct run *run, struct req *req)
{
    if (sim_chance(w, FAULT_UNPROVEN)) return LKS_E_OK; /* the probe itself fails: not known */
    if (run->stream_lost)
        return lks_fail(&req->err, LKS_E_STREAM_LOST, "the oplog does not reach back so far");
    run->stream_proven = true;
    return LKS_E_OK;
}

static void open_stream(struct world *w, struct run *run, struct req *req)
{
    size_t from = mongo_committed(w);
    bson_iter_t iter;
    if (w->polls) {
        lks_fail(&req->err, LKS_E_UNSUPPORTED, "no change streams here");
        return;
    }
    if (req->stream_open.token && bson_iter_init_find(&iter, req->stream_open.token, "i"))
        from = (size_t)bson_iter_int64(&iter);
    else if (req->stream_open.at)
        from = (size_t)req->stream_open.at;
    if (!run->followed) run->followed_from = from;
    run->followed = true;
    run->stream_lost = from < w->mongo.first; /* a quiet collection lets that look fine */
    run->stream_at = run->stream_lost ? w->mongo.first : from;
    if (run->stream_lost) {
        run->skipped_from = from > w->mongo.reported ? from : w->mongo.reported;
        run->skipped_until = w->mongo.first;
    }
    run->stream_proven = !req->stream_open.token && !req->stream_open.at;
    if (!run->stream_proven && probe(w, run, req) != LKS_E_OK) return;
    if (run->stream_lost) sim_trace(w, "%s follows, and does not know yet that history was lost", run->owner);
    run->stream_open = true;
    req->stream_open.opened_at = from;
    req->stream_open.now = w->mongo.count;
    req->stream_open.proven = run->stream_proven;
}

/* Of the fields of a document that came whole. */
static char **names_of(const struct sim_document *doc)
{
    char **names = calloc(SIM_COLLECTIONS + 3, sizeof *names);
    size_t count = 0;
    for (int i = 0; i < SIM_COLLECTIONS; i++) {
        char name[] = "t0";
        name[1] = (char)('0' + i);
        names[count++] = strdup(name);
    }
    names[count++] = strdup("p");
    if (doc->key != SIM_NO_KEY) names[count] = strdup("k");
    return names;
}

static void fill_change(const struct entry_log *en, size_t number, struct change *change)
{
    *change = (struct change){
        .op = en->op, .id = sim_id(en->id), .at = number, .wall_ms = en->wall_ms, .replaced = en->replaced};
    change->token = BCON_NEW("i", BCON_INT64((int64_t)number));
    change->record_too = en->record_too;
    if (en->op == CHANGE_UPSERT) change->keys = names_of(&en->doc);
    if (en->op != CHANGE_UPDATE) return;
    change->keys = calloc(2, sizeof *change->keys);
    change->keys[0] = strdup(en->key);
}

/* The collection was dropped or renamed, and all before that was given out. */
static void end_stream(struct run *run, struct req *req)
{
    run->stream_at++;
    run->stream_open = false;
    req->stream_next.token = BCON_NEW("i", BCON_INT64((int64_t)run->stream_at));
    req->stream_next.at = run->stream_at;
    req->stream_next.proven = true;
    lks_fail(&req->err, LKS_E_STREAM_ENDED, "the collection was dropped or renamed");
}

static void give_events(struct world *w, struct run *run, struct req *req, size_t end)
{
    bool ends = false;
    req->stream_next.changes = calloc(req->stream_next.max_events + 1, sizeof *req->stream_next.changes);
    while (run->stream_at < end && req->stream_next.change_count < req->stream_next.max_events && !ends) {
        const struct entry_log *en = &w->mongo.log[run->stream_at];
        ends = en->invalidate;
        if (ends) break;
        run->stream_at++;
        if (!en->own && !en->silent)
            fill_change(en, (size_t)run->stream_at,
                        &req->stream_next.changes[req->stream_next.change_count++]);
    }
    if (run->saw < run->stream_at) run->saw = run->stream_at;
    if (w->mongo.reported < run->stream_at) w->mongo.reported = (size_t)run->stream_at;
    if (req->stream_next.change_count > 0) run->stream_proven = true;
    if (!run->stream_proven && req->stream_next.change_count == 0 && probe(w, run, req) != LKS_E_OK) {
        run->stream_open = false;
        return;
    }
    req->stream_next.proven = run->stream_proven;
    if (ends && req->stream_next.change_count == 0) {
        end_stream(run, req);
        return;
    }
    if (!run->stream_proven || ends) return;
    req->stream_next.token = BCON_NEW("i", BCON_INT64((int64_t)run->stream_at));
    req->stream_next.at = run->stream_at;
}

/* Is there an event, or only our own writes? */
static bool anything_until(const struct world *w, const struct run *run, size_t end)
{
    for (size_t i = (size_t)run->stream_at; i < end; i++)
        if (!w->mongo.log[i].own && !w->mongo.log[i].silent) return true;
    return false;
}

static void answer(struct world *w, struct run *run, size_t end)
{
    struct trip *trip = run->waiting;
    run->waiting = NULL;
    bool rolled_over = !run->stream_lost && run->stream_at < w->mongo.first;
    if (w->now < w->mongo.down_until || sim_chance_times(w, FAULT_MONGO_ERROR, 0.25)) {
        run->stream_open = false;
        lks_fail(&trip->req->err, LKS_E_MONGO, "no primary");
    } else if (!run->stream_open) {
        lks_fail(&trip->req->err, LKS_E_MONGO, "the change stream is not open");
    } else if (rolled_over || (run->stream_lost && anything_until(w, run, end))) {
        run->stream_open = false;
        lks_fail(&trip->req->err, LKS_E_STREAM_LOST, "the oplog has forgotten what comes next");
    } else {
        give_events(w, run, trip->req, end);
    }
    sim_reply(w, trip, w->now + 1 + (int64_t)sim_below(w, BY_NET, 3));
}

static void look(struct world *w, struct run *run)
{
    size_t end = mongo_committed(w);
    bool broken = !run->stream_open || w->now < w->mongo.down_until || run->stream_at < w->mongo.first;
    if (broken || w->now >= run->waiting->until_ms || anything_until(w, run, end)) answer(w, run, end);
}

static void look_at_all(struct world *w, void *arg, uint64_t number)
{
    (void)arg;
    (void)number;
    for (struct run *run = w->runs; run; run = run->next)
        if (run->waiting) look(w, run);
}

void stream_wake(struct world *w, int64_t at)
{
    for (struct run *run = w->runs; run; run = run->next)
        if (run->waiting) {
            sim_at(w, at, look_at_all, NULL, 0);
            return;
        }
}

void stream_ask(struct world *w, struct trip *trip)
{
    struct run *run = trip->run;
    if (trip->req->kind == REQ_STREAM_OPEN) {
        open_stream(w, run, trip->req);
        return;
    }
    trip->until_ms = w->now + trip->req->stream_next.wait_ms;
    run->waiting = trip;
    sim_at(w, trip->until_ms, look_at_all, NULL, 0);
    look(w, run);
}
