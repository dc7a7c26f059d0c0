/*
 * mongo.c - a simulated MongoDB: an oplog with a majority commit point, documents as of any moment of it, the
 * application that writes to it, and what happens to all that: elections, lost history, drops.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

int64_t mongo_wall(const struct world *w)
{
    return SIM_EPOCH_MS + w->now + w->mongo.clock_off_ms;
}

/* ---- documents ---- */

struct docid *sim_id(int id)
{
    bson_t b = BSON_INITIALIZER;
    BSON_APPEND_INT32(&b, "_id", id);
    struct docid *d = docid_of(&b);
    if (!d) abort();
    return d;
}

int sim_id_number(const struct docid *id)
{
    bson_iter_t iter;
    docid_iter(id, &iter);
    return bson_iter_int32(&iter);
}

const struct sim_document *mongo_doc_at(const struct world *w, int id, size_t entries)
{
    size_t at = w->mongo.last_of[id];
    while (at > entries) at = w->mongo.log[at - 1].before;
    return at && w->mongo.log[at - 1].doc.exists ? &w->mongo.log[at - 1].doc : NULL;
}

const struct sim_document *mongo_recorded_at(const struct world *w, int id, size_t entries)
{
    size_t at = w->mongo.last_of[id];
    while (at > entries) at = w->mongo.log[at - 1].before;
    return at && w->mongo.log[at - 1].doc.record.entries ? &w->mongo.log[at - 1].doc : NULL;
}

const struct sim_document *mongo_doc(const struct world *w, int id)
{
    return mongo_doc_at(w, id, w->mongo.count);
}

size_t mongo_reported(const struct world *w, int id, size_t entries)
{
    size_t at = w->mongo.last_of[id];
    while (at > 0 && (at > entries || w->mongo.log[at - 1].own)) at = w->mongo.log[at - 1].before;
    return at;
}

int mongo_owner(const struct world *w, int key, size_t entries)
{
    for (int id = 0; id < w->ids && key != SIM_NO_KEY; id++) {
        const struct sim_document *doc = mongo_doc_at(w, id, entries);
        if (doc && doc->key == key) return id;
    }
    return -1;
}

size_t mongo_committed(const struct world *w)
{
    size_t n = w->mongo.count;
    while (n > 0 && w->mongo.log[n - 1].commit_ms > w->now) n--;
    return n;
}

static struct entry_log *next_entry(struct world *w)
{
    struct sim_mongo *m = &w->mongo;
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 64;
        m->log = realloc(m->log, m->capacity * sizeof *m->log);
        if (!m->log) abort();
    }
    struct entry_log *en = &m->log[m->count++];
    int64_t lag = w->quiet || !w->rate[FAULT_MAJORITY_LAG]
                      ? 0
                      : (int64_t)sim_below(w, FAULT_MAJORITY_LAG, w->rate[FAULT_MAJORITY_LAG] + 1);
    *en = (struct entry_log){.id = -1, .wall_ms = mongo_wall(w), .commit_ms = w->now + 1 + lag};
    if (en->commit_ms < m->last_commit_ms) en->commit_ms = m->last_commit_ms;
    m->last_commit_ms = en->commit_ms;
    stream_wake(w, en->commit_ms);
    return en;
}

void mongo_init(struct world *w)
{
    next_entry(w)->own = true; /* no position is 0, as no cluster time is */
    w->mongo.log[0].commit_ms = w->mongo.last_commit_ms = 0;
}

/* Appends an entry; `doc` is copied, its record too. */
struct entry_log *mongo_append(struct world *w, int id, enum change_op op, const struct sim_document *doc)
{
    struct sim_mongo *m = &w->mongo;
    struct sim_document copy = *doc; /* it may lie in the log, which moves */
    struct record record = {.present = false};
    if (doc->record.entries && !record_copy(&record, &doc->record)) abort();
    struct entry_log *en = next_entry(w);
    en->id = id;
    en->op = op;
    en->doc = copy;
    en->doc.record = record;
    en->before = m->last_of[id];
    m->last_of[id] = m->count;
    return en;
}

/* An entry that changes what a document says; a record beside it stays as it is. */
static struct entry_log *append_change(struct world *w, int id, enum change_op op, struct sim_document *doc)
{
    const struct sim_document *beside = w->beside ? mongo_recorded_at(w, id, w->mongo.count) : NULL;
    if (w->beside) doc->record = beside ? beside->record : (struct record){.present = false};
    if (beside) doc->overall = beside->overall;
    doc->version = (int64_t)w->mongo.count + 1;
    return mongo_append(w, id, op, doc);
}

/* ---- the application ---- */

static uint64_t app(struct world *w, uint64_t n)
{
    return sim_below(w, BY_APP, n);
}

static struct sim_document random_doc(struct world *w)
{
    struct sim_document doc = {.exists = true, .key = (int)app(w, SIM_KEYS), .payload = (int)app(w, 100)};
    for (int i = 0; i < SIM_COLLECTIONS; i++) doc.text[i] = (int)app(w, SIM_TEXTS);
    if (app(w, 20) == 0) doc.key = SIM_NO_KEY;
    return doc;
}

static void insert(struct world *w, int id, int key)
{
    struct sim_document doc = random_doc(w);
    if (key != SIM_NO_KEY) doc.key = key;
    append_change(w, id, CHANGE_UPSERT, &doc);
    sim_trace(w, "app inserts %d with id %d", id, doc.key);
}

static void delete (struct world *w, int id)
{
    struct sim_document gone = {.exists = false};
    append_change(w, id, CHANGE_DELETE, &gone);
    sim_trace(w, "app deletes %d", id);
}

/* What the document was some writes ago, as somebody has it who read it then. */
static const struct sim_document *earlier_doc(struct world *w, int id)
{
    const struct sim_mongo *m = &w->mongo;
    size_t at = m->last_of[id];
    for (uint64_t back = app(w, 12); back > 0 && m->log[at - 1].before; back--) at = m->log[at - 1].before;
    return m->log[at - 1].doc.exists ? &m->log[at - 1].doc : NULL;
}

/* An update of other fields also sets overallStatus, or the whole record to what it was when it was read. */
static bool resync_record(struct world *w, int id, struct sim_document *doc)
{
    const struct sim_document *old = earlier_doc(w, id);
    if (!doc->record.entries) return false;
    doc->overall = (enum sync_status)app(w, 4);
    if (!old || !old->record.entries || app(w, 2)) return true;
    doc->record = old->record;
    doc->overall = old->overall;
    return true;
}

/* No event reports updates of nothing but records. A status that says less than is so is looked into; one
 * that says more would be believed. */
static void write_record_alone(struct world *w, int id, const struct sim_document *now)
{
    struct sim_document doc = *now;
    struct record record = {.present = false};
    if (!now->record.entries) return;
    if (!record_copy(&record, &now->record)) abort();
    struct entry *entry = &record.entries[app(w, SIM_COLLECTIONS)];
    if (app(w, 2))
        doc.overall = (enum sync_status)app(w, 4);
    else if (entry->present && entry->status == SYNC_SYNCED)
        entry->status = (enum sync_status)(1 + app(w, 3));
    doc.record = record;
    mongo_append(w, id, CHANGE_UPDATE, &doc)->own = true;
    sim_trace(w, "app writes to the record of %d, which says %s now", id, sync_status_name(doc.overall));
    record_fini(&record);
}

static void update(struct world *w, int id, const struct sim_document *now)
{
    struct sim_document doc = *now;
    char key[8] = "x";
    uint64_t what = app(w, 9);
    if (what < 5) {
        int i = (int)app(w, SIM_COLLECTIONS);
        doc.text[i] = (int)app(w, SIM_TEXTS);
        snprintf(key, sizeof key, "t%d", i);
    } else if (what < 7) {
        doc.payload = (int)app(w, 100);
        snprintf(key, sizeof key, "p");
    } else if (what < 8) {
        doc.key = app(w, 10) ? (int)app(w, SIM_KEYS) : SIM_NO_KEY;
        snprintf(key, sizeof key, "k");
    }
    bool record_too = sim_chance(w, FAULT_APP_RECORD) && resync_record(w, id, &doc);
    struct entry_log *en = append_change(w, id, CHANGE_UPDATE, &doc);
    memcpy(en->key, key, sizeof key);
    en->record_too = record_too;
    sim_trace(w, "app updates %d (%s%s): id %d, payload %d", id, key, record_too ? ", and its record" : "",
              doc.key, doc.payload);
}

/* A document's last change is changed back: records that say it never was are believed too easily. */
static void take_back(struct world *w, int which)
{
    struct sim_mongo *m = &w->mongo;
    size_t at = which >= 0 ? m->last_of[which] : m->count;
    while (at > 0 && (m->log[at - 1].own || m->log[at - 1].id < 0))
        at = which >= 0 ? m->log[at - 1].before : at - 1;
    if (!at || !m->log[at - 1].before) return;
    int id = m->log[at - 1].id;
    size_t before = m->log[at - 1].before;
    while (before > 0 && m->log[before - 1].own) before = m->log[before - 1].before;
    const struct sim_document *now = mongo_doc(w, id);
    if (!now || !before || !m->log[before - 1].doc.exists) return;
    struct sim_document doc = m->log[before - 1].doc;
    bool record_too = doc.record.entries && sim_chance(w, FAULT_APP_RECORD); /* as it was then, too */
    if (!record_too) {
        doc.record = now->record;
        doc.overall = now->overall;
    }
    struct entry_log *en = append_change(w, id, CHANGE_UPDATE, &doc);
    memcpy(en->key, "k", 2);
    en->record_too = record_too;
    sim_trace(w, "app changes %d back%s: id %d, payload %d", id, record_too ? ", record and all" : "",
              doc.key, doc.payload);
}

static void replace(struct world *w, int id, const struct sim_document *now)
{
    struct sim_document doc = *now;
    const struct sim_document *old = sim_chance(w, FAULT_OLD_RECORD) ? earlier_doc(w, id) : NULL;
    if (old) {
        doc = *old;
    } else { /* the record is gone with it */
        doc.payload = (int)app(w, 100);
        memset(&doc.record, 0, sizeof doc.record);
    }
    append_change(w, id, CHANGE_UPSERT, &doc)->replaced = true;
    sim_trace(w, "app replaces %d%s: id %d, payload %d", id, old ? " by what it was" : "", doc.key,
              doc.payload);
}

void mongo_app_write(struct world *w)
{
    int id = (int)app(w, (uint64_t)w->ids);
    const struct sim_document *now = mongo_doc(w, id);
    if (app(w, 8) == 0) {
        take_back(w, NEWEST_DOC);
        return;
    }
    if (!now) {
        insert(w, id, SIM_NO_KEY);
        return;
    }
    if (sim_chance(w, FAULT_APP_RECORD)) {
        write_record_alone(w, id, now);
        return;
    }
    uint64_t what = app(w, 20);
    if (what < 13) {
        update(w, id, now);
        return;
    }
    if (what < 15) {
        replace(w, id, now);
        return;
    }
    int key = now->key;
    delete (w, id);
    if (app(w, 3)) return;
    int other = app(w, 2) ? id : (int)app(w, (uint64_t)w->ids); /* created again, perhaps under another _id */
    if (!mongo_doc(w, other)) insert(w, other, key);
}

void mongo_requeue(struct world *w)
{
    for (int id = 0; id < w->ids; id++) {
        const struct sim_document *now = mongo_doc(w, id);
        struct record record = {.present = false};
        bool any = false;
        if (!now || !now->record.entries) continue;
        if (!record_copy(&record, &now->record)) abort();
        for (size_t i = 0; i < SIM_COLLECTIONS; i++) {
            struct entry *entry = &record.entries[i];
            if (!entry->present || entry->status != SYNC_FAILED) continue;
            entry->retry_count = 0;
            entry->next_retry_ms = mongo_wall(w);
            any = true;
        }
        struct sim_document doc = *now;
        doc.record = record;
        if (any) mongo_append(w, id, CHANGE_UPDATE, &doc)->own = true;
        record_fini(&record);
    }
    sim_trace(w, "a person has all that failed tried again");
}

static bool may_write(struct world *w)
{
    return !w->quiet && !w->mongo.swapped && w->writes++ < w->limits.writes;
}

static void taken_back(struct world *w, void *arg, uint64_t id)
{
    (void)arg;
    if (may_write(w)) take_back(w, (int)id);
}

static void put_back(struct world *w, void *arg, uint64_t id)
{
    (void)arg;
    if (!mongo_doc(w, (int)id) && may_write(w)) insert(w, (int)id, SIM_NO_KEY);
}

void mongo_take_back(struct world *w, int id)
{
    sim_at(w, w->now + 1 + (int64_t)sim_below(w, BY_STEP, 100), taken_back, NULL, (uint64_t)id);
}

void mongo_put_back(struct world *w, int id)
{
    sim_at(w, w->now + 1 + (int64_t)sim_below(w, BY_STEP, 100), put_back, NULL, (uint64_t)id);
}

/* ---- what happens to it ---- */

static void roll_back(struct world *w)
{
    struct sim_mongo *m = &w->mongo;
    size_t keep = mongo_committed(w);
    if (keep < m->count) {
        sim_trace(w, "election: %zu writes are undone", m->count - keep);
        m->elections++;
    }
    while (m->count > keep) {
        struct entry_log *en = &m->log[--m->count];
        if (en->id >= 0) m->last_of[en->id] = en->before;
        record_fini(&en->doc.record);
    }
    m->last_commit_ms = keep ? m->log[keep - 1].commit_ms : 0;
    int64_t until = w->now + 50 + (int64_t)sim_below(w, FAULT_ROLLBACK, 2000);
    if (m->down_until < until) m->down_until = until;
}

/* Drop, or rename of another collection over this one: no event says which documents went, and which came.
 */
static void invalidate(struct world *w)
{
    bool rename = sim_below(w, FAULT_INVALIDATE, 2);
    sim_trace(w, "the collection is %s", rename ? "replaced by another that is renamed" : "dropped");
    size_t first = w->mongo.count;
    for (int id = 0; id < w->ids; id++) {
        struct sim_document doc = {.exists = false};
        if (rename && app(w, 2)) doc = random_doc(w);
        if (doc.exists || mongo_doc(w, id)) append_change(w, id, CHANGE_DELETE, &doc)->silent = true;
    }
    next_entry(w)->invalidate = true;
    for (size_t i = first; i < w->mongo.count; i++) /* all at once */
        w->mongo.log[i].commit_ms = w->mongo.last_commit_ms;
}

static void forget_state(struct world *w)
{
    struct sim_mongo *m = &w->mongo;
    sim_trace(w, "the database of Lockstep's state is lost");
    engine_state_fini(&m->saved.state);
    m->saved = (struct sim_state){.state = {.token = NULL}};
    m->epoch = m->unproven = w->writer_epoch = 0;
    m->owner[0] = '\0';
    m->lease_until = 0;
    m->lease_released = m->lease_clean = false;
    for (int id = 0; id < SIM_MAX_IDS; id++) {
        if (m->with_tombstone[id]) tombstone_fini(&m->tombstones[id]);
        m->with_tombstone[id] = false;
    }
    /* Nobody drops it while daemons write: they are stopped, and start when their requests are over. */
    m->down_until = w->now + w->index_timeout_ms + w->lease_ms;
}

/* The documents come back as a restored dump does: by events, with their records. */
static void restored(struct world *w, void *arg, uint64_t number)
{
    struct sim_mongo *m = &w->mongo;
    (void)arg;
    (void)number;
    m->swapped = false;
    sim_trace(w, "whoever swapped MongoDB is done");
    for (int id = 0; id < w->ids; id++) {
        m->away[id].version = (int64_t)m->count + 1;
        if (m->away[id].exists) mongo_append(w, id, CHANGE_UPSERT, &m->away[id]);
        record_fini(&m->away[id].record);
        m->away[id] = (struct sim_document){.exists = false};
    }
}

/* The documents that are restored there later; without, they are gone for good. */
static void keep_away(struct world *w, int id, const struct sim_document *doc)
{
    struct sim_document *away = &w->mongo.away[id];
    *away = *doc;
    memset(&away->record, 0, sizeof away->record);
    if (doc->record.entries && !record_copy(&away->record, &doc->record)) abort();
}

/* The URI leads to another server, which has nothing. */
static void swap(struct world *w)
{
    struct sim_mongo *m = &w->mongo;
    const struct sim_document gone = {.exists = false};
    bool returns = sim_below(w, FAULT_SWAP, 3) > 0;
    if (m->swapped) return;
    daemons_crash(w);
    forget_state(w);
    sim_trace(w, "an empty MongoDB answers instead of the right one");
    m->swapped = true;
    for (int id = 0; id < w->ids; id++) {
        const struct sim_document *doc = mongo_doc(w, id);
        if (doc && returns) keep_away(w, id, doc);
        if (doc || mongo_recorded_at(w, id, m->count))
            mongo_append(w, id, CHANGE_DELETE, &gone)->silent = true;
    }
    for (size_t i = m->count; i > 0 && m->log[i - 1].commit_ms > w->now; i--)
        m->log[i - 1].commit_ms = w->now;
    m->last_commit_ms = w->now;
    m->first = m->oldest = m->count;
    sim_at(w, w->now + 3000 + (int64_t)sim_below(w, FAULT_SWAP, 60000), restored, NULL, 0);
}

void mongo_truncate(struct world *w)
{
    w->mongo.first = mongo_committed(w);
    sim_trace(w, "the oplog forgets all before %zu", w->mongo.first);
}

void mongo_fault(struct world *w)
{
    if (sim_chance(w, FAULT_ROLLBACK)) roll_back(w);
    if (sim_chance(w, FAULT_TRUNCATE)) mongo_truncate(w);
    if (sim_chance(w, FAULT_INVALIDATE) && !w->mongo.swapped) invalidate(w);
    if (sim_chance(w, FAULT_REFUSE)) {
        int id = (int)sim_below(w, FAULT_REFUSE, (uint64_t)w->ids);
        w->mongo.refuses_until[id] = w->now + 1000 + (int64_t)sim_below(w, FAULT_REFUSE, 30000);
        sim_trace(w, "document %d refuses its record until %lld", id, (long long)w->mongo.refuses_until[id]);
    }
    if (sim_chance(w, FAULT_SWAP)) swap(w);
    if (sim_chance(w, FAULT_STATE_LOST)) {
        daemons_crash(w);
        forget_state(w);
    }
}

void mongo_free(struct world *w)
{
    struct sim_mongo *m = &w->mongo;
    for (int id = 0; id < w->ids; id++) record_fini(&m->away[id].record);
    for (size_t i = 0; i < m->count; i++) record_fini(&m->log[i].doc.record);
    free(m->log);
    engine_state_fini(&m->saved.state);
    for (int i = 0; i < SIM_MAX_IDS; i++)
        if (m->with_tombstone[i]) tombstone_fini(&m->tombstones[i]);
}
