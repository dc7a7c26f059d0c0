/* peers.c - see peers.h. Ends a connection by shutting its socket down: libmicrohttpd then sees its end and
 * frees it. */
#include "api/peers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

#define HEAD_MS 15000   /* for path and headers */
#define REST_MS 60000   /* between requests */
#define BODY_MS 15000   /* and besides, a second for each SLOWEST */
#define ANSWER_MS 60000 /* likewise */
#define SLOWEST_BYTES_PER_S ((size_t)64 << 10)
#define LOOK_MS 500

struct peer {
    struct peer *previous, *next; /* the newest first */
    struct peers *peers;
    int fd;
    int64_t until_ms;
    bool asks_nothing; /* no whole head has come */
    bool ended;
};

struct peers {
    pthread_mutex_t lock; /* of all peers; a socket in the list is open while it is held */
    pthread_cond_t closing;
    struct peer *first, *last;
    size_t count, most;
    bool closed;
    pthread_t thread;
};

static void end(struct peer *p)
{
    if (!p->ended) shutdown(p->fd, SHUT_RDWR);
    p->ended = true;
}

/* ---- coming and going ---- */

/* Whoever came first and asks nothing makes room. */
static void make_space(struct peers *all)
{
    if (all->count < all->most / 4 * 3) return;
    for (struct peer *p = all->last; p; p = p->previous)
        if (p->asks_nothing && !p->ended) {
            end(p);
            return;
        }
}

static void enter(struct peers *all, struct peer *p)
{
    pthread_mutex_lock(&all->lock);
    make_space(all);
    p->next = all->first;
    if (p->next)
        p->next->previous = p;
    else
        all->last = p;
    all->first = p;
    all->count++;
    pthread_mutex_unlock(&all->lock);
}

static void leave(struct peers *all, struct peer *p)
{
    pthread_mutex_lock(&all->lock);
    *(p->previous ? &p->previous->next : &all->first) = p->next;
    *(p->next ? &p->next->previous : &all->last) = p->previous;
    all->count--;
    pthread_mutex_unlock(&all->lock);
}

void peers_notify(void *self, struct MHD_Connection *connection, void **context,
                  enum MHD_ConnectionNotificationCode what)
{
    struct peers *all = self;
    struct peer *p = *context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (p) leave(all, p);
        free(p);
        *context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *context = p = info ? calloc(1, sizeof *p) : NULL;
    if (!p) return;
    *p = (struct peer){
        .peers = all, .fd = info->connect_fd, .until_ms = clock_ms() + HEAD_MS, .asks_nothing = true};
    enter(all, p);
}

struct peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* ---- what it may take ---- */

static void set(struct peer *p, int64_t until_ms, bool asks_nothing)
{
    if (!p) return;
    pthread_mutex_lock(&p->peers->lock);
    p->until_ms = until_ms;
    p->asks_nothing = asks_nothing;
    pthread_mutex_unlock(&p->peers->lock);
}

static int64_t pace_ms(size_t bytes)
{
    return (int64_t)(bytes * 1000 / SLOWEST_BYTES_PER_S);
}

void peer_receives(struct peer *p, size_t bytes)
{
    if (p) set(p, bytes ? p->until_ms + pace_ms(bytes) : clock_ms() + BODY_MS, false);
}

void peer_waits(struct peer *p)
{
    set(p, INT64_MAX, false);
}

void peer_sends(struct peer *p, size_t bytes)
{
    set(p, clock_ms() + ANSWER_MS + pace_ms(bytes), false);
}

void peer_rests(struct peer *p)
{
    set(p, clock_ms() + REST_MS + HEAD_MS, true);
}

/* ---- the clock ---- */

static void end_late_ones(struct peers *all)
{
    int64_t now = clock_ms();
    for (struct peer *p = all->first; p; p = p->next)
        if (p->until_ms <= now) end(p);
}

static void *watch(void *self)
{
    struct peers *all = self;
    pthread_mutex_lock(&all->lock);
    while (!all->closed) {
        struct timespec until = clock_in_ms(LOOK_MS);
        pthread_cond_timedwait(&all->closing, &all->lock, &until);
        end_late_ones(all);
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

struct peers *peers_open(size_t most)
{
    struct peers *all = calloc(1, sizeof *all);
    if (!all) return NULL;
    all->most = most;
    pthread_mutex_init(&all->lock, NULL);
    clock_cond_init(&all->closing);
    if (pthread_create(&all->thread, NULL, watch, all) == 0) return all;
    pthread_cond_destroy(&all->closing);
    pthread_mutex_destroy(&all->lock);
    free(all);
    return NULL;
}

void peers_close(struct peers *all)
{
    if (!all) return;
    pthread_mutex_lock(&all->lock);
    all->closed = true;
    pthread_cond_broadcast(&all->closing);
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->thread, NULL);
    pthread_cond_destroy(&all->closing);
    pthread_mutex_destroy(&all->lock);
    free(all);
}
