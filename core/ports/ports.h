/*
 * ports.h - how the engine meets the world.
 *
 * The engine asks by handing a request to a port's submit(); the adapter does the work on threads of its own
 * and posts the very same request back, its `out` part and `err` filled in. There is no other way in or out,
 * which is what lets the same engine run over real servers and under tests/sim.
 *
 * Ownership: a request is made by req_new() and belongs to the adapter from submit() until it is posted back;
 * then to the engine again, which frees it by req_free(), `in` and `out` alike. Exceptions are marked
 * "borrowed": they stay where they are, unchanged, until the request is posted back. Every submitted request
 * is posted back exactly once, also when it fails, is cancelled, or the adapter is being closed. Nothing is
 * posted from inside submit().
 *
 * Times: `_ms` are milliseconds. Wall-clock times count from 1970 UTC; `now` of struct clock is monotonic,
 * and goes on while the machine is suspended.
 */
#ifndef LOCKSTEP_PORTS_PORTS_H
#define LOCKSTEP_PORTS_PORTS_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/docid.h"
#include "base/err.h"
#include "collection/made.h"
#include "model/record.h"

/* MongoDB's cluster time: seconds in the upper, increment in the lower 32 bits. 0: none. */
typedef uint64_t cluster_time;

enum req_kind {
    /* source */
    REQ_STREAM_OPEN,
    REQ_STREAM_NEXT,
    REQ_READ,
    REQ_SCAN,
    REQ_DUE,
    REQ_DUPLICATES,
    REQ_COUNT_RECORDS,
    REQ_ORPHAN_RECORDS,
    /* store */
    REQ_RECORD,
    REQ_STATE_LOAD,
    REQ_STATE_SAVE,
    REQ_TOMBSTONES_PUT,
    REQ_TOMBSTONES_LIST,
    REQ_TOMBSTONES_DROP,
    REQ_LEASE,
    /* maker */
    REQ_MAKE,
    /* embedder */
    REQ_EMBED,
    REQ_EMBED_PROBE,
    /* index */
    REQ_ENSURE,
    REQ_LOOKUP,
    REQ_UPSERT,
    REQ_DELETE,
    REQ_SCROLL,
    REQ_COUNT,
    REQ_EPOCHS,
    REQ_KIND_COUNT
};

/* ---- what travels ---- */

/* A document as read from the source with majority concern. Owned by the request that brought it until taken.
 */
struct source_document {
    struct docid *id;     /* owned */
    bson_t *body;         /* owned; projected to what enabled collections read; NULL: no such document */
    struct record record; /* what its syncMetadata (or sidecar) says; absent if there is none */
    struct docid *owner;  /* owned; the lowest other `_id` with the same business id if it is lower than this
                             one's; else NULL */
    bool contested;       /* a document with a higher `_id` holds the same business id */
    size_t bytes;         /* memory it takes, for credits */
};

enum change_op {
    CHANGE_UPSERT,
    /* insert or replace: anything may have changed */ CHANGE_UPDATE,
    CHANGE_DELETE
};

/* One event of the change stream. */
struct change {
    enum change_op op;
    struct docid *id; /* owned */
    char **keys;      /* owned, NULL-terminated, without those of the record: dotted paths that an update set,
                         removed or truncated; the names of all fields but `_id` after an insert or a replace;
                         NULL: not known */
    bson_t *token;    /* owned; the event's own resume token */
    cluster_time at;
    int64_t wall_ms; /* when it happened, for the lag */
    bool replaced;   /* a replace: a record that was there is gone */
    bool record_too; /* an update that also wrote to the record, which may say anything now */
};

/* What Qdrant says of a point: its `_lockstep`. */
struct stamp {
    char point_id[POINT_ID_BYTES];
    bool ours;      /* it has a `_lockstep` whose source is this one */
    bool foreign;   /* it has none, or another source's */
    char *doc;      /* owned: `_lockstep.doc`, in its canonical spelling; NULL unless `ours` */
    bool respelled; /* the point has another spelling of it, of an earlier version */
    char *key;      /* owned */
    char content_hash[HASH_HEX_BYTES];
    char payload_hash[HASH_HEX_BYTES];
    uint64_t epoch;
    float *vector; /* owned; where it was asked for: its vector without a name; NULL: it has none that can be
                      used (one with nulls in it, as a number did not fit) */
    size_t dimensions; /* of that */
    bool further;      /* where the vector was asked for: it has others, under names */
    bool
        differs; /* with `consistent`: replicas of the collection do not agree on it; this is what one says */
};

/* Points that a replica may have although the one that is read does not show them. */
struct owed_points {
    struct owed_point {
        size_t collection; /* SIZE_MAX: of a collection that is off */
        char id[POINT_ID_BYTES];
    } * items; /* owned */
    size_t count;
};

/* A point to write. All pointers are borrowed from the document's work. */
struct point_write {
    const char *point_id;
    const float *vector; /* `dimensions` of the collection */
    size_t dimensions;
    const char *payload; /* RFC 8785 object without `_lockstep`; the adapter adds that */
    size_t payload_bytes;
    const char *doc, *key; /* for `_lockstep` */
    const char *content_hash, *payload_hash;
    uint64_t epoch;
    /* The point is there and has vectors under further names, which stay. Then OK says only that all was
     * carried out: whether the point was still there, and let it be written, a look has to show. */
    bool keeps;
    /* out */
    enum lks_code code;   /* LKS_E_OK: confirmed (status completed) */
    char *error;          /* owned; the message when `code` is not OK */
    enum lks_blame blame; /* with an error: whose failure it is */
    bool unknown;         /* with an error: it may have been applied all the same */
};

/* Writing a record by compare-and-set. */
struct record_write {
    const struct docid *id; /* borrowed */
    const struct record
        *before; /* borrowed: the record as read; the write takes place only if it is still so */
    const struct record *after; /* borrowed; entries that equal those of `before` are not written */
    /* out */
    enum lks_code code; /* LKS_E_OK; LKS_E_MISSED; LKS_E_NOT_FOUND (document gone); LKS_E_REFUSED (also in the
                           sidecar); LKS_E_MONGO (not known) */
};

/*
 * A document that somebody has to come back to, whatever happens: its points must go, or another document
 * takes its point, or its business id. Of a deleted document it is durable before the resume token passes the
 * delete event, and dropped after its points were looked for once more when every request of an earlier
 * writer is over. Of one that is there it is durable before the point is taken, and dropped once its own
 * record is written.
 */
struct tombstone {
    struct docid *id; /* owned */
    char *key; /* owned; business id whose other holders must be looked at before the tombstone is dropped; or
                * NULL
                */
    cluster_time after; /* the delete event: a read must be no older */
    int64_t since_ms;   /* wall clock: when it was made */
    int64_t due_ms;     /* wall clock: it need not be looked at before */
    bool takeover;      /* PUT: the document may well be there, so a record beside it stays */
    bool refused; /* its record can be written nowhere: it is tried again at each start, and when it is due */
    struct owed_points owed; /* what was not acknowledged by all replicas. PUT adds them to those of before */
};

/* Points without a document that a sweep has counted and not deleted, as they are too many. */
struct held_deletes {
    uint64_t orphans; /* 0: none are held */
    uint64_t points;  /* of our source, in the collection */
};

/* What a source's state document in `lockstep.state` holds for the engine. */
struct engine_state {
    bson_t *token; /* owned; resume token; NULL: never saved */
    cluster_time token_time;
    struct docid *scan_after; /* owned; position of an unfinished scan; NULL: from the start */
    bool scan_running;        /* a scan was begun and not finished */
    bool scan_verifies;       /* that scan compares with the points themselves */
    bool clean;               /* the last holder drained and left nothing unknown */
    bool drop_reported;       /* the stream reported a drop or a rename, and the sweep after it is not over */
    bool
        no_documents; /* LOAD, out: the source has none. It is not known where it could not be asked: false */
    struct held_deletes *held; /* owned, one for each enabled collection in their order; NULL: none */
    uint64_t replicas_known;   /* set of enabled collections whose replicas were looked at before */
    uint64_t replicas_owed;    /* those of them whose replicas have to be compared */
    char **digests; /* owned, NULL-terminated: what decided each enabled collection's points at the last run,
                       in their order, saved under their names; "" where none was saved for that name; NULL:
                       none at all */
    char **places;  /* owned, likewise: where each enabled collection's points were at the last run */
};

/* RAISE: the lease, which is mine, gets a higher epoch, and is renewed. In the same write the saved state
 * says that everything has to be compared with the points from the first document on. */
enum lease_op { LEASE_TAKE, LEASE_RENEW, LEASE_RELEASE, LEASE_RAISE };

/* ---- the requests ---- */

struct req {
    enum req_kind kind;
    void *context;      /* the engine's own; adapters leave it alone */
    void *sender;       /* whoever stands between engines and adapters: which engine asked */
    struct req *next;   /* for queues of whoever owns the request */
    struct lks_err err; /* out: err.code is LKS_E_OK if the request as a whole went well */
    /* Of a request to the index, by the engine's clock: nothing of it is sent from then on, and what was sent
     * is waited for no longer. The adapter checks it where a transfer starts. 0: none. */
    int64_t deadline_ms;
    union {
        /* Opens (again) the change stream. Any earlier one is closed first. */
        struct {
            const bson_t *token; /* borrowed; startAfter; NULL: from `at`, or from now */
            cluster_time
                at; /* with a token: its time, for the proof; without: startAtOperationTime; 0: now */
            /* out */
            cluster_time opened_at; /* nothing that happened after this time is missed */
            cluster_time now;       /* the server's time when it was opened: what is older is a replay */
            bool proven;            /* the history from the token on is known to be there */
            /* errors: LKS_E_STREAM_LOST, LKS_E_UNSUPPORTED, LKS_E_MONGO */
        } stream_open;
        /* Waits for events, up to `wait_ms`. LKS_E_STREAM_LOST; LKS_E_STREAM_ENDED (drop, rename: open again
         * after `token`); LKS_E_MONGO. */
        struct {
            size_t max_events;
            int wait_ms;
            /* out */
            struct change *changes; /* owned */
            size_t change_count;
            bson_t *token;   /* owned; post-batch token, only if it may be saved (proven); NULL otherwise */
            cluster_time at; /* of that token */
            bool proven;
        } stream_next;
        /* Reads documents by id with majority concern, no older than `after`. */
        struct {
            const struct docid **ids; /* the array is owned, the ids are borrowed */
            size_t count;
            cluster_time after;
            /* out */
            struct source_document *docs; /* owned; same order and count as ids; body NULL: not there */
        } read;
        /* The next documents in the order of `_id`, across all types of `_id`. */
        struct {
            const struct docid *from;   /* borrowed; the page begins after it; NULL: at the very first */
            size_t max_docs, max_bytes; /* one oversize document travels alone */
            cluster_time after;         /* the page is no older than this */
            bool recent_only; /* polling by a date field: only what is newer than the newest date seen, less
                                 an overlap, and documents where it is no date */
            /* out */
            struct source_document *docs; /* owned */
            size_t count;
            bool end;               /* there are no more */
            int64_t total_estimate; /* documents in the collection, roughly; -1: not known */
        } scan;
        /*
         * Ids of documents the worker has to look at: an entry that is pending, or stale or failed with
         * nextRetryAt <= now (stale also with null), in the order of `_id`. A document without a record
         * counts as pending. failed with nextRetryAt null is not due.
         */
        struct {
            int64_t now_ms;     /* wall clock */
            bool rejected_too;  /* also entries that failed with VALIDATION_ERROR and have no nextRetryAt */
            bool recorded_only; /* leave out documents and collections without an entry (a scan reaches them)
                                 */
            bool failed_only;   /* instead: every entry that has failed, whenever its time comes; with
                                   `recorded_only`, and `next_ms` isn't looked for */
            bool contradicting; /* instead: records whose overallStatus is not what their entries make, or
                                   with an entry that failed without an error and a nextRetryAt. Bounded in
                                   time: an error may mean no more than that it took too long */
            const bool *collections;  /* borrowed, one per enabled collection: false leaves its entries out */
            const struct docid *from; /* borrowed; begin after it; NULL: at the first */
            size_t max_docs;
            /* out */
            struct docid **ids; /* owned, also the ids */
            size_t count;
            bool end;
            int64_t next_ms; /* with `end`: the earliest later nextRetryAt (wall clock), or NO_TIME */
        } due;
        /* Ids of documents that hold one of these business ids (as `_lockstep.key` shows them), the lowest
         * first. */
        struct {
            const char **keys; /* the array is owned, the strings are borrowed */
            size_t count;
            size_t max_ids;
            const struct docid *from; /* borrowed; begin after it; NULL: at the first */
            /* out */
            struct docid **ids; /* owned, also the ids */
            size_t id_count;    /* max_ids: there may be more */
        } duplicates;
        /* Counts over the whole collection, majority. */
        struct {
            /* out */
            int64_t *with_point; /* owned, one per enabled collection: entries with a pointId */
        } record_counts;
        /* Ids of records beside documents whose document does not exist, page by page in the order of `_id`.
         * No page is older than `after`. */
        struct {
            struct docid *from; /* owned; the page begins after it; NULL: at the first */
            size_t max_records; /* that are gone through, whether they have a document or not */
            cluster_time after;
            /* out */
            struct docid **ids; /* owned, also the ids */
            size_t count;
            struct docid *next; /* owned; the last that was gone through; NULL: there are no more */
        } orphan_records;
        /* Writes records, in bulk, each by compare-and-set, w: majority. */
        struct {
            struct record_write *writes; /* owned array */
            size_t count;
        } record;
        struct {
            struct engine_state state; /* out, owned */
        } state_load; /* LKS_E_CONFIG: the source is not ours to write to as it is configured */
        /* Saves the state, w: majority, only while `epoch` is still the lease's (else LKS_E_LEASE). */
        struct {
            struct engine_state state; /* owned */
            uint64_t epoch;
        } state_save;
        /* PUT adds or replaces tombstones (no key: the one that is there stays), LIST brings those that are
           due, in the order of (due_ms, the id's text), DROP removes them, by id and `since_ms`: not one that
           was put after the one that is meant. */
        struct {
            bool refused;        /* LIST: only those of documents whose record was refused */
            int64_t due_by_ms;   /* LIST: only with due_ms <= this (wall clock) */
            int64_t from_due_ms; /* LIST: begin after the tombstone with this due_ms and id; */
            struct docid *from;  /* owned; NULL: at the first */
            size_t max;          /* LIST: at most this many */
            int64_t next_ms; /* LIST, out: if all were brought, the earliest due_ms after them, or NO_TIME */
            struct tombstone *tombstones; /* owned. PUT and DROP: in. LIST: out */
            size_t count;
        } tombstones;
        struct {
            enum lease_op op;
            int64_t lease_ms;
            uint64_t epoch;    /* RENEW, RELEASE, RAISE: mine. Out of TAKE: mine, if held */
            uint64_t raise_to; /* RAISE: the new epoch, which it may have already, after a lost reply */
            bool clean;        /* RELEASE: nothing is unknown */
            bool proven;       /* RENEW, RELEASE: no point had an epoch above `floor` */
            /* out */
            bool held;             /* TAKE, RENEW, RAISE: it is mine now */
            uint64_t floor;        /* TAKE, held: the epoch of the first holder since the last one that was
                                      proven; what a point has above that, it has from elsewhere; 0: none */
            int64_t remaining_ms;  /* TAKE, not held: until the holder's runs out */
            bool previous_expired; /* TAKE, held: the last holder did not release it: wait out its requests */
            char *lease_holder;    /* owned; TAKE, not held: who has it, for a person */
        } lease;
        /* Text, payload, hashes and point id of documents, for one collection. */
        struct {
            size_t collection;
            const struct source_document **docs; /* the array is owned, the documents are borrowed */
            size_t count;
            /* out */
            struct made *made; /* owned; one per document */
        } make;
        /* Vectors of texts. The adapter caches, bisects a failing batch and retries nothing. */
        struct {
            size_t embedder;
            const char **texts;       /* the array is owned, the texts are borrowed */
            const size_t *text_bytes; /* owned array */
            const bool *fresh; /* owned array: ask the model, whatever is in a cache; NULL: none of them */
            size_t count;
            /* out; `err` stays OK if the outcome of texts is known. One with neither vector nor error is
             * still under way, and keeps the others waiting no longer: ask for it again, which sends it no
             * second time. At least one text of each request has its outcome. */
            float **vectors; /* owned, each by malloc; NULL where it failed */
            size_t dimensions;
            struct lks_err **errors; /* owned; NULL where it went well */
            int64_t tokens;          /* as counted by the server, or 0 */
            size_t cached;           /* how many came from the cache */
        } embed;
        /* Embeds a fixed word: is the endpoint up, and which dimension has the model? */
        struct {
            size_t embedder;
            size_t dimensions; /* out */
        } embed_probe;
        /* Makes the collection with alias and payload indexes if it is missing, checks size and distance if
         * it isn't. Also the probe of a circuit. */
        struct {
            size_t collection;
            size_t dimensions;
            bool look_only; /* one that is missing is not made: LKS_E_NOT_FOUND */
            /* out */
            bool created;
            bool empty;        /* it has no point of our source */
            bool guarded;      /* the server knows update_filter (1.16) */
            bool further;      /* its points may have vectors under further names */
            bool cosine;       /* vectors are compared by direction, which one of nothing but zeros has not */
            float most;        /* the greatest number that fits the collection's vectors; 0: any */
            unsigned replicas; /* its replication factor */
            bool active;       /* all its replicas are */
        } ensure;
        /* Points with one of these ids, and all points of our source whose `_lockstep.doc` is one of these
         * documents. */
        struct {
            size_t collection;
            const char **point_ids; /* owned array, borrowed strings */
            size_t point_count;
            size_t vector_count; /* this many of these ids, from the first on, bring their vectors */
            const char **docs;   /* owned array, borrowed strings: canonical Extended JSON */
            size_t doc_count;
            /* Hash the payloads that are really there: a point whose payload isn't what its `_lockstep` says
             * has no payload_hash. Of those named by id. */
            bool whole;
            /* Points named by id are those that all replicas agree on; the others say that they `differ`. */
            bool consistent;
            /* out */
            bool agreed; /* `consistent`: all replicas were asked */
            /* each point once, in the order of stamp_compare() */
            struct stamp *found; /* owned */
            size_t found_count;
        } lookup;
        /* Writes whole points. `err` stays OK if each point's code says what became of it. */
        struct {
            size_t collection;
            struct point_write *points; /* owned array */
            size_t count;
        } write;
        /* Deletes by ids; points that aren't there are no error. */
        struct {
            size_t collection;
            const char **point_ids; /* owned array, borrowed strings */
            size_t count;
            bool unknown; /* out, with an error: may have been applied */
        } del;
        /* A page of our source's points, in the order of their ids. */
        struct {
            size_t collection;
            char from[POINT_ID_BYTES]; /* begin with it; "": at the first */
            size_t max_points;
            /* out */
            struct stamp *found; /* owned */
            size_t found_count;
            char next[POINT_ID_BYTES]; /* "": no more */
        } scroll;
        /* Exact number of our source's points. */
        struct {
            size_t collection;
            int64_t points; /* out */
        } count;
        /* Our source's points with an epoch above `floor` other than `own`: their exact number, and the
         * highest of their epochs. */
        struct {
            size_t collection;
            uint64_t floor, own;
            /* out */
            int64_t points;
            uint64_t highest; /* UINT64_MAX: no number that an epoch can be */
        } epochs;
    };
};

/* A port: where requests go. submit() never blocks, may be called from the engine's thread only, and never
 * fails. */
struct port {
    void *self;
    void (*submit)(void *self, struct req *req);
};

/* Time and chance, which the engine has none of its own. */
struct clock {
    void *self;
    int64_t (*now_ms)(void *self);  /* monotonic, suspended time included */
    int64_t (*wall_ms)(void *self); /* since 1970 UTC */
    uint64_t (*random)(void *self); /* uniform 64 bits */
};

struct ports {
    struct port source, store, maker, embedder, index;
    struct clock clock;
};

/* How adapters post completions back: thread-safe, never blocks for long. */
struct inbox {
    void *self;
    void (*post)(void *self, struct req *req);
};

struct req *req_new(enum req_kind kind, void *context);
/* Frees the request with all it owns. NULL is fine. */
void req_free(struct req *req);
/* "stream_next", ... for logs. */
const char *req_kind_name(enum req_kind kind);

/* By the bytes of the point id; for qsort() and bsearch(). */
int stamp_compare(const void *a, const void *b);

/* What req_free() does for each of these, for whoever takes one out of a request. */
void source_document_fini(struct source_document *doc);
void change_fini(struct change *change);
void stamp_fini(struct stamp *w);
void tombstone_fini(struct tombstone *tombstone);
void engine_state_fini(struct engine_state *state);

#endif
