/* costs.c - see costs.h. Owns nothing; the time until which the server is busy is the server's. */
#include "qdrant_http/costs.h"

#include <errno.h>

/* Microseconds each: with one connection, and with eight. */
static const struct {
    int64_t alone, shared;
} prices[] = {
    [COST_UPSERT] = {240, 160},
    [COST_GUARDED_UPSERT] = {300, 170},
    [COST_STAMP] = {20, 10},
    [COST_PAYLOAD] = {40, 10},
    [COST_VECTOR] = {80, 50},
    [COST_CHANGE_BY_ID] = {720, 560},
    [COST_CHANGE_BY_FILTER] = {2030, 950},
    [COST_DELETE] = {30, 10},
    [COST_SCROLL] = {1500, 1000},
    [COST_SCROLL_MORE] = {18, 2},
    [COST_COUNT] = {4700, 1700},
};

void costs_add(struct call *c, enum cost cost, size_t times)
{
    if (!c->server->costs) return;
    c->alone_us += (int64_t)times * prices[cost].alone;
    c->shared_us += (int64_t)times * prices[cost].shared;
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void costs_pay(struct call *c)
{
    struct server *s = c->server;
    int64_t began = (int64_t)c->began.tv_sec * 1000000 + c->began.tv_nsec / 1000;
    int64_t point_lock;
    int64_t until;

    if (!c->alone_us) return;
    pthread_mutex_lock(&s->costs_mutex);
    point_lock = s->busy_until_us > began ? s->busy_until_us : began;
    s->busy_until_us = point_lock + c->shared_us;
    pthread_mutex_unlock(&s->costs_mutex);
    until = point_lock + c->alone_us;
    if (until > now_us()) {
        struct timespec at = {.tv_sec = (time_t)(until / 1000000), .tv_nsec = (long)(until % 1000000) * 1000};

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
        }
    }
}
