/* message.c - making and freeing answers. It owns what they hold. */
#include "qdrant_http/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_store/pool.h"

void response_init(struct response *r)
{
    memset(r, 0, sizeof *r);
    r->status = 200;
    buf_init(&r->body, 0);
}

void response_fini(struct response *r)
{
    buf_fini(&r->body);
    free(r->headers);
}

void response_header(struct response *r, const char *name, const char *value)
{
    r->headers = must_realloc(r->headers, (r->header_count + 1) * sizeof *r->headers);
    snprintf(r->headers[r->header_count][0], sizeof r->headers[0][0], "%s", name);
    snprintf(r->headers[r->header_count][1], sizeof r->headers[0][1], "%s", value);
    r->header_count++;
}
