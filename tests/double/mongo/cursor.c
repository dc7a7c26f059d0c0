/* cursor.c - keeps cursors and fills batches from them. Owns what is open; knows no command's options. */
#include "cursor.h"

#include <stdlib.h>

#define BATCH_MAX_BYTES (16 * 1024 * 1024)

struct cursor *cursor_new(struct req *r, const char *ns)
{
    struct server *s = r->s;
    struct cursor *c = xcalloc(1, sizeof *c);
    do {
        c->id = (int64_t)(server_random(s) >> 1);
    } while (c->id == 0 || cursor_find(s, c->id));
    c->ns = pool_strndup(&c->a, ns, strlen(ns));
    c->collated = collation_used();
    if (c->collated) c->collation = *collation_used();
    if (r->session) c->session = pool_copy(&c->a, r->session->id, 16);
    if (s->cursor_count == s->cursor_cap) {
        s->cursor_cap = s->cursor_cap ? s->cursor_cap * 2 : 16;
        s->cursors = xrealloc(s->cursors, s->cursor_cap * sizeof *s->cursors);
    }
    s->cursors[s->cursor_count++] = c;
    return c;
}

void cursor_free(struct server *s, struct cursor *c)
{
    for (size_t i = 0; i < s->cursor_count; i++)
        if (s->cursors[i] == c) s->cursors[i] = s->cursors[--s->cursor_count];
    if (c->user) c->user->interrupt = MERR_CURSOR_KILLED;
    rec_unref(c->held);
    free(c->results);
    pool_fini(&c->a);
    free(c);
}

struct cursor *cursor_find(const struct server *s, int64_t id)
{
    for (size_t i = 0; i < s->cursor_count; i++)
        if (s->cursors[i]->id == id) return s->cursors[i];
    return NULL;
}

void cursors_kill_all(struct server *s)
{
    while (s->cursor_count) cursor_free(s, s->cursors[0]);
}

void cursor_add(struct cursor *c, struct val doc)
{
    size_t need = c->result_bytes + doc.n;
    if (need > c->result_cap) {
        c->result_cap = need > 2 * c->result_cap ? need + 4096 : 2 * c->result_cap;
        c->results = xrealloc(c->results, c->result_cap);
    }
    memcpy(c->results + c->result_bytes, doc.p, doc.n);
    c->result_bytes = need;
}

struct batch {
    struct bw w;
    size_t n, bytes;
    int64_t max;
    bool full;
};

static bool has_space(const struct batch *b, size_t bytes)
{
    if (b->max >= 0 && (int64_t)b->n >= b->max) return false;
    return b->n == 0 || b->bytes + bytes <= BATCH_MAX_BYTES;
}

static void put(struct batch *b, struct val doc)
{
    bw_puti(&b->w, b->n++, doc);
    b->bytes += doc.n;
}

static bool fill_results(struct cursor *c, struct batch *b)
{
    for (;;) {
        /* a batch that is exactly full does not show whether there is more, here as in the server */
        if (!has_space(b, 0)) return true;
        if (c->result_at >= c->result_bytes) return false;
        struct val doc = val_doc(c->results + c->result_at);
        if (!has_space(b, doc.n)) return true;
        put(b, doc);
        c->result_at += doc.n;
    }
}

/* True if there may be more. */
static bool fill_query(struct req *r, struct cursor *c, struct batch *b)
{
    struct pool scratch = {0};
    struct ectx e = r->ectx;
    bool more = false;
    e.a = &scratch;
    for (;;) {
        struct rec *rec = c->held;
        if (b->max >= 0 && (int64_t)b->n >= b->max) {
            more = !query_at_end(c->query);
            break;
        }
        c->held = NULL;
        if (!rec) {
            rec = query_next(c->query, &e);
            if (rec) rec_ref(rec);
        }
        if (!rec || r->err.code) break;
        struct val doc = rec_doc(rec);
        if (c->projection) doc = projection_apply(c->projection, doc, &e);
        bool fits = !r->err.code && has_space(b, doc.n);
        if (fits) put(b, doc);
        if (fits || r->err.code) {
            rec_unref(rec);
        } else {
            c->held = rec;
        }
        if (scratch.bytes > 65536) pool_reset(&scratch);
        if (r->err.code || !fits) {
            more = true;
            break;
        }
    }
    query_save(c->query);
    pool_fini(&scratch);
    return more;
}

static bool fill_stream(struct req *r, struct cursor *c, struct batch *b)
{
    for (;;) {
        struct val event;
        if (!has_space(b, 0)) return true;
        enum stream_got got = stream_next(r, c->stream, &event);
        if (got == STREAM_FAILED) return false;
        if (got == STREAM_NOTHING) break;
        put(b, event);
        stream_sent(c->stream);
        if (b->bytes > BATCH_MAX_BYTES - BVAL_MAX_DOC_BYTES / 16 && b->n > 0) return true;
    }
    stream_drained(c->stream);
    return !stream_invalidated(c->stream);
}

static int fail(struct req *r, struct cursor *c)
{
    cursor_free(r->s, c);
    return r->err.code;
}

int cursor_reply(struct req *r, struct cursor *c, int64_t batch, bool first, bool wait)
{
    struct batch b = {.max = batch};
    bool more;
    bw_init(&b.w, NULL);
    collation_use(c->collated ? &c->collation : NULL);
    if (c->stream) {
        more = fill_stream(r, c, &b);
    } else if (c->query) {
        more = fill_query(r, c, &b);
    } else {
        more = fill_results(c, &b);
    }
    if (r->err.code) {
        bw_fini(&b.w);
        return fail(r, c);
    }
    if (c->stream && wait && b.n == 0 && more) {
        bw_fini(&b.w);
        return MONGO_DEFER;
    }
    if (c->single) more = false;
    struct val docs = bw_done(&b.w);
    docs.t = BSON_TYPE_ARRAY;
    bw_doc(&r->reply, "cursor");
    bw_put(&r->reply, first ? "firstBatch" : "nextBatch", docs);
    if (c->stream) stream_put_token(c->stream, &r->reply);
    bw_i64(&r->reply, "id", more ? c->id : 0);
    bw_str(&r->reply, "ns", c->ns);
    bw_end(&r->reply);
    bw_fini(&b.w);
    if (!more) cursor_free(r->s, c);
    return 0;
}
