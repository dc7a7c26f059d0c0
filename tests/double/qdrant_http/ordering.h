/* ordering.h - points in the order of a payload value: `order_by` of scroll and query. */
#ifndef DOUBLE_QDRANT_HTTP_ORDERING_H
#define DOUBLE_QDRANT_HTTP_ORDERING_H

#include "qdrant_http/call.h"

struct ordering {
    bool given;
    struct jsonpath key;
    bool descending;
    bool has_start;
    double start;
};

struct ordered {
    double value;
    uint32_t slot;
    bool integer; /* written without a point */
    struct pointid id;
};

bool ordering_read(struct reader *r, const struct json *v, struct ordering *out);
/* Is there an index to order by? Answers if not. */
bool ordering_check(struct call *c, const struct ordering *o, bool has_offset);
/* All points that pass, in order (malloc'd); one with several values stands once for each. */
struct ordered *ordering_apply(const struct collection *c, const struct filter *f, const struct ordering *o,
                               size_t *count);
void ordering_write(struct buf *out, const struct ordered *v);

#endif
