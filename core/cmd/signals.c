/* signals.c - one thread waits for signals, so that no handler ever runs in the middle of something else. */
#include "cmd/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "cmd/loop.h"

static pthread_t watcher;
static bool watching;

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

static void *watch(void *context)
{
    struct loop *loop = context;
    sigset_t set;
    fill(&set);
    for (int number; sigwait(&set, &number) == 0;) {
        if (number == SIGUSR2) break;
        atomic_store(&loop->signal, number);
        struct req *wake = req_new(REQ_COUNT, NULL); /* without a sender: wakes the loop and is freed */
        if (wake) queue_push(&loop->app->inbox, wake);
    }
    return NULL;
}

enum lks_code signals_watch(struct loop *loop, struct lks_err *err)
{
    if (pthread_create(&watcher, NULL, watch, loop) != 0)
        return lks_fail(err, LKS_E_IO, "no thread left for signals");
    watching = true;
    return LKS_E_OK;
}

void signals_unwatch(void)
{
    if (!watching) return;
    pthread_kill(watcher, SIGUSR2);
    pthread_join(watcher, NULL);
    watching = false;
}
