/*
 * reads.c - what is read from the simulated MongoDB: a majority snapshot that may be older than the newest,
 * but not than the time that was asked for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define PAGE_DOCS 5 /* small pages, so that much happens between two */
#define PAGE_DUPLICATES 3

static size_t snapshot(struct world *w, const struct run *run, cluster_time after)
{
    if (after < w->mongo.oldest) after = w->mongo.oldest;
    if (after < run->saw) after = run->saw; /* the adapter asks for no less than it has seen */
    size_t newest = mongo_committed(w), oldest = after > newest ? newest : (size_t)after;
    if (newest == oldest || !sim_chance(w, FAULT_STALE_READ)) return newest;
    size_t stale = newest - oldest > 8 ? newest - 8 : oldest;
    return stale + sim_below(w, FAULT_STALE_READ, newest - stale + 1);
}

static bson_t *body_of(const struct sim_document *doc, int id)
{
    bson_t *b = bson_new();
    char name[16];
    BSON_APPEND_INT32(b, "_id", id);
    BSON_APPEND_INT64(b, "n", doc->version);
    BSON_APPEND_INT32(b, "p", doc->payload);
    for (int i = 0; i < SIM_COLLECTIONS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        BSON_APPEND_INT32(b, name, doc->text[i]);
    }
    if (doc->key != SIM_NO_KEY) BSON_APPEND_INT32(b, "k", doc->key);
    return b;
}

/* The record's entries of the collections that this run has enabled. */
static void read_record(const struct run *run, const struct sim_document *doc, struct record *out)
{
    if (!doc || !doc->record.entries) return;
    if (!record_init(out, run->config.collection_count)) abort();
    out->present = true;
    for (size_t i = 0; i < run->config.collection_count; i++)
        if (!entry_copy(&out->entries[i], &doc->record.entries[run->which[i]])) abort();
    out->modified_hash = record_names_hash(doc->record.modified_fields);
    out->contradicts = doc->overall != record_overall(out);
}

/* Records beside documents are read after them, and may be newer. */
static size_t read_later(struct world *w, size_t at)
{
    size_t newest = mongo_committed(w);
    if (newest <= at || !sim_chance(w, FAULT_STALE_READ)) return at;
    return at + sim_below(w, FAULT_STALE_READ, newest - at + 1);
}

static void read_doc(struct world *w, struct run *run, int id, size_t at, struct source_document *out)
{
    const struct sim_document *doc = mongo_doc_at(w, id, at);
    memset(out, 0, sizeof *out);
    out->id = sim_id(id);
    out->bytes = 100;
    run->ahead[id] = (int64_t)mongo_reported(w, id, at) > run->received;
    if (!doc) return;
    out->body = body_of(doc, id);
    read_record(run, w->beside ? mongo_recorded_at(w, id, read_later(w, at)) : doc, &out->record);
    int owner = mongo_owner(w, doc->key, at);
    if (owner >= 0 && owner < id) out->owner = sim_id(owner);
    for (int other = id + 1; other < w->ids && doc->key != SIM_NO_KEY; other++) {
        const struct sim_document *higher = mongo_doc_at(w, other, at);
        if (higher && higher->key == doc->key) out->contested = true;
    }
}

static bool has_point(const struct world *w, int id)
{
    for (size_t c = 0; c < SIM_COLLECTIONS; c++)
        for (size_t i = 0; i < w->qdrant[c].count; i++)
            if (!w->qdrant[c].points[i].foreign && w->qdrant[c].points[i].doc == id) return true;
    return false;
}

/* One that isn't there may be there again before this is heard. */
static void do_read(struct world *w, struct trip *trip)
{
    struct req *req = trip->req;
    size_t at = snapshot(w, trip->run, req->read.after);
    req->read.docs = calloc(req->read.count, sizeof *req->read.docs);
    for (size_t i = 0; i < req->read.count; i++) {
        int id = sim_id_number(req->read.ids[i]);
        read_doc(w, trip->run, id, at, &req->read.docs[i]);
        bool missed = !req->read.docs[i].body && has_point(w, id);
        if (!missed || !sim_chance_times(w, FAULT_MONGO_SLOW, 20)) continue;
        mongo_put_back(w, id);
        trip->wait_ms = 500 + (int64_t)sim_below(w, FAULT_MONGO_SLOW, 3000);
    }
}

/* What it reports may be old when it is heard. */
static void do_scan(struct world *w, struct trip *trip)
{
    struct req *req = trip->req;
    struct run *run = trip->run;
    size_t at = snapshot(w, run, req->scan.after);
    size_t max = req->scan.max_docs < PAGE_DOCS ? req->scan.max_docs : PAGE_DOCS;
    int id = req->scan.from ? sim_id_number(req->scan.from) + 1 : 0;
    req->scan.docs = calloc(max + 1, sizeof *req->scan.docs);
    req->scan.total_estimate = -1;
    for (; id < w->ids && req->scan.count < max; id++)
        if (mongo_doc_at(w, id, at)) read_doc(w, run, id, at, &req->scan.docs[req->scan.count++]);
    if (req->scan.count > 0 && sim_chance_times(w, FAULT_MONGO_SLOW, 5)) {
        mongo_take_back(w, sim_id_number(req->scan.docs[sim_below(w, FAULT_MONGO_SLOW, req->scan.count)].id));
        trip->wait_ms = 500 + (int64_t)sim_below(w, FAULT_MONGO_SLOW, 3000);
    }
    req->scan.end = true;
    for (; id < w->ids; id++)
        if (mongo_doc_at(w, id, at)) req->scan.end = false;
}

static bool entry_due(const struct req *req, size_t i, const struct entry *en, int64_t *next)
{
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

static bool contradicts(const struct run *run, const struct sim_document *doc)
{
    struct record record = {.present = false};
    read_record(run, doc, &record);
    bool wrong = record.contradicts;
    for (size_t i = 0; i < record.entry_count; i++) {
        const struct entry *en = &record.entries[i];
        wrong |= en->present && en->status == SYNC_FAILED && !en->error && en->next_retry_ms == NO_TIME;
    }
    record_fini(&record);
    return wrong;
}

static void do_due(struct world *w, const struct run *run, struct req *req)
{
    size_t at = snapshot(w, run, 0);
    req->due.ids = calloc(req->due.max_docs + 1, sizeof *req->due.ids);
    req->due.next_ms = NO_TIME;
    req->due.end = true;
    for (int id = req->due.from ? sim_id_number(req->due.from) + 1 : 0; id < w->ids; id++) {
        const struct sim_document *doc = mongo_recorded_at(w, id, at);
        bool due = false;
        if (!mongo_doc_at(w, id, at)) continue;
        if (req->due.contradicting) due = doc && contradicts(run, doc);
        for (size_t i = 0; i < run->config.collection_count && !req->due.contradicting; i++) {
            const struct entry *en = doc ? &doc->record.entries[run->which[i]] : NULL;
            due |= entry_due(req, i, en, &req->due.next_ms);
        }
        if (!due) continue;
        if (req->due.count == req->due.max_docs) {
            req->due.end = false;
            return;
        }
        req->due.ids[req->due.count++] = sim_id(id);
    }
}

static void do_duplicates(struct world *w, const struct run *run, struct req *req)
{
    size_t at = snapshot(w, run, 0);
    if (req->duplicates.max_ids > PAGE_DUPLICATES) req->duplicates.max_ids = PAGE_DUPLICATES;
    req->duplicates.ids = calloc(req->duplicates.max_ids, sizeof *req->duplicates.ids);
    int id = req->duplicates.from ? sim_id_number(req->duplicates.from) + 1 : 0;
    for (; id < w->ids && req->duplicates.id_count < req->duplicates.max_ids; id++) {
        const struct sim_document *doc = mongo_doc_at(w, id, at);
        char key[16];
        if (!doc || doc->key == SIM_NO_KEY) continue;
        snprintf(key, sizeof key, "k%d", doc->key);
        for (size_t i = 0; i < req->duplicates.count; i++)
            if (strcmp(req->duplicates.keys[i], key) == 0) {
                req->duplicates.ids[req->duplicates.id_count++] = sim_id(id);
                break;
            }
    }
}

static void do_record_counts(struct world *w, const struct run *run, struct req *req)
{
    size_t at = snapshot(w, run, 0);
    req->record_counts.with_point = calloc(SIM_COLLECTIONS, sizeof *req->record_counts.with_point);
    for (int id = 0; id < w->ids; id++) {
        const struct sim_document *doc = mongo_recorded_at(w, id, at);
        if (!w->beside && !mongo_doc_at(w, id, at)) continue;
        for (size_t i = 0; i < run->config.collection_count && doc; i++)
            if (doc->record.entries[run->which[i]].point_id[0]) req->record_counts.with_point[i]++;
    }
}

static void do_orphan_records(struct world *w, const struct run *run, struct req *req)
{
    size_t at = snapshot(w, run, req->orphan_records.after),
           docs = snapshot(w, run, req->orphan_records.after);
    int id = req->orphan_records.from ? sim_id_number(req->orphan_records.from) + 1 : 0;
    req->orphan_records.ids = calloc(PAGE_DOCS, sizeof *req->orphan_records.ids);
    for (int seen = 0; w->beside && id < w->ids; id++) {
        if (!mongo_recorded_at(w, id, at)) continue;
        if (!mongo_doc_at(w, id, docs)) req->orphan_records.ids[req->orphan_records.count++] = sim_id(id);
        if (++seen < PAGE_DOCS) continue;
        req->orphan_records.next = sim_id(id);
        return;
    }
}

void mongo_read(struct world *w, struct trip *trip)
{
    switch (trip->req->kind) {
    case REQ_READ:
        do_read(w, trip);
        break;
    case REQ_SCAN:
        do_scan(w, trip);
        break;
    case REQ_DUE:
        do_due(w, trip->run, trip->req);
        break;
    case REQ_DUPLICATES:
        do_duplicates(w, trip->run, trip->req);
        break;
    case REQ_ORPHAN_RECORDS:
        do_orphan_records(w, trip->run, trip->req);
        break;
    default:
        do_record_counts(w, trip->run, trip->req);
        break;
    }
}
