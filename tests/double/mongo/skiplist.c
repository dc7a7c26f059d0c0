/* skiplist.c - a skip list with inline keys. Owns its nodes, not the records they point at. */
#include "skiplist.h"
#include "sortkey.h"

#include <stdlib.h>

#define MAX_HEIGHT 16

const uint8_t *snode_key(const struct snode *n)
{
    return (const uint8_t *)&n->next[n->height];
}

static struct snode *new_node(size_t key_bytes, int height)
{
    struct snode *n = xmalloc(sizeof *n + (size_t)height * sizeof *n->next + key_bytes);
    n->height = (uint8_t)height;
    n->key_bytes = (uint32_t)key_bytes;
    n->rec = NULL;
    n->prev = NULL;
    for (int i = 0; i < height; i++) n->next[i] = NULL;
    return n;
}

void skiplist_init(struct skiplist *s)
{
    s->head = new_node(0, MAX_HEIGHT);
    s->tail = NULL;
    s->count = 0;
    s->seed = 2463534242u;
}

void skiplist_fini(struct skiplist *s)
{
    while (s->head) {
        struct snode *next = s->head->next[0];
        free(s->head);
        s->head = next;
    }
    s->tail = NULL;
}

static int random_height(struct skiplist *s)
{
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 17;
    s->seed ^= s->seed << 5;
    int h = 1;
    for (uint32_t r = s->seed; h < MAX_HEIGHT && (r & 3) == 0; r >>= 2) h++;
    return h;
}

/* Fills `before` with the last node of each level whose key is less than the given one (or not greater). */
static struct snode *descend(const struct skiplist *s, const uint8_t *key, size_t bytes, bool after,
                             struct snode **before)
{
    struct snode *n = s->head;
    for (int level = MAX_HEIGHT - 1; level >= 0; level--) {
        struct snode *next;
        while ((next = n->next[level])) {
            int c = key_cmp(snode_key(next), next->key_bytes, key, bytes);
            if (after ? c > 0 : c >= 0) break;
            n = next;
        }
        if (before) before[level] = n;
    }
    return n->next[0];
}

void skiplist_insert(struct skiplist *s, const uint8_t *key, size_t bytes, struct rec *rec)
{
    struct snode *before[MAX_HEIGHT];
    descend(s, key, bytes, false, before);
    int height = random_height(s);
    struct snode *n = new_node(bytes, height);
    memcpy((uint8_t *)&n->next[height], key, bytes);
    n->rec = rec;
    for (int i = 0; i < height; i++) {
        n->next[i] = before[i]->next[i];
        before[i]->next[i] = n;
    }
    n->prev = before[0] == s->head ? NULL : before[0];
    if (n->next[0]) {
        n->next[0]->prev = n;
    } else {
        s->tail = n;
    }
    s->count++;
}

bool skiplist_remove(struct skiplist *s, const uint8_t *key, size_t bytes)
{
    struct snode *before[MAX_HEIGHT];
    struct snode *n = descend(s, key, bytes, false, before);
    if (!n || key_cmp(snode_key(n), n->key_bytes, key, bytes) != 0) return false;
    for (int i = 0; i < n->height; i++)
        if (before[i]->next[i] == n) before[i]->next[i] = n->next[i];
    if (n->next[0]) {
        n->next[0]->prev = n->prev;
    } else {
        s->tail = n->prev;
    }
    free(n);
    s->count--;
    return true;
}

bool skiplist_replace(struct skiplist *s, const uint8_t *key, size_t bytes, struct rec *rec)
{
    struct snode *n = descend(s, key, bytes, false, NULL);
    if (!n || key_cmp(snode_key(n), n->key_bytes, key, bytes) != 0) return false;
    n->rec = rec;
    return true;
}

struct snode *skiplist_seek(const struct skiplist *s, const uint8_t *key, size_t bytes, bool after)
{
    return descend(s, key, bytes, after, NULL);
}

struct snode *skiplist_first(const struct skiplist *s)
{
    return s->head->next[0];
}
