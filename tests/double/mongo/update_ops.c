/* update_ops.c - what each update operator does to one field. Pure but for the log in struct apply. */
#include "text.h"
#include "update_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct val update_error(struct apply *ap, int code, const char *format, ...)
{
    char text[2048];
    va_list ap2;
    if (ap->c->err->code) return VAL_NONE;
    va_start(ap2, format);
    vsnprintf(text, sizeof text, format, ap2);
    va_end(ap2);
    merr_set(ap->c->err, code, "%s", text);
    return VAL_NONE;
}

void update_log_set(struct apply *ap, struct val v)
{
    if (!ap->insert) bw_putn(&ap->set, ap->path.data, ap->path.bytes, v);
}

static void log_unset(struct apply *ap)
{
    if (!ap->insert)
        bw_puti(&ap->unset, ap->unset_count++, val_new_str(ap->c->a, ap->path.data, ap->path.bytes));
}

/* Sets the field unless that changes nothing. */
static struct val store(struct apply *ap, struct val old, struct val v)
{
    if (val_same_bytes(old, v)) return old;
    if (!ap->c->err->code) update_log_set(ap, v);
    return v;
}

static const char *id_text(struct apply *ap)
{
    return text_field(ap->c->a, "_id", doc_get(ap->doc, "_id"));
}

/* Fields that begin with '$' are not stored, but for those of a DBRef. */
static bool storable(struct apply *ap, struct val v)
{
    struct iter it;
    for (iter_init(&it, v); iter_next(&it);) {
        if (val_is_doc(v) && it.key[0] == '$' && strcmp(it.key, "$ref") && strcmp(it.key, "$id") &&
            strcmp(it.key, "$db")) {
            update_error(
                ap, MERR_DOLLAR_PREFIXED,
                "The dollar ($) prefixed field '%.100s' in '%.500s.%.100s' is not valid for storage.", it.key,
                ap->path.data, it.key);
            return false;
        }
        if (!storable(ap, it.v)) return false;
    }
    return true;
}

static struct val increment(struct apply *ap, const struct unode *n, struct val old)
{
    if (val_missing(old)) {
        if (n->op == U_INC) return store(ap, old, n->arg);
        struct val zero = val_new_i32(ap->c->a, 0);
        return store(ap, old, expr_multiply(ap->c, n->arg, zero));
    }
    const char *name = n->op == U_INC ? "$inc" : "$mul";
    if (!val_is_num(old))
        return update_error(ap, MERR_TYPE_MISMATCH,
                            "Cannot apply %s to a value of non-numeric type. {%.500s} has the field '%.*s' "
                            "of non-numeric type %s",
                            name, id_text(ap), (int)n->n, n->name, val_type_name(old.t));
    struct val v = n->op == U_INC ? expr_add(ap->c, old, n->arg) : expr_multiply(ap->c, old, n->arg);
    if (val_is(v, BSON_TYPE_DOUBLE) && !val_is(old, BSON_TYPE_DOUBLE) && !val_is(n->arg, BSON_TYPE_DOUBLE))
        return update_error(
            ap, MERR_BAD_VALUE,
            "Failed to apply %s operations to current value ((NumberLong)%lld) for document {%.500s}", name,
            (long long)val_int(old), id_text(ap));
    return store(ap, old, v);
}

static struct val current_date(struct apply *ap, const struct unode *n, struct val old)
{
    if (val_str_is(val_is_doc(n->arg) ? doc_get(n->arg, "$type") : VAL_NONE, "timestamp")) {
        uint64_t ts = (uint64_t)(ap->c->now_ms / 1000) << 32 | 1;
        struct val v = val_new_i64(ap->c->a, (int64_t)(ap->c->cluster_time > ts ? ap->c->cluster_time : ts));
        v.t = BSON_TYPE_TIMESTAMP;
        return store(ap, old, v);
    }
    return store(ap, old, val_new_date(ap->c->a, ap->c->now_ms));
}

static struct val *elements(struct pool *a, struct val arr, size_t space, size_t *count)
{
    size_t n = doc_count(arr);
    struct val *v = pool_alloc(a, (n + space + 1) * sizeof *v);
    struct iter it;
    *count = 0;
    for (iter_init(&it, arr); iter_next(&it);) v[(*count)++] = it.v;
    return v;
}

static struct val array_of(struct pool *a, const struct val *v, size_t n)
{
    struct bw w;
    bw_init(&w, a);
    for (size_t i = 0; i < n; i++) bw_puti(&w, i, v[i]);
    struct val arr = bw_done(&w);
    arr.t = BSON_TYPE_ARRAY;
    return arr;
}

struct sort_item {
    struct val v;
    struct val spec;
    size_t at;
};

static int sort_cmp(const void *pa, const void *pb)
{
    const struct sort_item *a = pa, *b = pb;
    if (val_is_num(a->spec)) {
        int c = val_cmp(a->v, b->v) * (val_ldouble(a->spec) < 0 ? -1 : 1);
        return c ? c : (a->at > b->at) - (a->at < b->at);
    }
    struct iter it;
    for (iter_init(&it, a->spec); iter_next(&it);) {
        struct val x = doc_path(a->v, it.key), y = doc_path(b->v, it.key);
        int c = val_cmp(val_missing(x) ? val_null() : x, val_missing(y) ? val_null() : y);
        if (c) return val_ldouble(it.v) < 0 ? -c : c;
    }
    return (a->at > b->at) - (a->at < b->at);
}

static void sort_elements(struct pool *a, struct val spec, struct val *v, size_t n)
{
    struct sort_item *items = pool_alloc(a, (n + 1) * sizeof *items);
    for (size_t i = 0; i < n; i++) items[i] = (struct sort_item){v[i], spec, i};
    qsort(items, n, sizeof *items, sort_cmp);
    for (size_t i = 0; i < n; i++) v[i] = items[i].v;
}

/* Notes the appended elements one by one, as the server's oplog does. */
static void log_appended(struct apply *ap, const struct val *v, size_t from, size_t to)
{
    size_t len = ap->path.bytes;
    for (size_t i = from; i < to; i++) {
        buf_printf(&ap->path, ".%zu", i);
        update_log_set(ap, v[i]);
        ap->path.bytes = len;
        ap->path.data[len] = 0;
    }
}

static struct val push(struct apply *ap, const struct unode *n, struct val old)
{
    if (!val_missing(old) && !val_is_arr(old))
        return update_error(ap, MERR_BAD_VALUE,
                            "The field '%.500s' must be an array but is of type %s in document {%.500s}",
                            ap->path.data, val_type_name(old.t), id_text(ap));
    size_t add = val_missing(n->each) ? 1 : doc_count(n->each), have, count;
    struct val *v = elements(ap->c->a, old, add, &have);
    size_t at = have;
    if (n->has_position) {
        if (n->position >= 0) {
            at = (uint64_t)n->position < have ? (size_t)n->position : have;
        } else {
            at = (uint64_t)-n->position < have ? have - (size_t)-n->position : 0;
        }
    }
    memmove(v + at + add, v + at, (have - at) * sizeof *v);
    if (val_missing(n->each)) {
        v[at] = n->arg;
    } else {
        struct iter it;
        size_t i = at;
        for (iter_init(&it, n->each); iter_next(&it);) v[i++] = it.v;
    }
    count = have + add;
    if (!val_missing(n->sort)) sort_elements(ap->c->a, n->sort, v, count);
    struct val *first = v;
    if (n->has_slice && n->slice >= 0 && (uint64_t)n->slice < count) {
        count = (size_t)n->slice;
    } else if (n->has_slice && n->slice < 0 && (uint64_t)-n->slice < count) {
        first = v + (count - (size_t)-n->slice);
        count = (size_t)-n->slice;
    }
    struct val arr = array_of(ap->c->a, first, count);
    if (val_same_bytes(arr, old)) return old;
    if (val_is_arr(old) && at == have && !n->has_slice && val_missing(n->sort)) {
        log_appended(ap, v, have, count);
    } else {
        update_log_set(ap, arr);
    }
    return arr;
}

static bool pulls(struct apply *ap, const struct unode *n, struct val v)
{
    struct match_vars vars = {.ectx = ap->c, .array_index = -1};
    if (n->op == U_PULL) {
        if (n->match_doc) return val_is_doc(v) && match_eval(n->match, v, &vars);
        return match_eval_value(n->match, v, &vars);
    }
    struct iter it;
    for (iter_init(&it, n->arg); iter_next(&it);)
        if (val_cmp(it.v, v) == 0) return true;
    return false;
}

static struct val pull(struct apply *ap, const struct unode *n, struct val old)
{
    if (val_missing(old)) return old;
    if (!val_is_arr(old))
        return update_error(ap, MERR_BAD_VALUE, "Cannot apply %s to a non-array value",
                            n->op == U_PULL ? "$pull" : "$pullAll");
    size_t have, keep = 0;
    struct val *v = elements(ap->c->a, old, 0, &have);
    for (size_t i = 0; i < have; i++)
        if (!pulls(ap, n, v[i])) v[keep++] = v[i];
    return keep == have ? old : store(ap, old, array_of(ap->c->a, v, keep));
}

static bool is_in(const struct val *v, size_t n, struct val x)
{
    for (size_t i = 0; i < n; i++)
        if (val_cmp(v[i], x) == 0) return true;
    return false;
}

static struct val add_to_set(struct apply *ap, const struct unode *n, struct val old)
{
    if (!val_missing(old) && !val_is_arr(old))
        return update_error(
            ap, MERR_BAD_VALUE,
            "Cannot apply $addToSet to non-array field. Field named '%.*s' has non-array type %s", (int)n->n,
            n->name, val_type_name(old.t));
    size_t have, count, add = val_missing(n->each) ? 1 : doc_count(n->each);
    struct val *v = elements(ap->c->a, old, add, &have);
    count = have;
    if (val_missing(n->each)) {
        if (!is_in(v, count, n->arg)) v[count++] = n->arg;
    } else {
        struct iter it;
        for (iter_init(&it, n->each); iter_next(&it);)
            if (!is_in(v, count, it.v)) v[count++] = it.v;
    }
    if (count == have && !val_missing(old)) return old;
    return store(ap, old, array_of(ap->c->a, v, count));
}

static struct val pop(struct apply *ap, const struct unode *n, struct val old)
{
    if (val_missing(old)) return old;
    if (!val_is_arr(old))
        return update_error(ap, MERR_TYPE_MISMATCH,
                            "Path '%.500s' contains an element of non-array type '%s'", ap->path.data,
                            val_type_name(old.t));
    size_t have;
    struct val *v = elements(ap->c->a, old, 0, &have);
    if (!have) return old;
    return store(ap, old, array_of(ap->c->a, val_int(n->arg) < 0 ? v + 1 : v, have - 1));
}

static struct val bits(struct apply *ap, const struct unode *n, struct val old)
{
    if (!val_missing(old) && !val_is(old, BSON_TYPE_INT32) && !val_is(old, BSON_TYPE_INT64))
        return update_error(ap, MERR_BAD_VALUE,
                            "Cannot apply $bit to a value of non-integral type.{%.500s} has the field %.*s "
                            "of non-integer type %s",
                            id_text(ap), (int)n->n, n->name, val_type_name(old.t));
    int64_t x = val_int(old);
    bool wide = val_is(old, BSON_TYPE_INT64);
    struct iter it;
    for (iter_init(&it, n->arg); iter_next(&it);) {
        if (!val_is(it.v, BSON_TYPE_INT32) && !val_is(it.v, BSON_TYPE_INT64))
            return update_error(
                ap, MERR_BAD_VALUE,
                "The $bit modifier field must be an Integer(32/64 bit); a '%s' is not supported here",
                val_type_name(it.v.t));
        wide |= val_is(it.v, BSON_TYPE_INT64);
        if (!strcmp(it.key, "and")) {
            x &= val_int(it.v);
        } else if (!strcmp(it.key, "or")) {
            x |= val_int(it.v);
        } else if (!strcmp(it.key, "xor")) {
            x ^= val_int(it.v);
        } else {
            return update_error(ap, MERR_BAD_VALUE,
                                "The $bit modifier only supports 'and', 'or', and 'xor', not '%.100s'",
                                it.key);
        }
    }
    return store(ap, old, wide ? val_new_i64(ap->c->a, x) : val_new_i32(ap->c->a, (int32_t)x));
}

static struct val renamed(struct apply *ap, const struct unode *n, struct val old)
{
    struct val v = ap->doc;
    for (uint32_t i = 0; i < n->from->n && val_is_doc(v); i++) {
        v = doc_getn(v, n->from->pieces[i].s, n->from->pieces[i].n);
        if (i + 1 < n->from->n && val_is_arr(v))
            return update_error(ap, MERR_BAD_VALUE,
                                "The source field cannot be an array element, '%.300s' in doc with {%.300s} "
                                "has an array field called '%.*s'",
                                n->from->text, id_text(ap), (int)n->from->pieces[i].n, n->from->pieces[i].s);
        if (i + 1 < n->from->n && !val_is_doc(v)) return old;
    }
    return val_missing(v) ? old : store(ap, old, v);
}

struct val update_leaf(struct apply *ap, const struct unode *n, struct val old)
{
    int c;
    switch (n->op) {
    case U_SET:
        return storable(ap, n->arg) ? store(ap, old, n->arg) : VAL_NONE;
    case U_SET_ON_INSERT:
        return ap->insert ? n->arg : old;
    case U_UNSET:
    case U_RENAME_FROM:
        if (!val_missing(old)) log_unset(ap);
        return VAL_NONE;
    case U_RENAME_TO:
        return renamed(ap, n, old);
    case U_INC:
    case U_MUL:
        return increment(ap, n, old);
    case U_MIN:
    case U_MAX:
        c = val_missing(old) ? 0 : val_cmp(n->arg, old);
        return val_missing(old) || (n->op == U_MIN ? c < 0 : c > 0) ? store(ap, old, n->arg) : old;
    case U_CURRENT_DATE:
        return current_date(ap, n, old);
    case U_PUSH:
        return push(ap, n, old);
    case U_PULL:
    case U_PULL_ALL:
        return pull(ap, n, old);
    case U_ADD_TO_SET:
        return add_to_set(ap, n, old);
    case U_POP:
        return pop(ap, n, old);
    case U_BIT:
        return bits(ap, n, old);
    default:
        return old;
    }
}
