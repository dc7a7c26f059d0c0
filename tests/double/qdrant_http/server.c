/* server.c - the lists of collections and aliases. It owns both; what collections hold is theirs. */
#include "qdrant_http/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/cluster.h"
#include "qdrant_http/faults.h"

struct server *server_new(const char *version)
{
    struct server *s = must_alloc(sizeof *s);
    char *end;
    long major;

    memset(s, 0, sizeof *s);
    pthread_rwlock_init(&s->lock, NULL);
    pthread_mutex_init(&s->costs_mutex, NULL);
    snprintf(s->version, sizeof s->version, "%s", version);
    major = strtol(version, &end, 10);
    s->version_number = (int)(major * 1000 + (*end == '.' ? strtol(end + 1, NULL, 10) : 0));
    s->faults = faults_new("points");
    cluster_init(&s->cluster);
    return s;
}

void server_clear(struct server *s)
{
    for (size_t i = 0; i < s->collection_count; i++) collection_free(s->collections[i]);
    for (size_t i = 0; i < s->alias_count; i++) {
        free(s->aliases[i].name);
        free(s->aliases[i].collection);
    }
    s->collection_count = 0;
    s->alias_count = 0;
}

void server_free(struct server *s)
{
    server_clear(s);
    free(s->collections);
    free(s->aliases);
    faults_free(s->faults);
    cluster_fini(&s->cluster);
    pthread_rwlock_destroy(&s->lock);
    pthread_mutex_destroy(&s->costs_mutex);
    free(s);
}

struct collection *server_collection(const struct server *s, const char *name)
{
    for (size_t i = 0; i < s->collection_count; i++)
        if (strcmp(s->collections[i]->name, name) == 0) return s->collections[i];
    return NULL;
}

struct alias *server_alias(const struct server *s, const char *name)
{
    for (size_t i = 0; i < s->alias_count; i++)
        if (strcmp(s->aliases[i].name, name) == 0) return &s->aliases[i];
    return NULL;
}

struct collection *server_resolve(const struct server *s, const char *name)
{
    const struct alias *a = server_alias(s, name);

    return server_collection(s, a ? a->collection : name);
}

void server_add(struct server *s, struct collection *c)
{
    size_t at = 0;

    s->collections = must_realloc(s->collections, (s->collection_count + 1) * sizeof(struct collection *));
    while (at < s->collection_count && strcmp(s->collections[at]->name, c->name) < 0) at++;
    memmove(s->collections + at + 1, s->collections + at,
            (s->collection_count - at) * sizeof(struct collection *));
    s->collections[at] = c;
    s->collection_count++;
}

void server_remove(struct server *s, struct collection *c)
{
    for (size_t i = 0; i < s->alias_count;) {
        if (strcmp(s->aliases[i].collection, c->name) == 0)
            server_drop_alias(s, s->aliases[i].name);
        else
            i++;
    }
    for (size_t i = 0; i < s->collection_count; i++) {
        if (s->collections[i] != c) continue;
        s->collection_count--;
        memmove(s->collections + i, s->collections + i + 1,
                (s->collection_count - i) * sizeof(struct collection *));
        break;
    }
    collection_free(c);
}

void server_set_alias(struct server *s, const char *name, const char *collection)
{
    struct alias *a = server_alias(s, name);
    char *target = strdup(collection);

    if (!a) {
        s->aliases = must_realloc(s->aliases, (s->alias_count + 1) * sizeof *s->aliases);
        a = &s->aliases[s->alias_count++];
        a->name = strdup(name);
        a->collection = NULL;
    }
    free(a->collection);
    a->collection = target;
}

bool server_drop_alias(struct server *s, const char *name)
{
    struct alias *a = server_alias(s, name);

    if (!a) return false;
    free(a->name);
    free(a->collection);
    *a = s->aliases[--s->alias_count];
    return true;
}
