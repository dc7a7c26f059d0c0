/* network.h - the daemon behind three proxies: one before each server. */
#ifndef LOCKSTEP_TESTS_FAULT_NETWORK_H
#define LOCKSTEP_TESTS_FAULT_NETWORK_H

#include "fault/proxy.h"
#include "live/edits.h"
#include "live/harness.h"

enum network_server { TO_MONGODB, TO_QDRANT, TO_EMBEDDER, NETWORK_SERVERS };

struct network {
    struct proxy *to[NETWORK_SERVERS];
};

extern const char *const network_names[NETWORK_SERVERS];

/* After live_open(): daemons that start from now on go through the proxies, with short leases and time-outs.
 * Ends the test where a real server can't be reached through a proxy (TLS). */
void network_open(struct network *n, struct live *w);
/* Daemons that start from now on go through these proxies: where several networks are open. */
void network_use(const struct network *n, struct live *w);
void network_close(struct network *n);
/* One of the proxies in one of its modes. */
void network_break(struct network *n, struct chance *c);
/* All of them pass everything. */
void network_restore(struct network *n);
uint64_t network_hits(struct network *n);

#endif
