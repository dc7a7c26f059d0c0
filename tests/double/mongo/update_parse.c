/* update_parse.c - parses update documents, with the server's complaints. Pure. */
#include "text.h"
#include "update_int.h"

struct parser {
    struct pool *a;
    struct merr *err;
    struct update *u;
};

static const struct {
    const char *name;
    enum update_op op;
} operators[] = {{"$set", U_SET},          {"$setOnInsert", U_SET_ON_INSERT},
                 {"$unset", U_UNSET},      {"$inc", U_INC},
                 {"$mul", U_MUL},          {"$min", U_MIN},
                 {"$max", U_MAX},          {"$currentDate", U_CURRENT_DATE},
                 {"$push", U_PUSH},        {"$pull", U_PULL},
                 {"$pullAll", U_PULL_ALL}, {"$addToSet", U_ADD_TO_SET},
                 {"$pop", U_POP},          {"$bit", U_BIT},
                 {"$rename", U_RENAME_TO}};

static int cmp_name(const struct unode *k, const char *name, size_t n)
{
    size_t m = k->n < n ? k->n : n;
    int c = memcmp(k->name, name, m);
    return c ? c : (k->n > n) - (k->n < n);
}

/* The child with that name, made if missing; children stay sorted, as the server applies them. */
static struct unode *kid(struct parser *p, struct unode *f, const char *name, uint32_t n, bool *made)
{
    size_t lo = 0, hi = f->kid_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = cmp_name(f->kids[mid], name, n);
        if (c == 0) return *made = false, f->kids[mid];
        if (c < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (f->kid_count == f->kid_cap) {
        size_t cap = f->kid_cap ? f->kid_cap * 2 : 4;
        struct unode **kids = pool_alloc(p->a, cap * sizeof *kids);
        if (f->kid_count) memcpy(kids, f->kids, f->kid_count * sizeof *kids);
        f->kids = kids;
        f->kid_cap = cap;
    }
    memmove(f->kids + lo + 1, f->kids + lo, (f->kid_count - lo) * sizeof *f->kids);
    struct unode *k = pool_alloc(p->a, sizeof *k);
    memset(k, 0, sizeof *k);
    k->name = name;
    k->n = n;
    f->kids[lo] = k;
    f->kid_count++;
    return *made = true, k;
}

static int place(struct parser *p, const char *text, size_t len, struct unode **out)
{
    if (!len) return merr_set(p->err, MERR_EMPTY_FIELD_NAME, "An empty update path is not valid.");
    struct path *path = path_parse(p->a, text, len);
    if (!path) return merr_set(p->err, MERR_OVERFLOW, "FieldPath is too long");
    struct unode *f = &p->u->root;
    for (uint32_t i = 0; i < path->n; i++) {
        const struct piece *q = &path->pieces[i];
        bool made;
        if (!q->n)
            return merr_set(p->err, MERR_EMPTY_FIELD_NAME,
                            "The update path '%s' contains an empty field name, which is not allowed.",
                            path->text);
        if (q->s[0] == '$' && i == 0)
            return q->n == 1 || q->s[1] == '['
                       ? merr_set(p->err, MERR_BAD_VALUE,
                                  q->n == 1 ? "Cannot have positional (i.e. '$') element in the first "
                                              "position in path '%s'"
                                            : "Cannot have array filter identifier (i.e. '$[<id>]') element "
                                              "in the first position in path '%s'",
                                  path->text)
                       : merr_set(p->err, MERR_DOLLAR_PREFIXED,
                                  "The dollar ($) prefixed field '%.*s' in '%s' is not valid for storage.",
                                  (int)q->n, q->s, path->text);
        f = kid(p, f, q->s, q->n, &made);
        bool last = i + 1 == path->n;
        if (!made && (last || f->op != U_TREE)) {
            size_t upto = (size_t)(q->s + q->n - path->pieces[0].s);
            return merr_set(p->err, MERR_CONFLICTING_UPDATE,
                            "Updating the path '%s' would create a conflict at '%.*s'", path->text, (int)upto,
                            path->text);
        }
    }
    f->path = path->text;
    *out = f;
    return 0;
}

static int parse_push(struct parser *p, struct unode *f, struct val arg)
{
    struct val each = val_is_doc(arg) ? doc_get(arg, "$each") : VAL_NONE;
    if (val_missing(each)) return 0;
    struct iter it;
    for (iter_init(&it, arg); iter_next(&it);) {
        if (!strcmp(it.key, "$each")) {
            if (!val_is_arr(it.v))
                return merr_set(p->err, MERR_BAD_VALUE,
                                "The argument to $each in $push must be an array but it was of type: %s",
                                val_type_name(it.v.t));
            f->each = it.v;
        } else if (!strcmp(it.key, "$slice")) {
            if (!val_is_integral(it.v))
                return merr_set(p->err, MERR_BAD_VALUE,
                                "The value for $slice must be an integer value but was given type: %s",
                                val_type_name(it.v.t));
            f->has_slice = true;
            f->slice = val_int(it.v);
        } else if (!strcmp(it.key, "$position")) {
            if (!val_is_integral(it.v))
                return merr_set(p->err, MERR_BAD_VALUE,
                                "The value for $position must be an integer value, not of type: %s",
                                val_type_name(it.v.t));
            f->has_position = true;
            f->position = val_int(it.v);
        } else if (!strcmp(it.key, "$sort")) {
            if (!val_is_num(it.v) && !val_is_doc(it.v))
                return merr_set(p->err, MERR_BAD_VALUE,
                                "The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} "
                                "to sort embedded fields");
            f->sort = it.v;
        } else {
            return merr_set(p->err, MERR_BAD_VALUE, "Unrecognized clause in $push: %s", it.key);
        }
    }
    return 0;
}

static int parse_add_to_set(struct parser *p, struct unode *f, struct val arg)
{
    struct iter it;
    iter_init(&it, arg);
    if (!val_is_doc(arg) || !iter_next(&it) || strcmp(it.key, "$each") != 0) return 0;
    if (!val_is_arr(it.v))
        return merr_set(p->err, MERR_TYPE_MISMATCH,
                        "The argument to $each in $addToSet must be an array but it was of type %s",
                        val_type_name(it.v.t));
    f->each = it.v;
    return iter_next(&it)
               ? merr_set(p->err, MERR_BAD_VALUE, "Found unexpected fields after $each in $addToSet: %s",
                          text_of(p->a, arg, TEXT_BSON))
               : 0;
}

static int parse_rename(struct parser *p, const struct iter *it)
{
    struct unode *from, *to;
    if (!val_is_str(it->v))
        return merr_set(p->err, MERR_BAD_VALUE, "The 'to' field for $rename must be a string: %s",
                        text_field(p->a, it->key, it->v));
    if (val_strlen(it->v) == it->keylen && memcmp(val_str(it->v), it->key, it->keylen) == 0)
        return merr_set(p->err, MERR_BAD_VALUE, "The source and target field for $rename must differ: %s",
                        text_field(p->a, it->key, it->v));
    if (place(p, it->key, it->keylen, &from) || place(p, val_str(it->v), val_strlen(it->v), &to))
        return p->err->code;
    from->op = U_RENAME_FROM;
    to->op = U_RENAME_TO;
    from->from = to->from = path_parse(p->a, it->key, it->keylen);
    return 0;
}

static int check_argument(struct parser *p, struct unode *f, const struct iter *it)
{
    switch (f->op) {
    case U_INC:
    case U_MUL:
        if (!val_is_num(it->v))
            return merr_set(p->err, MERR_TYPE_MISMATCH, "Cannot %s with non-numeric argument: {%s}",
                            f->op == U_INC ? "increment" : "multiply", text_field(p->a, it->key, it->v));
        return 0;
    case U_CURRENT_DATE: {
        struct val type = val_is_doc(it->v) ? doc_get(it->v, "$type") : VAL_NONE;
        if (val_is(it->v, BSON_TYPE_BOOL) || val_str_is(type, "date") || val_str_is(type, "timestamp"))
            return 0;
        return merr_set(p->err, MERR_BAD_VALUE,
                        "%s is not valid type for $currentDate. Please use a boolean ('true') or a $type "
                        "expression ({$type: 'timestamp/date'}).",
                        val_type_name(it->v.t));
    }
    case U_PUSH:
        return parse_push(p, f, it->v);
    case U_ADD_TO_SET:
        return parse_add_to_set(p, f, it->v);
    case U_PULL:
        f->match_doc = val_is_doc(it->v) && !match_is_operators(it->v);
        return f->match_doc ? match_parse(p->a, it->v, NULL, &f->match, p->err)
                            : match_parse_value(p->a, it->v, NULL, &f->match, p->err);
    case U_PULL_ALL:
        if (!val_is_arr(it->v))
            return merr_set(p->err, MERR_BAD_VALUE, "$pullAll requires an array argument but was given a %s",
                            val_type_name(it->v.t));
        return 0;
    case U_POP:
        if (!val_is_integral(it->v) || (val_int(it->v) != 1 && val_int(it->v) != -1))
            return merr_set(p->err, MERR_FAILED_TO_PARSE, "$pop expects 1 or -1, found: %s",
                            text_of(p->a, it->v, TEXT_BSON));
        return 0;
    case U_BIT:
        if (!val_is_doc(it->v) || doc_is_empty(it->v))
            return merr_set(p->err, MERR_BAD_VALUE,
                            "The $bit modifier is not compatible with a %s. You must pass in an embedded "
                            "document: {$bit: {field: {and/or/xor: #}}",
                            val_type_name(it->v.t));
        return 0;
    default:
        return 0;
    }
}

static int parse_operator(struct parser *p, const char *name, struct val spec)
{
    enum update_op op = U_TREE;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (!strcmp(operators[i].name, name)) op = operators[i].op;
    if (op == U_TREE)
        return merr_set(p->err, MERR_FAILED_TO_PARSE,
                        "Unknown modifier: %s. Expected a valid update modifier or pipeline-style update "
                        "specified as an array",
                        name);
    if (!val_is_doc(spec))
        return merr_set(p->err, MERR_FAILED_TO_PARSE,
                        "Modifiers operate on fields but we found type %s instead. For example: {$mod: "
                        "{<field>: ...}} not {%s}",
                        val_type_name(spec.t), text_field(p->a, name, spec));
    if (doc_is_empty(spec))
        return merr_set(p->err, MERR_FAILED_TO_PARSE,
                        "'%s' is empty. You must specify a field like so: {%s: {<field>: ...}}", name, name);
    struct iter it;
    for (iter_init(&it, spec); iter_next(&it);) {
        struct unode *f;
        if (op == U_RENAME_TO) {
            if (parse_rename(p, &it)) return p->err->code;
            continue;
        }
        if (place(p, it.key, it.keylen, &f)) return p->err->code;
        f->op = op;
        f->arg = it.v;
        if (check_argument(p, f, &it)) return p->err->code;
    }
    return 0;
}

/* {"o.k": 2, "o.v": 3} filters by the identifier before the dots; the rest is a filter on the element. */
static int parse_array_filter(struct parser *p, struct val spec)
{
    struct array_filter *f = &p->u->filters[p->u->filter_count];
    struct bw w;
    struct iter it;
    bool whole = false;
    f->name = NULL;
    bw_init(&w, p->a);
    for (iter_init(&it, spec); iter_next(&it);) {
        const char *dot = memchr(it.key, '.', it.keylen);
        uint32_t n = dot ? (uint32_t)(dot - it.key) : it.keylen;
        if (it.key[0] == '$')
            return merr_set(p->err, MERR_NOT_IMPLEMENTED,
                            "the stand-in does not know %s at the top of an array filter", it.key);
        if (f->name && (f->n != n || memcmp(f->name, it.key, n)))
            return merr_set(p->err, MERR_FAILED_TO_PARSE,
                            "Error parsing array filter :: caused by :: Expected a single top-level field "
                            "name, found '%.*s' and '%.*s'",
                            (int)f->n, f->name, (int)n, it.key);
        f->name = it.key;
        f->n = n;
        whole = !dot;
        if (whole) {
            if (match_parse_value(p->a, it.v, NULL, &f->match, p->err)) return p->err->code;
        } else {
            bw_putn(&w, dot + 1, it.keylen - n - 1, it.v);
        }
    }
    if (!f->name)
        return merr_set(p->err, MERR_FAILED_TO_PARSE,
                        "Cannot use an expression without a top-level field name in arrayFilters");
    for (size_t i = 0; i < p->u->filter_count; i++)
        if (p->u->filters[i].n == f->n && !memcmp(p->u->filters[i].name, f->name, f->n))
            return merr_set(p->err, MERR_FAILED_TO_PARSE,
                            "Found multiple array filters with the same top-level field name %.*s", (int)f->n,
                            f->name);
    p->u->filter_count++;
    return whole ? 0 : match_parse(p->a, bw_done(&w), NULL, &f->match, p->err);
}

static int check_identifiers(struct parser *p, const struct unode *f, bool *used)
{
    if (f->n > 3 && f->name[0] == '$' && f->name[1] == '[' && f->name[f->n - 1] == ']') {
        bool found = false;
        for (size_t i = 0; i < p->u->filter_count; i++)
            if (p->u->filters[i].n == f->n - 3 && !memcmp(p->u->filters[i].name, f->name + 2, f->n - 3))
                found = used[i] = true;
        if (!found)
            return merr_set(p->err, MERR_BAD_VALUE,
                            "No array filter found for identifier '%.*s' in path '%s'", (int)f->n - 3,
                            f->name + 2, f->path ? f->path : "");
    }
    for (size_t i = 0; i < f->kid_count; i++)
        if (check_identifiers(p, f->kids[i], used)) return p->err->code;
    return 0;
}

static int parse_modifiers(struct parser *p, struct val spec, struct val array_filters)
{
    struct iter it;
    for (iter_init(&it, spec); iter_next(&it);)
        if (parse_operator(p, it.key, it.v)) return p->err->code;
    p->u->filters = pool_alloc(p->a, (doc_count(array_filters) + 1) * sizeof *p->u->filters);
    for (iter_init(&it, array_filters); iter_next(&it);)
        if (parse_array_filter(p, it.v)) return p->err->code;
    bool *used = pool_alloc(p->a, p->u->filter_count + 1);
    memset(used, 0, p->u->filter_count + 1);
    if (check_identifiers(p, &p->u->root, used)) return p->err->code;
    for (size_t i = 0; i < p->u->filter_count; i++)
        if (!used[i])
            return merr_set(p->err, MERR_FAILED_TO_PARSE,
                            "The array filter for identifier '%.*s' was not used in the update %s",
                            (int)p->u->filters[i].n, p->u->filters[i].name, text_of(p->a, spec, TEXT_BSON));
    return 0;
}

int update_parse(struct pool *a, struct val spec, struct val array_filters, struct update **out,
                 struct merr *err)
{
    struct update *u = pool_alloc(a, sizeof *u);
    memset(u, 0, sizeof *u);
    struct parser p = {a, err, u};
    *out = u;
    if (val_is_arr(spec)) {
        u->kind = UPDATE_PIPELINE;
        if (!val_missing(array_filters))
            return merr_set(err, MERR_FAILED_TO_PARSE,
                            "arrayFilters may not be specified for pipeline-syle updates");
        return pipeline_parse_update(a, spec, &u->pipeline, err);
    }
    struct iter it;
    iter_init(&it, spec);
    if (iter_next(&it) && it.key[0] == '$') {
        u->kind = UPDATE_MODIFY;
        return parse_modifiers(&p, spec, array_filters);
    }
    u->kind = UPDATE_REPLACE;
    u->replacement = spec;
    for (iter_init(&it, spec); iter_next(&it);)
        if (it.key[0] == '$')
            return merr_set(err, MERR_DOLLAR_PREFIXED,
                            "The dollar ($) prefixed field '%s' in '%s' is not valid for storage.", it.key,
                            it.key);
    return val_missing(array_filters)
               ? 0
               : merr_set(err, MERR_FAILED_TO_PARSE,
                          "arrayFilters may not be specified for replacement-style updates");
}

bool update_is_replacement(const struct update *u)
{
    return u->kind == UPDATE_REPLACE;
}

bool update_is_pipeline(const struct update *u)
{
    return u->kind == UPDATE_PIPELINE;
}
