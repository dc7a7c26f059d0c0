/*
 * sim.h - a world for the engine: a virtual clock, seeded random generators, and simulated MongoDB, Qdrant,
 * embedders and plugins behind the engine's ports. The engine itself is the real one, unchanged.
 *
 * Everything happens on one thread in the order of virtual time, so a seed replays exactly.
 */
#ifndef LOCKSTEP_TESTS_SIM_H
#define LOCKSTEP_TESTS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

#define SIM_COLLECTIONS 3
#define SIM_EMBEDDERS 2
#define SIM_MAX_IDS 40 /* documents have the ids 0 .. w->ids - 1 */
#define SIM_KEYS 20    /* business ids, so that some are held twice */
#define SIM_NO_KEY (-1)
#define NEWEST_DOC (-1) /* the one that was written last */
#define SIM_TEXTS 15
#define SIM_TEXT_REFUSED "500 for this text"
#define SIM_KEY_REFUSED                                                                                      \
    "401: the key is refused" /* what a record says then: no attempt of the document's                       \
                               */
#define SIM_POISON 13         /* a text with this number never embeds */
#define SIM_POINTS (SIM_KEYS * 2)
#define SIM_EPOCH_MS 1700000000000 /* when the world begins, for wall clocks */
#define FOREIGN_VECTOR (-1)
#define SIM_HISTORY 1024
#define COUNT_BUSY_MS 10000

/* What can go wrong. Each has a rate, in thousandths, drawn per seed, and a generator of its own. */
enum fault {
    FAULT_MONGO_ERROR,      /* a request fails and does nothing */
    FAULT_MONGO_LOST_REPLY, /* it is done, and nobody hears of it */
    FAULT_MONGO_SLOW,       /* seconds on the way there, or on the way back */
    FAULT_MONGO_DUPLICATE,  /* the driver sends a write twice, and the second answer counts */
    FAULT_MAJORITY_LAG,
    FAULT_STALE_READ, /* a member that lags behind, as far as the read allows */
    FAULT_ROLLBACK,
    FAULT_TRUNCATE,   /* the oplog forgets */
    FAULT_UNPROVEN,   /* the probe for lost history fails */
    FAULT_INVALIDATE, /* drop, or rename over the collection */
    FAULT_STATE_LOST, /* the database `lockstep` is dropped */
    FAULT_REFUSE,     /* a document's record is refused everywhere for a while */
    FAULT_SWAP,       /* an empty MongoDB answers in place of the right one */
    FAULT_OLD_RECORD, /* the application puts a whole older document back, record and all */
    FAULT_QDRANT_REFUSED,
    FAULT_QDRANT_BUSY, /* 429 with Retry-After */
    FAULT_QDRANT_LOST_REPLY,
    FAULT_QDRANT_SLOW,
    FAULT_QDRANT_QUEUE,   /* a request waits in the adapter until a connection is free */
    FAULT_QDRANT_LATE,    /* what a dead daemon had sent is carried out long after its time */
    FAULT_QDRANT_PARTIAL, /* some points of a request are written, some not */
    FAULT_QDRANT_OUTAGE,
    FAULT_QDRANT_RESTART, /* loses what was accepted, not confirmed, and not seen since */
    FAULT_QDRANT_DROP,
    FAULT_QDRANT_OTHERS,   /* another writer: points of its own, also over ours; deletes ours */
    FAULT_QDRANT_NODE,     /* a node is lost for a while, and what it misses its replica lacks */
    FAULT_QDRANT_SNAPSHOT, /* points are restored that a daemon of elsewhere wrote, with higher epochs */
    FAULT_INSTALLATION,    /* how likely a second installation writes points of the same source */
    FAULT_EMBED_ERROR,     /* 429, 5xx, a reply that makes no sense: wrong count, wrong dimension, NaN */
    FAULT_EMBED_PARTIAL,   /* some texts of a request have no vector */
    FAULT_EMBED_SLOW,
    FAULT_EMBED_HOLE, /* no answer until the time is out */
    FAULT_EMBED_OUTAGE,
    FAULT_QDRANT_KEY, /* the key expires for a while: everything is refused, whatever it is about */
    FAULT_EMBED_KEY,  /* likewise */
    FAULT_EMBED_TEXT, /* some texts fail for a while, and others do not */
    FAULT_PLUGIN,
    FAULT_CRASH,
    FAULT_STOP,
    FAULT_PAUSE,  /* also with a request just about to leave */
    FAULT_SECOND, /* how likely there is a second daemon */
    FAULT_CONFIG, /* collections on and off, models and plugins changed */
    FAULT_CLOCK,  /* a daemon's wall clock jumps */
    FAULT_SERVER_CLOCK,
    FAULT_ASK,        /* a person asks for a document, a cycle, a scan */
    FAULT_APP_RECORD, /* the application writes to records: overallStatus, an entry's status, an older one */
    FAULT_COUNT
};

/* What the other generators are for. */
enum chance_of { BY_DRAW = FAULT_COUNT, BY_APP, BY_NET, BY_ENGINE, BY_STEP, GENERATORS };

/* Makes a world smaller than its seed says: for whoever looks for the smallest that still fails. */
struct limits {
    uint64_t without; /* set of faults that never happen */
    uint64_t ids, collections, writes;
    int64_t chaos_ms;
    bool one_batch; /* requests carry one item each */
};

/* What an administrator decides; each daemon has it as it was at its start. */
struct setup {
    bool on[SIM_COLLECTIONS];
    int model[SIM_EMBEDDERS]; /* in every content hash */
    int version[SIM_COLLECTIONS];
};

/* What a document says; f() of it is what Qdrant must hold. */
struct sim_document {
    bool exists;
    int key;                   /* SIM_NO_KEY: the field is missing */
    int text[SIM_COLLECTIONS]; /* 0: nothing to embed */
    int payload;
    int64_t version;          /* number of the oplog entry that made it so */
    struct record record;     /* syncMetadata, or the one beside: SIM_COLLECTIONS entries, or none */
    enum sync_status overall; /* what its overallStatus says */
};

/* The oplog: each entry has the document as it is after it. */
struct entry_log {
    int id;
    enum change_op op;
    bool own;        /* a write of syncMetadata alone */
    bool silent;     /* no event reports it: drop or rename */
    bool invalidate; /* the collection was dropped or renamed: no document */
    bool replaced;
    bool record_too; /* an update that also wrote to the record */
    char key[8];     /* the field an update changed */
    struct sim_document doc;
    int64_t commit_ms; /* majority-committed from here on */
    int64_t wall_ms;
    size_t before; /* the previous entry of this document plus one; 0: none */
};

struct sim_state {
    struct engine_state state; /* digests by collection of the world; "" where none was saved */
    char digests[SIM_COLLECTIONS][32];
    struct held_deletes held[SIM_COLLECTIONS];
};

struct sim_mongo {
    struct entry_log *log;
    size_t count, capacity;
    size_t first;                /* older ones are forgotten by the stream */
    size_t reported;             /* some stream has reported all before */
    size_t last_of[SIM_MAX_IDS]; /* plus one; 0: never there */
    struct sim_state saved;
    uint64_t epoch, unproven;
    char owner[24];
    int64_t lease_until; /* by the server's wall clock */
    bool lease_clean, lease_released;
    struct tombstone tombstones[SIM_MAX_IDS];
    bool with_tombstone[SIM_MAX_IDS];
    uint64_t tombstone_epoch[SIM_MAX_IDS]; /* of who put it */
    int64_t tombstone_ms[SIM_MAX_IDS];
    int64_t down_until;
    int64_t clock_off_ms;
    int64_t last_commit_ms;
    uint64_t elections; /* that undid writes */
    int64_t refuses_until[SIM_MAX_IDS];
    bool swapped;                          /* it is another server, and has no documents */
    size_t oldest;                         /* no member of it has an older state than this */
    struct sim_document away[SIM_MAX_IDS]; /* what the right one had */
};

/* What a point said for a while. */
struct said {
    size_t collection;
    int key, doc, vector;
    char content_hash[40], payload_hash[40];
    int64_t until_ms;
};

struct sim_point {
    int key;    /* its id is made of it */
    int doc;    /* `_lockstep.doc` */
    int vector; /* model and text it was made of */
    int payload;
    int64_t version; /* of the document it was made from */
    char content_hash[40], payload_hash[40];
    uint64_t epoch;
    bool foreign;
    bool further;   /* another program has put a vector of its own beside ours */
    bool elsewhere; /* another daemon wrote it, on a MongoDB of its own */
    int64_t foreign_since_ms, further_since_ms, written_ms;
};

struct sim_collection {
    bool exists;
    bool further; /* it has a place for vectors of others */
    size_t count;
    struct sim_point points[SIM_POINTS];
    size_t most;               /* points that it ever had at a time */
    struct sim_point *durable; /* owned: as it was before what was not confirmed; NULL: all is */
    size_t durable_count;
    bool durable_exists;
    bool damaged; /* somebody else changed it: the records can't know */
    int64_t damaged_ms;
    int64_t down_until, busy_until, key_until;
    int64_t switched_ms; /* on or off, the last time */
    /* With replicas there are two, each on a node of its own: this one, and the twin. */
    struct sim_collection *twin; /* owned; of a twin: the first; NULL: there are no replicas */
    bool second;                 /* it is a twin */
    int64_t node_until;          /* its node is away until then */
    bool dead;                   /* it missed a write that others confirmed */
    bool uneven;                 /* a node was lost once */
    const struct run
        *unsettled[SIM_KEYS];   /* who wrote a point to some replicas only, and noted that nowhere */
    struct sim_point *snapshot; /* owned: as it was once, for whoever restores it; NULL: none was made */
    size_t snapshot_count;
};

/* Another daemon on a MongoDB of its own, with the same source: a rough one that only writes. */
struct installation {
    bool there;
    uint64_t epoch;
    int64_t next_count_ms;
};

/* A request on its way. */
struct trip {
    struct req *req;
    struct run *run;
    int64_t sent_ms, deadline_ms, until_ms;
    bool held;          /* was in the daemon's hands when that was paused */
    bool queued;        /* waited in the adapter, or was to leave at once */
    bool late;          /* its sender died, and it is carried out after its time */
    bool changes;       /* a point says something else by it */
    bool moves;         /* a point changed its owner by it, or was freed for another */
    int64_t wait_ms;    /* its reply takes so much longer */
    uint64_t elections; /* how many there had been when it was written */
};

/* What a run has written to a point last. */
struct seen {
    int doc;
    int64_t version, received;
};

/* One engine from its start to its end or crash. */
struct run {
    struct world *world;
    struct engine *engine;
    struct ports ports;
    struct run *next;
    char owner[24];
    bool alive; /* not crashed, not replaced */
    struct setup setup;
    struct engine_config config;
    struct engine_collection collections[SIM_COLLECTIONS];
    char digests[SIM_COLLECTIONS][32];
    size_t which[SIM_COLLECTIONS]; /* the world's number of each enabled collection */
    int64_t started_ms, paused_until, clock_off_ms, rest_checked_ms;
    int64_t busy_ms; /* until then it had something else to do than to come back to tombstones */
    uint64_t epoch;
    size_t outstanding;              /* requests in the world's hands */
    uint64_t tick;                   /* number of the timer that counts */
    bool was_empty[SIM_COLLECTIONS]; /* when it came */
    bool stream_open, stream_lost, stream_proven;
    uint64_t stream_at;      /* entries up to this one were given out */
    bool followed;           /* it has opened its stream once, */
    size_t followed_from;    /* behind this entry */
    size_t skipped_from;     /* what its stream passed over is from here on */
    size_t skipped_until;    /* to here */
    cluster_time saw;        /* its adapter reads no older than this */
    struct trip *waiting;    /* its REQ_STREAM_NEXT, while there is nothing to say */
    int64_t received;        /* entries whose events it has */
    bool ahead[SIM_MAX_IDS]; /* when it was read last, it said what no event had reported yet */
    struct seen seen[SIM_COLLECTIONS][SIM_KEYS];
    size_t recorded[SIM_MAX_IDS]; /* the entry, plus one, with the record that it wrote last */
    int64_t lease_until_ms;       /* as it knows itself */
    uint64_t met_epoch;           /* a look showed one above its own, and no count came since; 0: none */
    bool allowed;                 /* a person has allowed it to delete what it holds */
    bool lists_refused;           /* it has listed the documents whose record was refused */
    bool unclean; /* the last holder did not end well, and not all tombstones were listed since */
    bool sure[SIM_COLLECTIONS]
             [SIM_MAX_IDS]; /* what it heard last of a document's point came in time, or was seen */
};

struct event {
    int64_t at;
    uint64_t order;
    void (*act)(struct world *, void *, uint64_t);
    void *arg;
    uint64_t number;
    bool carries; /* `arg` is a trip */
};

struct world {
    uint64_t seed, random[GENERATORS];
    int64_t now;
    bool trace;
    bool quiet;  /* faults and writers have stopped */
    bool ending; /* no daemon is started any more */
    struct limits limits;
    uint64_t rate[FAULT_COUNT];
    int ids;
    int64_t chaos_ms;
    int64_t pause_ms; /* the application writes as long, and is silent as long; 0: never silent */
    uint64_t writes;
    int64_t silent_until;
    bool strike, tamper; /* what others still do to our points when everything is in sync */
    bool replicated;     /* collections have two replicas */
    bool strict;         /* and a write must reach both */
    bool polls;          /* no change streams here */
    bool beside;         /* records are beside documents, and outlive them */
    int broken_embedder, broken_collection; /* one that stays broken for a while after the chaos; -1: none */
    int breakage;
    int64_t lease_ms, index_timeout_ms, embed_timeout_ms;
    size_t batch_size, max_docs, embed_batch, write_batch;
    int max_delete_percent;
    uint64_t hold_from;
    struct event *heap;
    size_t heap_count, heap_capacity;
    uint64_t order;
    struct setup setup;
    struct run *runs;
    unsigned run_count, starting;
    struct sim_mongo mongo;
    struct sim_collection qdrant[SIM_COLLECTIONS];
    int64_t embedder_down_until[SIM_EMBEDDERS], embedder_key_until[SIM_EMBEDDERS];
    int64_t text_until[SIM_EMBEDDERS]; /* texts of one kind fail that long */
    int text_kind[SIM_EMBEDDERS];
    unsigned text_kinds[SIM_EMBEDDERS]; /* a set of those that ever did */
    struct said history[SIM_HISTORY];
    uint64_t said;
    struct installation other;
    uint64_t writer_epoch; /* the newest that wrote to Qdrant */
    int64_t server_jumped_ms;
    bool clocks_jumped;
    uint64_t embedded, upserted, payloads, deleted, events, repeats;
    char failure[512]; /* the first promise that was broken */
};

/* ---- world.c ---- */
uint64_t sim_below(struct world *w, int generator, uint64_t n);
bool sim_chance(struct world *w, enum fault fault);
/* As sim_chance(), `times` as likely. */
bool sim_chance_times(struct world *w, enum fault fault, double times);
void sim_at(struct world *w, int64_t at, void (*act)(struct world *, void *, uint64_t), void *arg,
            uint64_t number);
/* The same for what happens to a request. */
void sim_send(struct world *w, int64_t at, void (*act)(struct world *, void *, uint64_t), struct trip *trip);
/* Says which promise was broken, and how; only the first counts. */
void sim_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *fault_name(enum fault fault);
/* FAULT_COUNT for a name that is none. */
enum fault fault_parse(const char *name, size_t bytes);
/* Nothing is left out. */
extern const struct limits no_limits;
/* Runs one seed. True if every promise was kept. `summary` without what it owns; may be NULL. */
bool sim_world(uint64_t seed, const struct limits *limits, bool trace, struct world *summary);

/* ---- daemons.c ---- */
void daemon_start(struct world *w);
void daemon_start_later(struct world *w, int64_t within_ms);
/* What happens to the daemons in one step of chaos. */
void daemons_fault(struct world *w);
/* One that has stopped, or lost its lease, is started again as an init system would. */
void daemons_tend(struct world *w);
/* Asks all to stop. True when all have ended. */
bool daemons_stop(struct world *w);
/* All at once. */
void daemons_crash(struct world *w);
/* The one that works: it has the lease and runs. NULL if there is none. */
struct run *daemon_at_work(const struct world *w);
/* None is paused, or was just now, and nothing of those that died is under way. */
bool daemons_calm(const struct world *w);
void daemons_trace(struct world *w);
void daemons_free(struct world *w);
/* Everybody's clock is right again. */
void daemons_right_clocks(struct world *w);
/* Hands a request back to the engine that sent it, or to nobody if that crashed. Frees the trip. */
void sim_reply(struct world *w, struct trip *trip, int64_t at);
/* At the end of a world: it comes back to be freed. */
void sim_discard(struct trip *trip);

/* ---- mongo.c: oplog, documents, the application, faults ---- */
void mongo_init(struct world *w);
void mongo_app_write(struct world *w);
/* All entries that failed start over: due now, with no attempt counted. */
void mongo_requeue(struct world *w);
/* At once, the application takes back its last change of a document, or inserts one that is not there. */
void mongo_take_back(struct world *w, int id);
void mongo_put_back(struct world *w, int id);
void mongo_fault(struct world *w);
void mongo_truncate(struct world *w);
/* The document now; NULL if there is none. */
const struct sim_document *mongo_doc(const struct world *w, int id);
/* The document as of the first `entries` entries of the oplog; NULL if there was none. */
const struct sim_document *mongo_doc_at(const struct world *w, int id, size_t entries);
/* What has the record of a document, which itself need not exist; NULL if there is no record. */
const struct sim_document *mongo_recorded_at(const struct world *w, int id, size_t entries);
/* The newest of the first `entries` entries by which the application says something of the document; 0 if
 * there is none. */
size_t mongo_reported(const struct world *w, int id, size_t entries);
size_t mongo_committed(const struct world *w);
struct entry_log *mongo_append(struct world *w, int id, enum change_op op, const struct sim_document *doc);
int64_t mongo_wall(const struct world *w);
void mongo_free(struct world *w);
struct docid *sim_id(int id);
int sim_id_number(const struct docid *id);
/* The lowest document that holds a business id, at that moment of the oplog; -1: none. */
int mongo_owner(const struct world *w, int key, size_t entries);

/* ---- reads.c, stream.c, writes.c: what MongoDB is asked ---- */
void mongo_submit(struct trip *trip);
void mongo_read(struct world *w, struct trip *trip);
void stream_ask(struct world *w, struct trip *trip);
/* Something may have been committed that streams wait for. */
void stream_wake(struct world *w, int64_t at);
/* True if the reply has been arranged for. */
bool mongo_write(struct world *w, struct trip *trip);

/* ---- elsewhere.c ---- */
/* What happens to points by daemons on other MongoDBs in one step of chaos. */
void elsewhere_fault(struct world *w);
/* This point is about to be written by us: the other installation may be first. */
void elsewhere_races(struct world *w, struct sim_collection *c, int key);

/* ---- qdrant.c ---- */
void qdrant_init(struct world *w);
/* All that it has was confirmed to somebody. */
void qdrant_confirm(struct sim_collection *c);
void qdrant_submit(struct trip *trip);
/* Is there a tombstone that says that some replicas may have this point? */
bool qdrant_reported(const struct world *w, size_t collection, int key);
/* Only a daemon that died, or lost its lease, before it could put such a tombstone knew that one replica has
 * it.
 */
bool qdrant_excused(const struct world *w, const struct sim_collection *c, const struct sim_point *p);
/* It is noted that some replicas may have these points. */
void qdrant_noted(struct world *w, const struct run *run, const struct owed_points *owed);
/* All nodes are there again. */
void qdrant_calm(struct world *w);
/* Do both replicas hold the same? Sets w->failure. */
void qdrant_same(struct world *w, struct sim_collection *c);
void qdrant_fault(struct world *w);
/* When all is in sync, somebody takes one of our points away, */
void qdrant_lose_one(struct world *w);
/* or changes its payload under the hashes that describe it. False if there is none. */
bool qdrant_tamper(struct world *w);
void qdrant_free(struct world *w);
struct sim_point *qdrant_point(struct sim_collection *c, int key);

/* ---- making.c: plugins and embedders ---- */
/* Writes text and number, both short, much faster than snprintf(). Returns how much that was. */
size_t sim_text(char *to, size_t bytes, const char *text, int64_t number);
void embedder_submit(struct trip *trip);
void maker_submit(struct trip *trip);
void embedders_fault(struct world *w);
/* Has it failed on any text that this document ever had? */
bool embedder_ever_refused(const struct world *w, int id, size_t collection);
/* What such a document should have: kind, point id and hashes; nothing that would have to be freed. */
void sim_make(const struct setup *setup, const struct sim_document *doc, size_t collection,
              struct made *made);
void sim_point_id(int key, char id[POINT_ID_BYTES]);
int sim_key(const char *point_id);
int sim_doc_number(const char *json);
int sim_vector(const struct setup *setup, size_t collection, int text);

/* ---- promises.c: checked while everything happens; each names what broke ---- */
/* 1. The saved position never passes an event whose effect is not durable. */
void promise_token(struct world *w, const struct run *run, const struct engine_state *state);
/* The same of the position that is saved now: a point of this business id was written or deleted. */
void promise_crash(struct world *w, const struct trip *trip, int key, int doc, size_t collection);
/* 2. A record says `synced` only of what the point held. 4. Failures are counted. */
void promise_record(struct world *w, const struct run *run, int id, size_t collection,
                    const struct entry *before, const struct entry *after);
/* 4. What a run writes of a document never gets older. 7. One writer. */
void promise_write(struct world *w, struct trip *trip, int key, int doc, int64_t version, size_t collection);
/* 7. Nothing that changes points may be sent when the lease is over, however long it waits in the adapter;
 * nor when points were seen that it may not write, before they are counted. */
void promise_deadline(struct world *w, const struct run *run, const struct req *req);
void promise_delete(struct world *w, struct trip *trip, const struct sim_point *point, size_t collection);
/* 5. This many points of the collection have no document that a sweep may delete none. */
bool promise_holds(const struct world *w, size_t collection);
/* 5. A tombstone stays until nobody can be writing any more. */
void promise_tombstone_dropped(struct world *w, const struct run *run, int id);
/* 8. What has to start a comparing scan does. */
void promise_heals(struct world *w, struct run *run, const char *because);
/* No embedding is asked for that the point has already. */
void promise_needed(struct world *w, const struct run *run, const char *text);
/* An embedder is probed: it was not for texts that fail although others do not. */
void promise_probe(struct world *w, const struct run *run);
/* After each step of an engine: memory, healing; and when it is at rest, 2, 4 and 5 for everything. */
void promise_rest(struct world *w, struct run *run);
/* What a point said until now, for promise_record(). */
/* A guarded write was skipped, and the server does not say so: it is believed until the epochs are counted,
 * but not by one that knows of another installation. */
void promise_skipped(struct world *w, const struct trip *trip, size_t collection,
                     const struct point_write *p);
void promise_said(struct world *w, size_t collection, const struct sim_point *point);

/* ---- check.c ---- */
/* True if Qdrant holds what the documents say, no more, and the records say so. Otherwise sets w->failure.
 * What is broken on purpose is left out. */
bool check_in_sync(struct world *w);

/* ---- shrink.c ---- */
int shrink(uint64_t seed, struct limits *limits);
/* The options that make such a world: "--from 7 --seeds 1 --without crash --ids 3 ...". */
void limits_print(uint64_t seed, const struct limits *limits);

#endif
