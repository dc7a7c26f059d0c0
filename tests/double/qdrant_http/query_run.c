/* query_run.c - running a search on an open collection. It owns the lists it returns. */
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/query.h"
#include "qdrant_http/strict.h"

#define RRF_K 2.0F /* reciprocal rank fusion: 1 / (2 + rank) */

static const struct vector_space *find_space(struct call *c, const char *name)
{
    const struct vector_space *s = collection_space(c->collection, name, strlen(name));

    if (!s) call_error(c, 400, "Wrong input: Not existing vector name error: %s", name);
    return s;
}

/* The vector an input stands for. */
static bool resolve(struct call *c, const struct vector_space *s, const struct query_input *in,
                    struct vector_write *out)
{
    memset(out, 0, sizeof *out);
    out->space = s;
    if (in->by_id) {
        uint32_t slot = collection_find(c->collection, &in->id);
        char text[POINTID_TEXT_BYTES];

        if (slot == NO_SLOT || !vector_present(s, slot)) {
            pointid_text(&in->id, text);
            call_error(c, 404, "Not found: No point with id %s found", text);
            return false;
        }
        if (s->sparse)
            out->sparse = *vector_sparse(s, slot);
        else
            out->values = vector_dense(s, slot);
        return true;
    }
    if (in->vector.sparse != s->sparse || in->vector.multi) {
        call_error(c, 400, "Wrong input: Conversion between sparse and regular vectors failed");
        return false;
    }
    if (!s->sparse && in->vector.count != s->size) {
        call_error(c, 400, "Wrong input: Vector dimension error: expected dim: %u, got %u", s->size,
                   in->vector.count);
        return false;
    }
    out->values = in->vector.values;
    out->sparse.count = in->vector.count;
    out->sparse.indices = in->vector.indices;
    out->sparse.values = in->vector.values;
    scoring_prepare(&c->arena, out);
    return true;
}

static struct vector_write *resolve_all(struct call *c, const struct vector_space *s,
                                        const struct query_input *in, size_t count)
{
    struct vector_write *out = pool_take(&c->arena, (count + 1) * sizeof *out);

    for (size_t i = 0; i < count; i++)
        if (!resolve(c, s, &in[i], &out[i])) return NULL;
    return out;
}

/* avg(positive), and pushed away from avg(negative) if there are any. */
static void average(struct call *c, struct target *t)
{
    uint32_t n = t->space->size;
    float *sum = pool_zero(&c->arena, n * sizeof *sum);

    for (uint32_t i = 0; i < n; i++) {
        float positive = 0;
        float negative = 0;

        for (size_t k = 0; k < t->positive_count; k++) positive += t->positive[k].values[i];
        for (size_t k = 0; k < t->negative_count; k++) negative += t->negative[k].values[i];
        positive /= (float)t->positive_count;
        if (t->negative_count) positive += positive - negative / (float)t->negative_count;
        sum[i] = positive;
    }
    t->type = TARGET_NEAREST;
    t->query.space = t->space;
    t->query.values = sum;
    scoring_prepare(&c->arena, &t->query);
}

static bool make_target(struct call *c, const struct query *q, struct target *t)
{
    memset(t, 0, sizeof *t);
    t->space = find_space(c, q->using);
    if (!t->space) return false;
    if (q->type == QUERY_NEAREST) return resolve(c, t->space, &q->goal, &t->query);
    t->positive_count = q->positive_count;
    t->negative_count = q->negative_count;
    t->positive = resolve_all(c, t->space, q->positive, q->positive_count);
    t->negative = t->positive ? resolve_all(c, t->space, q->negative, q->negative_count) : NULL;
    if (!t->negative) return false;
    if (q->type == QUERY_DISCOVER || q->type == QUERY_CONTEXT) {
        t->type = q->type == QUERY_DISCOVER ? TARGET_DISCOVER : TARGET_CONTEXT;
        return q->type == QUERY_CONTEXT || resolve(c, t->space, &q->goal, &t->query);
    }
    t->type = q->strategy == RECOMMEND_SUM ? TARGET_SUM_SCORES : TARGET_BEST_SCORE;
    if (q->strategy != RECOMMEND_AVERAGE) {
        if (q->positive_count || q->negative_count) return true;
        call_error(c, 400,
                   "Bad request: At least one positive or negative vector ID required with this strategy");
        return false;
    }
    if (!q->positive_count || t->space->sparse) {
        call_error(c, 400, "Bad request: At least one positive vector ID required");
        return false;
    }
    average(c, t);
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    return pointid_compare(a, b);
}

/* A copy of the filter that leaves out the points a query was made from. */
static struct filter *without_examples(struct call *c, const struct query *q)
{
    struct filter *f = pool_zero(&c->arena, sizeof *f);
    struct condition *cond = pool_zero(&c->arena, sizeof *cond);
    size_t n = 0;

    cond->type = CONDITION_HAS_ID;
    cond->ids = pool_take(&c->arena, (q->positive_count + q->negative_count + 1) * sizeof *cond->ids);
    if (q->goal.by_id) cond->ids[n++] = q->goal.id;
    for (size_t i = 0; i < q->positive_count; i++)
        if (q->positive[i].by_id) cond->ids[n++] = q->positive[i].id;
    for (size_t i = 0; i < q->negative_count; i++)
        if (q->negative[i].by_id) cond->ids[n++] = q->negative[i].id;
    cond->id_count = n;
    qsort(cond->ids, n, sizeof *cond->ids, compare_ids);
    if (!n) return q->filter;
    f->must_not = cond;
    f->must_not_count = 1;
    if (q->filter) {
        struct condition *inner = pool_zero(&c->arena, sizeof *inner);

        inner->type = CONDITION_FILTER;
        inner->filter = q->filter;
        f->must = inner;
        f->must_count = 1;
    }
    return f;
}

static void from_slots(struct call *c, const struct slots *slots, struct hits *out)
{
    out->list = must_alloc((slots->count + 1) * sizeof *out->list);
    out->count = slots->count;
    for (size_t i = 0; i < slots->count; i++) {
        out->list[i].slot = slots->list[i];
        out->list[i].score = 1.0F;
        out->list[i].id = collection_id(c->collection, slots->list[i]);
    }
}

static bool run_order_by(struct call *c, const struct query *q, size_t limit, struct hits *out)
{
    struct slots slots = {0};

    if (!ordering_check(c, &q->order, false)) return false;
    out->values = ordering_apply(c->collection, q->filter, &q->order, &out->count);
    if (out->count > limit) out->count = limit;
    for (size_t i = 0; i < out->count; i++) slots_add(&slots, out->values[i].slot);
    from_slots(c, &slots, out);
    free(slots.list);
    return true;
}

static bool run_one(struct call *c, struct query *q, const struct slots *within, size_t limit,
                    struct hits *out)
{
    struct target t;
    struct slots slots = {0};

    if (q->type == QUERY_ORDER_BY) return run_order_by(c, q, limit, out);
    if (q->type == QUERY_SCROLL || q->type == QUERY_SAMPLE) {
        select_ordered(c->collection, q->filter, NULL, limit, &slots);
        from_slots(c, &slots, out);
        free(slots.list);
        return true;
    }
    if (!make_target(c, q, &t)) return false;
    out->list = scoring_best(c->collection, &t, without_examples(c, q), within, q->has_threshold,
                             (float)q->threshold, limit, &out->count);
    return true;
}

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a;
    const struct scored *y = b;

    if (x->score > y->score) return -1;
    if (x->score < y->score) return 1;
    return pointid_compare(&x->id, &y->id);
}

static void fuse(const struct hits *lists, size_t count, size_t limit, struct hits *out)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++) total += lists[i].count;
    out->list = must_alloc((total + 1) * sizeof *out->list);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < lists[i].count; k++) {
            float gain = 1.0F / (RRF_K + (float)k);
            size_t at = 0;

            while (at < out->count && out->list[at].slot != lists[i].list[k].slot) at++;
            if (at == out->count) {
                out->list[out->count++] = lists[i].list[k];
                out->list[at].score = 0;
            }
            out->list[at].score += gain;
        }
    }
    if (out->count) qsort(out->list, out->count, sizeof *out->list, by_score);
    if (out->count > limit) out->count = limit;
}

static void free_hits(struct hits *h)
{
    free(h->list);
    free(h->values);
    memset(h, 0, sizeof *h);
}

static bool run_nested(struct call *c, struct query *q, size_t limit, struct hits *out);

static bool run_on_prefetched(struct call *c, struct query *q, size_t limit, struct hits *out)
{
    struct hits *lists = pool_zero(&c->arena, q->prefetch_count * sizeof *lists);
    struct slots within = {0};
    bool ok = true;

    for (size_t i = 0; i < q->prefetch_count && ok; i++) {
        struct query *p = &q->prefetch[i];

        ok = run_nested(c, p, p->limit > UINT32_MAX ? UINT32_MAX : (size_t)p->limit, &lists[i]);
    }
    if (ok && q->type == QUERY_FUSION) {
        fuse(lists, q->prefetch_count, limit, out);
    } else if (ok) {
        uint8_t *seen = pool_zero(&c->arena, c->collection->slots + 1);

        for (size_t i = 0; i < q->prefetch_count; i++) {
            for (size_t k = 0; k < lists[i].count; k++) {
                if (seen[lists[i].list[k].slot]) continue;
                seen[lists[i].list[k].slot] = 1;
                slots_add(&within, lists[i].list[k].slot);
            }
        }
        if (q->type == QUERY_NEAREST || q->type == QUERY_RECOMMEND || q->type == QUERY_DISCOVER ||
            q->type == QUERY_CONTEXT) {
            ok = run_one(c, q, &within, limit, out);
        } else {
            call_error(
                c, 400,
                "Wrong input: this kind of query over prefetches is not known to this stand-in for Qdrant");
            ok = false;
        }
        free(within.list);
    }
    for (size_t i = 0; i < q->prefetch_count; i++) free_hits(&lists[i]);
    return ok;
}

static bool run_nested(struct call *c, struct query *q, size_t limit, struct hits *out)
{
    memset(out, 0, sizeof *out);
    select_bind(c->collection, q->filter);
    if (q->refused) {
        call_error(c, 400, "Wrong input: %s: not known to this stand-in for Qdrant", q->refused);
        return false;
    }
    if (!strict_read(c, q->filter, q->limit_given, q->limit) || !strict_exact(c, q->exact) ||
        !strict_ef(c, q->has_ef, q->ef))
        return false;
    if (q->prefetch_count) return run_on_prefetched(c, q, limit, out);
    if (q->type == QUERY_FUSION) {
        call_error(c, 400, "Bad request: cannot make RRF without prefetches");
        return false;
    }
    return run_one(c, q, NULL, limit, out);
}

bool query_run(struct call *c, struct query *q, struct hits *out)
{
    uint64_t limit = q->limit > UINT32_MAX ? UINT32_MAX : q->limit;
    uint64_t offset = q->offset > UINT32_MAX ? UINT32_MAX : q->offset;

    if (!run_nested(c, q, (size_t)(limit + offset), out)) {
        free_hits(out);
        return false;
    }
    if (offset > out->count) offset = out->count;
    out->count -= (size_t)offset;
    memmove(out->list, out->list + offset, out->count * sizeof *out->list);
    if (out->values) memmove(out->values, out->values + offset, out->count * sizeof *out->values);
    return true;
}

void query_write(struct call *c, const struct query *q, const struct hits *hits, struct buf *out)
{
    struct pool scratch;

    pool_init(&scratch);
    buf_putc(out, '[');
    for (size_t i = 0; i < hits->count; i++) {
        const struct scored *s = &hits->list[i];
        bool scored = q->type != QUERY_SCROLL && q->type != QUERY_SAMPLE && q->type != QUERY_ORDER_BY;

        buf_puts(out, i ? ",{\"id\":" : "{\"id\":");
        pointid_write(out, &s->id);
        buf_printf(out, ",\"version\":%llu,\"score\":",
                   scored ? (unsigned long long)collection_point(c->collection, s->slot)->version : 0ULL);
        json_write_f32(out, s->score);
        show_write(out, c->collection, s->slot, &q->show, &scratch);
        if (hits->values) {
            buf_puts(out, ",\"order_value\":");
            ordering_write(out, &hits->values[i]);
        }
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
    pool_fini(&scratch);
}
