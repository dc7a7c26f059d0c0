/*
 * batch_io.c - requests that carry what waits in a batch queue, and how any request goes out.
 *
 * The `context` of a request is its batch; NULL: it carries none.
 */
#include <stdlib.h>

#include "engine/io/io.h"

void submit(struct engine *e, const struct port *port, struct req *req)
{
    e->in_flight++;
    port->submit(port->self, req);
}

static struct batch *take(struct batch_queue *batch_queue)
{
    size_t count = batch_queue_batch(batch_queue);
    struct batch *batch = malloc(sizeof *batch + count * sizeof(void *));
    if (!batch) return NULL;
    batch->batch_queue = batch_queue;
    batch->count = count;
    for (size_t i = 0; i < count; i++) batch->items[i] = batch_queue_pop(batch_queue);
    batch_queue->in_flight++;
    return batch;
}

/* Everything back into the batch queue it came from, in its order. */
void batch_put_back(struct batch *batch)
{
    for (size_t i = batch->count; i-- > 0;) batch_queue_push_front(batch->batch_queue, batch->items[i]);
}

void batch_give_up(struct batch *batch, struct req *req)
{
    batch_put_back(batch);
    batch->batch_queue->in_flight--;
    free(batch);
    req_free(req);
}

/* A request of `kind` for what waits in the batch queue; NULL when memory is out (everything waits on). */
struct req *batch_request(struct batch_queue *batch_queue, enum req_kind kind, struct batch **batch)
{
    *batch = take(batch_queue);
    if (!*batch) return NULL;
    struct req *req = req_new(kind, *batch);
    if (!req) batch_give_up(*batch, NULL);
    return req;
}

struct batch *batch_of_reply(struct req *req)
{
    struct batch *batch = req->context;
    if (batch) batch->batch_queue->in_flight--;
    return batch;
}

void batch_failed(struct engine *e, struct batch *batch, const struct lks_err *err)
{
    for (size_t i = 0; i < batch->count; i++) target_failed(e, batch->items[i], err);
}

bool mongo_replied(struct engine *e, const struct req *req, const char *what)
{
    if (req->err.code == LKS_E_OK)
        mongo_answered(e);
    else
        mongo_failed(e, &req->err, what);
    return req->err.code == LKS_E_OK;
}

bool asked(struct engine *e, enum ask what)
{
    bool is = e->feeds->asks >> what & 1;
    e->feeds->asks &= ~(1U << what);
    return is;
}
