/*
 * leave.c - how a process gets rid of its pools. Destroying one ends the sessions on the server within
 * milliseconds, but then waits for the driver's monitor threads, which look only every half second whether
 * they are to end. A process that ends anyhow need not wait for that.
 */
#include <errno.h>

#include "base/clock.h"
#include "config.h"
#include "mongo/mongo_internal.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on the monotonic clock */
    bool early;
    size_t open; /* pools whose destruction is under way */
} leaving = {.lock = PTHREAD_MUTEX_INITIALIZER};

void mongo_leave_early(void)
{
#ifndef LOCKSTEP_SANITIZED /* whose checks at the end want everything to be over */
    clock_cond_init(&leaving.changed);
    leaving.early = true;
#endif
}

static void *destroy(void *pool)
{
    mongoc_client_pool_destroy(pool);
    pthread_mutex_lock(&leaving.lock);
    leaving.open--;
    pthread_cond_broadcast(&leaving.changed);
    pthread_mutex_unlock(&leaving.lock);
    return NULL;
}

static void count_open(size_t change)
{
    pthread_mutex_lock(&leaving.lock);
    leaving.open += change;
    pthread_mutex_unlock(&leaving.lock);
}

void pool_close(mongoc_client_pool_t *pool)
{
    pthread_t thread;
    if (!leaving.early) {
        mongoc_client_pool_destroy(pool);
        return;
    }
    count_open(1);
    if (pthread_create(&thread, NULL, destroy, pool) == 0)
        pthread_detach(thread);
    else
        destroy(pool);
}

bool mongo_has_left(int64_t wait_ms)
{
    if (!leaving.early) return true;
    struct timespec until = clock_in_ms(wait_ms);
    pthread_mutex_lock(&leaving.lock);
    while (leaving.open && pthread_cond_timedwait(&leaving.changed, &leaving.lock, &until) != ETIMEDOUT) {
    }
    bool over = leaving.open == 0;
    pthread_mutex_unlock(&leaving.lock);
    return over;
}
