/*
 * call.h - one request on its way through a handler: the path taken apart, the body parsed, the answer begun.
 */
#ifndef DOUBLE_QDRANT_HTTP_CALL_H
#define DOUBLE_QDRANT_HTTP_CALL_H

#include <time.h>

#include "qdrant_http/server.h"
#include "qdrant_store/payload.h"
#include "qdrant_store/select.h"

struct call {
    struct server *server;
    const struct request *request;
    struct response *response;
    struct pool arena;
    char *segments[8]; /* path segments, percent escapes undone; they may hold any byte but NUL */
    size_t segment_count;
    const char *name;  /* the collection's, where the path has one */
    const char *query; /* behind the question mark, or "" */
    struct json body;
    struct reader reader;
    struct timespec began;
    struct collection *collection; /* after call_open: the replica that is read or written */
    struct collection *first;      /* and that of node 0 */
    size_t replica;                /* the one to write */
    uint64_t consistency;          /* replicas that must agree on what is read; 0: any will do */
    bool writing;
    bool wait;
    uint64_t timeout; /* seconds a read may take, 0 if it doesn't say */
    bool answered;
    int64_t alone_us, shared_us; /* what it costs; see costs.h */
    const char *forced_status;   /* what a fault wants an update to say of itself, or NULL */
};

/* The errors of Qdrant's storage layer: {"status":{"error":"Kind: text"},"time":...}. Each answers the call.
 */
void call_error(struct call *c, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The errors of its front door, with "time":0.0. */
void call_reject(struct call *c, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* {"result": ... the caller writes ... ,"status":"ok","time":...}. */
struct buf *call_begin(struct call *c);
void call_end(struct call *c);
void call_true(struct call *c, bool result);

/* Parses the body into c->body; false if it has answered with a complaint. */
bool call_parse(struct call *c, enum reader_place place);
/* Answers with the reader's complaints; true if there were none. */
bool call_readable(struct call *c);
/* Looks at the query parameters of updates (wait, ordering, timeout); false if it has answered. */
bool call_update_parameters(struct call *c);
/* The same for those of reads (consistency, timeout), and of collections (timeout). */
bool call_read_parameters(struct call *c);
bool call_wait_timeout(struct call *c);
/* The value of a query parameter in the arena, or NULL. */
char *call_parameter(struct call *c, const char *name);

/* Finds the collection and locks it, for reading or writing; false if it has answered 404. */
bool call_open(struct call *c, bool writing);
void call_close(struct call *c);

/* Undoes percent escapes; NULL if they are broken or hide a NUL. */
char *call_unescape(struct pool *a, const char *text, size_t bytes, bool plus);

/* {"operation_id":N,"status":"completed"} for the collection's last operation. */
void call_write_update(struct call *c, struct buf *out, uint64_t operation);

#endif
