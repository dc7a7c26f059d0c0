/* conn.h - one client connection: its bytes in and out, and the request it waits for. */
#ifndef DOUBLE_MONGO_CONN_H
#define DOUBLE_MONGO_CONN_H

#include "server.h"

#define WIRE_MAX_MESSAGE 48000000

struct conn {
    struct server *s;
    int fd; /* -1: none, as in the fuzzer; replies pile up in `out` */
    int32_t id;
    char app_name[128];
    uint8_t *in;                      /* bytes received */
    size_t in_bytes, in_cap, in_used; /* in_used: of the message being worked on */
    uint8_t *out;
    size_t out_bytes, out_cap, out_sent;
    struct req *req; /* parked, or NULL */
    bool closing;    /* close when everything is written */
    bool dead;       /* close now */
    bool want_write; /* the poller watches for room */
    bool second;     /* it came to the second member */
};

struct conn *conn_new(struct server *s, int fd);
void conn_free(struct conn *c);
/* Takes bytes that have arrived and works on as many messages as it can. Never fails: a bad message closes.
 */
void conn_feed(struct conn *c, const uint8_t *data, size_t bytes);
/* Goes on with a parked request, and with messages that arrived meanwhile. */
void conn_step(struct conn *c);
/* True while nothing that arrives is looked at and nothing is answered. */
bool conn_is_swallowed(const struct conn *c);
/* When the parked request wants to be looked at for its time; 0: never. */
int64_t conn_deadline(const struct conn *c);

/* wire.c: one whole message; false if it is none and the connection is to be closed. */
bool wire_request(struct conn *c, const uint8_t *msg, size_t bytes, struct req **out);
void wire_reply(struct conn *c, struct req *r);

#endif
