/*
 * streams.h - the clients that listen to events: each is a connection whose answer doesn't end. Private to
 * this room.
 *
 * A stream reads the ring of service/events.h at the pace its client takes; what it holds is one event. With
 * nothing to send its connection is suspended.
 */
#ifndef LOCKSTEP_API_STREAMS_H
#define LOCKSTEP_API_STREAMS_H

#include "api/call.h"

struct streams;
struct MHD_Response;

/* With the threads that wake streams and make the events that nobody else makes. NULL: none can be had. */
struct streams *streams_open(const struct service *service);
/* All streams end soon, none begins any more. For before libmicrohttpd is stopped, which bears no suspended
 * connection. NULL is fine. */
void streams_end(struct streams *s);
/* After libmicrohttpd was stopped. NULL is fine. */
void streams_close(struct streams *s);

/* A stream for this call; `source` NULL: of all; `last_id` NULL: from now on. NULL: there are too many. */
struct stream *stream_new(struct streams *s, struct MHD_Connection *connection, const char *source,
                          const char *last_id);
/* Of one that became no answer. NULL is fine. */
void stream_free(struct stream *stream);
/* Takes the stream over, if it isn't NULL. */
struct MHD_Response *stream_response(struct stream *stream);

#endif
