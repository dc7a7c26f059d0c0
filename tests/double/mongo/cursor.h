/* cursor.h - open cursors: of finds, of aggregations that are done, and of change streams. */
#ifndef DOUBLE_MONGO_CURSOR_H
#define DOUBLE_MONGO_CURSOR_H

#include "project.h"
#include "query.h"
#include "server.h"
#include "stream.h"

struct cursor {
    int64_t id;
    char *ns;
    struct pool a; /* everything below */
    struct query *query;
    struct coll *coll; /* what the query walks, if it is in the catalogue */
    struct projection *projection;
    uint8_t *results; /* finished documents, one after another; malloc */
    size_t result_bytes, result_cap, result_at;
    struct stream *stream;
    struct rec *held;       /* a match that did not fit into the last batch */
    struct req *user;       /* the getMore that waits on it */
    const uint8_t *session; /* id of the session that opened it, or NULL */
    bool collated;          /* by `collation`, else by the simple one */
    struct collation collation;
    bool single; /* closed after its first batch whatever is left */
};

/* A cursor of the request's session. */
struct cursor *cursor_new(struct req *r, const char *ns);
void cursor_free(struct server *s, struct cursor *c);
struct cursor *cursor_find(const struct server *s, int64_t id);
void cursors_kill_all(struct server *s);
/* Makes an answer to find, aggregate or getMore: fills a batch (`batch` documents, -1: as many as fit) and
 * closes what is exhausted. `first`: firstBatch. Parks an awaiting stream if `wait`. */
int cursor_reply(struct req *r, struct cursor *c, int64_t batch, bool first, bool wait);
/* Appends a finished document to the cursor's results. */
void cursor_add(struct cursor *c, struct val doc);

#endif
