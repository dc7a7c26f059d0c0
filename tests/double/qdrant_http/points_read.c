/* points_read.c - the routes that read points without scoring them: one, some, page by page, how many. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/cluster.h"
#include "qdrant_http/costs.h"
#include "qdrant_http/handlers.h"
#include "qdrant_http/ordering.h"
#include "qdrant_http/show.h"
#include "qdrant_http/strict.h"

void points_get(struct call *c)
{
    struct show show = {.payload = {.show = PAYLOAD_ALL}, .all_vectors = true};
    struct pointid id;
    struct pool scratch;
    uint32_t slot;

    if (!pointid_parse_text(c->segments[3], strlen(c->segments[3]), &id)) {
        call_error(c, 400, "Wrong input: Can not recognize \"%s\" as point id", c->segments[3]);
        return;
    }
    if (!call_read_parameters(c) || !call_open(c, false)) return;
    slot = collection_find(c->collection, &id);
    if (slot == NO_SLOT || !cluster_agrees(c, slot, &show)) {
        call_error(c, 404, "Not found: Point with id %s does not exists!", c->segments[3]);
    } else {
        pool_init(&scratch);
        show_record(call_begin(c), c->collection, slot, &show, &scratch);
        pool_fini(&scratch);
    }
    call_close(c);
    if (!c->answered) call_end(c);
}

/* The ids of a retrieve request, each once, in the order of their first mention. */
static bool read_ids(struct call *c, struct pointid **out, size_t *count)
{
    const struct json *ids;

    if (!reader_need(&c->reader, &c->body, "ids", &ids)) return false;
    if (ids->type != JSON_ARRAY) return reader_mismatch(&c->reader, ids, "a sequence");
    *out = pool_take(&c->arena, ((size_t)ids->count + 1) * sizeof **out);
    *count = ids->count;
    for (uint32_t i = 0; i < ids->count; i++)
        if (!pointid_parse(&ids->u.items[i], &(*out)[i]))
            return reader_fail(&c->reader, ids->u.items[i].end, "%s",
                               pointid_complaint(&c->arena, &ids->u.items[i]));
    return true;
}

void points_retrieve(struct call *c)
{
    struct pointid *ids = NULL;
    size_t count = 0;
    struct show show;
    struct pool scratch;
    struct buf *out;
    uint8_t *seen;
    bool first = true;

    if (!call_parse(c, READER_PINNED)) return;
    if (c->body.type != JSON_OBJECT)
        reader_mismatch(&c->reader, &c->body, "struct PointRequest");
    else if (read_ids(c, &ids, &count))
        show_read(&c->reader, &c->body, false, &show);
    if (!call_readable(c) || !call_read_parameters(c) || !call_open(c, false)) return;
    costs_add(c,
              show.all_vectors || show.vectors   ? COST_VECTOR
              : show.payload.show == PAYLOAD_ALL ? COST_PAYLOAD
                                                 : COST_STAMP,
              count);
    out = call_begin(c);
    buf_putc(out, '[');
    pool_init(&scratch);
    seen = pool_zero(&c->arena, c->collection->slots / 8 + 1);
    for (size_t i = 0; i < count; i++) {
        uint32_t slot = collection_find(c->collection, &ids[i]);

        if (slot == NO_SLOT || seen[slot / 8] >> (slot % 8) & 1) continue;
        seen[slot / 8] = (uint8_t)(seen[slot / 8] | 1U << (slot % 8));
        if (!cluster_agrees(c, slot, &show)) continue;
        if (!first) buf_putc(out, ',');
        first = false;
        show_record(out, c->collection, slot, &show, &scratch);
    }
    pool_fini(&scratch);
    buf_putc(out, ']');
    call_close(c);
    call_end(c);
}

struct scroll {
    bool has_offset;
    struct pointid offset;
    uint64_t limit;
    bool limit_given;
    struct filter *filter;
    struct show show;
    struct ordering order;
};

static bool read_filter(struct call *c, const char *field, struct filter **out)
{
    const struct json *v = json_get(&c->body, "filter");

    *out = NULL;
    return !v || v->type == JSON_NULL || filter_read(&c->reader, v, field, out);
}

static bool read_scroll(struct call *c, struct scroll *s)
{
    struct reader *r = &c->reader;
    const struct json *offset = json_get(&c->body, "offset");

    memset(s, 0, sizeof *s);
    s->limit = 10;
    if (c->body.type != JSON_OBJECT) return reader_mismatch(r, &c->body, "struct ScrollRequest");
    if (offset && offset->type != JSON_NULL) {
        if (!pointid_parse(offset, &s->offset))
            return reader_fail(r, offset->end, "%s", pointid_complaint(&c->arena, offset));
        s->has_offset = true;
    }
    if (!reader_usize(r, &c->body, "limit", &s->limit, &s->limit_given)) return false;
    if (s->limit_given && s->limit == 0)
        reader_invalid(r, "scroll_request.limit", "value 0 invalid, must be 1 or larger");
    if (!read_filter(c, "scroll_request.filter", &s->filter)) return false;
    if (!show_read(r, &c->body, true, &s->show)) return false;
    return ordering_read(r, json_get(&c->body, "order_by"), &s->order);
}

/* A page by id; the id behind it is where the next one begins. */
static void scroll_by_id(struct call *c, const struct scroll *s, struct buf *out)
{
    struct slots slots = {0};
    struct pool scratch;
    size_t limit = s->limit > UINT32_MAX ? UINT32_MAX : (size_t)s->limit;
    bool any = false;

    select_ordered(c->collection, s->filter, s->has_offset ? &s->offset : NULL, limit + 1, &slots);
    costs_add(c, COST_SCROLL, 1);
    costs_add(c, COST_SCROLL_MORE, slots.count ? slots.count - 1 : 0);
    pool_init(&scratch);
    for (size_t i = 0; i < slots.count && i < limit; i++) {
        if (!cluster_agrees(c, slots.list[i], &s->show)) continue;
        if (any) buf_putc(out, ',');
        any = true;
        show_record(out, c->collection, slots.list[i], &s->show, &scratch);
    }
    buf_puts(out, "],\"next_page_offset\":");
    if (slots.count > limit) {
        struct pointid next = collection_id(c->collection, slots.list[limit]);

        pointid_write(out, &next);
    } else {
        buf_puts(out, "null");
    }
    pool_fini(&scratch);
    free(slots.list);
}

static void scroll_by_value(struct call *c, const struct scroll *s, struct buf *out)
{
    struct ordered *list;
    struct pool scratch;
    size_t count;

    pool_init(&scratch);
    list = ordering_apply(c->collection, s->filter, &s->order, &count);
    for (size_t i = 0; i < count && i < s->limit; i++) {
        struct pointid id = collection_id(c->collection, list[i].slot);

        buf_puts(out, i ? ",{\"id\":" : "{\"id\":");
        pointid_write(out, &id);
        show_write(out, c->collection, list[i].slot, &s->show, &scratch);
        buf_puts(out, ",\"order_value\":");
        ordering_write(out, &list[i]);
        buf_putc(out, '}');
    }
    buf_puts(out, "],\"next_page_offset\":null");
    free(list);
    pool_fini(&scratch);
}

void points_scroll(struct call *c)
{
    struct scroll s;

    if (!call_parse(c, READER_PINNED)) return;
    read_scroll(c, &s);
    if (!call_readable(c) || !call_read_parameters(c) || !call_open(c, false)) return;
    select_bind(c->collection, s.filter);
    if (strict_read(c, s.filter, s.limit_given, s.limit) &&
        (!s.order.given || ordering_check(c, &s.order, s.has_offset))) {
        struct buf *out = call_begin(c);

        buf_puts(out, "{\"points\":[");
        if (s.order.given)
            scroll_by_value(c, &s, out);
        else
            scroll_by_id(c, &s, out);
        buf_putc(out, '}');
    }
    call_close(c);
    if (!c->answered) call_end(c);
}

void points_count(struct call *c)
{
    struct filter *filter = NULL;
    bool exact = true;
    size_t count = 0;

    if (!call_parse(c, READER_PINNED)) return;
    if (c->body.type != JSON_OBJECT)
        reader_mismatch(&c->reader, &c->body, "struct CountRequest");
    else if (read_filter(c, "count_request.filter", &filter))
        reader_bool(&c->reader, &c->body, "exact", &exact, NULL);
    if (!call_readable(c) || !call_read_parameters(c) || !call_open(c, false)) return;
    select_bind(c->collection, filter);
    costs_add(c, COST_COUNT, 1);
    if (strict_read(c, filter, false, 0)) count = select_count(c->collection, filter);
    call_close(c);
    if (c->answered) return;
    buf_printf(call_begin(c), "{\"count\":%zu}", count);
    call_end(c);
}

struct facet_hit {
    struct json value; /* in the arena of the facet */
    uint64_t count;
    uint32_t last; /* slot + 1 it was counted for, so that a point counts a value once */
};

struct facet {
    const struct field_index *index;
    struct pool arena;
    struct facet_hit *hits;
    size_t count;
    size_t space;
    uint32_t slot;
};

static void facet_value(struct facet *f, const struct json *v)
{
    struct facet_hit *hit = NULL;

    if (!index_answers(f->index, v)) return;
    for (size_t i = 0; i < f->count && !hit; i++)
        if (json_equal(&f->hits[i].value, v)) hit = &f->hits[i];
    if (!hit) {
        if (f->count == f->space) {
            f->space = f->space ? f->space * 2 : 64;
            f->hits = must_realloc(f->hits, f->space * sizeof *f->hits);
        }
        hit = &f->hits[f->count++];
        memset(hit, 0, sizeof *hit);
        hit->value = *v;
        if (v->type == JSON_STRING) hit->value.u.string = pool_text(&f->arena, v->u.string, v->count);
    }
    if (hit->last != f->slot + 1) hit->count++;
    hit->last = f->slot + 1;
}

static bool visit_facet(void *user, const struct json *v)
{
    if (v->type == JSON_ARRAY) {
        for (uint32_t i = 0; i < v->count; i++) facet_value(user, &v->u.items[i]);
    } else {
        facet_value(user, v);
    }
    return true;
}

/* The most frequent first, equal ones by value. */
static int by_count(const void *a, const void *b)
{
    const struct facet_hit *x = a;
    const struct facet_hit *y = b;

    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    if (x->value.type != y->value.type) return x->value.type < y->value.type ? -1 : 1;
    if (x->value.type == JSON_STRING) {
        uint32_t n = x->value.count < y->value.count ? x->value.count : y->value.count;
        int order = memcmp(x->value.u.string, y->value.u.string, n);

        return order ? order : (x->value.count < y->value.count ? -1 : 1);
    }
    return x->value.u.integer < y->value.u.integer ? -1 : x->value.u.integer > y->value.u.integer;
}

static void write_facet(struct call *c, const struct field_index *x, const struct filter *filter,
                        uint64_t limit)
{
    struct facet f = {.index = x};
    struct slots slots = {0};
    struct pool scratch;
    struct buf *out = call_begin(c);

    pool_init(&f.arena);
    pool_init(&scratch);
    select_all(c->collection, filter, &slots);
    for (size_t i = 0; i < slots.count; i++) {
        struct json payload;

        pool_reset(&scratch);
        payload = collection_payload(c->collection, slots.list[i], &scratch);
        f.slot = slots.list[i];
        jsonpath_walk(&x->path, 0, &payload, visit_facet, &f);
    }
    if (f.count) qsort(f.hits, f.count, sizeof *f.hits, by_count);
    buf_puts(out, "{\"hits\":[");
    for (size_t i = 0; i < f.count && i < limit; i++) {
        buf_puts(out, i ? ",{\"value\":" : "{\"value\":");
        json_write(out, &f.hits[i].value);
        buf_printf(out, ",\"count\":%llu}", (unsigned long long)f.hits[i].count);
    }
    buf_puts(out, "]}");
    free(f.hits);
    free(slots.list);
    pool_fini(&scratch);
    pool_fini(&f.arena);
}

void points_facet(struct call *c)
{
    const struct json *key = NULL;
    struct jsonpath path;
    struct filter *filter = NULL;
    uint64_t limit = 10;
    bool limit_given = false;
    const struct field_index *x;

    if (!call_parse(c, READER_PINNED)) return;
    if (c->body.type != JSON_OBJECT)
        reader_mismatch(&c->reader, &c->body, "struct FacetRequest");
    else if (reader_need(&c->reader, &c->body, "key", &key)) {
        if (key->type != JSON_STRING)
            reader_mismatch(&c->reader, key, "a string");
        else if (!jsonpath_parse(&c->arena, key->u.string, key->count, &path))
            reader_fail(&c->reader, key->end, "Invalid json path: '%s'", key->u.string);
        else if (reader_usize(&c->reader, &c->body, "limit", &limit, &limit_given))
            read_filter(c, "facet_request.filter", &filter);
    }
    if (c->body.type == JSON_OBJECT && limit == 0)
        reader_invalid(&c->reader, "facet_request.limit", "value 0 invalid, must be 1 or larger");
    if (!call_readable(c) || !call_read_parameters(c) || !call_open(c, false)) return;
    select_bind(c->collection, filter);
    x = collection_index(c->collection, &path);
    if (!strict_read(c, filter, limit_given, limit)) {
        /* answered */
    } else if (!x || (x->type != INDEX_KEYWORD && x->type != INDEX_INTEGER && x->type != INDEX_BOOL &&
                      x->type != INDEX_UUID)) {
        call_error(
            c, 400,
            "Wrong input: No appropriate index for faceting: `%s`. Please create one to facet on this field. "
            "Check "
            "https://qdrant.tech/documentation/concepts/indexing/#payload-index to see which payload schemas "
            "support Match conditions",
            path.text);
    } else {
        write_facet(c, x, filter, limit);
    }
    call_close(c);
    if (!c->answered) call_end(c);
}
