/*
 * control.c - see control.h. Owns a copy of each engine's last snapshot and the wishes nobody has answered
 * yet. An order belongs to the thread that gave it, which takes it out of the list itself.
 */
#include "service/control.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SNAPSHOT_MS 50 /* no more often than that, unless somebody waits for something */

struct view {
    bool known;
    int64_t taken_ms; /* monotonic */
    bool wanted;      /* somebody waits for a newer one */
    struct engine_snapshot snapshot;
};

#define ABANDONED_MS 60000 /* an attempt that takes longer is not waited for by the next one */

/* A wish that nobody waits for, or not any more. */
struct hint {
    struct hint *next;
    size_t source;
    struct docid *id; /* owned; NULL: a cycle */
    uint64_t epoch;   /* of the engine that has it */
    int64_t until_ms; /* monotonic */
};

struct control {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct control_order *orders; /* oldest first */
    struct hint *hints;           /* newest first: their order doesn't matter */
    struct hint *abandoned;       /* documents that an engine is at, and whose outcome is nobody's */
    struct view *views;
    size_t count;
    bool closed;
    void (*wake)(void *self);
    void *self;
};

struct control *control_new(size_t source_count, void (*wake)(void *self), void *self)
{
    struct control *c = calloc(1, sizeof *c);
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
    clock_cond_init(&c->answered);
    return c;
}

/* NULL without memory. */
static struct hint *hint_new(size_t source, const struct docid *id)
{
    struct hint *hint = calloc(1, sizeof *hint);
    if (!hint) return NULL;
    hint->source = source;
    if (!id || (hint->id = docid_copy(id)) != NULL) return hint;
    free(hint);
    return NULL;
}

static void hint_free(struct hint *hint)
{
    docid_free(hint->id);
    free(hint);
}

static void hints_free(struct hint *list)
{
    for (struct hint *next; list; list = next) {
        next = list->next;
        hint_free(list);
    }
}

void control_free(struct control *c)
{
    if (!c) return;
    hints_free(c->hints);
    hints_free(c->abandoned);
    pthread_cond_destroy(&c->answered);
    pthread_mutex_destroy(&c->lock);
    free(c->views);
    free(c);
}

/* ---- on the engines' thread ---- */

/* A document is handed over to one order at a time, so that each is answered by its own attempt. */
static bool handed_already(const struct control *c, const struct control_order *order)
{
    for (const struct control_order *o = c->orders; o && o != order; o = o->next)
        if (o->state == ORDER_HANDED && o->source == order->source && o->kind == ORDER_RESYNC &&
            docid_equal(o->id, order->id))
            return true;
    for (const struct hint *n = c->abandoned; n; n = n->next)
        if (n->source == order->source && docid_equal(n->id, order->id)) return true;
    return false;
}

/* What comes back for this document is not for whoever asks next. */
static void abandon(struct control *c, struct hint *n, uint64_t epoch)
{
    n->epoch = epoch;
    n->until_ms = clock_ms() + ABANDONED_MS;
    n->next = c->abandoned;
    c->abandoned = n;
}

/* Those of a source that came back (`id`), or that no engine is at any more. */
static void drop_abandoned(struct control *c, size_t source, const struct docid *id, uint64_t epoch)
{
    int64_t now = clock_ms();
    for (struct hint **at = &c->abandoned, *n; (n = *at) != NULL;) {
        bool over = id ? docid_equal(n->id, id) : n->epoch != epoch || now >= n->until_ms;
        if (n->source != source || !over) {
            at = &n->next;
            continue;
        }
        *at = n->next;
        hint_free(n);
    }
}

static void finish(struct control *c, struct control_order *order)
{
    order->state = ORDER_DONE;
    pthread_cond_broadcast(&c->answered);
}

static void not_at_work(const struct engine_snapshot *s, struct lks_err *err)
{
    lks_fail(err, LKS_E_LEASE,
             s->lease_holder[0] ? "another process keeps this source in sync: %s" : "not at work yet%s",
             s->lease_holder);
}

/* False: it could not be handed over; the error says why. */
static bool hand_over(struct control_order *o, struct engine *e, const struct engine_snapshot *s)
{
    o->state = ORDER_HANDED;
    o->epoch = s->epoch;
    switch (o->kind) {
    case ORDER_RESYNC:
        if (engine_resync(e, o->id, o->collections, o->force)) return true;
        lks_fail(&o->err, LKS_E_NOMEM, "out of memory");
        return false;
    case ORDER_CYCLE:
        o->count = s->cycles;
        engine_cycle(e);
        return true;
    case ORDER_COMPARE:
        o->count = s->compares;
        if (!engine_compare(e, &o->compare)) o->state = ORDER_NEW; /* after that of somebody else */
        *o->begin = *o->end = *s;
        return true;
    }
    return true;
}

static void begin(struct control *c, struct control_order *o, struct engine *e,
                  const struct engine_snapshot *s)
{
    if (s->phase != PHASE_RUN) {
        not_at_work(s, &o->err);
        finish(c, o);
    } else if (o->stop) {
        lks_fail(&o->err, LKS_E_CANCELLED, "stopped");
        finish(c, o);
    } else if (o->kind == ORDER_CYCLE && s->cycle_running) {
        lks_fail(&o->err, LKS_E_MISSED, "a cycle is running already");
        finish(c, o);
    } else if (o->kind != ORDER_RESYNC || !handed_already(c, o)) {
        if (!hand_over(o, e, s)) finish(c, o);
    }
}

static bool is_over(const struct control_order *o, const struct engine_snapshot *s)
{
    if (o->kind == ORDER_CYCLE) return s->cycles > o->count;
    return o->kind == ORDER_COMPARE && s->compares > o->count;
}

/* An engine that lost its lease has forgotten what was asked of it. */
static void follow(struct control *c, struct control_order *o, struct engine *e,
                   const struct engine_snapshot *s)
{
    if (o->end) *o->end = *s;
    if ((s->phase != PHASE_RUN && s->phase != PHASE_DRAIN) || s->epoch != o->epoch) {
        lks_fail(&o->err, LKS_E_LEASE, "the lease was lost meanwhile");
        finish(c, o);
    } else if (is_over(o, s)) {
        finish(c, o);
    } else if (o->stop && o->kind == ORDER_COMPARE) {
        engine_compare_stop(e);
        lks_fail(&o->err, LKS_E_CANCELLED, "stopped");
        finish(c, o);
    }
}

static void forward_hints(struct control *c, size_t source, struct engine *e, const struct engine_snapshot *s)
{
    for (struct hint **at = &c->hints, *n; (n = *at) != NULL;) {
        if (n->source != source) {
            at = &n->next;
            continue;
        }
        *at = n->next;
        if (s->phase == PHASE_RUN && n->id) {
            engine_resync(e, n->id, 0, false); /* without memory: the record says that it is due */
            abandon(c, n, s->epoch);
            continue;
        }
        if (s->phase == PHASE_RUN) engine_cycle(e);
        hint_free(n);
    }
}

/* What has just come, or what somebody waits for, isn't put off until the next snapshot is due. */
static bool is_urgent(const struct control *c, size_t source)
{
    for (const struct control_order *o = c->orders; o; o = o->next)
        if (o->source == source && (o->state == ORDER_NEW || o->stop || o->kind == ORDER_CYCLE)) return true;
    return c->hints || c->views[source].wanted || !c->views[source].known;
}

void control_serve(struct control *c, size_t source, struct engine *e)
{
    struct view *view = &c->views[source];
    int64_t now = clock_ms();
    pthread_mutex_lock(&c->lock);
    if (now < view->taken_ms + SNAPSHOT_MS && !is_urgent(c, source)) {
        pthread_mutex_unlock(&c->lock);
        return;
    }
    engine_snapshot(e, &view->snapshot);
    view->known = true;
    view->taken_ms = now;
    if (view->wanted) pthread_cond_broadcast(&c->answered);
    view->wanted = false;
    drop_abandoned(c, source, NULL, view->snapshot.epoch);
    for (struct control_order *o = c->orders; o; o = o->next) {
        if (o->source != source) continue;
        if (o->state == ORDER_NEW)
            begin(c, o, e, &view->snapshot);
        else if (o->state == ORDER_HANDED)
            follow(c, o, e, &view->snapshot);
    }
    forward_hints(c, source, e, &view->snapshot);
    pthread_mutex_unlock(&c->lock);
}

static bool copy_answer(struct control_answer *to, const struct engine_resynced *what)
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

void control_resynced(struct control *c, size_t source, const struct engine_resynced *what)
{
    pthread_mutex_lock(&c->lock);
    for (struct control_order *o = c->orders; o; o = o->next) {
        if (o->source != source || o->state != ORDER_HANDED || o->kind != ORDER_RESYNC ||
            !docid_equal(o->id, what->id))
            continue;
        if (!copy_answer(&o->answer, what)) lks_fail(&o->err, LKS_E_NOMEM, "out of memory");
        finish(c, o);
    }
    drop_abandoned(c, source, what->id, 0);
    pthread_mutex_unlock(&c->lock);
}

void control_close(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    for (struct control_order *o = c->orders; o; o = o->next) {
        if (o->state == ORDER_DONE) continue;
        lks_fail(&o->err, LKS_E_CANCELLED, "the daemon is ending");
        o->state = ORDER_DONE;
    }
    pthread_cond_broadcast(&c->answered);
    pthread_mutex_unlock(&c->lock);
}

/* ---- on any thread ---- */

/* The engines' thread is seldom busy for longer than this; then an older one has to do. */
#define NEWER_WAIT_MS 10
/* Who begins something for long had better know. */
#define AT_WORK_WAIT_MS 1000

static void wait_for_newer(struct control *c, struct view *view, int64_t wait_ms)
{
    struct timespec deadline = clock_in_ms(wait_ms);
    view->wanted = true;
    c->wake(c->self);
    while (view->wanted && !c->closed)
        if (pthread_cond_timedwait(&c->answered, &c->lock, &deadline) == ETIMEDOUT) break;
}

static bool snapshot(struct control *c, size_t source, int64_t wait_ms, struct engine_snapshot *out)
{
    if (source >= c->count) return false;
    struct view *view = &c->views[source];
    pthread_mutex_lock(&c->lock);
    /* While it starts or ends, moments make a difference: it may have done much since. */
    bool old = clock_ms() >= view->taken_ms + SNAPSHOT_MS || view->snapshot.phase != PHASE_RUN;
    if (view->known && old) wait_for_newer(c, view, wait_ms);
    bool known = view->known;
    if (known) *out = view->snapshot;
    pthread_mutex_unlock(&c->lock);
    return known;
}

bool control_snapshot(struct control *c, size_t source, struct engine_snapshot *out)
{
    return snapshot(c, source, NEWER_WAIT_MS, out);
}

enum lks_code control_at_work(struct control *c, size_t source, uint64_t *epoch, struct lks_err *err)
{
    struct engine_snapshot *s = malloc(sizeof *s); /* too large for every thread's stack */
    if (!s) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    *err = (struct lks_err){.code = LKS_E_OK};
    if (!snapshot(c, source, AT_WORK_WAIT_MS, s))
        lks_fail(err, LKS_E_LEASE, "this source is not at work here");
    else if (s->phase != PHASE_RUN)
        not_at_work(s, err);
    *epoch = s->epoch;
    free(s);
    return err->code;
}

static void open_order(struct control *c, struct control_order *order)
{
    struct control_order **end = &c->orders;
    pthread_mutex_lock(&c->lock);
    if (c->closed || order->source >= c->count || !c->views[order->source].known) {
        order->state = ORDER_DONE;
        lks_fail(&order->err, LKS_E_LEASE, "this source is not at work here");
    }
    while (*end) end = &(*end)->next;
    *end = order;
    pthread_mutex_unlock(&c->lock);
    c->wake(c->self);
}

void control_order_resync(struct control *c, struct control_order *order, size_t source,
                          const struct docid *id, uint64_t collections, bool force)
{
    *order = (struct control_order){
        .kind = ORDER_RESYNC, .source = source, .id = id, .collections = collections, .force = force};
    open_order(c, order);
}

void control_order_compare(struct control *c, struct control_order *order, size_t source,
                           const struct engine_compare *request, struct engine_snapshot span[2])
{
    *order = (struct control_order){
        .kind = ORDER_COMPARE, .source = source, .compare = *request, .begin = &span[0], .end = &span[1]};
    open_order(c, order);
}

void control_order_stop(struct control *c, struct control_order *order)
{
    pthread_mutex_lock(&c->lock);
    order->stop = true;
    pthread_mutex_unlock(&c->lock);
    c->wake(c->self);
}

bool control_ordered(struct control *c, struct control_order *order, int64_t wait_ms)
{
    struct timespec deadline = clock_in_ms(wait_ms);
    pthread_mutex_lock(&c->lock);
    while (order->state != ORDER_DONE)
        if (pthread_cond_timedwait(&c->answered, &c->lock, &deadline) == ETIMEDOUT) break;
    bool done = order->state == ORDER_DONE;
    pthread_mutex_unlock(&c->lock);
    return done;
}

static void take_out(struct control *c, struct control_order *order)
{
    struct control_order **at = &c->orders;
    pthread_mutex_lock(&c->lock);
    while (*at != order) at = &(*at)->next;
    *at = order->next;
    if (order->kind == ORDER_RESYNC && order->state == ORDER_HANDED) {
        struct hint *n = hint_new(order->source, order->id);
        if (n) abandon(c, n, order->epoch); /* without memory the next one may get its outcome */
    }
    pthread_mutex_unlock(&c->lock);
}

void control_order_fini(struct control *c, struct control_order *order)
{
    take_out(c, order);
    control_answer_fini(&order->answer);
}

/* Waits for an order and takes it out again; its outcome is its giver's. */
static enum lks_code await(struct control *c, struct control_order *order, int64_t wait_ms)
{
    bool done = control_ordered(c, order, wait_ms);
    take_out(c, order);
    if (!done && order->state != ORDER_DONE)
        lks_fail(&order->err, LKS_E_CANCELLED, "not done after %lld ms; it goes on", (long long)wait_ms);
    return order->err.code;
}

enum lks_code control_resync(struct control *c, size_t source, const struct docid *id, uint64_t collections,
                             bool force, int64_t wait_ms, struct control_answer *answer, struct lks_err *err)
{
    struct control_order order;
    control_order_resync(c, &order, source, id, collections, force);
    enum lks_code code = await(c, &order, wait_ms);
    *answer = order.answer;
    *err = order.err;
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
    struct control_order order = {.kind = ORDER_CYCLE, .source = source};
    open_order(c, &order);
    enum lks_code code = await(c, &order, wait_ms);
    *err = order.err;
    if (!control_snapshot(c, source, after)) *after = (struct engine_snapshot){.last_cycle_wall_ms = NO_TIME};
    return code;
}

void control_hint(struct control *c, size_t source, const struct docid *id)
{
    struct hint *hint = hint_new(source, id);
    if (!hint) return;
    pthread_mutex_lock(&c->lock);
    bool taken = !c->closed && source < c->count && c->views[source].known;
    if (taken) {
        hint->next = c->hints;
        c->hints = hint;
    }
    pthread_mutex_unlock(&c->lock);
    if (taken)
        c->wake(c->self);
    else
        hint_free(hint);
}
