/*
 * maker.c - requests on channels.
 *
 * A channel is a queue and the threads that serve it. The shared channel serves all declarations; a guarded
 * one has a single thread, which works on a copy of the document and hands its result over under the
 * channel's lock, so that the watchdog can take the request away from it at any moment. Owns channels and
 * threads; borrows collections and documents; knows nothing of plugins but the callbacks in struct
 * collection.
 */
#include "plugin/maker.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "plugin/plugin_guard.h"

#define THREADS 2
#define THREADS_MAX 64
#define DEADLINE_MS 5000

struct channel {
    struct maker *maker; /* not to be touched by a thread that was given up */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct req *first, *last; /* waiting */
    bool closing;
    bool guarded;
    /* guarded channels: what its thread is at */
    struct req *current;
    size_t at;         /* the document */
    int64_t since_ms;  /* when it was begun; 0: none is */
    bool hung;         /* given up */
    char *hung_reason; /* owned */
    const void *key;   /* collections with this key are served here */
    pthread_t thread;
    bool started;
    bool kept; /* a hung thread may still come back to it */
    struct channel *next_kept;
};

struct maker {
    const struct collection *const *collections;
    size_t count;
    struct inbox inbox;
    int64_t deadline_ms;
    struct channel **channels; /* the shared one first */
    size_t channel_count;
    size_t *channel_of; /* per collection */
    pthread_t *threads;
    size_t thread_count;
    pthread_t watchdog;
    bool watching;
    pthread_mutex_t lock; /* of the watchdog */
    pthread_cond_t wake;
    bool stop, busy;
};

static void post(const struct maker *m, struct req *req)
{
    m->inbox.post(m->inbox.self, req);
}

static bool prepare(struct req *req)
{
    req->make.made = calloc(req->make.count + 1, sizeof *req->make.made);
    if (!req->make.made) lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    return req->make.made != NULL;
}

static void make_fatal(struct made *made, const char *reason)
{
    made_fini(made);
    made->kind = MADE_FATAL;
    made->err = malloc(sizeof *made->err);
    if (made->err) lks_fail(made->err, LKS_E_PLUGIN, "%s", reason);
}

static void cancel(const struct maker *m, struct req *req)
{
    lks_fail(&req->err, LKS_E_CANCELLED, "Lockstep is stopping");
    post(m, req);
}

/* The next request, or NULL when the channel closes. A guarded channel shows from now on what it is at. */
static struct req *next(struct channel *l)
{
    pthread_mutex_lock(&l->lock);
    while (!l->first && !l->closing) pthread_cond_wait(&l->work, &l->lock);
    struct req *req = l->closing ? NULL : l->first;
    if (req) l->first = req->next;
    if (req) req->next = NULL;
    if (l->guarded) l->current = req;
    pthread_mutex_unlock(&l->lock);
    return req;
}

/* Makes one document; one that isn't there is nothing. */
static void make_one(const struct collection *c, const bson_t *body, struct made *out)
{
    *out = (struct made){.kind = MADE_NOTHING};
    if (body) collection_make(c, body, out);
}

/* ---- declarations alone ---- */

static void *serve_shared(void *argument)
{
    struct channel *l = argument;
    for (;;) {
        struct req *req = next(l);
        if (!req) return NULL;
        const struct collection *c = l->maker->collections[req->make.collection];
        if (prepare(req))
            for (size_t i = 0; i < req->make.count; i++)
                make_one(c, req->make.docs[i]->body, &req->make.made[i]);
        post(l->maker, req);
    }
}

/* ---- with callbacks ---- */

static void channel_free(struct channel *l)
{
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->work);
    free(l->hung_reason);
    free(l);
}

static void wake_watchdog(struct maker *m)
{
    pthread_mutex_lock(&m->lock);
    if (!m->busy) {
        m->busy = true;
        pthread_cond_signal(&m->wake);
    }
    pthread_mutex_unlock(&m->lock);
}

/* One document of the request, on a copy: if this call is given up, its document may be freed meanwhile.
 * False if it was. */
static bool make_guarded(struct channel *l, const struct collection *c, size_t i)
{
    struct made made;
    pthread_mutex_lock(&l->lock);
    const bson_t *body = l->current->make.docs[i]->body;
    bson_t *copy = body ? bson_copy(body) : NULL;
    l->at = i;
    l->since_ms = clock_ms();
    pthread_mutex_unlock(&l->lock);
    make_one(c, copy, &made);
    pthread_mutex_lock(&l->lock);
    bool mine = !l->hung;
    l->since_ms = 0;
    if (mine) l->current->make.made[i] = made;
    pthread_mutex_unlock(&l->lock);
    if (copy) bson_destroy(copy);
    if (!mine) made_fini(&made);
    return mine;
}

/* False if the channel was given up: then nothing of it is ours any more. */
static bool serve_request(struct channel *l, struct req *req)
{
    struct maker *m = l->maker;
    const struct collection *c = m->collections[req->make.collection];
    bool ready = prepare(req);
    if (ready) wake_watchdog(m);
    for (size_t i = 0; ready && i < req->make.count; i++)
        if (!make_guarded(l, c, i)) return false;
    pthread_mutex_lock(&l->lock);
    l->current = NULL;
    pthread_mutex_unlock(&l->lock);
    post(m, req);
    return true;
}

static void *serve_guarded(void *argument)
{
    struct channel *l = argument;
    for (;;) {
        struct req *req = next(l);
        if (!req) return NULL;
        if (!serve_request(l, req)) break;
    }
    /* given up: the maker's side may still look at the channel, so it is left */
    return NULL;
}

/* ---- the watchdog ---- */

static char *describe_hang(const struct maker *m, const struct channel *l)
{
    const struct req *req = l->current;
    const struct collection *c = m->collections[req->make.collection];
    const char *call = c->callbacks.running ? atomic_load(c->callbacks.running) : NULL;
    const struct source_document *doc = req->make.docs[l->at];
    char *id = doc->id ? docid_plain(doc->id) : NULL;
    struct lks_err text;
    lks_fail(&text, LKS_E_PLUGIN,
             "collection `%s`, plugin `%s`, %s(), document %.200s: did not return within %lld ms; the "
             "collection is "
             "stopped until Lockstep starts again",
             c->name, c->plugin, call ? call : "text", id ? id : "?", (long long)m->deadline_ms);
    free(id);
    return strdup(text.text);
}

static const char *reason_hung(const struct channel *l)
{
    return l->hung_reason ? l->hung_reason : "a call of the plugin hangs";
}

/* What was made before the hung call counts; the rest can't be made. */
static void answer_fatal(const struct maker *m, struct req *req, size_t from, const char *reason)
{
    if (req->make.made || prepare(req))
        for (size_t i = from; i < req->make.count; i++) make_fatal(&req->make.made[i], reason);
    post(m, req);
}

/* Takes all requests away from a channel whose call is over its time. True if anything of it still runs. */
static bool watch(struct maker *m, struct channel *l)
{
    struct req *taken = NULL, *waiting = NULL;
    pthread_mutex_lock(&l->lock);
    bool busy = l->current != NULL;
    if (!l->hung && l->since_ms && clock_ms() - l->since_ms > m->deadline_ms) {
        l->hung_reason = describe_hang(m, l);
        l->hung = true;
        taken = l->current;
        l->current = NULL;
    }
    if (l->hung) {
        busy = false;
        waiting = l->first;
        l->first = l->last = NULL;
    }
    pthread_mutex_unlock(&l->lock);
    if (taken) {
        pthread_detach(l->thread);
        log_error("plugin call hangs", LOG_STR("error", reason_hung(l)));
        answer_fatal(m, taken, l->at, reason_hung(l));
    }
    while (waiting) {
        struct req *req = waiting;
        waiting = req->next;
        req->next = NULL;
        answer_fatal(m, req, 0, reason_hung(l));
    }
    return busy;
}

static struct timespec watch_again(const struct maker *m)
{
    int64_t ms = m->deadline_ms / 4;
    return clock_in_ms(ms < 5 ? 5 : ms > 250 ? 250 : ms);
}

static void *watchdog(void *argument)
{
    struct maker *m = argument;
    pthread_mutex_lock(&m->lock);
    while (!m->stop) {
        if (!m->busy) {
            pthread_cond_wait(&m->wake, &m->lock);
            continue;
        }
        m->busy = false; /* whoever begins during the round says so again */
        pthread_mutex_unlock(&m->lock);
        bool any = false;
        for (size_t i = 1; i < m->channel_count; i++) any = watch(m, m->channels[i]) || any;
        pthread_mutex_lock(&m->lock);
        m->busy = m->busy || any;
        struct timespec until = watch_again(m);
        if (m->busy && !m->stop) pthread_cond_timedwait(&m->wake, &m->lock, &until);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* ---- one document, without a maker ---- */

struct single {
    const struct collection *collection;
    bson_t *doc;
    struct made made;
    struct single *next; /* of those that hang: kept where whoever looks for leaks finds them */
};
static struct single *_Atomic hanging;

static void make_single(void *argument)
{
    struct single *s = argument;
    make_one(s->collection, s->doc, &s->made);
}

static void single_hangs(struct single *s, int64_t deadline_ms, struct made *out)
{
    const struct collection *c = s->collection;
    const char *call = c->callbacks.running ? atomic_load(c->callbacks.running) : NULL;
    struct docid *id = docid_of(s->doc);
    char *plain = id ? docid_plain(id) : NULL;
    struct lks_err text;
    lks_fail(&text, LKS_E_PLUGIN,
             "collection `%s`, plugin `%s`, %s(), document %.200s: did not return within %lld ms", c->name,
             c->plugin, call ? call : "text", plain ? plain : "?", (long long)deadline_ms);
    make_fatal(out, text.text);
    free(plain);
    docid_free(id);
    s->next = atomic_load(&hanging);
    while (!atomic_compare_exchange_weak(&hanging, &s->next, s)) continue;
}

void maker_make(const struct collection *c, const bson_t *doc, int64_t deadline_ms, struct made *out)
{
    *out = (struct made){.kind = MADE_NOTHING};
    if (!c->callbacks.text && !c->callbacks.payload_more) {
        make_one(c, doc, out);
        return;
    }
    if (!deadline_ms) deadline_ms = DEADLINE_MS;
    struct single *s = calloc(1, sizeof *s);
    if (s) *s = (struct single){.collection = c, .doc = bson_copy(doc)};
    switch (s ? guard_call(make_single, s, deadline_ms) : GUARD_FAILED) {
    case GUARD_DONE:
        *out = s->made;
        break;
    case GUARD_HUNG:
        single_hangs(s, deadline_ms, out);
        return;
    case GUARD_FAILED:
        make_fatal(out, "no thread or memory for the plugin's call");
        break;
    }
    if (s) bson_destroy(s->doc);
    free(s);
}

/* ---- opening, submitting, closing ---- */

static struct channel *channel_new(struct maker *m, bool guarded, const void *key)
{
    struct channel *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->maker = m;
    l->guarded = guarded;
    l->key = key;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    m->channels[m->channel_count++] = l;
    return l;
}

/* Declarations share the first channel, the collections of a serial plugin one of theirs; others have their
 * own.
 */
static bool assign(struct maker *m, size_t collection)
{
    const struct collection *c = m->collections[collection];
    if (!c->callbacks.text && !c->callbacks.payload_more) return true;
    const void *key = c->callbacks.serial ? c->callbacks.serial : (const void *)c;
    for (size_t i = 1; i < m->channel_count; i++) {
        if (m->channels[i]->key != key) continue;
        m->channel_of[collection] = i;
        return true;
    }
    m->channel_of[collection] = m->channel_count;
    return channel_new(m, true, key) != NULL;
}

static bool allocate(struct maker *m, size_t threads)
{
    m->channels = calloc(m->count + 1, sizeof *m->channels);
    m->channel_of = calloc(m->count + 1, sizeof *m->channel_of);
    m->threads = calloc(threads, sizeof *m->threads);
    if (!m->channels || !m->channel_of || !m->threads || !channel_new(m, false, NULL)) return false;
    for (size_t i = 0; i < m->count; i++)
        if (!assign(m, i)) return false;
    return true;
}

/* Starts all threads; those that were are ended by maker_close(). */
static bool start(struct maker *m, size_t threads)
{
    for (; m->thread_count < threads; m->thread_count++)
        if (pthread_create(&m->threads[m->thread_count], NULL, serve_shared, m->channels[0]) != 0)
            return false;
    for (size_t i = 1; i < m->channel_count; i++) {
        m->channels[i]->started =
            pthread_create(&m->channels[i]->thread, NULL, serve_guarded, m->channels[i]) == 0;
        if (!m->channels[i]->started) return false;
    }
    m->watching = m->channel_count > 1 && pthread_create(&m->watchdog, NULL, watchdog, m) == 0;
    return m->watching || m->channel_count == 1;
}

enum lks_code maker_open(const struct collection *const *collections, size_t count,
                         const struct maker_options *options, struct inbox inbox, struct maker **out,
                         struct lks_err *err)
{
    struct maker *m = calloc(1, sizeof *m);
    size_t threads = options->threads ? options->threads : THREADS;
    if (threads > THREADS_MAX) threads = THREADS_MAX;
    *out = NULL;
    if (!m) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    m->collections = collections;
    m->count = count;
    m->inbox = inbox;
    m->deadline_ms = options->deadline_ms ? options->deadline_ms : DEADLINE_MS;
    pthread_mutex_init(&m->lock, NULL);
    clock_cond_init(&m->wake);
    if (!allocate(m, threads)) {
        maker_close(m);
        return lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    if (!start(m, threads)) {
        maker_close(m);
        return lks_fail(err, LKS_E_IO, "no thread can be started for the plugins");
    }
    *out = m;
    return LKS_E_OK;
}

static void submit(void *self, struct req *req)
{
    struct maker *m = self;
    struct channel *l = m->channels[m->channel_of[req->make.collection]];
    req->next = NULL;
    pthread_mutex_lock(&l->lock);
    if (l->first) {
        l->last->next = req;
    } else {
        l->first = req;
    }
    l->last = req;
    bool hung = l->hung;
    pthread_cond_signal(&l->work);
    pthread_mutex_unlock(&l->lock);
    if (hung) wake_watchdog(m); /* it answers for a channel that has no thread any more */
}

struct port maker_port(struct maker *m)
{
    return (struct port){m, submit};
}

static void close_channel(struct maker *m, struct channel *l)
{
    pthread_mutex_lock(&l->lock);
    struct req *waiting = l->first;
    l->first = l->last = NULL;
    l->closing = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    while (waiting) {
        struct req *req = waiting;
        waiting = req->next;
        req->next = NULL;
        cancel(m, req);
    }
}

/* Waits until the channel's thread is on its way out, or was given up. True in the latter case. */
static bool end_guarded(struct channel *l)
{
    const struct timespec pause = {0, 2000000};
    if (!l->started) return false;
    for (;;) {
        pthread_mutex_lock(&l->lock);
        bool hung = l->hung, busy = l->current != NULL;
        pthread_mutex_unlock(&l->lock);
        if (hung) return true;
        if (!busy) break;
        nanosleep(&pause, NULL);
    }
    pthread_join(l->thread, NULL);
    return false;
}

static void end_watchdog(struct maker *m)
{
    if (!m->watching) return;
    pthread_mutex_lock(&m->lock);
    m->stop = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->watchdog, NULL);
}

/* Channels whose threads hang: kept where whoever looks for leaks finds them. */
static struct channel *_Atomic kept_channels;

static void keep(struct channel *l)
{
    l->kept = true;
    l->next_kept = atomic_load(&kept_channels);
    while (!atomic_compare_exchange_weak(&kept_channels, &l->next_kept, l)) continue;
}

size_t maker_close(struct maker *m)
{
    size_t hung_count = 0;
    if (!m) return 0;
    for (size_t i = 0; i < m->channel_count; i++) close_channel(m, m->channels[i]);
    for (size_t i = 0; i < m->thread_count; i++) pthread_join(m->threads[i], NULL);
    for (size_t i = 1; i < m->channel_count; i++) {
        if (!end_guarded(m->channels[i])) continue;
        keep(m->channels[i]);
        hung_count++;
    }
    end_watchdog(m);
    for (size_t i = 0; i < m->channel_count; i++)
        if (!m->channels[i]->kept) channel_free(m->channels[i]);
    free(m->channels);
    free(m->channel_of);
    free(m->threads);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->wake);
    free(m);
    return hung_count;
}
