/* index.h - requests to the index: points of Qdrant collections. */
#ifndef LOCKSTEP_PORTS_INDEX_H
#define LOCKSTEP_PORTS_INDEX_H

#include "base/err.h"
#include "model/stamp.h"

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

/* Makes the collection with alias and payload indexes if it is missing, checks size and distance if
 * it isn't. Also the probe of a circuit. */
struct req_ensure {
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
};

/* Points with one of these ids, and all points of our source whose `_lockstep.doc` is one of these
 * documents. */
struct req_lookup {
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
};

/* Writes whole points. `err` stays OK if each point's code says what became of it. */
struct req_write {
    size_t collection;
    struct point_write *points; /* owned array */
    size_t count;
};

/* Deletes by ids; points that aren't there are no error. */
struct req_del {
    size_t collection;
    const char **point_ids; /* owned array, borrowed strings */
    size_t count;
    bool unknown; /* out, with an error: may have been applied */
};

/* A page of our source's points, in the order of their ids. */
struct req_scroll {
    size_t collection;
    char from[POINT_ID_BYTES]; /* begin with it; "": at the first */
    size_t max_points;
    /* out */
    struct stamp *found; /* owned */
    size_t found_count;
    char next[POINT_ID_BYTES]; /* "": no more */
};

/* Exact number of our source's points. */
struct req_count {
    size_t collection;
    int64_t points; /* out */
};

/* Our source's points with an epoch above `floor` other than `own`: their exact number, and the
 * highest of their epochs. */
struct req_epochs {
    size_t collection;
    uint64_t floor, own;
    /* out */
    int64_t points;
    uint64_t highest; /* UINT64_MAX: no number that an epoch can be */
};

#endif
