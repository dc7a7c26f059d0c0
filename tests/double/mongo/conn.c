/* conn.c - a connection: collects messages, runs them one after another, parks what waits. Owns its buffers.
 */
#include "conn.h"
#include "cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct conn *conn_new(struct server *s, int fd)
{
    struct conn *c = xcalloc(1, sizeof *c);
    c->s = s;
    c->fd = fd;
    c->id = ++s->next_conn_id;
    if (s->conn_count == s->conn_cap) {
        s->conn_cap = s->conn_cap ? s->conn_cap * 2 : 16;
        s->conns = xrealloc(s->conns, s->conn_cap * sizeof *s->conns);
    }
    s->conns[s->conn_count++] = c;
    return c;
}

static void drop_request(struct conn *c)
{
    if (!c->req) return;
    for (size_t i = 0; i < c->s->cursor_count; i++)
        if (c->s->cursors[i]->user == c->req) c->s->cursors[i]->user = NULL;
    request_fini(c->req);
    free(c->req);
    c->req = NULL;
}

void conn_free(struct conn *c)
{
    drop_request(c);
    for (size_t i = 0; i < c->s->conn_count; i++)
        if (c->s->conns[i] == c) c->s->conns[i] = c->s->conns[--c->s->conn_count];
    if (c->fd >= 0) close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
}

static void forget_message(struct conn *c)
{
    memmove(c->in, c->in + c->in_used, c->in_bytes - c->in_used);
    c->in_bytes -= c->in_used;
    c->in_used = 0;
    if (c->in_cap > 1 << 20 && c->in_bytes < 1 << 16) {
        c->in_cap = 1 << 16;
        c->in = xrealloc(c->in, c->in_cap);
    }
}

/* A hello that the client lets us answer again and again: the next answer waits for a change. */
static struct req *next_exhaust(struct req *r)
{
    struct req *again = xmalloc(sizeof *again);
    request_init(again, r->s, r->conn, r->body);
    again->body = val_dup(&again->a, r->body);
    again->exhaust = again->exhausting = true;
    again->message_id = r->message_id;
    again->reported_counter = r->s->topology_counter;
    return again;
}

static bool goes_on(const struct req *r)
{
    return r->exhaust && !r->err.code && command_find(r->name) &&
           !strcmp(command_find(r->name)->name, "isMaster") &&
           !val_missing(doc_get(r->body, "topologyVersion"));
}

/* Runs the request as far as it goes. */
static void work(struct conn *c)
{
    struct req *r = c->req;
    int rc = request_step(r);
    if (rc == MONGO_DEFER) return;
    if (rc == MONGO_CLOSE) {
        c->dead = true;
        return;
    }
    struct req *again = NULL;
    if (!r->more_to_come) {
        bool more = goes_on(r);
        r->exhausting = more; /* the reply says that another will come */
        wire_reply(c, r);
        if (more) again = next_exhaust(r);
    }
    request_fini(r);
    free(r);
    c->req = again;
    if (!again) forget_message(c);
}

static void next_message(struct conn *c)
{
    while (!c->req && !c->dead && c->in_bytes >= 16) {
        uint32_t n = rd32(c->in);
        if (n < 16 || n > WIRE_MAX_MESSAGE) {
            c->dead = true;
            return;
        }
        if (c->in_bytes < n) return;
        c->in_used = n;
        if (!wire_request(c, c->in, n, &c->req)) {
            c->dead = true;
            return;
        }
        work(c);
    }
}

void conn_feed(struct conn *c, const uint8_t *data, size_t bytes)
{
    /* who is busy may send a little ahead, not without end */
    if (c->req && c->in_bytes > (size_t)2 * WIRE_MAX_MESSAGE) {
        c->dead = true;
        return;
    }
    if (bytes && c->in_bytes + bytes > c->in_cap) {
        /* a parked request refers to its message, which must not move */
        size_t cap = (c->in_bytes + bytes) * 2;
        uint8_t *in = xmalloc(cap);
        if (c->in_bytes) memcpy(in, c->in, c->in_bytes);
        if (c->req && c->req->body.p >= c->in && c->req->body.p < c->in + c->in_cap) {
            struct pool *a = &c->req->a;
            c->req->body = val_dup(a, c->req->body);
            c->req->name = "";
            c->req->write_concern = doc_get(c->req->body, "writeConcern");
            if (!c->req->op_query) c->req->db = "";
        }
        free(c->in);
        c->in = in;
        c->in_cap = cap;
    }
    if (bytes) memcpy(c->in + c->in_bytes, data, bytes);
    c->in_bytes += bytes;
    next_message(c);
}

bool conn_is_swallowed(const struct conn *c)
{
    return c->s->swallows[c->second];
}

void conn_step(struct conn *c)
{
    if (c->dead || !c->req || conn_is_swallowed(c)) return;
    work(c);
    next_message(c);
}

int64_t conn_deadline(const struct conn *c)
{
    return c->req && !conn_is_swallowed(c) ? c->req->deadline_ms : 0;
}
