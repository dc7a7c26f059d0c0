/* nodes.c - see nodes.h. It owns the listeners. */
#include "qdrant_http/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_store/pool.h"

struct node {
    struct server *server;
    size_t number;
    struct http *http; /* NULL: stopped */
};

struct nodes {
    struct node list[CLUSTER_NODES_MAX];
    size_t count;
    http_refuse *refuse;
    pthread_mutex_t mutex; /* of starting and stopping */
};

static void handle(void *user, const struct request *request, struct response *out)
{
    struct node *node = user;
    struct request mine = *request;

    mine.node = node->number;
    server_handle(node->server, &mine, out);
}

static bool start(struct nodes *n, size_t i)
{
    const struct http_service service = {handle, n->refuse, &n->list[i]};

    n->list[i].http = http_open(&n->list[i].server->cluster.ports[i], &service);
    return n->list[i].http != NULL;
}

static bool set(void *user, size_t number, bool up)
{
    struct nodes *n = user;
    struct node *node = &n->list[number];
    bool ok = true;

    pthread_mutex_lock(&n->mutex);
    if (up && !node->http)
        ok = start(n, number);
    else if (!up && node->http) {
        http_close(node->http);
        node->http = NULL;
    }
    pthread_mutex_unlock(&n->mutex);
    return ok;
}

struct nodes *nodes_open(struct server *s, size_t count, http_refuse *refuse)
{
    struct nodes *n = must_alloc(sizeof *n);

    memset(n, 0, sizeof *n);
    n->count = count;
    n->refuse = refuse;
    pthread_mutex_init(&n->mutex, NULL);
    for (size_t i = 1; i < count; i++) {
        n->list[i] = (struct node){.server = s, .number = i};
        if (start(n, i)) continue;
        nodes_close(n);
        return NULL;
    }
    s->cluster.nodes = count;
    s->cluster.set = set;
    s->cluster.user = n;
    return n;
}

void nodes_close(struct nodes *n)
{
    if (!n) return;
    for (size_t i = 1; i < n->count; i++) set(n, i, false);
    pthread_mutex_destroy(&n->mutex);
    free(n);
}
