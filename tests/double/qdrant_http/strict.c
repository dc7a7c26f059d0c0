/* strict.c - see strict.h. It owns nothing and changes nothing. */
#include "qdrant_http/strict.h"

#include <string.h>

static bool limit(struct call *c, bool has, uint64_t most, uint64_t value, const char *name)
{
    if (!has || value <= most) return true;
    call_error(c, 400,
               "Bad request: Limit exceeded %llu > %llu for \"%s\". Help: Reduce the \"%s\" parameter to or "
               "below %llu.",
               (unsigned long long)value, (unsigned long long)most, name, name, (unsigned long long)most);
    return false;
}

struct search_unindexed {
    const struct collection *collection;
    const struct condition *found;
    const struct jsonpath *outer;
    uint64_t conditions;
    uint64_t longest;
};

static void visit(void *user, struct condition *c, const struct jsonpath *outer)
{
    struct search_unindexed *s = user;
    const struct field_index *x;
    uint64_t size = 1;

    if (c->type != CONDITION_FILTER && c->type != CONDITION_NESTED) s->conditions++;
    if (c->type == CONDITION_HAS_ID) size = c->id_count;
    if (c->match == MATCH_ANY || c->match == MATCH_EXCEPT) size = c->value_count;
    if (size > s->longest) s->longest = size;
    if (s->found ||
        (c->type != CONDITION_FIELD && c->type != CONDITION_IS_EMPTY && c->type != CONDITION_IS_NULL))
        return;
    x = outer ? NULL : collection_index(s->collection, &c->path);
    if (x && (c->type != CONDITION_FIELD || index_serves(x, c))) return;
    s->found = c;
    s->outer = outer;
}

/* The index types that would do, sorted by name, as the server lists them. */
static const char *wanted(const struct condition *c)
{
    if (c->match == MATCH_TEXT || c->match == MATCH_TEXT_ANY || c->match == MATCH_PHRASE) return "text";
    if (c->match != MATCH_NONE && c->value_count) {
        if (c->values[0].type == JSON_INT) return "integer";
        if (c->values[0].type == JSON_BOOL) return "bool";
        for (size_t i = 0; i < c->value_count; i++) {
            struct pointid id;

            if (!pointid_parse(&c->values[i], &id)) return "keyword";
        }
        return "keyword, uuid";
    }
    if (c->range.type == RANGE_NUMBER) return "float, integer";
    if (c->range.type == RANGE_DATETIME) return "datetime";
    if (c->geo.type != GEO_NONE) return "geo";
    return "bool, datetime, float, geo, integer, keyword, text, uuid";
}

static bool filter(struct call *c, struct filter *f, bool indexed_only)
{
    const struct strict_mode *s = &c->collection->strict;
    struct search_unindexed search = {.collection = c->collection};

    if (!s->enabled || !f) return true;
    filter_each(f, visit, &search);
    if (s->has_filter_max_conditions && search.conditions > s->filter_max_conditions) {
        call_error(c, 400,
                   "Bad request: Filter condition limit reached (%llu > %llu). Help: Reduce the amount of "
                   "conditions of "
                   "your filter.",
                   (unsigned long long)search.conditions, (unsigned long long)s->filter_max_conditions);
        return false;
    }
    if (s->has_condition_max_size && search.longest > s->condition_max_size) {
        call_error(c, 400,
                   "Bad request: Condition size limit reached (%llu > %llu). Help: Reduce the size of your "
                   "condition.",
                   (unsigned long long)search.longest, (unsigned long long)s->condition_max_size);
        return false;
    }
    if (!indexed_only || !search.found) return true;
    call_error(c, 400,
               "Bad request: Index required but not found for \"%s%s%s\" of one of the following types: "
               "[%s]. Help: Create "
               "an index for this key or use a different filter.",
               search.outer ? search.outer->text : "", search.outer ? "[]." : "", search.found->path.text,
               wanted(search.found));
    return false;
}

bool strict_upsert(struct call *c, const struct update *u)
{
    const struct strict_mode *s = &c->collection->strict;

    if (!s->enabled) return true;
    if (!limit(c, s->has_upsert_max_batchsize, s->upsert_max_batchsize, u->point_count, "upsert limit"))
        return false;
    if (s->has_max_points_count && c->collection->points + u->point_count > s->max_points_count) {
        call_error(c, 400,
                   "Bad request: Max points count limit of %llu reached!. Help: Please delete some points or "
                   "increase the "
                   "limit.",
                   (unsigned long long)s->max_points_count);
        return false;
    }
    return filter(c, u->update_filter, s->no_unindexed_update);
}

bool strict_update(struct call *c, const struct update *u)
{
    const struct strict_mode *s = &c->collection->strict;

    if (!s->enabled) return true;
    if (u->type == UPDATE_VECTORS &&
        !limit(c, s->has_upsert_max_batchsize, s->upsert_max_batchsize, u->point_count, "update limit"))
        return false;
    if (!filter(c, u->update_filter, s->no_unindexed_update)) return false;
    return u->by_ids || filter(c, u->filter, s->no_unindexed_update);
}

bool strict_read(struct call *c, struct filter *f, bool has_limit, uint64_t n)
{
    const struct strict_mode *s = &c->collection->strict;

    if (!s->enabled) return true;
    if (!limit(c, s->has_max_timeout, s->max_timeout, c->timeout, "timeout")) return false;
    if (has_limit && !limit(c, s->has_max_query_limit, s->max_query_limit, n, "limit")) return false;
    return filter(c, f, s->no_unindexed_retrieve);
}

bool strict_search_batch(struct call *c, uint64_t searches)
{
    const struct strict_mode *s = &c->collection->strict;

    return !s->enabled ||
           limit(c, s->has_search_max_batchsize, s->search_max_batchsize, searches, "search batch size");
}

bool strict_exact(struct call *c, bool exact)
{
    const struct strict_mode *s = &c->collection->strict;

    if (!s->enabled || !s->no_exact || !exact) return true;
    call_error(c, 400, "Bad request: Exact search disabled!. Help: Set exact=false.");
    return false;
}

bool strict_ef(struct call *c, bool has_ef, uint64_t ef)
{
    const struct strict_mode *s = &c->collection->strict;

    return !s->enabled || !has_ef ||
           limit(c, s->has_search_max_hnsw_ef, s->search_max_hnsw_ef, ef, "hnsw_ef");
}

bool strict_index(struct call *c, const struct jsonpath *path)
{
    const struct strict_mode *s = &c->collection->strict;
    uint64_t n = 0;

    for (const struct field_index *x = c->collection->indexes; x; x = x->next) n++;
    if (!s->enabled || !s->has_max_payload_index_count || n < s->max_payload_index_count ||
        collection_index(c->collection, path))
        return true;
    call_error(c, 400,
               "Bad request: Collection already has the maximum number of payload indices (%llu). Help: "
               "Please delete an "
               "existing index before creating a new one.",
               (unsigned long long)s->max_payload_index_count);
    return false;
}
