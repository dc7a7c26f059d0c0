/* expr_logic.c - comparison, boolean, conditional and set operators. Pure. */
#include "expr_int.h"

enum { CMP, EQ, NE, GT, GTE, LT, LTE };

static struct val compare(const struct expr *e, struct ectx *c)
{
    struct val a = expr_arg(e, 0, c), b = expr_arg(e, 1, c);
    /* a missing value sorts before null here, unlike in find */
    int r = val_missing(a) || val_missing(b) ? (val_missing(a) && val_missing(b) ? 0
                                                : val_missing(a)                 ? -1
                                                                                 : 1)
                                             : val_cmp(a, b);
    switch (e->code) {
    case CMP:
        return val_new_i32(c->a, (r > 0) - (r < 0));
    case EQ:
        return val_bool(r == 0);
    case NE:
        return val_bool(r != 0);
    case GT:
        return val_bool(r > 0);
    case GTE:
        return val_bool(r >= 0);
    case LT:
        return val_bool(r < 0);
    default:
        return val_bool(r <= 0);
    }
}

static struct val and_or(const struct expr *e, struct ectx *c)
{
    bool stop_at = e->code != 0;
    for (size_t i = 0; i < e->arg_count && !expr_failed(c); i++)
        if (expr_truthy(expr_arg(e, i, c)) == stop_at) return val_bool(stop_at);
    return val_bool(!stop_at);
}

static struct val negate(const struct expr *e, struct ectx *c)
{
    return val_bool(!expr_truthy(expr_arg(e, 0, c)));
}

static struct val cond(const struct expr *e, struct ectx *c)
{
    return expr_arg(e, expr_truthy(expr_arg(e, 0, c)) ? 1 : 2, c);
}

static struct val if_null(const struct expr *e, struct ectx *c)
{
    struct val v = expr_arg(e, 0, c);
    return val_nullish(v) ? expr_arg(e, 1, c) : v;
}

static struct val switch_case(const struct expr *e, struct ectx *c)
{
    size_t i = 0;
    for (; i + 1 < e->arg_count && !expr_failed(c); i += 2)
        if (expr_truthy(expr_arg(e, i, c))) return expr_arg(e, i + 1, c);
    if (i < e->arg_count) return expr_arg(e, i, c);
    return expr_error(c, 40066,
                      "$switch could not find a matching branch for an input, and no default was specified.");
}

static struct val let(const struct expr *e, struct ectx *c)
{
    size_t n = (size_t)e->slots[1];
    struct val values[EXPR_MAX_VARS];
    for (size_t i = 0; i < n; i++) values[i] = expr_arg(e, i, c);
    for (size_t i = 0; i < n; i++) c->vars[(size_t)e->slots[0] + i] = values[i];
    return expr_arg(e, n, c);
}

static struct val elements_true(const struct expr *e, struct ectx *c)
{
    struct val v = expr_arg(e, 0, c);
    if (expr_failed(c)) return VAL_NONE;
    if (!val_is_arr(v))
        return expr_error(c, e->code ? 17041 : 17040, "%s's argument must be an array, but is %s", e->name,
                          val_type_name(v.t));
    struct iter it;
    bool any = e->code != 0;
    for (iter_init(&it, v); iter_next(&it);)
        if (expr_truthy(it.v) == any) return val_bool(any);
    return val_bool(!any);
}

static bool contains(struct val set, struct val v)
{
    struct iter it;
    for (iter_init(&it, set); iter_next(&it);)
        if (val_cmp(it.v, v) == 0) return true;
    return false;
}

static bool subset(struct val a, struct val b)
{
    struct iter it;
    for (iter_init(&it, a); iter_next(&it);)
        if (!contains(b, it.v)) return false;
    return true;
}

enum { SET_UNION, SET_INTERSECTION, SET_DIFFERENCE, SET_EQUALS, SET_SUBSET };

static void add_unique(struct bw *w, size_t *n, struct val v)
{
    struct bw view = *w; /* what is written so far, seen as an array */
    bw_end(&view);
    struct val so_far = {view.p, rd32(view.p), BSON_TYPE_ARRAY};
    w->p = view.p;
    w->cap = view.cap;
    if (!contains(so_far, v)) bw_puti(w, (*n)++, v);
}

static struct val combine(const struct expr *e, struct ectx *c, const struct val *sets)
{
    struct bw w;
    size_t n = 0;
    struct iter it;
    bw_init(&w, c->a);
    for (size_t i = 0; i < (e->code == SET_UNION ? e->arg_count : 1); i++) {
        for (iter_init(&it, sets[i]); iter_next(&it);) {
            bool keep = true;
            for (size_t k = 1; e->code != SET_UNION && keep && k < e->arg_count; k++)
                keep = contains(sets[k], it.v) == (e->code == SET_INTERSECTION);
            if (keep) add_unique(&w, &n, it.v);
        }
    }
    struct val v = bw_done(&w);
    v.t = BSON_TYPE_ARRAY;
    return v;
}

static struct val set_operation(const struct expr *e, struct ectx *c)
{
    static const int codes[] = {17043, 17047, 17048, 17044, 17046};
    struct val *sets = pool_alloc(c->a, (e->arg_count + 1) * sizeof *sets);
    bool predicate = e->code == SET_EQUALS || e->code == SET_SUBSET;
    sets[0] = val_empty_doc();
    for (size_t i = 0; i < e->arg_count; i++) {
        sets[i] = expr_arg(e, i, c);
        if (expr_failed(c)) return VAL_NONE;
        if (val_nullish(sets[i]) && !predicate) return val_null();
        if (!val_is_arr(sets[i]))
            return expr_error(c, codes[e->code] - (e->code == SET_DIFFERENCE && i > 0 ? -1 : 0),
                              "%s must be arrays. %s argument is of type: %s",
                              e->code == SET_SUBSET || e->code == SET_DIFFERENCE
                                  ? "both operands of set operators"
                                  : "All operands of set operators",
                              i == 0   ? "First"
                              : i == 1 ? "Second"
                                       : "One",
                              val_type_name(sets[i].t));
    }
    if (e->code == SET_SUBSET) return val_bool(subset(sets[0], sets[1]));
    if (e->code != SET_EQUALS) return combine(e, c, sets);
    for (size_t i = 1; i < e->arg_count; i++)
        if (!subset(sets[0], sets[i]) || !subset(sets[i], sets[0])) return val_bool(false);
    return val_bool(true);
}

static struct val merge_objects(const struct expr *e, struct ectx *c)
{
    struct val result = val_empty_doc();
    for (size_t i = 0; i < e->arg_count; i++) {
        struct val v = expr_arg(e, i, c);
        if (expr_failed(c)) return VAL_NONE;
        if (val_nullish(v)) continue;
        if (!val_is_doc(v))
            return expr_error(c, 40400, "$mergeObjects requires object inputs, but input %s is of type %s",
                              "value", val_type_name(v.t));
        struct bw w;
        struct iter it;
        bw_init(&w, c->a);
        for (iter_init(&it, result); iter_next(&it);) {
            struct val now = doc_getn(v, it.key, it.keylen);
            bw_putn(&w, it.key, it.keylen, val_missing(now) ? it.v : now);
        }
        for (iter_init(&it, v); iter_next(&it);)
            if (val_missing(doc_getn(result, it.key, it.keylen))) bw_putn(&w, it.key, it.keylen, it.v);
        result = bw_done(&w);
    }
    return result;
}

static const char *const cond_names[] = {"if", "then", "else", NULL};

const struct expr_op expr_ops_logic[] = {
    {"$cmp", compare, CMP, 2, 2, NULL, 0},
    {"$eq", compare, EQ, 2, 2, NULL, 0},
    {"$ne", compare, NE, 2, 2, NULL, 0},
    {"$gt", compare, GT, 2, 2, NULL, 0},
    {"$gte", compare, GTE, 2, 2, NULL, 0},
    {"$lt", compare, LT, 2, 2, NULL, 0},
    {"$lte", compare, LTE, 2, 2, NULL, 0},
    {"$and", and_or, 0, 0, -1, NULL, 0},
    {"$or", and_or, 1, 0, -1, NULL, 0},
    {"$not", negate, 0, 1, 1, NULL, 0},
    {"$cond", cond, 0, 3, 3, cond_names, 3},
    {"$ifNull", if_null, 0, 2, 2, NULL, 0},
    {"$switch", switch_case, 0, 0, 0, NULL, 0},
    {"$let", let, 0, 0, 0, NULL, 0},
    {"$allElementsTrue", elements_true, 0, 1, 1, NULL, 0},
    {"$anyElementTrue", elements_true, 1, 1, 1, NULL, 0},
    {"$setUnion", set_operation, SET_UNION, 0, -1, NULL, 0},
    {"$setIntersection", set_operation, SET_INTERSECTION, 0, -1, NULL, 0},
    {"$setDifference", set_operation, SET_DIFFERENCE, 2, 2, NULL, 0},
    {"$setEquals", set_operation, SET_EQUALS, 2, -1, NULL, 0},
    {"$setIsSubset", set_operation, SET_SUBSET, 2, 2, NULL, 0},
    {"$mergeObjects", merge_objects, 0, 0, -1, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};
