/*
 * mongo.h - the adapter to MongoDB: the engine's ports `source` and `store` over libmongoc, and what a person
 * may ask for at once.
 *
 * One struct mongo serves one source (one MongoDB collection). It talks through a client pool on threads of
 * its own, one channel per concern, so that a long scan delays neither record writes nor the lease:
 *
 *   stream   1 thread    STREAM_OPEN, STREAM_NEXT, in the order submitted
 *   read     2 threads   READ, HOLDERS
 *   long     1 thread    SCAN, DUE, COUNT_RECORDS (and the indexes, before the first of them)
 *   write    2 threads   RECORD
 *   ledger   1 thread    LEASE, STATE_LOAD, STATE_SAVE, in the order submitted
 *   tombstones    1 thread    TOMBSTONES_PUT, TOMBSTONES_LIST, TOMBSTONES_DROP, in the order submitted
 *
 * Order across channels is whatever the engine makes it by waiting for one request before it submits the
 * next.
 */
#ifndef LOCKSTEP_MONGO_MONGO_H
#define LOCKSTEP_MONGO_MONGO_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/docid.h"
#include "base/err.h"
#include "base/meter.h"
#include "ports/ports.h"

enum mongo_metadata { MONGO_EMBEDDED, MONGO_SIDECAR };
enum mongo_watch { MONGO_WATCH_AUTO, MONGO_WATCH_STREAM, MONGO_WATCH_POLL, MONGO_WATCH_OFF };

/* All strings are copied by mongo_open(). */
struct mongo_config {
    const char *uri; /* a secret: never shown */
    const char *database, *collection;
    const char *source;             /* the source's name: `_id` of its document in lockstep.state */
    const char *id_field;           /* holds the business id; dotted paths allowed; "_id" too */
    const char *const *collections; /* names of the enabled collections, in the order of the entries */
    size_t collection_count;
    const char *const *fields; /* top-level names that documents are projected to, besides `_id`, id_field and
                                  syncMetadata; NULL-terminated; NULL: whole documents */
    enum mongo_metadata metadata;
    bool basic_codes; /* records show only the original application's six error codes, with an errorReason */
    bool adopt_metadata; /* else STATE_LOAD is refused (LKS_E_CONFIG) on records that another program wrote */
    bool create_indexes;
    enum mongo_watch watch;   /* POLL and OFF: STREAM_OPEN answers LKS_E_UNSUPPORTED */
    int64_t poll_interval_ms; /* the engine's timer; here it decides how far polls overlap */
    const char *poll_field;   /* NULL: none */
    const char *title;        /* a field that lists show; NULL: only the usual ones */
    const char *owner;        /* who takes the lease, for a person and unique: "host:pid:random" */
    int32_t selection_ms;     /* how long a command waits for a server, unless the URI says so; 0: as usual */
};

struct mongo;

/*
 * Checks the URI, makes the pool and starts the threads; contacts no server, so that a daemon comes up before
 * its database does. `inbox` may be zero if nothing is submitted. LKS_E_CONFIG for a bad URI (the message
 * never shows its credentials), LKS_E_NOMEM.
 */
enum lks_code mongo_open(const struct mongo_config *config, struct inbox inbox, struct mongo **out,
                         struct lks_err *err);
/*
 * Cancels what is queued (LKS_E_CANCELLED), waits for what is under way (at most the wait of a STREAM_NEXT or
 * the socket timeout), posts all of it, then frees everything. NULL is fine. Nothing is submitted any more.
 */
void mongo_close(struct mongo *m);

struct port mongo_source_port(struct mongo *m);
struct port mongo_store_port(struct mongo *m);

/* What kind of collection the source is; all false: a plain one, or MongoDB does not say. */
struct mongo_facts {
    bool exists, view, time_series, capped;
    bool id_index; /* where it is collated: there is an index on `_id` by the simple collation */
    bool collated; /* it has a collation other than the simple one, and so have its indexes unless they say */
};
/* Remembered for a minute. Blocks; any thread. */
void mongo_facts(struct mongo *m, struct mongo_facts *out);
/* What was last known, without asking. */
void mongo_facts_known(struct mongo *m, struct mongo_facts *out);
/* Why such a source cannot be followed, or not with the configured metadata, and what to do: the end of a
 * sentence that begins with "it is". NULL: it can. */
const char *mongo_facts_refused(struct mongo *m, const struct mongo_facts *facts);
/* What it is if changes can only be found by polling ("a view"); NULL if it is not. */
const char *mongo_facts_polled(const struct mongo_facts *facts);

/*
 * Makes the indexes that our queries need (unless configured not to). Runs by itself before the first scan or
 * search for due entries; may block for long on a big collection. An index that can't be made is logged, with
 * the privilege that is missing, and is no error; LKS_E_MONGO if the server can't be reached.
 */
enum lks_code mongo_prepare(struct mongo *m, struct lks_err *err);

/* ---- for commands and the API: each blocks; may be called from any thread ---- */

/* How many documents are in which state, by enum sync_status. A document or entry without a record is
 * pending. */
struct mongo_counts {
    int64_t total;
    int64_t by_status[4];         /* overall */
    int64_t (*per_collection)[4]; /* owned; one per enabled collection */
    int64_t *with_point;          /* owned; entries with a pointId */
    size_t collection_count;
    int64_t max_ms; /* of each query; 0: no limit */
};
/* Counts with majority concern. To be freed by mongo_counts_fini(). */
enum lks_code mongo_count(struct mongo *m, struct mongo_counts *counts, struct lks_err *err);
void mongo_counts_fini(struct mongo_counts *counts);

/* How many documents have failed in this collection, by error code (those a record can show). */
#define MONGO_FAILURE_CODES (LKS_E_UNKNOWN + 1)
enum lks_code mongo_failures(struct mongo *m, const char *name, int64_t by_code[MONGO_FAILURE_CODES],
                             struct lks_err *err);

/*
 * Finds a document by what a person writes: the business id, else the `_id`, in canonical Extended JSON or in
 * its plain form (docid_plain()). Whole body, without syncMetadata; the record as the engine would see it.
 * LKS_E_NOT_FOUND; LKS_E_AMBIGUOUS where the plain form fits two ids, which the message names in Extended
 * JSON. To be freed by source_document_fini(); `owner` isn't looked up.
 */
enum lks_code mongo_find(struct mongo *m, const char *text, struct source_document *doc, struct lks_err *err);

/* The same, and the `slug` is tried between the two. LKS_E_AMBIGUOUS where several documents have this slug;
 * the message names their ids. It scans the collection, for ten seconds at most, where the slug has no index.
 */
enum lks_code mongo_find_readable(struct mongo *m, const char *text, struct source_document *doc,
                                  struct lks_err *err);
/* The document with exactly this `_id`. */
enum lks_code mongo_find_by_id(struct mongo *m, const struct docid *id, struct source_document *doc,
                               struct lks_err *err);

/* Calls `take` with each document that has one of these ids, cut down to `fields` (NULL-terminated). */
enum lks_code mongo_find_many(struct mongo *m, struct docid *const *ids, size_t count,
                              const char *const *fields, void (*take)(void *self, const bson_t *row),
                              void *self, struct lks_err *err);

/* True if no document has this dotted path: false also if MongoDB can't say within a second. */
bool mongo_lacks_field(struct mongo *m, const char *path);

/* ---- lists for people: list.c ---- */

enum mongo_sort { MONGO_SORT_ID, MONGO_SORT_NAME, MONGO_SORT_UPDATED, MONGO_SORT_STATUS };
#define MONGO_OVERALL SIZE_MAX

struct mongo_list_request {
    const char
        *search;   /* in the business id, `name` and `slug`, whatever the case, or an id itself; NULL: all */
    bool filtered; /* only documents whose part in `collection` has this `status` */
    enum sync_status status;
    size_t collection;    /* index, or MONGO_OVERALL; also what MONGO_SORT_STATUS sorts by */
    enum mongo_sort sort; /* id, name: ascending; updated: oldest first; status: worst first */
    bool descending;
    size_t skip, limit;
    bool whole; /* whole documents instead of business id, `name` and `slug` */
};

struct mongo_list {
    struct source_document *docs; /* owned; mongo_docs_free(). Their records with modified_fields */
    size_t count;
    int64_t total;
    bool exact; /* false: counting took too long; there are at least `total` */
};

/*
 * A page of documents by what a person asks for. A document without a record, or an entry without a valid
 * status, counts as pending. LKS_E_MONGO if it takes the server longer than some seconds, LKS_E_UNSUPPORTED
 * for a sort by what is in the sidecar collection over too many documents.
 */
enum lks_code mongo_list(struct mongo *m, const struct mongo_list_request *request, struct mongo_list *out,
                         struct lks_err *err);

/* ---- what is to be tried again: requeue.c ---- */

/* All entries that failed become due now, and their retry counts start over. */
enum lks_code mongo_requeue(struct mongo *m, struct lks_err *err);
/* Writes one record if it is still `before`. LKS_E_MISSED if it isn't, LKS_E_NOT_FOUND if the document is
 * gone.
 */
enum lks_code mongo_write_record(struct mongo *m, const struct docid *id, const struct record *before,
                                 const struct record *after, struct lks_err *err);

/*
 * ---- documents, written for an application: edit.c ----
 *
 * With LKS_E_OK a majority has it. Else: LKS_E_REFUSED by a validator or for its size, LKS_E_CANCELLED if it
 * is written but not yet confirmed, LKS_E_MONGO if that isn't known.
 */

/* `doc` has an `_id`. LKS_E_EXISTS: another has the business id (looked for first; only a unique index keeps
 * two writers apart), or the same value in a unique index. */
enum lks_code mongo_insert(struct mongo *m, const bson_t *doc, struct lks_err *err);
/* Updates if each field of `unchanged` still is as it is there (undefined: missing); `doc` is how it came
 * out, to be freed by source_document_fini(). LKS_E_MISSED if it isn't so, or there is no such document;
 * LKS_E_EXISTS. */
enum lks_code mongo_update(struct mongo *m, const struct docid *id, const bson_t *unchanged,
                           const bson_t *update, struct source_document *doc, struct lks_err *err);
/* `doc` is what was deleted, to be freed by source_document_fini(). LKS_E_NOT_FOUND. */
enum lks_code mongo_delete(struct mongo *m, const struct docid *id, struct source_document *doc,
                           struct lks_err *err);

/* A page of documents in the order of `_id`, with their records and owners, as the engine scans them. */
struct mongo_page {
    struct source_document *docs; /* owned; mongo_docs_free() */
    size_t count;
    bool end;               /* there are no more */
    int64_t total_estimate; /* documents in the collection, roughly; -1: not known */
};
/* The page that begins after `from` (NULL: at the first document), of at most this many documents and bytes.
 */
enum lks_code mongo_page(struct mongo *m, const struct docid *from, size_t max_docs, size_t max_bytes,
                         struct mongo_page *page, struct lks_err *err);
/* Documents by id, in the order of the ids, with majority; a `body` of NULL: not there. */
enum lks_code mongo_read(struct mongo *m, const struct docid *const *ids, size_t count,
                         struct source_document **docs, struct lks_err *err);
/* Up to `count` ids at random. mongo_ids_free() them. */
enum lks_code mongo_sample(struct mongo *m, size_t count, struct docid ***ids, size_t *id_count,
                           struct lks_err *err);
/* The next documents, in the order of `_id`, of which an entry of these collections (NULL: any) has failed.
 */
enum lks_code mongo_failed_ids(struct mongo *m, const bool *collections, const struct docid *from, size_t max,
                               struct docid ***ids, size_t *id_count, bool *end, struct lks_err *err);
void mongo_docs_free(struct source_document *docs, size_t count);
void mongo_ids_free(struct docid **ids, size_t count);

/*
 * For a collection that is switched off: takes its entries out of all records, here and in the sidecar
 * collection. `progress` (may be NULL) is called with the number done, and stops it by answering false
 * (LKS_E_CANCELLED). `*entries` says how many went, also with an error.
 */
enum lks_code mongo_forget(struct mongo *m, const char *name, bool (*progress)(void *self, int64_t done),
                           void *self, int64_t *entries, struct lks_err *err);
/* How many records have an entry of this collection. */
enum lks_code mongo_entries(struct mongo *m, const char *name, int64_t *count, struct lks_err *err);

/* The engine's requests of this kind that are over, since mongo_open(); for metrics. False: it is no kind of
 * ours. */
bool mongo_meter(struct mongo *m, enum req_kind kind, struct meter_reading *out);

/* The epoch of the lease, whoever has it or had it last, and that of the first holder since guarded writes
 * were proven (the same if they are). Both 0: nobody ever had it. */
enum lks_code mongo_lease_epochs(struct mongo *m, uint64_t *epoch, uint64_t *floor, struct lks_err *err);

/* True if a record beside a deleted document stayed, as the user may neither remove nor update it. */
bool mongo_records_remain(struct mongo *m);

/* Who holds the source's lease, as `mongo_config.owner` said; NULL if nobody does. free() it. */
enum lks_code mongo_lease_holder(struct mongo *m, char **lease_holder, struct lks_err *err);

/* What mongo_open() would refuse of a URI: LKS_E_CONFIG. Asks no server. */
enum lks_code mongo_check_uri(const char *uri, struct lks_err *err);

/* From now on mongo_close() does not wait for the driver's monitor threads, which may take half a second to
 * notice. For main(), whose process ends soon. Without effect under sanitizers. */
void mongo_leave_early(void);
/* True if nothing of the driver's runs any more; waits up to `wait_ms`. */
bool mongo_has_left(int64_t wait_ms);

#endif
