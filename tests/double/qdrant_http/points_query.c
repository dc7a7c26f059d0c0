/* points_query.c - the routes that search, in the newer form (query) and the older one (search). */
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/handlers.h"
#include "qdrant_http/query.h"
#include "qdrant_http/strict.h"

typedef bool read_query(struct reader *r, const struct json *body, const char *field, struct query *out);

/* Queries answer {"points": [...]}, searches the bare array. */
static bool answer(struct call *c, struct query *q, bool wrapped, struct buf *out)
{
    struct hits hits;

    if (!query_run(c, q, &hits)) return false;
    if (wrapped) buf_puts(out, "{\"points\":");
    query_write(c, q, &hits, out);
    if (wrapped) buf_putc(out, '}');
    free(hits.list);
    free(hits.values);
    return true;
}

static void one(struct call *c, read_query *read, const char *field, bool wrapped)
{
    struct query q;
    struct buf found;

    if (!call_parse(c, READER_PINNED)) return;
    read(&c->reader, &c->body, field, &q);
    if (!call_readable(c) || !call_read_parameters(c) || !call_open(c, false)) return;
    buf_init(&found, 0);
    answer(c, &q, wrapped, &found);
    call_close(c);
    if (!c->answered) {
        buf_put(call_begin(c), found.data, found.bytes);
        call_end(c);
    }
    buf_fini(&found);
}

static bool read_batch(struct call *c, read_query *read, const char *field, struct query **out, size_t *count)
{
    const struct json *list;

    if (c->body.type != JSON_OBJECT) return reader_mismatch(&c->reader, &c->body, "struct QueryRequestBatch");
    if (!reader_need(&c->reader, &c->body, "searches", &list)) return false;
    if (list->type != JSON_ARRAY) return reader_mismatch(&c->reader, list, "a sequence");
    *out = pool_take(&c->arena, ((size_t)list->count + 1) * sizeof **out);
    *count = list->count;
    for (uint32_t i = 0; i < list->count; i++) {
        c->reader.pin = list->u.items[i].end;
        if (!read(&c->reader, &list->u.items[i], pool_printf(&c->arena, "searches[%u].%s", i, field),
                  &(*out)[i]))
            return false;
    }
    return true;
}

static void batch(struct call *c, read_query *read, const char *field, bool wrapped)
{
    struct query *list = NULL;
    struct buf found;
    size_t count = 0;

    if (!call_parse(c, READER_PINNED)) return;
    read_batch(c, read, field, &list, &count);
    if (!call_readable(c) || !call_read_parameters(c) || !call_open(c, false)) return;
    buf_init(&found, 0);
    buf_putc(&found, '[');
    if (strict_search_batch(c, count)) {
        for (size_t i = 0; i < count; i++) {
            if (i) buf_putc(&found, ',');
            if (!answer(c, &list[i], wrapped, &found)) break;
        }
    }
    buf_putc(&found, ']');
    call_close(c);
    if (!c->answered) {
        buf_put(call_begin(c), found.data, found.bytes);
        call_end(c);
    }
    buf_fini(&found);
}

void points_query(struct call *c)
{
    one(c, query_read, "internal", true);
}

void points_query_batch(struct call *c)
{
    batch(c, query_read, "internal", true);
}

void points_search(struct call *c)
{
    one(c, query_read_search, "search_request", false);
}

void points_search_batch(struct call *c)
{
    batch(c, query_read_search, "search_request", false);
}

void points_recommend(struct call *c)
{
    one(c, query_read_recommend, "recommend_request", false);
}

void points_recommend_batch(struct call *c)
{
    batch(c, query_read_recommend, "recommend_request", false);
}

void points_discover(struct call *c)
{
    one(c, query_read_discover, "discover_request", false);
}

void points_discover_batch(struct call *c)
{
    batch(c, query_read_discover, "discover_request", false);
}

void points_refuse(struct call *c)
{
    call_error(c, 400, "Wrong input: %s is not known to this stand-in for Qdrant", c->request->target);
}
