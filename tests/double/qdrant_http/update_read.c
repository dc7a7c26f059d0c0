/* update_read.c - bodies of update operations. It owns nothing and never looks at collections. */
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/update.h"

#define NO_VECTOR "data did not match any variant of untagged enum VectorStruct"
#define NO_SELECTOR "data did not match any variant of untagged enum PointsSelector"
#define NOBODY "Either list of point ids or filter must be provided"

static bool read_floats(struct reader *r, const struct json *v, float **out)
{
    float *values = pool_take(r->arena, ((size_t)v->count + 1) * sizeof *values);

    for (uint32_t i = 0; i < v->count; i++) {
        if (!json_is_number(&v->u.items[i])) return false;
        values[i] = (float)json_number(&v->u.items[i]);
    }
    *out = values;
    return true;
}

struct pair {
    uint32_t index;
    float value;
};

static int by_index(const void *a, const void *b)
{
    uint32_t x = ((const struct pair *)a)->index;
    uint32_t y = ((const struct pair *)b)->index;

    return x < y ? -1 : x > y;
}

static bool read_sparse(struct reader *r, const struct json *v, struct incoming_vector *out)
{
    const struct json *indices = json_get(v, "indices");
    const struct json *values = json_get(v, "values");
    struct pair *pairs;

    if (!indices || !values || indices->type != JSON_ARRAY || values->type != JSON_ARRAY) return false;
    if (!read_floats(r, values, &out->values)) return false;
    for (uint32_t i = 0; i < indices->count; i++)
        if (indices->u.items[i].type != JSON_INT || indices->u.items[i].u.uinteger > UINT32_MAX) return false;
    out->sparse = true;
    out->count = indices->count;
    if (indices->count != values->count) {
        reader_invalid(r, "indices", "must be the same length as values");
        return true;
    }
    pairs = pool_take(r->arena, ((size_t)out->count + 1) * sizeof *pairs);
    for (uint32_t i = 0; i < out->count; i++) {
        pairs[i].index = (uint32_t)indices->u.items[i].u.uinteger;
        pairs[i].value = out->values[i];
    }
    qsort(pairs, out->count, sizeof *pairs, by_index);
    out->indices = pool_take(r->arena, ((size_t)out->count + 1) * sizeof *out->indices);
    for (uint32_t i = 0; i < out->count; i++) {
        out->indices[i] = pairs[i].index;
        out->values[i] = pairs[i].value;
        if (i && pairs[i].index == pairs[i - 1].index) reader_invalid(r, "indices", "must be unique");
    }
    return true;
}

bool update_read_vector(struct reader *r, const struct json *v, struct incoming_vector *out)
{
    if (v->type == JSON_OBJECT) return read_sparse(r, v, out);
    if (v->type != JSON_ARRAY) return false;
    out->count = v->count;
    if (v->count && v->u.items[0].type == JSON_ARRAY) {
        for (uint32_t i = 0; i < v->count; i++)
            if (v->u.items[i].type != JSON_ARRAY || !read_floats(r, &v->u.items[i], &out->values))
                return false;
        out->multi = true;
        return true;
    }
    return read_floats(r, v, &out->values);
}

/* A point's "vector": one unnamed, or named ones. */
static bool read_vectors(struct reader *r, const struct json *v, struct incoming_point *p)
{
    size_t count = v->type == JSON_OBJECT ? v->count : 1;

    p->vectors = pool_zero(r->arena, (count + 1) * sizeof *p->vectors);
    p->vector_count = count;
    if (v->type != JSON_OBJECT) {
        p->vectors[0].name = "";
        return update_read_vector(r, v, &p->vectors[0]) || reader_fail(r, v->end, NO_VECTOR);
    }
    for (uint32_t i = 0; i < v->count; i++) {
        const struct json_member *m = &v->u.members[i];

        p->vectors[i].name = m->key;
        p->vectors[i].name_bytes = m->key_bytes;
        if (!update_read_vector(r, &m->value, &p->vectors[i])) return reader_fail(r, v->end, NO_VECTOR);
    }
    return true;
}

static bool read_id(struct reader *r, const struct json *v, struct pointid *out)
{
    return pointid_parse(v, out) || reader_fail(r, v->end, "%s", pointid_complaint(r->arena, v));
}

static bool read_payload(struct reader *r, const struct json *v, const struct json **out)
{
    if (v->type == JSON_NULL) return true;
    if (v->type != JSON_OBJECT) return reader_mismatch(r, v, "a map");
    *out = v;
    return true;
}

static bool read_point(struct reader *r, const struct json *v, bool with_payload, struct incoming_point *p)
{
    bool has_id = false;
    bool has_vector = false;

    if (v->type != JSON_OBJECT) return reader_mismatch(r, v, "struct PointStruct");
    for (uint32_t i = 0; i < v->count; i++) {
        const struct json_member *m = &v->u.members[i];
        bool ok = true;

        if (strcmp(m->key, "id") == 0) {
            has_id = true;
            ok = read_id(r, &m->value, &p->id);
        } else if (strcmp(m->key, "vector") == 0) {
            has_vector = true;
            ok = read_vectors(r, &m->value, p);
        } else if (with_payload && strcmp(m->key, "payload") == 0) {
            ok = read_payload(r, &m->value, &p->payload);
        }
        if (!ok) return false;
    }
    if (!has_id) return reader_fail(r, v->end, "missing field `id`");
    return has_vector || reader_fail(r, v->end, "missing field `vector`");
}

static bool read_points(struct reader *r, const struct json *list, bool with_payload, struct update *u)
{
    if (list->type != JSON_ARRAY) return reader_mismatch(r, list, "a sequence");
    u->point_count = list->count;
    u->points = pool_zero(r->arena, ((size_t)list->count + 1) * sizeof *u->points);
    for (uint32_t i = 0; i < list->count; i++)
        if (!read_point(r, &list->u.items[i], with_payload, &u->points[i])) return false;
    return true;
}

/* {"ids": [...], "vectors": [...] or {name: [...]}, "payloads": [...]}: the columns of the points. */
static bool read_column_vectors(struct reader *r, const struct json *v, struct update *u)
{
    static const char complaint[] = "data did not match any variant of untagged enum BatchVectorStruct";
    size_t names = v->type == JSON_OBJECT ? v->count : 1;

    if (v->type != JSON_OBJECT && v->type != JSON_ARRAY) return reader_fail(r, v->end, complaint);
    for (size_t n = 0; n < names; n++) {
        const struct json *column = v->type == JSON_OBJECT ? &v->u.members[n].value : v;

        if (column->type != JSON_ARRAY) return reader_fail(r, v->end, complaint);
        if (column->count != u->point_count)
            reader_invalid(r, "batch", "number of ids and vectors must be equal (%zu != %u)", u->point_count,
                           column->count);
        for (size_t i = 0; i < u->point_count && i < column->count; i++) {
            struct incoming_point *p = &u->points[i];

            if (!p->vectors) p->vectors = pool_zero(r->arena, (names + 1) * sizeof *p->vectors);
            p->vectors[n].name = v->type == JSON_OBJECT ? v->u.members[n].key : "";
            p->vectors[n].name_bytes = v->type == JSON_OBJECT ? v->u.members[n].key_bytes : 0;
            p->vector_count = n + 1;
            if (!update_read_vector(r, &column->u.items[i], &p->vectors[n]))
                return reader_fail(r, v->end, complaint);
        }
    }
    return true;
}

static bool read_columns(struct reader *r, const struct json *v, struct update *u)
{
    const struct json *ids;
    const struct json *vectors;
    const struct json *payloads;

    if (v->type != JSON_OBJECT) return reader_mismatch(r, v, "struct Batch");
    if (!reader_need(r, v, "ids", &ids) || !reader_need(r, v, "vectors", &vectors)) return false;
    payloads = json_get(v, "payloads");
    if (ids->type != JSON_ARRAY) return reader_mismatch(r, ids, "a sequence");
    u->point_count = ids->count;
    u->points = pool_zero(r->arena, ((size_t)ids->count + 1) * sizeof *u->points);
    for (uint32_t i = 0; i < ids->count; i++)
        if (!read_id(r, &ids->u.items[i], &u->points[i].id)) return false;
    if (!read_column_vectors(r, vectors, u)) return false;
    if (!payloads || payloads->type == JSON_NULL) return true;
    if (payloads->type != JSON_ARRAY) return reader_mismatch(r, payloads, "a sequence");
    if (payloads->count != ids->count)
        reader_invalid(r, "batch", "number of ids and payloads must be equal (%u != %u)", ids->count,
                       payloads->count);
    for (uint32_t i = 0; i < payloads->count && i < ids->count; i++)
        if (!read_payload(r, &payloads->u.items[i], &u->points[i].payload)) return false;
    return true;
}

static bool read_mode(struct reader *r, const struct json *v, enum update_mode *out)
{
    static const char *const modes[] = {"upsert", "insert_only", "update_only"};

    if (!v || v->type == JSON_NULL) return true;
    if (v->type != JSON_STRING) return reader_mismatch(r, v, "string or map");
    for (int i = 0; i < 3; i++) {
        if (!json_string_is(v, modes[i])) continue;
        *out = (enum update_mode)i;
        return true;
    }
    return reader_fail(r, v->end,
                       "unknown variant `%s`, expected one of `upsert`, `insert_only`, `update_only`",
                       v->u.string);
}

static const char *inside(struct reader *r, const char *field, const char *name)
{
    return *field ? pool_printf(r->arena, "%s.%s", field, name) : name;
}

static bool read_filter(struct reader *r, const struct json *body, const char *field, const char *name,
                        struct filter **out)
{
    const struct json *v = json_get(body, name);

    if (!v || v->type == JSON_NULL) return true;
    return filter_read(r, v, inside(r, field, name), out);
}

/* What a version does not know it ignores without a word. */
static bool read_guard(struct call *c, const struct json *body, const char *field, struct update *u)
{
    struct reader *r = &c->reader;

    if (c->server->version_number < 1016) return true;
    if (!read_filter(r, body, field, "update_filter", &u->update_filter)) return false;
    return c->server->version_number < 1017 || read_mode(r, json_get(body, "update_mode"), &u->mode);
}

static bool read_upsert(struct call *c, const struct json *body, const char *field, struct update *u)
{
    struct reader *r = &c->reader;
    const struct json *batch = json_get(body, "batch");
    const struct json *points = json_get(body, "points");

    r->place = READER_NOWHERE; /* the server goes through a generic value here and loses the place */
    if (!batch && !points) return reader_fail(r, 0, "Invalid PointInsertOperations format");
    if (batch ? !read_columns(r, batch, u) : !read_points(r, points, true, u)) return false;
    return read_guard(c, body, field, u);
}

static bool read_ids(struct reader *r, const struct json *list, struct update *u, const struct json **bad)
{
    *bad = list;
    if (list->type != JSON_ARRAY) return false;
    u->ids = pool_take(r->arena, ((size_t)list->count + 1) * sizeof *u->ids);
    u->id_count = list->count;
    for (uint32_t i = 0; i < list->count; i++) {
        *bad = &list->u.items[i];
        if (!pointid_parse(*bad, &u->ids[i])) return false;
    }
    u->by_ids = true;
    return true;
}

/* {"points": [...]} or {"filter": {...}}, tried in that order. */
static bool read_selector(struct reader *r, const struct json *body, const char *field, struct update *u)
{
    const struct json *points = json_get(body, "points");
    const struct json *filter = json_get(body, "filter");
    const struct json *bad;

    if (points && read_ids(r, points, u, &bad)) return true;
    u->by_ids = false;
    if (filter && filter_read(r, filter, inside(r, field, "filter"), &u->filter)) return true;
    r->error = NULL;
    r->place = READER_NOWHERE;
    return reader_fail(r, 0, NO_SELECTOR);
}

/* The same where both are members of a plain struct. */
static bool read_targets(struct reader *r, const struct json *body, const char *field, struct update *u)
{
    const struct json *points = json_get(body, "points");
    const struct json *bad;

    if (points && points->type == JSON_NULL) points = NULL;
    if (points && !read_ids(r, points, u, &bad)) {
        if (bad == points) return reader_mismatch(r, points, "a sequence");
        return reader_fail(r, reader_after_element(r, bad), "%s", pointid_complaint(r->arena, bad));
    }
    if (!read_filter(r, body, field, "filter", &u->filter)) return false;
    if (points || u->filter) return true;
    r->place = READER_NOWHERE;
    return reader_fail(r, 0, NOBODY);
}

static bool read_set(struct reader *r, const struct json *body, const char *field, struct update *u)
{
    const struct json *payload;
    const struct json *key = json_get(body, "key");

    if (!reader_need(r, body, "payload", &payload)) return false;
    if (payload->type != JSON_OBJECT) return reader_mismatch(r, payload, "a map");
    u->payload = payload;
    if (key && key->type != JSON_NULL) {
        if (key->type != JSON_STRING) return reader_mismatch(r, key, "a string");
        if (!jsonpath_parse(r->arena, key->u.string, key->count, &u->key))
            return reader_fail(r, reader_after_member(r, key), "Invalid json path: '%s'", key->u.string);
        u->has_key = true;
    }
    return read_targets(r, body, field, u);
}

static bool read_keys(struct reader *r, const struct json *body, const char *field, struct update *u)
{
    const struct json *keys;

    if (!reader_need(r, body, "keys", &keys)) return false;
    if (keys->type != JSON_ARRAY) return reader_mismatch(r, keys, "a sequence");
    u->keys = pool_take(r->arena, ((size_t)keys->count + 1) * sizeof *u->keys);
    u->key_count = keys->count;
    for (uint32_t i = 0; i < keys->count; i++) {
        const struct json *key = &keys->u.items[i];

        if (key->type != JSON_STRING) return reader_mismatch(r, key, "a string");
        if (!jsonpath_parse(r->arena, key->u.string, key->count, &u->keys[i]))
            return reader_fail(r, reader_after_element(r, key), "Invalid json path: '%s'", key->u.string);
    }
    return read_targets(r, body, field, u);
}

static bool read_new_vectors(struct call *c, const struct json *body, const char *field, struct update *u)
{
    struct reader *r = &c->reader;
    const struct json *points;

    if (!reader_need(r, body, "points", &points) || !read_points(r, points, false, u)) return false;
    if (!u->point_count) reader_invalid(r, inside(r, field, "points"), "must specify points to update");
    return read_guard(c, body, field, u);
}

static bool read_old_vectors(struct reader *r, const struct json *body, const char *field, struct update *u)
{
    const struct json *names = json_get(body, "vector");

    if (!names) names = json_get(body, "vectors");
    if (!names) return reader_fail(r, body->end, "missing field `vector`");
    if (names->type != JSON_ARRAY) return reader_mismatch(r, names, "a sequence");
    for (uint32_t i = 0; i < names->count; i++)
        if (names->u.items[i].type != JSON_STRING) return reader_mismatch(r, &names->u.items[i], "a string");
    if (!names->count) reader_invalid(r, inside(r, field, "vector"), "must specify vector names to delete");
    u->names = names;
    return read_targets(r, body, field, u);
}

bool update_read(struct call *c, enum update_type type, const struct json *body, const char *field,
                 struct update *u)
{
    struct reader *r = &c->reader;

    memset(u, 0, sizeof *u);
    u->type = type;
    switch (type) {
    case UPDATE_UPSERT:
        return read_upsert(c, body, field, u);
    case UPDATE_DELETE:
    case UPDATE_CLEAR_PAYLOAD:
        return read_selector(r, body, field, u);
    default:
        break;
    }
    if (body->type != JSON_OBJECT) return reader_mismatch(r, body, "a map");
    if (type == UPDATE_DELETE_PAYLOAD) return read_keys(r, body, field, u);
    if (type == UPDATE_VECTORS) return read_new_vectors(c, body, field, u);
    if (type == UPDATE_DELETE_VECTORS) return read_old_vectors(r, body, field, u);
    return read_set(r, body, field, u);
}
