/*
 * filter_eval.c - does a point pass? Follows Qdrant's payload checks (an array passes if one of its elements
 * does, integers and floats are kept apart in matches). It owns nothing.
 */
#include "config.h" /* _GNU_SOURCE, for memmem */

#include <stdlib.h>
#include <string.h>

#include "qdrant_store/filter.h"

static bool in_range(const struct range *r, double v)
{
    return (!r->has_lt || v < r->lt) && (!r->has_gt || v > r->gt) && (!r->has_lte || v <= r->lte) &&
           (!r->has_gte || v >= r->gte);
}

static bool contains(const struct json *text, const struct json *piece)
{
    return piece->count == 0 || memmem(text->u.string, text->count, piece->u.string, piece->count) != NULL;
}

static bool listed(const struct condition *c, const struct json *v)
{
    for (size_t i = 0; i < c->value_count; i++)
        if (json_equal(&c->values[i], v)) return true;
    return false;
}

static bool matches(const struct condition *c, const struct json *v)
{
    switch (c->match) {
    case MATCH_NONE:
        return false;
    case MATCH_VALUE:
    case MATCH_ANY:
        return listed(c, v);
    case MATCH_EXCEPT:
        return v->type != JSON_NULL && !listed(c, v);
    case MATCH_TEXT:
        if (v->type != JSON_STRING) return false;
        return c->tokens ? filter_words(v, c->values, false) : contains(v, c->values);
    case MATCH_TEXT_ANY:
        if (v->type != JSON_STRING) return false;
        return filter_words(v, c->values, true);
    case MATCH_PHRASE:
        return v->type == JSON_STRING && contains(v, c->values);
    }
    return false;
}

static bool ranges(const struct condition *c, const struct json *v)
{
    double date;

    if (c->range.type == RANGE_NUMBER) return json_is_number(v) && in_range(&c->range, json_number(v));
    if (c->range.type == RANGE_DATETIME)
        return v->type == JSON_STRING && filter_datetime(v->u.string, v->count, &date) &&
               in_range(&c->range, date);
    return false;
}

static bool located(const struct condition *c, const struct json *v)
{
    double lon;
    double lat;

    return c->geo.type != GEO_NONE && filter_geo_point(v, &lon, &lat) &&
           filter_geo_matches(&c->geo, lon, lat);
}

static bool is_empty(const struct json *v)
{
    return v->type == JSON_NULL || (v->type == JSON_ARRAY && v->count == 0);
}

static bool is_null(const struct json *v)
{
    if (v->type == JSON_NULL) return true;
    if (v->type != JSON_ARRAY) return false;
    for (uint32_t i = 0; i < v->count; i++)
        if (v->u.items[i].type == JSON_NULL) return true;
    return false;
}

static double count_values(const struct json *v)
{
    if (v->type == JSON_NULL) return 0;
    return v->type == JSON_ARRAY ? v->count : 1;
}

static bool matches_one(const struct condition *c, const struct json *v)
{
    return matches(c, v) || ranges(c, v) || located(c, v);
}

struct field_walk {
    const struct condition *c;
    bool found;
    bool passed;
};

static bool visit_field(void *user, const struct json *v)
{
    struct field_walk *walk = user;
    const struct condition *c = walk->c;
    bool ok = false;

    walk->found = true;
    if (c->values_count.type != RANGE_NONE) ok = in_range(&c->values_count, count_values(v));
    if (c->has_is_empty) ok = ok || is_empty(v) == c->is_empty;
    if (c->has_is_null) ok = ok || is_null(v) == c->is_null;
    if (!ok && v->type == JSON_ARRAY) {
        for (uint32_t i = 0; i < v->count && !ok; i++) ok = matches_one(c, &v->u.items[i]);
    } else if (!ok) {
        ok = matches_one(c, v);
    }
    walk->passed = ok;
    return !ok;
}

static bool field_matches(const struct condition *c, const struct json *payload)
{
    struct field_walk walk = {.c = c};

    jsonpath_walk(&c->path, 0, payload, visit_field, &walk);
    if (walk.found) return walk.passed;
    return (c->values_count.type != RANGE_NONE && in_range(&c->values_count, 0)) ||
           (c->has_is_empty && c->is_empty) || (c->has_is_null && !c->is_null);
}

static bool visit_not_empty(void *user, const struct json *v)
{
    bool *empty = user;

    *empty = is_empty(v);
    return *empty;
}

static bool visit_null(void *user, const struct json *v)
{
    bool *null = user;

    *null = is_null(v);
    return !*null;
}

struct nested_walk {
    const struct condition *c;
    const struct filter_subject *outer;
    bool passed;
};

static bool visit_nested(void *user, const struct json *v)
{
    struct nested_walk *walk = user;
    struct filter_subject inner = *walk->outer;

    if (v->type == JSON_ARRAY) {
        for (uint32_t i = 0; i < v->count; i++)
            if (v->u.items[i].type == JSON_OBJECT && !visit_nested(user, &v->u.items[i])) return false;
        return true;
    }
    if (v->type != JSON_OBJECT) return true;
    inner.payload = v;
    walk->passed = filter_matches(walk->c->filter, &inner);
    return !walk->passed;
}

static int compare_ids(const void *a, const void *b)
{
    return pointid_compare(a, b);
}

static bool condition_matches(const struct condition *c, const struct filter_subject *s)
{
    bool flag;

    switch (c->type) {
    case CONDITION_FIELD:
        return field_matches(c, s->payload);
    case CONDITION_IS_EMPTY:
        flag = true;
        jsonpath_walk(&c->path, 0, s->payload, visit_not_empty, &flag);
        return flag;
    case CONDITION_IS_NULL:
        flag = false;
        jsonpath_walk(&c->path, 0, s->payload, visit_null, &flag);
        return flag;
    case CONDITION_HAS_ID:
        return bsearch(s->id, c->ids, c->id_count, sizeof *c->ids, compare_ids) != NULL;
    case CONDITION_HAS_VECTOR:
        return s->has_vector(s, c->vector);
    case CONDITION_NESTED: {
        struct nested_walk walk = {.c = c, .outer = s};

        jsonpath_walk(&c->path, 0, s->payload, visit_nested, &walk);
        return walk.passed;
    }
    case CONDITION_FILTER:
        return filter_matches(c->filter, s);
    }
    return false;
}

bool filter_matches(const struct filter *f, const struct filter_subject *s)
{
    uint64_t hits = 0;
    bool any = f->should_count == 0;

    for (size_t i = 0; i < f->must_count; i++)
        if (!condition_matches(&f->must[i], s)) return false;
    for (size_t i = 0; i < f->must_not_count; i++)
        if (condition_matches(&f->must_not[i], s)) return false;
    for (size_t i = 0; i < f->should_count && !any; i++) any = condition_matches(&f->should[i], s);
    if (!any) return false;
    if (!f->has_min_should) return true;
    for (size_t i = 0; i < f->min_should_count && hits < f->min_count; i++)
        hits += condition_matches(&f->min_should[i], s);
    return hits >= f->min_count;
}
