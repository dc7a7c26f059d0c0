/*
 * engine.h - the state machine that keeps one MongoDB collection and its Qdrant collections in sync.
 *
 * One thread calls everything here. The engine does no I/O and has no clock: it hands requests to ports
 * (ports.h), is given them back by engine_handle(), and says in engine_run() when it wants to be woken.
 */
#ifndef LOCKSTEP_ENGINE_ENGINE_H
#define LOCKSTEP_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "engine/rules/classify.h"
#include "engine/rules/retry.h"
#include "ports/ports.h"

#define ENGINE_MAX_COLLECTIONS 64 /* of one source: sets of them are bit masks */

struct engine_collection {
    const char *name; /* NAME of [collection:NAME], for logs */
    size_t embedder;  /* index into the embedders */
    const char
        *digest; /* of all that decides its points; another one than the saved one starts a comparing scan */
    const char *place; /* where its points are, without credentials; likewise. NULL: not known */
};

enum watch_mode { WATCH_AUTO, WATCH_STREAM, WATCH_POLL, WATCH_OFF };

/* What became of a document that a person asked for, in one collection. */
struct engine_outcome {
    bool asked;   /* false: left out, the rest is zero */
    bool success; /* the point says what the document says, and the record says so */
    enum action action;
    bool embedded;       /* a new vector was made */
    enum lks_code error; /* with no success */
    const char *text;    /* borrowed: the message; NULL if there is none */
    int64_t duration_ms; /* since the document was read */
};

/* All of it is borrowed. */
struct engine_resynced {
    const struct docid *id;
    bool gone; /* there is no such document: its points were deleted */
    enum sync_status overall;
    const struct engine_outcome *outcomes; /* one per collection */
    size_t count;
};

/* A document whose record is confirmed, or that is gone. All of it is borrowed. */
struct engine_recorded {
    const struct docid *id;
    const char *key; /* its business id; NULL: not known */
    bool gone;       /* no such document any more: its points were deleted; no statuses */
    enum sync_status overall;
    const enum sync_status *statuses; /* one per collection */
    size_t count;
};

/*
 * An one-shot run: only what a person asks for (engine_resync(), or a comparing scan with a sweep), beside
 * what is saved. The stream isn't opened, no cycle runs, and position, token and digests stay as they were,
 * so that whoever comes next follows and compares as if nothing had been done. It ends by itself if it scans,
 * else by engine_stop().
 */
struct engine_one_shot {
    bool on;
    bool scan;          /* compare everything with the points, then sweep */
    uint64_t only;      /* set of collections; 0: all */
    bool force;         /* embed even what is equal */
    bool whole;         /* also hash the payloads that are really there */
    bool allow_deletes; /* also deletes that a sweep would hold */
};

struct engine_config {
    const char *source; /* NAME, for logs */
    const struct engine_collection *collections;
    size_t collection_count;
    const char *const *embedders; /* names, for logs */
    size_t embedder_count;
    /* True if a change of this dotted path can change what any enabled collection makes of a document. */
    bool (*touches)(void *self, const char *path);
    void *touches_self;

    enum watch_mode watch;
    int64_t poll_interval_ms;
    bool poll_recent; /* there is a date field to poll by: between full scans, once an hour, only what is
                         recent */
    bool worker_enabled;
    int64_t interval_ms; /* worker cycle */
    size_t batch_size;   /* documents the worker takes at a time */
    struct retry_policy retry;
    int64_t lease_ms;
    int64_t index_timeout_ms; /* a request to Qdrant is over by then, one way or the other */

    size_t max_docs;  /* credits: documents in memory */
    size_t max_bytes; /* credits: their contents */
    size_t embed_batch;
    size_t write_batch;
    bool once;             /* one pass over everything, then drain by itself */
    int64_t count_busy_ms; /* a source that is never at rest has its points counted so often all the same */
    /* A sweep that finds at least `hold_from` points without a document, and more than this part of our
     * points in the collection, deletes none of them until a person allows it. 100: never held. */
    int max_delete_percent;
    uint64_t hold_from;
    struct engine_one_shot one_shot;
    /* Called with each document that was asked for by engine_resync(), when it is done. May be NULL. Must not
     * call the engine. */
    void (*on_resynced)(void *self, const struct engine_resynced *resynced);
    void *on_resynced_self;
    /* Likewise of each document whose record was written, and of each that is gone. */
    void (*on_recorded)(void *self, const struct engine_recorded *recorded);
    void *on_recorded_self;
};

/* Sensible values for everything a person doesn't set. */
void engine_config_defaults(struct engine_config *config);

/* What a person asks for of a running engine: everything is compared with the points, then swept. */
struct engine_compare {
    uint64_t only;      /* set of collections; 0: all */
    bool force;         /* embed even what is equal */
    bool whole;         /* also hash the payloads that are really there */
    bool allow_deletes; /* also deletes that a sweep would hold */
};

enum engine_phase {
    PHASE_LEASE,  /* waiting for the lease */
    PHASE_SETTLE, /* lease taken; requests of the last holder may still be under way */
    PHASE_LOAD,   /* reading the saved state */
    PHASE_PROBE,  /* first look at embedders and Qdrant collections */
    PHASE_RUN,
    PHASE_DRAIN,   /* finishing what is in work */
    PHASE_RELEASE, /* saving state, giving the lease back */
    PHASE_DONE,    /* nothing is in flight; may be freed */
};

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_PROBING };

struct collection_snapshot {
    enum circuit_state circuit; /* of the Qdrant collection */
    char error[256];            /* why it is open, "" otherwise */
    int64_t open_wall_ms;       /* since when; NO_TIME if it is closed */
    bool key_refused;           /* it is open as the key is refused */
    bool looked;                /* somebody looked at it once, at least */
    enum circuit_state embedder_circuit;
    char embedder_error[256];
    bool embedder_key_refused;
    int64_t embedder_open_wall_ms;
    size_t embedder;                      /* index into the embedders; several collections may share one */
    size_t embed_queued, embed_in_flight; /* of the embedder, for all of them */
    bool fatal;                           /* its plugin can't go on */
    char fatal_error[256];                /* why */
    uint64_t embedded, upserted, payloads, deleted, unchanged, failed, deferred;
    uint64_t retried; /* attempts at what had failed before */
    size_t queued, in_flight;
    struct held_deletes held; /* all zero: none */
};

/* What the engine knows of itself. Filled on the engine's thread; plain data, copy as you like. */
struct engine_snapshot {
    enum engine_phase phase;
    bool lease_held, lease_lost;
    char lease_holder[128];
    uint64_t epoch;
    uint64_t another_epoch;  /* of another installation that writes points of this source; 0: none is known */
    int64_t another_wall_ms; /* with it: since when that is known */
    uint64_t raised_from;    /* the epoch before the lease was raised the last time, */
    uint64_t raised_over;    /* and the higher one that points had; see raised_wall_ms */
    int64_t raised_wall_ms;  /* NO_TIME: it was not raised */
    bool stream_open, stream_unsupported, stream_proven;
    char stream_error[256];
    int64_t stream_broke_wall_ms; /* with an error: since when it isn't open; NO_TIME: not known */
    enum watch_mode watch;
    char mongo_error[256];       /* why MongoDB is waited for; "" if it answers */
    int64_t mongo_broke_wall_ms; /* since when; NO_TIME if it answers */
    int64_t stream_lag_ms;       /* how far behind the last event was when it came, or more where the
                                    server has not answered since; -1: none yet */
    uint64_t events, documents, gone, reads, records, missed;
    uint64_t settled;          /* documents whose work ended with everything in sync */
    struct histogram latency;  /* of those that a change event named: from the change to its confirmation */
    int64_t lag_since_wall_ms; /* the oldest change that has not reached its points; NO_TIME: none is known */
    bool scanning, scan_verifies;
    uint64_t scanned;
    int64_t scan_total; /* -1: not known */
    double scan_rate;   /* documents a second, lately; -1: not known */
    bool sweeping;
    bool compare_asked;   /* engine_compare() is not over */
    bool comparing;       /* and is what is scanned and swept now; else it waits for another scan */
    uint64_t compares;    /* how many are over */
    bool compare_partial; /* the last one passed by a collection whose circuit was open */
    size_t docs_in_work;
    size_t bytes_in_work;
    size_t max_docs, max_bytes; /* no more than that is taken in */
    size_t reads_queued, records_queued;
    uint64_t cycles;
    bool cycle_running;
    int64_t last_cycle_wall_ms; /* NO_TIME: none yet */
    uint64_t cycle_processed, cycle_successful, cycle_failed, cycle_skipped;
    int64_t cycle_duration_ms;
    size_t refused_records; /* documents whose record can be written nowhere */
    char refused_doc[128];  /* one of them: its _id in canonical Extended JSON; "" if there is none */
    size_t collection_count;
    struct collection_snapshot collections[ENGINE_MAX_COLLECTIONS];
};

struct engine;

/* `config` and the strings it names must outlive the engine. NULL when memory is out. */
struct engine *engine_new(const struct engine_config *config, const struct ports *ports);
/* Only in PHASE_DONE, or when no request is in flight any more. */
void engine_free(struct engine *e);

/* A request comes back. Takes it over. */
void engine_handle(struct engine *e, struct req *req);
/* A request comes back to an engine that will only be freed: nothing follows from it. Takes it over. */
void engine_discard(struct engine *e, struct req *req);
/*
 * Submits what is ready and does what is due. Call it after each batch of engine_handle() and when the time
 * it returned has come (monotonic milliseconds; INT64_MAX: nothing to wait for but completions).
 */
int64_t engine_run(struct engine *e);

/* Begins to drain: takes nothing new, finishes what is in work, saves, releases the lease, ends in
 * PHASE_DONE. */
void engine_stop(struct engine *e);
/* Gives up waiting for work that doesn't finish: what is only queued is dropped (the saved token is before
 * it). */
void engine_hurry(struct engine *e);
bool engine_done(const struct engine *e);
/* The lease was lost: everything was dropped; make a new engine, which begins as a follower. */
bool engine_lease_lost(const struct engine *e);
/* It may not start with this configuration: a person has to decide. The log says what; it ends by itself. */
bool engine_refused(const struct engine *e);
/* Requests that are out. */
size_t engine_in_flight(const struct engine *e);

/* A person asks for a document: at once, whatever backoff or circuits say, compared with the points
 * themselves. */
bool engine_resync(struct engine *e, const struct docid *id, uint64_t collections, bool force);
/* A worker cycle now. */
void engine_cycle(struct engine *e);
/* A scan of everything; with `doubt` it compares with the points themselves and sweeps orphans. */
void engine_scan(struct engine *e, bool verify_points);

/*
 * One comparison at a time, beside what the engine does by itself: it begins when no other scan runs, and
 * begins again after one that becomes necessary meanwhile. It is not saved: whoever comes next knows nothing
 * of it. False: there is one already.
 */
bool engine_compare(struct engine *e, const struct engine_compare *request);
/* Ends it where it stands; documents in work are finished. */
void engine_compare_stop(struct engine *e);

void engine_snapshot(const struct engine *e, struct engine_snapshot *out);
/* Two of its members, for who asks often. */
enum engine_phase engine_phase(const struct engine *e);
size_t engine_docs_in_work(const struct engine *e);

#endif
