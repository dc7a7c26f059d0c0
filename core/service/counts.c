/* counts.c - see counts.h. Owns a thread, and the last count of each source. */
#include "service/counts.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define FRESH_MS 200        /* this old is as good as new */
#define SHARE 50            /* counting takes at most one part in this many of MongoDB's time ... */
#define MOST_FRESH_MS 15000 /* ... unless an answer would be older than this; but never more than ... */
#define MOST_SHARE 10       /* ... one part in this many */
#define SHORT_WAIT_MS 5     /* for a newer one, where one is there that will do */
#define WILL_DO_MS 5000     /* beyond that, for who would have to wait long */
#define LONG_WAIT_MS 10000

struct last {
    bool known, wanted;
    int64_t begun_ms; /* what was written before then is counted */
    int64_t took_ms;
    uint64_t attempts;
    struct mongo_counts counts;
    struct lks_err err;
};

struct counts {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct mongo *const *mongos;
    struct last *last;
    size_t count;
    bool ending;
};

static struct last *next_wanted(struct counts *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->last[i].wanted) return &c->last[i];
    return NULL;
}

/* Counts without the lock. */
static void count_one(struct counts *c, struct last *last)
{
    struct mongo_counts counts;
    struct lks_err err = {.code = LKS_E_OK};
    int64_t begun = clock_ms();
    last->wanted = false;
    pthread_mutex_unlock(&c->lock);
    enum lks_code code = mongo_count(c->mongos[last - c->last], &counts, &err);
    pthread_mutex_lock(&c->lock);
    last->attempts++;
    last->err = err;
    last->err.code = code;
    if (code == LKS_E_OK) {
        if (last->known) mongo_counts_fini(&last->counts);
        last->counts = counts;
        last->known = true;
        last->begun_ms = begun;
        last->took_ms = clock_ms() - begun;
    }
    pthread_cond_broadcast(&c->changed);
}

static void *work(void *self)
{
    struct counts *c = self;
    pthread_mutex_lock(&c->lock);
    while (!c->ending) {
        struct last *last = next_wanted(c);
        if (last)
            count_one(c, last);
        else
            pthread_cond_wait(&c->changed, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct counts *counts_open(struct mongo *const *mongos, size_t count)
{
    struct counts *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->mongos = mongos;
    c->count = count;
    c->last = calloc(count + 1, sizeof *c->last);
    for (size_t i = 0; c->last && i < count; i++)
        c->last[i].wanted = mongos[i] != NULL; /* for who asks first */
    pthread_mutex_init(&c->lock, NULL);
    clock_cond_init(&c->changed);
    if (c->last && pthread_create(&c->thread, NULL, work, c) == 0) return c;
    free(c->last);
    free(c);
    return NULL;
}

void counts_close(struct counts *c)
{
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    c->ending = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    for (size_t i = 0; i < c->count; i++)
        if (c->last[i].known) mongo_counts_fini(&c->last[i].counts);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c->last);
    free(c);
}

static bool copy(struct mongo_counts *to, const struct mongo_counts *from)
{
    size_t n = from->collection_count;
    *to = *from;
    to->per_collection = calloc(n + 1, sizeof *to->per_collection);
    to->with_point = calloc(n + 1, sizeof *to->with_point);
    if (!to->per_collection || !to->with_point) {
        mongo_counts_fini(to);
        return false;
    }
    memcpy(to->per_collection, from->per_collection, n * sizeof *to->per_collection);
    memcpy(to->with_point, from->with_point, n * sizeof *to->with_point);
    return true;
}

/* Counting is work for MongoDB, and whoever watches a backfill must not hold it up. */
int64_t counts_fresh_ms(int64_t took_ms)
{
    int64_t ms = took_ms * SHARE, least = took_ms * MOST_SHARE;
    if (ms > MOST_FRESH_MS) ms = MOST_FRESH_MS;
    if (ms < least) ms = least;
    return ms > FRESH_MS ? ms : FRESH_MS;
}

/* The next count may take twice as long as the last one. */
static int64_t will_do_ms(int64_t took_ms)
{
    return counts_fresh_ms(took_ms) + (2 * took_ms > WILL_DO_MS ? 2 * took_ms : WILL_DO_MS);
}

/* True if there is an answer (good or bad) to an attempt made since `attempts`, within the time. */
static bool wait_for_newer(struct counts *c, const struct last *last, uint64_t attempts, int64_t wait_ms)
{
    struct timespec until = clock_in_ms(wait_ms);
    while (last->attempts == attempts && !c->ending)
        if (pthread_cond_timedwait(&c->changed, &c->lock, &until) == ETIMEDOUT) return false;
    return last->attempts != attempts;
}

enum lks_code counts_get(struct counts *c, size_t source, struct mongo_counts *out, struct lks_err *err)
{
    pthread_mutex_lock(&c->lock);
    struct last *last = &c->last[source];
    int64_t age = last->known ? clock_ms() - last->begun_ms : INT64_MAX;
    enum lks_code code = LKS_E_OK;
    if (age > counts_fresh_ms(last->took_ms)) {
        uint64_t attempts = last->attempts;
        bool will_do = age <= will_do_ms(last->took_ms);
        int64_t wait_ms = !will_do ? LONG_WAIT_MS : last->took_ms < SHORT_WAIT_MS ? SHORT_WAIT_MS : 0;
        last->wanted = true;
        pthread_cond_broadcast(&c->changed);
        bool newer = wait_ms > 0 && wait_for_newer(c, last, attempts, wait_ms);
        if (newer && last->err.code != LKS_E_OK) {
            *err = last->err;
            code = err->code;
        } else if (!newer && !will_do) {
            code = lks_fail(err, LKS_E_MONGO, "MongoDB does not answer in time");
        }
    }
    if (code == LKS_E_OK && !copy(out, &last->counts)) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    pthread_mutex_unlock(&c->lock);
    return code;
}
