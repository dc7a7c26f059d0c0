/*
 * maker_io.c - the conversation with the maker: what a collection wants of each document.
 */
#include <stdlib.h>

#include "engine/io/io.h"

static void send_makes(struct engine *e, size_t collection)
{
    struct batch *batch;
    struct req *req = batch_request(&e->collections[collection].make, REQ_MAKE, &batch);
    if (!req) return;
    req->make.collection = collection;
    req->make.docs = calloc(batch->count, sizeof *req->make.docs);
    if (!req->make.docs) {
        batch_give_up(batch, req);
        return;
    }
    req->make.count = batch->count;
    for (size_t i = 0; i < batch->count; i++)
        req->make.docs[i] = &((struct target *)batch->items[i])->doc->src;
    submit(e, &e->ports.maker, req);
}

void maker_io_send(struct engine *e)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (batch_queue_ready(&e->collections[i].make)) send_makes(e, i);
}

void maker_io_reply(struct engine *e, struct req *req)
{
    struct batch *batch = batch_of_reply(req);
    if (req->err.code != LKS_E_OK) {
        batch_failed(e, batch, &req->err);
    } else {
        for (size_t i = 0; i < batch->count; i++) target_made(e, batch->items[i], &req->make.made[i]);
    }
    free(batch);
}
