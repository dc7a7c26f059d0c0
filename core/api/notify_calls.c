/*
 * notify_calls.c - see notify_calls.h. Compares what things look like now with what was published last.
 * Counting waits for MongoDB, so it has a thread of its own, and happens only after something was recorded,
 * or now and then.
 */
#include "api/notify_calls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/shape.h"
#include "base/clock.h"

#define LOOK_MS 1000
#define COUNT_ANYWAY_MS 10000 /* another process may write records too */

static json_t *body_state(const struct service *service, size_t source, struct lks_err *err)
{
    (void)err;
    return shape_state(service, source);
}

/* What is published when it changes; a line for each. */
static const struct {
    const char *kind;
    json_t *(*body)(const struct service *service, size_t source, struct lks_err *err);
    bool counts; /* asks MongoDB */
} bodies[] = {
    {"status", body_status, true},
    {"state", body_state, false},
};
#define BODY_COUNT (sizeof bodies / sizeof *bodies)

struct reported {
    char *text[BODY_COUNT]; /* owned: as it was published last */
    uint64_t cycles;
    bool cycle_running, cycle_known;
};

struct teller {
    const struct service *service;
    struct reported *reported; /* one per source */
    uint64_t records;
    int64_t counted_ms;
    pthread_mutex_t lock;
    pthread_cond_t closing;
    bool closed, running;
    pthread_t thread;
};

static void notify_cycle_of(struct teller *t, size_t i, const struct engine_snapshot *s)
{
    const char *name = t->service->sources[i].all.name;
    struct reported *reported = &t->reported[i];
    bool ended = reported->cycle_known && s->cycles != reported->cycles;
    bool began = reported->cycle_known && s->cycle_running && !reported->cycle_running;
    if (ended)
        events_publish(
            t->service->events, "cycle", name,
            json_pack("{s:s, s:s, s:o}", "source", name, "state", "finished", "stats", shape_cycle(s)));
    if (began)
        events_publish(t->service->events, "cycle", name,
                       json_pack("{s:s, s:s}", "source", name, "state", "started"));
    reported->cycles = s->cycles;
    reported->cycle_running = s->cycle_running;
    reported->cycle_known = true;
}

static void notify_cycle(struct teller *t, size_t i)
{
    struct engine_snapshot *s = malloc(sizeof *s);
    if (s && control_snapshot(t->service->control, i, s)) notify_cycle_of(t, i, s);
    free(s);
}

static void notify_body(struct teller *t, size_t i, size_t k)
{
    struct lks_err err;
    json_t *body = bodies[k].body(t->service, i, &err);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    char **last = &t->reported[i].text[k];
    if (text && (!*last || strcmp(*last, text) != 0)) {
        events_publish(t->service->events, bodies[k].kind, t->service->sources[i].all.name,
                       json_incref(body));
        free(*last);
        *last = text;
        text = NULL;
    }
    free(text);
    json_decref(body);
}

static void look(struct teller *t)
{
    int64_t now = clock_ms();
    uint64_t records = events_records(t->service->events);
    bool count = records != t->records || now - t->counted_ms >= COUNT_ANYWAY_MS;
    if (count) {
        t->records = records;
        t->counted_ms = now;
    }
    for (size_t i = 0; i < t->service->source_count; i++) {
        if (t->service->sources[i].all.count == 0) continue;
        notify_cycle(t, i);
        for (size_t k = 0; k < BODY_COUNT; k++)
            if (count || !bodies[k].counts) notify_body(t, i, k);
    }
}

/* False at the end. */
static bool pause_a_second(struct teller *t)
{
    struct timespec until = clock_in_ms(LOOK_MS);
    pthread_mutex_lock(&t->lock);
    while (!t->closed)
        if (pthread_cond_timedwait(&t->closing, &t->lock, &until) != 0) break;
    bool on = !t->closed;
    pthread_mutex_unlock(&t->lock);
    return on;
}

static void *notify(void *self)
{
    struct teller *t = self;
    while (pause_a_second(t))
        if (events_wanted(t->service->events)) look(t);
    return NULL;
}

struct teller *teller_open(const struct service *service)
{
    struct teller *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->service = service;
    t->reported = calloc(service->source_count + 1, sizeof *t->reported);
    pthread_mutex_init(&t->lock, NULL);
    clock_cond_init(&t->closing);
    t->running = t->reported && pthread_create(&t->thread, NULL, notify, t) == 0;
    if (t->running) return t;
    teller_close(t);
    return NULL;
}

void teller_close(struct teller *t)
{
    if (!t) return;
    pthread_mutex_lock(&t->lock);
    t->closed = true;
    pthread_cond_broadcast(&t->closing);
    pthread_mutex_unlock(&t->lock);
    if (t->running) pthread_join(t->thread, NULL);
    for (size_t i = 0; t->reported && i < t->service->source_count; i++)
        for (size_t k = 0; k < BODY_COUNT; k++) free(t->reported[i].text[k]);
    pthread_cond_destroy(&t->closing);
    pthread_mutex_destroy(&t->lock);
    free(t->reported);
    free(t);
}
