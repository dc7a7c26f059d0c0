/*
 * writes.c - what is written to the simulated MongoDB: records by compare-and-set, the engine's state,
 * tombstones and the lease; and the way there and back for all its requests.
 *
 * A majority write is answered when it is committed; an election may undo it before that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define TOMBSTONES_LISTED 3 /* small pages, so that much happens between two */

/* ---- records ---- */

static bool same_entry(const struct entry *a, const struct entry *b)
{
    if (a->present != b->present) return false;
    return a->status == b->status && a->retry_count == b->retry_count &&
           a->last_synced_ms == b->last_synced_ms && a->last_attempt_ms == b->last_attempt_ms &&
           a->vector_version == b->vector_version && strcmp(a->content_hash, b->content_hash) == 0 &&
           strcmp(a->payload_hash, b->payload_hash) == 0 && strcmp(a->point_id, b->point_id) == 0;
}

static bool is_as_read(const struct run *run, const struct record_write *write, const struct record *now)
{
    static const struct entry absent = {
        .status = SYNC_PENDING, .last_synced_ms = NO_TIME, .last_attempt_ms = NO_TIME};
    for (size_t i = 0; i < run->config.collection_count; i++) {
        const struct entry *is = now->entries ? &now->entries[run->which[i]] : &absent;
        const struct entry *was = write->before->entries ? &write->before->entries[i] : &absent;
        if (!same_entry(is, was)) return false;
    }
    return true;
}

static void set_names(struct record *record, char *const *names)
{
    size_t count = 0;
    for (char **old = record->modified_fields; old && *old; old++) free(*old);
    free(record->modified_fields);
    while (names[count]) count++;
    record->modified_fields = calloc(count + 1, sizeof *record->modified_fields);
    if (!record->modified_fields) abort();
    for (size_t i = 0; i < count; i++) record->modified_fields[i] = strdup(names[i]);
}

static enum lks_code write_record(struct world *w, const struct run *run, const struct record_write *write)
{
    int id = sim_id_number(write->id);
    const struct sim_document *now = mongo_doc(w, id), gone = {.exists = false};
    const struct sim_document *is = mongo_recorded_at(w, id, w->mongo.count);
    struct record record, none = {.present = false};
    if (!now && !(w->beside && is)) return LKS_E_NOT_FOUND; /* the adapter takes it back */
    if (!w->quiet && w->now < w->mongo.refuses_until[id]) return LKS_E_REFUSED;
    if (!is_as_read(run, write, is ? &is->record : &none)) return LKS_E_MISSED;
    bool good = is ? record_copy(&record, &is->record) : record_init(&record, SIM_COLLECTIONS);
    for (size_t i = 0; i < run->config.collection_count && good; i++) {
        struct entry *entry = &record.entries[run->which[i]];
        promise_record(w, run, id, run->which[i], &write->before->entries[i], &write->after->entries[i]);
        entry_fini(entry);
        good = entry_copy(entry, &write->after->entries[i]);
    }
    if (!good) abort();
    if (write->after->modified_fields) set_names(&record, write->after->modified_fields);
    record.present = true;
    struct sim_document doc = now ? *now : gone;
    doc.record = record;
    doc.overall = record_overall(write->after);
    mongo_append(w, id, CHANGE_UPDATE, &doc)->own = true;
    record_fini(&record);
    return LKS_E_OK;
}

/* A record beside a document that is gone goes with the tombstone. False: the way there was cut off first. */
static bool drop_record(struct world *w, int id)
{
    const struct sim_document *now = mongo_doc(w, id), gone = {.exists = false};
    if (!w->beside || !mongo_recorded_at(w, id, w->mongo.count)) return true;
    if (sim_chance(w, FAULT_MONGO_ERROR)) return false;
    struct sim_document doc = now ? *now : gone;
    doc.record = (struct record){.present = false};
    mongo_append(w, id, CHANGE_UPDATE, &doc)->own = true;
    return true;
}

static void do_records(struct world *w, struct trip *trip)
{
    struct req *req = trip->req;
    for (size_t i = 0; i < req->record.count; i++)
        req->record.writes[i].code = write_record(w, trip->run, &req->record.writes[i]);
    if (!sim_chance(w, FAULT_MONGO_DUPLICATE)) return;
    /* The driver did not hear, and sent it once more: it meets what it has written itself. */
    for (size_t i = 0; i < req->record.count; i++)
        if (req->record.writes[i].code == LKS_E_OK)
            req->record.writes[i].code = write_record(w, trip->run, &req->record.writes[i]);
}

/* ---- lease ---- */

static void take_lease(struct world *w, struct run *run, struct req *req)
{
    struct sim_mongo *m = &w->mongo;
    int64_t now = mongo_wall(w);
    if (m->owner[0] && !m->lease_released && now < m->lease_until && strcmp(m->owner, run->owner) != 0) {
        req->lease.remaining_ms = m->lease_until - now;
        req->lease.lease_holder = strdup(m->owner);
        return;
    }
    uint64_t second = (uint64_t)(now / 1000);
    if (!m->owner[0]) w->writer_epoch = 0; /* there is no earlier one that anybody knows of */
    req->lease.previous_expired = m->owner[0] && !m->lease_released;
    if (!m->unproven) m->unproven = m->epoch;
    req->lease.floor = m->unproven;
    m->epoch = m->epoch + 1 > second ? m->epoch + 1 : second;
    snprintf(m->owner, sizeof m->owner, "%s", run->owner);
    m->lease_until = now + req->lease.lease_ms;
    m->lease_released = false;
    req->lease.epoch = m->epoch;
    req->lease.held = true;
    run->saw = mongo_committed(w);
    run->unclean = req->lease.previous_expired;
    sim_trace(w, "%s holds the lease, epoch %llu%s", run->owner, (unsigned long long)m->epoch,
              req->lease.previous_expired ? ", the last one was not given back" : "");
}

static void raise_lease(struct world *w, struct run *run, struct req *req)
{
    struct sim_mongo *m = &w->mongo;
    struct engine_state *saved = &m->saved.state;
    req->lease.held = true;
    m->epoch = req->lease.raise_to;
    m->unproven = 0;
    m->lease_until = mongo_wall(w) + req->lease.lease_ms;
    saved->scan_running = saved->scan_verifies = true;
    docid_free(saved->scan_after);
    saved->scan_after = NULL;
    sim_trace(w, "%s raises its epoch from %llu to %llu", run->owner, (unsigned long long)req->lease.epoch,
              (unsigned long long)m->epoch);
}

static void do_lease(struct world *w, struct run *run, struct req *req)
{
    struct sim_mongo *m = &w->mongo;
    bool raised = req->lease.op == LEASE_RAISE && req->lease.raise_to == m->epoch;
    bool mine = strcmp(m->owner, run->owner) == 0 && (req->lease.epoch == m->epoch || raised);
    if (mine && !m->lease_released && req->lease.op == LEASE_RAISE) {
        raise_lease(w, run, req);
        return;
    }
    if (mine && !m->lease_released && req->lease.op != LEASE_TAKE && req->lease.proven) m->unproven = 0;
    if (req->lease.op == LEASE_TAKE) {
        take_lease(w, run, req);
    } else if (mine && !m->lease_released) {
        req->lease.held = req->lease.op == LEASE_RENEW;
        if (req->lease.op == LEASE_RENEW) {
            m->lease_until = mongo_wall(w) + req->lease.lease_ms;
            return;
        }
        m->lease_released = true;
        m->saved.state.clean = req->lease.clean;
        sim_trace(w, "%s gives the lease back, %s", run->owner, req->lease.clean ? "clean" : "not clean");
    }
}

/* ---- state ---- */

static void copy_position(struct engine_state *to, const struct engine_state *from)
{
    *to = (struct engine_state){.token_time = from->token_time,
                                .scan_running = from->scan_running,
                                .scan_verifies = from->scan_verifies,
                                .drop_reported = from->drop_reported,
                                .clean = from->clean};

    if (from->token) to->token = bson_copy(from->token);
    if (from->scan_after) to->scan_after = docid_copy(from->scan_after);
}

/* Which of the run's collections are in this set of the world's, and the other way round. */
static uint64_t set_of_run(const struct run *run, uint64_t set)
{
    uint64_t out = 0;
    for (size_t i = 0; i < run->config.collection_count; i++) out |= (set >> run->which[i] & 1) << i;
    return out;
}

static uint64_t set_of_world(const struct run *run, uint64_t set)
{
    uint64_t out = 0;
    for (size_t i = 0; i < run->config.collection_count; i++) out |= (set >> i & 1) << run->which[i];
    return out;
}

static bool no_documents(const struct world *w)
{
    for (int id = 0; id < w->ids; id++)
        if (mongo_doc_at(w, id, mongo_committed(w))) return false;
    return true;
}

static void load_state(struct world *w, struct run *run, struct req *req)
{
    const struct sim_state *saved = &w->mongo.saved;
    struct engine_state *out = &req->state_load.state;
    bool any = false;
    copy_position(out, &saved->state);
    out->no_documents = no_documents(w);
    run->unclean |= !saved->state.clean;
    out->replicas_known = set_of_run(run, saved->state.replicas_known);
    out->replicas_owed = set_of_run(run, saved->state.replicas_owed);
    w->mongo.saved.state.clean = false; /* whoever reads it is at work from here on */
    out->held = calloc(run->config.collection_count + 1, sizeof *out->held);
    for (size_t i = 0; i < run->config.collection_count; i++) out->held[i] = saved->held[run->which[i]];
    for (size_t i = 0; i < SIM_COLLECTIONS; i++) any |= saved->digests[i][0] != '\0';
    if (!any) return;
    out->digests = calloc(run->config.collection_count + 1, sizeof *out->digests);
    for (size_t i = 0; i < run->config.collection_count; i++)
        out->digests[i] = strdup(saved->digests[run->which[i]]);
}

static void save_state(struct world *w, struct run *run, struct req *req)
{
    struct sim_state *saved = &w->mongo.saved;
    if (req->state_save.epoch != w->mongo.epoch || w->mongo.lease_released) {
        lks_fail(&req->err, LKS_E_LEASE, "epoch %llu is over", (unsigned long long)req->state_save.epoch);
        return;
    }
    promise_token(w, run, &req->state_save.state);
    engine_state_fini(&saved->state);
    copy_position(&saved->state, &req->state_save.state);
    saved->state.replicas_known = set_of_world(run, req->state_save.state.replicas_known);
    saved->state.replicas_owed = set_of_world(run, req->state_save.state.replicas_owed);
    memset(saved->digests, 0, sizeof saved->digests);
    memset(saved->held, 0, sizeof saved->held);
    for (size_t i = 0; i < run->config.collection_count; i++)
        saved->held[run->which[i]] = req->state_save.state.held[i];
    for (size_t i = 0; i < run->config.collection_count; i++)
        snprintf(saved->digests[run->which[i]], sizeof saved->digests[0], "%s",
                 req->state_save.state.digests[i]);
}

/* ---- tombstones ---- */

/* The tombstone of this document comes after that position: in the order of the text of ids, as in the
 * adapter. */
static bool tombstone_after(const struct sim_mongo *m, int id, int64_t due_ms, const struct docid *from)
{
    if (!from) return true;
    if (m->tombstones[id].due_ms != due_ms) return m->tombstones[id].due_ms > due_ms;
    char *mine = docid_json(m->tombstones[id].id), *other = docid_json(from);
    bool after = strcmp(mine, other) > 0;
    free(mine);
    free(other);
    return after;
}

/* The first tombstone behind that position; -1: none. */
static int next_tombstone(const struct world *w, int64_t due_ms, const struct docid *from)
{
    const struct sim_mongo *m = &w->mongo;
    int best = -1;
    for (int id = 0; id < w->ids; id++) {
        if (!m->with_tombstone[id] || !tombstone_after(m, id, due_ms, from)) continue;
        if (best < 0 || !tombstone_after(m, id, m->tombstones[best].due_ms, m->tombstones[best].id))
            best = id;
    }
    return best;
}

/* The world's collections become the run's. */
static struct owed_points copy_owed(const struct run *run, const struct owed_points *from)
{
    struct owed_points to = {.count = from->count};
    if (!from->count) return to;
    to.items = malloc(from->count * sizeof *to.items);
    if (!to.items) abort();
    memcpy(to.items, from->items, from->count * sizeof *to.items);
    for (size_t i = 0; i < to.count; i++) {
        size_t k = 0;
        while (k < run->config.collection_count && run->which[k] != to.items[i].collection) k++;
        to.items[i].collection = k < run->config.collection_count ? k : SIZE_MAX;
    }
    return to;
}

/* Adds those that were there, each once. */
static void merge_owed(struct owed_points *to, const struct owed_points *old)
{
    for (size_t i = 0; i < old->count; i++) {
        size_t k = 0;
        while (k < to->count && (to->items[k].collection != old->items[i].collection ||
                                 strcmp(to->items[k].id, old->items[i].id) != 0))
            k++;
        if (k < to->count) continue;
        to->items = realloc(to->items, (to->count + 1) * sizeof *to->items);
        if (!to->items) abort();
        to->items[to->count++] = old->items[i];
    }
}

/* The run's collections become the world's; what was owed before stays. */
static void put_owed(struct world *w, const struct run *run, struct owed_points *owed,
                     const struct owed_points *old)
{
    qdrant_noted(w, run, owed);
    for (size_t i = 0; i < owed->count; i++)
        if (owed->items[i].collection < run->config.collection_count)
            owed->items[i].collection = run->which[owed->items[i].collection];
    merge_owed(owed, old);
    for (size_t i = 0; i < owed->count; i++)
        sim_trace(w, "  owed: point %d of collection %zu", sim_key(owed->items[i].id),
                  owed->items[i].collection);
}

static void list_tombstones(struct world *w, struct run *run, struct req *req)
{
    struct sim_mongo *m = &w->mongo;
    int64_t due_ms = req->tombstones.from_due_ms;
    const struct docid *from = req->tombstones.from;
    req->tombstones.tombstones = calloc(SIM_MAX_IDS, sizeof *req->tombstones.tombstones);
    req->tombstones.next_ms = NO_TIME;
    if (req->tombstones.refused || req->tombstones.due_by_ms == INT64_MAX) run->lists_refused = true;
    if (!req->tombstones.refused && req->tombstones.due_by_ms == INT64_MAX) run->unclean = false;
    if (!run->lists_refused) sim_fail(w, "Token: %s does not try again what was refused before", run->owner);
    if (run->unclean)
        sim_fail(w, "Deletes: %s waits with the tombstones of a holder that did not end well", run->owner);
    if (req->tombstones.max > TOMBSTONES_LISTED) req->tombstones.max = TOMBSTONES_LISTED;
    for (int id;
         (id = next_tombstone(w, due_ms, from)) >= 0 && req->tombstones.count < req->tombstones.max;) {
        if (req->tombstones.refused && !m->tombstones[id].refused) {
            due_ms = m->tombstones[id].due_ms;
            from = m->tombstones[id].id;
            continue;
        }
        if (m->tombstones[id].due_ms > req->tombstones.due_by_ms) {
            req->tombstones.next_ms = m->tombstones[id].due_ms;
            break;
        }
        struct tombstone *out = &req->tombstones.tombstones[req->tombstones.count++];
        *out = m->tombstones[id];
        out->id = docid_copy(m->tombstones[id].id);
        out->key = m->tombstones[id].key ? strdup(m->tombstones[id].key) : NULL;
        due_ms = out->due_ms;
        from = out->id;
        out->owed = copy_owed(run, &m->tombstones[id].owed);
    }
}

static void change_tombstones(struct world *w, const struct run *run, struct req *req)
{
    struct sim_mongo *m = &w->mongo;
    for (size_t i = 0; i < req->tombstones.count; i++) {
        int id = sim_id_number(req->tombstones.tombstones[i].id);
        const struct tombstone *asked = &req->tombstones.tombstones[i];
        if (req->kind == REQ_TOMBSTONES_DROP) {
            if (!m->with_tombstone[id] || m->tombstones[id].since_ms != asked->since_ms) continue;
            promise_tombstone_dropped(w, run, id);
        }
        size_t last = m->last_of[id]; /* 0: an election undid all that was ever written of it */
        bool again = !m->with_tombstone[id] || (last && m->log[last - 1].commit_ms > m->tombstone_ms[id]);
        char *key =
            m->with_tombstone[id] ? m->tombstones[id].key : NULL; /* stays, unless there is a new one */
        struct owed_points owed =
            m->with_tombstone[id] ? m->tombstones[id].owed : (struct owed_points){.items = NULL};
        m->tombstones[id].owed = (struct owed_points){.items = NULL};
        if (m->with_tombstone[id]) m->tombstones[id].key = NULL, tombstone_fini(&m->tombstones[id]);
        m->with_tombstone[id] = req->kind == REQ_TOMBSTONES_PUT;
        m->tombstone_epoch[id] = run->epoch;
        sim_trace(w, "%s %s the tombstone of %d", run->owner, m->with_tombstone[id] ? "puts" : "drops", id);
        if (!m->with_tombstone[id] || req->tombstones.tombstones[i].key) {
            free(key);
            key = NULL;
        }
        if (m->with_tombstone[id] && !asked->takeover && !drop_record(w, id))
            lks_fail(&req->err, LKS_E_MONGO, "no primary");
        if (m->with_tombstone[id]) put_owed(w, run, &req->tombstones.tombstones[i].owed, &owed);
        free(owed.items);
        if (!m->with_tombstone[id]) continue;
        m->tombstones[id] = req->tombstones.tombstones[i];
        if (key) m->tombstones[id].key = key;
        /* since it was sent; or, put once more, since the first: it has been gone all along */
        int64_t since = m->tombstones[id].since_ms - SIM_EPOCH_MS;
        if (again || since < m->tombstone_ms[id]) m->tombstone_ms[id] = since;
        req->tombstones.tombstones[i].id = sim_id(id); /* what it owned is the world's now */
        req->tombstones.tombstones[i].key = NULL;
        req->tombstones.tombstones[i].owed = (struct owed_points){.items = NULL};
    }
}

/* ---- there and back ---- */

/* If an election undid writes meanwhile, nobody knows whether this was one of them. */
static void reply_committed(struct world *w, void *arg, uint64_t number)
{
    struct trip *trip = arg;
    (void)number;
    if (w->mongo.elections != trip->elections || w->now < w->mongo.down_until ||
        sim_chance(w, FAULT_MONGO_LOST_REPLY))
        lks_fail(&trip->req->err, LKS_E_MONGO, "connection closed before the reply");
    sim_reply(w, trip, w->now);
}

static int64_t delay(struct world *w)
{
    int64_t slow = sim_chance(w, FAULT_MONGO_SLOW) ? (int64_t)sim_below(w, FAULT_MONGO_SLOW, 6000) : 0;
    return 1 + slow + (int64_t)sim_below(w, BY_NET, 5);
}

bool mongo_write(struct world *w, struct trip *trip)
{
    struct run *run = trip->run;
    struct req *req = trip->req;
    switch (req->kind) {
    case REQ_RECORD:
        do_records(w, trip);
        trip->elections = w->mongo.elections;
        sim_send(w, w->mongo.last_commit_ms + delay(w), reply_committed, trip);
        return true;
    case REQ_STATE_LOAD:
        load_state(w, run, req);
        break;
    case REQ_STATE_SAVE:
        save_state(w, run, req);
        break;
    case REQ_LEASE:
        do_lease(w, run, req);
        break;
    case REQ_TOMBSTONES_LIST:
        list_tombstones(w, run, req);
        break;
    default:
        change_tombstones(w, run, req);
        if (!w->beside || req->err.code != LKS_E_OK) break;
        trip->elections = w->mongo.elections; /* records went with them */
        sim_send(w, w->mongo.last_commit_ms + delay(w), reply_committed, trip);
        return true;
    }
    return false;
}

static void act(struct world *w, void *arg, uint64_t number)
{
    struct trip *trip = arg;
    struct req *req = trip->req;
    (void)number;
    if (w->now < w->mongo.down_until || sim_chance(w, FAULT_MONGO_ERROR)) {
        lks_fail(&req->err, LKS_E_MONGO, "no primary");
        sim_reply(w, trip, w->now + 1);
        return;
    }
    if (req->kind == REQ_STREAM_NEXT) {
        stream_ask(w, trip);
        return;
    }
    if (req->kind == REQ_STREAM_OPEN)
        stream_ask(w, trip);
    else if (req->kind <= REQ_ORPHAN_RECORDS)
        mongo_read(w, trip);
    else if (mongo_write(w, trip))
        return;
    if (req->err.code == LKS_E_OK && sim_chance(w, FAULT_MONGO_LOST_REPLY))
        lks_fail(&req->err, LKS_E_MONGO, "connection closed before the reply");
    sim_reply(w, trip, w->now + trip->wait_ms + delay(w));
}

void mongo_submit(struct trip *trip)
{
    struct world *w = trip->run->world;
    sim_send(w, w->now + delay(w), act, trip);
}
