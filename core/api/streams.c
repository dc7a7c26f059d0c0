/*
 * streams.c - see streams.h. libmicrohttpd's thread sends, a thread of ours wakes those with something to
 * send, and looks whether clients that are sent nothing are still there.
 */
#include "api/streams.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/notify_calls.h"
#include "base/clock.h"

#define MOST_STREAMS 256
#define BLOCK_BYTES 4096
#define HEARTBEAT_MS 15000
#define LOOK_MS 1000

struct stream {
    struct stream *previous, *next;
    struct streams *streams;
    struct MHD_Connection *connection;
    char *source;
    uint64_t place;
    const struct event *event; /* being sent */
    char own[192];             /* or this, if `event` is NULL: what only this stream is sent */
    const char *text;          /* of what is being sent, what is left */
    size_t bytes;
    int64_t spoke_ms;
    bool asleep; /* its connection is suspended */
    bool gone;   /* its client */
};

struct streams {
    struct events *events;
    struct teller *teller;
    pthread_mutex_t lock; /* of all streams */
    struct stream *first;
    size_t count;
    bool ending, running;
    pthread_t thread;
};

/* ---- one stream: with the lock held ---- */

static void say(struct stream *s, const char *text)
{
    s->text = text;
    s->bytes = strlen(text);
}

/* Some of what this client has not seen is gone: it must read everything again. */
static void say_reset(struct stream *s)
{
    char id[48];
    s->place = events_newest(s->streams->events);
    snprintf(s->own, sizeof s->own, "id: %s\nevent: reset\ndata: {\"source\":%s%s%s}\n\n",
             events_id(s->streams->events, s->place, id), s->source ? "\"" : "",
             s->source ? s->source : "null", s->source ? "\"" : "");
    say(s, s->own);
}

/* Chooses what is sent next; false: nothing for now. */
static bool find_more(struct stream *s)
{
    event_release(s->event);
    s->event = NULL;
    switch (events_next(s->streams->events, s->source, &s->place, &s->event)) {
    case EVENTS_FOUND:
        s->text = s->event->text;
        s->bytes = s->event->bytes;
        return true;
    case EVENTS_LOST:
        say_reset(s);
        return true;
    case EVENTS_NONE:
        break;
    }
    if (clock_ms() - s->spoke_ms < HEARTBEAT_MS) return false;
    say(s, ": heartbeat\n\n");
    return true;
}

/* libmicrohttpd asks for the next bytes. */
static ssize_t read_stream(void *self, uint64_t at, char *out, size_t most)
{
    struct stream *s = self;
    ssize_t got = 0;
    (void)at;
    pthread_mutex_lock(&s->streams->lock);
    if (s->gone || s->streams->ending) {
        got = s->gone ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    } else if (s->bytes > 0 || find_more(s)) {
        got = (ssize_t)(s->bytes < most ? s->bytes : most);
        memcpy(out, s->text, (size_t)got);
        s->text += got;
        s->bytes -= (size_t)got;
        s->spoke_ms = clock_ms();
    } else {
        s->asleep = true; /* with 0 and a connection that isn't suspended, it would ask again and again */
        MHD_suspend_connection(s->connection);
    }
    pthread_mutex_unlock(&s->streams->lock);
    return got;
}

/* ---- making and freeing ---- */

static bool enter(struct streams *all, struct stream *s)
{
    pthread_mutex_lock(&all->lock);
    bool space = all->count < MOST_STREAMS && !all->ending;
    if (space) {
        all->count++;
        s->next = all->first;
        if (s->next) s->next->previous = s;
        all->first = s;
    }
    pthread_mutex_unlock(&all->lock);
    return space;
}

struct stream *stream_new(struct streams *all, struct MHD_Connection *connection, const char *source,
                          const char *last_id)
{
    struct stream *s = calloc(1, sizeof *s);
    if (s && source && !(s->source = strdup(source))) {
        free(s);
        return NULL;
    }
    if (!s) return NULL;
    s->streams = all;
    s->connection = connection;
    events_join(all->events); /* first, so that nothing is missed from here on */
    s->spoke_ms = clock_ms();
    if (!last_id)
        s->place = events_newest(all->events);
    else if (!events_place(all->events, last_id, &s->place))
        say_reset(s);
    if (!s->bytes) say(s, "retry: 2000\n\n");
    if (enter(all, s)) return s;
    events_leave(all->events);
    free(s->source);
    free(s);
    return NULL;
}

void stream_free(struct stream *s)
{
    if (!s) return;
    struct streams *all = s->streams;
    pthread_mutex_lock(&all->lock);
    if (s->previous) s->previous->next = s->next;
    if (s->next) s->next->previous = s->previous;
    if (all->first == s) all->first = s->next;
    all->count--;
    pthread_mutex_unlock(&all->lock);
    events_leave(all->events);
    event_release(s->event);
    free(s->source);
    free(s);
}

static void let_go(void *self)
{
    stream_free(self);
}

struct MHD_Response *stream_response(struct stream *stream)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, stream, let_go);
    if (!response) stream_free(stream);
    return response;
}

/* ---- waking ---- */

/* A suspended connection's end is noticed by nobody else. */
static bool client_left(struct stream *s)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(s->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    char byte;
    if (!info) return false;
    ssize_t got = recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void wake(struct stream *s)
{
    s->asleep = false;
    MHD_resume_connection(s->connection);
}

static void wake_those(struct streams *all, uint64_t newest, bool look)
{
    int64_t now = clock_ms();
    pthread_mutex_lock(&all->lock);
    for (struct stream *s = all->first; s; s = s->next) {
        if (!s->asleep) continue;
        if (look) s->gone = client_left(s);
        if (s->gone || s->place < newest || now - s->spoke_ms >= HEARTBEAT_MS) wake(s);
    }
    pthread_mutex_unlock(&all->lock);
}

static bool is_ending(struct streams *all)
{
    pthread_mutex_lock(&all->lock);
    bool ending = all->ending;
    pthread_mutex_unlock(&all->lock);
    return ending;
}

static void *wake_streams(void *self)
{
    struct streams *all = self;
    uint64_t seen = events_newest(all->events);
    int64_t looked_ms = clock_ms();
    while (!is_ending(all)) {
        events_wait(all->events, seen, LOOK_MS);
        seen = events_newest(all->events);
        bool look = clock_ms() - looked_ms >= LOOK_MS;
        if (look) looked_ms = clock_ms();
        wake_those(all, seen, look);
        if (look) events_tick(all->events);
    }
    return NULL;
}

/* ---- all of them ---- */

struct streams *streams_open(const struct service *service)
{
    struct streams *all = calloc(1, sizeof *all);
    if (!all) return NULL;
    all->events = service->events;
    pthread_mutex_init(&all->lock, NULL);
    all->teller = teller_open(service);
    all->running = all->teller && pthread_create(&all->thread, NULL, wake_streams, all) == 0;
    if (all->running) return all;
    streams_close(all);
    return NULL;
}

void streams_end(struct streams *all)
{
    if (!all) return;
    pthread_mutex_lock(&all->lock);
    all->ending = true;
    for (struct stream *s = all->first; s; s = s->next)
        if (s->asleep) wake(s);
    pthread_mutex_unlock(&all->lock);
    events_close(all->events);
    if (all->running) pthread_join(all->thread, NULL);
    all->running = false;
}

void streams_close(struct streams *all)
{
    if (!all) return;
    streams_end(all);
    teller_close(all->teller);
    pthread_mutex_destroy(&all->lock);
    free(all);
}
