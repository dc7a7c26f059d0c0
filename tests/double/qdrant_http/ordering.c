/* ordering.c - see ordering.h. It owns nothing; dates are ordered by their microseconds, as the server shows
 * them. */
#include "qdrant_http/ordering.h"

#include <stdlib.h>
#include <string.h>

static bool read_start(struct reader *r, const struct json *v, struct ordering *out)
{
    if (!v || v->type == JSON_NULL) return true;
    out->has_start = true;
    if (json_is_number(v)) {
        out->start = json_number(v);
        return true;
    }
    if (v->type == JSON_STRING && filter_datetime(v->u.string, v->count, &out->start)) return true;
    return reader_fail(r, v->end, "data did not match any variant of untagged enum StartFrom");
}

bool ordering_read(struct reader *r, const struct json *v, struct ordering *out)
{
    const struct json *key = v;
    const struct json *direction;

    memset(out, 0, sizeof *out);
    if (!v || v->type == JSON_NULL) return true;
    if (v->type == JSON_OBJECT) key = json_get(v, "key");
    if (!key || key->type != JSON_STRING || !jsonpath_parse(r->arena, key->u.string, key->count, &out->key))
        return reader_fail(r, v->end, "data did not match any variant of untagged enum OrderByInterface");
    out->given = true;
    if (v->type != JSON_OBJECT) return true;
    direction = json_get(v, "direction");
    out->descending = json_string_is(direction, "desc");
    if (direction && direction->type != JSON_NULL && !out->descending && !json_string_is(direction, "asc"))
        return reader_fail(r, v->end, "data did not match any variant of untagged enum OrderByInterface");
    return read_start(r, json_get(v, "start_from"), out);
}

bool ordering_check(struct call *c, const struct ordering *o, bool has_offset)
{
    const struct field_index *x = collection_index(c->collection, &o->key);

    if (has_offset) {
        call_error(
            c, 400,
            "Wrong input: Cannot use an `offset` when using `order_by`. The alternative for paging is to use "
            "`order_by.start_from` and a filter to exclude the IDs that you've already seen for the "
            "`order_by.start_from` value");
        return false;
    }
    if (x && x->range) return true;
    call_error(
        c, 400,
        "Wrong input: No range index for `order_by` key: `%s`. Please create one to use `order_by`. Check "
        "https://qdrant.tech/documentation/concepts/indexing/#payload-index to see which payload schemas "
        "support "
        "Range conditions",
        o->key.text);
    return false;
}

struct gather {
    struct ordered *list;
    size_t count;
    size_t space;
    uint32_t slot;
    struct pointid id;
    const struct ordering *order;
    enum index_type type;
};

static void add(struct gather *g, const struct json *v)
{
    struct ordered o = {.slot = g->slot, .id = g->id};

    if (g->type == INDEX_DATETIME) {
        if (v->type != JSON_STRING || !filter_datetime(v->u.string, v->count, &o.value)) return;
        o.integer = true;
    } else {
        if (g->type == INDEX_INTEGER ? v->type != JSON_INT : !json_is_number(v)) return;
        o.value = json_number(v);
        o.integer = g->type == INDEX_INTEGER;
    }
    if (g->order->has_start && (g->order->descending ? o.value > g->order->start : o.value < g->order->start))
        return;
    if (g->count == g->space) {
        g->space = g->space ? g->space * 2 : 256;
        g->list = must_realloc(g->list, g->space * sizeof *g->list);
    }
    g->list[g->count++] = o;
}

static bool visit(void *user, const struct json *v)
{
    if (v->type == JSON_ARRAY) {
        for (uint32_t i = 0; i < v->count; i++) add(user, &v->u.items[i]);
    } else {
        add(user, v);
    }
    return true;
}

static int ascending(const void *a, const void *b)
{
    const struct ordered *x = a;
    const struct ordered *y = b;

    if (x->value < y->value) return -1;
    if (x->value > y->value) return 1;
    return pointid_compare(&x->id, &y->id);
}

static int descending(const void *a, const void *b)
{
    return ascending(b, a);
}

struct ordered *ordering_apply(const struct collection *c, const struct filter *f, const struct ordering *o,
                               size_t *count)
{
    const struct field_index *x = collection_index(c, &o->key);
    struct gather g = {.order = o, .type = x ? x->type : INDEX_FLOAT};
    struct slots slots = {0};
    struct pool scratch;

    pool_init(&scratch);
    select_all(c, f, &slots);
    for (size_t i = 0; i < slots.count; i++) {
        struct json payload;

        pool_reset(&scratch);
        payload = collection_payload(c, slots.list[i], &scratch);
        g.slot = slots.list[i];
        g.id = collection_id(c, g.slot);
        jsonpath_walk(&o->key, 0, &payload, visit, &g);
    }
    if (g.count) qsort(g.list, g.count, sizeof *g.list, o->descending ? descending : ascending);
    free(slots.list);
    pool_fini(&scratch);
    *count = g.count;
    return g.list;
}

void ordering_write(struct buf *out, const struct ordered *v)
{
    if (v->integer)
        buf_printf(out, "%lld", (long long)v->value);
    else
        json_write_f64(out, v->value);
}
