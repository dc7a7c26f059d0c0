/*
 * update.c - applies updates. Walks the tree of an operator update beside the document, children in sorted
 * order as the server does (which is the order in which new fields and the oplog's entries appear), and
 * writes the new document; nothing is changed in place.
 */
#include "text.h"
#include "update_int.h"

#define BACKFILL_MAX 1500000 /* the server's limit for padding arrays with null */

static struct val apply_node(struct apply *ap, const struct unode *n, struct val old);

static size_t enter(struct apply *ap, const char *name, size_t n)
{
    size_t len = ap->path.bytes;
    if (len) buf_putc(&ap->path, '.');
    buf_put(&ap->path, name, n);
    return len;
}

static void leave(struct apply *ap, size_t len)
{
    ap->path.bytes = len;
    if (ap->path.data) ap->path.data[len] = 0;
}

static bool is_wildcard(const struct unode *k)
{
    return k->n >= 3 && k->name[0] == '$' && k->name[1] == '[';
}

/* The name a child stands for; "$" is the position that the query matched. */
static bool resolve(struct apply *ap, const struct unode *k, char buf[12], const char **name, size_t *n)
{
    *name = k->name;
    *n = k->n;
    if (k->n != 1 || k->name[0] != '$') return true;
    if (ap->array_index < 0) {
        update_error(ap, MERR_BAD_VALUE,
                     "The positional operator did not find the match needed from the query.");
        return false;
    }
    *name = index_key(buf, (size_t)ap->array_index, n);
    return true;
}

static bool only_removes(const struct unode *n)
{
    if (n->op == U_UNSET || n->op == U_RENAME_FROM) return true;
    if (n->op != U_TREE) return false;
    for (size_t i = 0; i < n->kid_count; i++)
        if (!only_removes(n->kids[i])) return false;
    return true;
}

static struct val not_viable(struct apply *ap, const struct unode *n, struct val old)
{
    for (size_t i = 0; i < n->kid_count; i++) {
        if (only_removes(n->kids[i])) continue;
        if (is_wildcard(n->kids[i]))
            return update_error(ap, MERR_BAD_VALUE, "Cannot apply array updates to non-array element %.500s",
                                text_field(ap->c->a, n->name, old));
        const char *own = pool_strndup(ap->c->a, n->name, n->n);
        return update_error(ap, MERR_PATH_NOT_VIABLE, "Cannot create field '%.*s' in element {%.1000s}",
                            (int)n->kids[i]->n, n->kids[i]->name, text_field(ap->c->a, own, old));
    }
    return old;
}

static struct val apply_doc(struct apply *ap, const struct unode *n, struct val old)
{
    struct change {
        const char *name;
        size_t n;
        struct val before, after;
    } *ch = pool_alloc(ap->c->a, (n->kid_count + 1) * sizeof *ch);
    bool changed = false, creates = false;
    for (size_t i = 0; i < n->kid_count; i++) {
        char buf[12];
        const char *name;
        if (is_wildcard(n->kids[i]))
            return update_error(
                ap, MERR_BAD_VALUE,
                val_missing(old)
                    ? "The path '%.500s' must exist in the document in order to apply array updates."
                    : "Cannot apply array updates to non-array element %.500s",
                val_missing(old) ? ap->path.data : text_field(ap->c->a, n->name ? n->name : "", old));
        if (!resolve(ap, n->kids[i], buf, &name, &ch[i].n)) return VAL_NONE;
        ch[i].name =
            name == buf || (name > buf && name < buf + 12) ? pool_strndup(ap->c->a, name, ch[i].n) : name;
        ch[i].before = doc_getn(old, ch[i].name, ch[i].n);
        size_t len = enter(ap, ch[i].name, ch[i].n);
        ch[i].after = apply_node(ap, n->kids[i], ch[i].before);
        leave(ap, len);
        if (ap->c->err->code) return VAL_NONE;
        changed |= !val_same_bytes(ch[i].before, ch[i].after);
        creates |= !val_missing(ch[i].after);
    }
    if (!changed || (val_missing(old) && !creates)) return old;
    struct bw w;
    struct iter it;
    bw_init(&w, ap->c->a);
    for (iter_init(&it, old); iter_next(&it);) {
        size_t i = 0;
        while (i < n->kid_count && (ch[i].n != it.keylen || memcmp(ch[i].name, it.key, it.keylen))) i++;
        bw_putn(&w, it.key, it.keylen, i < n->kid_count ? ch[i].after : it.v);
    }
    for (size_t i = 0; i < n->kid_count; i++)
        if (val_missing(ch[i].before)) bw_putn(&w, ch[i].name, ch[i].n, ch[i].after);
    return bw_done(&w);
}

struct elements {
    struct val *v;
    size_t n, cap;
};

static bool put_element(struct apply *ap, struct elements *e, size_t at, struct val v)
{
    if (at >= e->n + BACKFILL_MAX) {
        update_error(ap, MERR_BAD_VALUE, "can't backfill more than %d elements", BACKFILL_MAX);
        return false;
    }
    if (at >= e->cap) {
        size_t cap = (at + 1) * 2;
        struct val *bigger = pool_alloc(ap->c->a, cap * sizeof *bigger);
        if (e->n) memcpy(bigger, e->v, e->n * sizeof *bigger);
        e->v = bigger;
        e->cap = cap;
    }
    while (e->n < at) e->v[e->n++] = val_null();
    if (e->n == at) e->n++;
    e->v[at] = v;
    return true;
}

static bool filter_takes(struct apply *ap, const struct unode *k, struct val v)
{
    if (k->n == 3) return true; /* $[] */
    for (size_t i = 0; i < ap->u->filter_count; i++) {
        const struct array_filter *f = &ap->u->filters[i];
        if (f->n != k->n - 3 || memcmp(f->name, k->name + 2, f->n)) continue;
        struct match_vars vars = {.ectx = ap->c, .array_index = -1};
        return val_is_doc(v) ? match_eval(f->match, v, &vars) || match_eval_value(f->match, v, &vars)
                             : match_eval_value(f->match, v, &vars);
    }
    return false;
}

static bool apply_element(struct apply *ap, const struct unode *k, struct elements *e, size_t at,
                          bool *changed)
{
    char buf[12];
    size_t n;
    const char *name = index_key(buf, at, &n);
    struct val before = at < e->n ? e->v[at] : VAL_NONE;
    size_t len = enter(ap, name, n);
    struct val after = apply_node(ap, k, before);
    leave(ap, len);
    if (ap->c->err->code) return false;
    if (val_same_bytes(before, after)) return true;
    *changed = true;
    return put_element(ap, e, at, val_missing(after) ? val_null() : after);
}

static struct val apply_array(struct apply *ap, const struct unode *n, struct val old)
{
    struct elements e = {.cap = doc_count(old) + 1};
    struct iter it;
    bool changed = false;
    e.v = pool_alloc(ap->c->a, e.cap * sizeof *e.v);
    for (iter_init(&it, old); iter_next(&it);) e.v[e.n++] = it.v;
    for (size_t i = 0; i < n->kid_count; i++) {
        const struct unode *k = n->kids[i];
        if (is_wildcard(k)) {
            for (size_t at = 0, end = e.n; at < end; at++)
                if (filter_takes(ap, k, e.v[at]) && !apply_element(ap, k, &e, at, &changed)) return VAL_NONE;
            continue;
        }
        char buf[12];
        const char *name;
        size_t len;
        if (!resolve(ap, k, buf, &name, &len)) return VAL_NONE;
        size_t at = 0;
        bool numeric =
            len > 0 && len < 9 && strspn(name, "0123456789") >= len && (len == 1 || name[0] != '0');
        for (size_t d = 0; numeric && d < len; d++) at = at * 10 + (size_t)(name[d] - '0');
        if (!numeric) {
            if (only_removes(k)) continue;
            return not_viable(ap, n, old);
        }
        if (!apply_element(ap, k, &e, at, &changed)) return VAL_NONE;
    }
    if (!changed) return old;
    struct bw w;
    bw_init(&w, ap->c->a);
    for (size_t i = 0; i < e.n; i++) bw_puti(&w, i, e.v[i]);
    struct val v = bw_done(&w);
    v.t = BSON_TYPE_ARRAY;
    return v;
}

static struct val apply_node(struct apply *ap, const struct unode *n, struct val old)
{
    if (n->op != U_TREE) return update_leaf(ap, n, old);
    if (val_is_arr(old)) return apply_array(ap, n, old);
    if (val_is_doc(old) || val_missing(old)) return apply_doc(ap, n, old);
    return not_viable(ap, n, old);
}

/* The document with `id` as its first field. */
static struct val with_id(struct pool *a, struct val doc, struct val id)
{
    struct bw w;
    struct iter it;
    bw_init(&w, a);
    bw_put(&w, "_id", id);
    for (iter_init(&it, doc); iter_next(&it);)
        if (strcmp(it.key, "_id") != 0) bw_putn(&w, it.key, it.keylen, it.v);
    return bw_done(&w);
}

static int altered_id(struct ectx *c, struct val id)
{
    return merr_set(
        c->err, MERR_IMMUTABLE_FIELD,
        "After applying the update, the (immutable) field '_id' was found to have been altered to %s",
        text_field(c->a, "_id", id));
}

static int settle_whole(struct val old, struct val now, bool insert, struct ectx *c, struct update_result *r)
{
    struct val before = doc_get(old, "_id"), after = doc_get(now, "_id");
    r->replaced = true;
    if (!val_missing(before)) {
        if (!val_missing(after) && val_cmp(before, after) != 0) return altered_id(c, after);
        if (val_missing(after) && !insert && val_missing(before)) return 0;
        now = with_id(c->a, now, before);
    } else if (!val_missing(after)) {
        now = with_id(c->a, now, after);
    }
    r->doc = now;
    r->changed = !val_same_bytes(old, now);
    return 0;
}

static int apply_modifiers(const struct update *u, struct val old, bool insert, int64_t array_index,
                           struct ectx *c, struct update_result *r)
{
    struct apply ap = {.u = u, .c = c, .doc = old, .insert = insert, .array_index = array_index};
    bw_init(&ap.set, c->a);
    bw_init(&ap.unset, c->a);
    buf_init(&ap.path, 0);
    struct val now = apply_doc(&ap, &u->root, old);
    buf_fini(&ap.path);
    if (c->err->code) return c->err->code;
    struct val before = doc_get(old, "_id"), after = doc_get(now, "_id");
    if (!val_missing(before) && !val_same_bytes(before, after)) {
        if (insert || val_missing(after) || val_cmp(before, after) != 0)
            return merr_set(c->err, MERR_IMMUTABLE_FIELD,
                            "Performing an update on the path '_id' would modify the immutable field '_id'");
    }
    r->doc = now;
    r->changed = !val_same_bytes(old, now);
    r->set = bw_done(&ap.set);
    r->unset = bw_done(&ap.unset);
    r->unset.t = BSON_TYPE_ARRAY;
    if (insert && !val_missing(after)) r->doc = with_id(c->a, now, after);
    return 0;
}

int update_apply(const struct update *u, struct val old, bool insert, int64_t array_index, struct ectx *c,
                 struct update_result *r)
{
    memset(r, 0, sizeof *r);
    switch (u->kind) {
    case UPDATE_REPLACE:
        return settle_whole(val_missing(doc_get(old, "_id")) ? val_empty_doc() : old, u->replacement, insert,
                            c, r);
    case UPDATE_PIPELINE: {
        struct val now = pipeline_transform(u->pipeline, old, c);
        if (c->err->code) return c->err->code;
        return settle_whole(old, now, insert, c, r);
    }
    default:
        return apply_modifiers(u, old, insert, array_index, c, r);
    }
}

/* ---- what an upsert starts from ---- */

struct seed {
    struct pool *a;
    struct bw pairs; /* path -> value */
    struct merr *err;
};

static int collect(struct seed *s, const struct match *m)
{
    if (m->op == M_EQ && m->path) {
        struct val so_far = {s->pairs.p, 0, BSON_TYPE_DOCUMENT};
        struct bw view = s->pairs;
        bw_end(&view);
        so_far = val_doc(view.p);
        s->pairs.p = view.p;
        s->pairs.cap = view.cap;
        if (!val_missing(doc_get(so_far, m->path->text)))
            return merr_set(s->err, 54, "cannot infer query fields to set, path '%s' is matched twice",
                            m->path->text);
        bw_put(&s->pairs, m->path->text, m->arg);
        return 0;
    }
    if (m->op == M_IN && m->path && m->list_count == 1 && !m->regex_count) {
        bw_put(&s->pairs, m->path->text, m->list[0]);
        return 0;
    }
    if (m->op == M_AND || (m->op == M_OR && m->kid_count == 1))
        for (size_t i = 0; i < m->kid_count; i++)
            if (collect(s, m->kids[i])) return s->err->code;
    return 0;
}

int update_seed(struct pool *a, const struct match *query, struct val *out, struct merr *err)
{
    struct seed s = {.a = a, .err = err};
    bw_init(&s.pairs, a);
    if (collect(&s, query)) return err->code;
    struct val pairs = bw_done(&s.pairs);
    *out = val_empty_doc();
    if (doc_is_empty(pairs)) return 0;
    struct bw spec;
    bw_init(&spec, a);
    bw_put(&spec, "$set", pairs);
    struct update *u;
    if (update_parse(a, bw_done(&spec), VAL_NONE, &u, err)) return err->code;
    struct ectx c = {.a = a, .err = err};
    struct update_result r;
    if (update_apply(u, *out, true, -1, &c, &r)) return err->code;
    *out = r.doc;
    return 0;
}
