/* expr.c - parses expressions and evaluates the parts that are no operators. Pure. */
#include "expr_int.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>

struct parser {
    struct pool *a;
    struct merr *err;
};

static int parse(struct parser *p, struct val spec, const struct expr_scope *scope, struct expr **out);

static struct expr *node(struct parser *p, enum expr_kind kind, size_t args)
{
    struct expr *e = pool_alloc(p->a, sizeof *e);
    memset(e, 0, sizeof *e);
    e->kind = kind;
    e->args = pool_alloc(p->a, (args + 1) * sizeof *e->args);
    memset(e->args, 0, (args + 1) * sizeof *e->args);
    return e;
}

static struct expr *literal(struct parser *p, struct val v)
{
    struct expr *e = node(p, E_LITERAL, 0);
    e->lit = v;
    return e;
}

const struct expr_op *expr_op_find(const char *name)
{
    static const struct expr_op *const tables[] = {expr_ops_logic, expr_ops_array, expr_ops_string,
                                                   expr_ops_arith, expr_ops_convert};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct expr_op *op = tables[t]; op->name; op++)
            if (strcmp(op->name, name) == 0) return op;
    return NULL;
}

static int scope_depth(const struct expr_scope *scope)
{
    int deepest = -1;
    for (; scope; scope = scope->up)
        if (scope->slot > deepest) deepest = scope->slot;
    return deepest;
}

static int find_variable(struct parser *p, const char *name, size_t n, const struct expr_scope *scope,
                         int *slot)
{
    static const struct {
        const char *name;
        int slot;
    } known[] = {{"ROOT", VAR_ROOT},
                 {"CURRENT", VAR_ROOT},
                 {"NOW", VAR_NOW},
                 {"CLUSTER_TIME", VAR_CLUSTER_TIME},
                 {"REMOVE", VAR_REMOVE}};
    for (const struct expr_scope *s = scope; s; s = s->up)
        if (strlen(s->name) == n && memcmp(s->name, name, n) == 0) return *slot = s->slot, 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == n && memcmp(known[i].name, name, n) == 0)
            return *slot = known[i].slot, 0;
    return merr_set(p->err, 17276, "Use of undefined variable: %.*s", (int)n, name);
}

static int parse_path(struct parser *p, const char *text, size_t n, const struct expr_scope *scope,
                      struct expr **out)
{
    struct expr *e = node(p, E_PATH, 0);
    e->var = VAR_ROOT;
    *out = e;
    text++, n--;
    if (n && *text == '$') {
        text++, n--;
        const char *dot = memchr(text, '.', n);
        size_t name = dot ? (size_t)(dot - text) : n;
        if (!name) return merr_set(p->err, MERR_FAILED_TO_PARSE, "empty variable names are not allowed");
        if (find_variable(p, text, name, scope, &e->var)) return p->err->code;
        if (!dot) return 0;
        text += name + 1, n -= name + 1;
    } else if (!n) {
        return merr_set(p->err, 16872, "'$' by itself is not a valid FieldPath");
    }
    e->path = path_parse(p->a, text, n);
    if (!e->path) return merr_set(p->err, MERR_OVERFLOW, "FieldPath is too long");
    for (uint32_t i = 0; i < e->path->n; i++) {
        const struct piece *q = &e->path->pieces[i];
        if (!q->n)
            return i + 1 == e->path->n
                       ? merr_set(p->err, 40353, "FieldPath must not end with a '.'.")
                       : merr_set(p->err, 15998, "FieldPath field names may not be empty strings.");
        if (q->s[0] == '$') return merr_set(p->err, 16410, "FieldPath field names may not start with '$'.");
        if (memchr(q->s, 0, q->n))
            return merr_set(p->err, 16411, "FieldPath field names may not contain '\\0'.");
    }
    return 0;
}

/* Operators whose arguments are named, and those that bind variables. */
static int bind(struct parser *p, struct expr_scope *scope, const struct expr_scope *up, const char *name)
{
    int slot = scope_depth(up) + 1;
    if (slot >= EXPR_MAX_VARS) return merr_set(p->err, MERR_OVERFLOW, "too many nested variables");
    *scope = (struct expr_scope){up, name, slot};
    return 0;
}

static int parse_let(struct parser *p, struct expr *e, struct val arg, const struct expr_scope *scope)
{
    struct val vars = doc_get(arg, "vars"), in = doc_get(arg, "in");
    if (!val_is_doc(arg)) return merr_set(p->err, 16874, "$let only supports an object as its argument");
    if (val_missing(vars)) return merr_set(p->err, 16876, "Missing 'vars' parameter to $let");
    if (val_missing(in)) return merr_set(p->err, 16877, "Missing 'in' parameter to $let");
    if (!val_is_doc(vars)) return merr_set(p->err, 10065, "invalid parameter: expected an object (vars)");
    size_t n = doc_count(vars);
    e->args = pool_alloc(p->a, (n + 1) * sizeof *e->args);
    struct expr_scope *scopes = pool_alloc(p->a, (n + 1) * sizeof *scopes);
    const struct expr_scope *inner = scope;
    struct iter it;
    for (iter_init(&it, vars); iter_next(&it);) {
        if (parse(p, it.v, scope, &e->args[e->arg_count])) return p->err->code;
        if (bind(p, &scopes[e->arg_count], inner, it.key)) return p->err->code;
        inner = &scopes[e->arg_count++];
    }
    e->slots[0] = scope_depth(scope) + 1;
    e->slots[1] = (int)n;
    return parse(p, in, inner, &e->args[e->arg_count++]);
}

static int missing_parameter(struct parser *p, const struct expr_op *op, const char *param)
{
    int code = !strcmp(op->name, "$map")      ? (!strcmp(param, "in") ? 16882 : 16880)
               : !strcmp(op->name, "$filter") ? (!strcmp(param, "cond") ? 28650 : 28648)
               : !strcmp(op->name, "$reduce") ? (!strcmp(param, "in")      ? 40079
                                                 : !strcmp(param, "input") ? 40077
                                                                           : 40078)
                                              : 51103;
    return merr_set(p->err, code, "Missing '%s' parameter to %s", param, op->name);
}

static int parse_named(struct parser *p, const struct expr_op *op, struct expr *e, struct val arg,
                       const struct expr_scope *scope)
{
    if (!val_is_doc(arg)) {
        int code = !strcmp(op->name, "$map") ? 16878 : !strcmp(op->name, "$filter") ? 28646 : 51103;
        return merr_set(p->err, code, "%s only supports an object as its argument", op->name);
    }
    size_t n = 0;
    while (op->named[n]) n++;
    e->args = pool_alloc(p->a, (n + 1) * sizeof *e->args);
    memset(e->args, 0, (n + 1) * sizeof *e->args);
    e->arg_count = n;
    struct iter it;
    struct expr_scope first, second;
    const struct expr_scope *inner = scope;
    bool binds = !strcmp(op->name, "$map") || !strcmp(op->name, "$filter");
    if (binds) {
        struct val as = doc_get(arg, "as");
        if (!val_missing(as) && !val_is_str(as))
            return merr_set(p->err, MERR_FAILED_TO_PARSE, "'as' must be a string");
        if (bind(p, &first, scope, val_missing(as) ? "this" : val_str(as))) return p->err->code;
        e->slots[0] = first.slot;
        inner = &first;
    } else if (!strcmp(op->name, "$reduce")) {
        if (bind(p, &first, scope, "this") || bind(p, &second, &first, "value")) return p->err->code;
        e->slots[0] = first.slot;
        e->slots[1] = second.slot;
        inner = &second;
    }
    for (iter_init(&it, arg); iter_next(&it);) {
        if (binds && !strcmp(it.key, "as")) continue;
        size_t i = 0;
        while (i < n && strcmp(op->named[i], it.key)) i++;
        if (i == n)
            return merr_set(p->err, !strcmp(op->name, "$map") ? 16879 : 51103,
                            "Unrecognized parameter to %s: %s", op->name, it.key);
        bool body = !strcmp(it.key, "in") || (!strcmp(op->name, "$filter") && !strcmp(it.key, "cond"));
        if (parse(p, it.v, body ? inner : scope, &e->args[i])) return p->err->code;
    }
    for (size_t i = 0; i < (size_t)op->required; i++)
        if (!e->args[i]) return missing_parameter(p, op, op->named[i]);
    return 0;
}

static int parse_switch(struct parser *p, struct expr *e, struct val arg, const struct expr_scope *scope)
{
    struct val branches = doc_get(arg, "branches"), otherwise = doc_get(arg, "default");
    if (!val_is_doc(arg)) return merr_set(p->err, 40060, "$switch requires an object as an argument");
    if (!val_is_arr(branches)) return merr_set(p->err, 40061, "$switch expected an array for 'branches'");
    size_t n = doc_count(branches);
    if (!n) return merr_set(p->err, 40068, "$switch requires at least one branch.");
    e->args = pool_alloc(p->a, (2 * n + 1) * sizeof *e->args);
    struct iter it;
    for (iter_init(&it, branches); iter_next(&it);) {
        struct val when = doc_get(it.v, "case"), then = doc_get(it.v, "then");
        if (val_missing(when))
            return merr_set(p->err, 40066, "$switch requires each branch have a 'case' expression");
        if (val_missing(then))
            return merr_set(p->err, 40067, "$switch requires each branch have a 'then' expression.");
        if (parse(p, when, scope, &e->args[e->arg_count++])) return p->err->code;
        if (parse(p, then, scope, &e->args[e->arg_count++])) return p->err->code;
    }
    e->args[e->arg_count] = NULL;
    return val_missing(otherwise) ? 0 : parse(p, otherwise, scope, &e->args[e->arg_count++]);
}

static int parse_list(struct parser *p, const struct expr_op *op, struct expr *e, struct val arg,
                      const struct expr_scope *scope)
{
    if (val_is_arr(arg)) {
        e->args = pool_alloc(p->a, (doc_count(arg) + 1) * sizeof *e->args);
        struct iter it;
        for (iter_init(&it, arg); iter_next(&it);)
            if (parse(p, it.v, scope, &e->args[e->arg_count++])) return p->err->code;
    } else if (parse(p, arg, scope, &e->args[e->arg_count++])) {
        return p->err->code;
    }
    int n = (int)e->arg_count;
    if (n >= op->min_args && (op->max_args < 0 || n <= op->max_args)) return 0;
    if (op->max_args == op->min_args)
        return merr_set(p->err, 16020, "Expression %s takes exactly %d arguments. %d were passed in.",
                        op->name, op->min_args, n);
    return merr_set(p->err, 28667,
                    "Expression %s takes at least %d arguments, and at most %d, but %d were passed in.",
                    op->name, op->min_args, op->max_args, n);
}

static int compile_regex(struct parser *p, struct expr *e)
{
    const struct expr *re = e->args[1], *opt = e->args[2];
    if (!re || re->kind != E_LITERAL || (opt && opt->kind != E_LITERAL)) return 0;
    if (val_is(re->lit, BSON_TYPE_REGEX)) {
        const char *pattern = (const char *)re->lit.p, *own = pattern + strlen(pattern) + 1;
        return regexp_compile(p->a, pattern, opt && val_is_str(opt->lit) ? val_str(opt->lit) : own, &e->re,
                              p->err);
    }
    if (!val_is_str(re->lit)) return 0;
    return regexp_compile(p->a, val_str(re->lit), opt && val_is_str(opt->lit) ? val_str(opt->lit) : "",
                          &e->re, p->err);
}

static int parse_call(struct parser *p, const char *name, struct val arg, const struct expr_scope *scope,
                      struct expr **out)
{
    if (!strcmp(name, "$literal") || !strcmp(name, "$const")) return *out = literal(p, arg), 0;
    const struct expr_op *op = expr_op_find(name);
    if (!op) return merr_set(p->err, MERR_INVALID_PIPELINE_OPERATOR, "Unrecognized expression '%s'", name);
    struct expr *e = node(p, E_CALL, 1);
    e->name = op->name;
    e->fn = op->fn;
    e->code = op->code;
    *out = e;
    if (!strcmp(name, "$let")) return parse_let(p, e, arg, scope);
    if (!strcmp(name, "$switch")) return parse_switch(p, e, arg, scope);
    if (op->named && !(val_is_arr(arg) && op->max_args)) {
        int rc = parse_named(p, op, e, arg, scope);
        return rc || strncmp(name, "$regex", 6) ? rc : compile_regex(p, e);
    }
    return parse_list(p, op, e, arg, scope);
}

static int parse_object(struct parser *p, struct val spec, const struct expr_scope *scope, struct expr **out)
{
    size_t n = doc_count(spec);
    struct iter it;
    iter_init(&it, spec);
    if (iter_next(&it) && it.key[0] == '$') {
        if (n != 1)
            return merr_set(p->err, 15983,
                            "An object representing an expression must have exactly one field: %s",
                            text_of(p->a, spec, TEXT_BSON));
        return parse_call(p, it.key, it.v, scope, out);
    }
    struct expr *e = node(p, E_OBJECT, n);
    e->names = pool_alloc(p->a, (n + 1) * sizeof *e->names);
    for (iter_init(&it, spec); iter_next(&it);) {
        if (it.key[0] == '$' || memchr(it.key, '.', it.keylen))
            return it.key[0] == '$' ? merr_set(p->err, MERR_INVALID_PIPELINE_OPERATOR,
                                               "Unrecognized expression '%s'", it.key)
                                    : merr_set(p->err, 16412, "FieldPath field names may not contain '.'.");
        e->names[e->arg_count] = it.key;
        if (parse(p, it.v, scope, &e->args[e->arg_count++])) return p->err->code;
    }
    *out = e;
    return 0;
}

static int parse(struct parser *p, struct val spec, const struct expr_scope *scope, struct expr **out)
{
    if (val_is_str(spec) && val_strlen(spec) && val_str(spec)[0] == '$')
        return parse_path(p, val_str(spec), val_strlen(spec), scope, out);
    if (val_is_doc(spec)) return parse_object(p, spec, scope, out);
    if (val_is_arr(spec)) {
        struct expr *e = node(p, E_ARRAY, doc_count(spec));
        struct iter it;
        *out = e;
        for (iter_init(&it, spec); iter_next(&it);)
            if (parse(p, it.v, scope, &e->args[e->arg_count++])) return p->err->code;
        return 0;
    }
    *out = literal(p, spec);
    return 0;
}

int expr_parse(struct pool *a, struct val spec, const struct expr_scope *scope, struct expr **out,
               struct merr *err)
{
    struct parser p = {a, err};
    return parse(&p, spec, scope, out);
}

struct val expr_error(struct ectx *c, int code, const char *format, ...)
{
    if (c->err->code) return VAL_NONE;
    char text[1000];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    merr_set(c->err, code, "%s", text);
    return VAL_NONE;
}

bool expr_failed(const struct ectx *c)
{
    return c->err->code != 0;
}

struct val expr_arg(const struct expr *e, size_t i, struct ectx *c)
{
    if (i >= e->arg_count || !e->args[i] || expr_failed(c)) return VAL_NONE;
    return expr_eval(e->args[i], c);
}

struct val expr_path_value(const struct path *p, uint32_t at, struct val v, struct pool *a)
{
    for (; at < p->n; at++) {
        if (val_is_arr(v)) {
            struct bw w;
            struct iter it;
            size_t n = 0;
            bw_init(&w, a);
            for (iter_init(&it, v); iter_next(&it);) {
                struct val x =
                    val_is_doc(it.v) || val_is_arr(it.v) ? expr_path_value(p, at, it.v, a) : VAL_NONE;
                if (!val_missing(x)) bw_puti(&w, n++, x);
            }
            struct val arr = bw_done(&w);
            arr.t = BSON_TYPE_ARRAY;
            return arr;
        }
        if (!val_is_doc(v)) return VAL_NONE;
        v = doc_getn(v, p->pieces[at].s, p->pieces[at].n);
    }
    return v;
}

static struct val variable(int var, struct ectx *c)
{
    switch (var) {
    case VAR_ROOT:
        return c->root;
    case VAR_NOW:
        return val_new_date(c->a, c->now_ms);
    case VAR_CLUSTER_TIME: {
        if (!c->cluster_time)
            return expr_error(c, 10071, "system variable $$CLUSTER_TIME is not available in standalone mode");
        struct val ts = val_new_i64(c->a, (int64_t)c->cluster_time);
        ts.t = BSON_TYPE_TIMESTAMP;
        return ts;
    }
    case VAR_REMOVE:
        return VAL_NONE;
    default:
        return c->vars[var];
    }
}

static struct val build(const struct expr *e, struct ectx *c)
{
    struct bw w;
    bw_init(&w, c->a);
    for (size_t i = 0; i < e->arg_count; i++) {
        struct val v = expr_arg(e, i, c);
        if (e->kind == E_OBJECT) {
            bw_put(&w, e->names[i], v);
        } else {
            bw_puti(&w, i, val_missing(v) ? val_null() : v);
        }
    }
    struct val v = bw_done(&w);
    if (e->kind == E_ARRAY) v.t = BSON_TYPE_ARRAY;
    return v;
}

struct val expr_eval(const struct expr *e, struct ectx *c)
{
    if (expr_failed(c)) return VAL_NONE;
    switch (e->kind) {
    case E_LITERAL:
        return e->lit;
    case E_PATH: {
        struct val v = variable(e->var, c);
        return e->path ? expr_path_value(e->path, 0, v, c->a) : v;
    }
    case E_OBJECT:
    case E_ARRAY:
        return build(e, c);
    default:
        if (c->a->bytes > EXPR_MAX_BYTES)
            return expr_error(c, 146, "Exceeded memory limit of the stand-in for one expression");
        return e->fn(e, c);
    }
}

bool expr_truthy(struct val v)
{
    if (val_nullish(v)) return false;
    if (val_is(v, BSON_TYPE_BOOL)) return v.p[0] != 0;
    if (val_is_num(v)) return val_ldouble(v) != 0.0L;
    return true;
}
