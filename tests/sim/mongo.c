/*
 * mongo.c - a simulated MongoDB: an oplog with a majority commit point, documents as of any moment of it,
 * compare-and-set of records, the engine's state, tombs and lease.
 *
 * Reads see a majority snapshot that may be older than the newest, but not than the time they ask for. Writes
 * are answered when they are committed; an election undoes what is not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define LEASE_WAIT_MS 1000

static int64_t wall(const struct world *w)
{
    return 1700000000000 + w->now;
}

/* ---- documents ---- */

static struct docid *id_of(int id)
{
    bson_t *b = BCON_NEW("_id", BCON_INT32(id));
    struct docid *d = docid_of(b);
    bson_destroy(b);
    if (!d) abort();
    return d;
}

static int number_of(const struct docid *id)
{
    bson_iter_t iter;
    docid_iter(id, &iter);
    return bson_iter_int32(&iter);
}

static bson_t *body_of(const struct sim_doc *doc, int id)
{
    bson_t *b = BCON_NEW("_id", BCON_INT32(id), "p", BCON_INT32(doc->payload));
    char name[16];
    for (int i = 0; i < SIM_COLLECTIONS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        BSON_APPEND_INT32(b, name, doc->text[i]);
    }
    if (doc->key != SIM_NO_KEY) BSON_APPEND_INT32(b, "k", doc->key);
    return b;
}

bool sim_doc_is(const bson_t *body, struct sim_doc *doc)
{
    bson_iter_t iter;
    *doc = (struct sim_doc){.exists = true, .key = SIM_NO_KEY};
    if (!bson_iter_init(&iter, body)) return false;
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        if (strcmp(key, "p") == 0) doc->payload = bson_iter_int32(&iter);
        if (strcmp(key, "k") == 0) doc->key = bson_iter_int32(&iter);
        if (key[0] == 't') doc->text[key[1] - '0'] = bson_iter_int32(&iter);
    }
    return true;
}

/* The document as of the first `entries` entries of the oplog; NULL if it never was there. */
static const struct sim_doc *doc_at(const struct world *w, int id, size_t entries)
{
    size_t at = w->mongo.last_of[id];
    while (at > entries) at = w->mongo.log[at - 1].before;
    return at ? &w->mongo.log[at - 1].doc : NULL;
}

static bool exists(const struct sim_doc *doc)
{
    return doc && doc->exists;
}

const struct sim_doc *mongo_doc(const struct world *w, int id)
{
    const struct sim_doc *doc = doc_at(w, id, w->mongo.count);
    return exists(doc) ? doc : NULL;
}

static size_t committed(const struct world *w)
{
    size_t n = w->mongo.count;
    while (n > 0 && w->mongo.log[n - 1].commit_ms > w->now) n--;
    return n;
}

/* Appends an entry; `doc` is copied, its record too. */
static struct entry_log *append(struct world *w, int id, enum change_op op, const struct sim_doc *doc)
{
    struct sim_mongo *m = &w->mongo;
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 64;
        m->log = realloc(m->log, m->capacity * sizeof *m->log);
        if (!m->log) abort();
    }
    struct entry_log *en = &m->log[m->count];
    *en = (struct entry_log){.id = id, .op = op, .doc = *doc, .wall_ms = wall(w), .before = m->last_of[id]};
    memset(&en->doc.record, 0, sizeof en->doc.record);
    if (doc->record.entries && !record_copy(&en->doc.record, &doc->record)) abort();
    int64_t commit = w->now + 1 + (w->quiet ? 0 : (int64_t)sim_below(w, w->faults.majority_lag_ms + 1));
    if (commit < m->last_commit_ms) commit = m->last_commit_ms;
    en->commit_ms = m->last_commit_ms = commit;
    m->last_of[id] = ++m->count;
    return en;
}

/* ---- the application ---- */

static int text(struct world *w)
{
    return (int)sim_below(w, 15);
}

static void insert(struct world *w, int id)
{
    struct sim_doc doc = {
        .exists = true, .key = (int)sim_below(w, SIM_KEYS), .payload = (int)sim_below(w, 100)};
    for (int i = 0; i < SIM_COLLECTIONS; i++) doc.text[i] = text(w);
    if (sim_below(w, 20) == 0) doc.key = SIM_NO_KEY;
    append(w, id, CHANGE_UPSERT, &doc);
    sim_trace(w, "app inserts %d with id %d", id, doc.key);
}

static void delete (struct world *w, int id)
{
    struct sim_doc gone = {.exists = false};
    append(w, id, CHANGE_DELETE, &gone);
    sim_trace(w, "app deletes %d", id);
}

static void change(struct world *w, int id, const struct sim_doc *now)
{
    struct sim_doc doc = *now;
    char key[8] = "x";
    uint64_t what = sim_below(w, 10);
    bool replaces = false;
    if (what < 5) {
        int i = (int)sim_below(w, SIM_COLLECTIONS);
        doc.text[i] = text(w);
        snprintf(key, sizeof key, "t%d", i);
    } else if (what < 7) {
        doc.payload = (int)sim_below(w, 100);
        snprintf(key, sizeof key, "p");
    } else if (what < 8) {
        doc.key = sim_below(w, 10) ? (int)sim_below(w, SIM_KEYS) : SIM_NO_KEY;
        snprintf(key, sizeof key, "k");
    } else if (what < 9) {
        replaces = true; /* the record is gone with it */
        doc.payload = (int)sim_below(w, 100);
        memset(&doc.record, 0, sizeof doc.record);
    }
    struct entry_log *en = append(w, id, replaces ? CHANGE_UPSERT : CHANGE_UPDATE, &doc);
    en->replaced = replaces;
    memcpy(en->key, key, sizeof key);
    sim_trace(w, "app %s %d (%s, id %d)", replaces ? "replaces" : "updates", id, key, doc.key);
}

void mongo_app_write(struct world *w)
{
    int id = (int)sim_below(w, SIM_IDS);
    const struct sim_doc *now = mongo_doc(w, id);
    if (!now) {
        insert(w, id);
        return;
    }
    if (sim_below(w, 4)) {
        change(w, id, now);
        return;
    }
    int key = now->key;
    delete (w, id);
    if (sim_below(w, 3) == 0) { /* created again at once, perhaps under another _id */
        int other = sim_below(w, 2) ? id : (int)sim_below(w, SIM_IDS);
        if (mongo_doc(w, other)) return;
        insert(w, other);
        w->mongo.log[w->mongo.count - 1].doc.key = key;
    }
}

void mongo_fault(struct world *w)
{
    struct sim_mongo *m = &w->mongo;
    if (sim_chance(w, w->faults.rollback)) {
        size_t keep = committed(w);
        if (keep < m->count) {
            sim_trace(w, "election: %zu writes are undone", m->count - keep);
            m->elections++;
        }
        while (m->count > keep) {
            struct entry_log *en = &m->log[--m->count];
            m->last_of[en->id] = en->before;
            record_fini(&en->doc.record);
        }
        m->last_commit_ms = keep ? m->log[keep - 1].commit_ms : 0;
        m->down_until = w->now + 50 + (int64_t)sim_below(w, 2000);
    }
    if (sim_chance(w, w->faults.truncate)) {
        sim_trace(w, "the oplog forgets all before %zu", committed(w));
        m->first = committed(w);
    }
}

void mongo_free(struct world *w)
{
    struct sim_mongo *m = &w->mongo;
    for (size_t i = 0; i < m->count; i++) record_fini(&m->log[i].doc.record);
    free(m->log);
    engine_state_fini(&m->state);
    for (int i = 0; i < SIM_IDS; i++)
        if (m->tombed[i]) tomb_fini(&m->tombs[i]);
}

/* ---- reads ---- */

/* A majority snapshot: between `after` and the commit point. */
static size_t snapshot(struct world *w, cluster_time after)
{
    size_t newest = committed(w), oldest = after > newest ? newest : (size_t)after;
    if (w->quiet || newest == oldest || sim_below(w, 3)) return newest;
    size_t stale = newest - oldest > 6 ? newest - 6 : oldest;
    return stale + sim_below(w, newest - stale + 1);
}

/* The lowest other document with the same business id, if it is lower. */
static int owner_of(const struct world *w, int id, int key, size_t at)
{
    for (int other = 0; other < id && key != SIM_NO_KEY; other++) {
        const struct sim_doc *doc = doc_at(w, other, at);
        if (exists(doc) && doc->key == key) return other;
    }
    return -1;
}

static void read_doc(struct world *w, int id, size_t at, struct source_doc *out)
{
    const struct sim_doc *doc = doc_at(w, id, at);
    memset(out, 0, sizeof *out);
    out->id = id_of(id);
    out->bytes = 100;
    if (!exists(doc)) return;
    out->body = body_of(doc, id);
    if (doc->record.entries && !record_copy(&out->record, &doc->record)) abort();
    int owner = owner_of(w, id, doc->key, at);
    if (owner >= 0) out->owner = id_of(owner);
    for (int other = id + 1; other < SIM_IDS && doc->key != SIM_NO_KEY; other++) {
        const struct sim_doc *higher = doc_at(w, other, at);
        if (exists(higher) && higher->key == doc->key) out->contested = true;
    }
}

static void do_read(struct world *w, struct req *req)
{
    size_t at = snapshot(w, req->read.after);
    req->read.docs = calloc(req->read.count, sizeof *req->read.docs);
    for (size_t i = 0; i < req->read.count; i++)
        read_doc(w, number_of(req->read.ids[i]), at, &req->read.docs[i]);
}

static void do_scan(struct world *w, struct req *req)
{
    size_t at = snapshot(w, 0), max = req->scan.max_docs < 5 ? req->scan.max_docs : 5;
    int id = req->scan.from ? number_of(req->scan.from) + 1 : 0;
    req->scan.docs = calloc(max + 1, sizeof *req->scan.docs);
    req->scan.total_estimate = -1;
    for (; id < SIM_IDS && req->scan.count < max; id++)
        if (exists(doc_at(w, id, at))) read_doc(w, id, at, &req->scan.docs[req->scan.count++]);
    req->scan.end = true;
    for (; id < SIM_IDS; id++)
        if (exists(doc_at(w, id, at))) req->scan.end = false;
}

static bool entry_due(const struct req *req, const struct record *record, size_t i, int64_t *next)
{
    const struct entry *en = record->entries ? &record->entries[i] : NULL;
    if (!req->due.collections[i]) return false;
    if (!en || !en->present) return !req->due.recorded_only;
    if (en->status == SYNC_PENDING) return true;
    if (en->status == SYNC_SYNCED) return false;
    if (en->next_retry_ms == NO_TIME)
        return en->status == SYNC_STALE || (req->due.rejected_too && en->error == LKS_E_VALIDATION);
    if (en->next_retry_ms <= req->due.now_ms) return true;
    if (*next == NO_TIME || en->next_retry_ms < *next) *next = en->next_retry_ms;
    return false;
}

static void do_due(struct world *w, struct req *req)
{
    size_t at = snapshot(w, 0);
    req->due.ids = calloc(req->due.max_docs + 1, sizeof *req->due.ids);
    req->due.next_ms = NO_TIME;
    req->due.end = true;
    for (int id = req->due.from ? number_of(req->due.from) + 1 : 0; id < SIM_IDS; id++) {
        const struct sim_doc *doc = doc_at(w, id, at);
        bool due = false;
        if (!exists(doc)) continue;
        for (size_t i = 0; i < SIM_COLLECTIONS; i++)
            due |= entry_due(req, &doc->record, i, &req->due.next_ms);
        if (!due) continue;
        if (req->due.count == req->due.max_docs) {
            req->due.end = false;
            return;
        }
        req->due.ids[req->due.count++] = id_of(id);
    }
}

static void do_holders(struct world *w, struct req *req)
{
    size_t at = snapshot(w, 0);
    req->holders.ids = calloc(SIM_IDS, sizeof *req->holders.ids);
    for (int id = 0; id < SIM_IDS; id++) {
        const struct sim_doc *doc = doc_at(w, id, at);
        char key[16];
        if (!exists(doc) || doc->key == SIM_NO_KEY) continue;
        snprintf(key, sizeof key, "k%d", doc->key);
        for (size_t i = 0; i < req->holders.count; i++)
            if (strcmp(req->holders.keys[i], key) == 0) {
                req->holders.ids[req->holders.id_count++] = id_of(id);
                break;
            }
    }
}

static void do_tally(struct world *w, struct req *req)
{
    size_t at = snapshot(w, 0);
    req->tally.with_point = calloc(SIM_COLLECTIONS, sizeof *req->tally.with_point);
    for (int id = 0; id < SIM_IDS; id++) {
        const struct sim_doc *doc = doc_at(w, id, at);
        if (!exists(doc)) continue;
        req->tally.documents++;
        for (size_t i = 0; i < SIM_COLLECTIONS && doc->record.entries; i++)
            if (doc->record.entries[i].point_id[0]) req->tally.with_point[i]++;
    }
}

/* ---- the stream ---- */

static void do_stream_open(struct world *w, struct run *run, struct req *req)
{
    size_t from = committed(w);
    bson_iter_t iter;
    if (req->stream_open.token && bson_iter_init_find(&iter, req->stream_open.token, "i"))
        from = (size_t)bson_iter_int64(&iter);
    else if (req->stream_open.at)
        from = (size_t)req->stream_open.at;
    if (from < w->mongo.first) {
        lks_fail(&req->err, LKS_E_STREAM_LOST, "the oplog does not reach back so far");
        return;
    }
    run->stream_open = true;
    run->stream_at = from;
    req->stream_open.opened_at = from;
    req->stream_open.now = w->mongo.count;
    req->stream_open.proven = true;
}

static void wait_for_events(struct world *w, void *arg, uint64_t until);

static void fill_change(const struct entry_log *en, size_t number, struct change *change)
{
    *change = (struct change){
        .op = en->op, .id = id_of(en->id), .at = number, .wall_ms = en->wall_ms, .replaced = en->replaced};
    change->token = BCON_NEW("i", BCON_INT64((int64_t)number));
    if (en->op != CHANGE_UPDATE) return;
    change->keys = calloc(2, sizeof *change->keys);
    change->keys[0] = strdup(en->key);
}

static bool do_stream_next(struct world *w, struct run *run, struct req *req, int64_t until)
{
    size_t end = committed(w);
    if (!run->stream_open || run->stream_at < w->mongo.first) {
        run->stream_open = false;
        lks_fail(&req->err, run->stream_at < w->mongo.first ? LKS_E_STREAM_LOST : LKS_E_MONGO,
                 "the stream is gone");
        return true;
    }
    if (run->stream_at == end && w->now < until) return false;
    req->stream_next.changes = calloc(req->stream_next.max_events + 1, sizeof *req->stream_next.changes);
    while (run->stream_at < end && req->stream_next.change_count < req->stream_next.max_events) {
        const struct entry_log *en = &w->mongo.log[run->stream_at++];
        if (!en->own)
            fill_change(en, (size_t)run->stream_at,
                        &req->stream_next.changes[req->stream_next.change_count++]);
    }
    req->stream_next.token = BCON_NEW("i", BCON_INT64((int64_t)run->stream_at));
    req->stream_next.at = run->stream_at;
    req->stream_next.proven = true;
    return true;
}

static void wait_for_events(struct world *w, void *arg, uint64_t until)
{
    struct req *req = arg;
    struct run *run = sim_run_of(req);
    if (w->now < w->mongo.down_until || sim_chance(w, w->faults.mongo_error / 4)) {
        run->stream_open = false;
        lks_fail(&req->err, LKS_E_MONGO, "no primary");
        sim_reply(w, req, w->now);
    } else if (do_stream_next(w, run, req, (int64_t)until)) {
        sim_reply(w, req, w->now + 1);
    } else {
        sim_at(w, w->now + 20 < (int64_t)until ? w->now + 20 : (int64_t)until, wait_for_events, req, until);
    }
}

/* ---- writes ---- */

static bool same_entry(const struct entry *a, const struct entry *b)
{
    if (a->present != b->present) return false;
    return a->status == b->status && a->retry_count == b->retry_count &&
           a->vector_version == b->vector_version && strcmp(a->content_hash, b->content_hash) == 0 &&
           strcmp(a->payload_hash, b->payload_hash) == 0 && strcmp(a->point_id, b->point_id) == 0;
}

static enum lks_code write_record(struct world *w, struct record_write *write)
{
    int id = number_of(write->id);
    const struct sim_doc *now = mongo_doc(w, id);
    static const struct entry absent = {.status = SYNC_PENDING};
    if (!now) return LKS_E_NOT_FOUND;
    for (size_t i = 0; i < SIM_COLLECTIONS; i++) {
        const struct entry *is = now->record.entries ? &now->record.entries[i] : &absent;
        const struct entry *was = write->before->entries ? &write->before->entries[i] : &absent;
        if (!same_entry(is, was)) return LKS_E_MISSED;
    }
    struct sim_doc doc = *now;
    doc.record = *write->after;
    append(w, id, CHANGE_UPDATE, &doc)->own = true;
    return LKS_E_OK;
}

/* The reply of a majority write comes when it is committed; if an election undid writes meanwhile, nobody
 * knows whether this was one of them. */
static void reply_committed(struct world *w, void *arg, uint64_t elections)
{
    struct req *req = arg;
    if (w->mongo.elections != elections || w->now < w->mongo.down_until ||
        sim_chance(w, w->faults.mongo_lost_reply)) {
        lks_fail(&req->err, LKS_E_MONGO, "connection closed before the reply");
        sim_reply(w, req, w->now);
        return;
    }
    sim_reply(w, req, w->now);
}

static void do_record(struct world *w, struct req *req)
{
    for (size_t i = 0; i < req->record.count; i++)
        req->record.writes[i].code = write_record(w, &req->record.writes[i]);
    sim_at(w, w->mongo.last_commit_ms + 1, reply_committed, req, w->mongo.elections);
}

static void do_lease(struct world *w, struct run *run, struct req *req)
{
    struct sim_mongo *m = &w->mongo;
    bool mine = strcmp(m->owner, run->owner) == 0 && req->lease.epoch == m->epoch;
    if (req->lease.op == LEASE_TAKE) {
        if (m->owner[0] && !m->lease_released && w->now < m->lease_until) {
            req->lease.remaining_ms = m->lease_until - w->now;
            req->lease.holder = strdup(m->owner);
            return;
        }
        req->lease.previous_expired = m->owner[0] && !m->lease_released;
        uint64_t second = (uint64_t)(wall(w) / 1000);
        m->epoch = m->epoch + 1 > second ? m->epoch + 1 : second;
        snprintf(m->owner, sizeof m->owner, "%s", run->owner);
        m->lease_until = w->now + req->lease.lease_ms;
        m->lease_released = false;
        req->lease.epoch = m->epoch;
        req->lease.held = true;
        sim_trace(w, "%s holds the lease, epoch %llu", run->owner, (unsigned long long)m->epoch);
    } else if (mine && !m->lease_released) {
        req->lease.held = req->lease.op == LEASE_RENEW;
        if (req->lease.op == LEASE_RENEW) {
            m->lease_until = w->now + req->lease.lease_ms;
        } else {
            m->lease_released = true;
            m->state.clean = req->lease.clean;
            sim_trace(w, "%s gives the lease back, %s", run->owner, req->lease.clean ? "clean" : "not clean");
        }
    }
}

static void copy_state(struct engine_state *to, const struct engine_state *from)
{
    *to = (struct engine_state){.token_time = from->token_time,
                                .scan_running = from->scan_running,
                                .scan_doubt = from->scan_doubt,
                                .clean = from->clean};
    if (from->token) to->token = bson_copy(from->token);
    if (from->scan_after) to->scan_after = docid_copy(from->scan_after);
    if (!from->digests) return;
    to->digests = calloc(SIM_COLLECTIONS + 1, sizeof *to->digests);
    for (size_t i = 0; i < SIM_COLLECTIONS; i++) to->digests[i] = strdup(from->digests[i]);
}

static void do_state_load(struct world *w, struct req *req)
{
    copy_state(&req->state_load.state, &w->mongo.state);
    w->mongo.state.clean = false; /* whoever reads it is at work from here on */
}

static void do_state_save(struct world *w, struct req *req)
{
    if (req->state_save.epoch != w->mongo.epoch || w->mongo.lease_released) {
        lks_fail(&req->err, LKS_E_LEASE, "epoch %llu is over", (unsigned long long)req->state_save.epoch);
        return;
    }
    engine_state_fini(&w->mongo.state);
    copy_state(&w->mongo.state, &req->state_save.state);
}

static void do_tombs(struct world *w, struct req *req)
{
    struct sim_mongo *m = &w->mongo;
    if (req->kind == REQ_TOMBS_LIST) {
        req->tombs.tombs = calloc(SIM_IDS, sizeof *req->tombs.tombs);
        for (int id = 0; id < SIM_IDS && req->tombs.count < req->tombs.max; id++) {
            if (!m->tombed[id] || m->tombs[id].since_ms > req->tombs.older_than_ms) continue;
            struct tomb *out = &req->tombs.tombs[req->tombs.count++];
            *out = m->tombs[id];
            out->id = docid_copy(m->tombs[id].id);
            out->key = m->tombs[id].key ? strdup(m->tombs[id].key) : NULL;
        }
        return;
    }
    for (size_t i = 0; i < req->tombs.count; i++) {
        int id = number_of(req->tombs.tombs[i].id);
        if (m->tombed[id]) tomb_fini(&m->tombs[id]);
        m->tombed[id] = req->kind == REQ_TOMBS_PUT;
        if (!m->tombed[id]) continue;
        m->tombs[id] = req->tombs.tombs[i];
        memset(&req->tombs.tombs[i], 0, sizeof req->tombs.tombs[i]);
        req->tombs.tombs[i].id = id_of(id);
    }
}

static void act(struct world *w, void *arg, uint64_t number)
{
    struct req *req = arg;
    struct run *run = sim_run_of(req);
    (void)number;
    if (req->kind == REQ_STREAM_NEXT) {
        wait_for_events(w, req, (uint64_t)(w->now + req->stream_next.wait_ms));
        return;
    }
    if (w->now < w->mongo.down_until || sim_chance(w, w->faults.mongo_error)) {
        lks_fail(&req->err, LKS_E_MONGO, "no primary");
        sim_reply(w, req, w->now + 1);
        return;
    }
    switch (req->kind) {
    case REQ_STREAM_OPEN:
        do_stream_open(w, run, req);
        break;
    case REQ_READ:
        do_read(w, req);
        break;
    case REQ_SCAN:
        do_scan(w, req);
        break;
    case REQ_DUE:
        do_due(w, req);
        break;
    case REQ_HOLDERS:
        do_holders(w, req);
        break;
    case REQ_TALLY:
        do_tally(w, req);
        break;
    case REQ_RECORD:
        do_record(w, req);
        return;
    case REQ_STATE_LOAD:
        do_state_load(w, req);
        break;
    case REQ_STATE_SAVE:
        do_state_save(w, req);
        break;
    case REQ_LEASE:
        do_lease(w, run, req);
        break;
    default:
        do_tombs(w, req);
        break;
    }
    if (sim_chance(w, w->faults.mongo_lost_reply) && req->err.code == LKS_E_OK)
        lks_fail(&req->err, LKS_E_MONGO, "connection closed before the reply");
    sim_reply(w, req, w->now + 1 + (int64_t)sim_below(w, 5));
}

void mongo_submit(void *self, struct req *req)
{
    struct run *run = self;
    sim_at(run->world, run->world->now + 1 + (int64_t)sim_below(run->world, 5), act, req, 0);
}
