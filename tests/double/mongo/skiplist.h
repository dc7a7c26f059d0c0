/* skiplist.h - an ordered map from bytes to records, which is what an index is made of. */
#ifndef DOUBLE_MONGO_SKIPLIST_H
#define DOUBLE_MONGO_SKIPLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rec;
struct snode {
    struct rec *rec;
    struct snode *prev;
    uint32_t key_bytes;
    uint8_t height;
    struct snode *next[]; /* `height` of them, the key's bytes behind */
};
struct skiplist {
    struct snode *head; /* has no key */
    struct snode *tail;
    size_t count;
    uint32_t seed;
};

void skiplist_init(struct skiplist *s);
void skiplist_fini(struct skiplist *s);
void skiplist_insert(struct skiplist *s, const uint8_t *key, size_t bytes, struct rec *rec);
/* Removes the entry with exactly that key; false if there is none. */
bool skiplist_remove(struct skiplist *s, const uint8_t *key, size_t bytes);
/* Points the entry with exactly that key at another record. */
bool skiplist_replace(struct skiplist *s, const uint8_t *key, size_t bytes, struct rec *rec);
/* The first entry whose key is not less than (or, with `after`, greater than) the given one; NULL at the end.
 */
struct snode *skiplist_seek(const struct skiplist *s, const uint8_t *key, size_t bytes, bool after);
struct snode *skiplist_first(const struct skiplist *s);
const uint8_t *snode_key(const struct snode *n);

#endif
