/* lane.c - an intrusive doubly linked list with two limits. */
#include "engine/lane.h"

void lane_init(struct lane *lane, size_t max_in_flight, size_t max_items)
{
    *lane = (struct lane){.max_in_flight = max_in_flight, .max_items = max_items};
}

void lane_push(struct lane *lane, struct node *node)
{
    node->lane = lane;
    node->prev = lane->tail;
    node->next = NULL;
    if (lane->tail)
        lane->tail->next = node;
    else
        lane->head = node;
    lane->tail = node;
    lane->queued++;
}

void lane_push_front(struct lane *lane, struct node *node)
{
    node->lane = lane;
    node->prev = NULL;
    node->next = lane->head;
    if (lane->head)
        lane->head->prev = node;
    else
        lane->tail = node;
    lane->head = node;
    lane->queued++;
}

void lane_remove(struct node *node)
{
    struct lane *lane = node->lane;
    if (!lane) return;
    if (node->prev)
        node->prev->next = node->next;
    else
        lane->head = node->next;
    if (node->next)
        node->next->prev = node->prev;
    else
        lane->tail = node->prev;
    node->prev = node->next = NULL;
    node->lane = NULL;
    lane->queued--;
}

struct node *lane_pop(struct lane *lane)
{
    struct node *node = lane->head;
    if (node) lane_remove(node);
    return node;
}

bool lane_ready(const struct lane *lane)
{
    return lane->queued > 0 && lane->in_flight < lane->max_in_flight;
}

size_t lane_batch(const struct lane *lane)
{
    return lane->queued < lane->max_items ? lane->queued : lane->max_items;
}
