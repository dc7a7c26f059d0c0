/*
 * points_groups.c - searches whose hits are gathered by a payload value: the best groups, each with its best
 * hits. All points are scored first, so groups are exact where the real server probes.
 */
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/handlers.h"
#include "qdrant_http/query.h"

struct group_request {
    struct query query;
    struct jsonpath by;
    uint64_t size;
    uint64_t limit;
    const char *field; /* how complaints name it */
};

struct group {
    struct json id; /* in the arena of the call */
    size_t *hits;   /* indexes of hits; malloc'd */
    size_t count;
};

struct grouping {
    struct call *call;
    const struct group_request *request;
    struct group *groups; /* malloc'd */
    size_t count;
    size_t hit;
};

static void add_to_group(struct grouping *g, const struct json *v)
{
    struct group *group = NULL;

    if (v->type != JSON_STRING && v->type != JSON_INT && v->type != JSON_UINT) return;
    for (size_t i = 0; i < g->count && !group; i++)
        if (json_equal(&g->groups[i].id, v)) group = &g->groups[i];
    if (!group) {
        if (g->count >= g->request->limit) return;
        g->groups = must_realloc(g->groups, (g->count + 1) * sizeof *g->groups);
        group = &g->groups[g->count++];
        memset(group, 0, sizeof *group);
        group->id = *v;
        if (v->type == JSON_STRING) group->id.u.string = pool_text(&g->call->arena, v->u.string, v->count);
    }
    if (group->count >= g->request->size || (group->count && group->hits[group->count - 1] == g->hit)) return;
    group->hits = must_realloc(group->hits, (group->count + 1) * sizeof *group->hits);
    group->hits[group->count++] = g->hit;
}

static bool visit(void *user, const struct json *v)
{
    if (v->type == JSON_ARRAY) {
        for (uint32_t i = 0; i < v->count; i++) add_to_group(user, &v->u.items[i]);
    } else {
        add_to_group(user, v);
    }
    return true;
}

static void gather(struct grouping *g, const struct hits *hits)
{
    const struct collection *c = g->call->collection;
    struct pool scratch;

    pool_init(&scratch);
    for (g->hit = 0; g->hit < hits->count; g->hit++) {
        struct json payload;

        pool_reset(&scratch);
        payload = collection_payload(c, hits->list[g->hit].slot, &scratch);
        jsonpath_walk(&g->request->by, 0, &payload, visit, g);
    }
    pool_fini(&scratch);
}

static void write_groups(struct grouping *g, const struct hits *hits, struct buf *out)
{
    buf_puts(out, "{\"groups\":[");
    for (size_t i = 0; i < g->count; i++) {
        struct hits own = {.count = g->groups[i].count};

        own.list = must_alloc(own.count * sizeof *own.list);
        for (size_t k = 0; k < own.count; k++) own.list[k] = hits->list[g->groups[i].hits[k]];
        buf_puts(out, i ? ",{\"hits\":" : "{\"hits\":");
        query_write(g->call, &g->request->query, &own, out);
        buf_puts(out, ",\"id\":");
        json_write(out, &g->groups[i].id);
        buf_putc(out, '}');
        free(own.list);
        free(g->groups[i].hits);
    }
    buf_puts(out, "]}");
    free(g->groups);
}

static bool read_request(struct call *c, struct group_request *g, bool search)
{
    struct reader *r = &c->reader;
    const struct json *by;
    bool size_given;

    g->size = 3;
    if (search ? !query_read_search(r, &c->body, g->field, &g->query)
               : !query_read(r, &c->body, g->field, &g->query))
        return false;
    if (!reader_need(r, &c->body, "group_by", &by)) return false;
    if (by->type != JSON_STRING) return reader_mismatch(r, by, "a string");
    if (!jsonpath_parse(&c->arena, by->u.string, by->count, &g->by))
        return reader_fail(r, by->end, "Invalid json path: '%s'", by->u.string);
    if (!reader_usize(r, &c->body, "group_size", &g->size, &size_given)) return false;
    if (search && !size_given) return reader_fail(r, c->body.end, "missing field `group_size`");
    if (size_given && !g->size)
        reader_invalid(r, pool_printf(&c->arena, "%s.group_size", g->field),
                       "value 0 invalid, must be 1 or larger");
    g->limit = g->query.limit;
    if (json_get(&c->body, "with_lookup") && json_get(&c->body, "with_lookup")->type != JSON_NULL)
        g->query.refused = "lookups in other collections";
    return true;
}

static void groups(struct call *c, const char *field, bool search)
{
    struct group_request request = {.field = field};
    struct grouping g = {.call = c, .request = &request};
    struct hits hits;
    struct buf found;

    if (!call_parse(c, READER_PINNED)) return;
    read_request(c, &request, search);
    if (!call_readable(c) || !call_read_parameters(c) || !call_open(c, false)) return;
    request.query.limit = c->collection->points + 1;
    request.query.limit_given = false;
    request.query.offset = 0;
    buf_init(&found, 0);
    if (query_run(c, &request.query, &hits)) {
        gather(&g, &hits);
        free(hits.values); /* groups show no order values */
        hits.values = NULL;
        write_groups(&g, &hits, &found);
        free(hits.list);
    }
    call_close(c);
    if (!c->answered) {
        buf_put(call_begin(c), found.data, found.bytes);
        call_end(c);
    }
    buf_fini(&found);
}

void points_query_groups(struct call *c)
{
    groups(c, "search_group_request", false);
}

void points_search_groups(struct call *c)
{
    groups(c, "search_group_request", true);
}
