/* order.c - the sorted blocks of order.h. It owns the blocks. */
#include "qdrant_store/order.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SLOTS 1024

struct order_block {
    struct pointid first; /* id of slots[0], so that finding a block touches no point */
    uint32_t count;
    uint32_t slots[BLOCK_SLOTS];
};

void order_init(struct order *o, order_id *id_of, const void *user)
{
    memset(o, 0, sizeof *o);
    o->id_of = id_of;
    o->user = user;
}

void order_fini(struct order *o)
{
    for (size_t i = 0; i < o->count; i++) free(o->blocks[i]);
    free(o->blocks);
    memset(o, 0, sizeof *o);
}

/* The last block whose first id is not greater than `id`; the first block if there is none. */
static size_t find_block(const struct order *o, const struct pointid *id)
{
    size_t low = 0;
    size_t high = o->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (pointid_compare(&o->blocks[middle]->first, id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? low - 1 : 0;
}

/* How many slots of the block have smaller ids. */
static size_t find_slot(const struct order *o, const struct order_block *b, const struct pointid *id)
{
    size_t low = 0;
    size_t high = b->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        struct pointid other = o->id_of(o->user, b->slots[middle]);

        if (pointid_compare(&other, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct order_block *insert_block(struct order *o, size_t at)
{
    if (o->count == o->capacity) {
        o->capacity = o->capacity ? o->capacity * 2 : 16;
        o->blocks = must_realloc(o->blocks, o->capacity * sizeof(struct order_block *));
    }
    memmove(o->blocks + at + 1, o->blocks + at, (o->count - at) * sizeof(struct order_block *));
    o->blocks[at] = must_alloc(sizeof(struct order_block));
    o->blocks[at]->count = 0;
    memset(&o->blocks[at]->first, 0, sizeof o->blocks[at]->first);
    o->count++;
    return o->blocks[at];
}

static void split(struct order *o, size_t at)
{
    struct order_block *right = insert_block(o, at + 1);
    struct order_block *left = o->blocks[at];

    left->count = BLOCK_SLOTS / 2;
    right->count = BLOCK_SLOTS - left->count;
    memcpy(right->slots, left->slots + left->count, right->count * sizeof *right->slots);
    right->first = o->id_of(o->user, right->slots[0]);
}

void order_insert(struct order *o, uint32_t slot)
{
    struct pointid id = o->id_of(o->user, slot);
    struct order_block *b;
    size_t at;
    size_t i;

    if (!o->count) insert_block(o, 0);
    at = find_block(o, &id);
    if (o->blocks[at]->count == BLOCK_SLOTS) {
        if (at + 1 == o->count && find_slot(o, o->blocks[at], &id) == BLOCK_SLOTS) {
            insert_block(o, ++at); /* ids that only grow leave full blocks behind */
        } else {
            split(o, at);
            at = find_block(o, &id);
        }
    }
    b = o->blocks[at];
    i = find_slot(o, b, &id);
    memmove(b->slots + i + 1, b->slots + i, (b->count - i) * sizeof *b->slots);
    b->slots[i] = slot;
    b->count++;
    if (i == 0) b->first = id;
}

void order_remove(struct order *o, const struct pointid *id)
{
    struct order_block *b;
    struct pointid found;
    size_t at;
    size_t i;

    if (!o->count) return;
    at = find_block(o, id);
    b = o->blocks[at];
    i = find_slot(o, b, id);
    if (i == b->count) return;
    found = o->id_of(o->user, b->slots[i]);
    if (pointid_compare(&found, id) != 0) return;
    b->count--;
    memmove(b->slots + i, b->slots + i + 1, (b->count - i) * sizeof *b->slots);
    if (b->count) {
        if (i == 0) b->first = o->id_of(o->user, b->slots[0]);
        return;
    }
    free(b);
    o->count--;
    memmove(o->blocks + at, o->blocks + at + 1, (o->count - at) * sizeof(struct order_block *));
}

struct order_place order_seek(const struct order *o, const struct pointid *from)
{
    struct order_place place = {0, 0};

    if (!from || !o->count) return place;
    place.block = find_block(o, from);
    place.at = find_slot(o, o->blocks[place.block], from);
    return place;
}

bool order_next(const struct order *o, struct order_place *place, uint32_t *slot)
{
    while (place->block < o->count && place->at >= o->blocks[place->block]->count) {
        place->block++;
        place->at = 0;
    }
    if (place->block >= o->count) return false;
    *slot = o->blocks[place->block]->slots[place->at++];
    return true;
}
