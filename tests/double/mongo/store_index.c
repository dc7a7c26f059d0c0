/*
 * store_index.c - keys of documents, unique constraints, building indexes. An entry's key is the encoded
 * fields followed by the record's place, so that equal fields make distinct entries.
 */
#include "store_index.h"
#include "text.h"

#include <stdlib.h>

struct keys {
    struct kbuf *k;
    size_t n, cap;
    bool multikey;
};

static void keys_fini(struct keys *ks)
{
    for (size_t i = 0; i < ks->n; i++) kbuf_fini(&ks->k[i]);
    free(ks->k);
}

static struct kbuf *add_key(struct keys *ks)
{
    if (ks->n == ks->cap) {
        ks->cap = ks->cap ? ks->cap * 2 : 2;
        ks->k = xrealloc(ks->k, ks->cap * sizeof *ks->k);
    }
    kbuf_init(&ks->k[ks->n]);
    return &ks->k[ks->n++];
}

struct values {
    struct val *v;
    size_t n, cap;
    bool in_array, present;
};

static bool collect(void *ctx, struct val v, int64_t index)
{
    struct values *vs = ctx;
    if (index >= 0 || val_is_arr(v)) vs->in_array = true;
    if (val_is_arr(v) && index < 0) {
        if (!doc_is_empty(v)) return false; /* its elements came before it */
        v = (struct val){NULL, 0, BSON_TYPE_UNDEFINED};
    } else if (val_is_arr(v) && !doc_is_empty(v) && vs->n) {
        return false;
    }
    if (!val_missing(v)) vs->present = true;
    if (vs->n == vs->cap) {
        vs->cap = vs->cap ? vs->cap * 2 : 4;
        vs->v = xrealloc(vs->v, vs->cap * sizeof *vs->v);
    }
    vs->v[vs->n++] = val_missing(v) ? val_null() : v;
    return false;
}

static void product(const struct sort_spec *pieces, const struct values *vs, size_t at, struct kbuf *so_far,
                    struct keys *out)
{
    if (at == pieces->n) {
        struct kbuf *k = add_key(out);
        kbuf_raw(k, so_far->p, so_far->n);
        return;
    }
    size_t len = so_far->n;
    for (size_t i = 0; i < vs[at].n; i++) {
        keystring_put(so_far, vs[at].v[i], pieces->pieces[at].descending);
        product(pieces, vs, at + 1, so_far, out);
        so_far->n = len;
    }
}

static int cmp_kbuf(const void *a, const void *b)
{
    const struct kbuf *x = a, *y = b;
    return key_cmp(x->p, x->n, y->p, y->n);
}

static void unique_keys(struct keys *ks)
{
    if (ks->n < 2) return;
    qsort(ks->k, ks->n, sizeof *ks->k, cmp_kbuf);
    size_t keep = 1;
    for (size_t i = 1; i < ks->n; i++) {
        if (cmp_kbuf(&ks->k[keep - 1], &ks->k[i]) == 0) {
            kbuf_fini(&ks->k[i]);
        } else {
            ks->k[keep++] = ks->k[i];
        }
    }
    ks->n = keep;
}

static bool is_indexed(const struct index *ix, struct val doc)
{
    struct match_vars vars = {.array_index = -1};
    return !ix->partial || match_eval(ix->partial, doc, &vars);
}

/* The keys of a document, without the record's place. */
static void make_keys(const struct index *ix, struct val doc, struct keys *out)
{
    const struct collation *before = collation_use(ix->collation);
    memset(out, 0, sizeof *out);
    if (!is_indexed(ix, doc)) {
        collation_use(before);
        return;
    }
    struct values vs[32];
    bool present = false;
    for (size_t i = 0; i < ix->pieces->n; i++) {
        memset(&vs[i], 0, sizeof vs[i]);
        path_visit(ix->pieces->pieces[i].path, doc, PATH_LEAF_ELEMENTS, collect, &vs[i]);
        if (!vs[i].n) collect(&vs[i], VAL_NONE, -1);
        out->multikey |= vs[i].in_array;
        present |= vs[i].present;
    }
    struct kbuf so_far;
    kbuf_init(&so_far);
    if (!ix->sparse || present) product(ix->pieces, vs, 0, &so_far, out);
    kbuf_fini(&so_far);
    for (size_t i = 0; i < ix->pieces->n; i++) free(vs[i].v);
    unique_keys(out);
    collation_use(before);
}

/* Which of a field's values made the key: the one whose encoding stands at `at`. */
static struct val value_of_key(const struct values *vs, bool descending, const struct kbuf *key, size_t *at)
{
    for (size_t i = 0; i < vs->n; i++) {
        struct kbuf k;
        kbuf_init(&k);
        keystring_put(&k, vs->v[i], descending);
        bool here = *at + k.n <= key->n && memcmp(key->p + *at, k.p, k.n) == 0;
        if (here) *at += k.n;
        kbuf_fini(&k);
        if (here) return vs->v[i];
    }
    return val_null();
}

/* A value of a key as the server shows it: of strings under a collation, the bytes by which they compare. */
static void put_key_value(const struct index *ix, const char *name, struct val v, struct bw *text,
                          struct bw *value)
{
    struct kbuf key;
    struct buf hex;
    if (!ix->collation || !val_is_str(v)) {
        bw_put(text, name, v);
        bw_put(value, name, v);
        return;
    }
    kbuf_init(&key);
    buf_init(&hex, 0);
    collation_key(&key, val_str(v), val_strlen(v));
    buf_puts(&hex, "0x");
    for (size_t i = 0; i < key.n; i++) buf_printf(&hex, "%02x", key.p[i]);
    bw_str(text, name, hex.data);
    bw_strn(value, name, (const char *)key.p, key.n);
    buf_fini(&hex);
    kbuf_fini(&key);
}

static int duplicate(const struct coll *c, const struct index *ix, struct val doc, const struct kbuf *key,
                     struct merr *err)
{
    struct pool a = {0};
    struct bw text, value, *extra;
    size_t at = 0;
    const struct collation *before = collation_use(ix->collation);
    bw_init(&text, &a);
    bw_init(&value, &a);
    for (size_t i = 0; i < ix->pieces->n; i++) {
        const struct sort_piece *p = &ix->pieces->pieces[i];
        struct values vs = {0};
        path_visit(p->path, doc, PATH_LEAF_ELEMENTS, collect, &vs);
        put_key_value(ix, p->path->text, value_of_key(&vs, p->descending, key, &at), &text, &value);
        free(vs.v);
    }
    collation_use(before);
    int code = merr_set(err, MERR_DUPLICATE_KEY,
                        "E11000 duplicate key error collection: %s index: %s%s%s dup key: %s", c->ns,
                        ix->name, ix->collation ? " collation: " : "",
                        ix->collation ? text_of(&a, doc_get(ix->spec, "collation"), TEXT_BSON) : "",
                        text_of(&a, bw_done(&text), TEXT_BSON));
    extra = merr_extra(err);
    bw_put(extra, "keyPattern", ix->key);
    bw_put(extra, "keyValue", bw_done(&value));
    pool_fini(&a);
    return code;
}

static bool taken(const struct index *ix, const struct kbuf *k, const struct rec *r, const struct rec *except)
{
    struct snode *n = skiplist_seek(&ix->list, k->p, k->n, false);
    for (; n && n->key_bytes == k->n + 8 && !memcmp(snode_key(n), k->p, k->n); n = n->next[0])
        if (n->rec != r && n->rec != except) return true;
    return false;
}

static int add_keys(const struct coll *c, struct index *ix, struct keys *ks, struct rec *r,
                    const struct rec *except, struct merr *err)
{
    if (ix->unique || ix == c->indexes[0])
        for (size_t i = 0; i < ks->n; i++)
            if (taken(ix, &ks->k[i], r, except)) return duplicate(c, ix, rec_doc(r), &ks->k[i], err);
    for (size_t i = 0; i < ks->n; i++) {
        keystring_u64(&ks->k[i], r->rid);
        skiplist_insert(&ix->list, ks->k[i].p, ks->k[i].n, r);
    }
    ix->multikey |= ks->multikey;
    return 0;
}

int index_add(const struct coll *c, struct index *ix, struct rec *r, const struct rec *except,
              struct merr *err)
{
    struct keys ks;
    make_keys(ix, rec_doc(r), &ks);
    int rc = add_keys(c, ix, &ks, r, except, err);
    keys_fini(&ks);
    return rc;
}

void index_remove(struct index *ix, struct rec *r)
{
    struct keys ks;
    make_keys(ix, rec_doc(r), &ks);
    for (size_t i = 0; i < ks.n; i++) {
        keystring_u64(&ks.k[i], r->rid);
        skiplist_remove(&ix->list, ks.k[i].p, ks.k[i].n);
    }
    keys_fini(&ks);
}

static bool same_keys(const struct keys *a, const struct keys *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (cmp_kbuf(&a->k[i], &b->k[i]) != 0) return false;
    return true;
}

int index_change(const struct coll *c, struct index *ix, struct rec *old, struct rec *now, struct merr *err)
{
    struct keys before, after;
    int rc = 0;
    make_keys(ix, rec_doc(old), &before);
    make_keys(ix, rec_doc(now), &after);
    if (same_keys(&before, &after)) {
        for (size_t i = 0; i < after.n; i++) {
            keystring_u64(&after.k[i], now->rid);
            skiplist_replace(&ix->list, after.k[i].p, after.k[i].n, now);
        }
    } else {
        for (size_t i = 0; (ix->unique || ix == c->indexes[0]) && !rc && i < after.n; i++)
            if (taken(ix, &after.k[i], now, old)) rc = duplicate(c, ix, rec_doc(now), &after.k[i], err);
        if (!rc) {
            for (size_t i = 0; i < before.n; i++) {
                keystring_u64(&before.k[i], old->rid);
                skiplist_remove(&ix->list, before.k[i].p, before.k[i].n);
            }
            rc = add_keys(c, ix, &after, now, old, err);
        }
    }
    keys_fini(&before);
    keys_fini(&after);
    return rc;
}

/* ---- building and finding ---- */

void index_free(struct index *ix)
{
    skiplist_fini(&ix->list);
    pool_fini(&ix->a);
    free(ix);
}

struct index *coll_index(const struct coll *c, const char *name)
{
    for (size_t i = 0; i < c->index_count; i++)
        if (!strcmp(c->indexes[i]->name, name)) return c->indexes[i];
    return NULL;
}

int coll_add_index(struct coll *c, struct val spec, struct merr *err)
{
    struct index *ix = xcalloc(1, sizeof *ix);
    skiplist_init(&ix->list);
    ix->spec = val_dup(&ix->a, spec);
    ix->key = doc_get(ix->spec, "key");
    struct val name = doc_get(ix->spec, "name"), partial = doc_get(ix->spec, "partialFilterExpression");
    ix->name = pool_strndup(&ix->a, val_str(name), val_strlen(name));
    ix->unique = val_truthy(doc_get(ix->spec, "unique"));
    ix->sparse = val_truthy(doc_get(ix->spec, "sparse"));
    int rc = sort_parse(&ix->a, ix->key, &ix->pieces, err);
    if (!rc && ix->pieces->n > 32) rc = merr_set(err, 13103, "too many compound keys");
    if (!rc) rc = collation_parse(&ix->a, doc_get(ix->spec, "collation"), &ix->collation, err);
    if (!rc && val_is_doc(partial)) rc = match_parse(&ix->a, partial, NULL, &ix->partial, err);
    c->indexes = xrealloc(c->indexes, (c->index_count + 1) * sizeof *c->indexes);
    if (!c->index_count) c->indexes[0] = ix; /* add_keys knows the index of _id by its place */
    for (struct rec *r = rc ? NULL : coll_scan(c, 0); r && !rc; r = coll_scan(c, r->rid + 1))
        rc = index_add(c, ix, r, NULL, err);
    if (rc) {
        index_free(ix);
        return rc;
    }
    c->indexes[c->index_count++] = ix;
    return 0;
}

void coll_drop_index(struct coll *c, size_t at)
{
    index_free(c->indexes[at]);
    memmove(c->indexes + at, c->indexes + at + 1, (c->index_count - at - 1) * sizeof *c->indexes);
    c->index_count--;
}
