/* order.h - the points of a collection in the order of their ids, for scrolling. */
#ifndef DOUBLE_QDRANT_STORE_ORDER_H
#define DOUBLE_QDRANT_STORE_ORDER_H

#include "qdrant_store/pointid.h"

/* The id of a slot; `user` is the collection. */
typedef struct pointid order_id(const void *user, uint32_t slot);

struct order_block;

/* Blocks of up to 1024 slots, each sorted, none empty. */
struct order {
    struct order_block **blocks;
    size_t count;
    size_t capacity;
    order_id *id_of;
    const void *user;
};

struct order_place {
    size_t block;
    size_t at;
};

void order_init(struct order *o, order_id *id_of, const void *user);
void order_fini(struct order *o);
/* Adds a slot whose id is not there yet. */
void order_insert(struct order *o, uint32_t slot);
/* Takes out the slot with this id. */
void order_remove(struct order *o, const struct pointid *id);
/* Before the first id that is not smaller than `from` (NULL: before all). */
struct order_place order_seek(const struct order *o, const struct pointid *from);
/* The slot at the place, which moves on; false at the end. */
bool order_next(const struct order *o, struct order_place *place, uint32_t *slot);

#endif
