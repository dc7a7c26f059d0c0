/*
 * io.h - the conversations with the ports. Each NAME_io.c makes the requests of one port and reads their
 * replies.
 */
#ifndef LOCKSTEP_ENGINE_IO_IO_H
#define LOCKSTEP_ENGINE_IO_IO_H

#include "engine/session/session.h"

/* What a request carries, so that its results are assigned; the request's `context`. */
struct batch {
    struct batch_queue *batch_queue;
    size_t count;
    void *items[]; /* struct document or struct target, as the queue has them */
};

/* Hands a request to a port. */
void submit(struct engine *e, const struct port *port, struct req *req);
/* Whether feeds or session asked for this, which they have not from then on. */
bool asked(struct engine *e, enum ask what);
/* A reply of MongoDB: true if it went well. An error is a reason to pause. */
bool mongo_replied(struct engine *e, const struct req *req, const char *what);
/* A request of `kind` for what waits in the queue; NULL when memory is out (everything waits on). */
struct req *batch_request(struct batch_queue *batch_queue, enum req_kind kind, struct batch **batch);
/* The request is not sent: its batch goes back, and both are freed. */
void batch_give_up(struct batch *batch, struct req *req);
/* The batch of a request that came back, to be freed; NULL: it has none. */
struct batch *batch_of_reply(struct req *req);
/* Everything in a batch back into its queue, in its order. */
void batch_put_back(struct batch *batch);
/* All targets of a batch fail with this. */
void batch_failed(struct engine *e, struct batch *batch, const struct lks_err *err);

/* Requests for everything that waits and may go. */
void source_io_send(struct engine *e);
void store_io_send(struct engine *e);
void maker_io_send(struct engine *e);
void embedder_io_send(struct engine *e);
void index_io_send(struct engine *e);
/* A request came back. */
void source_io_reply(struct engine *e, struct req *req);
void store_io_reply(struct engine *e, struct req *req);
void maker_io_reply(struct engine *e, struct req *req);
void embedder_io_reply(struct engine *e, struct req *req);
void index_io_reply(struct engine *e, struct req *req);

#endif
