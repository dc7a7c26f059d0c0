/*
 * agg.c - runs pipelines. Documents are pushed through the stages one at a time; $sort, $group, $count and
 * $facet hold on to what they need until the end. Knows nothing of collections.
 */
#include "agg_int.h"
#include "text.h"

#include <stdlib.h>

static bool push(struct pipeline *p, size_t at, struct val doc);

static bool stop(struct pipeline *p)
{
    p->stopped = true;
    return false;
}

void pipeline_start(struct pipeline *p, struct pool *keep, struct ectx *c, pipeline_sink *sink,
                    void *sink_ctx)
{
    p->keep = keep;
    p->c = c;
    p->sink = sink;
    p->sink_ctx = sink_ctx;
    p->stopped = false;
    for (size_t i = 0; i < p->n; i++) {
        struct stage *s = &p->stages[i];
        s->seen = 0;
        s->item_count = s->item_cap = 0;
        s->items = NULL;
        s->first = NULL;
        s->last = &s->first;
        s->group_count = 0;
        if (s->kind == S_LIMIT && s->number == 0) p->stopped = true;
        if (s->kind != S_FACET) continue;
        s->facet_results = pool_alloc(keep, s->facet_count * sizeof *s->facet_results);
    }
}

static bool collect_facet(void *ctx, struct val doc)
{
    struct facet_result *f = ctx;
    bw_puti(&f->w, f->n++, doc);
    return true;
}

/* Facets see every document; each has a pipeline of its own. */
static void push_facets(struct pipeline *p, struct stage *s, struct val doc)
{
    for (size_t i = 0; i < s->facet_count; i++) {
        if (s->seen == 0) {
            bw_init(&s->facet_results[i].w, p->keep);
            s->facet_results[i].n = 0;
            pipeline_start(s->facets[i], p->keep, p->c, collect_facet, &s->facet_results[i]);
        }
        if (!val_missing(doc)) pipeline_push(s->facets[i], doc);
    }
    s->seen++;
}

static void finish_facets(struct pipeline *p, size_t at)
{
    struct stage *s = &p->stages[at];
    if (s->seen == 0) push_facets(p, s, VAL_NONE);
    struct bw w;
    bw_init(&w, p->c->a);
    for (size_t i = 0; i < s->facet_count; i++) {
        pipeline_finish(s->facets[i]);
        struct val arr = bw_done(&s->facet_results[i].w);
        arr.t = BSON_TYPE_ARRAY;
        bw_put(&w, s->facet_names[i], arr);
    }
    if (!p->c->err->code) push(p, at + 1, bw_done(&w));
}

static int cmp_items(const void *a, const void *b)
{
    const struct sort_item *x = a, *y = b;
    int c = key_cmp(x->key, x->key_bytes, y->key, y->key_bytes);
    return c ? c : (x->seq > y->seq) - (x->seq < y->seq);
}

static void hold(struct pipeline *p, struct stage *s, struct val doc)
{
    if (s->item_count == s->item_cap) {
        s->item_cap = s->item_cap ? s->item_cap * 2 : 64;
        s->items = xrealloc(s->items, s->item_cap * sizeof *s->items);
    }
    struct sort_item *item = &s->items[s->item_count];
    struct kbuf k;
    kbuf_init(&k);
    if (s->kind == S_SAMPLE) {
        keystring_u64(&k, (uint64_t)random() << 32 | (uint64_t)random());
    } else {
        sort_key(s->sort, doc, &k);
    }
    item->key = pool_copy(p->keep, k.p, k.n);
    item->key_bytes = k.n;
    item->doc = val_dup(p->keep, doc);
    item->seq = s->item_count++;
    kbuf_fini(&k);
}

static void unwind_value(struct bw *w, const struct stage *s, uint32_t at, struct val doc, struct val v)
{
    struct iter it;
    const struct piece *q = &s->unwind->pieces[at];
    for (iter_init(&it, doc); iter_next(&it);) {
        bool here = it.keylen == q->n && memcmp(it.key, q->s, q->n) == 0;
        if (!here) {
            bw_putn(w, it.key, it.keylen, it.v);
        } else if (at + 1 == s->unwind->n) {
            bw_putn(w, it.key, it.keylen, v);
        } else {
            bw_docn(w, it.key, it.keylen);
            unwind_value(w, s, at + 1, it.v, v);
            bw_end(w);
        }
    }
}

static bool unwind(struct pipeline *p, size_t at, struct val doc)
{
    struct stage *s = &p->stages[at];
    struct val v = doc;
    for (uint32_t i = 0; i < s->unwind->n; i++)
        v = val_is_doc(v) ? doc_getn(v, s->unwind->pieces[i].s, s->unwind->pieces[i].n) : VAL_NONE;
    bool arr = val_is_arr(v), empty = arr ? doc_is_empty(v) : val_nullish(v);
    if (empty && !s->keep_empty) return true;
    struct iter it = {0};
    int64_t index = 0;
    if (arr) iter_init(&it, v);
    for (bool once = true; arr && !empty ? iter_next(&it) : once; once = false, index++) {
        struct bw w;
        bw_init(&w, p->c->a);
        unwind_value(&w, s, 0, doc, arr ? (empty ? VAL_NONE : it.v) : v);
        if (s->index_field) {
            if (arr && !empty) {
                bw_i64(&w, s->index_field, index);
            } else {
                bw_null(&w, s->index_field);
            }
        }
        if (!push(p, at + 1, bw_done(&w))) return false;
    }
    return true;
}

static struct val replace_root(const struct stage *s, struct val doc, struct ectx *c)
{
    c->root = doc;
    struct val v = expr_eval(s->expr, c);
    if (c->err->code || val_is_doc(v)) return v;
    merr_set(c->err, 40228,
             "'%s' expression  must evaluate to an object, but resulting value was: %s. Type of resulting "
             "value: '%s'. Input document: %s",
             !strcmp(s->name, "$replaceWith") ? "replacement document" : "newRoot",
             text_of(c->a, v, TEXT_VALUE), val_type_name(v.t), text_of(c->a, doc, TEXT_VALUE));
    return VAL_NONE;
}

static bool matches(const struct stage *s, struct val doc, struct ectx *c)
{
    struct match_vars vars = {.ectx = c, .array_index = -1};
    return match_eval(s->match, doc, &vars) && !c->err->code;
}

static bool push(struct pipeline *p, size_t at, struct val doc)
{
    for (; at < p->n; at++) {
        struct stage *s = &p->stages[at];
        switch (s->kind) {
        case S_MATCH:
            if (!matches(s, doc, p->c)) return p->c->err->code ? stop(p) : true;
            break;
        case S_PROJECT:
            doc = projection_apply(s->projection, doc, p->c);
            break;
        case S_REPLACE:
            doc = replace_root(s, doc, p->c);
            break;
        case S_SORT:
        case S_SAMPLE:
            hold(p, s, doc);
            return true;
        case S_GROUP:
            group_push(s, doc, p);
            return p->c->err->code ? stop(p) : true;
        case S_COUNT:
            s->seen++;
            return true;
        case S_SKIP:
            if (s->seen++ < s->number) return true;
            break;
        case S_LIMIT:
            if (s->seen >= s->number) return stop(p);
            if (++s->seen == s->number) {
                push(p, at + 1, doc);
                /* what stands before has nothing more to do */
                return stop(p);
            }
            break;
        case S_UNWIND:
            return unwind(p, at, doc);
        case S_FACET:
            push_facets(p, s, doc);
            return true;
        default:
            break;
        }
        if (p->c->err->code) return stop(p);
    }
    return p->sink(p->sink_ctx, doc) ? true : stop(p);
}

bool pipeline_push(struct pipeline *p, struct val doc)
{
    return !p->stopped && push(p, 0, doc) && !p->stopped;
}

static void flush(struct pipeline *p, size_t at)
{
    struct stage *s = &p->stages[at];
    if (s->kind == S_SORT || s->kind == S_SAMPLE) {
        if (s->item_count) qsort(s->items, s->item_count, sizeof *s->items, cmp_items);
        for (size_t i = 0; i < s->item_count; i++) {
            if (s->kind == S_SAMPLE && (int64_t)i >= s->number) break;
            if (!push(p, at + 1, s->items[i].doc)) break;
        }
    } else if (s->kind == S_GROUP) {
        for (struct group *g = s->first; g; g = group_next(g))
            if (!push(p, at + 1, group_result(s, g, p->c))) break;
    } else if (s->kind == S_COUNT && s->seen) {
        struct bw w;
        bw_init(&w, p->c->a);
        bw_int(&w, s->name, s->seen);
        push(p, at + 1, bw_done(&w));
    } else if (s->kind == S_FACET) {
        finish_facets(p, at);
    }
}

void pipeline_finish(struct pipeline *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct stage *s = &p->stages[i];
        /* a $limit may have stopped what stands before it, never what comes after */
        p->stopped = false;
        if (!p->c->err->code) flush(p, i);
        free(s->items);
        s->items = NULL;
        free(s->buckets);
        s->buckets = NULL;
        s->bucket_count = 0;
    }
}

struct val pipeline_transform(struct pipeline *p, struct val doc, struct ectx *c)
{
    for (size_t i = 0; i < p->n; i++) {
        struct stage *s = &p->stages[i];
        if (s->kind == S_MATCH) {
            if (!matches(s, doc, c)) return VAL_NONE;
        } else if (s->kind == S_PROJECT) {
            doc = projection_apply(s->projection, doc, c);
        } else if (s->kind == S_REPLACE) {
            doc = replace_root(s, doc, c);
        }
        if (c->err->code) return VAL_NONE;
    }
    return doc;
}

bool pipeline_is_coll_stats(const struct pipeline *p)
{
    return p->n && p->stages[0].kind == S_COLL_STATS;
}
