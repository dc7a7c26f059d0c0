/*
 * plugin_guard.c - a thread for one call. Whoever comes last, the caller or the thread, frees what they
 * share.
 */
#include "plugin/plugin_guard.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct guard {
    void (*function)(void *argument);
    void *argument;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, given_up;
};

static void guard_free(struct guard *g)
{
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->changed);
    free(g);
}

static void *run(void *argument)
{
    struct guard *g = argument;
    g->function(g->argument);
    pthread_mutex_lock(&g->lock);
    g->done = true;
    bool mine = g->given_up;
    pthread_cond_signal(&g->changed);
    pthread_mutex_unlock(&g->lock);
    if (mine) guard_free(g);
    return NULL;
}

static struct guard *guard_new(void (*function)(void *argument), void *argument)
{
    struct guard *g = calloc(1, sizeof *g);
    pthread_condattr_t monotonic;
    if (!g) return NULL;
    g->function = function;
    g->argument = argument;
    pthread_mutex_init(&g->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&g->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return g;
}

static struct timespec after_ms(int64_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

enum guard_outcome guard_call(void (*function)(void *argument), void *argument, int64_t deadline_ms)
{
    pthread_t thread;
    struct guard *g = guard_new(function, argument);
    if (!g) return GUARD_FAILED;
    if (pthread_create(&thread, NULL, run, g) != 0) {
        guard_free(g);
        return GUARD_FAILED;
    }
    struct timespec until = after_ms(deadline_ms);
    pthread_mutex_lock(&g->lock);
    int waited = 0;
    while (!g->done && waited != ETIMEDOUT) waited = pthread_cond_timedwait(&g->changed, &g->lock, &until);
    bool done = g->done;
    g->given_up = !done;
    pthread_mutex_unlock(&g->lock);
    if (!done) {
        pthread_detach(thread);
        return GUARD_HUNG;
    }
    pthread_join(thread, NULL);
    guard_free(g);
    return GUARD_DONE;
}
