/*
 * documents.h - what comes next for documents: the state of the engine except that of feeds and session.
 *
 * A document (struct document) is in the document table from the moment something says that it may be out of
 * sync until the consequences are durable. It has one target per enabled collection; each target moves on by
 * itself:
 *
 *     make -> point lock -> look [-> takeover] -> embed -> upsert -> stale points -> settled
 *               |-> fetch (the point's own vector) /
 *               \-> borrow (that of its former point) /
 *
 * document_table.c owns the table, document.c what happens to a document, target.c the stages of a target.
 * io/ turns queues into requests and replies into the next stage, feeds/ say which documents to look at,
 * session/ when.
 */
#ifndef LOCKSTEP_ENGINE_DOCUMENTS_DOCUMENTS_H
#define LOCKSTEP_ENGINE_DOCUMENTS_DOCUMENTS_H

#include "engine/engine.h"
#include "engine/rules/batch_queue.h"
#include "engine/rules/circuit.h"
#include "engine/rules/classify.h"
#include "engine/rules/point_lock.h"
#include "engine/rules/watermark.h"

struct document;

#define DUPLICATE_BUCKETS 256
#define LAG_BUCKETS 256
#define MOST_WITH_DUPLICATES 256 /* documents that ask together who else holds what they freed */

/* Somebody's mark in a watermark that waits for a document. */
struct hold {
    struct hold *next;
    struct watermark_entry *entry;
};

/* Why a document has to be looked at; several reasons add up. */
struct dirty_reason {
    cluster_time after;   /* read it no older than this */
    struct hold *holds;   /* owned */
    uint64_t only;        /* set of collections; 0: all */
    bool verify_points;   /* ask the points themselves */
    bool force;           /* embed even what is equal */
    bool explicit_ask;    /* a person asked: open circuits don't count */
    bool scanned;         /* seen by a scan, not by an event */
    bool tombstone;       /* there is a durable tombstone for it */
    bool tombstone_alone; /* and nothing else brings us here */
    bool record_refused;  /* its tombstone says that its record is to be written, too */
    bool duplicate_pair;  /* looked at on behalf of another holder of its business id: not to be passed on */
    bool cycle;           /* taken by the worker: counts in the cycle's figures */
    bool names_only;      /* no collection reads what changed: only lastModifiedFields is to say so */
    int64_t happened_ms;  /* wall clock: the oldest event among them; 0: none */
    int64_t tombstone_since_ms, tombstone_due_ms;
    char *tombstone_key;     /* owned */
    struct owed_points owed; /* points to be written or deleted although they may not be seen */
    char **keys; /* owned, NULL-terminated: top-level fields that events changed, without repetition; NULL:
                    none known */
    size_t key_count;
};

enum target_stage {
    TARGET_MAKE,
    TARGET_LOOK,
    TARGET_FETCH,  /* its point alone is looked at, as its vector is to be written again */
    TARGET_BORROW, /* another point of the document with the same content is looked at, as its vector will do
                    */
    TARGET_TAKEOVER, /* a tombstone is put for a document that will not be what its record says */
    TARGET_EMBED,
    TARGET_UPSERT,
    TARGET_STALE_LOOK,
    TARGET_STALE_DELETE,
    TARGET_SETTLED
};

struct target {
    struct node node; /* first: in one of the batch queues */
    struct document *doc;
    size_t collection;
    enum target_stage stage;
    struct point_lock point_lock; /* the point whose turn it has or waits for */
    struct made made;
    struct wanted wanted;
    enum action action;
    bool embedded; /* a new vector was made */
    bool wrote;    /* something was written to Qdrant */
    bool looked;   /* the points were asked */
    bool failed;   /* settled without reaching what is wanted */
    bool leaves;   /* only stale points are settled: see owed_stale_points_only() */
    int64_t settled_ms;
    int rounds;    /* how often it went back to an earlier stage */
    float *vector; /* owned */
    size_t dimensions;
    size_t vector_credit;        /* what it counts in bytes_in_work: it came from the point */
    bool wants_vector;           /* the next look brings the point's vector, too */
    bool asked_vector;           /* the last one did */
    char twin[POINT_ID_BYTES];   /* the point that the vector is borrowed from; "": none was seen yet */
    bool keeps;                  /* the point has vectors under further names */
    bool agreed;                 /* all replicas were asked at the last look */
    bool blind;                  /* the stale point is deleted although the replica that was read lacks it */
    struct lks_err *unconfirmed; /* owned: a write failed with it that a replica may have; it is put first */
    struct docid *taken_over;    /* owned: the document that the tombstone is put for */
    enum target_stage after_takeover;     /* what it looks at again then */
    char (*stale_points)[POINT_ID_BYTES]; /* owned: points of this document that must go */
    size_t stale_count;
};

enum document_state {
    DOCUMENT_QUEUED,         /* dirty, waits to be read */
    DOCUMENT_READING,        /* in a read request */
    DOCUMENT_WORKING,        /* its parts are under way */
    DOCUMENT_DUPLICATES,     /* asking who else holds its business ids */
    DOCUMENT_PUT_TOMBSTONE,  /* its tombstone is being written */
    DOCUMENT_RECORDING,      /* its record is being written */
    DOCUMENT_DROP_TOMBSTONE, /* its tombstone is being dropped */
    DOCUMENT_LINGER          /* finished, kept until the scan page asked for before has come */
};

struct document {
    struct node node;       /* first: in one of the documents' batch queues */
    struct document *chain; /* of the map's bucket */
    struct document *linger_next;
    struct docid *id;
    char *json; /* the id as `_lockstep.doc` shows it */
    enum document_state state;
    bool is_dirty;
    bool listed;               /* in the list of lingering documents, whatever its state */
    struct dirty_reason dirty; /* what came since it was read */
    struct dirty_reason work;  /* what it was read for */
    struct source_document src;
    struct record after;
    bool gone;    /* a majority read found no such document */
    bool refused; /* its record can be written nowhere: a tombstone is put for it */
    size_t targets_open;
    size_t bytes; /* counted in the engine's bytes_in_work */
    int64_t begun_ms;
    uintptr_t scan; /* that ran, or had run last, when it was asked for */
    char **freed;   /* owned: business ids whose points were freed or changed owner */
    size_t freed_count;
    int attempts; /* to write its record, in a row, that came to nothing */
    struct batch_queue *deferred_to;
    int64_t deferred_until_ms;
    struct docid
        *duplicates_from; /* owned; of their other holders those up to here are marked; NULL: none yet */
    struct target targets[];
};

struct collection_state {
    const struct engine_collection *config;
    struct circuit circuit;
    struct batch_queue make, look, upsert, del;
    bool known_empty; /* it had no point of ours when this run began, and only we write: a first scan needn't
                         ask */
    bool fatal;       /* its plugin can't go on */
    bool deferred;    /* parts were put aside since the last cycle */
    bool looked;      /* ensure came back at least once */
    bool absent;      /* it is not there, and is made when the first document is: see health_probes.c */
    bool further;     /* its points may have vectors under further names */
    bool cosine;      /* as ensure said: a vector of zeros has no place there */
    float most;       /* likewise: the greatest number in a vector; 0: any */
    bool replicated, replicas_active;
    bool guarded;         /* the server knows update_filter: a write that it skips is invisible */
    uint64_t epoch_seen;  /* the highest above the lease's that a point was seen with; 0: none */
    bool epochs_counted;  /* at least once under this lease */
    uint64_t epoch_clean; /* no point had an epoch above this one when they were counted last; 0: not known */
    int64_t last_warning_ms;
    struct held_deletes count; /* of the sweep that runs */
    struct held_deletes held;
    struct collection_snapshot stats;
};

struct embedder_state {
    const char *name;
    struct circuit circuit;
    struct batch_queue embed;
    size_t dimensions; /* 0: not known yet */
};

/* A document that has no point because one with a lower `_id` holds its business id. */
struct duplicate_pair {
    struct duplicate_pair *chain;
    struct docid *owner, *duplicate; /* owned */
    char *key;                       /* owned */
};

/* What feeds and session have decided, for documents to read. */
struct facts {
    uint64_t epoch;            /* of the lease */
    int64_t lease_until_ms;    /* the lease is ours until then */
    bool clean_start;          /* the last lease holder gave it back, and left nothing unknown */
    bool stream_notifies;      /* a change is heard of, or was, and will be again */
    bool compares;             /* a scan compares everything with the points */
    bool page_requested;       /* a scan has asked for a page */
    uintptr_t scan;            /* the number of the scan that runs, or ran last */
    uint64_t swept;            /* set of collections whose points a sweep has not gone through yet */
    cluster_time verify_until; /* events up to here are replays from before this lease */
    uint64_t another_epoch;    /* another installation writes points of this source with it; 0: none does */
    int64_t mongo_until_ms;    /* MongoDB does not answer: what needs it waits until then */
    int64_t tombstone_keep_ms; /* after so long no request of an earlier lease holder can be under way */
};

struct feeds;
struct session;

struct engine {
    struct feeds *feeds;     /* documents do not know what is in it */
    struct session *session; /* nor feeds what is in this */
    const struct engine_config *config;
    struct ports ports;
    enum engine_phase phase;
    size_t in_flight; /* requests out */
    struct collection_state *collections;
    size_t collection_count;
    struct embedder_state *embedders;

    struct document **buckets;
    size_t bucket_count, documents_mapped; /* mapped counts lingering ones too */
    size_t docs_in_work, bytes_in_work;
    struct document *lingering;
    struct point_locks point_locks;
    struct duplicate_pair *duplicate_ids[DUPLICATE_BUCKETS];
    size_t duplicate_pair_count;
    struct {
        struct lag_entry *buckets[LAG_BUCKETS];
        size_t count;
        int64_t unnamed_wall_ms; /* the oldest that there was no room for; NO_TIME: none */
    } lag;
    struct batch_queue reads, records, duplicates, tombstone_puts, tombstone_drops, takeovers;
    struct facts facts;
    /* What documents have come to, for who is above them to take: */
    struct batch_queue granted;        /* targets that were given a point lock */
    struct batch_queue settled;        /* documents whose last target is settled */
    uint64_t cycle_done, cycle_failed; /* documents of the retry cycle */
    int64_t retry_wall_ms;             /* the earliest nextRetryAt that was written; NO_TIME: none */
    bool rejects_wanted; /* a duplicate could not be made dirty: the next cycle looks at all rejected ones */
    struct batch_queue deferred; /* documents that go to another queue at a time of theirs: deferred.c */

    struct refused *refused; /* owned; documents whose record can be written nowhere */
    size_t refused_count;
    bool no_documents; /* the source had none when the state was loaded, and none was in work since */

    bool unknown; /* something was given up whose outcome is not recorded: no clean mark */
    struct engine_snapshot stats;
    bool save_dirty; /* what is saved has changed */
};

/* ---- clock ---- */
static inline int64_t now_ms(const struct engine *e)
{
    return e->ports.clock.now_ms(e->ports.clock.self);
}
static inline int64_t wall_ms(const struct engine *e)
{
    return e->ports.clock.wall_ms(e->ports.clock.self);
}
static inline struct collection_state *collection_of(struct engine *e, const struct target *target)
{
    return &e->collections[target->collection];
}
static inline struct entry *entry_of(struct target *target)
{
    return &target->doc->after.entries[target->collection];
}
static inline uint64_t chance(struct engine *e)
{
    return e->ports.clock.random(e->ports.clock.self);
}

static inline bool mongo_paused(const struct engine *e)
{
    return e->facts.mongo_until_ms > now_ms(e);
}

/* ---- dirty_reason.c ---- */
/* Adds `more` to `to`, taking its contents. */
void dirty_reason_merge(struct dirty_reason *to, struct dirty_reason *more);
void dirty_reason_move(struct dirty_reason *to, struct dirty_reason *from);
bool dirty_reason_add_hold(struct dirty_reason *reason, struct watermark_entry *entry);
/* What waits for `from` waits for this one, too. False when memory is out, with some of it done. */
bool dirty_reason_share_holds(struct dirty_reason *reason, const struct dirty_reason *from);
/* Remembers the top-level field that a changed path lies in. */
void dirty_reason_add_key(struct dirty_reason *reason, const char *path);
/* The work for it is durable: releases the watermark entries that it holds. */
void dirty_reason_release(struct dirty_reason *reason);
/* Frees it. What it holds stays held. */
void dirty_reason_fini(struct dirty_reason *reason);
/* After so long a record that was refused is tried again. */
#define REFUSED_AGAIN_MS 300000
/* The time of the tombstone that brings the document here is over. */
bool tombstone_is_due(const struct engine *e, const struct dirty_reason *reason);
/* No tombstone that was put by a right clock is due later than this. */
int64_t tombstone_latest_due(const struct engine *e);

/* ---- document_table.c ---- */
bool document_table_init(struct engine *e);
void document_table_fini(struct engine *e);
struct document *document_table_find(struct engine *e, const struct docid *id);
/* Says a document has to be looked at. Takes the contents of `why`; not so when it returns false, since
 * memory is out. Of a document that is in work or queued it never is. */
bool document_make_dirty(struct engine *e, const struct docid *id, struct dirty_reason *reason);
/* The same, and it holds this position (taken) until then. False when memory is out: then nothing has come of
 * it, and `why` is empty. */
bool document_make_dirty_holding(struct engine *e, const struct docid *id, struct dirty_reason *reason,
                                 struct watermark *until, void *position);
/* Everything that is in work is looked at once more, and holds that mark until then. */
void document_table_make_dirty(struct engine *e, struct watermark *until);
/* A scanned document that nobody holds: in the map and at work at once. NULL when memory is out, and `src`
 * and `why` are as they were. */
struct document *document_adopt(struct engine *e, struct source_document *src, struct dirty_reason *reason);
/* It is in a read request now; what comes from here on makes it dirty again. */
void document_reading(struct engine *e, struct document *doc);
/* The read failed: all reasons stay, and it waits again. */
void document_unread(struct engine *e, struct document *doc);
/* The work on it is over. Unless something new came meanwhile, it leaves the map: at once, if it was seen by
 * a scan (the next page begins after it), else not before the page that was asked for has come. */
void document_table_release(struct engine *e, struct document *doc, bool scanned);
/* Lets finished documents go that were kept for a scan page. */
void document_table_end_linger(struct engine *e);
/* Drops documents that only wait to be read (their marks stay held, so that nothing after them is saved). */
void document_table_drop_queued(struct engine *e);
void document_table_drop_all(struct engine *e);
/* Frees what the work on a document brought along; its reasons stay. */
void document_drop_contents(struct engine *e, struct document *doc);

/* A new document in the map; NULL when memory is out. */
struct document *document_new(struct engine *e, const struct docid *id);
/* One that the retry cycle brought here is done with. */
void document_cycle_done(struct engine *e, bool failed);

/* ---- document.c ---- */
/* The contents of a document are here (taken from `src`); starts its parts. */
void document_begin(struct engine *e, struct document *doc, struct source_document *src);
/* Goes on with targets that were given a point lock, and documents whose targets are all settled. */
void documents_step(struct engine *e);
/* Results of the documents' batch queues. */
void document_duplicates_known(struct engine *e, struct document *doc);
void document_tombstone_written(struct engine *e, struct document *doc);
void document_recorded(struct engine *e, struct document *doc, enum lks_code code);
void document_tombstone_dropped(struct engine *e, struct document *doc);

/* ---- deferred.c ---- */
/* Its record was not written, for a reason that passes: it goes to the front of this queue, where a document
 * that only begins to fail may go at once, or waits. */
void document_defer(struct engine *e, struct document *doc, struct batch_queue *to);
/* Those whose time has come go on. */
void deferred_run(struct engine *e);
/* Those that wait to be read go on now, whatever the time. */
void deferred_end_reads(struct engine *e);
/* When the next one goes on; INT64_MAX: none waits. */
int64_t deferred_next_ms(const struct engine *e);

/* ---- owed.c ---- */
bool owed_has(const struct owed_points *list, size_t collection, const char *id);
/* False when memory is out. */
bool owed_add(struct owed_points *list, size_t collection, const char *id);
bool owed_add_all(struct owed_points *list, const struct owed_points *more);
/* An acknowledged write or delete of it, or all replicas show that there is none. */
void owed_done(struct owed_points *list, size_t collection, const char *id);
/* The point is right on the replica that was read, and only an acknowledged write says that all have it. */
bool owed_want_write(const struct engine *e, const struct target *target, const struct stamp *own);
/* What is to be done about a stale point that the replica which was read does not show as this document's. */
enum stale_verdict {
    STALE_GONE,
    STALE_DELETE, /* a replica may have it all the same */
    STALE_UNKNOWN /* not known now; `err` says why */
};
enum stale_verdict owed_judge_stale(struct target *target, const char *stale_point, const struct stamp *seen,
                                    struct lks_err *err);
/* The point that the record names, if it is not the one that is wanted, may be on some replica still. False
 * when memory is out. */
bool owed_add_former(const struct engine *e, struct target *target);
/* Only a tombstone that is owed something brings us here, and the record says that somebody comes anyway, or
 * that nobody can do anything about its own point. */
bool owed_leave(const struct target *target);
/* So it is, but it owes points that are not its own: those alone are settled, nothing is embedded. */
bool owed_stale_points_only(const struct target *target);
/* Its look has to ask all replicas. */
bool owed_ask_all(const struct engine *e, const struct target *target);

/* ---- load_shedding.c ---- */
/* Takes parts that wait for a slow collection off documents when others starve. */
void load_shedding_run(struct engine *e);

/* ---- duplicate_ids.c ---- */
/* The document has no point: its `src.owner` holds `key` too. It is looked at again when that changes. */
void duplicate_id_lost(struct engine *e, const struct document *doc, const char *key);
/* Two documents hold one business id: the lower `_id` has the point, this one has none. False when memory is
 * out. */
bool duplicate_id_refuse(struct target *target);
/* Memory is out: a duplicate is not made dirty, and the retry cycle looks at all rejected ones. Releases
 * `reason`. */
void duplicate_id_not_dirty(struct engine *e, struct dirty_reason *reason);
/* The document was looked at: whoever waits for a business id that it doesn't hold (any more) is looked at
 * again. */
void duplicate_ids_recheck(struct engine *e, const struct document *doc, const char *key);
void duplicate_ids_fini(struct engine *e);
/* A point made of this business id was freed or changed its owner. */
void document_add_freed(struct engine *e, struct document *doc, const char *key);

/* ---- refused.c ---- */
/* The document's record can be written nowhere, and a tombstone says so; or that is over. */
void refused_note(struct engine *e, const struct document *doc);
void refused_forget(struct engine *e, const struct document *doc);
/* What its record says is older than what its points say. */
bool refused_is(struct engine *e, const struct document *doc);
void refused_fini(struct engine *e);

/* ---- lag.c ---- */
/* The work on a document is over: it is in sync now, or is known to be behind. */
void lag_document_done(struct engine *e, const struct document *doc);
/* A scan from the first document to the last is over: what it did not see is gone. */
void lag_scanned(struct engine *e);
/* Since when the oldest change has not reached its points, wall clock; NO_TIME: none that is known. */
int64_t lag_since(const struct engine *e);
void lag_fini(struct engine *e);

/* ---- machines.c ---- */
/* Every change of a stage or state, but for the first one. */
void target_move(const struct engine *e, struct target *target, enum target_stage to);
void document_move(struct document *doc, enum document_state to);

/* ---- target.c ---- */
void target_start(struct engine *e, struct target *target);
void target_made(struct engine *e, struct target *target, struct made *made);
void target_looked(struct engine *e, struct target *target, const struct stamp *found, size_t count);
/* Somebody asked for another vector, whatever its record and point say. */
bool target_embeds_anew(const struct target *target);
void target_embedded(struct engine *e, struct target *target, float *vector, size_t dimensions);
/* It has no vector. If it never will, its points under other ids go all the same. */
void target_not_embedded(struct engine *e, struct target *target, const struct lks_err *err);
void target_written(struct engine *e, struct target *target);
void target_deleted(struct engine *e, struct target *target);
/* It waits to delete a stale point: that is looked at once more before. */
void target_stale_again(struct engine *e, struct target *target);
void target_taken_over(struct engine *e, struct target *target);
/* It has the point lock it waited for. */
void target_point_lock_granted(struct engine *e, struct target *target);

/* ---- target_outcome.c ---- */
void target_settled(struct engine *e, struct target *target);
void target_synced(struct engine *e, struct target *target);
void target_leave_to_another(struct engine *e, struct target *target, const char *what);
void entry_clear_hashes(struct entry *entry);
void target_release_point_lock(struct engine *e, struct target *target);
/* One target less is open. */
void document_count_settled(struct engine *e, struct document *doc);
void target_failed(struct engine *e, struct target *target, const struct lks_err *err);
/* The same of a write or delete; `unknown`: it may have been done. */
void target_not_written(struct engine *e, struct target *target, const struct lks_err *err, bool unknown);
/* Writes it down as waiting; the worker comes back to it. */
void target_defer(struct engine *e, struct target *target);
void target_fini(struct engine *e, struct target *target);

/* ---- own_point.c ---- */
/* Its record is not believed: the points are asked. */
bool target_verifies_point(struct engine *e, const struct target *target);
/* It is to be expected that this look ends in a write with the vector that the point has. */
bool vector_expected(const struct engine *e, const struct target *target);
/* Takes a copy of the point's vector, if that can be used, and counts it. False when memory is out. */
bool vector_take(struct engine *e, struct target *target, const struct stamp *own);
/* A point under another id holds the very content that is wanted: the document's key has changed, or another
 * version spelled it otherwise. */
bool target_is_twin(const struct target *target, const struct stamp *w);
/* Where it may be: the twin that was seen, or else what the record says, as no search finds each spelling of
 * an `_id`. NULL: nowhere. */
const char *target_former_point(const struct target *target, const struct stamp *twin);
/* Lets go of whatever vector it has. */
void vector_drop(struct engine *e, struct target *target);
void target_note_point(struct target *target, const struct stamp *own);
bool target_needs_stamp(const struct engine *e, const struct target *target, const struct stamp *own);
/* A point was seen, with an epoch above the lease's perhaps. */
void epoch_seen(struct engine *e, size_t collection, const struct stamp *seen);
/* Another installation's point: what we write to it is skipped. */
bool target_kept_out(const struct engine *e, const struct target *target, const struct stamp *point);
/* While another installation writes: what an event names, or a person asks for, is deleted all the same,
 * unless the other wrote it last. */
bool target_may_delete(const struct engine *e, const struct target *target, const struct stamp *stale_point);

#endif
