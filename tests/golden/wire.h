/*
 * wire.h - MongoDB's wire protocol, bare: a connection, OP_MSG and OP_QUERY out, OP_MSG and OP_REPLY in.
 * Nothing is sent but what the caller says: no handshake, no session, no retry.
 */
#ifndef LOCKSTEP_GOLDEN_WIRE_H
#define LOCKSTEP_GOLDEN_WIRE_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct wire;

struct wire_reply {
    bool op_reply; /* OP_REPLY, else OP_MSG */
    uint32_t flags;
    bson_t *doc; /* owned */
};

/* A kind-1 section: documents under an identifier ("documents", "updates"). */
struct wire_sequence {
    const char *identifier;
    const bson_t *documents; /* an array of documents, as BSON */
};

/* LKS_E_IO if nobody listens there. */
enum lks_code wire_open(struct wire **w, const char *host, const char *port, struct lks_err *err);
void wire_close(struct wire *w);

/* Sends a command and hands back its request id. `sequence` may be NULL. */
enum lks_code wire_send_msg(struct wire *w, const bson_t *command, const struct wire_sequence *sequence,
                            int32_t *request, struct lks_err *err);
enum lks_code wire_send_query(struct wire *w, const char *ns, const bson_t *command, int32_t *request,
                              struct lks_err *err);

/*
 * Waits for the reply to `request`; replies to others are kept for them. Whoever gets a reply destroys its
 * `doc`. LKS_E_NOT_FOUND if the server closed the connection instead, LKS_E_IO if `timeout_ms` passed or what
 * came is no reply.
 */
enum lks_code wire_receive(struct wire *w, int32_t request, int64_t timeout_ms, struct wire_reply *reply,
                           struct lks_err *err);

/* True once the connection is of no use any more. */
bool wire_is_closed(const struct wire *w);

/* Milliseconds of a clock that only goes forward. */
int64_t wire_now_ms(void);

#endif
