/*
 * control.c - see control.h. Owns a copy of each engine's last snapshot and the wishes nobody has answered
 * yet. A wish belongs to the thread that waits for it; it takes it out of the list itself.
 */
#include "service/control.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum wish_state { WISH_NEW, WISH_HANDED, WISH_DONE };

struct wish {
    struct wish *next;
    size_t source;
    const struct docid *id; /* borrowed from who waits; NULL: a cycle */
    uint64_t collections;
    bool force;
    enum wish_state state;
    uint64_t cycles; /* the cycle is over when the engine has made more than these */
    struct lks_err err;
    struct control_answer answer;
};

#define SNAPSHOT_MS 50 /* no more often than that, unless somebody waits for something */

struct view {
    bool known;
    int64_t taken_ms; /* monotonic */
    bool wanted;      /* somebody waits for a newer one */
    struct engine_snapshot snapshot;
};

/* A wish that nobody waits for. */
struct nudge {
    struct nudge *next;
    size_t source;
    struct docid *id; /* owned; NULL: a cycle */
};

struct control {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct wish *wishes;  /* oldest first */
    struct nudge *nudges; /* newest first: their order doesn't matter */
    struct view *views;
    size_t count;
    bool closed;
    void (*wake)(void *self);
    void *self;
};

struct control *control_new(size_t source_count, void (*wake)(void *self), void *self)
{
    struct control *c = calloc(1, sizeof *c);
    pthread_condattr_t attributes;
    if (!c) return NULL;
    c->views = calloc(source_count + 1, sizeof *c->views);
    c->count = source_count;
    c->wake = wake;
    c->self = self;
    if (!c->views) {
        free(c);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&c->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    return c;
}

static void nudge_free(struct nudge *nudge)
{
    docid_free(nudge->id);
    free(nudge);
}

void control_free(struct control *c)
{
    if (!c) return;
    for (struct nudge *n = c->nudges, *next; n; n = next) {
        next = n->next;
        nudge_free(n);
    }
    pthread_cond_destroy(&c->answered);
    pthread_mutex_destroy(&c->lock);
    free(c->views);
    free(c);
}

/* ---- on the engines' thread ---- */

/* A document is handed over to one wish at a time, so that each is answered by its own attempt. */
static bool handed_already(const struct control *c, const struct wish *wish)
{
    for (const struct wish *w = c->wishes; w && w != wish; w = w->next)
        if (w->state == WISH_HANDED && w->source == wish->source && w->id && docid_equal(w->id, wish->id))
            return true;
    return false;
}

static void finish(struct control *c, struct wish *wish)
{
    wish->state = WISH_DONE;
    pthread_cond_broadcast(&c->answered);
}

static void hand_over(struct control *c, struct wish *wish, struct engine *e, const struct engine_snapshot *s)
{
    if (s->phase != PHASE_RUN) {
        lks_fail(&wish->err, LKS_E_LEASE,
                 s->lease_holder[0] ? "another process keeps this source in step: %s" : "not at work yet%s",
                 s->lease_holder);
        finish(c, wish);
    } else if (wish->id) {
        if (handed_already(c, wish)) return;
        wish->state = WISH_HANDED;
        if (engine_touch(e, wish->id, wish->collections, wish->force)) return;
        lks_fail(&wish->err, LKS_E_NOMEM, "out of memory");
        finish(c, wish);
    } else if (s->cycle_running) {
        lks_fail(&wish->err, LKS_E_MISSED, "a cycle is running already");
        finish(c, wish);
    } else {
        wish->state = WISH_HANDED;
        wish->cycles = s->cycles;
        engine_cycle(e);
    }
}

/* An engine that lost its lease has forgotten what was asked of it. */
static void follow(struct control *c, struct wish *wish, const struct engine_snapshot *s)
{
    if (s->phase != PHASE_RUN && s->phase != PHASE_DRAIN) {
        lks_fail(&wish->err, LKS_E_LEASE, "the lease was lost meanwhile");
        finish(c, wish);
    } else if (!wish->id && s->cycles > wish->cycles) {
        finish(c, wish);
    }
}

static void pass_on_nudges(struct control *c, size_t source, struct engine *e, enum engine_phase phase)
{
    for (struct nudge **at = &c->nudges, *n; (n = *at) != NULL;) {
        if (n->source != source) {
            at = &n->next;
            continue;
        }
        *at = n->next;
        if (phase == PHASE_RUN && n->id)
            engine_touch(e, n->id, 0, false); /* without memory: the record says that it is due */
        else if (phase == PHASE_RUN)
            engine_cycle(e);
        nudge_free(n);
    }
}

void control_serve(struct control *c, size_t source, struct engine *e)
{
    struct view *view = &c->views[source];
    int64_t now = clock_ms();
    pthread_mutex_lock(&c->lock);
    if (!c->wishes && !c->nudges && !view->wanted && view->known && now < view->taken_ms + SNAPSHOT_MS) {
        pthread_mutex_unlock(&c->lock);
        return;
    }
    engine_snapshot(e, &view->snapshot);
    view->known = true;
    view->taken_ms = now;
    if (view->wanted) pthread_cond_broadcast(&c->answered);
    view->wanted = false;
    for (struct wish *w = c->wishes; w; w = w->next) {
        if (w->source != source) continue;
        if (w->state == WISH_NEW)
            hand_over(c, w, e, &view->snapshot);
        else if (w->state == WISH_HANDED)
            follow(c, w, &view->snapshot);
    }
    pass_on_nudges(c, source, e, view->snapshot.phase);
    pthread_mutex_unlock(&c->lock);
}

static bool copy_answer(struct control_answer *to, const struct engine_touched *what)
{
    *to = (struct control_answer){.gone = what->gone, .overall = what->overall};
    to->outcomes = calloc(what->count + 1, sizeof *to->outcomes);
    if (!to->outcomes) return false;
    to->count = what->count;
    for (size_t i = 0; i < what->count; i++) {
        to->outcomes[i] = what->outcomes[i];
        to->outcomes[i].text = what->outcomes[i].text ? strdup(what->outcomes[i].text) : NULL;
    }
    return true;
}

void control_touched(struct control *c, size_t source, const struct engine_touched *what)
{
    pthread_mutex_lock(&c->lock);
    for (struct wish *w = c->wishes; w; w = w->next) {
        if (w->source != source || w->state != WISH_HANDED || !w->id || !docid_equal(w->id, what->id))
            continue;
        if (!copy_answer(&w->answer, what)) lks_fail(&w->err, LKS_E_NOMEM, "out of memory");
        finish(c, w);
    }
    pthread_mutex_unlock(&c->lock);
}

void control_close(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    for (struct wish *w = c->wishes; w; w = w->next) {
        if (w->state == WISH_DONE) continue;
        lks_fail(&w->err, LKS_E_CANCELLED, "the daemon is ending");
        w->state = WISH_DONE;
    }
    pthread_cond_broadcast(&c->answered);
    pthread_mutex_unlock(&c->lock);
}

/* ---- on any thread ---- */

/* The engines' thread is seldom busy for longer than this; then an older one has to do. */
#define NEWER_WAIT_MS 10

static void wait_for_newer(struct control *c, struct view *view)
{
    struct timespec deadline = clock_in_ms(NEWER_WAIT_MS);
    view->wanted = true;
    c->wake(c->self);
    while (view->wanted && !c->closed)
        if (pthread_cond_timedwait(&c->answered, &c->lock, &deadline) == ETIMEDOUT) break;
}

bool control_snapshot(struct control *c, size_t source, struct engine_snapshot *out)
{
    if (source >= c->count) return false;
    struct view *view = &c->views[source];
    pthread_mutex_lock(&c->lock);
    if (view->known && clock_ms() >= view->taken_ms + SNAPSHOT_MS) wait_for_newer(c, view);
    bool known = view->known;
    if (known) *out = view->snapshot;
    pthread_mutex_unlock(&c->lock);
    return known;
}

static void append(struct control *c, struct wish *wish)
{
    struct wish **end = &c->wishes;
    while (*end) end = &(*end)->next;
    *end = wish;
}

static void take_out(struct control *c, const struct wish *wish)
{
    struct wish **at = &c->wishes;
    while (*at != wish) at = &(*at)->next;
    *at = wish->next;
}

static enum lks_code ask(struct control *c, struct wish *wish, int64_t wait_ms)
{
    struct timespec deadline = clock_in_ms(wait_ms);
    pthread_mutex_lock(&c->lock);
    if (c->closed || wish->source >= c->count || !c->views[wish->source].known) {
        pthread_mutex_unlock(&c->lock);
        return lks_fail(&wish->err, LKS_E_LEASE, "this source is not at work here");
    }
    append(c, wish);
    c->wake(c->self);
    while (wish->state != WISH_DONE)
        if (pthread_cond_timedwait(&c->answered, &c->lock, &deadline) == ETIMEDOUT) break;
    take_out(c, wish);
    if (wish->state != WISH_DONE)
        lks_fail(&wish->err, LKS_E_CANCELLED, "not done after %lld ms; it goes on", (long long)wait_ms);
    pthread_mutex_unlock(&c->lock);
    return wish->err.code;
}

enum lks_code control_touch(struct control *c, size_t source, const struct docid *id, uint64_t collections,
                            bool force, int64_t wait_ms, struct control_answer *answer, struct lks_err *err)
{
    struct wish wish = {.source = source, .id = id, .collections = collections, .force = force};
    enum lks_code code = ask(c, &wish, wait_ms);
    *answer = wish.answer;
    *err = wish.err;
    return code;
}

void control_answer_fini(struct control_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) free((char *)answer->outcomes[i].text);
    free(answer->outcomes);
    *answer = (struct control_answer){.count = 0};
}

enum lks_code control_cycle(struct control *c, size_t source, int64_t wait_ms, struct engine_snapshot *after,
                            struct lks_err *err)
{
    struct wish wish = {.source = source};
    enum lks_code code = ask(c, &wish, wait_ms);
    *err = wish.err;
    if (!control_snapshot(c, source, after)) *after = (struct engine_snapshot){.last_cycle_wall_ms = NO_TIME};
    return code;
}

void control_nudge(struct control *c, size_t source, const struct docid *id)
{
    struct nudge *nudge = calloc(1, sizeof *nudge);
    if (!nudge) return;
    nudge->source = source;
    nudge->id = id ? docid_copy(id) : NULL;
    pthread_mutex_lock(&c->lock);
    bool taken = !c->closed && source < c->count && c->views[source].known && (!id || nudge->id);
    if (taken) {
        nudge->next = c->nudges;
        c->nudges = nudge;
    }
    pthread_mutex_unlock(&c->lock);
    if (taken)
        c->wake(c->self);
    else
        nudge_free(nudge);
}
