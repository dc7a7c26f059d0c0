/* path.c - walks dotted paths through documents and, implicitly, through arrays. Pure. */
#include "path.h"

struct path *path_parse(struct pool *a, const char *text, size_t bytes)
{
    uint32_t pieces = 1;
    for (size_t i = 0; i < bytes; i++) pieces += text[i] == '.';
    if (pieces > BVAL_MAX_PATH) return NULL;
    struct path *p = pool_alloc(a, sizeof *p + pieces * sizeof *p->pieces);
    char *s = pool_strndup(a, text, bytes);
    p->text = s;
    p->n = pieces;
    for (uint32_t i = 0; i < pieces; i++) {
        struct piece *q = &p->pieces[i];
        size_t len = strcspn(s, ".");
        if (i + 1 == pieces) len = strlen(s);
        *q = (struct piece){.s = s, .n = (uint32_t)len};
        q->numeric = len > 0 && len < 9 && strspn(s, "0123456789") >= len && (len == 1 || s[0] != '0');
        for (size_t k = 0; q->numeric && k < len; k++) q->index = q->index * 10 + (uint32_t)(s[k] - '0');
        s += len + 1;
    }
    return p;
}

struct walk {
    const struct path *p;
    enum path_leaf leaf;
    path_visit_fn *visit;
    void *ctx;
};

static bool walk_doc(const struct walk *w, uint32_t at, struct val doc, int64_t index);

static bool walk_leaf(const struct walk *w, struct val v, int64_t index)
{
    if (val_is_arr(v) && w->leaf == PATH_LEAF_ELEMENTS) {
        struct iter it;
        int64_t i = 0;
        for (iter_init(&it, v); iter_next(&it); i++)
            if (w->visit(w->ctx, it.v, index >= 0 ? index : i)) return true;
    }
    return w->visit(w->ctx, v, index);
}

/* `arr` was found where part `at` is to be looked up next. */
static bool walk_array(const struct walk *w, uint32_t at, struct val arr, int64_t index)
{
    const struct piece *q = &w->p->pieces[at];
    struct iter it;
    int64_t i = 0;
    for (iter_init(&it, arr); iter_next(&it); i++) {
        int64_t outer = index >= 0 ? index : i;
        if (val_is_doc(it.v) && walk_doc(w, at, it.v, outer)) return true;
        if (!q->numeric || q->index != (uint32_t)i) continue;
        if (at + 1 == w->p->n) {
            if (walk_leaf(w, it.v, outer)) return true;
        } else if (val_is_doc(it.v)) {
            if (walk_doc(w, at + 1, it.v, outer)) return true;
        } else if (val_is_arr(it.v)) {
            if (walk_array(w, at + 1, it.v, outer)) return true;
        }
    }
    return false;
}

static bool walk_doc(const struct walk *w, uint32_t at, struct val doc, int64_t index)
{
    const struct piece *q = &w->p->pieces[at];
    struct val v = doc_getn(doc, q->s, q->n);
    if (at + 1 == w->p->n) return walk_leaf(w, v, index);
    if (val_is_doc(v)) return walk_doc(w, at + 1, v, index);
    if (val_is_arr(v)) return walk_array(w, at + 1, v, index);
    return w->visit(w->ctx, VAL_NONE, index);
}

bool path_visit_from(const struct path *p, uint32_t from, struct val doc, enum path_leaf leaf,
                     path_visit_fn *visit, void *ctx)
{
    struct walk w = {p, leaf, visit, ctx};
    return walk_doc(&w, from, doc, -1);
}

bool path_visit(const struct path *p, struct val doc, enum path_leaf leaf, path_visit_fn *visit, void *ctx)
{
    return path_visit_from(p, 0, doc, leaf, visit, ctx);
}
