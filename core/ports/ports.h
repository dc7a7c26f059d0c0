/*
 * ports.h - how the engine meets the world.
 *
 * The engine asks by handing a request to a port's submit(); the adapter does the work on threads of its own
 * and posts the very same request back, its `out` part and `err` filled in. There is no other way in or out,
 * which is what lets the same engine run over real servers and under tests/sim.
 *
 * Ownership: a request is made by req_new() and belongs to the adapter from submit() until it is posted back;
 * then to the engine again, which frees it by req_free(), `in` and `out` alike. Exceptions are marked
 * "borrowed": they stay where they are, unchanged, until the request is posted back. Every submitted request
 * is posted back exactly once, also when it fails, is cancelled, or the adapter is being closed. Nothing is
 * posted from inside submit().
 *
 * Times: `_ms` are milliseconds. Wall-clock times count from 1970 UTC; `now` of struct clock is monotonic,
 * and goes on while the machine is suspended.
 */
#ifndef LOCKSTEP_PORTS_PORTS_H
#define LOCKSTEP_PORTS_PORTS_H

#include <stdint.h>

#include "ports/request.h"

/* A port: where requests go. submit() never blocks, may be called from the engine's thread only, and never
 * fails. */
struct port {
    void *self;
    void (*submit)(void *self, struct req *req);
};

/* Time and chance, which the engine has none of its own. */
struct clock {
    void *self;
    int64_t (*now_ms)(void *self);  /* monotonic, suspended time included */
    int64_t (*wall_ms)(void *self); /* since 1970 UTC */
    uint64_t (*random)(void *self); /* uniform 64 bits */
};

struct ports {
    struct port source, store, maker, embedder, index;
    struct clock clock;
};

/* How adapters post completions back: thread-safe, never blocks for long. */
struct inbox {
    void *self;
    void (*post)(void *self, struct req *req);
};

struct req *req_new(enum req_kind kind, void *context);
/* Frees the request with all it owns. NULL is fine. */
void req_free(struct req *req);
/* "stream_next", ... for logs. */
const char *req_kind_name(enum req_kind kind);

/* By the bytes of the point id; for qsort() and bsearch(). */
int stamp_compare(const void *a, const void *b);

/* What req_free() does for each of these, for whoever takes one out of a request. */
void source_document_fini(struct source_document *doc);
void change_fini(struct change *change);
void stamp_fini(struct stamp *w);
void tombstone_fini(struct tombstone *tombstone);
void engine_state_fini(struct engine_state *state);

#endif
