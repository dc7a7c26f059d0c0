/*
 * events.c - see events.h. Owns the ring and the events in it; a listener that is sending one holds it by a
 * count, so that a slow one costs one event of memory at most.
 */
#include "service/events.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json_memory.h"

#define RING_EVENTS 1024
#define RING_BYTES ((size_t)2 << 20)
#define DOCUMENTS_PER_S 50
#define KEEP_MS 60000 /* after the last listener went: it may come back */

struct stored {
    struct event event; /* first */
    atomic_uint references;
    char text[]; /* the event's, then the source's name */
};

struct events {
    pthread_mutex_t lock;
    pthread_cond_t happened;
    uint64_t run; /* in the ids, so that those of an earlier process are known as such */
    struct stored *ring[RING_EVENTS];
    uint64_t oldest, next; /* sequences: [oldest, next) are in the ring */
    size_t bytes;
    size_t listeners;
    int64_t left_at_ms;
    bool closed;
    atomic_bool wanted;
    atomic_uint_fast64_t records;
    int64_t window_ms; /* begin of the second that documents are counted in */
    int documents;
};

struct events *events_new(void)
{
    struct events *e = calloc(1, sizeof *e);
    struct timespec now;
    if (!e) return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    e->run = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    e->oldest = e->next = 1;
    pthread_mutex_init(&e->lock, NULL);
    clock_cond_init(&e->happened);
    return e;
}

void event_release(const struct event *event)
{
    struct stored *s = (struct stored *)event;
    if (s && atomic_fetch_sub(&s->references, 1) == 1) free(s);
}

static void drop_oldest(struct events *e)
{
    struct stored *s = e->ring[e->oldest++ % RING_EVENTS];
    e->bytes -= s->event.bytes;
    event_release(&s->event);
}

void events_free(struct events *e)
{
    if (!e) return;
    while (e->oldest < e->next) drop_oldest(e);
    pthread_cond_destroy(&e->happened);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* ---- what happens ---- */

bool events_wanted(const struct events *e)
{
    return e && atomic_load_explicit(&e->wanted, memory_order_relaxed);
}

const char *events_id(const struct events *e, uint64_t place, char out[48])
{
    snprintf(out, 48, "%llx-%llu", (unsigned long long)e->run, (unsigned long long)place);
    return out;
}

static struct stored *stored_new(const char *id, const char *kind, const char *source, const char *data)
{
    size_t bytes = strlen(id) + strlen(kind) + strlen(data) + sizeof "id: \nevent: \ndata: \n\n";
    struct stored *s = malloc(sizeof *s + bytes + strlen(source) + 1);
    if (!s) return NULL;
    s->event.bytes = (size_t)snprintf(s->text, bytes, "id: %s\nevent: %s\ndata: %s\n\n", id, kind, data);
    s->event.text = s->text;
    s->event.source = memcpy(s->text + bytes, source, strlen(source) + 1);
    atomic_init(&s->references, 1);
    return s;
}

/* Whoever listens, or comes back, has missed something. With the lock held. */
static void forget_all(struct events *e)
{
    while (e->oldest < e->next) drop_oldest(e);
    e->oldest = ++e->next; /* a number that no event has */
}

/* `data` NULL: memory is out, and the event is one that everybody has missed. */
static void store(struct events *e, const char *kind, const char *source, const char *data)
{
    char id[48];
    pthread_mutex_lock(&e->lock);
    struct stored *s = data ? stored_new(events_id(e, e->next, id), kind, source, data) : NULL;
    if (s && s->event.bytes <= RING_BYTES) {
        s->event.sequence = e->next;
        while (e->oldest < e->next &&
               (e->next - e->oldest == RING_EVENTS || e->bytes + s->event.bytes > RING_BYTES))
            drop_oldest(e);
        e->ring[e->next++ % RING_EVENTS] = s;
        e->bytes += s->event.bytes;
    } else {
        free(s);
        forget_all(e);
    }
    pthread_cond_broadcast(&e->happened);
    pthread_mutex_unlock(&e->lock);
}

void events_publish(struct events *e, const char *kind, const char *source, json_t *data)
{
    if (events_wanted(e)) {
        char *text = data ? json_dumps(data, JSON_COMPACT) : NULL;
        if (json_memory_was_out()) { /* it lacks something */
            free(text);
            text = NULL;
        }
        store(e, kind, source, text);
        free(text);
    }
    json_decref(data); /* last: `source` may be a text in it */
}

/* True if one more document may be published in this second. */
static bool within_rate(struct events *e)
{
    int64_t now = clock_ms();
    pthread_mutex_lock(&e->lock);
    if (now - e->window_ms >= 1000) {
        e->window_ms = now;
        e->documents = 0;
    }
    bool within = e->documents++ < DOCUMENTS_PER_S;
    pthread_mutex_unlock(&e->lock);
    return within;
}

/* The document's business id, else its `_id`. */
static char *plain_of(const struct engine_recorded *what)
{
    if (!what->key) return docid_plain(what->id);
    char *doc = what->id ? docid_json(what->id) : NULL;
    bool typed = doc && strcmp(doc, what->key) == 0; /* it was made from the `_id` */
    free(doc);
    return docid_plain_of_key(what->key, typed);
}

void events_recorded(struct events *e, const char *source, const char *const *names,
                     const struct engine_recorded *what)
{
    if (!e) return;
    atomic_fetch_add_explicit(&e->records, 1, memory_order_relaxed);
    if (!events_wanted(e) || !within_rate(e)) return;
    char *plain = plain_of(what), *own = docid_json(what->id);
    json_t *collections = json_object();
    int failed = 0;
    for (size_t i = 0; !what->gone && i < what->count; i++)
        failed |=
            json_object_set_new(collections, names[i], json_string(sync_status_name(what->statuses[i])));
    json_t *data = json_pack("{s:s, s:s?, s:s?, s:o}", "source", source, "id", plain, "_id", own,
                             "collections", collections);
    if (what->gone)
        failed |= json_object_set_new(data, "deleted", json_true());
    else
        failed |= json_object_set_new(data, "overallStatus", json_string(sync_status_name(what->overall)));
    if (failed || !own || !plain) {
        json_decref(data);
        data = NULL;
    }
    events_publish(e, "document", source, data);
    free(plain);
    free(own);
}

uint64_t events_records(const struct events *e)
{
    return atomic_load_explicit(&e->records, memory_order_relaxed);
}

/* ---- listening ---- */

void events_join(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    e->listeners++;
    atomic_store(&e->wanted, true);
    pthread_mutex_unlock(&e->lock);
}

void events_leave(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    e->listeners--;
    e->left_at_ms = clock_ms();
    pthread_mutex_unlock(&e->lock);
}

void events_tick(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    if (e->listeners == 0 && atomic_load(&e->wanted) && clock_ms() - e->left_at_ms > KEEP_MS) {
        atomic_store(&e->wanted, false);
        forget_all(e);
    }
    pthread_mutex_unlock(&e->lock);
}

uint64_t events_newest(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    uint64_t newest = e->next - 1;
    pthread_mutex_unlock(&e->lock);
    return newest;
}

bool events_place(struct events *e, const char *id, uint64_t *place)
{
    char *end;
    unsigned long long run = strtoull(id, &end, 16);
    if (end == id || *end != '-' || run != e->run) return false;
    const char *number = end + 1;
    unsigned long long sequence = strtoull(number, &end, 10);
    if (end == number || *end) return false;
    pthread_mutex_lock(&e->lock);
    bool there = sequence < e->next && sequence + 1 >= e->oldest;
    pthread_mutex_unlock(&e->lock);
    *place = sequence;
    return there;
}

enum events_found events_next(struct events *e, const char *source, uint64_t *place, const struct event **out)
{
    enum events_found found = EVENTS_NONE;
    pthread_mutex_lock(&e->lock);
    if (*place + 1 < e->oldest) found = EVENTS_LOST;
    while (found == EVENTS_NONE && *place + 1 < e->next) {
        struct stored *s = e->ring[++*place % RING_EVENTS];
        if (source && strcmp(source, s->event.source) != 0) continue;
        atomic_fetch_add(&s->references, 1);
        *out = &s->event;
        found = EVENTS_FOUND;
    }
    pthread_mutex_unlock(&e->lock);
    return found;
}

void events_wait(struct events *e, uint64_t place, int64_t wait_ms)
{
    struct timespec until = clock_in_ms(wait_ms);
    pthread_mutex_lock(&e->lock);
    while (!e->closed && place + 1 >= e->next)
        if (pthread_cond_timedwait(&e->happened, &e->lock, &until) != 0) break;
    pthread_mutex_unlock(&e->lock);
}

void events_close(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    e->closed = true;
    pthread_cond_broadcast(&e->happened);
    pthread_mutex_unlock(&e->lock);
}
