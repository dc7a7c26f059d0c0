/* show.h - what a read asks to see of each point, and how points are written. */
#ifndef DOUBLE_QDRANT_HTTP_SHOW_H
#define DOUBLE_QDRANT_HTTP_SHOW_H

#include "qdrant_http/call.h"

struct show {
    struct payload_selector payload;
    bool all_vectors;
    const struct json *vectors; /* array of names, or NULL */
};

/* Reads with_payload and with_vector(s); without them the payload is shown or not as `payload` says. */
bool show_read(struct reader *r, const struct json *body, bool payload, struct show *out);
/* ,"payload":{...},"vector":[...] as far as they are to be seen. `a` is scratch. */
void show_write(struct buf *out, const struct collection *c, uint32_t slot, const struct show *show,
                struct pool *a);
/* {"id":...,"payload":...}: one record. */
void show_record(struct buf *out, const struct collection *c, uint32_t slot, const struct show *show,
                 struct pool *a);

#endif
