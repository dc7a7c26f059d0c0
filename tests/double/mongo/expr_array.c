/* expr_array.c - operators on arrays. Pure. */
#include "expr_int.h"

static struct val as_array(struct bw *w)
{
    struct val v = bw_done(w);
    v.t = BSON_TYPE_ARRAY;
    return v;
}

static struct val element_at(const struct expr *e, struct ectx *c)
{
    struct val arr = expr_arg(e, 0, c), index = expr_arg(e, 1, c);
    if (val_nullish(arr) || val_nullish(index)) return val_null();
    if (!val_is_arr(arr))
        return expr_error(c, 28689, "$arrayElemAt's first argument must be an array, but is %s",
                          val_type_name(arr.t));
    if (!val_is_num(index))
        return expr_error(c, 28690, "$arrayElemAt's second argument must be a numeric value, but is %s",
                          val_type_name(index.t));
    if (!val_is_integral(index))
        return expr_error(c, 28691,
                          "$arrayElemAt's second argument must be representable as a 32-bit integer: %g",
                          val_double(index));
    int64_t n = (int64_t)doc_count(arr), i = val_int(index);
    if (i < 0) i += n;
    return i < 0 || i >= n ? VAL_NONE : arr_get(arr, (size_t)i);
}

static struct val first_last(const struct expr *e, struct ectx *c)
{
    struct val arr = expr_arg(e, 0, c);
    if (val_nullish(arr)) return val_null();
    if (!val_is_arr(arr))
        return expr_error(c, 28689, "%s's argument must be an array, but is %s", e->name,
                          val_type_name(arr.t));
    size_t n = doc_count(arr);
    return n ? arr_get(arr, e->code ? n - 1 : 0) : VAL_NONE;
}

static struct val concat_arrays(const struct expr *e, struct ectx *c)
{
    struct bw w;
    size_t n = 0;
    bw_init(&w, c->a);
    for (size_t i = 0; i < e->arg_count; i++) {
        struct val v = expr_arg(e, i, c);
        if (expr_failed(c)) return VAL_NONE;
        if (val_nullish(v)) return val_null();
        if (!val_is_arr(v))
            return expr_error(c, 28664, "$concatArrays only supports arrays, not %s", val_type_name(v.t));
        struct iter it;
        for (iter_init(&it, v); iter_next(&it);) bw_puti(&w, n++, it.v);
    }
    return as_array(&w);
}

static struct val filter(const struct expr *e, struct ectx *c)
{
    struct val input = expr_arg(e, 0, c);
    if (val_nullish(input)) return val_null();
    if (!val_is_arr(input))
        return expr_error(c, 28651, "input to $filter must be an array not %s", val_type_name(input.t));
    struct bw w;
    struct iter it;
    size_t n = 0;
    bw_init(&w, c->a);
    for (iter_init(&it, input); iter_next(&it) && !expr_failed(c);) {
        c->vars[e->slots[0]] = it.v;
        if (expr_truthy(expr_arg(e, 1, c))) bw_puti(&w, n++, it.v);
    }
    return as_array(&w);
}

static struct val map(const struct expr *e, struct ectx *c)
{
    struct val input = expr_arg(e, 0, c);
    if (val_nullish(input)) return val_null();
    if (!val_is_arr(input))
        return expr_error(c, 16883, "input to $map must be an array not %s", val_type_name(input.t));
    struct bw w;
    struct iter it;
    size_t n = 0;
    bw_init(&w, c->a);
    for (iter_init(&it, input); iter_next(&it) && !expr_failed(c);) {
        c->vars[e->slots[0]] = it.v;
        struct val v = expr_arg(e, 1, c);
        bw_puti(&w, n++, val_missing(v) ? val_null() : v);
    }
    return as_array(&w);
}

static struct val reduce(const struct expr *e, struct ectx *c)
{
    struct val input = expr_arg(e, 0, c);
    if (val_nullish(input)) return val_null();
    if (!val_is_arr(input))
        return expr_error(c, 40080, "$reduce requires that 'input' be an array, found: %s",
                          val_type_name(input.t));
    struct val so_far = expr_arg(e, 1, c);
    struct iter it;
    for (iter_init(&it, input); iter_next(&it) && !expr_failed(c);) {
        c->vars[e->slots[0]] = it.v;
        c->vars[e->slots[1]] = so_far;
        so_far = expr_arg(e, 2, c);
    }
    return so_far;
}

static struct val in(const struct expr *e, struct ectx *c)
{
    struct val v = expr_arg(e, 0, c), arr = expr_arg(e, 1, c);
    if (expr_failed(c)) return VAL_NONE;
    if (!val_is_arr(arr))
        return expr_error(c, 40081, "$in requires an array as a second argument, found: %s",
                          val_type_name(arr.t));
    struct iter it;
    for (iter_init(&it, arr); iter_next(&it);)
        if (val_cmp(it.v, v) == 0) return val_bool(true);
    return val_bool(false);
}

static struct val index_of(const struct expr *e, struct ectx *c)
{
    struct val arr = expr_arg(e, 0, c), v = expr_arg(e, 1, c), from = expr_arg(e, 2, c),
               to = expr_arg(e, 3, c);
    if (val_nullish(arr)) return val_null();
    if (!val_is_arr(arr))
        return expr_error(c, 40090, "$indexOfArray requires an array as a first argument, found: %s",
                          val_type_name(arr.t));
    struct iter it;
    int64_t i = 0, begin = val_int(from), end = val_missing(to) ? INT64_MAX : val_int(to);
    for (iter_init(&it, arr); iter_next(&it); i++)
        if (i >= begin && i < end && val_cmp(it.v, v) == 0) return val_new_int(c->a, i);
    return val_new_i32(c->a, -1);
}

static struct val is_array(const struct expr *e, struct ectx *c)
{
    return val_bool(val_is_arr(expr_arg(e, 0, c)));
}

static struct val size(const struct expr *e, struct ectx *c)
{
    struct val v = expr_arg(e, 0, c);
    if (expr_failed(c)) return VAL_NONE;
    if (!val_is_arr(v))
        return expr_error(c, 17124, "The argument to $size must be an array, but was of type: %s",
                          val_type_name(v.t));
    return val_new_int(c->a, (int64_t)doc_count(v));
}

static struct val object_to_array(const struct expr *e, struct ectx *c)
{
    struct val v = expr_arg(e, 0, c);
    if (val_nullish(v)) return val_null();
    if (!val_is_doc(v))
        return expr_error(c, 40390, "$objectToArray requires a document input, found: %s",
                          val_type_name(v.t));
    struct bw w;
    struct iter it;
    size_t n = 0;
    bw_init(&w, c->a);
    for (iter_init(&it, v); iter_next(&it);) {
        char buf[12];
        size_t len;
        const char *key = index_key(buf, n++, &len);
        bw_docn(&w, key, len);
        bw_strn(&w, "k", it.key, it.keylen);
        bw_put(&w, "v", it.v);
        bw_end(&w);
    }
    return as_array(&w);
}

static bool pair_of(struct val item, struct val *k, struct val *v)
{
    if (val_is_arr(item)) {
        *k = arr_get(item, 0);
        *v = arr_get(item, 1);
        return doc_count(item) == 2 && val_is_str(*k);
    }
    *k = doc_get(item, "k");
    *v = doc_get(item, "v");
    return val_is_doc(item) && doc_count(item) == 2 && val_is_str(*k) && !val_missing(*v);
}

static struct val array_to_object(const struct expr *e, struct ectx *c)
{
    struct val arr = expr_arg(e, 0, c);
    if (val_nullish(arr)) return val_null();
    if (!val_is_arr(arr))
        return expr_error(c, 40386, "$arrayToObject requires an array input, found: %s",
                          val_type_name(arr.t));
    struct bw w;
    struct iter it, later;
    bw_init(&w, c->a);
    for (iter_init(&it, arr); iter_next(&it);) {
        struct val k, v, k2, v2;
        if (!pair_of(it.v, &k, &v))
            return expr_error(
                c, 40398, "$arrayToObject requires an array of key-value pairs, where each has a string key");
        if (memchr(val_str(k), 0, val_strlen(k)))
            return expr_error(c, 4940400, "Key field cannot contain an embedded null byte");
        /* the last of equal keys wins, at the place of the first */
        bool seen = false;
        for (iter_init(&later, arr); iter_next(&later) && later.v.p != it.v.p && !seen;)
            seen = pair_of(later.v, &k2, &v2) && val_same_bytes(k2, k);
        if (seen) continue;
        for (later = it; iter_next(&later);)
            if (pair_of(later.v, &k2, &v2) && val_same_bytes(k2, k)) v = v2;
        bw_putn(&w, val_str(k), val_strlen(k), v);
    }
    return bw_done(&w);
}

static struct val range(const struct expr *e, struct ectx *c)
{
    struct val a = expr_arg(e, 0, c), b = expr_arg(e, 1, c), s = expr_arg(e, 2, c);
    if (expr_failed(c)) return VAL_NONE;
    if (!val_is_integral(a) || !val_is_integral(b) || (!val_missing(s) && !val_is_integral(s)))
        return expr_error(c, 34443, "$range requires numeric arguments that are 32-bit integers");
    int64_t from = val_int(a), to = val_int(b), step = val_missing(s) ? 1 : val_int(s);
    if (!step) return expr_error(c, 34449, "$range requires a non-zero step value");
    if ((to - from) / step > 1000000)
        return expr_error(c, MERR_NOT_IMPLEMENTED, "$range is too long for the stand-in");
    struct bw w;
    size_t n = 0;
    bw_init(&w, c->a);
    for (int64_t i = from; step > 0 ? i < to : i > to; i += step) bw_puti(&w, n++, val_new_int(c->a, i));
    return as_array(&w);
}

static struct val reverse(const struct expr *e, struct ectx *c)
{
    struct val arr = expr_arg(e, 0, c);
    if (val_nullish(arr)) return val_null();
    if (!val_is_arr(arr))
        return expr_error(c, 34435, "The argument to $reverseArray must be an array, but was of type: %s",
                          val_type_name(arr.t));
    size_t n = doc_count(arr), i = n;
    struct val *all = pool_alloc(c->a, (n + 1) * sizeof *all);
    struct iter it;
    for (iter_init(&it, arr); iter_next(&it);) all[--i] = it.v;
    struct bw w;
    bw_init(&w, c->a);
    for (i = 0; i < n; i++) bw_puti(&w, i, all[i]);
    return as_array(&w);
}

static struct val slice(const struct expr *e, struct ectx *c)
{
    struct val arr = expr_arg(e, 0, c), a = expr_arg(e, 1, c), b = expr_arg(e, 2, c);
    if (val_nullish(arr) || val_nullish(a) || (e->arg_count == 3 && val_nullish(b))) return val_null();
    if (!val_is_arr(arr))
        return expr_error(c, 28724, "First argument to $slice must be an array, but is of type: %s",
                          val_type_name(arr.t));
    if (!val_is_num(a) || (e->arg_count == 3 && !val_is_num(b)))
        return expr_error(c, 28725, "Second argument to $slice must be a numeric value, but is of type: %s",
                          val_type_name(a.t));
    int64_t n = (int64_t)doc_count(arr), skip = 0, take = val_int(a);
    if (e->arg_count == 3) {
        skip = val_int(a);
        take = val_int(b);
        if (take <= 0)
            return expr_error(c, 28729, "Third argument to $slice must be positive: %lld", (long long)take);
        if (skip < 0) skip = skip < -n ? 0 : n + skip;
    } else if (take < 0) {
        skip = take < -n ? 0 : n + take;
        take = n;
    }
    struct bw w;
    struct iter it;
    int64_t i = 0;
    size_t out = 0;
    bw_init(&w, c->a);
    for (iter_init(&it, arr); iter_next(&it); i++)
        if (i >= skip && (int64_t)out < take) bw_puti(&w, out++, it.v);
    return as_array(&w);
}

static struct val zip(const struct expr *e, struct ectx *c)
{
    struct val inputs = expr_arg(e, 0, c), longest = expr_arg(e, 1, c);
    if (!val_is_arr(inputs)) return expr_error(c, 34461, "inputs must be an array of expressions");
    size_t rows = expr_truthy(longest) ? 0 : SIZE_MAX;
    struct iter it;
    for (iter_init(&it, inputs); iter_next(&it);) {
        if (val_nullish(it.v)) return val_null();
        if (!val_is_arr(it.v))
            return expr_error(c, 34468, "$zip found a non-array expression in input: %s",
                              val_type_name(it.v.t));
        size_t n = doc_count(it.v);
        if (expr_truthy(longest) ? n > rows : n < rows) rows = n;
    }
    struct bw w;
    bw_init(&w, c->a);
    for (size_t r = 0; r < (rows == SIZE_MAX ? 0 : rows); r++) {
        char buf[12];
        size_t len, col = 0;
        const char *key = index_key(buf, r, &len);
        bw_arrn(&w, key, len);
        for (iter_init(&it, inputs); iter_next(&it);) {
            struct val v = arr_get(it.v, r);
            bw_puti(&w, col++, val_missing(v) ? val_null() : v);
        }
        bw_end(&w);
    }
    return as_array(&w);
}

static const char *const filter_names[] = {"input", "cond", NULL};
static const char *const map_names[] = {"input", "in", NULL};
static const char *const reduce_names[] = {"input", "initialValue", "in", NULL};
static const char *const zip_names[] = {"inputs", "useLongestLength", NULL};

const struct expr_op expr_ops_array[] = {
    {"$arrayElemAt", element_at, 0, 2, 2, NULL, 0},
    {"$first", first_last, 0, 1, 1, NULL, 0},
    {"$last", first_last, 1, 1, 1, NULL, 0},
    {"$concatArrays", concat_arrays, 0, 0, -1, NULL, 0},
    {"$filter", filter, 0, 0, 0, filter_names, 2},
    {"$map", map, 0, 0, 0, map_names, 2},
    {"$reduce", reduce, 0, 0, 0, reduce_names, 3},
    {"$zip", zip, 0, 0, 0, zip_names, 1},
    {"$in", in, 0, 2, 2, NULL, 0},
    {"$indexOfArray", index_of, 0, 2, 4, NULL, 0},
    {"$isArray", is_array, 0, 1, 1, NULL, 0},
    {"$size", size, 0, 1, 1, NULL, 0},
    {"$objectToArray", object_to_array, 0, 1, 1, NULL, 0},
    {"$arrayToObject", array_to_object, 0, 1, 1, NULL, 0},
    {"$range", range, 0, 2, 3, NULL, 0},
    {"$reverseArray", reverse, 0, 1, 1, NULL, 0},
    {"$slice", slice, 0, 2, 3, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};
