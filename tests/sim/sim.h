/*
 * sim.h - a world for the engine: a virtual clock, one seeded random generator, and simulated MongoDB,
 * Qdrant, embedders and plugins behind the engine's ports. The engine itself is the real one, unchanged.
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
#define SIM_IDS 24  /* documents have the ids 0 .. SIM_IDS - 1 */
#define SIM_KEYS 16 /* business ids, so that some are held twice */
#define SIM_NO_KEY (-1)
#define SIM_POISON 13 /* a text with this number never embeds */

struct world;

/* One engine from its start to its end or crash. */
struct run {
    struct world *world;
    struct engine *engine;
    struct ports ports;
    struct run *next;
    char owner[24];
    bool alive; /* not crashed, not replaced */
    int64_t paused_until;
    size_t outstanding; /* requests in the world's hands */
    uint64_t tick;      /* number of the timer that counts */
    /* its stream */
    bool stream_open;
    uint64_t stream_at; /* entries up to this one were given out */
};

/* How often things go wrong, in thousandths; drawn per seed. */
struct faults {
    uint64_t mongo_error, mongo_lost_reply, majority_lag_ms, rollback, truncate;
    uint64_t qdrant_refused, qdrant_lost_reply, qdrant_slow, qdrant_outage, qdrant_drop;
    uint64_t embed_error, embed_slow, embed_outage;
    uint64_t crash, stop, pause, second_daemon;
};

/* What a document says; f() of it is what Qdrant must hold. */
struct sim_doc {
    bool exists;
    int key;                   /* SIM_NO_KEY: the field is missing */
    int text[SIM_COLLECTIONS]; /* 0: nothing to embed */
    int payload;
    struct record record; /* syncMetadata */
};

/* The oplog: each entry has the document as it is after it. */
struct entry_log {
    int id;
    enum change_op op;
    bool own; /* a write of syncMetadata alone */
    bool replaced;
    char key[8]; /* the field an update changed */
    struct sim_doc doc;
    int64_t commit_ms; /* majority-committed from here on */
    int64_t wall_ms;
    size_t before; /* the previous entry of this document plus one; 0: none */
};

struct sim_mongo {
    struct entry_log *log;
    size_t count, capacity;
    size_t first;            /* older ones are forgotten by the stream */
    size_t last_of[SIM_IDS]; /* plus one; 0: never there */
    struct engine_state state;
    bool state_saved;
    uint64_t epoch;
    char owner[24];
    int64_t lease_until;
    bool lease_clean, lease_released;
    struct tomb tombs[SIM_IDS];
    bool tombed[SIM_IDS];
    int64_t down_until;
    int64_t last_commit_ms;
    uint64_t elections; /* that undid writes */
};

struct sim_point {
    char id[POINT_ID_BYTES];
    char doc[64], key[16];
    char content_hash[HASH_HEX_BYTES], payload_hash[HASH_HEX_BYTES];
    char payload[64];
    uint64_t epoch;
    int vector; /* the text it was made of */
    bool foreign;
};

struct sim_collection {
    bool exists;
    struct sim_point points[SIM_KEYS * 4];
    size_t count;
    int64_t down_until;
};

struct event {
    int64_t at;
    uint64_t order;
    void (*act)(struct world *, void *, uint64_t);
    void *arg;
    uint64_t number;
};

struct world {
    uint64_t seed, random;
    int64_t now;
    bool trace, quiet; /* quiet: faults and writers have stopped */
    struct faults faults;
    struct event *heap;
    size_t heap_count, heap_capacity;
    uint64_t order;
    struct engine_config config;
    struct engine_collection collections[SIM_COLLECTIONS];
    const char *embedders[SIM_EMBEDDERS];
    struct run *runs;
    unsigned run_count;
    struct sim_mongo mongo;
    struct sim_collection qdrant[SIM_COLLECTIONS];
    int64_t embedder_down_until[SIM_EMBEDDERS];
    uint64_t embedded, upserted, events;
    char failure[512]; /* the first promise that was broken */
};

/* world.c */
uint64_t sim_random(struct world *w);
uint64_t sim_below(struct world *w, uint64_t n);
bool sim_chance(struct world *w, uint64_t thousandths);
void sim_at(struct world *w, int64_t at, void (*act)(struct world *, void *, uint64_t), void *arg,
            uint64_t number);
/* Hands a request back to the engine that sent it, or to nobody if that crashed. */
void sim_reply(struct world *w, struct req *req, int64_t at);
void sim_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct run *sim_run_of(const struct req *req);
/* Runs one seed. True if every promise was kept. */
bool sim_world(uint64_t seed, bool trace, char *failure, size_t failure_bytes, struct world *summary);

/* mongo.c */
void mongo_submit(void *run, struct req *req);
void mongo_app_write(struct world *w);
void mongo_fault(struct world *w);
const struct sim_doc *mongo_doc(const struct world *w, int id);
void mongo_free(struct world *w);
bool sim_doc_is(const bson_t *body, struct sim_doc *doc);

/* servers.c */
void qdrant_submit(void *run, struct req *req);
void embedder_submit(void *run, struct req *req);
void maker_submit(void *run, struct req *req);
void servers_fault(struct world *w);
void sim_make(const struct sim_doc *doc, size_t collection, struct made *made);

/* check.c */
/* True if Qdrant holds what the documents say, no more, and the records say so. Otherwise sets w->failure. */
bool check_in_step(struct world *w);

#endif
