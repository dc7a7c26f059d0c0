/*
 * idle_world.h - an engine in a world where everybody answers at once and has nothing to report: no
 * documents, no points, a virtual clock. For tests of what an engine does by itself.
 */
#ifndef LOCKSTEP_TESTS_IDLE_WORLD_H
#define LOCKSTEP_TESTS_IDLE_WORLD_H

#include "engine/engine.h"

struct idle_world {
    struct req *asked; /* oldest first */
    int64_t now_ms;
    bool takes_over; /* the last holder did not give its lease back */
    size_t answered, given_back;
    size_t full_scans, recent_scans;
    void (*answer)(struct idle_world *,
                   struct req *); /* instead of idle_answer(), which it may call; or NULL */
};

/* One collection, one embedder, and times that suit a test. */
void idle_configure(struct engine_config *config);
/* `config` must outlive it. */
struct engine *idle_engine(struct idle_world *w, const struct engine_config *config);
/* Answers a request as this world does, without handing it back. */
void idle_answer(struct idle_world *w, struct req *req);
/* A new `_id`. */
struct docid *idle_id(int number);
/* REQ_STREAM_NEXT: brings this one change. */
void idle_notify(struct req *req, enum change_op op, int number);
/* REQ_READ: this document is there, and its record says that all is synced. */
void idle_synced(struct source_document *doc);
/* REQ_MAKE: room for what is made of each document. */
void idle_made(struct req *req);
/* A point with a text and an empty payload. */
void idle_point(struct made *made, const char *point_id);
/* REQ_EMBED: room for a vector or an error of each text. */
void idle_embedded(struct req *req);
/* Runs the engine and answers the oldest request; false if there was none. 10 milliseconds pass. */
bool idle_step(struct idle_world *w, struct engine *e);
/* Requests of this kind are slow: if the oldest is one, all others are answered before it. */
void idle_put_off(struct idle_world *w, enum req_kind kind);
/* Asks it to stop; it must end. Frees it. */
void idle_end(struct idle_world *w, struct engine *e);

#endif
