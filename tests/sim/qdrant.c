/*
 * qdrant.c - a simulated Qdrant. A request takes effect at some moment before its reply, or before its time
 * is out; the reply may be lost, and then nobody knows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define PAGE_POINTS 5
#define NULLS_VECTOR (-2) /* one that can't be sent again, as a number in it is none */
#define RECOVERY_MS 500

static size_t number_of(const struct world *w, const struct sim_collection *c)
{
    return (size_t)((c->second ? c->twin : c) - w->qdrant);
}

struct sim_point *qdrant_point(struct sim_collection *c, int key)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->points[i].key == key) return &c->points[i];
    return NULL;
}

/* ---- what survives a restart ---- */

void qdrant_confirm(struct sim_collection *c)
{
    free(c->durable);
    c->durable = NULL;
}

/* What comes now is not confirmed: a restart may lose it. */
static void not_durable(struct sim_collection *c)
{
    if (c->durable) return;
    c->durable = malloc(sizeof c->points);
    if (!c->durable) abort();
    memcpy(c->durable, c->points, sizeof c->points);
    c->durable_count = c->count;
    c->durable_exists = c->exists;
}

/* ---- replicas ---- */

void qdrant_init(struct world *w)
{
    for (size_t i = 0; i < SIM_COLLECTIONS && w->replicated; i++) {
        struct sim_collection *twin = calloc(1, sizeof *twin);
        if (!twin) abort();
        twin->twin = &w->qdrant[i];
        twin->second = true;
        w->qdrant[i].twin = twin;
    }
}

static bool is_up(const struct world *w, const struct sim_collection *c)
{
    return w->now >= c->node_until;
}

/* A node that is back is asked when it says that it is ready, not before its replica is made again. */
static bool is_active(const struct world *w, const struct sim_collection *c)
{
    return is_up(w, c) && !c->dead;
}

/* The replica of the node that is asked; NULL: none answers. */
static struct sim_collection *view(struct world *w, struct sim_collection *c)
{
    if (!c->twin) return c;
    bool first = is_active(w, c), second = is_active(w, c->twin);
    if (first && second) return sim_below(w, FAULT_QDRANT_NODE, 2) ? c->twin : c;
    return first ? c : second ? c->twin : NULL;
}

static void copy_points(struct world *w, struct sim_collection *to, const struct sim_collection *from)
{
    for (size_t i = 0; i < to->count; i++) promise_said(w, number_of(w, to), &to->points[i]);
    memcpy(to->points, from->points, sizeof to->points);
    to->count = from->count;
}

/* One that is dead is made again from the other, when its node is back. */
static void recover(struct world *w, struct sim_collection *c)
{
    if (!c->twin || !c->twin->dead || !is_active(w, c)) return;
    if (!is_up(w, c->twin) || w->now < c->twin->node_until + RECOVERY_MS) return;
    sim_trace(w, "a replica of collection %zu is made again", number_of(w, c));
    copy_points(w, c->twin, c);
    c->twin->dead = false;
}

/* What confirmed is looked at as the collection; the other one is its twin, and dead. */
static void note_dead(struct world *w, struct sim_collection *c, struct sim_collection *missed)
{
    sim_trace(w, "a replica of collection %zu is marked dead", number_of(w, c));
    if (missed == c) {
        struct sim_collection *copy = malloc(sizeof *copy);
        if (!copy) abort();
        *copy = *c;
        memcpy(c->points, c->twin->points, sizeof c->points);
        c->count = c->twin->count;
        c->node_until = c->twin->node_until;
        memcpy(c->twin->points, copy->points, sizeof copy->points);
        c->twin->count = copy->count;
        c->twin->node_until = copy->node_until;
        free(copy);
    }
    c->twin->dead = true;
}

/* What somebody else did with a point, on all replicas. */
static void mirror(struct world *w, struct sim_collection *c, int key)
{
    if (!c->twin) return;
    const struct sim_point *p = qdrant_point(c, key);
    struct sim_point *other = qdrant_point(c->twin, key);
    if (other) promise_said(w, number_of(w, c), other);
    if (p && !other) other = &c->twin->points[c->twin->count++];
    if (p)
        *other = *p;
    else if (other)
        *other = c->twin->points[--c->twin->count];
}

static bool same_point(const struct sim_point *a, const struct sim_point *b)
{
    return a->doc == b->doc && a->vector == b->vector && a->payload == b->payload && a->epoch == b->epoch &&
           a->foreign == b->foreign && strcmp(a->content_hash, b->content_hash) == 0 &&
           strcmp(a->payload_hash, b->payload_hash) == 0;
}

void qdrant_calm(struct world *w)
{
    for (size_t i = 0; i < SIM_COLLECTIONS && w->replicated; i++) {
        struct sim_collection *c = &w->qdrant[i];
        if (c->node_until > w->now) c->node_until = w->now;
        if (c->twin->node_until > w->now) c->twin->node_until = w->now;
    }
}

bool qdrant_reported(const struct world *w, size_t collection, int key)
{
    for (int id = 0; id < w->ids; id++) {
        const struct owed_points *owed = &w->mongo.tombstones[id].owed;
        for (size_t i = 0; w->mongo.with_tombstone[id] && i < owed->count; i++)
            if (owed->items[i].collection == collection && sim_key(owed->items[i].id) == key) return true;
    }
    return false;
}

bool qdrant_excused(const struct world *w, const struct sim_collection *c, const struct sim_point *p)
{
    const struct sim_collection *first = c->second ? c->twin : c;
    const struct sim_point *other = c->twin ? qdrant_point(c->twin, p->key) : NULL;
    if (other && other->foreign)
        return true; /* it was written over that, and nobody deletes what is foreign */
    const struct run *run = first->unsettled[p->key];
    return c->twin && run && (!run->alive || run->epoch != w->mongo.epoch);
}

void qdrant_noted(struct world *w, const struct run *run, const struct owed_points *owed)
{
    for (size_t i = 0; i < owed->count; i++)
        if (owed->items[i].collection < run->config.collection_count)
            w->qdrant[run->which[owed->items[i].collection]].unsettled[sim_key(owed->items[i].id)] = NULL;
}

/* One whose new text never embeds is not written any more. */
static bool keeps_what_it_had(const struct world *w, size_t collection, const struct sim_point *p)
{
    const struct sim_document *doc = mongo_doc(w, p->doc);
    return doc && doc->text[collection] == SIM_POISON;
}

void qdrant_same(struct world *w, struct sim_collection *c)
{
    recover(w, c);
    for (int round = 0; round < 2 && c->twin; round++) {
        const struct sim_collection *a = round ? c->twin : c;
        struct sim_collection *b = round ? c : c->twin;
        for (size_t i = 0; i < a->count; i++) {
            const struct sim_point *p = &a->points[i], *other = qdrant_point(b, p->key);
            if (other && same_point(p, other)) continue;
            if (p->foreign || qdrant_excused(w, a, p) || keeps_what_it_had(w, number_of(w, c), p)) continue;
            sim_fail(w,
                     "Replicas: point %d of document %d in collection %zu: one says %s %s (%d), the other %s "
                     "%s (%d)",
                     p->key, p->doc, number_of(w, c), p->content_hash, p->payload_hash, p->vector,
                     other ? other->content_hash : "nothing", other ? other->payload_hash : "",
                     other ? other->vector : -1);
        }
    }
}

/* Keys of a write. */
static size_t write_count(const struct req *req)
{
    return req->kind == REQ_DELETE ? req->del.count : req->write.count;
}

static int write_key(const struct req *req, size_t i)
{
    return sim_key(req->kind == REQ_DELETE ? req->del.point_ids[i] : req->write.points[i].point_id);
}

/* This run, and it alone, knows that some replicas have them; NULL: all have, or none. */
static void unsettled(struct sim_collection *c, const struct req *req, const struct run *run)
{
    for (size_t i = 0; i < write_count(req); i++) c->unsettled[write_key(req, i)] = run;
}

/* What was done, all replicas have. Of what was not, nobody knows more than before. */
static void settled(struct sim_collection *c, const struct req *req)
{
    for (size_t i = 0; i < write_count(req); i++)
        if (req->kind == REQ_DELETE || req->write.points[i].code == LKS_E_OK)
            c->unsettled[write_key(req, i)] = NULL;
}

/* Nobody knows what became of it. */
static void not_known(struct req *req)
{
    if (req->kind == REQ_DELETE) req->del.unknown = true;
    for (size_t i = 0; (req->kind == REQ_UPSERT) && i < req->write.count; i++) {
        req->write.points[i].code = req->err.code;
        req->write.points[i].unknown = true;
    }
}

/* ---- writes ---- */

static void drop_point(struct world *w, struct sim_collection *c, struct sim_point *p)
{
    promise_said(w, number_of(w, c), p);
    *p = c->points[--c->count];
}

static void fill_point(struct world *w, struct sim_point *point, const struct point_write *p, int64_t version)
{
    point->doc = sim_doc_number(p->doc);
    point->payload = (int)strtol(p->payload + strlen("{\"p\":"), NULL, 10);
    point->version = version;
    point->epoch = p->epoch;
    point->written_ms = w->now;
    snprintf(point->content_hash, sizeof point->content_hash, "%s", p->content_hash);
    snprintf(point->payload_hash, sizeof point->payload_hash, "%s", p->payload_hash);
    point->foreign = point->elsewhere = false;
}

/* The same once more, with the writer's epoch: a document that somebody left for later may still be written
 * by whom that one took over from. */
static bool only_stamps(const struct world *w, size_t collection, const struct sim_point *point,
                        const struct point_write *p)
{
    int id = sim_doc_number(p->doc);
    const struct sim_document *doc = mongo_doc(w, id);
    bool left = doc && doc->record.entries && doc->record.entries[collection].status != SYNC_SYNCED;
    return left && !point->foreign && point->doc == id && strcmp(point->content_hash, p->content_hash) == 0 &&
           strcmp(point->payload_hash, p->payload_hash) == 0;
}

/* The vector must be that of the text whose hash goes with it, whatever happened to the point since. */
static void fits(struct world *w, const struct trip *trip, const struct point_write *p)
{
    const char *number = strrchr(p->content_hash, '-');
    if (p->vector && p->dimensions == 1 && number && (int)p->vector[0] == (int)strtol(number + 1, NULL, 10))
        return;
    sim_fail(w, "Hash: %s writes point %d with a vector that is not of %s", trip->run->owner,
             sim_key(p->point_id), p->content_hash);
}

/* What others have put beside our vector is dropped by whoever writes the point as a whole. */
static void keeps_further(struct world *w, const struct trip *trip, struct sim_point *point,
                          const struct point_write *p)
{
    if (!point->further || p->keeps) return;
    if (w->now > point->further_since_ms + 2 * w->index_timeout_ms + w->lease_ms && !trip->late)
        sim_fail(w, "Others: %s drops what another program has put beside our vector of point %d",
                 trip->run->owner, point->key);
    point->further = false;
}

/* `again`: on another replica. */
static void write_point(struct world *w, struct sim_collection *c, struct trip *trip, struct point_write *p,
                        bool again)
{
    int key = sim_key(p->point_id);
    struct sim_point *point = qdrant_point(c, key);
    int64_t version = strtol(strstr(p->payload, "\"n\":") + strlen("\"n\":"), NULL, 10);
    bool guarded_off = point && !point->foreign && point->epoch > p->epoch;
    sim_trace(w, "%s, collection %zu: upsert %d of %s (%lld): %s %s, epoch %llu%s%s", trip->run->owner,
              number_of(w, c), key, p->doc, (long long)version, p->content_hash, p->payload_hash,
              (unsigned long long)p->epoch, p->keeps ? ", keeps vectors" : "",
              guarded_off ? ", kept out" : "");
    fits(w, trip, p);
    p->code = LKS_E_OK;
    if (guarded_off && point->elsewhere) promise_skipped(w, trip, number_of(w, c), p);
    if (guarded_off || (p->keeps && !point)) return; /* which no reply shows */
    /* What it would take from another document, which no event brings to mind, nothing could guard; nor a
     * point that is not there, or one whose collection was off when somebody took over, so that nobody
     * stamped it. That the adapter's clock stops it is all there is. */
    const struct sim_point *other = c->twin ? qdrant_point(c->twin, key) : point; /* it stops both, or none */
    bool takes = !point || !other || point->doc != sim_doc_number(p->doc) || other->doc != point->doc;
    bool was_off = c->switched_ms > trip->deadline_ms - w->index_timeout_ms;
    if (trip->held && w->now >= trip->deadline_ms && (takes || was_off)) {
        p->code = LKS_E_QDRANT_TIMEOUT;
        return;
    }
    if (!again) promise_write(w, trip, key, sim_doc_number(p->doc), version, number_of(w, c));
    bool stamp = false, payload = false;
    if (!point) {
        if (c->count == SIM_POINTS) abort();
        point = &c->points[c->count++];
        *point = (struct sim_point){.key = key};
    } else {
        bool own = !point->foreign && point->doc == sim_doc_number(p->doc);
        trip->moves |= !point->foreign && !own;
        trip->changes |= own && (strcmp(point->content_hash, p->content_hash) != 0 ||
                                 strcmp(point->payload_hash, p->payload_hash) != 0);
        promise_said(w, number_of(w, c), point);
        keeps_further(w, trip, point, p);
        stamp = only_stamps(w, number_of(w, c), point, p);
        payload = own && strcmp(point->content_hash, p->content_hash) == 0;
    }
    int displaced = point->doc;
    fill_point(w, point, p, version);
    point->vector = (int)p->vector[0];
    if (again) return;
    promise_crash(w, trip, key, displaced, number_of(w, c));
    w->upserted += !stamp && !payload;
    w->payloads += !stamp && payload;
}

static void do_delete(struct world *w, struct sim_collection *c, struct trip *trip, bool again)
{
    const struct req *req = trip->req;
    for (size_t i = 0; i < req->del.count; i++) {
        int key = sim_key(req->del.point_ids[i]);
        struct sim_point *p = qdrant_point(c, key);
        sim_trace(w, "%s, collection %zu: delete %d (of %d)", trip->run->owner, number_of(w, c), key,
                  p ? p->doc : -1);
        if (!p) continue;
        promise_delete(w, trip, p, number_of(w, c));
        int doc = p->doc;
        trip->moves |= mongo_owner(w, key, w->mongo.count) >= 0;
        drop_point(w, c, p);
        if (!again) promise_crash(w, trip, key, doc, number_of(w, c));
        w->deleted += !again;
    }
}

/* Some are written, and what becomes of the others is not known, or known not to have happened. */
static void write_some(struct world *w, struct sim_collection *c, struct trip *trip)
{
    struct req *req = trip->req;
    size_t good = (size_t)sim_below(w, FAULT_QDRANT_PARTIAL, req->write.count + 1);
    for (size_t i = 0; i < req->write.count; i++) {
        struct point_write *p = &req->write.points[i];
        if (i == good) not_durable(c);
        bool applied = i < good || sim_below(w, FAULT_QDRANT_PARTIAL, 2);
        if (applied) write_point(w, c, trip, p, false);
        if (i < good) continue;
        p->unknown = true;
        p->code = sim_below(w, FAULT_QDRANT_PARTIAL, 2) ? LKS_E_QDRANT_UNAVAILABLE : LKS_E_QDRANT_REJECTED;
        if (p->code == LKS_E_QDRANT_REJECTED && !applied) p->unknown = false;
        if (!p->error) p->error = strdup("this point was not written");
    }
}

/* ---- reads ---- */

static void see(const struct sim_point *p, bool vector, struct stamp *out)
{
    char text[32];
    *out = (struct stamp){.ours = !p->foreign, .foreign = p->foreign, .epoch = p->epoch};
    sim_point_id(p->key, out->point_id);
    out->further = vector && p->further;
    if (vector && !p->foreign && p->vector != NULLS_VECTOR) {
        out->vector = malloc(sizeof *out->vector);
        out->vector[0] = (float)p->vector;
        out->dimensions = 1;
    }
    if (p->foreign) return;
    memcpy(text + sim_text(text, sizeof text, "{\"$numberInt\":\"", p->doc), "\"}", 3);
    out->doc = strdup(text);
    sim_text(text, sizeof text, "k", p->key);
    out->key = strdup(text);
    memcpy(out->content_hash, p->content_hash, sizeof p->content_hash);
    memcpy(out->payload_hash, p->payload_hash, sizeof p->payload_hash);
}

static bool vector_asked_for(const struct req *req, const struct sim_point *p)
{
    for (size_t i = 0; i < req->lookup.vector_count; i++)
        if (sim_key(req->lookup.point_ids[i]) == p->key) return true;
    return false;
}

static bool asked_for(const struct req *req, const struct sim_point *p)
{
    for (size_t i = 0; i < req->lookup.point_count; i++)
        if (sim_key(req->lookup.point_ids[i]) == p->key) return true;
    for (size_t i = 0; i < req->lookup.doc_count && !p->foreign; i++)
        if (sim_doc_number(req->lookup.docs[i]) == p->doc) return true;
    return false;
}

/* Of the replica `c`. */
static void do_lookup(struct world *w, struct sim_collection *c, const struct trip *trip)
{
    struct req *req = trip->req;
    req->lookup.agreed = req->lookup.consistent && (!c->twin || (is_active(w, c) && is_active(w, c->twin)));
    req->lookup.found = calloc(c->count + 1, sizeof *req->lookup.found);
    for (size_t i = 0; i < c->count; i++) {
        if (!asked_for(req, &c->points[i])) continue;
        struct stamp *found = &req->lookup.found[req->lookup.found_count++];
        see(&c->points[i], vector_asked_for(req, &c->points[i]), found);
        const struct sim_point *other = c->twin ? qdrant_point(c->twin, c->points[i].key) : NULL;
        found->differs = req->lookup.agreed && c->twin && (!other || !same_point(&c->points[i], other));
        if (req->lookup.whole && found->ours) /* what is really there, whatever it says of itself */
            sim_text(found->payload_hash, sizeof found->payload_hash, "payload-", c->points[i].payload);
    }
    qsort(req->lookup.found, req->lookup.found_count, sizeof *req->lookup.found, stamp_compare);
}

static void do_scroll(struct sim_collection *c, struct req *req)
{
    int from = req->scroll.from[0] ? sim_key(req->scroll.from) : 0;
    req->scroll.found = calloc(PAGE_POINTS, sizeof *req->scroll.found);
    req->scroll.next[0] = '\0';
    for (int key = from; key < SIM_KEYS; key++) {
        const struct sim_point *p = qdrant_point(c, key);
        if (!p || p->foreign) continue;
        if (req->scroll.found_count == PAGE_POINTS) {
            sim_point_id(key, req->scroll.next);
            return;
        }
        see(p, false, &req->scroll.found[req->scroll.found_count++]);
    }
}

static void do_epochs(const struct sim_collection *c, struct req *req)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct sim_point *p = &c->points[i];
        if (p->foreign || p->epoch <= req->epochs.floor || p->epoch == req->epochs.own) continue;
        req->epochs.points++;
        if (p->epoch > req->epochs.highest) req->epochs.highest = p->epoch;
    }
}

static void do_ensure(struct world *w, struct sim_collection *c, struct req *req)
{
    if (!c->exists && req->ensure.look_only) {
        lks_fail(&req->err, LKS_E_NOT_FOUND, "there is no such collection yet");
        return;
    }
    req->ensure.created = !c->exists;
    c->exists = true;
    req->ensure.empty = true;
    for (size_t i = 0; i < c->count; i++) req->ensure.empty &= c->points[i].foreign;
    req->ensure.guarded = true;
    req->ensure.further = c->further;
    req->ensure.replicas = c->twin ? 2 : 1;
    req->ensure.active = !c->twin || !c->twin->dead;
    if (req->ensure.created) sim_trace(w, "collection %zu is made", number_of(w, c));
}

/* Somebody else takes a point away. */
static void lose(struct world *w, struct sim_collection *c, struct sim_point *p)
{
    sim_trace(w, "another writer deletes point %d of collection %zu", p->key, number_of(w, c));
    qdrant_confirm(c);
    c->damaged |= !p->foreign;
    int key = p->key;
    drop_point(w, c, p);
    mirror(w, c, key);
}

/* ---- requests ---- */

static void act(struct world *w, void *arg, uint64_t number);

static size_t local_collection(const struct req *req)
{
    switch (req->kind) {
    case REQ_ENSURE:
        return req->ensure.collection;
    case REQ_LOOKUP:
        return req->lookup.collection;
    case REQ_SCROLL:
        return req->scroll.collection;
    case REQ_COUNT:
        return req->count.collection;
    case REQ_EPOCHS:
        return req->epochs.collection;
    case REQ_DELETE:
        return req->del.collection;
    default:
        return req->write.collection;
    }
}

/* On one replica. */
static void write_to(struct world *w, struct sim_collection *c, struct trip *trip, bool again)
{
    struct req *req = trip->req;
    if (req->kind == REQ_DELETE) {
        do_delete(w, c, trip, again);
        return;
    }
    if (sim_chance(w, FAULT_QDRANT_PARTIAL)) {
        write_some(w, c, trip);
        return;
    }
    for (size_t i = 0; i < req->write.count; i++) write_point(w, c, trip, &req->write.points[i], again);
}

/*
 * On all replicas that can be reached. One that can't is marked dead, and made again later; or, where writes
 * are strict, the write is refused, and done all the same on the one that got it.
 */
static void write_all(struct world *w, struct sim_collection *c, struct trip *trip)
{
    struct req *req = trip->req;
    bool first = !c->twin || is_active(w, c), second = c->twin && is_active(w, c->twin);
    if (first) write_to(w, c, trip, false);
    if (second) write_to(w, c->twin, trip, first);
    if (!c->twin || (first && (second || c->twin->dead))) {
        settled(c, req);
    } else if ((first || second) && !w->strict) {
        note_dead(w, c, first ? c->twin : c);
        unsettled(c, req, NULL);
    } else {
        lks_fail(&req->err, LKS_E_QDRANT_UNAVAILABLE, "1 out of 1 shards failed to apply operation");
        not_known(req);
        if (first || second) unsettled(c, req, trip->run);
    }
}

static void take_effect(struct world *w, struct sim_collection *c, struct trip *trip)
{
    struct req *req = trip->req;
    struct sim_collection *r = view(w, c);
    bool writes = req->kind == REQ_UPSERT || req->kind == REQ_DELETE;
    if (req->kind != REQ_ENSURE && !c->exists) {
        lks_fail(&req->err, LKS_E_NOT_FOUND, "no such collection");
        return;
    }
    if (!r && !writes) {
        lks_fail(&req->err, LKS_E_QDRANT_UNAVAILABLE, "2 of 2 read operations failed");
        return;
    }
    switch (req->kind) {
    case REQ_ENSURE:
        do_ensure(w, c, req);
        break;
    case REQ_LOOKUP:
        do_lookup(w, r, trip);
        break;
    case REQ_SCROLL:
        do_scroll(r, req);
        break;
    case REQ_COUNT:
        for (size_t i = 0; i < r->count; i++) req->count.points += !r->points[i].foreign;
        break;
    case REQ_EPOCHS:
        do_epochs(r, req);
        break;
    default:
        if (sim_chance_times(w, FAULT_QDRANT_OTHERS, 3)) {
            struct sim_point *p = qdrant_point(c, sim_key(req->write.points[0].point_id));
            if (p) lose(w, c, p); /* since it was looked at */
        }
        if (req->kind == REQ_UPSERT)
            elsewhere_races(w, c, sim_key(req->write.points[0].point_id)); /* likewise */
        write_all(w, c, trip);
        break;
    }
}

/* Is it turned away, or never answered? Then nothing was done. */
static bool turned_away(struct world *w, struct sim_collection *c, struct trip *trip, int64_t *at)
{
    bool broken = w->quiet && w->broken_collection == (int)number_of(w, c);
    struct lks_err *err = &trip->req->err;
    if (broken && w->breakage == 1) {
        lks_fail(err, LKS_E_QDRANT_TIMEOUT, "no reply");
        *at = trip->deadline_ms;
    } else if ((broken && w->breakage == 2) || sim_chance(w, FAULT_QDRANT_BUSY)) {
        lks_fail(err, LKS_E_QDRANT_UNAVAILABLE, "429: too many requests");
        err->retry_after_ms = (int64_t)sim_below(w, FAULT_QDRANT_BUSY, 5000);
    } else if (broken || w->now < c->down_until || sim_chance(w, FAULT_QDRANT_REFUSED)) {
        lks_fail(err, LKS_E_QDRANT_UNAVAILABLE, "connection refused");
    } else if (w->now < c->key_until) {
        lks_fail(err, LKS_E_QDRANT_UNAVAILABLE, SIM_KEY_REFUSED);
        err->blame = LKS_BLAME_KEY;
    }
    return err->code != LKS_E_OK;
}

/*
 * It lay in a queue when its sender died, and comes up when the time that it was given is over; but not later
 * than as long again, which whoever takes over waits for. Where a clock jumped, a lease ends too early for
 * that.
 */
static bool comes_late(struct world *w, struct trip *trip)
{
    bool writes = trip->req->kind >= REQ_UPSERT && trip->req->kind <= REQ_DELETE;
    if (trip->run->alive || trip->late || !writes || !sim_chance(w, FAULT_QDRANT_LATE)) return false;
    trip->late = true;
    int64_t at = trip->deadline_ms + (int64_t)sim_below(w, FAULT_QDRANT_LATE, (uint64_t)w->index_timeout_ms);
    sim_send(w, at > w->now ? at : w->now, act, trip);
    return true;
}

/* Gone for good: the clocks jumped meanwhile, and it might be later than anybody waits. */
static bool too_late(const struct world *w, const struct trip *trip)
{
    return trip->late && w->clocks_jumped;
}

static void act(struct world *w, void *arg, uint64_t number)
{
    struct trip *trip = arg;
    struct sim_collection *c = &w->qdrant[trip->run->which[local_collection(trip->req)]];
    int64_t at = w->now + 1 + (int64_t)sim_below(w, BY_NET, 10);
    (void)number;
    if (comes_late(w, trip)) return;
    if (trip->late) sim_trace(w, "%s is dead, and something it sent is carried out", trip->run->owner);
    if (too_late(w, trip)) {
        lks_fail(&trip->req->err, LKS_E_CANCELLED, "the process died");
    } else if (!turned_away(w, c, trip, &at)) {
        bool lost = sim_chance(w, FAULT_QDRANT_LOST_REPLY);
        if (lost)
            not_durable(c);
        else
            qdrant_confirm(c);
        recover(w, c);
        take_effect(w, c, trip);
        if (lost && trip->req->err.code == LKS_E_OK) {
            lks_fail(&trip->req->err, LKS_E_QDRANT_TIMEOUT, "no reply");
            not_known(trip->req);
            at = trip->deadline_ms;
        }
    }
    int64_t latest = trip->late ? w->now : trip->deadline_ms;
    sim_reply(w, trip, at < latest ? at : latest);
}

void qdrant_submit(struct trip *trip)
{
    struct world *w = trip->run->world;
    int64_t at = w->now + 1 + (int64_t)sim_below(w, BY_NET, 10);
    if (sim_chance(w, FAULT_QDRANT_SLOW) && trip->deadline_ms > at + 100)
        at += (int64_t)sim_below(w, FAULT_QDRANT_SLOW, (uint64_t)(trip->deadline_ms - at - 100));
    sim_send(w, at, act, trip);
}

/* ---- what happens to it ---- */

/* Or they put a vector beside ours, or spoil ours, under the hashes that describe it. */
static bool beside(struct world *w, struct sim_collection *c, struct sim_point *p)
{
    if (p->foreign || sim_below(w, FAULT_QDRANT_OTHERS, 2)) return false;
    if (c->further && sim_below(w, FAULT_QDRANT_OTHERS, 2)) {
        sim_trace(w, "another program puts a vector beside ours of point %d in collection %zu", p->key,
                  number_of(w, c));
        p->further = true;
        p->further_since_ms = w->now;
    } else {
        sim_trace(w, "the vector of point %d in collection %zu has a null in it", p->key, number_of(w, c));
        p->vector = NULLS_VECTOR;
    }
    mirror(w, c, p->key);
    return true;
}

/* Somebody else writes into our collection: points of their own, perhaps over ours, or takes some away. */
static void others(struct world *w, struct sim_collection *c)
{
    int key = (int)sim_below(w, FAULT_QDRANT_OTHERS, SIM_KEYS);
    struct sim_point *p = qdrant_point(c, key);
    if (!c->exists) return;
    qdrant_confirm(c);
    if (p && sim_below(w, FAULT_QDRANT_OTHERS, 2)) {
        lose(w, c, p);
        return;
    }
    if (p && beside(w, c, p)) return;
    sim_trace(w, "another writer's point %d in collection %zu", key, number_of(w, c));
    if (p) {
        c->damaged |= !p->foreign;
        promise_said(w, number_of(w, c), p);
    } else {
        p = &c->points[c->count++];
    }
    *p = (struct sim_point){.key = key,
                            .doc = (int)sim_below(w, FAULT_QDRANT_OTHERS, (uint64_t)w->ids),
                            .vector = FOREIGN_VECTOR,
                            .foreign = true,
                            .foreign_since_ms = w->now};
    mirror(w, c, key);
}

static void restart(struct world *w, struct sim_collection *c)
{
    sim_trace(w, "Qdrant restarts: collection %zu%s", number_of(w, c),
              c->durable ? " loses what was not confirmed" : "");
    c->down_until = w->now + 100 + (int64_t)sim_below(w, FAULT_QDRANT_RESTART, 5000);
    if (!c->durable) return;
    for (size_t i = 0; i < c->count; i++) promise_said(w, number_of(w, c), &c->points[i]);
    memcpy(c->points, c->durable, sizeof c->points);
    c->count = c->durable_count;
    c->exists = c->durable_exists;
    qdrant_confirm(c);
}

static void drop_collection(struct world *w, struct sim_collection *c)
{
    sim_trace(w, "collection %zu is dropped behind our back", number_of(w, c));
    qdrant_confirm(c);
    while (c->count > 0) drop_point(w, c, &c->points[c->count - 1]);
    while (c->twin && c->twin->count > 0) drop_point(w, c->twin, &c->twin->points[c->twin->count - 1]);
    if (c->twin) c->twin->dead = false;
    c->exists = false;
    c->damaged = true;
}

/* A node goes away, seldom both. */
static void lose_node(struct world *w, struct sim_collection *c)
{
    struct sim_collection *lost = sim_below(w, FAULT_QDRANT_NODE, 2) ? c->twin : c;
    if (!is_up(w, lost->twin) && sim_below(w, FAULT_QDRANT_NODE, 4)) return;
    lost->node_until = w->now + 200 + (int64_t)sim_below(w, FAULT_QDRANT_NODE, 8000);
    c->uneven = true;
    sim_trace(w, "collection %zu loses node %d until %lld", number_of(w, c), lost->second,
              (long long)lost->node_until);
}

void qdrant_fault(struct world *w)
{
    elsewhere_fault(w);
    for (size_t i = 0; i < SIM_COLLECTIONS; i++) {
        struct sim_collection *c = &w->qdrant[i];
        if (sim_chance(w, FAULT_QDRANT_OUTAGE))
            c->down_until = w->now + (int64_t)sim_below(w, FAULT_QDRANT_OUTAGE, 20000);
        if (sim_chance(w, FAULT_QDRANT_KEY))
            c->key_until = w->now + (int64_t)sim_below(w, FAULT_QDRANT_KEY, 20000);
        if (sim_chance(w, FAULT_QDRANT_DROP)) drop_collection(w, c);
        if (sim_chance(w, FAULT_QDRANT_OTHERS)) others(w, c);
        if (sim_chance(w, FAULT_QDRANT_RESTART)) restart(w, c);
        if (c->twin && sim_chance(w, FAULT_QDRANT_NODE)) lose_node(w, c);
    }
}

/* A point that a crash has left on one replica alone makes up for another that is gone: counts show neither.
 */
static bool hides_a_loss(const struct world *w, struct sim_collection *c)
{
    for (int round = 0; round < 2 && c->twin; round++) {
        const struct sim_collection *a = round ? c->twin : c;
        struct sim_collection *b = round ? c : c->twin;
        for (size_t i = 0; i < a->count; i++) {
            const struct sim_point *p = &a->points[i], *other = qdrant_point(b, p->key);
            if (!p->foreign && (!other || other->foreign) && qdrant_excused(w, a, p)) return true;
        }
    }
    return false;
}

/* One of our points, of a document that can be embedded. */
static struct sim_point *some_point(struct world *w, struct sim_collection **of)
{
    for (size_t i = 0; i < SIM_COLLECTIONS; i++) {
        *of = &w->qdrant[i];
        if (hides_a_loss(w, *of)) continue;
        for (size_t k = 0; k < (*of)->count && w->setup.on[i]; k++) {
            struct sim_point *p = &(*of)->points[k];
            const struct sim_document *doc = p->foreign ? NULL : mongo_doc(w, p->doc);
            if (doc && doc->text[i] != SIM_POISON) return p;
        }
    }
    return NULL;
}

void qdrant_lose_one(struct world *w)
{
    struct sim_collection *c;
    struct sim_point *p = some_point(w, &c);
    if (p) lose(w, c, p);
}

bool qdrant_tamper(struct world *w)
{
    struct sim_collection *c;
    struct sim_point *p = some_point(w, &c);
    if (!p) return false;
    sim_trace(w, "somebody changes what point %d of collection %zu shows", p->key, number_of(w, c));
    p->payload += 1000;
    mirror(w, c, p->key);
    return true;
}

void qdrant_free(struct world *w)
{
    for (size_t i = 0; i < SIM_COLLECTIONS; i++) {
        qdrant_confirm(&w->qdrant[i]);
        free(w->qdrant[i].twin);
        free(w->qdrant[i].snapshot);
    }
}
