/*
 * payload.c - the payload as JSON in RFC 8785 form: declared members, and those a plugin puts.
 *
 * The declaration keeps its members sorted, and puts are kept sorted too, so that one merge writes them.
 * Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "base/docid.h"
#include "base/json.h"
#include "base/utf8.h"
#include "collection/making.h"

struct member {
    struct buf *out;
    bool spread, any, ok;
};

/* One value of a field; those of a path through an array come in brackets. */
static bool put_value(void *context, const bson_iter_t *value)
{
    struct member *w = context;
    if (w->any) buf_putc(w->out, ',');
    w->any = true;
    w->ok = json_put_value(w->out, value);
    return w->ok;
}

/* The `_id` as a person writes it. */
static bool put_id(const struct making *m, struct buf *out)
{
    bson_iter_t iter;
    const char *rest;
    if (!view_member(&m->view, "_id", &iter, &rest)) {
        buf_puts(out, "null");
        return !out->failed;
    }
    struct docid *id = docid_new(&iter);
    bool ok = id && docid_put_payload(id, out);
    docid_free(id);
    if (!ok) out->failed = true;
    return ok;
}

/* Writes the value; false if there is none (nothing is written) or, with w->ok false, on failure. */
static bool put_field(const struct making *m, const struct payload_field *field, struct member *w)
{
    bson_iter_t top;
    size_t before = w->out->bytes;
    *w = (struct member){.out = w->out, .ok = true};
    if (!view_member_at(&m->view, field->place, &top)) return false;
    if (!field->rest) return put_value(w, &top);
    buf_putc(w->out, '[');
    path_each(&top, field->rest, &w->spread, put_value, w);
    buf_putc(w->out, ']');
    if (w->spread || w->out->failed) return w->any;
    /* one value: without the brackets */
    size_t bytes = w->out->bytes - before;
    if (w->any) memmove(w->out->data + before, w->out->data + before + 1, bytes - 2);
    w->out->bytes = w->any ? w->out->bytes - 2 : before;
    w->out->data[w->out->bytes] = '\0';
    return w->any;
}

/* Writes what the fields of this group reach of the one member they begin with; false as put_field(). */
static bool put_nested(const struct making *m, const struct payload_field *field, struct member *w)
{
    const struct declaration *d = m->collection->declaration;
    bson_iter_t top;
    *w = (struct member){.out = w->out, .ok = true};
    if (!view_member_at(&m->view, field->place, &top)) return false;
    bson_t *piece = bson_new();
    bool whole = path_nest(&top, d->payload_rests + (field - d->payload), field->group, piece);
    if (!whole) w->out->failed = true;
    if (whole && bson_iter_init_find(&top, piece, field->name)) put_value(w, &top);
    bson_destroy(piece);
    return w->any;
}

static enum lks_code failure(const struct buf *out, const char *field, struct lks_err *err)
{
    if (!out->failed)
        return lks_fail(err, LKS_E_VALIDATION,
                        "the field `%s` is nested deeper than %d levels, which Qdrant does not take", field,
                        JSON_MAX_DEPTH);
    if (out->bytes > COLLECTION_MAX_PAYLOAD_BYTES / 2)
        return lks_fail(err, LKS_E_VALIDATION,
                        "the payload is larger than %zu MB; leave large fields out of `payload`",
                        COLLECTION_MAX_PAYLOAD_BYTES >> 20);
    return lks_fail(err, LKS_E_NOMEM, "out of memory");
}

/* Key and value of a declared member; leaves nothing behind if the document has no such field. */
static enum lks_code write_declared(struct making *m, const struct payload_field *field, struct buf *out,
                                    struct lks_err *err)
{
    size_t before = out->bytes;
    bool first = before == 1;
    struct member w = {.out = out, .ok = true};
    if (!first) buf_putc(out, ',');
    buf_put(out, field->json_key, field->json_key_bytes);
    if (field->kind == PAYLOAD_ID) {
        w.ok = put_id(m, out);
    } else if (field->kind == PAYLOAD_COLLECTION) {
        json_put_string(out, m->collection->name, strlen(m->collection->name));
    } else if (!(field->nested ? put_nested : put_field)(m, field, &w) && w.ok && !out->failed) {
        out->bytes = before;
        out->data[before] = '\0';
    }
    return w.ok && !out->failed ? LKS_E_OK : failure(out, field->name, err);
}

static void write_put(const struct put *put, struct buf *out)
{
    if (out->bytes > 1) buf_putc(out, ',');
    json_put_string(out, put->name, put->name_bytes);
    buf_putc(out, ':');
    buf_put(out, put->json, put->json_bytes);
}

enum lks_code payload_write(struct making *m, struct buf *out, struct lks_err *err)
{
    const struct declaration *d = m->collection->declaration;
    const struct put *put = m->puts;
    buf_reserve(out, (size_t)m->view.doc->len + 256);
    buf_putc(out, '{');
    for (size_t i = 0; i < d->payload_count; i += d->payload[i].group) {
        const struct payload_field *field = &d->payload[i];
        int order = 1;
        while (put &&
               (order = json_key_compare(put->name, put->name_bytes, field->name, field->name_bytes)) < 0) {
            write_put(put, out);
            put = put->next;
        }
        if (put && order == 0) continue; /* the plugin's comes with the next one */
        enum lks_code code = write_declared(m, field, out, err);
        if (code) return code;
    }
    for (; put; put = put->next) write_put(put, out);
    buf_putc(out, '}');
    return out->failed ? failure(out, "payload", err) : LKS_E_OK;
}

/* Where the put of that name is or belongs. */
static struct put **find_put(struct making *m, const char *name, size_t bytes, bool *there)
{
    struct put **at = &m->puts;
    int order = 1;
    while (*at && (order = json_key_compare((*at)->name, (*at)->name_bytes, name, bytes)) < 0)
        at = &(*at)->next;
    *there = *at && order == 0;
    return at;
}

static bool put_json(struct making *m, const char *name, size_t name_bytes, const struct buf *json)
{
    bool there;
    struct put **at = find_put(m, name, name_bytes, &there);
    if (!there) {
        struct put *put = arena_alloc(&m->arena, sizeof *put);
        if (!put) return false;
        *put = (struct put){
            .next = *at, .name = arena_text(&m->arena, name, name_bytes), .name_bytes = name_bytes};
        if (!put->name) return false;
        *at = put;
    }
    (*at)->json = arena_text(&m->arena, json->data, json->bytes);
    (*at)->json_bytes = json->bytes;
    m->put_bytes += name_bytes + json->bytes;
    return (*at)->json != NULL;
}

bool making_put(struct making *m, const char *name, const bson_value_t *value, const char **reason)
{
    const char *ignored;
    bson_t container = BSON_INITIALIZER;
    bson_iter_t iter;
    struct buf json;
    if (!reason) reason = &ignored;
    *reason = NULL;
    buf_init(&json, COLLECTION_MAX_PAYLOAD_BYTES);
    if (!name || !*name || !utf8_valid(name, strlen(name)) || payload_name_reserved(name)) {
        *reason =
            "a name that the payload can't have (empty, not UTF-8, or one of id, collection, _lockstep)";
    } else if (!value || !bson_append_value(&container, "v", 1, value)) {
        *reason = "a value that can't be read";
    } else if (!bson_iter_init_find(&iter, &container, "v") || !json_put_value(&json, &iter)) {
        *reason = "a value that is too large or nested too deep";
    } else if (!put_json(m, name, strlen(name), &json)) {
        *reason = "out of memory";
        m->no_memory = true;
    }
    buf_fini(&json);
    bson_destroy(&container);
    return !*reason;
}

size_t making_put_bytes(const struct making *m)
{
    return m->put_bytes;
}

void making_id(const struct making *m, struct buf *out)
{
    bson_iter_t id;
    const char *rest;
    if (!view_member(&m->view, "_id", &id, &rest)) {
        buf_puts(out, "without an _id");
    } else {
        struct docid *copy = docid_new(&id);
        char *text = copy ? docid_plain(copy) : NULL;
        buf_puts(out, text ? text : "?");
        free(text);
        docid_free(copy);
    }
}
