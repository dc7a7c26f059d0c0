/* message.h - one HTTP request and its answer, as the stand-ins see them: no sockets, no library. */
#ifndef DOUBLE_QDRANT_HTTP_MESSAGE_H
#define DOUBLE_QDRANT_HTTP_MESSAGE_H

#include "base/buf.h"

struct request {
    const char *method;
    const char *target;  /* raw path and query, percent escapes untouched */
    const char *api_key; /* headers; NULL if absent */
    const char *authorization;
    const char *body; /* after decompression */
    size_t body_bytes;
    size_t node; /* which one of a cluster heard it */
};

/* What becomes of the connection instead of, or besides, a plain answer. */
enum response_twist { TWIST_NONE, TWIST_RESET, TWIST_CUT };

struct response {
    int status;
    const char *content_type; /* NULL: none, as Qdrant's own text errors */
    struct buf body;
    char (*headers)[2][256]; /* malloc'd; freed by response_fini */
    size_t header_count;
    enum response_twist twist;
};

void response_init(struct response *r);
void response_fini(struct response *r);
void response_header(struct response *r, const char *name, const char *value);

#endif
