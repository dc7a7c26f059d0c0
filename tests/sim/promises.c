/*
 * promises.c - what must be true at every step, checked where it can be seen: each failure names the promise.
 *
 * Token: nothing before the saved position is undone. Hash: a record says `synced` only of what the point
 * held. Order: what is written of a document never gets older. Deletes: no orphans, and tombstones stay long
 * enough. One writer. Others: points of others stay. Self-healing: its triggers. Retry: failures are counted.
 * Memory: credits. Needless: no embedding that is there already.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define REST_EVERY_MS 200
#define TOMBSTONE_LATE_MS 10000 /* a round may fail, and MongoDB is given up to five seconds then */

/* ---- what each document and its points say, as of some moment of the oplog ---- */

/* Documents, and business ids, that something after that moment has to do with. */
struct hot {
    bool doc[SIM_MAX_IDS], key[SIM_KEYS];
};

static void heat_key(struct hot *hot, int key)
{
    if (key != SIM_NO_KEY) hot->key[key] = true;
}

static void find_hot(const struct world *w, size_t from, struct hot *hot)
{
    *hot = (struct hot){.doc = {false}};
    for (size_t i = from; i < w->mongo.count; i++) {
        const struct entry_log *en = &w->mongo.log[i];
        if (en->own || en->id < 0) continue;
        hot->doc[en->id] = true;
        if (en->doc.exists) heat_key(hot, en->doc.key);
        if (en->before && w->mongo.log[en->before - 1].doc.exists)
            heat_key(hot, w->mongo.log[en->before - 1].doc.key);
    }
}

/* A point made from this document that it should not have; NULL if there is none. */
static const struct sim_point *orphan_of(const struct world *w, const struct sim_collection *c, int id,
                                         int own_key)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct sim_point *p = &c->points[i];
        if (!p->foreign && p->doc == id && p->key != own_key && !qdrant_excused(w, c, p) &&
            !qdrant_reported(w, (size_t)(c - w->qdrant), p->key))
            return p;
    }
    return NULL;
}

struct finding {
    const char *promise;
    char text[300];
};

static bool found(struct finding *f, const char *promise, int id, size_t collection, const char *what)
{
    f->promise = promise;
    snprintf(f->text, sizeof f->text, "document %d, collection %zu: %s", id, collection, what);
    return true;
}

/* It is written down that somebody has to come back to this document. */
static bool open_business(const struct world *w, int id, size_t collection, size_t at)
{
    const struct sim_document *doc = mongo_doc_at(w, id, at);
    if (!doc) return w->mongo.with_tombstone[id];
    return !doc->record.entries || doc->record.entries[collection].status != SYNC_SYNCED;
}

/* Is something wrong with this document's point that nothing written down will bring anybody back to? */
static bool undone(struct world *w, const struct run *run, int id, size_t collection, const struct hot *hot,
                   struct finding *f)
{
    struct sim_collection *c = &w->qdrant[collection];
    size_t at = mongo_committed(w);
    const struct sim_document *doc = mongo_doc_at(w, id, at);
    struct made made;
    if (hot->doc[id] || w->mongo.with_tombstone[id]) return false;
    if (!doc) {
        const struct sim_point *orphan = orphan_of(w, c, id, SIM_NO_KEY);
        return orphan && !hot->key[orphan->key] &&
               found(f, "Deletes", id, collection, "it is gone, has no tombstone, and its point is there");
    }
    const struct entry *en = doc->record.entries ? &doc->record.entries[collection] : NULL;
    if (!en || !en->present || en->status != SYNC_SYNCED) return false; /* somebody will come back to it */
    if (doc->key == SIM_NO_KEY)
        return found(f, "Hash", id, collection, "synced, although it has no business id");
    if (hot->key[doc->key]) return false;
    sim_make(&run->setup, doc, collection, &made);
    bool owner = mongo_owner(w, doc->key, at) == id, bad = false;
    const struct sim_point *p = qdrant_point(c, doc->key);
    if (!owner)
        bad = found(f, "Order", id, collection, "synced, although another document owns its business id");
    else if (orphan_of(w, c, id, made.kind == MADE_POINT ? doc->key : SIM_NO_KEY))
        bad = found(f, "Deletes", id, collection, "synced, and a point is left that it should not have");
    else if (made.kind == MADE_POINT && (!p || p->foreign))
        bad = found(f, "Hash", id, collection, "synced, and there is no point");
    else if (made.kind == MADE_POINT && p->doc != id &&
             (hot->doc[p->doc] || open_business(w, p->doc, collection, at)))
        bad = false; /* it will be freed, and then this one is looked at again */
    else if (made.kind == MADE_POINT && p->doc != id)
        bad = found(f, "Order", id, collection, "synced, and the point is another document's");
    else if (made.kind == MADE_POINT && (strcmp(p->content_hash, made.content_hash) != 0 ||
                                         strcmp(p->payload_hash, made.payload_hash) != 0)) {
        bad = found(f, "Hash", id, collection, "synced, and the point says something else");
        size_t used = strlen(f->text);
        snprintf(f->text + used, sizeof f->text - used, " than %s %s: %s %s", made.content_hash,
                 made.payload_hash, p->content_hash, p->payload_hash);
    } else if (made.kind == MADE_POINT &&
               (strcmp(en->content_hash, made.content_hash) != 0 ||
                strcmp(en->payload_hash, made.payload_hash) != 0 || strcmp(en->point_id, made.point_id) != 0))
        bad = found(f, "Hash", id, collection, "synced, and the record says something else");
    return bad;
}

/* Events that were never reported, as the oplog had forgotten them: only comparing everything finds them.
 */
static void nothing_skipped(struct world *w, const struct run *run, const struct engine_state *state)
{
    if (state->scan_running && state->scan_verifies) return;
    for (size_t i = run->skipped_from; i < run->skipped_until && i < state->token_time; i++)
        if (!w->mongo.log[i].own)
            sim_fail(w, "Token: %s saved position %llu, although nobody has heard of the change before %zu",
                     run->owner, (unsigned long long)state->token_time, i + 1);
}

/* The number of a collection among those that a run has enabled. */
static size_t number_in(const struct run *run, size_t collection)
{
    size_t i = 0;
    while (i < run->config.collection_count && run->which[i] != collection) i++;
    return i;
}

/* Would nobody who begins at this position come back to the document, although something is wrong with it? */
static bool passed_over(struct world *w, const struct run *run, const struct engine_state *state,
                        const struct held_deletes *held, const struct hot *hot, int id, size_t collection,
                        struct finding *f)
{
    int scanned = state->scan_after ? sim_id_number(state->scan_after) : -1;
    const struct sim_document *doc = mongo_doc_at(w, id, mongo_committed(w));
    if (!run->setup.on[collection] || w->qdrant[collection].damaged) return false;
    if (!doc && held->orphans) return false;                         /* it is held, and said so */
    if (state->scan_running && (!doc || id > scanned)) return false; /* the scan reaches it, and the sweep */
    return undone(w, run, id, collection, hot, f);
}

void promise_token(struct world *w, const struct run *run, const struct engine_state *state)
{
    struct hot hot;
    struct finding f;
    if (!state->token) return;
    nothing_skipped(w, run, state);
    find_hot(w, (size_t)state->token_time, &hot);
    for (int id = 0; id < w->ids; id++)
        for (size_t c = 0; c < SIM_COLLECTIONS; c++)
            if (run->setup.on[c] &&
                passed_over(w, run, state, &state->held[number_in(run, c)], &hot, id, c, &f))
                sim_fail(w, "Token: %s saved position %llu too early: %s", run->owner,
                         (unsigned long long)state->token_time, f.text);
}

/* It was configured otherwise when that was saved, so that whoever begins there compares everything. */
static bool configured_anew(const struct world *w, const struct run *run, size_t collection)
{
    return strcmp(w->mongo.saved.digests[collection], run->digests[collection]) != 0;
}

void promise_crash(struct world *w, const struct trip *trip, int key, int doc, size_t collection)
{
    const struct engine_state *state = &w->mongo.saved.state;
    struct hot hot;
    struct finding f;
    if (!state->token || state->token_time < w->mongo.first || trip->run->epoch < w->writer_epoch ||
        configured_anew(w, trip->run, collection))
        return;
    find_hot(w, (size_t)state->token_time, &hot);
    for (int id = 0; id < w->ids; id++) {
        const struct sim_document *is = mongo_doc(w, id);
        if ((id == doc || (is && is->key == key)) &&
            passed_over(w, trip->run, state, &w->mongo.saved.held[collection], &hot, id, collection, &f))
            sim_fail(w, "Token: if %s died now, nobody would come back: %s", trip->run->owner, f.text);
    }
}

/* ---- records ---- */

static struct said *remember(struct world *w, size_t collection, int key, int doc)
{
    struct said *said = &w->history[w->said++ % SIM_HISTORY];
    *said = (struct said){.collection = collection, .key = key, .doc = doc, .until_ms = w->now};
    return said;
}

void promise_said(struct world *w, size_t collection, const struct sim_point *point)
{
    struct said *said = remember(w, collection, point->key, point->doc);
    said->vector = point->vector;
    memcpy(said->content_hash, point->content_hash, sizeof said->content_hash);
    memcpy(said->payload_hash, point->payload_hash, sizeof said->payload_hash);
}

/* It has known of another installation since before that moment. */
static bool knew_of_another(const struct world *w, const struct run *run, int64_t moment)
{
    struct engine_snapshot s;
    engine_snapshot(run->engine, &s);
    return s.another_epoch > 0 && (w->clocks_jumped || s.another_wall_ms < SIM_EPOCH_MS + moment);
}

void promise_skipped(struct world *w, const struct trip *trip, size_t collection, const struct point_write *p)
{
    if (trip->run->alive && knew_of_another(w, trip->run, trip->sent_ms)) return;
    struct said *said = remember(w, collection, sim_key(p->point_id), sim_doc_number(p->doc));
    snprintf(said->content_hash, sizeof said->content_hash, "%s", p->content_hash);
    snprintf(said->payload_hash, sizeof said->payload_hash, "%s", p->payload_hash);
    w->qdrant[collection].damaged = true;
}

static bool says(const char *content, const char *payload, int doc, const struct entry *en, int id)
{
    return doc == id && strcmp(content, en->content_hash) == 0 && strcmp(payload, en->payload_hash) == 0;
}

/* Has the point said this at any time since `since`? */
static bool was_said(struct world *w, size_t collection, int id, const struct entry *en, int64_t since)
{
    int key = sim_key(en->point_id);
    const struct sim_point *p = qdrant_point(&w->qdrant[collection], key);
    if (p && !p->foreign && says(p->content_hash, p->payload_hash, p->doc, en, id)) return true;
    const struct sim_collection *twin = w->qdrant[collection].twin;
    p = twin ? qdrant_point(w->qdrant[collection].twin, key) : NULL;
    if (p && !p->foreign && says(p->content_hash, p->payload_hash, p->doc, en, id)) return true;
    uint64_t kept = w->said < SIM_HISTORY ? w->said : SIM_HISTORY;
    for (uint64_t i = 0; i < kept; i++) {
        const struct said *said = &w->history[i];
        if (said->collection == collection && said->key == key && said->until_ms >= since &&
            says(said->content_hash, said->payload_hash, said->doc, en, id))
            return true;
    }
    return false;
}

/* MongoDB's clock jumped forward: a lease ended earlier than its holder can know. */
static bool clock_jumped(const struct world *w)
{
    return w->server_jumped_ms && w->now < w->server_jumped_ms + w->lease_ms + w->index_timeout_ms;
}

static void check_retry(struct world *w, const struct run *run, int id, size_t collection,
                        const struct entry *before, const struct entry *after)
{
    const struct retry_policy *policy = &run->config.retry;
    bool key = after->last_error && strcmp(after->last_error, SIM_KEY_REFUSED) == 0;
    int count =
        before->retry_count + (key ? 0 : 1); /* a key that is refused is no attempt of the document's */
    if (after->retry_count != count)
        sim_fail(w, "Retry: document %d, collection %zu: failure number %d is counted as %d", id, collection,
                 count, after->retry_count);
    if (retry_kind_of(after->error) == RETRY_ON_CHANGE) {
        if (after->next_retry_ms != NO_TIME)
            sim_fail(w,
                     "Retry: document %d, collection %zu: is to be tried again although only a change helps",
                     id, collection);
        return;
    }
    int64_t least = policy->base_ms;
    for (int i = 1; i < after->retry_count && least < policy->max_ms; i++) least *= 2;
    if (least > policy->max_ms) least = policy->max_ms;
    if (after->next_retry_ms == NO_TIME || after->next_retry_ms - after->last_attempt_ms < least / 5 * 4 - 1)
        sim_fail(w, "Retry: document %d, collection %zu: failure %d is tried again after %lld ms", id,
                 collection, after->retry_count, (long long)(after->next_retry_ms - after->last_attempt_ms));
}

void promise_record(struct world *w, const struct run *run, int id, size_t collection,
                    const struct entry *before, const struct entry *after)
{
    bool same = before->present && before->status == after->status &&
                strcmp(before->content_hash, after->content_hash) == 0 &&
                strcmp(before->payload_hash, after->payload_hash) == 0 &&
                strcmp(before->point_id, after->point_id) == 0 &&
                before->last_attempt_ms == after->last_attempt_ms &&
                before->retry_count == after->retry_count;
    if (same) return;
    sim_trace(w, "%s records %d, collection %zu: %s, %s %s, %d retries%s%s", run->owner, id, collection,
              sync_status_name(after->status), after->content_hash, after->payload_hash, after->retry_count,
              after->last_error ? ": " : "", after->last_error ? after->last_error : "");
    if (after->status == SYNC_SYNCED) {
        if (after->point_id[0] && !was_said(w, collection, id, after, run->started_ms) && !clock_jumped(w))
            sim_fail(w,
                     "Hash: document %d, collection %zu: recorded as synced with %s %s, which the point "
                     "never said",
                     id, collection, after->content_hash, after->payload_hash);
        else if (after->point_id[0] && !run->sure[collection][id])
            sim_fail(w,
                     "Hash: document %d, collection %zu: a reply that came after the lease's end is believed",
                     id, collection);
        if (after->retry_count)
            sim_fail(w, "Retry: document %d is synced after %d retries", id, after->retry_count);
        return;
    }
    if (after->content_hash[0] && strcmp(before->content_hash, after->content_hash) != 0 &&
        !was_said(w, collection, id, after, run->started_ms))
        sim_fail(w, "Hash: document %d, collection %zu: %s is written before it was confirmed", id,
                 collection, after->content_hash);
    if (after->last_error && !strcmp(after->last_error, SIM_TEXT_REFUSED) &&
        !embedder_ever_refused(w, id, collection))
        sim_fail(w, "Isolation: document %d, collection %zu: fails with another one's text", id, collection);
    bool attempted = before->status != SYNC_FAILED || before->last_attempt_ms != after->last_attempt_ms;
    if (after->status == SYNC_FAILED && attempted) check_retry(w, run, id, collection, before, after);
}

/* ---- writes to Qdrant ---- */

static bool late(const struct world *w, const struct trip *trip)
{
    return trip->held && w->now >= trip->deadline_ms;
}

static void one_writer(struct world *w, const struct trip *trip)
{
    uint64_t epoch = trip->run->epoch;
    if (late(w, trip)) return; /* that is what the guard is for */
    if (epoch < w->writer_epoch && !clock_jumped(w))
        sim_fail(w, "One writer: %s with epoch %llu writes after epoch %llu did", trip->run->owner,
                 (unsigned long long)epoch, (unsigned long long)w->writer_epoch);
    if (epoch > w->writer_epoch) w->writer_epoch = epoch;
}

void promise_deadline(struct world *w, const struct run *run, const struct req *req)
{
    bool writes = req->kind == REQ_UPSERT || req->kind == REQ_DELETE;
    bool reads = !writes && req->kind != REQ_ENSURE;
    if (!req->deadline_ms)
        sim_fail(w, "One writer: %s sends a request without a deadline: %s", run->owner,
                 req_kind_name(req->kind));
    else if (!reads && req->deadline_ms > run->lease_until_ms)
        sim_fail(w, "One writer: %s may send a request %lld ms after the end of its lease: %s", run->owner,
                 (long long)(req->deadline_ms - run->lease_until_ms), req_kind_name(req->kind));
    if (writes && run->met_epoch > run->epoch && run->alive && !knew_of_another(w, run, w->now))
        sim_fail(w, "One writer: %s with epoch %llu has seen a point of %llu, and goes on without a count",
                 run->owner, (unsigned long long)run->epoch, (unsigned long long)run->met_epoch);
}

void promise_write(struct world *w, struct trip *trip, int key, int doc, int64_t version, size_t collection)
{
    struct run *run = trip->run;
    struct seen *seen = &run->seen[collection][key];
    one_writer(w, trip);
    if (late(w, trip)) return;
    if (seen->version && seen->doc == doc && seen->version <= seen->received && version < seen->version)
        sim_fail(
            w,
            "Order: document %d, collection %zu: %lld is written after %lld, which the stream had reported",
            doc, collection, (long long)version, (long long)seen->version);
    *seen = (struct seen){.doc = doc, .version = version, .received = run->received};
}

/*
 * This run has written that the document is synced, and knows that it is written; nothing has happened to the
 * document, nor to its business id, since. What it was read for before can't have been about this.
 */
static bool known_to_be_there(const struct world *w, const struct run *run, const struct sim_point *point,
                              size_t collection)
{
    int id = point->doc;
    const struct sim_document *doc = point->foreign ? NULL : mongo_doc(w, id);
    struct made made;
    struct hot hot;
    if (!doc || !doc->record.entries || doc->record.entries[collection].status != SYNC_SYNCED) return false;
    if (sim_key(doc->record.entries[collection].point_id) != point->key) return false;
    if (doc->key != point->key || mongo_owner(w, doc->key, w->mongo.count) != id) return false;
    if (!run->recorded[id] || run->recorded[id] != w->mongo.last_of[id]) return false;
    find_hot(w, run->recorded[id], &hot);
    if (hot.doc[id] || hot.key[doc->key]) return false;
    sim_make(&run->setup, doc, collection, &made);
    return made.kind == MADE_POINT &&
           says(made.content_hash, made.payload_hash, id, &doc->record.entries[collection], id) &&
           strcmp(point->content_hash, made.content_hash) == 0 &&
           strcmp(point->payload_hash, made.payload_hash) == 0;
}

bool promise_holds(const struct world *w, size_t collection)
{
    const struct sim_collection *c = &w->qdrant[collection];
    uint64_t points = 0, orphans = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->points[i].foreign) continue;
        points++;
        orphans += !mongo_doc(w, c->points[i].doc);
    }
    return w->max_delete_percent < 100 && orphans >= w->hold_from &&
           orphans * 100 > points * (uint64_t)w->max_delete_percent;
}

void promise_delete(struct world *w, struct trip *trip, const struct sim_point *point, size_t collection)
{
    one_writer(w, trip);
    int64_t moment = point->written_ms - w->lease_ms - 2 * w->index_timeout_ms; /* it may wait, and be sent */
    if (point->elsewhere && point->epoch > trip->run->epoch && trip->run->alive && !w->clocks_jumped &&
        knew_of_another(w, trip->run, moment) &&
        w->now > moment + 2 * (w->lease_ms + 2 * w->index_timeout_ms))
        sim_fail(w, "Others: the point of another installation, %d in collection %zu, is deleted", point->key,
                 collection);
    /* MongoDB's clock ended a lease before its time: two write, and nothing guards a delete. */
    if (trip->run->epoch < w->writer_epoch && clock_jumped(w)) w->qdrant[collection].damaged = true;
    /* What was under way is not held; and where replicas differ, each gives another count. */
    bool holds = w->mongo.swapped && trip->run->alive && !w->qdrant[collection].uneven;
    for (size_t i = 0; i < SIM_COLLECTIONS; i++) holds &= !trip->run->setup.on[i] || promise_holds(w, i);
    if (holds)
        sim_fail(w, "Deletes: MongoDB is empty, and the point of document %d in collection %zu is deleted",
                 point->doc, collection);
    struct sim_collection *c = &w->qdrant[collection];
    const struct sim_point *first = qdrant_point(c, point->key);
    const struct sim_point *second = c->twin ? qdrant_point(c->twin, point->key) : first;
    /* What differs on the other replica goes with it, and is made again. */
    bool agree = first && second && first->doc == second->doc;
    if (agree && known_to_be_there(w, trip->run, point, collection))
        sim_fail(w, "Deletes: the point of document %d in collection %zu is deleted, and it is there",
                 point->doc, collection);
    /* Looked at, a point may wait for the lease to be renewed, and then for the request. */
    bool overwritten = !first || !first->foreign || !second || !second->foreign; /* on one replica */
    if (point->foreign && !overwritten &&
        w->now > point->foreign_since_ms + 2 * w->index_timeout_ms + w->lease_ms)
        sim_fail(w, "Others: point %d of another writer was deleted from collection %zu", point->key,
                 collection);
}

void promise_tombstone_dropped(struct world *w, const struct run *run, int id)
{
    size_t last = w->mongo.last_of[id];
    int64_t age = w->now - w->mongo.tombstone_ms[id];
    if (w->clocks_jumped || mongo_doc(w, id) || !last) return;
    if (w->mongo.log[last - 1].commit_ms > w->mongo.tombstone_ms[id]) return; /* deleted again since */
    if ((int64_t)last > run->received) return; /* a read before that finds it, and the event is yet to come */
    if (age < run->config.lease_ms + run->config.index_timeout_ms)
        sim_fail(w, "Deletes: the tombstone of document %d is dropped after %lld ms", id, (long long)age);
}

/* ---- embeddings ---- */

static int number_after(const char *text, const char *word)
{
    return (int)strtol(strstr(text, word) + strlen(word), NULL, 10);
}

void promise_probe(struct world *w, const struct run *run)
{
    struct engine_snapshot s;
    engine_snapshot(run->engine, &s);
    for (size_t i = 0; i < s.collection_count; i++)
        if (!strcmp(s.collections[i].embedder_error, SIM_TEXT_REFUSED))
            sim_fail(w, "Isolation: %s sets an embedder aside for a text that it refuses", run->owner);
}

/*
 * A text is needed as long as its point does not hold the vector of this very text, by this very model. It
 * may be asked for again after the vector came and was not written: a lost reply of the embedder, a refused
 * write, a crash. Who lost the lease, reads from a member that lags behind its own records, or what a late
 * writer has just changed, can't know.
 */
void promise_needed(struct world *w, const struct run *run, const char *text)
{
    int collection = number_after(text, "collection "), key = number_after(text, "key ");
    int vector = number_after(text, "model ") * 100 + number_after(text, "text ");
    int doc = number_after(text, "doc ");
    const struct sim_point *p = qdrant_point(&w->qdrant[collection], key);
    const struct sim_document *is = mongo_doc(w, doc);
    if (!p || p->foreign || p->vector != vector || p->doc != doc) return;
    bool recorded = is && is->record.entries && is->record.entries[collection].present;
    if (run->was_empty[collection] && !recorded) return; /* a first scan asks no points */
    if (w->qdrant[collection].uneven) return;            /* it may have seen a replica that lacks it */
    if (run->ahead[doc]) return;                         /* it may have come with a record of long ago */
    bool holds = strcmp(w->mongo.owner, run->owner) == 0 && mongo_wall(w) < w->mongo.lease_until;
    if (!holds || p->epoch != run->epoch || w->rate[FAULT_STALE_READ]) {
        w->repeats++;
        return;
    }
    sim_fail(w, "Needless: %s asks for an embedding that its point has: %s", run->owner, text);
}

/* ---- the engine itself ---- */

void promise_heals(struct world *w, struct run *run, const char *because)
{
    struct engine_snapshot s;
    enum engine_phase phase = engine_phase(run->engine);
    if (phase != PHASE_RUN && phase != PHASE_PROBE) return;
    engine_snapshot(run->engine, &s);
    if (!s.scanning || !s.scan_verifies)
        sim_fail(w, "Self-healing: %s compares nothing, although %s", run->owner, because);
}

/* Nobody but this run has anything under way, and it has heard of every change. */
static bool heard_all(const struct world *w, const struct run *run)
{
    if (!run->waiting || !run->stream_open || !run->stream_proven || daemon_at_work(w) != run) return false;
    for (size_t i = (size_t)run->stream_at; i < w->mongo.count; i++)
        if (!w->mongo.log[i].own) return false;
    for (const struct run *other = w->runs; other; other = other->next) {
        if (other == run) continue;
        if (other->alive ? engine_phase(other->engine) != PHASE_LEASE : other->outstanding > 0) return false;
    }
    return mongo_committed(w) == w->mongo.count;
}

static bool idle(struct world *w, const struct run *run)
{
    struct engine_snapshot s;
    engine_snapshot(run->engine, &s);
    if (s.bytes_in_work != 0)
        sim_fail(w, "Memory: no document is in work, and yet %zu bytes are", s.bytes_in_work);
    return !s.scanning && !s.sweeping && !s.another_epoch; /* then it sweeps nothing */
}

static void check_rest(struct world *w, const struct run *run)
{
    struct hot hot = {.doc = {false}};
    struct engine_snapshot s;
    struct finding f;
    engine_snapshot(run->engine, &s);
    for (size_t c = 0; c < SIM_COLLECTIONS; c++) {
        bool bad = false;
        bool held = run->setup.on[c] && s.collections[number_in(run, c)].held.orphans;
        for (int id = 0; id < w->ids && run->setup.on[c] && !bad; id++)
            bad = (mongo_doc(w, id) || !held) && undone(w, run, id, c, &hot, &f);
        if (bad && !w->qdrant[c].damaged) sim_fail(w, "%s: at rest: %s", f.promise, f.text);
        if (w->qdrant[c].damaged && !w->qdrant[c].damaged_ms) w->qdrant[c].damaged_ms = w->now;
        /* what was looked at before the damage may be recorded after it */
        bool long_ago = w->now > w->qdrant[c].damaged_ms + 20000;
        if (!bad && run->setup.on[c] && long_ago) {
            w->qdrant[c].damaged = false;
            w->qdrant[c].damaged_ms = 0;
        }
    }
}

static bool any_down(const struct world *w, const struct run *run)
{
    struct engine_snapshot s;
    engine_snapshot(run->engine, &s);
    for (size_t i = 0; i < s.collection_count; i++)
        if (s.collections[i].circuit != CIRCUIT_CLOSED) return true;
    return w->now < w->mongo.down_until || w->now < run->paused_until;
}

/* Nothing else was to be done, and it has not come back to a document when its time had come. (What an
 * earlier holder put late it finds by and by.) */
static void check_tombstones(struct world *w, struct run *run)
{
    if (any_down(w, run)) run->busy_ms = w->now;
    if (run->busy_ms < run->paused_until) run->busy_ms = run->paused_until;
    if (run->busy_ms < w->mongo.down_until) run->busy_ms = w->mongo.down_until;
    if (w->clocks_jumped || w->now < run->busy_ms + TOMBSTONE_LATE_MS) return;
    for (int id = 0; id < w->ids; id++) {
        const struct tombstone *tombstone = &w->mongo.tombstones[id];
        int64_t due = tombstone->due_ms - SIM_EPOCH_MS;
        bool own = w->mongo.tombstone_epoch[id] == run->epoch;
        if (w->mongo.with_tombstone[id] && own && w->now > due + TOMBSTONE_LATE_MS)
            sim_fail(w, "Deletes: at rest: the tombstone of %d has been due for %lld ms", id,
                     (long long)(w->now - due));
    }
}

/* Documents whose business id another one holds too. */
static size_t duplicate_ids(const struct world *w)
{
    size_t count = 0, duplicates[SIM_KEYS] = {0};
    for (int id = 0; id < w->ids; id++) {
        const struct sim_document *doc = mongo_doc(w, id);
        if (doc && doc->key != SIM_NO_KEY) duplicates[doc->key]++;
    }
    for (int key = 0; key < SIM_KEYS; key++) count += duplicates[key] > 1 ? duplicates[key] : 0;
    return count;
}

/*
 * Whoever fetches documents looks whether there is room, each for itself, and so may come a little too far
 * together. Those that hold a business id which another one has got or given up can't wait for room: the
 * position in the stream is held until they have been looked at, and nothing else remembers them.
 */
static void check_memory(struct world *w, size_t documents)
{
    size_t most = w->max_docs + w->batch_size + 16;
    if (documents > most && documents > most + duplicate_ids(w))
        sim_fail(w, "Memory: %zu documents in work, %zu are allowed", documents, w->max_docs);
}

/* What is said to be held is counted of points that there are, but for some that come and go meanwhile. */
static void check_held(struct world *w, const struct run *run)
{
    struct engine_snapshot s;
    engine_snapshot(run->engine, &s);
    for (size_t i = 0; i < s.collection_count; i++) {
        struct sim_collection *c = &w->qdrant[run->which[i]];
        if (c->count > c->most) c->most = c->count;
        if (c->twin && c->twin->count > c->most) c->most = c->twin->count;
        if (s.collections[i].held.points > 4 && s.collections[i].held.points >= 2 * c->most)
            sim_fail(w, "Deletes: %s holds deletes of %llu of %llu points in collection %zu, which has %zu",
                     run->owner, (unsigned long long)s.collections[i].held.orphans,
                     (unsigned long long)s.collections[i].held.points, run->which[i], c->most);
    }
}

void promise_rest(struct world *w, struct run *run)
{
    check_held(w, run);
    size_t documents = engine_docs_in_work(run->engine);
    check_memory(w, documents);
    if (documents > 0) run->busy_ms = w->now;
    if (documents > 0 || w->now < run->rest_checked_ms + REST_EVERY_MS || !run->alive || !heard_all(w, run))
        return;
    run->rest_checked_ms = w->now;
    if (!idle(w, run)) return;
    check_rest(w, run);
    check_tombstones(w, run);
}
