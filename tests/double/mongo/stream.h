/* stream.h - change streams: events made of oplog entries, and resume tokens. */
#ifndef DOUBLE_MONGO_STREAM_H
#define DOUBLE_MONGO_STREAM_H

#include "server.h"

struct stream;

/* Opens the stream that the pipeline's first stage ($changeStream) asks for. `coll` NULL: the whole database,
 * or, on admin with allChangesForCluster, everything. Memory is of `a`. */
int stream_open(struct req *r, struct pool *a, const char *db, const char *coll, struct val stages,
                struct stream **out);

enum stream_got { STREAM_EVENT, STREAM_NOTHING, STREAM_FAILED };
/* The next event, valid until the next call. STREAM_FAILED: see the request's error. */
enum stream_got stream_next(struct req *r, struct stream *st, struct val *event);
/* The event given last went out to the client: the post-batch token moves to it. */
void stream_sent(struct stream *st);
/* Everything there is has been seen: the token may move past events that were filtered out. */
void stream_drained(struct stream *st);
/* The post-batch resume token, {_data: ...}. */
void stream_put_token(struct stream *st, struct bw *w);
/* An invalidate was given: there will be nothing more. */
bool stream_invalidated(const struct stream *st);

#endif
