/* show.c - see show.h. It owns nothing. */
#include "qdrant_http/show.h"

#include <math.h>
#include <string.h>

#define NO_PAYLOAD "data did not match any variant of untagged enum WithPayloadInterface"
#define NO_VECTOR "data did not match any variant of untagged enum WithVector"

static bool read_paths(struct reader *r, const struct json *list, struct payload_selector *out)
{
    if (list->type != JSON_ARRAY) return false;
    out->count = list->count;
    out->paths = pool_take(r->arena, ((size_t)list->count + 1) * sizeof *out->paths);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct json *v = &list->u.items[i];

        if (v->type != JSON_STRING || !jsonpath_parse(r->arena, v->u.string, v->count, &out->paths[i]))
            return false;
    }
    return true;
}

static bool read_payload(struct reader *r, const struct json *v, struct payload_selector *out)
{
    if (v->type == JSON_BOOL) {
        out->show = v->u.boolean ? PAYLOAD_ALL : PAYLOAD_NONE;
        return true;
    }
    out->show = PAYLOAD_INCLUDE;
    if (v->type == JSON_ARRAY) return read_paths(r, v, out);
    if (v->type != JSON_OBJECT || v->count != 1) return false;
    if (json_get(v, "include")) return read_paths(r, json_get(v, "include"), out);
    out->show = PAYLOAD_EXCLUDE;
    return json_get(v, "exclude") && read_paths(r, json_get(v, "exclude"), out);
}

bool show_read(struct reader *r, const struct json *body, bool payload, struct show *out)
{
    const struct json *v = json_get(body, "with_payload");

    memset(out, 0, sizeof *out);
    out->payload.show = payload ? PAYLOAD_ALL : PAYLOAD_NONE;
    if (v && v->type != JSON_NULL && !read_payload(r, v, &out->payload))
        return reader_fail(r, v->end, NO_PAYLOAD);
    v = json_get(body, "with_vector");
    if (!v) v = json_get(body, "with_vectors");
    if (!v || v->type == JSON_NULL) return true;
    if (v->type == JSON_BOOL) {
        out->all_vectors = v->u.boolean;
        return true;
    }
    if (v->type != JSON_ARRAY) return reader_fail(r, v->end, NO_VECTOR);
    for (uint32_t i = 0; i < v->count; i++)
        if (v->u.items[i].type != JSON_STRING) return reader_fail(r, v->end, NO_VECTOR);
    out->vectors = v;
    return true;
}

static void write_vector(struct buf *out, const struct vector_space *s, uint32_t slot)
{
    const struct sparse_vector *sparse = s->sparse ? vector_sparse(s, slot) : NULL;
    const float *values = sparse ? sparse->values : vector_dense(s, slot);
    uint32_t count = sparse ? sparse->count : s->size;

    if (sparse) {
        buf_puts(out, "{\"indices\":[");
        for (uint32_t i = 0; i < count; i++) buf_printf(out, i ? ",%u" : "%u", sparse->indices[i]);
        buf_puts(out, "],\"values\":");
    }
    buf_putc(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i) buf_putc(out, ',');
        if (isfinite(values[i]))
            json_write_f32(out, values[i]);
        else
            buf_puts(out, "null");
    }
    buf_putc(out, ']');
    if (sparse) buf_putc(out, '}');
}

static bool wanted(const struct show *show, const struct vector_space *s)
{
    if (show->all_vectors) return true;
    for (uint32_t i = 0; show->vectors && i < show->vectors->count; i++)
        if (json_string_is(&show->vectors->u.items[i], s->name)) return true;
    return false;
}

/* The unnamed vector alone stands for itself, named ones in an object. */
static void write_vectors(struct buf *out, const struct collection *c, uint32_t slot, const struct show *show)
{
    const struct vector_space *alone = NULL;
    size_t shown = 0;

    for (size_t i = 0; i < c->space_count; i++) {
        if (!wanted(show, &c->spaces[i]) || !vector_present(&c->spaces[i], slot)) continue;
        shown++;
        if (!*c->spaces[i].name) alone = &c->spaces[i];
    }
    if (alone && shown == 1) {
        write_vector(out, alone, slot);
        return;
    }
    buf_putc(out, '{');
    shown = 0;
    for (size_t i = 0; i < c->space_count; i++) {
        const struct vector_space *s = &c->spaces[i];

        if (!wanted(show, s) || !vector_present(s, slot)) continue;
        if (shown++) buf_putc(out, ',');
        json_write_string(out, s->name, strlen(s->name));
        buf_putc(out, ':');
        write_vector(out, s, slot);
    }
    buf_putc(out, '}');
}

void show_write(struct buf *out, const struct collection *c, uint32_t slot, const struct show *show,
                struct pool *a)
{
    const struct point *p = collection_point(c, slot);

    if (show->payload.show == PAYLOAD_ALL) {
        buf_puts(out, ",\"payload\":");
        if (p->payload)
            buf_put(out, p->payload, p->payload_bytes);
        else
            buf_puts(out, "{}");
    } else if (show->payload.show != PAYLOAD_NONE) {
        struct json payload;

        pool_reset(a);
        payload = collection_payload(c, slot, a);
        buf_puts(out, ",\"payload\":");
        payload_write(out, &payload, &show->payload);
    }
    if (!show->all_vectors && !show->vectors) return;
    buf_puts(out, ",\"vector\":");
    write_vectors(out, c, slot, show);
}

void show_record(struct buf *out, const struct collection *c, uint32_t slot, const struct show *show,
                 struct pool *a)
{
    struct pointid id = collection_id(c, slot);

    buf_puts(out, "{\"id\":");
    pointid_write(out, &id);
    show_write(out, c, slot, show, a);
    buf_putc(out, '}');
}
