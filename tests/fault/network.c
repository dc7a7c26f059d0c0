/* network.c - see network.h. */
#include "fault/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/real.h"

const char *const network_names[NETWORK_SERVERS] = {
    [TO_MONGODB] = "MongoDB", [TO_QDRANT] = "Qdrant", [TO_EMBEDDER] = "the embedder"};

/* ---- addresses ---- */

struct address {
    char before[300]; /* scheme and, with MongoDB, user */
    char host[160];
    int port;
    char options[400]; /* of a MongoDB URI, after its '?' */
};

/* Takes the first server of a URL apart. False where no proxy can come between: TLS, names found by SRV. */
static bool take_apart(const char *url, int usual_port, struct address *a)
{
    const char *host = strstr(url, "://");
    if (!host || strncmp(url, "https", 5) == 0 || strstr(url, "+srv") || strstr(url, "tls=true") ||
        strstr(url, "ssl=true"))
        return false;
    host += 3;
    size_t authority = strcspn(host, "/?");
    const char *user_end = memchr(host, '@', authority);
    if (user_end) {
        authority -= (size_t)(user_end + 1 - host);
        host = user_end + 1;
    }
    size_t name = strcspn(host, ":,/?");
    const char *options = strchr(host, '?');
    snprintf(a->before, sizeof a->before, "%.*s", (int)(host - url), url);
    snprintf(a->host, sizeof a->host, "%.*s", (int)name, host);
    snprintf(a->options, sizeof a->options, "%s", options ? options + 1 : "");
    a->port = name < authority && host[name] == ':' ? (int)strtol(host + name + 1, NULL, 10) : usual_port;
    return true;
}

static struct proxy *open_before(struct live *w, const struct live_process *server, int usual_port,
                                 const char *scheme, struct address *a)
{
    char url[80];
    snprintf(url, sizeof url, "%s://127.0.0.1:%d", scheme, server->port);
    if (!take_apart(server->real ? server->real : url, usual_port, a)) real_skip("a proxy before a server");
    struct proxy *p = proxy_open(a->host, a->port);
    if (!p) FAIL(w, "no proxy to %s", a->host);
    return p;
}

static void go_to_mongodb(struct live *w, const struct proxy *p, const struct address *a)
{
    char uri[1200];
    snprintf(uri, sizeof uri,
             "%s127.0.0.1:%d/?directConnection=true&heartbeatFrequencyMS=500&socketTimeoutMS=3000&"
             "connectTimeoutMS=1000%s%s",
             a->before, proxy_port(p), *a->options ? "&" : "", a->options);
    live_set(w, "mongodb", "uri", uri);
}

static void go_by_http(struct live *w, const struct proxy *p, const char *section)
{
    char url[80];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", proxy_port(p));
    live_set(w, section, "url", url);
}

void network_open(struct network *n, struct live *w)
{
    struct address a;
    n->to[TO_EMBEDDER] = open_before(w, &w->embedder, 80, "http", &a);
    n->to[TO_QDRANT] = open_before(w, &w->qdrant, 6333, "http", &a);
    n->to[TO_MONGODB] = open_before(w, &w->mongod, 27017, "mongodb", &a);
    network_use(n, w);
    live_set(w, "qdrant", "timeout_ms", "400");
    live_set(w, "worker", "lease_ms", "1000");
    live_set(w, "embedding", "batch_size", "5");
}

void network_use(const struct network *n, struct live *w)
{
    struct address a;
    char url[80];
    snprintf(url, sizeof url, "mongodb://127.0.0.1:%d", w->mongod.port);
    take_apart(w->mongod.real ? w->mongod.real : url, 27017, &a);
    go_to_mongodb(w, n->to[TO_MONGODB], &a);
    go_by_http(w, n->to[TO_QDRANT], "qdrant");
    go_by_http(w, n->to[TO_EMBEDDER], "embedding");
}

void network_close(struct network *n)
{
    for (int i = 0; i < NETWORK_SERVERS; i++) proxy_close(n->to[i]);
}

void network_break(struct network *n, struct chance *c)
{
    enum proxy_mode mode = (enum proxy_mode)(1 + chance_draw(c, PROXY_FAULT_COUNT - 1));
    uint64_t amount = mode == PROXY_DELAY    ? 20 + chance_draw(c, 600)
                      : mode == PROXY_GARBLE ? 1 + chance_draw(c, 5)
                                             : chance_draw(c, 20000);
    proxy_set(n->to[chance_draw(c, NETWORK_SERVERS)], mode, amount);
}

void network_restore(struct network *n)
{
    for (int i = 0; i < NETWORK_SERVERS; i++) proxy_set(n->to[i], PROXY_FORWARD, 0);
}

uint64_t network_hits(struct network *n)
{
    uint64_t hits = 0;
    for (int i = 0; i < NETWORK_SERVERS; i++) hits += proxy_hits(n->to[i]);
    return hits;
}
