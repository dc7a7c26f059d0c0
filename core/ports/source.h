/* source.h - requests to the source: what MongoDB has. */
#ifndef LOCKSTEP_PORTS_SOURCE_H
#define LOCKSTEP_PORTS_SOURCE_H

#include "model/change.h"

/* Opens (again) the change stream. Any earlier one is closed first. */
struct req_stream_open {
    const bson_t *token; /* borrowed; startAfter; NULL: from `at`, or from now */
    cluster_time at;     /* with a token: its time, for the proof; without: startAtOperationTime; 0: now */
    /* out */
    cluster_time opened_at; /* nothing that happened after this time is missed */
    cluster_time now;       /* the server's time when it was opened: what is older is a replay */
    bool proven;            /* the history from the token on is known to be there */
    /* errors: LKS_E_STREAM_LOST, LKS_E_UNSUPPORTED, LKS_E_MONGO */
};

/* Waits for events, up to `wait_ms`. LKS_E_STREAM_LOST; LKS_E_STREAM_ENDED (drop, rename: open again
 * after `token`); LKS_E_MONGO. */
struct req_stream_next {
    size_t max_events;
    int wait_ms;
    /* out */
    struct change *changes; /* owned */
    size_t change_count;
    bson_t *token;   /* owned; post-batch token, only if it may be saved (proven); NULL otherwise */
    cluster_time at; /* of that token */
    bool proven;
};

/* Reads documents by id with majority concern, no older than `after`. */
struct req_read {
    const struct docid **ids; /* the array is owned, the ids are borrowed */
    size_t count;
    cluster_time after;
    /* out */
    struct source_document *docs; /* owned; same order and count as ids; body NULL: not there */
};

/* The next documents in the order of `_id`, across all types of `_id`. */
struct req_scan {
    const struct docid *from;   /* borrowed; the page begins after it; NULL: at the very first */
    size_t max_docs, max_bytes; /* one oversize document travels alone */
    cluster_time after;         /* the page is no older than this */
    bool recent_only;           /* polling by a date field: only what is newer than the newest date seen, less
                                   an overlap, and documents where it is no date */
    /* out */
    struct source_document *docs; /* owned */
    size_t count;
    bool end;               /* there are no more */
    int64_t total_estimate; /* documents in the collection, roughly; -1: not known */
};

/*
 * Ids of documents the worker has to look at: an entry that is pending, or stale or failed with
 * nextRetryAt <= now (stale also with null), in the order of `_id`. A document without a record
 * counts as pending. failed with nextRetryAt null is not due.
 */
struct req_due {
    int64_t now_ms;           /* wall clock */
    bool rejected_too;        /* also entries that failed with VALIDATION_ERROR and have no nextRetryAt */
    bool recorded_only;       /* leave out documents and collections without an entry (a scan reaches them)
                               */
    bool failed_only;         /* instead: every entry that has failed, whenever its time comes; with
                                 `recorded_only`, and `next_ms` isn't looked for */
    bool contradicting;       /* instead: records whose overallStatus is not what their entries make, or
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
};

/* Ids of documents that hold one of these business ids (as `_lockstep.key` shows them), the lowest
 * first. */
struct req_duplicates {
    const char **keys; /* the array is owned, the strings are borrowed */
    size_t count;
    size_t max_ids;
    const struct docid *from; /* borrowed; begin after it; NULL: at the first */
    /* out */
    struct docid **ids; /* owned, also the ids */
    size_t id_count;    /* max_ids: there may be more */
};

/* Counts over the whole collection, majority. */
struct req_record_counts {
    /* out */
    int64_t *with_point; /* owned, one per enabled collection: entries with a pointId */
};

/* Ids of records beside documents whose document does not exist, page by page in the order of `_id`.
 * No page is older than `after`. */
struct req_orphan_records {
    struct docid *from; /* owned; the page begins after it; NULL: at the first */
    size_t max_records; /* that are gone through, whether they have a document or not */
    cluster_time after;
    /* out */
    struct docid **ids; /* owned, also the ids */
    size_t count;
    struct docid *next; /* owned; the last that was gone through; NULL: there are no more */
};

#endif
