/* project.c - parses projections into trees of fields and applies them. Pure. */
#include "project.h"
#include "match.h"
#include "path.h"

enum field_kind { F_TREE, F_INCLUDE, F_EXCLUDE, F_COMPUTE, F_SLICE, F_ELEM_MATCH };

struct field {
    const char *name;
    uint32_t n;
    enum field_kind kind;
    struct expr *expr;
    struct match *match;
    int64_t skip, take;
    struct field **kids;
    size_t kid_count, kid_cap;
    bool computes; /* something below is computed */
};

struct projection {
    enum project_kind kind;
    bool inclusive;
    struct field root;
};

struct parser {
    struct pool *a;
    enum project_kind kind;
    struct expr_scope *scope;
    struct merr *err;
    int mode; /* 0: not known yet, 1: inclusion, -1: exclusion */
    struct field *root;
    bool id_excluded, id_included, others;
};

static struct field *kid_of(const struct field *f, const char *name, size_t n)
{
    for (size_t i = 0; i < f->kid_count; i++)
        if (f->kids[i]->n == n && memcmp(f->kids[i]->name, name, n) == 0) return f->kids[i];
    return NULL;
}

static struct field *add_kid(struct pool *a, struct field *f, const char *name, uint32_t n)
{
    if (f->kid_count == f->kid_cap) {
        size_t cap = f->kid_cap ? f->kid_cap * 2 : 4;
        struct field **kids = pool_alloc(a, cap * sizeof *kids);
        if (f->kid_count) memcpy(kids, f->kids, f->kid_count * sizeof *kids);
        f->kids = kids;
        f->kid_cap = cap;
    }
    struct field *k = pool_alloc(a, sizeof *k);
    memset(k, 0, sizeof *k);
    k->name = name;
    k->n = n;
    f->kids[f->kid_count++] = k;
    return k;
}

/* Makes the field for a dotted path below `from`. */
static int place(struct parser *p, struct field *from, const char *text, size_t len, struct field **out)
{
    struct path *path = path_parse(p->a, text, len);
    if (!path) return merr_set(p->err, MERR_OVERFLOW, "FieldPath is too long");
    struct field *f = from;
    for (uint32_t i = 0; i < path->n; i++) {
        const struct piece *q = &path->pieces[i];
        if (!q->n)
            return i + 1 == path->n && i
                       ? merr_set(p->err, 40353, "FieldPath must not end with a '.'.")
                       : merr_set(p->err, 40352, "FieldPath cannot be constructed with empty string");
        if (q->s[0] == '$') {
            if (p->kind == PROJECT_FIND && q->n == 1)
                return merr_set(p->err, MERR_NOT_IMPLEMENTED,
                                "the stand-in does not know positional projections");
            return merr_set(p->err, 16410, "FieldPath field names may not start with '$'.");
        }
        struct field *k = kid_of(f, q->s, q->n);
        if (k && (k->kind != F_TREE || i + 1 == path->n))
            return k->kind != F_TREE && i + 1 < path->n
                       ? merr_set(p->err, 31249, "Path collision at %s remaining portion %s", path->text,
                                  path->pieces[i + 1].s)
                       : merr_set(p->err, 31250, "Path collision at %s", path->text);
        f = k ? k : add_kid(p->a, f, q->s, q->n);
    }
    *out = f;
    return 0;
}

static int set_mode(struct parser *p, int mode, const char *name)
{
    if (p->mode && p->mode != mode)
        return mode < 0
                   ? merr_set(p->err, 31254, "Cannot do exclusion on field %s in inclusion projection", name)
                   : merr_set(p->err, 31253, "Cannot do inclusion on field %s in exclusion projection", name);
    p->mode = mode;
    return 0;
}

static int parse_find_operator(struct parser *p, struct field *f, const char *op, struct val arg, bool *known)
{
    *known = true;
    if (!strcmp(op, "$slice")) {
        f->kind = F_SLICE;
        if (val_is_num(arg)) {
            f->take = val_int(arg);
            return 0;
        }
        if (!val_is_arr(arg) || doc_count(arg) != 2) return *known = false, 0;
        f->skip = val_int(arr_get(arg, 0));
        f->take = val_int(arr_get(arg, 1));
        if (f->take <= 0) return merr_set(p->err, 31271, "$slice limit must be positive");
        f->kids = NULL;
        f->computes = true; /* two numbers: skip counts */
        return 0;
    }
    if (!strcmp(op, "$elemMatch")) {
        if (!val_is_doc(arg))
            return merr_set(p->err, 31274, "elemMatch: Invalid argument, object required, but got %s",
                            val_type_name(arg.t));
        f->kind = F_ELEM_MATCH;
        if (set_mode(p, 1, f->name)) return p->err->code;
        if (match_is_operators(arg)) return match_parse_value(p->a, arg, p->scope, &f->match, p->err);
        return match_parse(p->a, arg, p->scope, &f->match, p->err);
    }
    if (!strcmp(op, "$meta"))
        return merr_set(p->err, MERR_NOT_IMPLEMENTED, "the stand-in does not know $meta");
    *known = false;
    return 0;
}

static int parse_fields(struct parser *p, struct field *from, struct val spec, bool top);

static int parse_field(struct parser *p, struct field *from, const struct iter *it, bool top)
{
    struct field *f;
    bool flag = val_is_num(it->v) || val_is(it->v, BSON_TYPE_BOOL);
    bool id = top && !strcmp(it->key, "_id");
    if (val_is_doc(it->v) && !match_is_operators(it->v) && !(doc_is_empty(it->v))) {
        if (place(p, from, it->key, it->keylen, &f)) {
            /* {a: {b: 1}} beside {"a.c": 1} shares the branch a */
            struct field *shared = kid_of(from, it->key, it->keylen);
            if (!shared || shared->kind != F_TREE || !shared->kid_count) return p->err->code;
            merr_clear(p->err);
            f = shared;
        }
        return parse_fields(p, f, it->v, false);
    }
    if (place(p, from, it->key, it->keylen, &f)) return p->err->code;
    if (flag && p->kind != PROJECT_ADD) {
        bool include = val_truthy(it->v);
        f->kind = include ? F_INCLUDE : F_EXCLUDE;
        if (id) {
            *(include ? &p->id_included : &p->id_excluded) = true;
            return 0;
        }
        p->others = true;
        return set_mode(p, include ? 1 : -1, it->key);
    }
    if (!id) p->others = true;
    if (p->kind == PROJECT_FIND && match_is_operators(it->v)) {
        struct iter op;
        bool known;
        iter_init(&op, it->v);
        iter_next(&op);
        if (parse_find_operator(p, f, op.key, op.v, &known) || known) return p->err->code;
    }
    f->kind = F_COMPUTE;
    if (p->kind == PROJECT_ADD || p->mode < 0) {
        if (p->kind != PROJECT_ADD)
            return merr_set(p->err, 31252, "Cannot use expression other than $meta in exclusion projection");
    } else {
        p->mode = 1;
    }
    return expr_parse(p->a, it->v, p->scope, &f->expr, p->err);
}

static int parse_fields(struct parser *p, struct field *from, struct val spec, bool top)
{
    struct iter it;
    if (!top && doc_is_empty(spec))
        return merr_set(p->err, 51270,
                        "An empty sub-projection is not a valid value. Found empty object at path");
    for (iter_init(&it, spec); iter_next(&it);)
        if (parse_field(p, from, &it, top)) return p->err->code;
    return 0;
}

static bool note_computed(struct field *f)
{
    bool any = f->kind == F_COMPUTE;
    if (f->kind != F_TREE) return any;
    for (size_t i = 0; i < f->kid_count; i++) any |= note_computed(f->kids[i]);
    f->computes = any;
    return any;
}

int projection_parse(struct pool *a, struct val spec, enum project_kind kind, struct expr_scope *scope,
                     struct projection **out, struct merr *err)
{
    struct projection *pr = pool_alloc(a, sizeof *pr);
    memset(pr, 0, sizeof *pr);
    pr->kind = kind;
    struct parser p = {.a = a, .kind = kind, .scope = scope, .err = err, .root = &pr->root};
    if (kind == PROJECT_ADD && doc_is_empty(spec))
        return merr_set(err, 40177, "specification must have at least one field");
    if (kind == PROJECT_STAGE && doc_is_empty(spec))
        return merr_set(err, 51272, "projection specification must have at least one field");
    if (parse_fields(&p, &pr->root, spec, true)) return err->code;
    pr->inclusive = p.mode ? p.mode > 0 : p.id_included && !p.others;
    if (pr->inclusive && !p.id_excluded && !kid_of(&pr->root, "_id", 3))
        add_kid(a, &pr->root, "_id", 3)->kind = F_INCLUDE;
    note_computed(&pr->root);
    *out = pr;
    return 0;
}

int projection_parse_unset(struct pool *a, struct val spec, struct projection **out, struct merr *err)
{
    struct projection *pr = pool_alloc(a, sizeof *pr);
    memset(pr, 0, sizeof *pr);
    pr->kind = PROJECT_STAGE;
    struct parser p = {.a = a, .kind = PROJECT_STAGE, .err = err, .mode = -1};
    struct iter it = {0};
    bool many = val_is_arr(spec);
    if (!many && !val_is_str(spec))
        return merr_set(err, 31002, "$unset specification must be a string or an array");
    if (many && doc_is_empty(spec))
        return merr_set(err, 31119,
                        "$unset specification must be a string or an array with at least one field");
    if (many) iter_init(&it, spec);
    for (bool once = true; many ? iter_next(&it) : once; once = false) {
        struct val v = many ? it.v : spec;
        struct field *f;
        if (!val_is_str(v))
            return merr_set(
                err, 31120,
                "$unset specification must be a string or an array containing only string values");
        if (place(&p, &pr->root, val_str(v), val_strlen(v), &f)) return err->code;
        f->kind = F_EXCLUDE;
    }
    *out = pr;
    return 0;
}

/* ---- applying ---- */

static void slice_into(struct bw *w, const char *key, size_t keylen, const struct field *f, struct val arr)
{
    int64_t n = (int64_t)doc_count(arr), skip = f->skip, take = f->take, i = 0;
    if (!f->computes) {
        skip = take < 0 ? (n + take > 0 ? n + take : 0) : 0;
        take = take < 0 ? n : take;
    } else if (skip < 0) {
        skip = n + skip > 0 ? n + skip : 0;
    }
    struct iter it;
    size_t out = 0;
    bw_arrn(w, key, keylen);
    for (iter_init(&it, arr); iter_next(&it); i++)
        if (i >= skip && (int64_t)out < take) bw_puti(w, out++, it.v);
    bw_end(w);
}

static void elem_match_into(struct bw *w, const char *key, size_t keylen, const struct field *f,
                            struct val arr, struct ectx *c)
{
    struct iter it;
    for (iter_init(&it, arr); iter_next(&it);) {
        struct match_vars vars = {.ectx = c, .array_index = -1};
        if (val_is_doc(it.v) ? !match_eval(f->match, it.v, &vars) : !match_eval_value(f->match, it.v, &vars))
            continue;
        bw_arrn(w, key, keylen);
        bw_puti(w, 0, it.v);
        bw_end(w);
        return;
    }
}

static void filter_fields(struct bw *w, const struct projection *p, const struct field *f, struct val doc,
                          struct ectx *c);

static void filter_array(struct bw *w, const struct projection *p, const struct field *f, struct val arr,
                         struct ectx *c)
{
    struct iter it;
    size_t n = 0;
    for (iter_init(&it, arr); iter_next(&it);) {
        char buf[12];
        size_t len;
        const char *key = index_key(buf, n, &len);
        if (val_is_doc(it.v)) {
            bw_docn(w, key, len);
            filter_fields(w, p, f, it.v, c);
        } else if (val_is_arr(it.v)) {
            bw_arrn(w, key, len);
            filter_array(w, p, f, it.v, c);
        } else {
            if (!p->inclusive) bw_puti(w, n++, it.v);
            continue;
        }
        bw_end(w);
        n++;
    }
}

/* Includes or excludes; computed fields come later. */
static void filter_fields(struct bw *w, const struct projection *p, const struct field *f, struct val doc,
                          struct ectx *c)
{
    struct iter it;
    for (iter_init(&it, doc); iter_next(&it);) {
        const struct field *k = kid_of(f, it.key, it.keylen);
        enum field_kind kind = k ? k->kind : p->inclusive ? F_EXCLUDE : F_INCLUDE;
        switch (kind) {
        case F_INCLUDE:
            bw_putn(w, it.key, it.keylen, it.v);
            break;
        case F_TREE:
            if (val_is_doc(it.v)) {
                bw_docn(w, it.key, it.keylen);
                filter_fields(w, p, k, it.v, c);
                bw_end(w);
            } else if (val_is_arr(it.v)) {
                bw_arrn(w, it.key, it.keylen);
                filter_array(w, p, k, it.v, c);
                bw_end(w);
            } else if (!p->inclusive) {
                bw_putn(w, it.key, it.keylen, it.v);
            }
            break;
        case F_SLICE:
            if (val_is_arr(it.v)) {
                slice_into(w, it.key, it.keylen, k, it.v);
            } else {
                bw_putn(w, it.key, it.keylen, it.v);
            }
            break;
        case F_ELEM_MATCH:
            if (val_is_arr(it.v)) elem_match_into(w, it.key, it.keylen, k, it.v, c);
            break;
        default:
            break;
        }
    }
}

static struct val compute_fields(const struct field *f, struct val doc, struct ectx *c);

static struct val compute_value(const struct field *k, struct val old, struct ectx *c)
{
    if (k->kind == F_COMPUTE) return expr_eval(k->expr, c);
    if (!val_is_arr(old)) return compute_fields(k, val_is_doc(old) ? old : val_empty_doc(), c);
    struct bw w;
    struct iter it;
    size_t n = 0;
    bw_init(&w, c->a);
    for (iter_init(&it, old); iter_next(&it);) bw_puti(&w, n++, compute_value(k, it.v, c));
    struct val v = bw_done(&w);
    v.t = BSON_TYPE_ARRAY;
    return v;
}

static bool adds(const struct field *k)
{
    return k->kind == F_COMPUTE || (k->kind == F_TREE && k->computes);
}

/* Replaces computed fields where they stand and appends the rest in the order of the specification. */
static struct val compute_fields(const struct field *f, struct val doc, struct ectx *c)
{
    struct bw w;
    struct iter it;
    bw_init(&w, c->a);
    for (iter_init(&it, doc); iter_next(&it) && !c->err->code;) {
        const struct field *k = kid_of(f, it.key, it.keylen);
        bw_putn(&w, it.key, it.keylen, k && adds(k) ? compute_value(k, it.v, c) : it.v);
    }
    for (size_t i = 0; i < f->kid_count; i++) {
        const struct field *k = f->kids[i];
        if (!adds(k) || !val_missing(doc_getn(doc, k->name, k->n))) continue;
        bw_putn(&w, k->name, k->n, compute_value(k, VAL_NONE, c));
    }
    return bw_done(&w);
}

struct val projection_apply(const struct projection *p, struct val doc, struct ectx *c)
{
    c->root = doc;
    if (p->kind == PROJECT_ADD) return compute_fields(&p->root, doc, c);
    struct bw w;
    bw_init(&w, c->a);
    filter_fields(&w, p, &p->root, doc, c);
    struct val out = bw_done(&w);
    return p->root.computes ? compute_fields(&p->root, out, c) : out;
}
