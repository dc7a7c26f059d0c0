/* query_read.c - bodies of searches. It owns nothing and never looks at collections. */
#include <string.h>

#include "qdrant_http/query.h"

#define NO_QUERY "data did not match any variant of untagged enum QueryInterface"
#define NO_SEARCH "data did not match any variant of untagged enum NamedVectorStruct"

static bool read_input(struct reader *r, const struct json *v, struct query_input *out)
{
    memset(out, 0, sizeof *out);
    if (pointid_parse(v, &out->id)) {
        out->by_id = true;
        return true;
    }
    return (v->type == JSON_ARRAY || v->type == JSON_OBJECT) && update_read_vector(r, v, &out->vector);
}

static bool read_inputs(struct reader *r, const struct json *v, struct query_input **out, size_t *count)
{
    if (!v || v->type == JSON_NULL) return true;
    if (v->type != JSON_ARRAY) return false;
    *out = pool_take(r->arena, ((size_t)v->count + 1) * sizeof **out);
    *count = v->count;
    for (uint32_t i = 0; i < v->count; i++)
        if (!read_input(r, &v->u.items[i], &(*out)[i])) return false;
    return true;
}

static bool read_recommend(struct reader *r, const struct json *v, struct query *q)
{
    const struct json *strategy = json_get(v, "strategy");

    q->type = QUERY_RECOMMEND;
    if (v->type != JSON_OBJECT) return false;
    if (json_string_is(strategy, "best_score"))
        q->strategy = RECOMMEND_BEST;
    else if (json_string_is(strategy, "sum_scores"))
        q->strategy = RECOMMEND_SUM;
    else if (strategy && strategy->type != JSON_NULL && !json_string_is(strategy, "average_vector"))
        return false;
    return read_inputs(r, json_get(v, "positive"), &q->positive, &q->positive_count) &&
           read_inputs(r, json_get(v, "negative"), &q->negative, &q->negative_count);
}

/* One pair {"positive": x, "negative": y}, or an array of them. */
static bool read_pairs(struct reader *r, const struct json *v, struct query *q)
{
    const struct json *first = v;
    size_t n = 1;

    if (!v || v->type == JSON_NULL) return true;
    if (v->type == JSON_ARRAY) {
        first = v->u.items;
        n = v->count;
    }
    q->positive = pool_take(r->arena, (n + 1) * sizeof *q->positive);
    q->negative = pool_take(r->arena, (n + 1) * sizeof *q->negative);
    q->positive_count = q->negative_count = n;
    for (size_t i = 0; i < n; i++) {
        const struct json *positive = json_get(&first[i], "positive");
        const struct json *negative = json_get(&first[i], "negative");

        if (!positive || !negative || !read_input(r, positive, &q->positive[i]) ||
            !read_input(r, negative, &q->negative[i]))
            return false;
    }
    return true;
}

static bool read_named(struct reader *r, const struct json_member *m, struct query *q)
{
    const struct json *v = &m->value;

    if (strcmp(m->key, "nearest") == 0) {
        q->type = QUERY_NEAREST;
        return read_input(r, v, &q->goal);
    }
    if (strcmp(m->key, "recommend") == 0) return read_recommend(r, v, q);
    if (strcmp(m->key, "discover") == 0) {
        q->type = QUERY_DISCOVER;
        return json_get(v, "target") && read_input(r, json_get(v, "target"), &q->goal) &&
               read_pairs(r, json_get(v, "context"), q);
    }
    if (strcmp(m->key, "context") == 0) {
        q->type = QUERY_CONTEXT;
        return read_pairs(r, v, q);
    }
    if (strcmp(m->key, "order_by") == 0) {
        q->type = QUERY_ORDER_BY;
        return ordering_read(r, v, &q->order);
    }
    if (strcmp(m->key, "fusion") == 0) {
        q->type = QUERY_FUSION;
        if (json_string_is(v, "dbsf")) q->refused = "distribution-based fusion";
        return q->refused || json_string_is(v, "rrf");
    }
    if (strcmp(m->key, "sample") == 0) {
        q->type = QUERY_SAMPLE;
        return json_string_is(v, "random");
    }
    if (strcmp(m->key, "formula") == 0 || strcmp(m->key, "rrf") == 0 || strcmp(m->key, "mmr") == 0 ||
        strcmp(m->key, "relevance_feedback") == 0) {
        q->refused = m->key;
        return true;
    }
    return false;
}

static bool read_interface(struct reader *r, const struct json *v, struct query *q)
{
    if (!v || v->type == JSON_NULL) return true;
    if (v->type == JSON_OBJECT && !json_get(v, "indices")) {
        for (uint32_t i = 0; i < v->count; i++)
            if (!read_named(r, &v->u.members[i], q)) return reader_fail(r, v->end, NO_QUERY);
        return v->count || reader_fail(r, v->end, NO_QUERY);
    }
    q->type = QUERY_NEAREST;
    return read_input(r, v, &q->goal) || reader_fail(r, v->end, NO_QUERY);
}

static bool read_params(struct reader *r, const struct json *v, struct query *q)
{
    if (!v || v->type == JSON_NULL) return true;
    if (v->type != JSON_OBJECT) return reader_mismatch(r, v, "struct SearchParams");
    return reader_bool(r, v, "exact", &q->exact, NULL) && reader_usize(r, v, "hnsw_ef", &q->ef, &q->has_ef);
}

static bool read_common(struct reader *r, const struct json *body, const char *field, struct query *q)
{
    const struct json *filter = json_get(body, "filter");

    if (filter && filter->type != JSON_NULL &&
        !filter_read(r, filter, pool_printf(r->arena, "%s.filter", field), &q->filter))
        return false;
    if (!read_params(r, json_get(body, "params"), q)) return false;
    if (!reader_f64(r, body, "score_threshold", &q->threshold, &q->has_threshold)) return false;
    if (!reader_usize(r, body, "limit", &q->limit, &q->limit_given)) return false;
    if (!q->limit_given && !reader_usize(r, body, "top", &q->limit, &q->limit_given)) return false;
    if (!reader_usize(r, body, "offset", &q->offset, NULL)) return false;
    if (q->limit_given && q->limit == 0)
        reader_invalid(r, pool_printf(r->arena, "%s.limit", field), "value 0 invalid, must be 1 or larger");
    return show_read(r, body, false, &q->show);
}

static bool read_prefetch(struct reader *r, const struct json *v, const char *field, struct query *q)
{
    const struct json *first = v;

    if (!v || v->type == JSON_NULL) return true;
    q->prefetch_count = 1;
    if (v->type == JSON_ARRAY) {
        first = v->u.items;
        q->prefetch_count = v->count;
    }
    q->prefetch = pool_take(r->arena, (q->prefetch_count + 1) * sizeof *q->prefetch);
    for (size_t i = 0; i < q->prefetch_count; i++)
        if (!query_read(r, &first[i], pool_printf(r->arena, "%s.prefetch[%zu]", field, i), &q->prefetch[i]))
            return false;
    return true;
}

bool query_read(struct reader *r, const struct json *body, const char *field, struct query *q)
{
    const struct json *name;

    memset(q, 0, sizeof *q);
    q->limit = 10;
    q->using = "";
    if (body->type != JSON_OBJECT) return reader_mismatch(r, body, "struct QueryRequest");
    if (!read_interface(r, json_get(body, "query"), q)) return false;
    if (!reader_string(r, body, "using", &name)) return false;
    if (name) q->using = name->u.string;
    if (json_get(body, "lookup_from") && json_get(body, "lookup_from")->type != JSON_NULL)
        q->refused = "lookups in other collections";
    if (!read_prefetch(r, json_get(body, "prefetch"), field, q)) return false;
    return read_common(r, body, field, q);
}

/* The older form: "vector" is a vector, or {"name", "vector"}. */
bool query_read_search(struct reader *r, const struct json *body, const char *field, struct query *q)
{
    const struct json *v;
    const struct json *name = NULL;

    memset(q, 0, sizeof *q);
    q->type = QUERY_NEAREST;
    q->using = "";
    if (body->type != JSON_OBJECT) return reader_mismatch(r, body, "struct SearchRequest");
    if (!reader_need(r, body, "vector", &v)) return false;
    if (v->type == JSON_OBJECT) {
        name = json_get(v, "name");
        v = json_get(v, "vector");
        if (!name || name->type != JSON_STRING || !v) return reader_fail(r, body->end, NO_SEARCH);
        q->using = name->u.string;
    }
    if (!update_read_vector(r, v, &q->goal.vector)) return reader_fail(r, v->end, NO_SEARCH);
    if (!read_common(r, body, field, q)) return false;
    return q->limit_given || reader_fail(r, body->end, "missing field `limit`");
}

/* The older recommend and discover have the query's members in the body itself. */
static bool read_flat(struct reader *r, const struct json *body, const char *field, struct query *q)
{
    const struct json *name = json_get(body, "using");

    if (name && name->type == JSON_STRING) q->using = name->u.string;
    if (json_get(body, "lookup_from") && json_get(body, "lookup_from")->type != JSON_NULL)
        q->refused = "lookups in other collections";
    if (!read_common(r, body, field, q)) return false;
    return q->limit_given || reader_fail(r, body->end, "missing field `limit`");
}

bool query_read_recommend(struct reader *r, const struct json *body, const char *field, struct query *q)
{
    memset(q, 0, sizeof *q);
    q->using = "";
    if (body->type != JSON_OBJECT) return reader_mismatch(r, body, "struct RecommendRequest");
    if (!read_recommend(r, body, q))
        return reader_fail(r, body->end, "data did not match any variant of untagged enum RecommendExample");
    return read_flat(r, body, field, q);
}

bool query_read_discover(struct reader *r, const struct json *body, const char *field, struct query *q)
{
    const struct json *target = json_get(body, "target");

    memset(q, 0, sizeof *q);
    q->using = "";
    if (body->type != JSON_OBJECT) return reader_mismatch(r, body, "struct DiscoverRequest");
    q->type = target && target->type != JSON_NULL ? QUERY_DISCOVER : QUERY_CONTEXT;
    if ((q->type == QUERY_DISCOVER && !read_input(r, target, &q->goal)) ||
        !read_pairs(r, json_get(body, "context"), q))
        return reader_fail(r, body->end, "data did not match any variant of untagged enum RecommendExample");
    return read_flat(r, body, field, q);
}
