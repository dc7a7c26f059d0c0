/*
 * cluster.h - several nodes in one process: which replica a request reads, which ones a write reaches.
 *
 * A collection with replication_factor N has one copy of everything on each of the nodes 0 to N-1; all its
 * shards lie together. Without --nodes there is one node and one copy, and nothing here does anything.
 */
#ifndef DOUBLE_QDRANT_HTTP_CLUSTER_H
#define DOUBLE_QDRANT_HTTP_CLUSTER_H

#include "qdrant_http/call.h"
#include "qdrant_http/show.h"

#define CLUSTER_RECOVERY_MS 500 /* a node that is back answers from its old replica for so long */

void cluster_init(struct cluster *k);
void cluster_fini(struct cluster *k);

/* The copy that this call reads or writes, instead of c->collection. False if it has answered. */
bool cluster_choose(struct call *c, bool writing);
/* Runs a handler that writes once for each replica that can be reached; answers with what the cluster says.
 */
void cluster_write(struct call *c, void (*handle)(struct call *));
/* True unless the request asks for consistency and too few replicas show this point as the chosen one does.
 */
bool cluster_agrees(const struct call *c, uint32_t slot, const struct show *show);
/* Replicas that missed writes are made again from one that did not, once their node is back. */
void cluster_recover(struct server *s);
/* Are all replicas on this node as they should be? */
bool cluster_ready(struct server *s, size_t node);
/* The peers of GET /cluster, and the shards of GET /collections/NAME/cluster (the collection is open). */
void cluster_write_peers(const struct call *c, struct buf *out);
void cluster_write_shards(const struct call *c, const struct collection *first, struct buf *out);
/* Makes the further replicas that a new collection's configuration asks for. */
void cluster_place(struct call *c, struct collection *made);

#endif
