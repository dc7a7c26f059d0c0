/*
 * plugin_guard.c - a thread for one call. Whoever comes last, the caller or the thread, frees what they
 * share.
 */
#include "plugin/plugin_guard.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

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
    if (!g) return NULL;
    g->function = function;
    g->argument = argument;
    pthread_mutex_init(&g->lock, NULL);
    clock_cond_init(&g->changed);
    return g;
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
    struct timespec until = clock_in_ms(deadline_ms);
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
