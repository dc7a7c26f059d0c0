/*
 * feeds.h - what feeds share: which documents are looked at. Each owns its part of struct feeds.
 */
#ifndef LOCKSTEP_ENGINE_FEEDS_FEEDS_H
#define LOCKSTEP_ENGINE_FEEDS_FEEDS_H

#include "engine/documents/documents.h"

/* Position in the stream: a resume token and its time. */
struct stream_position {
    bson_t *token;
    cluster_time at;
};

/* What feeds and session ask of the ports in their step; io makes the requests in the same step. */
enum ask {
    ASK_STREAM_OPEN,
    ASK_STREAM_NEXT,
    ASK_SCAN,
    ASK_DUE,
    ASK_COUNT_RECORDS,
    ASK_COUNT_POINTS,
    ASK_SWEEP_POINTS,
    ASK_SWEEP_DOCUMENTS,
    ASK_SWEEP_RECORDS,
    ASK_REPLICAS,
    ASK_TOMBSTONES,
    ASK_EPOCHS,
    ASK_LEASE,
    ASK_STATE_LOAD,
    ASK_STATE_SAVE
};

struct feeds {
    unsigned asks; /* set of enum ask */

    struct {
        bool open, requested, unsupported, proven, ever_opened;
        bool quiet;                      /* the last answer had no events: we are at the end */
        struct watermark watermark;      /* of struct stream_position */
        struct stream_position received; /* resume from here */
        cluster_time verify_until;       /* events up to here are replays from before this lease */
        bool replayed;                   /* and all of those have been seen */
        int64_t open_at_ms;              /* back-off */
        int failures;
        char error[256];
        int64_t broke_wall_ms; /* since when it is not open; NO_TIME: it never broke */
        int64_t lag_ms;        /* how old the last event was when it came; -1: none yet */
        int64_t heard_ms;      /* when the server last answered; NO_TIME: never */
        uint64_t events;
        size_t max_events; /* of the next answer */
    } stream;

    struct {
        bool wanted, running, verify_points, ended;
        size_t page_docs, page_bytes; /* at most, of the next page */
        uintptr_t page_of;            /* the scan that the page under way belongs to */
        bool restart;                 /* from the first document, whatever `from` says */
        bool all;                     /* the one that runs began there, and looks at all */
        struct watermark watermark;   /* of struct docid */
        struct docid *from;           /* the next page begins after it */
        int64_t next_ms;              /* poll mode: when to scan again */
        bool recent;                  /* this one looks at recent documents only */
        bool silent;                  /* one of many: not worth a line at info */
        int64_t full_ms;              /* when the last full scan began */
        uint64_t seen;
        int64_t total;
        struct scan_pace {
            int64_t at_ms;
            uint64_t seen;
        } pace, last_pace; /* where it was lately, and some time before that */
    } scan;

    struct {
        bool requested;
        size_t next; /* the next collection whose replicas are looked at */
        int64_t next_ms;
        uint64_t known, owed;      /* sets of collections; see struct engine_state */
        uint64_t proving;          /* the scan that runs compares these on all their replicas */
        int64_t again_ms, wait_ms; /* the next scan that is owed, as long as the last one did not help */
    } replicas;

    struct { /* engine_compare() */
        enum { COMPARE_NONE, COMPARE_WAITS, COMPARE_RUNS } state;
        struct engine_compare request;
        uint64_t done;
        bool partial; /* a collection was passed by, as its circuit was open */
    } compare;

    struct {
        bool running, requested, last;
        bool recount;             /* of collections whose deletes are held, not everything */
        bool drop_reported;       /* the stream said that the documents went: nothing is held */
        bool allowed;             /* a person said so */
        bool second;              /* the pass that marks what another one has counted */
        bool deletes;             /* this pass marks points without a document */
        uint64_t points, orphans; /* seen in this pass */
        uint64_t counted, agreed; /* sets of collections: orphans are counted; and may be marked */
        int64_t recount_ms;       /* no recount before this */
        bool outdated;            /* what was requested belongs to a sweep that was broken off */
        bool partial;             /* a collection was passed over although it may have points */
        bool records;             /* all points are done; it goes through the records beside documents */
        struct docid *record;     /* owned; how far; NULL: at the first */
        uint64_t left;            /* set of collections that are not done */
        size_t collection;        /* the one of them that is gone through now */
        char from[POINT_ID_BYTES];
        struct stamp *page; /* owned: points that are being compared with the source */
        struct docid **ids; /* owned: their documents */
        size_t page_count;
        int64_t next_ms;
        uint64_t suspects;
        struct watermark
            watermark; /* held by suspects until what follows for them is durable; no positions */
        int64_t began_ms;
        int64_t
            due_ms; /* poll mode: not again before this, so that sweeping stays a small part of the time */
    } sweep;

    struct {
        bool running, requested, wanted, round_done;
        bool rejected_too;                 /* this one does */
        bool compare_due;                  /* it also looks for records that contradict themselves, */
        bool compares;                     /* and has come to that */
        int64_t compare_ms;                /* monotonic: not again before */
        int64_t asked_ms, compare_cost_ms; /* how long it took MongoDB so far */
        struct docid *from;
        int64_t next_ms;       /* monotonic: the next cycle */
        int64_t retry_wall_ms; /* the earliest nextRetryAt known, or NO_TIME */
        bool collections[ENGINE_MAX_COLLECTIONS];
        int64_t started_ms;
        uint64_t open; /* documents of this cycle still in work */
        uint64_t processed, failed, skipped;
    } worker;

    struct {
        bool requested;
        bool first;         /* the first round is not over */
        bool refused;       /* this round is of the tombstones of documents whose record was refused */
        bool all;           /* this round is of all tombstones, not only of those that are due */
        struct docid *from; /* owned; where the next page of the round begins, NULL: at the first tombstone */
        int64_t from_due_ms;
        size_t max;                        /* of the next page */
        int64_t next_ms;                   /* monotonic: not before this */
        int64_t next_wall_ms;              /* when the next one is due, or NO_TIME */
        int64_t put_first_ms, put_last_ms; /* wall clock: those that we put since the round began */
    } tombstones;

    struct {
        bool wanted, requested;
        int64_t next_ms;
        int64_t idle_ms;   /* also when nothing has happened */
        size_t collection; /* the next one to count */
        int64_t began_ms;  /* when the count was begun, */
        uint64_t in_work;  /* and how many documents were in work then */
        int64_t busy_ms;   /* from here on it is counted although the source is not at rest */
        int64_t off[ENGINE_MAX_COLLECTIONS]; /* points less entries */
        int64_t with_point[ENGINE_MAX_COLLECTIONS];
        unsigned mismatches;       /* in a row */
        uint64_t activity;         /* when it was begun: what happens meanwhile makes the counts worthless */
        int64_t again_ms, wait_ms; /* the next healing scan, as long as the last one did not help */
        int64_t difference;
    } count_check;
};

static inline void ask(struct engine *e, enum ask what)
{
    e->feeds->asks |= 1U << what;
}

/* ---- replicas.c ---- */
/* They could not be asked: the scan that runs proves nothing for this collection. */
void replicas_unasked(struct engine *e, size_t collection);
/* An ensure came back. */
void replicas_seen(struct engine *e, size_t i, unsigned replicas, bool active, bool empty);
void replicas_scan_begins(struct engine *e);
void replicas_scan_ends(struct engine *e, bool verify_points);
void replicas_run(struct engine *e);

/* ---- health_probes.c ---- */
/* A request failed: that counts for the circuit. */
void embedder_failed(struct engine *e, struct embedder_state *em, const struct lks_err *err);
void collection_failed(struct engine *e, struct collection_state *c, const struct lks_err *err);
void collection_succeeded(struct collection_state *c);
/* The error with a wait that is not above max_backoff_ms, so that probes go on meanwhile. */
struct lks_err retry_capped(const struct engine *e, const struct lks_err *err);
bool probe_embedder_due(struct engine *e, size_t embedder);
bool probe_collection_due(struct engine *e, size_t collection);
void probe_embedder_back(struct engine *e, size_t embedder, const struct lks_err *err, size_t dimensions);
void probe_collection_back(struct engine *e, size_t collection, bool created, bool empty);
void probe_collection_failed(struct engine *e, size_t collection, const struct lks_err *err, bool look_only);

/* ---- change_stream.c, scan.c, retry_cycle.c, tombstones.c, session/, count_check.c: each submits what is
 * due, and handles what comes back ---- */
void stream_run(struct engine *e);
void stream_opened(struct engine *e, cluster_time opened_at, cluster_time now, bool proven);
/* Opening it failed, or it broke. */
void stream_failed(struct engine *e, const struct lks_err *err);
/* An event. False when memory is out: then nothing has come of it, and it has to come again. */
bool stream_change(struct engine *e, const struct change *change);
/* The server answered; `quiet`: without events. */
void stream_answered(struct engine *e, bool quiet, bool proven);
/* A token that may be saved once all before it is durable. */
void stream_token(struct engine *e, const bson_t *token, cluster_time at);
/* How far behind it is, or may be: what it has not heard of cannot be older. -1: nothing is known. */
int64_t stream_lag_ms(const struct engine *e);
void scan_run(struct engine *e);
void scan_page(struct engine *e, struct source_document *docs, size_t count, bool ends, int64_t total);
/* What the scan that runs is about: that of engine_compare(), of the one-shot run, or nothing in particular.
 */
struct engine_compare scan_request(const struct engine *e);
/* Begins a scan from the start (or, already running, adds doubt and sweep to it and begins again). */
void scan_start(struct engine *e, bool verify_points);
bool scan_idle(const struct engine *e);
/* A person asks for a comparison; false: there is one already. */
bool compare_ask(struct engine *e, const struct engine_compare *request);
void compare_stop(struct engine *e);
/* Begins when no other scan is at work, and is over when all it found is put right. */
void compare_run(struct engine *e);
/* Documents a second, lately; -1: not known yet. */
double scan_rate(const struct engine *e);
void sweep_begin(struct engine *e);
/* A collection's deletes are held. */
bool sweep_holds(const struct engine *e);
void sweep_run(struct engine *e);
/* A reply for the sweep: whether it is about the one that runs. */
bool sweep_current(struct engine *e);
void sweep_points(struct engine *e, struct stamp *found, size_t count, const char *next);
void sweep_documents(struct engine *e, struct source_document *docs, size_t count);
void sweep_records(struct engine *e, struct docid **ids, size_t count, struct docid **next);
/* The collection did not answer. */
void sweep_wait(struct engine *e);
/* What is left of it can't be gone through as long as its collections are not well. */
bool sweep_waits(const struct engine *e);
void sweep_fini(struct engine *e);
/* sweep_records.c: the records beside documents, after all points. */
bool sweep_records_wanted(const struct engine *e);
void sweep_records_run(struct engine *e);
/* A page of them came. True when there are no more. */
bool sweep_records_take(struct engine *e, struct docid **ids, size_t count, struct docid **next);
void worker_run(struct engine *e);
/* Documents that are due. */
void worker_take(struct engine *e, struct docid **ids, size_t count, bool ends, int64_t next_ms);
/* Records that contradict themselves were looked for. False if nothing came of it: it took too long, perhaps;
 * if MongoDB is away, others notice. */
bool worker_compared(struct engine *e, const struct lks_err *err);
/* One that is due then was put. */
void tombstones_note(struct engine *e, int64_t due_ms);
/* One is sent that is put since then. */
void tombstones_sent(struct engine *e, int64_t since_ms);
void tombstones_begin(struct engine *e);
void tombstones_run(struct engine *e);
/* A page of them; `full`: there may be more. */
void tombstones_listed(struct engine *e, struct tombstone *list, size_t count, bool full, int64_t next_ms);
void count_check_begin(struct engine *e);
void count_check_run(struct engine *e);
void count_check_failed(struct engine *e, const struct lks_err *err);
void count_check_records(struct engine *e, const int64_t *with_point);
/* Of the collection that was asked for; `good`: it answered. */
void count_check_points(struct engine *e, bool good, int64_t points);
void stream_position_free(void *position);
void docid_position_free(void *position);

#endif
