/* network.c - see network.h. */
#include "fault/network.h"

#include <stdio.h>

const char *const network_names[NETWORK_SERVERS] = {
    [TO_MONGODB] = "MongoDB", [TO_QDRANT] = "Qdrant", [TO_EMBEDDER] = "the embedder"};

static void go_through(struct live *w, struct proxy *p, const char *section, const char *key,
                       const char *scheme, const char *options)
{
    char url[160];
    snprintf(url, sizeof url, "%s://127.0.0.1:%d%s", scheme, proxy_port(p), options);
    live_set(w, section, key, url);
}

void network_open(struct network *n, struct live *w)
{
    const int ports[NETWORK_SERVERS] = {w->mongod.port, w->qdrant.port, w->embedder.port};
    for (int i = 0; i < NETWORK_SERVERS; i++)
        if (!(n->to[i] = proxy_open(ports[i]))) FAIL(w, "no proxy to %s", network_names[i]);
    go_through(w, n->to[TO_MONGODB], "mongodb", "uri", "mongodb",
               "/?heartbeatFrequencyMS=500&socketTimeoutMS=3000&connectTimeoutMS=1000");
    go_through(w, n->to[TO_QDRANT], "qdrant", "url", "http", "");
    go_through(w, n->to[TO_EMBEDDER], "embedding", "url", "http", "");
    live_set(w, "qdrant", "timeout_ms", "400");
    live_set(w, "worker", "lease_ms", "1000");
    live_set(w, "embedding", "batch_size", "5");
}

void network_close(struct network *n)
{
    for (int i = 0; i < NETWORK_SERVERS; i++) proxy_close(n->to[i]);
}

void network_break(struct network *n, struct chance *c)
{
    enum proxy_mode mode = (enum proxy_mode)(1 + chance_draw(c, PROXY_MODE_COUNT - 1));
    uint64_t amount = mode == PROXY_DELAY    ? 20 + chance_draw(c, 600)
                      : mode == PROXY_GARBLE ? 1 + chance_draw(c, 5)
                                             : chance_draw(c, 20000);
    proxy_set(n->to[chance_draw(c, NETWORK_SERVERS)], mode, amount);
}

void network_heal(struct network *n)
{
    for (int i = 0; i < NETWORK_SERVERS; i++) proxy_set(n->to[i], PROXY_PASS, 0);
}

uint64_t network_hits(struct network *n)
{
    uint64_t hits = 0;
    for (int i = 0; i < NETWORK_SERVERS; i++) hits += proxy_hits(n->to[i]);
    return hits;
}
