/* query.h - a search as a body describes it, and its run. */
#ifndef DOUBLE_QDRANT_HTTP_QUERY_H
#define DOUBLE_QDRANT_HTTP_QUERY_H

#include "qdrant_http/ordering.h"
#include "qdrant_http/scoring.h"
#include "qdrant_http/show.h"

enum query_type {
    QUERY_SCROLL, /* no query: by id */
    QUERY_NEAREST,
    QUERY_RECOMMEND,
    QUERY_DISCOVER,
    QUERY_CONTEXT,
    QUERY_ORDER_BY,
    QUERY_FUSION,
    QUERY_SAMPLE
};

enum recommend_strategy { RECOMMEND_AVERAGE, RECOMMEND_BEST, RECOMMEND_SUM };

/* A vector, or the id of the point that has it. */
struct query_input {
    bool by_id;
    struct pointid id;
    struct incoming_vector vector;
};

struct query {
    enum query_type type;
    const char *refused; /* what this stand-in does not know, or NULL */
    enum recommend_strategy strategy;
    struct query_input goal;
    struct query_input *positive;
    struct query_input *negative;
    size_t positive_count;
    size_t negative_count;
    struct ordering order;
    const char *using; /* name of the vector, "" by default */
    struct filter *filter;
    uint64_t limit;
    bool limit_given;
    uint64_t offset;
    bool has_threshold;
    double threshold;
    bool exact;
    bool has_ef;
    uint64_t ef;
    struct show show;
    struct query *prefetch;
    size_t prefetch_count;
};

/* Reads a query of /points/query, or one of the older routes (recommend, discover, search). `field` names it
 * in complaints. */
bool query_read(struct reader *r, const struct json *body, const char *field, struct query *out);
bool query_read_recommend(struct reader *r, const struct json *body, const char *field, struct query *out);
bool query_read_discover(struct reader *r, const struct json *body, const char *field, struct query *out);
bool query_read_search(struct reader *r, const struct json *body, const char *field, struct query *out);

struct hits {
    struct scored *list; /* malloc'd */
    size_t count;
    struct ordered *values; /* with order_by: what each was ordered by, malloc'd */
};

/* Runs it on the open collection, offset and limit applied; false if it has answered with an error. */
bool query_run(struct call *c, struct query *q, struct hits *out);
void query_write(struct call *c, const struct query *q, const struct hits *hits, struct buf *out);

#endif
