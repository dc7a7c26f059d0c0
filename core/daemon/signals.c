/*
 * signals.c - one thread waits for signals, so that no handler ever runs in the middle of something else. It
 * also ends the process when it was asked to stop and has not ended in time, whatever the other threads wait
 * for.
 */
#include "daemon/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "daemon/loop.h"

#define LOOK_MS 1000

#define HURRY_MS 500 /* after a second signal */

static struct {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* for what follows */
    struct loop *loop;    /* NULL: it is over */
    int64_t asked_ms;     /* when the first signal to stop came; 0: none came */
    int64_t end_by_ms;    /* monotonic; INT64_MAX: no end is near */
    void (*end)(void *context);
    void *context;
} watcher = {.lock = PTHREAD_MUTEX_INITIALIZER, .end_by_ms = INT64_MAX};

static void fill(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR2); /* ends the watcher itself */
}

void signals_block(void)
{
    sigset_t set;
    fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void signals_unblock(void)
{
    sigset_t set;
    fill(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

bool signals_wait(int64_t wait_ms)
{
    struct timespec wait = {.tv_sec = (time_t)(wait_ms / 1000), .tv_nsec = (long)(wait_ms % 1000) * 1000000};
    sigset_t set;
    fill(&set);
    return sigtimedwait(&set, NULL, &wait) > 0;
}

/* The next signal, or 0 when the time to end has come. */
static int next_signal(const sigset_t *set)
{
    for (;;) {
        pthread_mutex_lock(&watcher.lock);
        int64_t left = watcher.end_by_ms == INT64_MAX ? LOOK_MS : watcher.end_by_ms - clock_ms();
        bool due = watcher.end_by_ms != INT64_MAX && left <= 0;
        pthread_mutex_unlock(&watcher.lock);
        if (due) return 0;
        if (left > LOOK_MS) left = LOOK_MS;
        struct timespec wait = {.tv_sec = (time_t)(left / 1000), .tv_nsec = (long)(left % 1000) * 1000000};
        int number = sigtimedwait(set, NULL, &wait);
        if (number > 0) return number;
    }
}

/* The first signal to stop leaves some time, another one hardly any. SIGHUP is the loop's to judge. */
static void note_end(int number)
{
    int64_t now = clock_ms();
    if (number == SIGHUP) return;
    if (!watcher.asked_ms) {
        watcher.asked_ms = now;
        if (now + SIGNALS_END_MS < watcher.end_by_ms) watcher.end_by_ms = now + SIGNALS_END_MS;
    } else if (now >= watcher.asked_ms + SIGNALS_AGAIN_MS && now + HURRY_MS < watcher.end_by_ms) {
        watcher.end_by_ms = now + HURRY_MS;
    }
}

static void *watch(void *context)
{
    sigset_t set;
    (void)context;
    fill(&set);
    for (int number; (number = next_signal(&set)) != 0;) {
        if (number == SIGUSR2) return NULL;
        pthread_mutex_lock(&watcher.lock);
        note_end(number);
        struct loop *loop = watcher.loop;
        if (loop) {
            atomic_store(&loop->signal, number);
            struct req *wake = req_new(REQ_COUNT, NULL); /* without a sender: wakes the loop and is freed */
            if (wake) queue_push(&loop->app->inbox, wake);
        }
        pthread_mutex_unlock(&watcher.lock);
    }
    watcher.end(watcher.context); /* does not return */
    return NULL;
}

enum lks_code signals_watch(struct loop *loop, void (*end)(void *context), void *context, struct lks_err *err)
{
    pthread_mutex_lock(&watcher.lock);
    watcher.loop = loop;
    watcher.end = end;
    watcher.context = context;
    pthread_mutex_unlock(&watcher.lock);
    if (watcher.started) return LKS_E_OK;
    if (pthread_create(&watcher.thread, NULL, watch, NULL) != 0)
        return lks_fail(err, LKS_E_IO, "no thread left for signals");
    watcher.started = true;
    return LKS_E_OK;
}

void signals_end_in(int64_t ms)
{
    pthread_mutex_lock(&watcher.lock);
    int64_t at = clock_ms() + ms;
    if (at < watcher.end_by_ms) watcher.end_by_ms = at;
    pthread_mutex_unlock(&watcher.lock);
}

bool signals_asked(void)
{
    pthread_mutex_lock(&watcher.lock);
    bool asked = watcher.asked_ms != 0;
    pthread_mutex_unlock(&watcher.lock);
    return asked;
}

void signals_unwatch(void)
{
    pthread_mutex_lock(&watcher.lock);
    watcher.loop = NULL;
    bool needed = watcher.end_by_ms != INT64_MAX; /* to end the process, if nothing else does */
    pthread_mutex_unlock(&watcher.lock);
    if (!watcher.started || needed) return;
    pthread_kill(watcher.thread, SIGUSR2);
    pthread_join(watcher.thread, NULL);
    watcher.started = false;
}
