/* scoring.c - see scoring.h. It owns nothing but the lists it returns. */
#include "qdrant_http/scoring.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void scoring_prepare(struct pool *a, struct vector_write *v)
{
    float sum = 0;
    float *copy;

    if (v->space->sparse || v->space->distance != DISTANCE_COSINE) return;
    for (uint32_t i = 0; i < v->space->size; i++) sum += v->values[i] * v->values[i];
    if (sum < 1.19209290e-07F || fabsf(sum - 1.0F) <= 1.0e-6F) return;
    sum = sqrtf(sum);
    copy = pool_take(a, v->space->size * sizeof *copy);
    for (uint32_t i = 0; i < v->space->size; i++) copy[i] = v->values[i] / sum;
    v->values = copy;
}

static float dot(const float *a, const float *b, uint32_t n)
{
    float sum[4] = {0, 0, 0, 0};
    uint32_t i = 0;

    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) sum[k] += a[i + (uint32_t)k] * b[i + (uint32_t)k];
    for (; i < n; i++) sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static float dot_sparse(const struct sparse_vector *a, const struct sparse_vector *b)
{
    float sum = 0;
    uint32_t i = 0;
    uint32_t k = 0;

    while (i < a->count && k < b->count) {
        if (a->indices[i] == b->indices[k])
            sum += a->values[i++] * b->values[k++];
        else if (a->indices[i] < b->indices[k])
            i++;
        else
            k++;
    }
    return sum;
}

float scoring_distance(const struct vector_space *s, const struct vector_write *query, uint32_t slot)
{
    const float *v;
    float sum = 0;

    if (s->sparse) return dot_sparse(&query->sparse, vector_sparse(s, slot));
    v = vector_dense(s, slot);
    switch (s->distance) {
    case DISTANCE_COSINE:
    case DISTANCE_DOT:
        return dot(query->values, v, s->size);
    case DISTANCE_EUCLID:
        for (uint32_t i = 0; i < s->size; i++) sum += (query->values[i] - v[i]) * (query->values[i] - v[i]);
        return sqrtf(sum);
    case DISTANCE_MANHATTAN:
        for (uint32_t i = 0; i < s->size; i++) sum += fabsf(query->values[i] - v[i]);
        return sum;
    }
    return 0;
}

/* Nearness that always grows. */
static float similarity(const struct vector_space *s, const struct vector_write *query, uint32_t slot)
{
    float d = scoring_distance(s, query, slot);

    return s->sparse || s->distance == DISTANCE_COSINE || s->distance == DISTANCE_DOT ? d : -d;
}

static float fast_sigmoid(float x)
{
    return x / (1 + fabsf(x));
}

static float scaled_sigmoid(float x)
{
    return 0.5F * (fast_sigmoid(x) + 1.0F);
}

static float best_example(const struct target *t, uint32_t slot)
{
    float positive = -INFINITY;
    float negative = -INFINITY;

    for (size_t i = 0; i < t->positive_count; i++)
        positive = fmaxf(positive, similarity(t->space, &t->positive[i], slot));
    for (size_t i = 0; i < t->negative_count; i++)
        negative = fmaxf(negative, similarity(t->space, &t->negative[i], slot));
    return positive > negative ? scaled_sigmoid(positive) : -scaled_sigmoid(negative);
}

static float sum_of_examples(const struct target *t, uint32_t slot)
{
    float sum = 0;

    for (size_t i = 0; i < t->positive_count; i++) sum += similarity(t->space, &t->positive[i], slot);
    for (size_t i = 0; i < t->negative_count; i++) sum -= similarity(t->space, &t->negative[i], slot);
    return sum;
}

/* Pairs: how many of them the point is on the right side of, or how far on the wrong side. */
static float context_score(const struct target *t, uint32_t slot)
{
    float rank = 0;
    float loss = 0;

    for (size_t i = 0; i < t->positive_count; i++) {
        float p = similarity(t->space, &t->positive[i], slot);
        float n = similarity(t->space, &t->negative[i], slot);

        rank += p > n ? 1.0F : (p < n ? -1.0F : 0.0F);
        loss += fminf(fast_sigmoid(p) - fast_sigmoid(n) - 1.19209290e-07F, 0);
    }
    if (t->type == TARGET_CONTEXT) return loss;
    return rank + scaled_sigmoid(similarity(t->space, &t->query, slot));
}

static float score_of(const struct target *t, uint32_t slot)
{
    switch (t->type) {
    case TARGET_NEAREST:
        return scoring_distance(t->space, &t->query, slot);
    case TARGET_BEST_SCORE:
        return best_example(t, slot);
    case TARGET_SUM_SCORES:
        return sum_of_examples(t, slot);
    case TARGET_DISCOVER:
    case TARGET_CONTEXT:
        return context_score(t, slot);
    }
    return 0;
}

bool scoring_descends(const struct target *t)
{
    return t->type != TARGET_NEAREST || t->space->sparse || t->space->distance == DISTANCE_COSINE ||
           t->space->distance == DISTANCE_DOT;
}

/* Is a better than b? Equal scores are ordered by id, so that answers are stable. NaN is worst. */
static bool better(const struct scored *a, const struct scored *b, bool descends)
{
    if (isnan(a->score) != isnan(b->score)) return !isnan(a->score);
    if (a->score > b->score) return descends;
    if (a->score < b->score) return !descends;
    return pointid_compare(&a->id, &b->id) < 0;
}

/* A heap with the worst of the best on top. */
static void sift_down(struct scored *heap, size_t count, size_t i, bool descends)
{
    for (;;) {
        size_t worst = i;

        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < count; k++)
            if (better(&heap[worst], &heap[k], descends)) worst = k;
        if (worst == i) return;
        struct scored swap = heap[i];

        heap[i] = heap[worst];
        heap[worst] = swap;
        i = worst;
    }
}

static void offer(struct scored *heap, size_t *count, size_t limit, const struct scored *s, bool descends)
{
    size_t i;

    if (*count == limit) {
        if (!better(s, &heap[0], descends)) return;
        heap[0] = *s;
        sift_down(heap, *count, 0, descends);
        return;
    }
    i = (*count)++;
    heap[i] = *s;
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        struct scored swap = heap[parent];

        if (!better(&heap[parent], &heap[i], descends)) return;
        heap[parent] = heap[i];
        heap[i] = swap;
        i = parent;
    }
}

static bool near_enough(const struct target *t, float score, float threshold)
{
    return scoring_descends(t) ? score > threshold : score < threshold;
}

struct scored *scoring_best(const struct collection *c, const struct target *t, const struct filter *f,
                            const struct slots *within, bool has_threshold, float threshold, size_t limit,
                            size_t *count)
{
    bool descends = scoring_descends(t);
    struct slots all = {0};
    const struct slots *candidates = within;
    struct scored *heap;
    struct pool scratch;

    if (!within) {
        select_all(c, f, &all);
        candidates = &all;
    }
    if (limit > candidates->count) limit = candidates->count;
    heap = must_alloc((limit + 1) * sizeof *heap);
    *count = 0;
    pool_init(&scratch);
    for (size_t i = 0; i < candidates->count && limit; i++) {
        struct scored s = {.slot = candidates->list[i]};

        if (!vector_present(t->space, s.slot)) continue;
        if (within && f && !select_matches(c, f, s.slot, &scratch)) continue;
        s.score = score_of(t, s.slot);
        /* a sparse vector that shares no index is no hit */
        if (t->type == TARGET_NEAREST && t->space->sparse && fpclassify(s.score) == FP_ZERO) continue;
        if (has_threshold && !near_enough(t, s.score, threshold)) continue;
        s.id = collection_id(c, s.slot);
        offer(heap, count, limit, &s, descends);
    }
    pool_fini(&scratch);
    free(all.list);
    for (size_t n = *count; n > 1; n--) { /* take the worst off the top, to the end */
        struct scored swap = heap[0];

        heap[0] = heap[n - 1];
        heap[n - 1] = swap;
        sift_down(heap, n - 1, 0, descends);
    }
    return heap;
}
