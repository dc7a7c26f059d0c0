/* match_parse.c - turns a filter document into a tree, with the server's complaints. Pure. */
#include "match.h"
#include "text.h"

#include <stdlib.h>

struct parser {
    struct pool *a;
    struct expr_scope *scope;
    struct merr *err;
};

static int parse_filter(struct parser *p, struct val filter, bool top, struct match **out);

static struct match *node(struct parser *p, enum match_op op, const struct path *path)
{
    struct match *m = pool_alloc(p->a, sizeof *m);
    memset(m, 0, sizeof *m);
    m->op = op;
    m->path = path;
    return m;
}

static struct match *group(struct parser *p, enum match_op op, size_t capacity)
{
    struct match *m = node(p, op, NULL);
    m->kids = pool_alloc(p->a, (capacity + 1) * sizeof *m->kids);
    return m;
}

static void add(struct match *m, struct match *kid)
{
    m->kids[m->kid_count++] = kid;
}

static struct match *negate(struct parser *p, struct match *kid)
{
    struct match *m = group(p, M_NOT, 1);
    add(m, kid);
    return m;
}

static int bad(struct parser *p, const char *message)
{
    return merr_set(p->err, MERR_BAD_VALUE, "%s", message);
}

bool match_is_operators(struct val v)
{
    if (!val_is_doc(v)) return false;
    struct iter it;
    iter_init(&it, v);
    if (!iter_next(&it) || it.key[0] != '$') return false;
    return strcmp(it.key, "$ref") && strcmp(it.key, "$id") && strcmp(it.key, "$db");
}

static int add_regex(struct parser *p, struct match *m, const char *pattern, const char *options)
{
    struct regexp **list = pool_alloc(p->a, (m->regex_count + 1) * sizeof *list);
    if (m->regex_count) memcpy(list, m->regexes, m->regex_count * sizeof *list);
    m->regexes = list;
    return regexp_compile(p->a, pattern, options, &m->regexes[m->regex_count++], p->err);
}

static int regex_value(struct parser *p, const struct path *path, struct val v, struct match **out)
{
    struct match *m = node(p, M_REGEX, path);
    const char *pattern = (const char *)v.p;
    m->arg = v;
    *out = m;
    return add_regex(p, m, pattern, pattern + strlen(pattern) + 1);
}

static int parse_comparison(struct parser *p, const struct path *path, enum match_op op, struct val arg,
                            struct match **out)
{
    if (val_is(arg, BSON_TYPE_UNDEFINED)) return bad(p, "cannot compare to undefined");
    if (val_is(arg, BSON_TYPE_REGEX) && op != M_EQ)
        return merr_set(p->err, MERR_BAD_VALUE, "Can't have RegEx as arg to predicate over field '%s'.",
                        path ? path->text : "");

    struct match *m = node(p, op, path);
    m->arg = arg;
    *out = m;
    return 0;
}

static int order(const void *a, const void *b)
{
    return val_cmp(*(const struct val *)a, *(const struct val *)b);
}

static int parse_in(struct parser *p, const struct path *path, const char *name, struct val arg,
                    struct match **out)
{
    if (!val_is_arr(arg)) return merr_set(p->err, MERR_BAD_VALUE, "%s needs an array", name);
    struct match *m = node(p, M_IN, path);
    m->list = pool_alloc(p->a, (doc_count(arg) + 1) * sizeof *m->list);
    struct iter it;
    for (iter_init(&it, arg); iter_next(&it);) {
        if (val_is(it.v, BSON_TYPE_REGEX)) {
            const char *pattern = (const char *)it.v.p;
            if (add_regex(p, m, pattern, pattern + strlen(pattern) + 1)) return p->err->code;
            continue;
        }
        if (val_is(it.v, BSON_TYPE_UNDEFINED))
            return bad(p, "InMatchExpression equality cannot be undefined");
        if (match_is_operators(it.v)) return merr_set(p->err, MERR_BAD_VALUE, "cannot nest $ under %s", name);
        if (val_is(it.v, BSON_TYPE_NULL)) m->list_null = true;
        m->list[m->list_count++] = it.v;
    }
    qsort(m->list, m->list_count, sizeof *m->list, order);
    *out = m;
    return 0;
}

static int type_mask(struct parser *p, struct val v, uint64_t *mask)
{
    if (val_is_num(v)) {
        int64_t t = val_int(v);
        bool known = t == -1 || t == 127 || (t >= 1 && t <= 19 && t != 0);
        if (!known || !val_is_integral(v))
            return merr_set(p->err, MERR_BAD_VALUE, "Invalid numerical type code: %lld", (long long)t);
        *mask |= (uint64_t)1 << ((uint8_t)t & 63);
        return 0;
    }
    if (!val_is_str(v))
        return merr_set(p->err, MERR_TYPE_MISMATCH, "type must be represented as a number or a string");
    if (val_str_is(v, "number")) {
        *mask |= (uint64_t)1 << BSON_TYPE_INT32 | (uint64_t)1 << BSON_TYPE_INT64 |
                 (uint64_t)1 << BSON_TYPE_DOUBLE | (uint64_t)1 << BSON_TYPE_DECIMAL128;
        return 0;
    }
    int t = val_type_parse(val_str(v));
    if (!t) return merr_set(p->err, MERR_BAD_VALUE, "Unknown type name alias: %s", val_str(v));
    *mask |= (uint64_t)1 << ((uint8_t)t & 63);
    return 0;
}

static int parse_type(struct parser *p, const struct path *path, struct val arg, struct match **out)
{
    struct match *m = node(p, M_TYPE, path);
    *out = m;
    if (!val_is_arr(arg)) return type_mask(p, arg, &m->type_mask);
    struct iter it;
    iter_init(&it, arg);
    if (doc_is_empty(arg))
        return merr_set(p->err, MERR_FAILED_TO_PARSE, "$type must match at least one type");
    while (iter_next(&it))
        if (type_mask(p, it.v, &m->type_mask)) return p->err->code;
    return 0;
}

static int parse_mod(struct parser *p, const struct path *path, struct val arg, struct match **out)
{
    if (!val_is_arr(arg)) return bad(p, "malformed mod, needs to be an array");
    size_t n = doc_count(arg);
    if (n < 2) return bad(p, "malformed mod, not enough elements");
    if (n > 2) return bad(p, "malformed mod, too many elements");
    struct match *m = node(p, M_MOD, path);
    struct val d = arr_get(arg, 0), r = arr_get(arg, 1);
    if (!val_is_num(d)) return bad(p, "malformed mod, divisor not a number");
    if (!val_is_num(r)) return bad(p, "malformed mod, remainder not a number");
    m->divisor = val_int(d);
    m->remainder = val_int(r);
    if (m->divisor == 0) return bad(p, "divisor cannot be 0");
    if (m->divisor == -1) m->divisor = 1; /* the same remainders, and INT64_MIN % -1 is undefined */
    *out = m;
    return 0;
}

static int parse_regex_operator(struct parser *p, const struct path *path, struct val doc, struct match **out)
{
    struct val re = doc_get(doc, "$regex"), opt = doc_get(doc, "$options");
    const char *pattern, *options = "";
    if (val_is(re, BSON_TYPE_REGEX)) {
        pattern = (const char *)re.p;
        options = pattern + strlen(pattern) + 1;
    } else if (val_is_str(re)) {
        pattern = val_str(re);
    } else {
        return bad(p, "$regex has to be a string");
    }
    if (!val_missing(opt)) {
        if (!val_is_str(opt)) return bad(p, "$options has to be a string");
        if (options[0]) return merr_set(p->err, 51074, "options set in both $regex and $options");
        options = val_str(opt);
    }
    struct match *m = node(p, M_REGEX, path);
    m->arg = re;
    *out = m;
    return add_regex(p, m, pattern, options);
}

static int parse_size(struct parser *p, const struct path *path, struct val arg, struct match **out)
{
    if (!val_is_num(arg)) return bad(p, "$size needs a number");
    if (!val_is_integral(arg)) return bad(p, "$size must be a whole number");
    if (val_int(arg) < 0) return bad(p, "$size may not be negative");
    struct match *m = node(p, M_SIZE, path);
    m->divisor = val_int(arg);
    *out = m;
    return 0;
}

static bool is_logical(const char *name)
{
    return !strcmp(name, "$and") || !strcmp(name, "$or") || !strcmp(name, "$nor") ||
           !strcmp(name, "$where") || !strcmp(name, "$expr");
}

static int parse_operators(struct parser *p, const struct path *path, struct val doc, struct match **out);

static int parse_elem_match(struct parser *p, const struct path *path, struct val arg, struct match **out)
{
    if (!val_is_doc(arg)) return bad(p, "$elemMatch needs an Object");
    struct iter it;
    iter_init(&it, arg);
    bool value = match_is_operators(arg) && iter_next(&it) && !is_logical(it.key);
    struct match *m = node(p, value ? M_ELEM_VALUE : M_ELEM_DOC, path), *kid;
    m->kids = pool_alloc(p->a, sizeof *m->kids);
    if (value ? parse_operators(p, NULL, arg, &kid) : parse_filter(p, arg, false, &kid)) return p->err->code;
    add(m, kid);
    *out = m;
    return 0;
}

static int parse_all(struct parser *p, const struct path *path, struct val arg, struct match **out)
{
    if (!val_is_arr(arg)) return bad(p, "$all needs an array");
    struct match *all = group(p, M_AND, doc_count(arg));
    struct iter it;
    for (iter_init(&it, arg); iter_next(&it);) {
        struct match *kid = NULL;
        if (val_is_doc(it.v) && !val_missing(doc_get(it.v, "$elemMatch"))) {
            if (parse_elem_match(p, path, doc_get(it.v, "$elemMatch"), &kid)) return p->err->code;
        } else if (match_is_operators(it.v)) {
            return bad(p, "no $ expressions in $all");
        } else if (val_is(it.v, BSON_TYPE_REGEX)) {
            if (regex_value(p, path, it.v, &kid)) return p->err->code;
        } else if (parse_comparison(p, path, M_EQ, it.v, &kid)) {
            return p->err->code;
        }
        add(all, kid);
    }
    if (!all->kid_count) all->op = M_FALSE;
    *out = all;
    return 0;
}

static int parse_not(struct parser *p, const struct path *path, struct val arg, struct match **out)
{
    struct match *kid;
    if (val_is(arg, BSON_TYPE_REGEX)) {
        if (regex_value(p, path, arg, &kid)) return p->err->code;
    } else if (!val_is_doc(arg)) {
        return bad(p, "$not needs a regex or a document");
    } else if (doc_is_empty(arg)) {
        return bad(p, "$not cannot be empty");
    } else if (parse_operators(p, path, arg, &kid)) {
        return p->err->code;
    }
    *out = negate(p, kid);
    return 0;
}

static int parse_bits(struct parser *p, const struct path *path, const char *name, struct val arg,
                      struct match **out)
{
    struct match *m = node(p, M_BITS, path);
    m->bits_set = strstr(name, "Set") != NULL;
    m->bits_all = strstr(name, "All") != NULL;
    uint64_t mask = 0;
    if (val_is_integral(arg) && val_int(arg) >= 0) {
        mask = (uint64_t)val_int(arg);
    } else if (val_is_arr(arg)) {
        struct iter it;
        for (iter_init(&it, arg); iter_next(&it);) {
            if (!val_is_integral(it.v) || val_int(it.v) < 0)
                return merr_set(p->err, MERR_FAILED_TO_PARSE, "bit positions must be integers >= 0");
            mask |= (uint64_t)1 << (val_int(it.v) > 63 ? 63 : val_int(it.v));
        }
    } else {
        return merr_set(p->err, val_is_num(arg) ? MERR_FAILED_TO_PARSE : MERR_BAD_VALUE,
                        "%s takes an Array, a number, or a BinData but received: %s", name,
                        text_field(p->a, name, arg));
    }
    m->divisor = (int64_t)mask;
    *out = m;
    return 0;
}

static int parse_operator(struct parser *p, const struct path *path, struct val doc, const char *name,
                          struct val arg, struct match **out)
{
    static const struct {
        const char *name;
        enum match_op op;
    } comparisons[] = {{"$eq", M_EQ}, {"$lt", M_LT}, {"$lte", M_LTE}, {"$gt", M_GT}, {"$gte", M_GTE}};
    for (size_t i = 0; i < 5; i++)
        if (!strcmp(name, comparisons[i].name)) return parse_comparison(p, path, comparisons[i].op, arg, out);
    struct match *kid = NULL;
    if (!strcmp(name, "$ne")) {
        if (val_is(arg, BSON_TYPE_REGEX)) return bad(p, "Can't have regex as arg to $ne.");
        if (parse_comparison(p, path, M_EQ, arg, &kid)) return p->err->code;
        *out = negate(p, kid);
        return 0;
    }
    if (!strcmp(name, "$in")) return parse_in(p, path, name, arg, out);
    if (!strcmp(name, "$nin")) {
        if (parse_in(p, path, name, arg, &kid)) return p->err->code;
        *out = negate(p, kid);
        return 0;
    }
    if (!strcmp(name, "$exists")) {
        kid = node(p, M_EXISTS, path);
        *out = val_truthy(arg) ? kid : negate(p, kid);
        return 0;
    }
    if (!strcmp(name, "$not")) return parse_not(p, path, arg, out);
    if (!strcmp(name, "$type")) return parse_type(p, path, arg, out);
    if (!strcmp(name, "$mod")) return parse_mod(p, path, arg, out);
    if (!strcmp(name, "$size")) return parse_size(p, path, arg, out);
    if (!strcmp(name, "$all")) return parse_all(p, path, arg, out);
    if (!strcmp(name, "$elemMatch")) return parse_elem_match(p, path, arg, out);
    if (!strcmp(name, "$regex")) return parse_regex_operator(p, path, doc, out);
    if (!strcmp(name, "$options")) {
        if (val_missing(doc_get(doc, "$regex"))) return bad(p, "$options needs a $regex");
        *out = NULL;
        return 0;
    }
    if (!strncmp(name, "$bits", 5)) {
        static const char *const forms[] = {"AllSet", "AllClear", "AnySet", "AnyClear"};
        for (size_t i = 0; i < 4; i++)
            if (!strcmp(name + 5, forms[i])) return parse_bits(p, path, name, arg, out);
    }
    if (!strcmp(name, "$comment")) {
        *out = NULL;
        return 0;
    }
    if (!strncmp(name, "$geo", 4) || !strncmp(name, "$near", 5) || !strcmp(name, "$within"))
        return merr_set(p->err, MERR_NOT_IMPLEMENTED, "the stand-in does not know %s", name);
    return merr_set(p->err, MERR_BAD_VALUE, "unknown operator: %s", name);
}

static int parse_operators(struct parser *p, const struct path *path, struct val doc, struct match **out)
{
    struct match *all = group(p, M_AND, doc_count(doc));
    struct iter it;
    for (iter_init(&it, doc); iter_next(&it);) {
        struct match *kid = NULL;
        if (it.key[0] != '$') return merr_set(p->err, MERR_BAD_VALUE, "unknown operator: %s", it.key);
        if (parse_operator(p, path, doc, it.key, it.v, &kid)) return p->err->code;
        if (kid) add(all, kid);
    }
    *out = all->kid_count == 1 ? all->kids[0] : all;
    return 0;
}

static int parse_logical(struct parser *p, const char *name, struct val arg, bool top, struct match **out)
{
    enum match_op op = !strcmp(name, "$and") ? M_AND : !strcmp(name, "$or") ? M_OR : M_NOR;
    if (!val_is_arr(arg)) return merr_set(p->err, MERR_BAD_VALUE, "%s must be an array", name);
    if (doc_is_empty(arg)) return bad(p, "$and/$or/$nor must be a nonempty array");
    struct match *m = group(p, op, doc_count(arg));
    struct iter it;
    for (iter_init(&it, arg); iter_next(&it);) {
        struct match *kid;
        if (!val_is_doc(it.v)) return bad(p, "$or/$and/$nor entries need to be full objects");
        if (parse_filter(p, it.v, top, &kid)) return p->err->code;
        add(m, kid);
    }
    *out = m;
    return 0;
}

static int parse_top_operator(struct parser *p, const char *name, struct val arg, bool top,
                              struct match **out)
{
    if (!strcmp(name, "$and") || !strcmp(name, "$or") || !strcmp(name, "$nor"))
        return parse_logical(p, name, arg, top, out);
    if (!strcmp(name, "$comment")) {
        *out = NULL;
        return 0;
    }
    if (!strcmp(name, "$expr")) {
        if (!top) return bad(p, "$expr can only be applied to the top-level document");
        struct match *m = node(p, M_EXPR, NULL);
        *out = m;
        return expr_parse(p->a, arg, p->scope, &m->expr, p->err);
    }
    if (!strcmp(name, "$jsonSchema")) {
        if (!val_is_doc(arg)) return merr_set(p->err, MERR_TYPE_MISMATCH, "$jsonSchema must be an object");
        struct match *m = node(p, M_SCHEMA, NULL);
        *out = m;
        return schema_parse(p->a, arg, &m->schema, p->err);
    }
    if (!strcmp(name, "$alwaysTrue") || !strcmp(name, "$alwaysFalse")) {
        *out = node(p, name[7] == 'T' ? M_TRUE : M_FALSE, NULL);
        return 0;
    }
    if (!strcmp(name, "$where") || !strcmp(name, "$text") || !strcmp(name, "$sampleRate"))
        return merr_set(p->err, MERR_NOT_IMPLEMENTED, "the stand-in does not know %s", name);
    return merr_set(p->err, MERR_BAD_VALUE, "unknown top level operator: %s", name);
}

static int parse_field(struct parser *p, const struct iter *it, struct match **out)
{
    struct path *path = path_parse(p->a, it->key, it->keylen);
    if (!path) return merr_set(p->err, MERR_OVERFLOW, "FieldPath is too long");
    if (val_is(it->v, BSON_TYPE_REGEX)) return regex_value(p, path, it->v, out);
    if (match_is_operators(it->v)) return parse_operators(p, path, it->v, out);
    return parse_comparison(p, path, M_EQ, it->v, out);
}

static int parse_filter(struct parser *p, struct val filter, bool top, struct match **out)
{
    struct match *all = group(p, M_AND, doc_count(filter));
    struct iter it;
    for (iter_init(&it, filter); iter_next(&it);) {
        struct match *kid = NULL;
        int rc =
            it.key[0] == '$' ? parse_top_operator(p, it.key, it.v, top, &kid) : parse_field(p, &it, &kid);
        if (rc) return rc;
        if (kid) add(all, kid);
    }
    *out = all->kid_count == 1 ? all->kids[0] : all;
    return 0;
}

int match_parse(struct pool *a, struct val filter, struct expr_scope *scope, struct match **out,
                struct merr *err)
{
    struct parser p = {a, scope, err};
    return parse_filter(&p, filter, true, out);
}

int match_parse_value(struct pool *a, struct val spec, struct expr_scope *scope, struct match **out,
                      struct merr *err)
{
    struct parser p = {a, scope, err};
    if (match_is_operators(spec)) {
        struct iter it;
        iter_init(&it, spec);
        if (iter_next(&it) && is_logical(it.key)) return parse_filter(&p, spec, false, out);
        return parse_operators(&p, NULL, spec, out);
    }
    if (val_is(spec, BSON_TYPE_REGEX)) return regex_value(&p, NULL, spec, out);
    return parse_comparison(&p, NULL, M_EQ, spec, out);
}
