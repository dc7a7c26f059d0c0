/* remote.h - the embedders that speak to a server. Everything here runs on the embedder's own thread, but
 * remote_query(). */
#ifndef LOCKSTEP_EMBED_REMOTE_H
#define LOCKSTEP_EMBED_REMOTE_H

#include "embed/embedder.h"

/* LKS_E_NOMEM. */
enum lks_code remote_open(struct embedder *e, struct lks_err *err);

/* A request from the engine. */
void remote_take(struct embedder *e, struct req *req);
/* Batches whose call is done, newest first. */
void remote_done(struct embedder *e, struct embed_batch *done);
/* Sends what may be sent. After either of the above. */
void remote_pump(struct embedder *e);
/* Posts everything that is open (LKS_E_CANCELLED). Batches that are away have nothing to deliver any more. */
void remote_cancel(struct embedder *e);

/* One text, with model and prefix of a document or of a search, waiting for the answer, from any thread. */
enum lks_code remote_query(struct embedder *e, const char *text, bool document, float **vector,
                           size_t *dimensions, struct lks_err *err);

#endif
