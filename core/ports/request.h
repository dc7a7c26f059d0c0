/* request.h - what all requests have: kind, deadline, error, context. */
#ifndef LOCKSTEP_PORTS_REQUEST_H
#define LOCKSTEP_PORTS_REQUEST_H

#include "ports/embedder.h"
#include "ports/index.h"
#include "ports/maker.h"
#include "ports/source.h"
#include "ports/store.h"

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
        /* source */
        struct req_stream_open stream_open;
        struct req_stream_next stream_next;
        struct req_read read;
        struct req_scan scan;
        struct req_due due;
        struct req_duplicates duplicates;
        struct req_record_counts record_counts;
        struct req_orphan_records orphan_records;
        /* store */
        struct req_record record;
        struct req_state_load state_load;
        struct req_state_save state_save;
        struct req_tombstones tombstones;
        struct req_lease lease;
        /* maker */
        struct req_make make;
        /* embedder */
        struct req_embed embed;
        struct req_embed_probe embed_probe;
        /* index */
        struct req_ensure ensure;
        struct req_lookup lookup;
        struct req_write write;
        struct req_del del;
        struct req_scroll scroll;
        struct req_count count;
        struct req_epochs epochs;
    };
};

#endif
