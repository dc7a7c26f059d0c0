/*
 * cache.c - a chained hash table whose entries are also in a list by last use.
 *
 * Owns its entries; hands out copies only. Counts what malloc was asked for plus a fixed overhead for each
 * entry.
 */
#include "embed/cache.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_OVERHEAD_BYTES 32 /* of malloc, and the entry's share of the table */

struct entry {
    struct entry *chain;         /* next in the same bucket */
    struct entry *newer, *older; /* by last use */
    unsigned char key[CACHE_KEY_BYTES];
    size_t dimensions;
    float vector[];
};

struct cache {
    pthread_mutex_t lock;
    struct entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t entries, bytes, max_bytes;
    struct entry *newest, *oldest;
};

struct cache *cache_new(size_t max_bytes)
{
    struct cache *c = max_bytes ? calloc(1, sizeof *c) : NULL;
    if (!c) return NULL;
    c->max_bytes = max_bytes;
    c->bucket_count = 1024;
    while (c->bucket_count < max_bytes / 2048) c->bucket_count *= 2; /* vectors of 512 floats, roughly */
    c->buckets = calloc(c->bucket_count, sizeof(struct entry *));
    if (!c->buckets || pthread_mutex_init(&c->lock, NULL)) {
        free(c->buckets);
        free(c);
        return NULL;
    }
    return c;
}

void cache_free(struct cache *c)
{
    if (!c) return;
    for (struct entry *e = c->newest, *older; e; e = older) {
        older = e->older;
        free(e);
    }
    pthread_mutex_destroy(&c->lock);
    free(c->buckets);
    free(c);
}

void cache_key(const char *space, const char *text, size_t text_bytes, unsigned char key[CACHE_KEY_BYTES])
{
    unsigned int bytes = CACHE_KEY_BYTES;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    memset(key, 0, CACHE_KEY_BYTES);
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
              EVP_DigestUpdate(md, space, strlen(space) + 1) && EVP_DigestUpdate(md, text, text_bytes) &&
              EVP_DigestFinal_ex(md, key, &bytes);
    /* out of memory: the key of nothing, which is never put nor found */
    if (!ok) memset(key, 0, CACHE_KEY_BYTES);
    EVP_MD_CTX_free(md);
}

static bool is_no_key(const unsigned char *key)
{
    static const unsigned char none[CACHE_KEY_BYTES];
    return memcmp(key, none, CACHE_KEY_BYTES) == 0;
}

/* ---- with the lock held ---- */

static struct entry **bucket(struct cache *c, const unsigned char *key)
{
    size_t h;
    memcpy(&h, key, sizeof h); /* a digest is as good as any hash of it */
    return &c->buckets[h & (c->bucket_count - 1)];
}

static struct entry *find(struct cache *c, const unsigned char *key)
{
    struct entry *e = *bucket(c, key);
    while (e && memcmp(e->key, key, CACHE_KEY_BYTES) != 0) e = e->chain;
    return e;
}

static void list_out(struct cache *c, struct entry *e)
{
    if (e->newer)
        e->newer->older = e->older;
    else
        c->newest = e->older;
    if (e->older)
        e->older->newer = e->newer;
    else
        c->oldest = e->newer;
}

static void list_in(struct cache *c, struct entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    if (c->newest)
        c->newest->newer = e;
    else
        c->oldest = e;
    c->newest = e;
}

static size_t entry_bytes(size_t dimensions)
{
    return sizeof(struct entry) + dimensions * sizeof(float) + ENTRY_OVERHEAD_BYTES;
}

static void drop(struct cache *c, struct entry *e)
{
    struct entry **link = bucket(c, e->key);
    while (*link != e) link = &(*link)->chain;
    *link = e->chain;
    list_out(c, e);
    c->entries--;
    c->bytes -= entry_bytes(e->dimensions);
    free(e);
}

/* ---- public ---- */

float *cache_get(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], size_t *dimensions)
{
    if (!c || is_no_key(key)) return NULL;
    pthread_mutex_lock(&c->lock);
    struct entry *e = find(c, key);
    float *copy = e ? malloc(e->dimensions * sizeof *copy) : NULL;
    if (copy) {
        memcpy(copy, e->vector, e->dimensions * sizeof *copy);
        *dimensions = e->dimensions;
        list_out(c, e);
        list_in(c, e);
    }
    pthread_mutex_unlock(&c->lock);
    return copy;
}

void cache_put(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], const float *vector,
               size_t dimensions)
{
    size_t bytes = entry_bytes(dimensions);
    if (!c || is_no_key(key) || dimensions == 0 || bytes > c->max_bytes) return;
    struct entry *e = malloc(sizeof *e + dimensions * sizeof *vector);
    if (!e) return;
    *e = (struct entry){.dimensions = dimensions};
    memcpy(e->key, key, CACHE_KEY_BYTES);
    memcpy(e->vector, vector, dimensions * sizeof *vector);
    pthread_mutex_lock(&c->lock);
    struct entry *old = find(c, key);
    if (old) drop(c, old);
    while (c->oldest && c->bytes + bytes > c->max_bytes) drop(c, c->oldest);
    struct entry **head = bucket(c, key);
    e->chain = *head;
    *head = e;
    list_in(c, e);
    c->entries++;
    c->bytes += bytes;
    pthread_mutex_unlock(&c->lock);
}

void cache_clear(struct cache *c)
{
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    while (c->oldest) drop(c, c->oldest);
    pthread_mutex_unlock(&c->lock);
}

void cache_usage(struct cache *c, size_t *entries, size_t *bytes)
{
    *entries = *bytes = 0;
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    *entries = c->entries;
    *bytes = c->bytes;
    pthread_mutex_unlock(&c->lock);
}
