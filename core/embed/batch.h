/* batch.h - one request to an embedding server, from its making to its end. Private to embed/. */
#ifndef LOCKSTEP_EMBED_BATCH_H
#define LOCKSTEP_EMBED_BATCH_H

#include "embed/embedder.h"
#include "embed/provider.h"

/* A REQ_EMBED that is not over yet. */
struct embed_job {
    struct req *req;
    size_t open; /* texts without an outcome */
    size_t hung; /* of those, the ones whose request hangs: see remote_hang.c */
};

/* One text of it. */
struct item {
    struct embed_job *job;
    size_t index;
};

enum batch_kind {
    BATCH_TEXTS,
    BATCH_PROBE, /* embeds a fixed word: for a REQ_EMBED_PROBE, or to learn whether the server or a text is to
                    blame */
    BATCH_CHECK, /* embeds it once more, in base64: is that the same vector? */
    BATCH_INFO   /* TEI's GET /info */
};

struct embed_batch {
    struct http_call call;
    struct embedder *e;
    struct embed_batch *next; /* in the mailbox, or in a list of those that are not away */
    struct embed_batch *away_next;
    enum batch_kind kind;
    struct item *items;             /* owned; BATCH_TEXTS */
    size_t count;                   /* 0 once they were cancelled */
    struct req *probe;              /* BATCH_PROBE: the request, or NULL */
    bool proven;                    /* the server is known to embed other texts than these */
    bool reprobe, passing, rejects; /* while it is suspected: as its last verdict says */
    uint64_t needs;                 /* likewise, with `reprobe`: the first probe that decides it */
    uint64_t number;                /* of a probe of our own */
    bool hung;                      /* it hangs, */
    bool beside;                    /* and takes no place of the window, */
    bool detached;                  /* and the engine's request was posted without it: */
    uint64_t text;                  /* its text, as a hash */
    bool base64;                    /* encoding_format was asked for */
    bool plain;                     /* it is not, whatever holds for others: it was refused with it */
    int64_t sent_us, took_us;
    uint64_t good; /* how many requests had gone well when it was sent */
    struct buf url, body, authorization;
    char *key; /* owned: what it was sent with; hidden in messages */
    struct http_header headers[3];
    struct lks_err err; /* while it is suspected: of its last verdict */
};

/* With room for `count` items, which the caller fills. NULL when memory is out. */
struct embed_batch *batch_new(struct embedder *e, enum batch_kind kind, size_t count);
void batch_free(struct embed_batch *b);

/* Makes URL, headers and body; false when memory is out. The texts are copied into the body. */
bool batch_prepare(struct embed_batch *b);
/* Sends it: counts it as away, and brings it back to the mailbox. */
void batch_send(struct embed_batch *b);

/* The fixed word of probes. */
#define PROBE_TEXT "lockstep"

#endif
