/* sortkey.c - parses sort patterns and makes sort keys. Pure. */
#include "sortkey.h"
#include "text.h"

int sort_parse(struct pool *a, struct val spec, struct sort_spec **out, struct merr *err)
{
    size_t n = doc_count(spec);
    struct sort_spec *s = pool_alloc(a, sizeof *s + (n + 1) * sizeof *s->pieces);
    struct iter it;
    s->n = 0;
    for (iter_init(&it, spec); iter_next(&it);) {
        if (val_is_doc(it.v))
            return val_missing(doc_get(it.v, "$meta"))
                       ? merr_set(err, 17312, "$meta is the only expression supported by $sort right now")
                       : merr_set(err, MERR_NOT_IMPLEMENTED, "the stand-in does not know $meta");
        if (!val_is_num(it.v))
            return merr_set(err, 15974, "Illegal key in $sort specification: %s",
                            text_field(a, it.key, it.v));
        if (val_ldouble(it.v) != 1 && val_ldouble(it.v) != -1)
            return merr_set(err, 15975,
                            "$sort key ordering must be 1 (for ascending) or -1 (for descending)");
        if (!it.keylen) return merr_set(err, 40352, "FieldPath cannot be constructed with empty string");
        struct path *p = path_parse(a, it.key, it.keylen);
        if (!p) return merr_set(err, MERR_OVERFLOW, "FieldPath is too long");
        s->pieces[s->n++] = (struct sort_piece){p, val_ldouble(it.v) < 0};
    }
    *out = s;
    return 0;
}

int key_cmp(const uint8_t *a, size_t an, const uint8_t *b, size_t bn)
{
    size_t n = an < bn ? an : bn;
    int c = n ? memcmp(a, b, n) : 0;
    return c ? c : (an > bn) - (an < bn);
}

struct best {
    struct val v;
    bool found, descending;
};

static bool visit(void *ctx, struct val v, int64_t index)
{
    struct best *b = ctx;
    (void)index;
    if (val_is_arr(v)) {
        if (!doc_is_empty(v)) return false; /* its elements were seen */
        v = VAL_NONE;                       /* an empty array sorts as undefined */
    } else if (val_missing(v)) {
        v = val_null();
    }
    int c = b->found ? val_cmp(v, b->v) : 0;
    if (!b->found || (b->descending ? c > 0 : c < 0)) b->v = v;
    b->found = true;
    return false;
}

void sort_key(const struct sort_spec *s, struct val doc, struct kbuf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        struct best b = {.descending = s->pieces[i].descending};
        path_visit(s->pieces[i].path, doc, PATH_LEAF_ELEMENTS, visit, &b);
        keystring_put(out, b.found ? b.v : val_null(), b.descending);
    }
}
