/*
 * qdrant.h - Qdrant (1.10 and later) over REST: the engine's `index` port, and plain calls for everyone else.
 *
 * The port works on one thread of its own, over the shared HTTP loop; requests run beside each other, one
 * request's parts one after the other. It repeats nothing by itself: retries are the engine's. Each part
 * takes `timeout_ms` at most, and none is sent from the request's deadline on, however long it waited here.
 *
 * Errors of requests (err.code), the same for all kinds:
 *   LKS_E_NOT_FOUND          the collection isn't there (any more): ENSURE again. From REQ_ENSURE
 *                            only with `look_only`.
 *   LKS_E_QDRANT_UNAVAILABLE no connection, TLS, 5xx, 429 (with retry_after_ms), or somebody else answered
 *   LKS_E_QDRANT_TIMEOUT     no answer in time, or accepted and not completed
 *   LKS_E_QDRANT_REJECTED    refused: wrong dimension, strict mode, ...
 *   LKS_E_CANCELLED          qdrant_close() came first
 *   LKS_E_NOMEM
 *
 * REQ_UPSERT reports each point's `code`, with `error` and `unknown`:
 *   LKS_E_OK                 confirmed: status completed
 *   and the codes above. A batch refused for its content is halved until the bad point stands alone.
 * `err` is set, beside the points, when the server failed (not the content) and no point was confirmed, and
 * whenever the collection is missing; else it stays OK. A guarded upsert that is OK may have been skipped by
 * the guard: that is invisible in Qdrant's reply.
 */
#ifndef LOCKSTEP_QDRANT_QDRANT_H
#define LOCKSTEP_QDRANT_QDRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/meter.h"
#include "http/http.h"
#include "ports/ports.h"

struct qdrant;

struct qdrant_collection_config {
    const char *name;     /* in Qdrant, prefix included: the alias (or a collection that was there before) */
    const char *distance; /* "Cosine", "Dot", "Euclid", "Manhattan" */
    const char *model;    /* embedder fingerprint, for `_lockstep.model` */
};

struct qdrant_config {
    const char *url;          /* http(s)://host[:port][/prefix] */
    const char *api_key;      /* NULL or "": none */
    const char *api_key_file; /* NULL or "": none; read again as secret.h says */
    int timeout_ms;           /* of each HTTP request */
    bool plain;         /* a collection that has to be made is NAME itself, not NAME_v1 with the alias NAME */
    const char *source; /* "database.collection", for `_lockstep.source` */
    const struct qdrant_collection_config *collections; /* in the order of the engine's collections */
    size_t collection_count;
};

/*
 * Copies the configuration and starts the thread; asks the server nothing yet. `http` is borrowed and must be
 * closed after this. LKS_E_CONFIG for a URL that can't be one, LKS_E_NOMEM, LKS_E_IO.
 */
enum lks_code qdrant_open(const struct qdrant_config *config, struct http *http, struct inbox inbox,
                          struct qdrant **out, struct lks_err *err);
/* What identifies a collection of the server that a configured URL leads to: scheme, host, port and path,
 * with no user or password, in one spelling, and its name. To be freed; NULL when memory is out. */
char *qdrant_place(const char *url, const char *collection);
/* The `index` port. */
struct port qdrant_port(struct qdrant *q);
/* Posts back what is under way (LKS_E_CANCELLED) and stops. Nothing may be submitted any more. NULL is fine.
 */
void qdrant_close(struct qdrant *q);

/* ---- calls that wait, from any thread but the HTTP loop's; `collection` is the index in the configuration
 * ---- */

/* A point as found. */
struct qdrant_point {
    char id[POINT_ID_BYTES];
    double score;  /* of a search */
    char *payload; /* owned: JSON object as Qdrant wrote it, `_lockstep` included; "{}" if there is none */
    float *vector; /* owned; NULL unless asked for */
    size_t dimensions;
};
struct qdrant_points {
    struct qdrant_point *items; /* owned */
    size_t count;
};
void qdrant_points_fini(struct qdrant_points *points);

/* The nearest points, best first. `filter`: a Qdrant filter in JSON, or NULL. */
enum lks_code qdrant_search(struct qdrant *q, size_t collection, const float *vector, size_t dimensions,
                            size_t limit, const char *filter, struct qdrant_points *out, struct lks_err *err);

/* Points by id, whole, in no order; those that aren't there are left out. */
enum lks_code qdrant_retrieve(struct qdrant *q, size_t collection, const char *const *ids, size_t count,
                              bool with_vector, struct qdrant_points *out, struct lks_err *err);

/* Exact number of points that match `filter` (JSON; NULL: all, "" : of our source). */
enum lks_code qdrant_count(struct qdrant *q, size_t collection, const char *filter, int64_t *points,
                           struct lks_err *err);

/* Our source's points with an epoch above `floor` other than `own`: how many, and the highest epoch
 * (UINT64_MAX: no number that an epoch can be). */
enum lks_code qdrant_epochs(struct qdrant *q, size_t collection, uint64_t floor, uint64_t own,
                            int64_t *points, uint64_t *highest, struct lks_err *err);

/*
 * What points say of themselves, by id, each once, sorted by id; those that aren't there are left out. With
 * `whole` the payloads that are really there are hashed: a point of ours whose payload isn't what its
 * `_lockstep` says has no payload_hash, and all replicas are asked, as far as they answer: a point that they
 * do not agree on `differs`. `*found` is to be freed by qdrant_stamps_free().
 */
enum lks_code qdrant_look(struct qdrant *q, size_t collection, const char *const *ids, size_t count,
                          bool whole, struct stamp **found, size_t *found_count, struct lks_err *err);
/*
 * A page of our source's points, from the id `from` on ("": the first), in the order of ids; of these
 * documents only (canonical Extended JSON) if `doc_count` isn't 0. `next` gets where to go on, "" at the end;
 * it may be `from`.
 */
enum lks_code qdrant_page(struct qdrant *q, size_t collection, const char *const *docs, size_t doc_count,
                          const char *from, size_t max, struct stamp **found, size_t *found_count,
                          char next[POINT_ID_BYTES], struct lks_err *err);
void qdrant_stamps_free(struct stamp *found, size_t count);

/* Deletes points by id, confirmed. Those that aren't there are no error. For `forget` only: what the engine
 * writes, it deletes. */
enum lks_code qdrant_delete(struct qdrant *q, size_t collection, const char *const *ids, size_t count,
                            struct lks_err *err);

struct qdrant_info {
    bool exists;       /* false: the rest is zero */
    char *target;      /* owned: the collection's own name (behind the alias); free by qdrant_info_fini() */
    char *other_alias; /* owned: an alias that leads to it, too; NULL: none */
    size_t dimensions; /* of its unnamed vector; 0 if it has none */
    char distance[16];
    char status[16]; /* "green", "yellow", ... */
    int64_t points;  /* roughly */
};
/* A collection that isn't there is no error. */
enum lks_code qdrant_info(struct qdrant *q, size_t collection, struct qdrant_info *out, struct lks_err *err);
void qdrant_info_fini(struct qdrant_info *info);

/* Whether vectors of this size can be stored in the collection as it is configured. LKS_E_QDRANT_REJECTED
 * says why not. One that isn't there is no error. */
enum lks_code qdrant_fits(struct qdrant *q, size_t collection, size_t dimensions, struct lks_err *err);

/* The collection that a name (with its prefix) leads to: behind the alias, or the name itself. `target` is to
 * be freed by free(). */
enum lks_code qdrant_resolve(struct qdrant *q, const char *name, char **target, struct lks_err *err);

/* Deletes the collection (behind the alias) with its aliases and all its points, of whatever source.
 * `existed` may be NULL; a collection that isn't there is no error. */
enum lks_code qdrant_drop(struct qdrant *q, size_t collection, bool *existed, struct lks_err *err);

/* Is the server there and willing to answer us? For readiness. `version` (may be NULL) gets major * 1000 +
 * minor, 0 if it doesn't say. */
/* The oldest version, as qdrant_ping() reports it, that skips guarded writes. */
#define QDRANT_GUARDS 1016
enum lks_code qdrant_ping(struct qdrant *q, int *version, struct lks_err *err);

/* ---- for metrics, from any thread ---- */

enum qdrant_request_kind {
    QDRANT_UPSERT,
    QDRANT_PAYLOAD,
    QDRANT_DELETE,
    QDRANT_SCROLL,
    QDRANT_RETRIEVE,
    QDRANT_COUNT,
    QDRANT_SEARCH,
    QDRANT_MANAGE, /* collections, aliases, indexes, versions */
    QDRANT_REQUEST_KINDS
};
/* "upsert", ... Static storage. */
const char *qdrant_request_name(enum qdrant_request_kind kind);
/* HTTP requests of this kind that are over, since qdrant_open(). */
void qdrant_meter(struct qdrant *q, enum qdrant_request_kind kind, struct meter_reading *out);

#endif
