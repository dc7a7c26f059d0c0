/*
 * world.c - virtual time, chance, and the course of one seed: chaos, then quiet, until everything is in sync;
 * then all daemons stop, and one that starts again must find nothing to do.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* How long it may take after the chaos until everything is in sync: the points are counted 2 % of the time at
 * most, so after a count that hung for a minute it is 49 until the next one. */
#define SETTLE_MS 3600000
#define END_MS 120000      /* for daemons to stop, and for one to find nothing to do */
#define LOOK_MS 20000      /* of that */
#define MAX_EVENTS 5000000 /* more is a loop */

const struct limits no_limits = {
    .ids = SIM_MAX_IDS, .collections = SIM_COLLECTIONS, .writes = UINT64_MAX, .chaos_ms = INT64_MAX};

/* How often at most, in thousandths of the occasions. */
static const struct {
    const char *name;
    uint64_t most;
} faults[FAULT_COUNT] = {
    [FAULT_MONGO_ERROR] = {"mongo-error", 60},
    [FAULT_MONGO_LOST_REPLY] = {"mongo-lost-reply", 40},
    [FAULT_MONGO_SLOW] = {"mongo-slow", 40},
    [FAULT_MONGO_DUPLICATE] = {"mongo-duplicate", 60},
    [FAULT_MAJORITY_LAG] = {"majority-lag", 400},
    [FAULT_STALE_READ] = {"stale-read", 400},
    [FAULT_ROLLBACK] = {"rollback", 20},
    [FAULT_TRUNCATE] = {"truncate", 20},
    [FAULT_UNPROVEN] = {"unproven", 1000},
    [FAULT_INVALIDATE] = {"invalidate", 5},
    [FAULT_STATE_LOST] = {"state-lost", 5},
    [FAULT_REFUSE] = {"refuse", 20},
    [FAULT_SWAP] = {"swap", 4},
    [FAULT_OLD_RECORD] = {"old-record", 500},
    [FAULT_QDRANT_REFUSED] = {"qdrant-refused", 60},
    [FAULT_QDRANT_BUSY] = {"qdrant-busy", 40},
    [FAULT_QDRANT_LOST_REPLY] = {"qdrant-lost-reply", 60},
    [FAULT_QDRANT_SLOW] = {"qdrant-slow", 60},
    [FAULT_QDRANT_QUEUE] = {"qdrant-queue", 60},
    [FAULT_QDRANT_LATE] = {"qdrant-late", 1000},
    [FAULT_QDRANT_PARTIAL] = {"qdrant-partial", 60},
    [FAULT_QDRANT_OUTAGE] = {"qdrant-outage", 10},
    [FAULT_QDRANT_RESTART] = {"qdrant-restart", 10},
    [FAULT_QDRANT_DROP] = {"qdrant-drop", 4},
    [FAULT_QDRANT_OTHERS] = {"qdrant-others", 15},
    [FAULT_QDRANT_NODE] = {"qdrant-node", 30},
    [FAULT_QDRANT_SNAPSHOT] = {"qdrant-snapshot", 4},
    [FAULT_INSTALLATION] = {"installation", 30},
    [FAULT_EMBED_ERROR] = {"embed-error", 60},
    [FAULT_EMBED_PARTIAL] = {"embed-partial", 60},
    [FAULT_EMBED_SLOW] = {"embed-slow", 60},
    [FAULT_EMBED_HOLE] = {"embed-hole", 20},
    [FAULT_EMBED_OUTAGE] = {"embed-outage", 10},
    [FAULT_QDRANT_KEY] = {"qdrant-key", 10},
    [FAULT_EMBED_KEY] = {"embed-key", 10},
    [FAULT_EMBED_TEXT] = {"embed-text", 15},
    [FAULT_PLUGIN] = {"plugin", 20},
    [FAULT_CRASH] = {"crash", 20},
    [FAULT_STOP] = {"stop", 20},
    [FAULT_PAUSE] = {"pause", 15},
    [FAULT_SECOND] = {"second-daemon", 1000},
    [FAULT_CONFIG] = {"config", 10},
    [FAULT_CLOCK] = {"clock", 10},
    [FAULT_SERVER_CLOCK] = {"server-clock", 10},
    [FAULT_ASK] = {"ask", 20},
    [FAULT_APP_RECORD] = {"app-record", 200},
};

const char *fault_name(enum fault fault)
{
    return faults[fault].name;
}

enum fault fault_parse(const char *name, size_t bytes)
{
    int fault = 0;
    while (fault < FAULT_COUNT &&
           (strlen(faults[fault].name) != bytes || strncmp(faults[fault].name, name, bytes) != 0))
        fault++;
    return (enum fault)fault;
}

/* ---- chance: xorshift64*, one generator for each purpose, so that leaving a fault out changes little else
 */

static uint64_t next_random(struct world *w, int generator)
{
    uint64_t *x = &w->random[generator];
    *x ^= *x >> 12;
    *x ^= *x << 25;
    *x ^= *x >> 27;
    return *x * 0x2545F4914F6CDD1Dull;
}

uint64_t sim_below(struct world *w, int generator, uint64_t n)
{
    return n ? (next_random(w, generator) >> 11) % n : 0;
}

bool sim_chance_times(struct world *w, enum fault fault, double times)
{
    if (w->quiet || !w->rate[fault]) return false;
    return (double)sim_below(w, (int)fault, 1000000) < 1000.0 * times * (double)w->rate[fault];
}

bool sim_chance(struct world *w, enum fault fault)
{
    return sim_chance_times(w, fault, 1.0);
}

static void seed_generators(struct world *w)
{
    for (int i = 0; i < GENERATORS; i++) {
        w->random[i] = (w->seed * GENERATORS + (uint64_t)i + 1) * 0x9E3779B97F4A7C15ull;
        w->random[i] ^= w->random[i] >> 29;
        if (!w->random[i]) w->random[i] = 1;
        for (int k = 0; k < 4; k++) next_random(w, i);
    }
}

/* ---- words ---- */

void sim_fail(struct world *w, const char *format, ...)
{
    if (w->failure[0]) return;
    va_list args;
    va_start(args, format);
    vsnprintf(w->failure, sizeof w->failure, format, args);
    va_end(args);
    sim_trace(w, "BROKEN: %s", w->failure);
}

void sim_trace(struct world *w, const char *format, ...)
{
    if (!w->trace) return;
    va_list args;
    va_start(args, format);
    printf("# %8lld ", (long long)w->now);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

/* ---- time: a binary heap of events; equal times in the order of their making ---- */

static bool earlier(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void put(struct world *w, struct event ev)
{
    if (w->heap_count == w->heap_capacity) {
        w->heap_capacity = w->heap_capacity ? 2 * w->heap_capacity : 256;
        w->heap = realloc(w->heap, w->heap_capacity * sizeof *w->heap);
        if (!w->heap) abort();
    }
    if (ev.at < w->now) ev.at = w->now;
    ev.order = w->order++;
    size_t i = w->heap_count++;
    for (; i > 0 && earlier(&ev, &w->heap[(i - 1) / 2]); i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = ev;
}

void sim_at(struct world *w, int64_t at, void (*act)(struct world *, void *, uint64_t), void *arg,
            uint64_t number)
{
    put(w, (struct event){.at = at, .act = act, .arg = arg, .number = number});
}

void sim_send(struct world *w, int64_t at, void (*act)(struct world *, void *, uint64_t), struct trip *trip)
{
    put(w, (struct event){.at = at, .act = act, .arg = trip, .carries = true});
}

static struct event pop(struct world *w)
{
    struct event top = w->heap[0], last = w->heap[--w->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->heap_count) break;
        if (child + 1 < w->heap_count && earlier(&w->heap[child + 1], &w->heap[child])) child++;
        if (!earlier(&w->heap[child], &last)) break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return top;
}

/* ---- one seed ---- */

static void step(struct world *w, void *arg, uint64_t number)
{
    (void)arg;
    (void)number;
    if (w->now >= w->chaos_ms) {
        sim_trace(w, "quiet from here on");
        w->quiet = true;
        for (size_t i = 0; i < SIM_EMBEDDERS; i++)
            w->embedder_down_until[i] = w->embedder_key_until[i] = w->text_until[i] = 0;
        for (size_t i = 0; i < SIM_COLLECTIONS; i++) w->qdrant[i].down_until = w->qdrant[i].key_until = 0;
        qdrant_calm(w);
        daemons_right_clocks(w);
        return;
    }
    bool calm =
        w->mongo.swapped || w->now < w->silent_until || (w->pause_ms && w->now / w->pause_ms % 2 == 1);
    if (sim_below(w, BY_STEP, 3) == 0 && w->writes < w->limits.writes && !calm) {
        w->writes++;
        mongo_app_write(w);
    }
    mongo_fault(w);
    qdrant_fault(w);
    embedders_fault(w);
    daemons_fault(w);
    sim_at(w, w->now + 1 + (int64_t)sim_below(w, BY_STEP, 200), step, NULL, 0);
}

/* Keeps time going when nobody else does. */
static void beat(struct world *w, void *arg, uint64_t number)
{
    (void)arg;
    (void)number;
    sim_at(w, w->now + 500, beat, NULL, 0);
}

static uint64_t draw_below(struct world *w, uint64_t n)
{
    return sim_below(w, BY_DRAW, n);
}

/*
 * Nothing but three faults, one of them of those whose consequences others would hide: a crash or a lost
 * reply has everything compared. Made of the seed without a draw, so that all other worlds stay as they were.
 */
static void leave_few(struct world *w)
{
    static const enum fault themes[] = {FAULT_QDRANT_SNAPSHOT, FAULT_INSTALLATION, FAULT_CONFIG, FAULT_SWAP,
                                        FAULT_QDRANT_NODE,     FAULT_ASK};
    uint64_t bits = w->seed * 0xD1342543DE82EF95ull >> 8;
    enum fault few[] = {themes[bits % (sizeof themes / sizeof *themes)],
                        (enum fault)((bits >> 16) % FAULT_COUNT), (enum fault)((bits >> 24) % FAULT_COUNT)};
    memset(w->rate, 0, sizeof w->rate);
    for (size_t i = sizeof few / sizeof *few; i-- > 0;)
        w->rate[few[i]] = i ? 1 + (bits >> 32) % faults[few[i]].most : faults[few[i]].most;
}

static void draw_faults(struct world *w)
{
    bool few = (w->seed * 0xD1342543DE82EF95ull >> 62) == 0; /* in a quarter of the worlds */
    for (int i = 0; i < FAULT_COUNT; i++) { /* half of the others don't know a given fault at all */
        uint64_t rate = draw_below(w, faults[i].most + 1);
        w->rate[i] = draw_below(w, 2) ? rate : 0;
    }
    if (few) leave_few(w);
    /* A point too many and one that is missing leave the count as it was, and then nothing shows them. */
    if (w->rate[FAULT_PAUSE]) w->rate[FAULT_QDRANT_OTHERS] = 0;
    if ((draw_below(w, 3) && !few) || w->rate[FAULT_PAUSE]) w->rate[FAULT_INSTALLATION] = 0;
    if (w->rate[FAULT_INSTALLATION]) w->rate[FAULT_QDRANT_OTHERS] = 0;
    if (draw_below(w, 3) && !few) w->rate[FAULT_QDRANT_SNAPSHOT] = 0;
    if (w->rate[FAULT_UNPROVEN] && draw_below(w, 2)) w->rate[FAULT_UNPROVEN] = 990; /* it is not allowed to */
    if (w->rate[FAULT_PAUSE] && draw_below(w, 2)) w->rate[FAULT_SECOND] = 1000;     /* there to take over */
    if (w->rate[FAULT_SWAP]) w->rate[FAULT_INSTALLATION] = w->rate[FAULT_QDRANT_SNAPSHOT] = 0;
    if (w->rate[FAULT_SWAP]) w->rate[FAULT_QDRANT_LATE] = 0; /* points of the dead would not be counted */
    for (int i = 0; i < FAULT_COUNT; i++)
        if (w->limits.without >> i & 1) w->rate[i] = 0;
}

static void draw(struct world *w)
{
    draw_faults(w);
    w->ids = (int)(4 + draw_below(w, SIM_MAX_IDS - 3));
    w->chaos_ms = 5000 + (int64_t)draw_below(w, 40000);
    w->polls = draw_below(w, 8) == 0;
    w->beside = w->seed * 0x9E3779B97F4A7C15ull >> 63; /* no draw, so that worlds stay as they were */
    if (w->beside) w->rate[FAULT_APP_RECORD] = 0;      /* no application writes there */
    w->pause_ms = draw_below(w, 2) ? 1000 + (int64_t)draw_below(w, 5000) : 0;
    w->lease_ms = 3000 + (int64_t)draw_below(w, 7001);
    w->index_timeout_ms = w->lease_ms / (draw_below(w, 2) ? 2 : 4); /* half a lease at most */
    if (w->index_timeout_ms == w->lease_ms / 4)
        w->index_timeout_ms += (int64_t)draw_below(w, (uint64_t)w->lease_ms / 4);
    w->embed_timeout_ms = 1000 + (int64_t)draw_below(w, 20000);
    w->batch_size = 1 + draw_below(w, 10);
    w->max_docs = 8 + draw_below(w, 40);
    w->embed_batch = 1 + draw_below(w, 8);
    w->write_batch = 1 + draw_below(w, 8);
    w->max_delete_percent = draw_below(w, 3) ? 20 + (int)draw_below(w, 60) : 100;
    w->hold_from = 2 + draw_below(w, 6);
    w->broken_embedder = w->broken_collection = -1;
    w->breakage = (int)draw_below(w, 3);
    w->strike = draw_below(w, 2) && w->rate[FAULT_QDRANT_OTHERS];
    w->tamper = draw_below(w, 4) == 0;
    w->replicated = w->rate[FAULT_QDRANT_NODE] > 0;
    w->strict = draw_below(w, 4) > 0;
    if (w->replicated) /* nodes are what is lost here, and what writes fail for; and nothing else notes that
                        */
        w->rate[FAULT_QDRANT_RESTART] = w->rate[FAULT_QDRANT_PARTIAL] = w->rate[FAULT_STATE_LOST] =
            w->rate[FAULT_SWAP] = 0;
    if (w->replicated) w->rate[FAULT_INSTALLATION] = w->rate[FAULT_QDRANT_SNAPSHOT] = 0;
    if (draw_below(w, 4) == 0 && !w->rate[FAULT_INSTALLATION]) {
        if (draw_below(w, 2))
            w->broken_embedder = (int)draw_below(w, SIM_EMBEDDERS);
        else
            w->broken_collection = (int)draw_below(w, SIM_COLLECTIONS);
    }
    for (size_t i = 0; i < SIM_COLLECTIONS; i++) {
        w->setup.on[i] = i < w->limits.collections && (i == 0 || draw_below(w, 5) > 0);
        w->qdrant[i].further = draw_below(w, 4) == 0 && !w->replicated;
    }
    if (w->limits.ids < (uint64_t)w->ids) w->ids = (int)w->limits.ids;
    if (w->limits.chaos_ms < w->chaos_ms) w->chaos_ms = w->limits.chaos_ms;
    if (w->limits.one_batch) w->batch_size = w->embed_batch = w->write_batch = 1;
}

enum stage { CHAOS, OTHERS_SETTLE, SETTLE, REPAIR, STOP, LOOK, OVER };

struct course {
    enum stage stage;
    int64_t until, next_check;
    const struct run *asked;    /* for a comparison */
    uint64_t compares;          /* how many were over when it was */
    uint64_t deferred;          /* and parts that had been put aside */
    uint64_t embedded, written; /* when everything had stopped */
    size_t entries;             /* of the oplog, likewise */
    bool clean;
};

static void enter(struct world *w, struct course *c, enum stage stage, int64_t within_ms)
{
    static const char *const names[] = {"chaos",
                                        "all but what is broken must come into sync",
                                        "everything must come into sync",
                                        "a person has everything compared, payloads too",
                                        "all daemons stop",
                                        "one starts again and must find nothing to do",
                                        "over"};
    sim_trace(w, "%s", names[stage]);
    c->stage = stage;
    c->until = w->now + within_ms;
    c->next_check = w->now + 500;
}

static uint64_t writes_to_qdrant(const struct world *w)
{
    return w->upserted + w->payloads + w->deleted;
}

/* All that the record said before this entry was `synced`: there was nothing to correct, nor to try again. */
static bool was_synced(const struct world *w, const struct entry_log *en)
{
    const struct sim_document *before = en->before ? &w->mongo.log[en->before - 1].doc : NULL;
    if (!before || !before->record.entries) return false;
    /* of changes that were recorded together only the last may be reported again */
    if (record_names_hash(before->record.modified_fields) !=
        record_names_hash(en->doc.record.modified_fields))
        return false;
    for (size_t i = 0; i < SIM_COLLECTIONS; i++)
        if (w->setup.on[i] && before->record.entries[i].status != SYNC_SYNCED) return false;
    return true;
}

static void nothing_done(struct world *w, const struct course *c)
{
    if (!c->clean) return; /* then it has to look, and to stamp what it replays */
    if (w->embedded != c->embedded)
        sim_fail(w, "Needless: a daemon that started when all was in sync had something embedded");
    if (writes_to_qdrant(w) != c->written)
        sim_fail(w, "Needless: a daemon that started when all was in sync wrote to Qdrant");
    for (size_t i = c->entries; i < w->mongo.count; i++)
        if (was_synced(w, &w->mongo.log[i]))
            sim_fail(w, "Needless: a daemon that started when all was in sync wrote the record of %d",
                     w->mongo.log[i].id);
}

/* Ours on one replica and another writer's on the other, which nobody deletes: who begins again may read
 * either. */
static bool half_foreign(struct sim_collection *c, int key)
{
    const struct sim_point *a = qdrant_point(c, key), *b = c->twin ? qdrant_point(c->twin, key) : NULL;
    return a && b && a->foreign != b->foreign;
}

/* A point that some replicas may have is written or deleted once more, when its tombstone is looked at. */
static bool anything_owed(struct world *w)
{
    for (int id = 0; id < w->ids; id++)
        if (w->mongo.with_tombstone[id] && w->replicated) return true;
    for (size_t c = 0; c < SIM_COLLECTIONS; c++)
        for (int key = 0; key < SIM_KEYS; key++)
            if (w->qdrant[c].unsettled[key] || half_foreign(&w->qdrant[c], key)) return true;
    return false;
}

static void end_all(struct world *w, struct course *c)
{
    w->ending = true;
    enter(w, c, STOP, END_MS);
}

static uint64_t deferred(const struct engine_snapshot *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->collection_count; i++) sum += s->collections[i].deferred;
    return sum;
}

static void ask_to_compare(struct course *c, const struct run *run)
{
    struct engine_snapshot s;
    engine_snapshot(run->engine, &s);
    c->asked = run;
    c->compares = s.compares;
    c->deferred = deferred(&s);
    engine_compare(run->engine, &(struct engine_compare){.whole = true});
}

/* It says that some change waits. Of a delete that failed it is known only when its tombstone is looked at
 * whether that came out well. */
static bool says_lag(const struct world *w, const struct run *run)
{
    struct engine_snapshot s;
    for (int id = 0; id < w->ids; id++)
        if (w->mongo.with_tombstone[id]) return false;
    engine_snapshot(run->engine, &s);
    return s.lag_since_wall_ms != NO_TIME;
}

/* Everything is in sync: what others do to our points now, nothing reports. */
static void settled(struct world *w, struct course *c, const struct run *run)
{
    struct engine_snapshot s;
    engine_snapshot(run->engine, &s);
    if (w->strike) {
        w->strike = false;
        qdrant_lose_one(w);
        enter(w, c, SETTLE, SETTLE_MS);
    } else if (w->tamper && s.compare_asked) {
        engine_compare_stop(run->engine); /* of the chaos: it need not be as thorough */
    } else if (w->tamper && qdrant_tamper(w)) {
        w->tamper = false;
        ask_to_compare(c, run);
        enter(w, c, REPAIR, SETTLE_MS);
    } else {
        end_all(w, c);
    }
}

static bool repaired(struct world *w, struct course *c)
{
    struct engine_snapshot s;
    const struct run *run = daemon_at_work(w);
    if (run && run != c->asked) ask_to_compare(c, run); /* that one was not to be the last */
    if (!run) return false;
    engine_snapshot(run->engine, &s);
    if (s.compares == c->compares) return false;
    if (s.compare_partial ||
        deferred(&s) != c->deferred) { /* a collection was not ready, as the reply says */
        ask_to_compare(c, run);
        return false;
    }
    for (size_t i = 0; i < SIM_COLLECTIONS; i++)
        for (size_t k = 0; k < w->qdrant[i].count && w->setup.on[i]; k++) {
            const struct sim_point *p = &w->qdrant[i].points[k];
            if (!p->foreign && p->payload >= 1000)
                sim_fail(w,
                         "Self-healing: point %d of collection %zu shows what it should not, and a "
                         "comparison of whole payloads is over",
                         p->key, i);
        }
    return true;
}

/* A person finds out why points are left over, and says that they may go. */
static void allow_deletes(struct world *w)
{
    struct run *run = daemon_at_work(w);
    struct engine_snapshot s;
    if (!run || w->mongo.swapped) return;
    engine_snapshot(run->engine, &s);
    bool held = false, rightly = false;
    for (size_t i = 0; i < s.collection_count; i++) {
        held |= s.collections[i].held.orphans > 0;
        rightly |= promise_holds(w, run->which[i]);
    }
    if (!held || !rightly || (s.compare_asked && run->allowed)) return;
    if (s.compare_asked) engine_compare_stop(run->engine); /* somebody else's, which may wait for long */
    run->allowed = true;
    sim_trace(w, "a person allows deletes");
    engine_compare(run->engine, &(struct engine_compare){.allow_deletes = true});
}

/*
 * The other installation was taken away, and the person who did that has everything compared: what it wrote
 * nothing shows with an epoch below ours.
 */
static bool repaired_after_another(struct world *w, struct course *c)
{
    struct engine_snapshot s;
    const struct run *run = daemon_at_work(w);
    if (!run) return !w->other.there;
    engine_snapshot(run->engine, &s);
    if (!w->other.there && !s.another_epoch) return true;
    if (run == c->asked && s.compares == c->compares) return false;
    bool partial = c->stage == SETTLE && (s.compare_partial || deferred(&s) != c->deferred);
    if (run == c->asked && !partial && !s.another_epoch) {
        w->other.there = false;
        return true;
    }
    c->asked = NULL;
    if (engine_compare(run->engine, &(struct engine_compare){.whole = true})) {
        c->asked = run;
        c->compares = s.compares;
        c->deferred = deferred(&s);
    }
    return false;
}

/* Is it time for the next stage? */
static void advance(struct world *w, struct course *c)
{
    bool broken = w->broken_embedder >= 0 || w->broken_collection >= 0;
    if (c->stage == CHAOS) {
        if (w->quiet) enter(w, c, broken ? OTHERS_SETTLE : SETTLE, SETTLE_MS);
        return;
    }
    if (w->now < c->next_check) return;
    c->next_check = w->now + (c->stage == STOP ? 100 : 1000);
    bool last = w->now + 2000 >= c->until;
    switch (c->stage) {
    case OTHERS_SETTLE:
    case SETTLE:
        if (w->mongo.swapped) break;
        if (!repaired_after_another(w, c)) {
            if (last) sim_fail(w, "Self-healing: the repair after another installation does not end");
        } else if (check_in_sync(w)) {
            w->broken_embedder = w->broken_collection = -1;
            if (c->stage == OTHERS_SETTLE) {
                enter(w, c, SETTLE, SETTLE_MS);
                break;
            }
            const struct run *run = daemon_at_work(w);
            if (!daemons_calm(w)) {
                if (last) sim_fail(w, "Liveness: a daemon is paused for ever");
            } else if (run && engine_docs_in_work(run->engine) == 0 && !says_lag(w, run)) {
                settled(w, c, run);
            } else if (run && last && says_lag(w, run)) {
                sim_fail(w, "Retry: everything is in sync, and %s says that a change waits", run->owner);
            } else if (last) {
                sim_fail(w, "Memory: everything is in sync, and yet documents are in work");
            }
        } else if (!last) {
            w->failure[0] = '\0';
            allow_deletes(w);
        }
        break;
    case REPAIR:
        if (repaired(w, c))
            end_all(w, c);
        else if (last)
            sim_fail(w, "Self-healing: a person asked for a comparison, and it does not end");
        break;
    case STOP:
        if (daemons_stop(w)) {
            c->embedded = w->embedded;
            c->written = writes_to_qdrant(w);
            c->entries = w->mongo.count;
            c->clean =
                w->mongo.saved.state.clean && w->mongo.lease_released && !w->polls && !anything_owed(w);
            w->ending = false;
            daemon_start(w);
            w->ending = true;
            enter(w, c, LOOK, LOOK_MS);
        } else if (last) {
            sim_fail(w, "Drain: a daemon that was asked to stop does not end");
        }
        break;
    case LOOK:
        if (!last) break;
        nothing_done(w, c);
        if (!w->failure[0] && check_in_sync(w)) c->stage = OVER;
        break;
    case CHAOS:
    case OVER:
        break;
    }
}

static void run_world(struct world *w)
{
    struct course course = {.stage = CHAOS, .until = INT64_MAX};
    while (w->heap_count > 0 && course.stage != OVER && !w->failure[0]) {
        struct event ev = pop(w);
        if (++w->events > MAX_EVENTS) {
            sim_fail(w, "too many events: something goes round in a loop");
            break;
        }
        w->now = ev.at;
        ev.act(w, ev.arg, ev.number);
        daemons_tend(w);
        if (!w->failure[0]) advance(w, &course);
        if (w->now > course.until && course.stage != OVER && !w->failure[0])
            sim_fail(w, "Liveness: too late in stage %d", (int)course.stage);
    }
    if (course.stage != OVER && !w->failure[0]) sim_fail(w, "Liveness: nothing happens any more");
    if (w->failure[0]) daemons_trace(w);
}

bool sim_world(uint64_t seed, const struct limits *limits, bool trace, struct world *summary)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w) abort();
    w->seed = seed;
    w->limits = *limits;
    w->trace = trace;
    seed_generators(w);
    draw(w);
    mongo_init(w);
    qdrant_init(w);
    for (uint64_t i = 0, n = draw_below(w, 20); i < n && w->writes < limits->writes; i++, w->writes++)
        mongo_app_write(w); /* what is there before the first start */
    daemon_start(w);
    if (draw_below(w, 1000) < w->rate[FAULT_SECOND]) daemon_start(w);
    sim_at(w, 1, step, NULL, 0);
    sim_at(w, 1, beat, NULL, 0);
    run_world(w);
    bool good = !w->failure[0];
    if (summary) *summary = *w;
    while (w->heap_count > 0) {
        struct event ev = pop(w);
        if (ev.carries) sim_discard(ev.arg);
    }
    daemons_free(w);
    mongo_free(w);
    qdrant_free(w);
    free(w->heap);
    free(w);
    return good;
}
