/* agg_parse.c - parses pipelines, with the server's complaints. Pure. */
#include "agg_int.h"
#include "text.h"

enum use { USE_READ, USE_UPDATE, USE_STREAM, USE_FACET };

static int parse(struct pool *a, struct val stages, enum use use, struct pipeline **out, struct merr *err);

static int parse_number(struct val v, const char *name, struct stage *s, struct merr *err)
{
    bool limit = s->kind == S_LIMIT;
    if (!val_is_num(v))
        return merr_set(err, limit ? 15957 : 15972,
                        limit ? "the limit must be specified as a number"
                              : "Argument to %s must be a number not a %s",
                        name, val_type_name(v.t));
    s->number = val_int(v);
    if (limit && s->number <= 0) return merr_set(err, 15958, "the limit must be positive");
    if (!limit && s->number < 0) return merr_set(err, 15956, "Argument to %s cannot be negative", name);
    return 0;
}

static int parse_count(struct pool *a, struct val v, struct stage *s, struct merr *err)
{
    if (!val_is_str(v) || !val_strlen(v))
        return merr_set(err, val_is_str(v) ? 40157 : 40156, "the count field must be a non-empty string");
    if (val_str(v)[0] == '$') return merr_set(err, 40158, "the count field cannot be a $-prefixed path");
    if (memchr(val_str(v), '.', val_strlen(v)))
        return merr_set(err, 40160, "the count field cannot contain '.'");
    s->name = pool_strndup(a, val_str(v), val_strlen(v));
    return 0;
}

static int parse_unwind(struct pool *a, struct val v, struct stage *s, struct merr *err)
{
    struct val path = v;
    if (val_is_doc(v)) {
        struct iter it;
        path = VAL_NONE;
        for (iter_init(&it, v); iter_next(&it);) {
            if (!strcmp(it.key, "path")) {
                path = it.v;
            } else if (!strcmp(it.key, "preserveNullAndEmptyArrays")) {
                if (!val_is(it.v, BSON_TYPE_BOOL))
                    return merr_set(err, 28809,
                                    "expected a boolean for the preserveNullAndEmptyArrays option to $unwind "
                                    "stage, got %s",
                                    val_type_name(it.v.t));
                s->keep_empty = it.v.p[0] != 0;
            } else if (!strcmp(it.key, "includeArrayIndex")) {
                if (!val_is_str(it.v) || !val_strlen(it.v))
                    return merr_set(err, 28810,
                                    "expected a non-empty string for the includeArrayIndex  option to "
                                    "$unwind stage, got %s",
                                    val_type_name(it.v.t));
                s->index_field = val_str(it.v);
            } else {
                return merr_set(err, 28811, "unrecognized option to $unwind stage: %s", it.key);
            }
        }
        if (val_missing(path)) return merr_set(err, 28812, "no path specified to $unwind stage");
    }
    if (!val_is_str(path))
        return merr_set(err, 28808,
                        "expected either a string or an object as specification for $unwind stage, got %s",
                        val_type_name(path.t));
    if (val_str(path)[0] != '$')
        return merr_set(err, 28818, "path option to $unwind stage should be prefixed with a '$': %s",
                        val_str(path));
    s->unwind = path_parse(a, val_str(path) + 1, val_strlen(path) - 1);
    return s->unwind ? 0 : merr_set(err, MERR_OVERFLOW, "FieldPath is too long");
}

static int parse_facet(struct pool *a, struct val v, struct stage *s, struct merr *err)
{
    if (!val_is_doc(v) || doc_is_empty(v))
        return merr_set(err, 40169, "the $facet specification must be a non-empty object");
    size_t n = doc_count(v);
    s->facets = pool_alloc(a, n * sizeof *s->facets);
    s->facet_names = pool_alloc(a, n * sizeof *s->facet_names);
    struct iter it;
    for (iter_init(&it, v); iter_next(&it);) {
        if (!val_is_arr(it.v))
            return merr_set(err, 40170, "arguments to $facet must be arrays, %s is type %s", it.key,
                            val_type_name(it.v.t));
        s->facet_names[s->facet_count] = it.key;
        if (parse(a, it.v, USE_FACET, &s->facets[s->facet_count++], err)) return err->code;
    }
    return 0;
}

static int parse_replace(struct pool *a, const char *name, struct val v, struct stage *s, struct merr *err)
{
    if (!strcmp(name, "$replaceRoot")) {
        if (!val_is_doc(v))
            return merr_set(err, 40229, "expected an object as specification for $replaceRoot stage, got %s",
                            val_type_name(v.t));
        struct iter it;
        struct val root = VAL_NONE;
        for (iter_init(&it, v); iter_next(&it);) {
            if (strcmp(it.key, "newRoot"))
                return merr_set(err, 40415, "BSON field '$replaceRoot.%s' is an unknown field.", it.key);
            root = it.v;
        }
        if (val_missing(root)) return merr_set(err, 40231, "no newRoot specified for the $replaceRoot stage");
        v = root;
    }
    return expr_parse(a, v, NULL, &s->expr, err);
}

static int parse_project(struct pool *a, const char *name, struct val v, struct stage *s, struct merr *err)
{
    bool add = !strcmp(name, "$addFields") || !strcmp(name, "$set");
    int rc;
    if (!strcmp(name, "$unset")) {
        rc = projection_parse_unset(a, v, &s->projection, err);
    } else if (!val_is_doc(v)) {
        return add ? merr_set(err, 40272, "%s specification stage must be an object, got %s", name,
                              val_type_name(v.t))
                   : merr_set(err, 15969, "$project specification must be an object");
    } else {
        rc = projection_parse(a, v, add ? PROJECT_ADD : PROJECT_STAGE, NULL, &s->projection, err);
    }
    if (rc) merr_prefix(err, " :: caused by :: ");
    if (rc) merr_prefix(err, name);
    if (rc) merr_prefix(err, "Invalid ");
    return rc;
}

static const struct {
    const char *name;
    enum stage_kind kind;
    bool update, stream, facet;
} known[] = {
    {"$match", S_MATCH, false, true, true},
    {"$project", S_PROJECT, true, true, true},
    {"$addFields", S_PROJECT, true, true, true},
    {"$set", S_PROJECT, true, true, true},
    {"$unset", S_PROJECT, true, true, true},
    {"$replaceRoot", S_REPLACE, true, true, true},
    {"$replaceWith", S_REPLACE, true, true, true},
    {"$sort", S_SORT, false, false, true},
    {"$skip", S_SKIP, false, false, true},
    {"$limit", S_LIMIT, false, false, true},
    {"$count", S_COUNT, false, false, true},
    {"$group", S_GROUP, false, false, true},
    {"$unwind", S_UNWIND, false, false, true},
    {"$facet", S_FACET, false, false, false},
    {"$collStats", S_COLL_STATS, false, false, false},
    {"$sortByCount", S_GROUP, false, false, true},
    {"$sample", S_SAMPLE, false, false, true},
};

/* Stages that the server has and the stand-in has not. */
static const char *const foreign[] = {
    "$bucket",     "$bucketAuto",        "$currentOp",    "$geoNear",   "$graphLookup",
    "$indexStats", "$listLocalSessions", "$listSessions", "$lookup",    "$merge",
    "$out",        "$planCacheStats",    "$redact",       "$unionWith", "$search"};

static int parse_stage(struct pool *a, const char *name, struct val v, struct stage *s, struct merr *err)
{
    s->name = name;
    switch (s->kind) {
    case S_MATCH:
        if (!val_is_doc(v))
            return merr_set(err, 15959, "the match filter must be an expression in an object");
        return match_parse(a, v, NULL, &s->match, err);
    case S_PROJECT:
        return parse_project(a, name, v, s, err);
    case S_REPLACE:
        return parse_replace(a, name, v, s, err);
    case S_SORT:
        if (!val_is_doc(v)) return merr_set(err, 15973, "the $sort key specification must be an object");
        if (doc_is_empty(v)) return merr_set(err, 15976, "$sort stage must have at least one sort key");
        return sort_parse(a, v, &s->sort, err);
    case S_SKIP:
    case S_LIMIT:
        return parse_number(v, name, s, err);
    case S_COUNT:
        return parse_count(a, v, s, err);
    case S_GROUP:
        return group_parse(a, v, s, err);
    case S_UNWIND:
        return parse_unwind(a, v, s, err);
    case S_FACET:
        return parse_facet(a, v, s, err);
    case S_SAMPLE:
        s->number = val_int(doc_get(v, "size"));
        return s->number > 0 ? 0
                             : merr_set(err, 28747, "size argument to $sample must be a positive integer");
    case S_COLL_STATS: {
        struct iter it;
        if (!val_is_doc(v))
            return merr_set(err, 40166, "$collStats must take a nested object but found: %s",
                            text_field(a, name, v));
        for (iter_init(&it, v); iter_next(&it);)
            if (strcmp(it.key, "count"))
                return merr_set(err, MERR_NOT_IMPLEMENTED,
                                "the stand-in knows only the option count of $collStats");
        return 0;
    }
    default:
        return 0;
    }
}

static int unknown_stage(const char *name, enum use use, struct merr *err)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (!strcmp(foreign[i], name))
            return merr_set(err, MERR_NOT_IMPLEMENTED, "the stand-in does not know the stage %s", name);
    if (!strcmp(name, "$changeStream"))
        return use == USE_FACET
                   ? merr_set(err, 40600, "$changeStream is not allowed to be used within a $facet stage")
                   : merr_set(err, 40602, "$changeStream is only valid as the first stage in a pipeline.");
    return merr_set(err, 40324, "Unrecognized pipeline stage name: '%s'", name);
}

/* {$sortByCount: e} is {$group: {_id: e, count: {$sum: 1}}} and {$sort: {count: -1}}. */
static int parse_sort_by_count(struct pool *a, struct val v, struct stage *s, struct merr *err)
{
    struct bw g, o;
    bw_init(&g, a);
    bw_put(&g, "_id", v);
    bw_doc(&g, "count");
    bw_i32(&g, "$sum", 1);
    bw_init(&o, a);
    bw_i32(&o, "count", -1);
    s[1] = s[0];
    s[0].kind = S_GROUP;
    s[1].kind = S_SORT;
    if (parse_stage(a, "$group", bw_done(&g), &s[0], err)) return err->code;
    return parse_stage(a, "$sort", bw_done(&o), &s[1], err);
}

static int parse(struct pool *a, struct val stages, enum use use, struct pipeline **out, struct merr *err)
{
    struct pipeline *p = pool_alloc(a, sizeof *p);
    memset(p, 0, sizeof *p);
    size_t n = doc_count(stages);
    p->stages = pool_alloc(a, (2 * n + 1) * sizeof *p->stages);
    memset(p->stages, 0, (2 * n + 1) * sizeof *p->stages);
    struct iter it, st;
    for (iter_init(&it, stages); iter_next(&it);) {
        if (!val_is_doc(it.v))
            return merr_set(err, MERR_TYPE_MISMATCH,
                            "Each element of the 'pipeline' array must be an object");
        iter_init(&st, it.v);
        if (!iter_next(&st) || doc_count(it.v) != 1)
            return merr_set(err, 40323,
                            "A pipeline stage specification object must contain exactly one field.");
        size_t k = 0;
        while (k < sizeof known / sizeof *known && strcmp(known[k].name, st.key)) k++;
        if (k == sizeof known / sizeof *known) return unknown_stage(st.key, use, err);
        if (use == USE_UPDATE && !known[k].update)
            return merr_set(err, MERR_INVALID_OPTIONS, "%s is not allowed to be used within an update",
                            st.key);
        if (use == USE_STREAM && !known[k].stream)
            return merr_set(err, MERR_ILLEGAL_OPERATION, "%s is not permitted in a $changeStream pipeline",
                            st.key);
        if (use == USE_FACET && !known[k].facet)
            return merr_set(err, 40600, "%s is not allowed to be used within a $facet stage", st.key);
        struct stage *s = &p->stages[p->n++];
        s->kind = known[k].kind;
        if (s->kind == S_COLL_STATS && p->n > 1)
            return merr_set(err, 40602, "$collStats is only valid as the first stage in a pipeline.");
        if (!strcmp(st.key, "$sortByCount")) {
            p->n++;
            if (parse_sort_by_count(a, st.v, s, err)) return err->code;
        } else if (parse_stage(a, st.key, st.v, s, err)) {
            return err->code;
        }
    }
    *out = p;
    return 0;
}

int pipeline_parse(struct pool *a, struct val stages, struct pipeline **out, struct merr *err)
{
    return parse(a, stages, USE_READ, out, err);
}

int pipeline_parse_update(struct pool *a, struct val stages, struct pipeline **out, struct merr *err)
{
    return parse(a, stages, USE_UPDATE, out, err);
}

int pipeline_parse_stream(struct pool *a, struct val stages, struct pipeline **out, struct merr *err)
{
    return parse(a, stages, USE_STREAM, out, err);
}

struct val pipeline_leading_match(struct val stages)
{
    struct val first = arr_get(stages, 0);
    return val_is_doc(first) && doc_count(first) == 1 ? doc_get(first, "$match") : VAL_NONE;
}
