/* nodes.h - the further nodes of --nodes: each has a port of its own, and can be stopped and started. */
#ifndef DOUBLE_QDRANT_HTTP_NODES_H
#define DOUBLE_QDRANT_HTTP_NODES_H

#include "qdrant_http/http.h"
#include "qdrant_http/server.h"

struct nodes;

/* Opens nodes 1 to `count` - 1 on free ports; the caller opens node 0. NULL with the reason on standard
 * error. */
struct nodes *nodes_open(struct server *s, size_t count, http_refuse *refuse);
void nodes_close(struct nodes *n);

#endif
