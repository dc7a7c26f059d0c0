/*
 * filter.c - reading filters as Qdrant's deserializer does. It owns nothing; it never looks at points.
 */
#include "qdrant_store/filter.h"

#include <stdlib.h>
#include <string.h>

#define NO_CONDITION                                                                                         \
    "Expected some form of condition, which can be a field condition (like {\"key\": ..., \"match\": ... "   \
    "}), or some "                                                                                           \
    "other mentioned in the documentation: "                                                                 \
    "https://qdrant.tech/documentation/concepts/filtering/#filtering-conditions"

/* serde's untagged enums try their variants with the complaints thrown away: `quiet` is such a try. */
static bool read_condition(struct reader *r, const struct json *v, const char *field, struct condition *c);

static bool read_path(struct reader *r, const struct json *v, struct jsonpath *out)
{
    if (!v || v->type != JSON_STRING) return false;
    return jsonpath_parse(r->arena, v->u.string, v->count, out);
}

static bool read_bound(const struct json *object, const char *key, enum range_type type, bool *has,
                       double *out)
{
    const struct json *v = json_get(object, key);

    if (!v || v->type == JSON_NULL) return true;
    *has = true;
    if (type == RANGE_DATETIME) return v->type == JSON_STRING && filter_datetime(v->u.string, v->count, out);
    *out = json_number(v);
    return json_is_number(v);
}

static bool read_range_as(const struct json *v, enum range_type type, struct range *out)
{
    memset(out, 0, sizeof *out);
    out->type = type;
    return v->type == JSON_OBJECT && read_bound(v, "lt", type, &out->has_lt, &out->lt) &&
           read_bound(v, "gt", type, &out->has_gt, &out->gt) &&
           read_bound(v, "lte", type, &out->has_lte, &out->lte) &&
           read_bound(v, "gte", type, &out->has_gte, &out->gte);
}

static bool read_values(const struct json *list, struct condition *c)
{
    bool strings = true;
    bool integers = true;

    if (list->type != JSON_ARRAY) return false;
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->u.items[i].type != JSON_STRING) strings = false;
        if (list->u.items[i].type != JSON_INT) integers = false;
    }
    c->values = list->u.items;
    c->value_count = list->count;
    return strings || integers;
}

static bool read_match(const struct json *v, struct condition *c)
{
    static const struct {
        const char *key;
        enum match_type type;
    } texts[] = {{"text", MATCH_TEXT}, {"text_any", MATCH_TEXT_ANY}, {"phrase", MATCH_PHRASE}};
    const struct json *m = json_get(v, "value");

    if (v->type != JSON_OBJECT) return false;
    c->value_count = 1;
    if (m && (m->type == JSON_STRING || m->type == JSON_INT || m->type == JSON_BOOL)) {
        c->match = MATCH_VALUE;
        c->values = m;
        return true;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        m = json_get(v, texts[i].key);
        if (!m || m->type != JSON_STRING) continue;
        c->match = texts[i].type;
        c->values = m;
        return true;
    }
    m = json_get(v, "any");
    if (m && read_values(m, c)) {
        c->match = MATCH_ANY;
        return true;
    }
    m = json_get(v, "except");
    c->match = MATCH_EXCEPT;
    return m && read_values(m, c);
}

static bool read_ring(struct reader *r, const struct json *v, struct geo_ring *out)
{
    const struct json *points = json_get(v, "points");

    if (!points || points->type != JSON_ARRAY) return false;
    out->count = points->count;
    out->points = pool_take(r->arena, (out->count + 1) * sizeof *out->points);
    for (size_t i = 0; i < out->count; i++)
        if (!filter_geo_point(&points->u.items[i], &out->points[i][0], &out->points[i][1])) return false;
    return out->count >= 4;
}

static bool read_geo(struct reader *r, const struct json *v, enum geo_type type, struct geo *out)
{
    const struct json *piece;

    memset(out, 0, sizeof *out);
    out->type = type;
    if (v->type != JSON_OBJECT) return false;
    if (type == GEO_BOX) {
        piece = json_get(v, "top_left");
        if (!piece || !filter_geo_point(piece, &out->west, &out->north)) return false;
        piece = json_get(v, "bottom_right");
        return piece && filter_geo_point(piece, &out->east, &out->south);
    }
    if (type == GEO_RADIUS) {
        piece = json_get(v, "center");
        if (!piece || !filter_geo_point(piece, &out->lon, &out->lat)) return false;
        piece = json_get(v, "radius");
        if (!piece || !json_is_number(piece)) return false;
        out->radius = json_number(piece);
        return true;
    }
    piece = json_get(v, "interiors");
    out->ring_count = 1 + (piece && piece->type == JSON_ARRAY ? piece->count : 0);
    out->rings = pool_zero(r->arena, out->ring_count * sizeof *out->rings);
    if (!json_get(v, "exterior") || !read_ring(r, json_get(v, "exterior"), &out->rings[0])) return false;
    for (size_t i = 1; i < out->ring_count; i++)
        if (!read_ring(r, &piece->u.items[i - 1], &out->rings[i])) return false;
    return true;
}

static bool read_flag(const struct json *v, bool *has, bool *out)
{
    *has = true;
    *out = v->u.boolean;
    return v->type == JSON_BOOL;
}

/* {"key": ..., one or more tests}: false if a member has the wrong form. */
static bool read_field(struct reader *r, const struct json *v, struct condition *c, bool *tested)
{
    c->type = CONDITION_FIELD;
    for (uint32_t i = 0; i < v->count; i++) {
        const struct json_member *m = &v->u.members[i];
        bool ok = true;

        if (m->value.type == JSON_NULL) continue;
        if (strcmp(m->key, "key") == 0) continue;
        if (strcmp(m->key, "match") == 0)
            ok = read_match(&m->value, c);
        else if (strcmp(m->key, "range") == 0)
            ok = read_range_as(&m->value, RANGE_NUMBER, &c->range) ||
                 read_range_as(&m->value, RANGE_DATETIME, &c->range);
        else if (strcmp(m->key, "values_count") == 0)
            ok = read_range_as(&m->value, RANGE_NUMBER, &c->values_count);
        else if (strcmp(m->key, "geo_bounding_box") == 0)
            ok = read_geo(r, &m->value, GEO_BOX, &c->geo);
        else if (strcmp(m->key, "geo_radius") == 0)
            ok = read_geo(r, &m->value, GEO_RADIUS, &c->geo);
        else if (strcmp(m->key, "geo_polygon") == 0)
            ok = read_geo(r, &m->value, GEO_POLYGON, &c->geo);
        else if (strcmp(m->key, "is_empty") == 0)
            ok = read_flag(&m->value, &c->has_is_empty, &c->is_empty);
        else if (strcmp(m->key, "is_null") == 0)
            ok = read_flag(&m->value, &c->has_is_null, &c->is_null);
        else
            continue;
        if (!ok) return false;
        *tested = true;
    }
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    return pointid_compare(a, b);
}

static bool read_ids(struct reader *r, const struct json *v, struct condition *c)
{
    c->type = CONDITION_HAS_ID;
    if (v->type != JSON_ARRAY) return false;
    c->id_count = v->count;
    c->ids = pool_take(r->arena, ((size_t)v->count + 1) * sizeof *c->ids);
    for (uint32_t i = 0; i < v->count; i++)
        if (!pointid_parse(&v->u.items[i], &c->ids[i])) return false;
    qsort(c->ids, c->id_count, sizeof *c->ids, compare_ids);
    return true;
}

static bool read_nested(struct reader *r, const struct json *v, const char *field, struct condition *c)
{
    const struct json *inner = json_get(v, "filter");

    c->type = CONDITION_NESTED;
    if (!read_path(r, json_get(v, "key"), &c->path) || !inner) return false;
    return filter_read(r, inner, pool_printf(r->arena, "%s.nested.filter", field), &c->filter);
}

static bool read_condition(struct reader *r, const struct json *v, const char *field, struct condition *c)
{
    const struct json *piece;
    bool tested = false;
    bool ok;

    memset(c, 0, sizeof *c);
    if (v->type != JSON_OBJECT) return reader_fail(r, v->end, NO_CONDITION);
    if (json_get(v, "key")) {
        if (!read_path(r, json_get(v, "key"), &c->path) || !read_field(r, v, c, &tested))
            return reader_fail(r, v->end, NO_CONDITION);
        if (!tested)
            reader_invalid(r, pool_printf(r->arena, "%s.__all__", field),
                           "Validation error: At least one field condition must be specified [{}]");
        return true;
    }
    if ((piece = json_get(v, "is_empty")) != NULL) {
        c->type = CONDITION_IS_EMPTY;
        ok = read_path(r, json_get(piece, "key"), &c->path);
    } else if ((piece = json_get(v, "is_null")) != NULL) {
        c->type = CONDITION_IS_NULL;
        ok = read_path(r, json_get(piece, "key"), &c->path);
    } else if ((piece = json_get(v, "has_id")) != NULL) {
        ok = read_ids(r, piece, c);
    } else if ((piece = json_get(v, "has_vector")) != NULL) {
        c->type = CONDITION_HAS_VECTOR;
        c->vector = piece->u.string;
        ok = piece->type == JSON_STRING;
    } else if ((piece = json_get(v, "nested")) != NULL) {
        ok = read_nested(r, piece, field, c);
    } else {
        c->type = CONDITION_FILTER;
        for (uint32_t i = 0; i < v->count; i++) {
            const char *key = v->u.members[i].key;

            if (strcmp(key, "must") != 0 && strcmp(key, "should") != 0 && strcmp(key, "must_not") != 0 &&
                strcmp(key, "min_should") != 0)
                return reader_fail(r, v->end, NO_CONDITION);
        }
        ok = filter_read(r, v, field, &c->filter);
    }
    if (!ok) r->error = NULL;
    return ok || reader_fail(r, v->end, NO_CONDITION);
}

static bool read_list(struct reader *r, const struct json *v, const char *field, const char *name,
                      struct condition **out, size_t *count)
{
    const struct json *first = v;
    size_t n = 1;

    if (v->type == JSON_NULL) return true;
    if (v->type == JSON_ARRAY) {
        first = v->u.items;
        n = v->count;
    }
    *out = pool_take(r->arena, (n + 1) * sizeof **out);
    *count = n;
    for (size_t i = 0; i < n; i++)
        if (!read_condition(r, &first[i], pool_printf(r->arena, "%s.%s[%zu]", field, name, i), &(*out)[i]))
            return false;
    return true;
}

static bool read_min_should(struct reader *r, const struct json *v, const char *field, struct filter *f)
{
    const struct json *piece;

    if (v->type == JSON_NULL) return true;
    if (v->type != JSON_OBJECT) return reader_mismatch(r, v, "struct MinShould");
    f->has_min_should = true;
    if (!reader_need(r, v, "conditions", &piece)) return false;
    if (!read_list(r, piece, field, "min_should.conditions", &f->min_should, &f->min_should_count))
        return false;
    if (!reader_need(r, v, "min_count", &piece)) return false;
    return reader_usize(r, v, "min_count", &f->min_count, NULL);
}

/* A member of a filter; lists and their conditions are buffered before they are read, so complaints about
 * them stand behind the whole list. */
static bool read_piece(struct reader *r, const struct json_member *m, const char *field, struct filter *f)
{
    if (strcmp(m->key, "must") == 0) return read_list(r, &m->value, field, "must", &f->must, &f->must_count);
    if (strcmp(m->key, "should") == 0)
        return read_list(r, &m->value, field, "should", &f->should, &f->should_count);
    if (strcmp(m->key, "must_not") == 0)
        return read_list(r, &m->value, field, "must_not", &f->must_not, &f->must_not_count);
    return read_min_should(r, &m->value, field, f);
}

bool filter_read(struct reader *r, const struct json *v, const char *field, struct filter **out)
{
    struct filter *f = pool_zero(r->arena, sizeof *f);

    *out = f;
    if (v->type != JSON_OBJECT) return reader_mismatch(r, v, "struct Filter");
    for (uint32_t i = 0; i < v->count; i++) {
        const struct json_member *m = &v->u.members[i];
        enum reader_place place = r->place;
        bool ok;

        if (strcmp(m->key, "must") != 0 && strcmp(m->key, "should") != 0 && strcmp(m->key, "must_not") != 0 &&
            strcmp(m->key, "min_should") != 0)
            return reader_fail(
                r, m->value.start ? m->value.start - 1 : 0,
                "unknown field `%s`, expected one of `should`, `min_should`, `must`, `must_not`", m->key);
        if (place == READER_EXACT) {
            r->place = READER_PINNED;
            r->pin = reader_after_member(r, &m->value);
        }
        ok = read_piece(r, m, field, f);
        r->place = place;
        if (!ok) return false;
    }
    return true;
}

static void each_in(struct condition *list, size_t count, const struct jsonpath *outer,
                    void (*visit)(void *user, struct condition *c, const struct jsonpath *outer), void *user);

static void each(struct filter *f, const struct jsonpath *outer,
                 void (*visit)(void *user, struct condition *c, const struct jsonpath *outer), void *user)
{
    each_in(f->must, f->must_count, outer, visit, user);
    each_in(f->should, f->should_count, outer, visit, user);
    each_in(f->must_not, f->must_not_count, outer, visit, user);
    each_in(f->min_should, f->min_should_count, outer, visit, user);
}

static void each_in(struct condition *list, size_t count, const struct jsonpath *outer,
                    void (*visit)(void *user, struct condition *c, const struct jsonpath *outer), void *user)
{
    for (size_t i = 0; i < count; i++) {
        visit(user, &list[i], outer);
        if (list[i].filter)
            each(list[i].filter, list[i].type == CONDITION_NESTED ? &list[i].path : outer, visit, user);
    }
}

void filter_each(struct filter *f,
                 void (*visit)(void *user, struct condition *c, const struct jsonpath *outer), void *user)
{
    each(f, NULL, visit, user);
}
