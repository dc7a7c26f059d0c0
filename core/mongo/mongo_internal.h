/*
 * mongo_internal.h - what the files of this room share; nobody else includes it.
 */
#ifndef LOCKSTEP_MONGO_INTERNAL_H
#define LOCKSTEP_MONGO_INTERNAL_H

#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/queue.h"
#include "mongo/mongo.h"

#define STATE_COLLECTION "lockstep.state"
#define METADATA "syncMetadata"

enum channel_name {
    CHANNEL_STREAM,
    CHANNEL_READ,
    CHANNEL_LONG,
    CHANNEL_WRITE,
    CHANNEL_LEDGER,
    CHANNEL_TOMBSTONES,
    CHANNEL_COUNT
};

#define CHANNEL_MAX_THREADS 2

/* A queue and the threads that empty it, first in, first out. */
struct channel {
    struct mongo *owner;
    struct queue queue;
    pthread_t threads[CHANNEL_MAX_THREADS];
    size_t thread_count;
};

/*
 * Polling by a date field. A scan asks for what is newer than the newest date seen when the last complete
 * scan began: what changed while it ran, behind its position, is older than the newest that it saw. Never
 * newer than that beginning by our clock, so that a date in the future hides nothing. 0: not known, all is
 * asked for.
 */
struct poll {
    int64_t seen_ms;  /* newest date seen */
    int64_t began_ms; /* wall clock: when the scan under way began; 0: elsewhere */
    int64_t first_ms; /* newest date seen before it */
    int64_t since_ms; /* what the scan under way asks for */
    int64_t next_ms;  /* what the next one may begin with */
};

/* The change stream; only its channel's thread touches it. */
struct stream {
    mongoc_client_t *client;          /* owned while open */
    mongoc_client_session_t *session; /* owned; the cursor belongs to it */
    uint32_t server_id;               /* where the cursor is */
    int64_t cursor;                   /* 0: none */
    bson_t *held;                     /* owned; a reply whose batch isn't handed out yet */
    bool proven;                      /* the history since the resume token is known to be there */
    cluster_time probe_at;            /* where a probe can prove it; 0: only an event can */
    cluster_time last;                /* time of the newest event, or where the stream was opened */
    bool ended;                       /* drop, rename: nothing comes any more */
    bson_t *end_token;                /* owned; with `ended`: to start after */
    cluster_time end_time;
};

struct mongo {
    char *database, *collection, *sidecar, *source, *id_field, *owner;
    char **names; /* of enabled collections */
    size_t name_count;
    bson_t *projection;            /* of document reads; NULL: all */
    bson_t *only_id, *only_record; /* projections */
    enum mongo_metadata metadata;
    bool basic_codes;
    enum mongo_watch watch;
    bool adopt_metadata;
    bool create_indexes;
    char fingerprint[17]; /* of pipeline and options */
    struct inbox inbox;
    mongoc_client_pool_t *pool;
    struct channel channels[CHANNEL_COUNT];
    size_t channel_count; /* how many of them are there */
    atomic_bool closing;
    struct meter meters[REQ_KIND_COUNT];
    struct stream stream;
    /* newest cluster time known to be majority-committed: no later read may be older */
    _Atomic uint64_t seen;
    /* some document's record may be in the sidecar collection although metadata is embedded */
    atomic_bool sidecar_fallbacks;
    /* the last record that was to be removed beside a document stayed, for want of a privilege */
    atomic_bool records_remain;
    pthread_mutex_t lock; /* for what follows */
    bool prepared;
    int64_t prepare_again_ms;
    struct mongo_facts facts;
    int64_t facts_until_ms; /* monotonic; ask again then */
    bool id_unique;
    int64_t id_unique_until_ms; /* monotonic; ask again then */
    int64_t estimate;
    int64_t estimate_until_ms;
    char *poll_field; /* NULL: none */
    char *title;      /* likewise */
    int64_t poll_interval_ms;
    struct poll poll; /* of the channel `long` alone */
};

/* ---- mongo.c ---- */

/* Adds the first name of a dotted path to a projection, once. */
void mongo_project(bson_t *projection, const char *path);

/* ---- command.c ---- */

/* The server's error as LKS_E_MONGO, its message kept; names the privilege when that is what is missing. */
enum lks_code mongo_fail(struct lks_err *err, const bson_error_t *error, const char *what);
/* True if the server itself answered with this error (not the network or the driver). */
bool mongo_is_server_error(const bson_error_t *error);

/* RAW: never tried again by the driver, which would be wrong for a getMore. */
enum mongo_direction { MONGO_READS, MONGO_WRITES, MONGO_RAW };
/*
 * Runs a command on the source's database; on `server_id` if that isn't 0, in `session` if that isn't NULL.
 * `reply` is always initialised and to be destroyed. A write is majority-acknowledged or fails.
 */
bool mongo_command(struct mongo *m, mongoc_client_t *client, mongoc_client_session_t *session,
                   uint32_t server_id, enum mongo_direction direction, const bson_t *command, bson_t *reply,
                   bson_error_t *error);

/* A session without causal consistency: what a read may not be older than, we say ourselves. NULL if the
 * server knows no sessions, which is no error. */
mongoc_client_session_t *mongo_session(mongoc_client_t *client);

/* writeConcern majority, with a time limit after which the outcome is not known. */
#define WRITE_TIMEOUT_MS 10000
void mongo_append_majority(bson_t *opts);

/* {collation: {locale: "simple"}}: what every query says that compares ids, whatever the collection's own
 * collation. rows_open() adds it to find and aggregate. */
void mongo_append_simple(bson_t *to);

/* ---- facts.c ---- */
void facts_of(struct mongo *m, mongoc_client_t *client, struct mongo_facts *out);
/* The next one asks again. */
void facts_forget(struct mongo *m);

/* mongo_prepare() unless it is done, or failed a moment ago; logs what goes wrong. */
void mongo_prepare_once(struct mongo *m);

/* From a reply; 0 if it has none. */
cluster_time mongo_operation_time(const bson_t *reply);
cluster_time mongo_cluster_time(const bson_iter_t *iter);
/* Remembers that reads must not be older than this. */
void mongo_saw(struct mongo *m, cluster_time at);

/* A command's cursor, whatever the command. */
struct rows {
    mongoc_client_session_t *session;
    mongoc_cursor_t *cursor;
};
enum read_level { LEVEL_NONE, LEVEL_LOCAL, LEVEL_MAJORITY };
/* Adds {sort: {field: 1}, limit: limit}; 0 is no limit. */
void rows_sorted(bson_t *command, const char *field, size_t limit);
/*
 * Runs `command` (find, aggregate; without readConcern) and stands before its first row. With majority no
 * older than `after` and than whatever this adapter has seen.
 */
enum lks_code rows_open(struct mongo *m, mongoc_client_t *client, struct rows *rows, const bson_t *command,
                        enum read_level level, cluster_time after, const char *what, struct lks_err *err);
/* False at the end, or on an error, which rows_close() reports. The row lives until the next call. */
bool rows_next(struct rows *rows, const bson_t **row);
/* Also kills the cursor if it isn't at its end. May be called on zeroed rows. */
enum lks_code rows_close(struct rows *rows, const char *what, struct lks_err *err);

mongoc_client_t *mongo_pop(struct mongo *m);
void mongo_push(struct mongo *m, mongoc_client_t *client);

/* ---- uri.c ---- */

/* Starts the driver, once. */
void mongo_driver(void);
/* By the driver's own parser; what it would only warn of is an error. The message shows nothing that could be
 * part of a credential. */
enum lks_code uri_read(const char *text, mongoc_uri_t **out, struct lks_err *err);

/* ---- silence.c ---- */

/* From now on connections to a server whose monitor got no answer in time are shut down, so that no command
 * waits for its socket time-out. Before the pool's first client is taken. */
void silence_watch(mongoc_client_pool_t *pool, int32_t connect_timeout_ms);

/* ---- leave.c ---- */

/* Destroys a pool, or leaves that to a thread after mongo_leave_early(). */
void pool_close(mongoc_client_pool_t *pool);

/* ---- ids.c ---- */

/* Appends an id (taken over; NULL fails) to a growing list. False when memory is out. */
bool ids_add(struct docid ***ids, size_t *count, size_t *capacity, struct docid *id);
/* Adds the condition that `_id` is greater than `from`, across all types as {_id: {$gt: from}} is not, and
 * with bounds that an index serves as it does not serve $expr. Once in a filter: it is an $and. */
void ids_after(bson_t *filter, const struct docid *from);

/* ---- the requests; each fills `out` and returns what becomes req->err.code ---- */

enum lks_code stream_open(struct mongo *m, struct req *req);
enum lks_code stream_next(struct mongo *m, struct req *req);
void stream_close(struct mongo *m);
enum lks_code reads_read(struct mongo *m, mongoc_client_t *client, struct req *req);
/* `poll` belongs to the caller's scan: the engine's is only for its channel's thread. */
enum lks_code reads_scan(struct mongo *m, mongoc_client_t *client, struct poll *poll, struct req *req);
enum lks_code keys_duplicates(struct mongo *m, mongoc_client_t *client, struct req *req);
enum lks_code due_find(struct mongo *m, mongoc_client_t *client, struct req *req);
enum lks_code counts_points(struct mongo *m, mongoc_client_t *client, struct req *req);
enum lks_code beside_orphans(struct mongo *m, mongoc_client_t *client, struct req *req);
/* Removes the records beside these documents. Where they may neither be removed nor emptied they stay, which
 * is no error: mongo_records_remain(). */
enum lks_code beside_remove(struct mongo *m, mongoc_client_t *client, const struct docid *const *ids,
                            size_t count, struct lks_err *err);
/* Moves those of these ids that no document has to the front; their number in *count. */
enum lks_code beside_without_document(struct mongo *m, mongoc_client_t *client, const struct docid **ids,
                                      size_t *count, struct lks_err *err);
enum lks_code records_write(struct mongo *m, mongoc_client_t *client, struct req *req);
/* LKS_E_CONFIG, saying what to do, if a document has a record that another program wrote. */
enum lks_code adopt_check(struct mongo *m, mongoc_client_t *client, struct lks_err *err);
enum lks_code state_load(struct mongo *m, mongoc_client_t *client, struct req *req);
enum lks_code state_save(struct mongo *m, mongoc_client_t *client, struct req *req);
enum lks_code tombstones_adopt(struct mongo *m, mongoc_client_t *client, struct lks_err *err);
enum lks_code tombstones_put(struct mongo *m, mongoc_client_t *client, struct req *req);
enum lks_code tombstones_list(struct mongo *m, mongoc_client_t *client, struct req *req);
enum lks_code tombstones_drop(struct mongo *m, mongoc_client_t *client, struct req *req);
enum lks_code lease_run(struct mongo *m, mongoc_client_t *client, struct req *req);

/* ---- shared by reads, due, records ---- */

/*
 * Adds a page of the source's documents in the order of `_id` after `from` (NULL: from the first), of at most
 * `limit` or, where the page begins with the document `from` itself, one more.
 */
void reads_walk(struct mongo *m, mongoc_client_t *client, bson_t *command, const struct docid *from,
                size_t limit);
/* Adds {syncMetadata: {$exists: true}}: without the right to remove a record beside a document it is emptied
 * instead, and what is left of it counts as none. */
void reads_recorded(bson_t *filter);
/* {find: collection, filter: {_id: {$in: ids}}, projection}; whole documents if `projection` is NULL. */
void reads_by_id_command(bson_t *command, const char *collection, const struct docid *const *ids,
                         size_t count, const bson_t *projection);
/* Which of these ids have a record in the sidecar collection. */
void reads_recorded_command(bson_t *command, const struct mongo *m, const struct docid *const *ids,
                            size_t count);
/*
 * Replaces the records of documents that have one in the sidecar collection. In embedded mode it asks only if
 * there may be sidecar fallbacks. Documents without a body are left alone.
 */
enum lks_code reads_sidecar(struct mongo *m, mongoc_client_t *client, struct source_document *docs,
                            size_t count, cluster_time after, struct lks_err *err);
/* Fills a document from what a find brought; false when memory is out. */
bool reads_fill(struct mongo *m, struct source_document *doc, const bson_t *row);
/* Looks whether the sidecar collection has anything, and remembers. */
enum lks_code reads_fallbacks(struct mongo *m, mongoc_client_t *client, struct lks_err *err);

/* Fills in `owner` and `contested` of each document with a business id. */
enum lks_code keys_owners(struct mongo *m, mongoc_client_t *client, struct source_document *docs,
                          size_t count, cluster_time after, struct lks_err *err);
/* Is there an index on the business id that serves comparisons by the simple collation, and one that keeps it
 * unique? Neither if the list can't be read. */
void keys_look_for_index(struct mongo *m, mongoc_client_t *client, bool *there, bool *unique);
/* ---- prepare.c ---- */
/* The index on `_id` that is made where the collection's own has another collation. */
#define SIMPLE_ID_INDEX "lockstep__id"
#define SIMPLE_ID_FIELD                                                                                      \
    "_lockstep" /* its second field, which no document has: MongoDB makes no second index on                 \
                 * `_id` alone */
/* Appends to an empty array every value that a person may mean by `text`. False when memory is out. */
bool keys_guesses(bson_t *array, const char *text);

#endif
