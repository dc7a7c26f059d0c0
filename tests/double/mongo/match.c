/* match.c - evaluates parsed filters. Pure but for $expr, which reports its errors in the vars' context. */
#include "match.h"

#include <math.h>

struct leaf {
    const struct match *m;
    struct match_vars *vars;
};

static bool same_class(struct val a, struct val b)
{
    return val_canonical(a.t) == val_canonical(b.t);
}

static bool is_nan(struct val v)
{
    return val_is_num(v) && isnan(val_ldouble(v));
}

static bool compare(const struct match *m, struct val v)
{
    struct val arg = m->arg;
    if (val_is(arg, BSON_TYPE_NULL)) {
        bool null = val_nullish(v) && !val_is(v, BSON_TYPE_UNDEFINED);
        return (m->op == M_EQ || m->op == M_LTE || m->op == M_GTE) && null;
    }
    if (val_missing(v)) return false;
    if (!same_class(v, arg)) {
        /* only the ends of the order compare with everything */
        if (val_is(arg, BSON_TYPE_MAXKEY)) return m->op == M_LT || m->op == M_LTE;
        if (val_is(arg, BSON_TYPE_MINKEY)) return m->op == M_GT || m->op == M_GTE;
        return false;
    }
    if (is_nan(v) || is_nan(arg)) return m->op != M_LT && m->op != M_GT && is_nan(v) && is_nan(arg);
    int c = val_cmp(v, arg);
    switch (m->op) {
    case M_EQ:
        return c == 0;
    case M_LT:
        return c < 0;
    case M_LTE:
        return c <= 0;
    case M_GT:
        return c > 0;
    default:
        return c >= 0;
    }
}

static bool regex_hits(const struct regexp *re, struct val v)
{
    size_t b, e;
    return (val_is_str(v) || val_is(v, BSON_TYPE_SYMBOL)) &&
           regexp_find(re, val_str(v), val_strlen(v), 0, &b, &e);
}

static bool in_list(const struct match *m, struct val v)
{
    if (val_missing(v)) return m->list_null;
    size_t lo = 0, hi = m->list_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = val_cmp(m->list[mid], v);
        if (c == 0) return true;
        if (c < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    for (size_t i = 0; i < m->regex_count; i++)
        if (regex_hits(m->regexes[i], v)) return true;
    return false;
}

static bool bits_match(const struct match *m, struct val v)
{
    if (!val_is_integral(v)) return false;
    uint64_t mask = (uint64_t)m->divisor, got = (uint64_t)val_int(v);
    if (!m->bits_set) got = ~got;
    return m->bits_all ? (got & mask) == mask : (got & mask) != 0;
}

static bool elements_match(const struct match *m, struct val v, struct match_vars *vars)
{
    if (!val_is_arr(v)) return false;
    struct iter it;
    int64_t i = 0;
    for (iter_init(&it, v); iter_next(&it); i++) {
        struct match_vars inner = {.ectx = vars->ectx, .array_index = -1};
        bool hit;
        if (m->op == M_ELEM_DOC) {
            hit = (val_is_doc(it.v) || val_is_arr(it.v)) &&
                  match_eval(m->kids[0], val_is_doc(it.v) ? it.v : val_doc(it.v.p), &inner);
        } else {
            hit = match_eval_value(m->kids[0], it.v, &inner);
        }
        if (hit) {
            vars->array_index = i;
            return true;
        }
    }
    return false;
}

/* Asks one leaf about one value. */
static bool leaf_matches(const struct match *m, struct val v, struct match_vars *vars)
{
    switch (m->op) {
    case M_EQ:
    case M_LT:
    case M_LTE:
    case M_GT:
    case M_GTE:
        return compare(m, v);
    case M_IN:
        return in_list(m, v);
    case M_EXISTS:
        return !val_missing(v);
    case M_TYPE:
        return !val_missing(v) && (m->type_mask >> (v.t & 63) & 1);
    case M_MOD:
        if (!val_is_num(v) || isnan(val_ldouble(v)) || isinf(val_ldouble(v))) return false;
        return val_int(v) % m->divisor == m->remainder;
    case M_REGEX:
        return regex_hits(m->regexes[0], v) || (val_is(v, BSON_TYPE_REGEX) && val_same_bytes(v, m->arg));
    case M_SIZE:
        return val_is_arr(v) && (int64_t)doc_count(v) == m->divisor;
    case M_ELEM_DOC:
    case M_ELEM_VALUE:
        return elements_match(m, v, vars);
    case M_BITS:
        return bits_match(m, v);
    default:
        return false;
    }
}

static bool visit_leaf(void *ctx, struct val v, int64_t index)
{
    struct leaf *l = ctx;
    struct match_vars inner = {.ectx = l->vars->ectx, .array_index = -1};
    if (!leaf_matches(l->m, v, &inner)) return false;
    if (index >= 0) {
        l->vars->array_index = index;
    } else if (inner.array_index >= 0) {
        l->vars->array_index = inner.array_index;
    }
    return true;
}

static bool whole_array(enum match_op op)
{
    return op == M_EXISTS || op == M_SIZE || op == M_ELEM_DOC || op == M_ELEM_VALUE;
}

static bool eval_expr(const struct match *m, struct val doc, struct match_vars *vars)
{
    if (!vars->ectx) return false;
    vars->ectx->root = doc;
    struct val v = expr_eval(m->expr, vars->ectx);
    return !vars->ectx->err->code && expr_truthy(v);
}

/* `value`: `v` is the value itself and leaves without a path look at it. */
static bool eval(const struct match *m, struct val v, bool value, struct match_vars *vars)
{
    switch (m->op) {
    case M_AND:
        for (size_t i = 0; i < m->kid_count; i++)
            if (!eval(m->kids[i], v, value, vars)) return false;
        return true;
    case M_OR:
    case M_NOR:
        for (size_t i = 0; i < m->kid_count; i++)
            if (eval(m->kids[i], v, value, vars)) return m->op == M_OR;
        return m->op == M_NOR;
    case M_NOT: {
        struct match_vars inner = {.ectx = vars->ectx, .array_index = -1};
        return !eval(m->kids[0], v, value, &inner);
    }
    case M_TRUE:
        return true;
    case M_FALSE:
        return false;
    case M_EXPR:
        return eval_expr(m, v, vars);
    case M_SCHEMA:
        return schema_matches(m->schema, v);
    default:
        break;
    }
    struct leaf l = {m, vars};
    if (m->path)
        return path_visit(m->path, v, whole_array(m->op) ? PATH_LEAF_WHOLE : PATH_LEAF_ELEMENTS, visit_leaf,
                          &l);
    if (!value) return false;
    if (val_is_arr(v) && !whole_array(m->op)) {
        struct iter it;
        for (iter_init(&it, v); iter_next(&it);)
            if (leaf_matches(m, it.v, vars)) return true;
    }
    return leaf_matches(m, v, vars);
}

bool match_eval(const struct match *m, struct val doc, struct match_vars *vars)
{
    return eval(m, doc, false, vars);
}

bool match_eval_value(const struct match *m, struct val v, struct match_vars *vars)
{
    return eval(m, v, true, vars);
}
