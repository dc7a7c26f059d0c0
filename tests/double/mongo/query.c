/*
 * query.c - a small planner and the iteration over what it chose. Index ranges may be wider than the filter,
 * which is asked about every record again. Owns references to records while it holds a sorted list.
 */
#include "query.h"
#include "text.h"

#include <stdlib.h>

struct range {
    struct kbuf lo, hi; /* lo <= key < hi; an empty hi has no end */
};

enum source { FROM_SCAN, FROM_INDEX, FROM_LIST };

struct held {
    struct rec *rec;
    struct kbuf key;
    size_t seq;
};

struct query {
    struct coll *coll;
    struct match *filter;
    struct sort_spec *sort;
    int64_t to_skip, left; /* left -1: no limit */
    enum source source;
    uint64_t rid;
    struct index *index;
    struct range *ranges;
    size_t range_count, range;
    bool backward, in_range;
    struct snode *node;
    struct kbuf last; /* key of the entry given last */
    bool have_last;
    struct held *list;
    size_t list_count, list_at;
    int64_t array_index;
    struct pool scratch; /* of one evaluation of the filter */
};

static void close_query(void *p)
{
    struct query *q = p;
    for (size_t i = 0; i < q->range_count; i++) {
        kbuf_fini(&q->ranges[i].lo);
        kbuf_fini(&q->ranges[i].hi);
    }
    free(q->ranges);
    for (size_t i = 0; i < q->list_count; i++) {
        rec_unref(q->list[i].rec);
        kbuf_fini(&q->list[i].key);
    }
    free(q->list);
    kbuf_fini(&q->last);
    coll_unref(q->coll);
    pool_fini(&q->scratch);
    q->ranges = NULL;
    q->list = NULL;
    q->range_count = q->list_count = 0;
    q->coll = NULL;
}

void query_close(struct query *q)
{
    close_query(q);
}

/* ---- ranges ---- */

/* The least key that does not begin with these bytes. */
static void successor(struct kbuf *k)
{
    while (k->n && k->p[k->n - 1] == 0xFF) k->n--;
    if (k->n) k->p[k->n - 1]++;
}

static struct range *add_range(struct query *q)
{
    q->ranges = xrealloc(q->ranges, (q->range_count + 1) * sizeof *q->ranges);
    struct range *r = &q->ranges[q->range_count++];
    kbuf_init(&r->lo);
    kbuf_init(&r->hi);
    return r;
}

/* The bytes at which values of the same class begin and end. */
static void class_bounds(struct val v, struct range *r)
{
    struct kbuf k;
    kbuf_init(&k);
    keystring_put(&k, v, false);
    uint8_t first = k.p[0], lo, hi;
    kbuf_fini(&k);
    if (first >= 30 && first < KS_STRING) {
        lo = 30, hi = KS_STRING;
    } else {
        lo = (uint8_t)(first - first % 10), hi = (uint8_t)(lo + 10);
    }
    kbuf_raw(&r->lo, &lo, 1);
    kbuf_raw(&r->hi, &hi, 1);
}

static void point(struct query *q, struct val v)
{
    struct range *r = add_range(q);
    keystring_put(&r->lo, v, false);
    keystring_put(&r->hi, v, false);
    successor(&r->hi);
}

/* An index serves comparisons by its own collation only, except of values without strings in them. */
static bool same_collation(const struct index *ix)
{
    const struct collation *used = collation_used();
    return (ix->collation ? ix->collation->strength : 0) == (used ? used->strength : 0);
}

static bool has_strings(struct val v)
{
    return val_is_str(v) || val_is_doc(v) || val_is_arr(v) || val_is(v, BSON_TYPE_SYMBOL);
}

static bool indexable(struct val v, const struct index *ix)
{
    if (has_strings(v) && !same_collation(ix)) return false;
    if (val_nullish(v)) return !ix->multikey && !ix->sparse && !ix->partial;
    return !val_is_arr(v) && !val_is(v, BSON_TYPE_REGEX) && !val_is(v, BSON_TYPE_MINKEY) &&
           !val_is(v, BSON_TYPE_MAXKEY);
}

static int cmp_ranges(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return key_cmp(x->lo.p, x->lo.n, y->lo.p, y->lo.n);
}

/* Ranges for one predicate on the index's first field; false if the index is of no use for it. */
static bool ranges_for(struct query *q, const struct match *m, const struct index *ix)
{
    struct range *r;
    switch (m->op) {
    case M_EQ:
        if (!indexable(m->arg, ix)) return false;
        if (val_nullish(m->arg)) point(q, (struct val){NULL, 0, BSON_TYPE_UNDEFINED});
        point(q, m->arg);
        return true;
    case M_IN:
        if (m->regex_count) return false;
        for (size_t i = 0; i < m->list_count; i++)
            if (!indexable(m->list[i], ix) || val_nullish(m->list[i])) return false;
        for (size_t i = 0; i < m->list_count; i++) {
            if (i && val_cmp(m->list[i], m->list[i - 1]) == 0) continue;
            point(q, m->list[i]);
        }
        /* an index whose keys are inverted runs the other way */
        if (q->range_count) qsort(q->ranges, q->range_count, sizeof *q->ranges, cmp_ranges);
        return true;
    case M_LT:
    case M_LTE:
    case M_GT:
    case M_GTE:
        if (!indexable(m->arg, ix) || val_nullish(m->arg) || val_is_doc(m->arg)) return false;
        r = add_range(q);
        class_bounds(m->arg, r);
        if (m->op == M_LT || m->op == M_LTE) {
            r->hi.n = 0;
            keystring_put(&r->hi, m->arg, false);
            if (m->op == M_LTE) successor(&r->hi);
        } else {
            r->lo.n = 0;
            keystring_put(&r->lo, m->arg, false);
            if (m->op == M_GT) successor(&r->lo);
        }
        return true;
    default:
        return false;
    }
}

static bool is_path(const struct match *m, const struct index *ix)
{
    return m->path && strcmp(m->path->text, ix->pieces->pieces[0].path->text) == 0;
}

/* How good a predicate is: equalities first, then ranges. */
static int rank(const struct match *m)
{
    return m->op == M_EQ                                                        ? 3
           : m->op == M_IN                                                      ? 2
           : m->op == M_LT || m->op == M_LTE || m->op == M_GT || m->op == M_GTE ? 1
                                                                                : 0;
}

static bool implied(const struct index *ix)
{
    return !ix->partial; /* whether a filter implies a partial one is not worked out */
}

/* Picks index and predicate; leaves the ranges in the query. */
static void choose_index(struct query *q)
{
    const struct match *best = NULL, *single[1] = {q->filter};
    const struct match *const *kids =
        q->filter->op == M_AND ? (const struct match *const *)q->filter->kids : single;
    size_t n = q->filter->op == M_AND ? q->filter->kid_count : 1;
    struct index *use = NULL;
    for (size_t i = 0; i < q->coll->index_count; i++) {
        struct index *ix = q->coll->indexes[i];
        if (!implied(ix) || ix->pieces->pieces[0].descending) continue;
        for (size_t k = 0; k < n; k++) {
            if (!is_path(kids[k], ix) || !rank(kids[k])) continue;
            if (best && rank(kids[k]) <= rank(best)) continue;
            struct query trial = {.coll = q->coll};
            bool ok = ranges_for(&trial, kids[k], ix);
            trial.coll = NULL;
            close_query(&trial);
            if (ok) best = kids[k], use = ix;
        }
    }
    if (!use) return;
    ranges_for(q, best, use);
    /* a query by _id alone is known to be over after one document */
    if (best == q->filter && best->op == M_EQ && use == q->coll->indexes[0] && q->left < 0 && !q->to_skip)
        q->left = 1;
    q->index = use;
    q->source = FROM_INDEX;
}

/* True if walking the index gives the order of the sort; *backward says which way. */
static bool gives_order(const struct index *ix, const struct sort_spec *sort, bool *backward)
{
    if (!same_collation(ix) || ix->multikey || ix->sparse || ix->partial || sort->n > ix->pieces->n)
        return false;
    for (size_t i = 0; i < sort->n; i++) {
        const struct sort_piece *s = &sort->pieces[i], *p = &ix->pieces->pieces[i];
        if (strcmp(s->path->text, p->path->text)) return false;
        bool reversed = s->descending != p->descending;
        if (i == 0) *backward = reversed;
        if (reversed != *backward) return false;
    }
    return true;
}

/* ---- hints, min and max ---- */

static struct index *hinted(const struct coll *c, struct val hint)
{
    if (val_is_str(hint)) return coll_index(c, val_str(hint));
    for (size_t i = 0; i < c->index_count; i++)
        if (val_cmp(c->indexes[i]->key, hint) == 0) return c->indexes[i];
    return NULL;
}

static int bound_key(const struct index *ix, struct val bound, struct kbuf *out, struct merr *err)
{
    struct iter it;
    iter_init(&it, bound);
    for (size_t i = 0; i < ix->pieces->n; i++) {
        if (!iter_next(&it) || strcmp(it.key, ix->pieces->pieces[i].path->text) ||
            (has_strings(it.v) && !same_collation(ix)))
            return merr_set(err, 51174, "The index chosen is not compatible with min/max");
        keystring_put(out, it.v, ix->pieces->pieces[i].descending);
    }
    return iter_next(&it) ? merr_set(err, 51174, "The index chosen is not compatible with min/max") : 0;
}

static int plan_bounds(struct query *q, const struct query_spec *spec, struct merr *err)
{
    struct range *r = add_range(q);
    if (!val_missing(spec->min) && bound_key(q->index, spec->min, &r->lo, err)) return err->code;
    if (!val_missing(spec->max) && bound_key(q->index, spec->max, &r->hi, err)) return err->code;
    return 0;
}

static int planner_error(struct query *q, const struct query_spec *spec, int code, const char *reason,
                         struct merr *err)
{
    struct pool a = {0};
    struct buf b;
    buf_init(&b, 1 << 20);
    if (val_is_num(spec->batch_size)) buf_printf(&b, " batchSize=%lld", (long long)val_int(spec->batch_size));
    if (spec->limit) buf_printf(&b, " limit=%lld", (long long)spec->limit);
    if (spec->skip) buf_printf(&b, " skip=%lld", (long long)spec->skip);
    merr_set(err, code,
             "error processing query: ns=%s%sTree: %sSort: %s\nProj: %s\n planner returned error :: caused "
             "by :: %s",
             q->coll->ns, b.data ? b.data : "", match_text(&a, q->filter),
             text_of(&a, val_is_doc(spec->sort) ? spec->sort : val_empty_doc(), TEXT_BSON),
             text_of(&a, val_is_doc(spec->projection) ? spec->projection : val_empty_doc(), TEXT_BSON),
             reason);
    buf_fini(&b);
    pool_fini(&a);
    return code;
}

/* ---- lists: sorted results, and index entries that may repeat ---- */

static int cmp_held(const void *a, const void *b)
{
    const struct held *x = a, *y = b;
    int c = key_cmp(x->key.p, x->key.n, y->key.p, y->key.n);
    return c ? c : (x->seq > y->seq) - (x->seq < y->seq);
}

static int cmp_rid(const void *a, const void *b)
{
    const struct held *x = a, *y = b;
    return (x->rec->rid > y->rec->rid) - (x->rec->rid < y->rec->rid);
}

static struct rec *next_match(struct query *q, struct ectx *ectx);

static void collect(struct query *q, struct ectx *ectx, bool reversed)
{
    struct held *list = NULL;
    size_t n = 0, cap = 0;
    struct rec *r;
    while ((r = next_match(q, ectx))) {
        if (n == cap) {
            cap = cap ? cap * 2 : 64;
            list = xrealloc(list, cap * sizeof *list);
        }
        list[n] = (struct held){.rec = rec_ref(r), .seq = n};
        kbuf_init(&list[n].key);
        if (q->sort) sort_key(q->sort, rec_doc(r), &list[n].key);
        n++;
    }
    if (n && q->source == FROM_INDEX && q->index->multikey) {
        qsort(list, n, sizeof *list, cmp_rid);
        size_t keep = 1;
        for (size_t i = 1; i < n; i++) {
            if (list[i].rec == list[keep - 1].rec) {
                rec_unref(list[i].rec);
                kbuf_fini(&list[i].key);
            } else {
                list[keep++] = list[i];
            }
        }
        n = keep;
    }
    if (n && q->sort) qsort(list, n, sizeof *list, cmp_held);
    for (size_t i = 0; reversed && i < n / 2; i++) {
        struct held t = list[i];
        list[i] = list[n - 1 - i];
        list[n - 1 - i] = t;
    }
    q->list = list;
    q->list_count = n;
    q->list_at = 0;
    q->source = FROM_LIST;
}

/* ---- opening ---- */

static int plan(struct pool *a, struct query *q, const struct query_spec *spec, struct ectx *ectx,
                struct merr *err)
{
    bool bounds = !val_missing(spec->min) || !val_missing(spec->max), natural = false, reversed = false;
    bool hint = !val_missing(spec->hint) && !(val_is_doc(spec->hint) && doc_is_empty(spec->hint));
    struct val nat = val_is_doc(spec->hint) ? doc_get(spec->hint, "$natural") : VAL_NONE;
    if (val_is_doc(spec->sort) && !val_missing(doc_get(spec->sort, "$natural")))
        nat = doc_get(spec->sort, "$natural");
    if (!val_missing(nat)) natural = true, reversed = val_ldouble(nat) < 0;
    if (val_is_doc(spec->sort) && !doc_is_empty(spec->sort) && !natural &&
        sort_parse(a, spec->sort, &q->sort, err))
        return err->code;
    if (bounds && !hint)
        return planner_error(q, spec, 51173,
                             "When using min()/max() a hint of which index to use must be provided", err);
    if (hint && val_missing(doc_get(spec->hint, "$natural"))) {
        q->index = hinted(q->coll, spec->hint);
        if (!q->index)
            return planner_error(q, spec, MERR_BAD_VALUE,
                                 "hint provided does not correspond to an existing index", err);
        q->source = FROM_INDEX;
        if (plan_bounds(q, spec, err)) return err->code;
    } else if (!natural) {
        choose_index(q);
    }
    if (q->sort) {
        bool backward = false, ordered = false;
        if (q->source == FROM_INDEX) {
            ordered = gives_order(q->index, q->sort, &backward);
        } else {
            for (size_t i = 0; !ordered && i < q->coll->index_count; i++) {
                ordered = gives_order(q->coll->indexes[i], q->sort, &backward);
                if (!ordered) continue;
                q->index = q->coll->indexes[i];
                q->source = FROM_INDEX;
                add_range(q);
            }
        }
        if (ordered) {
            q->sort = NULL;
            q->backward = backward;
        }
    }
    bool repeats = q->source == FROM_INDEX && q->index->multikey;
    if (q->sort || reversed || repeats) collect(q, ectx, reversed);
    return 0;
}

int query_open(struct pool *a, struct coll *c, const struct query_spec *spec, struct ectx *ectx,
               struct query **out, struct merr *err)
{
    struct query *q = pool_alloc(a, sizeof *q);
    memset(q, 0, sizeof *q);
    q->array_index = -1;
    kbuf_init(&q->last);
    q->to_skip = spec->skip;
    q->left = spec->limit > 0 ? spec->limit : -1;
    if (match_parse(a, val_is_doc(spec->filter) ? spec->filter : val_empty_doc(), NULL, &q->filter, err))
        return err->code;
    if (c) q->coll = coll_ref(c);
    pool_defer(a, close_query, q);
    *out = q;
    return c ? plan(a, q, spec, ectx, err) : 0;
}

/* ---- iterating ---- */

static bool below(const struct snode *n, const struct range *r)
{
    return !r->hi.n || key_cmp(snode_key(n), n->key_bytes, r->hi.p, r->hi.n) < 0;
}

static struct snode *range_start(const struct query *q, const struct range *r)
{
    if (!q->backward) return skiplist_seek(&q->index->list, r->lo.p, r->lo.n, false);
    struct snode *n = r->hi.n ? skiplist_seek(&q->index->list, r->hi.p, r->hi.n, false) : NULL;
    return n ? n->prev : q->index->list.tail;
}

static bool in_range(const struct query *q, const struct snode *n, const struct range *r)
{
    return q->backward ? key_cmp(snode_key(n), n->key_bytes, r->lo.p, r->lo.n) >= 0 : below(n, r);
}

static struct snode *after_last(const struct query *q)
{
    struct snode *n = skiplist_seek(&q->index->list, q->last.p, q->last.n, !q->backward);
    if (!q->backward) return n;
    return n ? n->prev : q->index->list.tail;
}

static struct rec *next_from_index(struct query *q)
{
    while (q->range < q->range_count) {
        const struct range *r = &q->ranges[q->backward ? q->range_count - 1 - q->range : q->range];
        struct snode *n;
        if (!q->in_range) {
            n = range_start(q, r);
            q->in_range = true;
        } else if (q->node) {
            n = q->backward ? q->node->prev : q->node->next[0];
        } else {
            n = q->have_last ? after_last(q) : range_start(q, r);
        }
        if (n && in_range(q, n, r)) {
            q->node = n;
            return n->rec;
        }
        q->range++;
        q->in_range = false;
        q->node = NULL;
        q->have_last = false;
    }
    return NULL;
}

static struct rec *next_record(struct query *q)
{
    struct rec *r;
    switch (q->source) {
    case FROM_INDEX:
        return next_from_index(q);
    case FROM_LIST:
        return q->list_at < q->list_count ? q->list[q->list_at++].rec : NULL;
    default:
        r = coll_scan(q->coll, q->rid);
        if (r) q->rid = r->rid + 1;
        return r;
    }
}

static struct rec *next_match(struct query *q, struct ectx *ectx)
{
    struct rec *r;
    while ((r = next_record(q))) {
        if (q->source == FROM_LIST) return r; /* was asked when the list was made */
        struct ectx e = *ectx;
        struct match_vars vars = {.ectx = &e, .array_index = -1};
        if (q->scratch.bytes > 65536) pool_reset(&q->scratch);
        e.a = &q->scratch;
        bool hit = match_eval(q->filter, rec_doc(r), &vars);
        if (ectx->err->code) return NULL;
        q->array_index = vars.array_index;
        if (hit) return r;
    }
    return NULL;
}

struct rec *query_next(struct query *q, struct ectx *ectx)
{
    if (!q->coll || q->left == 0) return NULL;
    struct rec *r;
    while ((r = next_match(q, ectx)) && q->to_skip > 0) q->to_skip--;
    if (r && q->left > 0) q->left--;
    return r;
}

bool query_at_end(const struct query *q)
{
    /* what was sorted does not say that it is over before it is asked once more */
    return !q->coll || (q->left == 0 && !q->sort);
}

void query_save(struct query *q)
{
    if (q->source != FROM_INDEX || !q->node) return;
    q->last.n = 0;
    kbuf_raw(&q->last, snode_key(q->node), q->node->key_bytes);
    q->have_last = true;
    q->node = NULL;
}

const struct match *query_filter(const struct query *q)
{
    return q->filter;
}

int64_t query_array_index(const struct query *q)
{
    return q->array_index;
}

struct coll *query_coll(const struct query *q)
{
    return q->coll;
}
