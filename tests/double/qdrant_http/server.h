/*
 * server.h - the stand-in as a whole: its collections, its keys, the version it pretends to be.
 *
 * `server_handle` takes one request and makes one response; it may be called from many threads. Nothing here
 * knows HTTP on the wire, so that tests can call it without a socket.
 */
#ifndef DOUBLE_QDRANT_HTTP_SERVER_H
#define DOUBLE_QDRANT_HTTP_SERVER_H

#include "qdrant_http/message.h"
#include "qdrant_store/collection.h"

struct alias {
    char *name;
    char *collection;
};

struct faults;
struct journal;

#define CLUSTER_NODES_MAX 8

/* Starts or stops a node's listener. False if it cannot listen. */
typedef bool cluster_switch(void *user, size_t node, bool up);

/* The nodes of --nodes; see cluster.h. */
struct cluster {
    size_t nodes; /* 1: no cluster */
    bool down[CLUSTER_NODES_MAX];
    int64_t back_ms[CLUSTER_NODES_MAX]; /* monotonic: when it was started again */
    uint16_t ports[CLUSTER_NODES_MAX];
    pthread_mutex_t mutex; /* one write at a time, so that replicas see them in one order */
    cluster_switch *set;
    void *user;
};

struct server {
    pthread_rwlock_t
        lock; /* held for reading by whoever uses a collection, for writing to change the lists */
    struct collection **collections; /* sorted by name */
    size_t collection_count;
    struct alias *aliases;
    size_t alias_count;
    const char *api_key;
    const char *read_only_key;
    char version[32];   /* "1.18.3" */
    int version_number; /* 1018 */
    struct faults *faults;
    struct journal *journal; /* NULL without --file */
    struct cluster cluster;
    bool costs; /* see costs.h */
    pthread_mutex_t costs_mutex;
    int64_t busy_until_us; /* monotonic: what was asked for until now is done */
};

struct server *server_new(const char *version);
void server_free(struct server *s);

/* Answers one request. `out` is initialised here and freed by response_fini. */
void server_handle(struct server *s, const struct request *request, struct response *out);

/* The lists; the lock is held. */
struct collection *server_collection(const struct server *s, const char *name);
struct alias *server_alias(const struct server *s, const char *name);
/* The collection of that name, or of the alias of that name. */
struct collection *server_resolve(const struct server *s, const char *name);
void server_add(struct server *s, struct collection *c);
/* Takes out the collection and its aliases. */
void server_remove(struct server *s, struct collection *c);
/* Makes an alias, or points it elsewhere. */
void server_set_alias(struct server *s, const char *name, const char *collection);
bool server_drop_alias(struct server *s, const char *name);
/* Everything away. */
void server_clear(struct server *s);

#endif
