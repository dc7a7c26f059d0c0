/*
 * oplog.h - the log of what happened, from which change streams are fed, and the majority commit point.
 *
 * An entry knows the records it concerns by reference; entries that are not yet committed by a majority also
 * hold what it takes to undo them.
 */
#ifndef DOUBLE_MONGO_OPLOG_H
#define DOUBLE_MONGO_OPLOG_H

#include "store.h"

enum oplog_op {
    OP_NOOP,
    OP_INSERT,
    OP_UPDATE,  /* by operators: `delta` says what changed */
    OP_REPLACE, /* `doc` is the whole new document */
    OP_DELETE,
    OP_CREATE,
    OP_DROP,
    OP_RENAME, /* `to` is the new name */
    OP_DROP_DATABASE,
    OP_INDEX /* indexes made or dropped, validators changed: no stream shows it */
};

/* What the operations of one transaction share. */
struct oplog_txn {
    uint32_t refs;
    uint8_t lsid[16];
    int64_t number;
};

struct oplog_entry {
    uint64_t ts;
    int64_t term;
    enum oplog_op op;
    uint32_t txn_index;
    struct oplog_txn *txn; /* NULL outside transactions */
    char *ns;
    char *to; /* OP_RENAME */
    uint8_t uuid[16];
    struct rec *doc;   /* new version; OP_DELETE: the last one */
    uint8_t *delta;    /* OP_UPDATE: {s: {path: value}, u: [paths]} */
    struct rec *pre;   /* what was there before; only until committed */
    struct coll *coll; /* what was dropped (or replaced by a rename); only until committed */
    uint32_t bytes;    /* what it counts against the log's size */
};

struct oplog {
    struct oplog_entry *e; /* ring */
    size_t cap, head, n;
    uint64_t first_seq; /* sequence number of the oldest entry */
    uint64_t last_ts, truncated_ts;
    bool truncated; /* something has been forgotten */
    size_t bytes, max_bytes;
    bool frozen;
    uint64_t commit_seq; /* entries below are committed */
    uint64_t commit_ts;
    int64_t term, commit_term;
    int64_t last_write_ms; /* wall clock of the last entry */
    uint64_t clock;        /* the latest time a client has sent */
};

void oplog_init(struct oplog *o, size_t max_bytes);
void oplog_fini(struct oplog *o);
/* One past the newest entry. */
uint64_t oplog_end(const struct oplog *o);
struct oplog_entry *oplog_at(const struct oplog *o, uint64_t seq);
/* The cluster time: that of the newest entry, or a later one that a client has sent. */
uint64_t oplog_clock(const struct oplog *o);
void oplog_advance(struct oplog *o, uint64_t ts);
/* The time that the next entry will have. */
uint64_t oplog_tick(struct oplog *o);
/*
 * Appends an entry at time `ts`; takes over nothing, references what it keeps. `delta` may be VAL_NONE.
 */
struct oplog_entry *oplog_append(struct oplog *o, uint64_t ts, enum oplog_op op, const char *ns,
                                 const uint8_t *uuid, struct rec *doc, struct rec *pre, struct val delta);
void oplog_noop(struct oplog *o);
/* Moves the majority commit point to the end unless it is frozen. */
void oplog_commit(struct oplog *o);
/* Forgets every entry so far. */
void oplog_truncate(struct oplog *o);
/* Takes the newest entry off (for a rollback); the caller frees it with oplog_entry_fini. */
bool oplog_pop(struct oplog *o, struct oplog_entry *out);
void oplog_entry_fini(struct oplog_entry *e);
/* True if entries from `ts` on may be missing. */
bool oplog_lost(const struct oplog *o, uint64_t ts);
/* Sequence number of the first entry with a time >= `ts`. */
uint64_t oplog_seek(const struct oplog *o, uint64_t ts);

#endif
