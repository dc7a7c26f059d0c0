/* batch_queue.c - an intrusive doubly linked list with two limits. */
#include "engine/rules/batch_queue.h"

void batch_queue_init(struct batch_queue *batch_queue, size_t max_in_flight, size_t max_items)
{
    *batch_queue = (struct batch_queue){.max_in_flight = max_in_flight, .max_items = max_items};
}

void batch_queue_push(struct batch_queue *batch_queue, struct node *node)
{
    node->batch_queue = batch_queue;
    node->prev = batch_queue->tail;
    node->next = NULL;
    if (batch_queue->tail)
        batch_queue->tail->next = node;
    else
        batch_queue->head = node;
    batch_queue->tail = node;
    batch_queue->queued++;
}

void batch_queue_push_front(struct batch_queue *batch_queue, struct node *node)
{
    node->batch_queue = batch_queue;
    node->prev = NULL;
    node->next = batch_queue->head;
    if (batch_queue->head)
        batch_queue->head->prev = node;
    else
        batch_queue->tail = node;
    batch_queue->head = node;
    batch_queue->queued++;
}

void batch_queue_remove(struct node *node)
{
    struct batch_queue *batch_queue = node->batch_queue;
    if (!batch_queue) return;
    if (node->prev)
        node->prev->next = node->next;
    else
        batch_queue->head = node->next;
    if (node->next)
        node->next->prev = node->prev;
    else
        batch_queue->tail = node->prev;
    node->prev = node->next = NULL;
    node->batch_queue = NULL;
    batch_queue->queued--;
}

struct node *batch_queue_pop(struct batch_queue *batch_queue)
{
    struct node *node = batch_queue->head;
    if (node) batch_queue_remove(node);
    return node;
}

bool batch_queue_ready(const struct batch_queue *batch_queue)
{
    return batch_queue->queued > 0 && batch_queue->in_flight < batch_queue->max_in_flight;
}

size_t batch_queue_batch(const struct batch_queue *batch_queue)
{
    return batch_queue->queued < batch_queue->max_items ? batch_queue->queued : batch_queue->max_items;
}
