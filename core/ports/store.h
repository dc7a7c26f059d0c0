/* store.h - requests to the store: records, tombstones, saved state, lease. */
#ifndef LOCKSTEP_PORTS_STORE_H
#define LOCKSTEP_PORTS_STORE_H

#include "base/err.h"
#include "model/state.h"
#include "model/tombstone.h"

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

/* Writes records, in bulk, each by compare-and-set, w: majority. */
struct req_record {
    struct record_write *writes; /* owned array */
    size_t count;
};

/* LKS_E_CONFIG: the source is not ours to write to as it is configured */
struct req_state_load {
    struct engine_state state; /* out, owned */
};

/* Saves the state, w: majority, only while `epoch` is still the lease's (else LKS_E_LEASE). */
struct req_state_save {
    struct engine_state state; /* owned */
    uint64_t epoch;
};

/* PUT adds or replaces tombstones (no key: the one that is there stays), LIST brings those that are
   due, in the order of (due_ms, the id's text), DROP removes them, by id and `since_ms`: not one that
   was put after the one that is meant. */
struct req_tombstones {
    bool refused;        /* LIST: only those of documents whose record was refused */
    int64_t due_by_ms;   /* LIST: only with due_ms <= this (wall clock) */
    int64_t from_due_ms; /* LIST: begin after the tombstone with this due_ms and id; */
    struct docid *from;  /* owned; NULL: at the first */
    size_t max;          /* LIST: at most this many */
    int64_t next_ms;     /* LIST, out: if all were brought, the earliest due_ms after them, or NO_TIME */
    struct tombstone *tombstones; /* owned. PUT and DROP: in. LIST: out */
    size_t count;
};

struct req_lease {
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
};

#endif
