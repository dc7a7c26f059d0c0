/* embedder.h - what the files of embed/ share: one embedder, its thread and its mailbox. Private to embed/.
 */
#ifndef LOCKSTEP_EMBED_EMBEDDER_H
#define LOCKSTEP_EMBED_EMBEDDER_H

#include <pthread.h>
#include <stdatomic.h>

#include "embed/cache.h"
#include "embed/embed.h"
#include "embed/words.h"
#include "http/http_secret.h"

struct embed_batch;
struct remote;

struct embedder {
    struct embed_config config; /* strings owned */
    char *fingerprint;          /* owned */
    struct words *words;        /* EMBED_WORDS only */
    size_t dimensions;          /* of the built-in ones */
    struct secret *key;         /* of those that speak to a server */
    struct remote *remote;      /* of those that speak to a server */
    struct http *http;
    struct inbox inbox;
    struct cache *cache; /* shared; NULL: none */

    pthread_t thread;
    bool started;
    /* The mailbox: requests from the engine, and batches whose HTTP call is done. */
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct req *first_req, *last_req;
    struct embed_batch *done; /* newest first */
    bool closing;             /* no more requests come */
    bool closed;              /* the thread has ended: batches free themselves when they are done */
    bool orphan;              /* with `closed`: the last batch that is away frees the embedder */
    size_t away;              /* batches whose HTTP call is under way, or in `done` */

    atomic_uint_fast64_t texts, cached, failed, requests, tokens, text_bytes;
    struct meter meter;
    atomic_bool base64; /* vectors are asked for in base64 now */
};

/* Frees an embedder whose thread has ended and that has no batch away. */
void embedder_free(struct embedder *e);

/* Hands a finished request back to the engine. */
void embedder_post(struct embedder *e, struct req *req);

/*
 * Prepares the out part of a REQ_EMBED: arrays of vectors and errors. False, with req->err set, when memory
 * is out: the request is to be posted as it is.
 */
bool embedder_prepare(struct req *req);
/* Notes that one text of a REQ_EMBED failed (a copy of `err`). */
void embedder_fail_text(struct embedder *e, struct req *req, size_t index, const struct lks_err *err);

/* local.c: words and hash, on the embedder's thread. Posts the request. */
void local_embed(struct embedder *e, struct req *req);
/* The vector of one text, from any thread; NULL when memory is out. */
float *local_vector(const struct embedder *e, const char *prefix, const char *text, size_t bytes);

#endif
