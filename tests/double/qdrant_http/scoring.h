/* scoring.h - how near a point is to a vector, and the best of many. Exact: every candidate is looked at. */
#ifndef DOUBLE_QDRANT_HTTP_SCORING_H
#define DOUBLE_QDRANT_HTTP_SCORING_H

#include "qdrant_http/update.h"

struct scored {
    uint32_t slot;
    float score;
    struct pointid id;
};

/* What points are compared with: one vector, or examples to be near to and far from. */
enum target_type { TARGET_NEAREST, TARGET_BEST_SCORE, TARGET_SUM_SCORES, TARGET_DISCOVER, TARGET_CONTEXT };

struct target {
    enum target_type type;
    const struct vector_space *space;
    struct vector_write query;     /* nearest, and the goal of discover; prepared for the distance */
    struct vector_write *positive; /* examples; for contexts pairs, as many as negative */
    struct vector_write *negative;
    size_t positive_count;
    size_t negative_count;
};

/* Makes a query vector ready: under Cosine a normalised copy in the arena. */
void scoring_prepare(struct pool *a, struct vector_write *v);
/* True if greater scores are nearer. */
bool scoring_descends(const struct target *t);

/* The `limit` best of the points that pass, best first (malloc'd). `within` may name the only candidates. */
struct scored *scoring_best(const struct collection *c, const struct target *t, const struct filter *f,
                            const struct slots *within, bool has_threshold, float threshold, size_t limit,
                            size_t *count);
float scoring_distance(const struct vector_space *s, const struct vector_write *query, uint32_t slot);

#endif
