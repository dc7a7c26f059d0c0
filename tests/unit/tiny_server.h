/*
 * tiny_server.h - an HTTP server for tests that says exactly the bytes the test wants said.
 *
 * It reads requests properly and leaves everything else to the test's handler, so that broken, late and
 * missing replies are as easy as right ones. Loopback only, a port of the system's choice.
 */
#ifndef LOCKSTEP_TESTS_TINY_SERVER_H
#define LOCKSTEP_TESTS_TINY_SERVER_H

#include <stddef.h>

#include "base/buf.h"

struct tiny_server;

struct tiny_request {
    const char *method, *target; /* as in the request line */
    const char *head;            /* request line and headers, as sent */
    const char *body;            /* ends with a NUL */
    size_t body_bytes;
    int connection; /* counted from 0: which connection it came on */
    int number;     /* counted from 0: of all requests */
};

/* What becomes of the connection after the handler's bytes are written. */
enum tiny_then { TINY_KEEP, TINY_CLOSE, TINY_HANG /* stay silent until the client or the test ends it */ };

/* Puts the raw reply into `out`. On a thread per connection, one call at a time. */
typedef enum tiny_then (*tiny_handler)(void *context, const struct tiny_request *request, struct buf *out);

/* NULL if no port could be had. */
struct tiny_server *tiny_server_open(tiny_handler handler, void *context);
int tiny_server_port(const struct tiny_server *server);
/* Closes all connections and waits for their threads. */
void tiny_server_close(struct tiny_server *server);

/* Puts a whole reply with Content-Length; `headers` is "" or lines that end with CR LF. */
void tiny_reply(struct buf *out, int status, const char *headers, const char *body);

#endif
