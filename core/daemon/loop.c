/*
 * loop.c - runs the engines on the calling thread. Each engine's requests pass through here on their way to
 * the adapters, so that they find their way back to the engine that asked.
 */
#include "daemon/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/making.h"
#include "daemon/signals.h"

#define DRAIN_MS 8000 /* then what is in work is given up, and there is time left to save and close */
#define TICK_MS 1000

/* ---- clock ---- */

static int64_t boot_ms(void *self)
{
    (void)self;
    return clock_boot_ms();
}

static int64_t wall_clock_ms(void *self)
{
    (void)self;
    return clock_wall_ms();
}

static uint64_t random_bits(void *self)
{
    uint64_t bits = 0;
    (void)self;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) bits = (uint64_t)clock_ms() << 11;
    return bits;
}

/* ---- the way out ---- */

#define ONE_SHOT(name)                                                                                       \
    static void submit_##name(void *self, struct req *req)                                                   \
    {                                                                                                        \
        struct loop_engine *le = self;                                                                       \
        req->sender = le;                                                                                    \
        le->ports.name.submit(le->ports.name.self, req);                                                     \
    }
ONE_SHOT(source)
ONE_SHOT(store)
ONE_SHOT(maker)
ONE_SHOT(embedder)
ONE_SHOT(index)

static struct ports ports_through_us(struct loop_engine *le)
{
    return (struct ports){.source = {le, submit_source},
                          .store = {le, submit_store},
                          .maker = {le, submit_maker},
                          .embedder = {le, submit_embedder},
                          .index = {le, submit_index},
                          .clock = {le, boot_ms, wall_clock_ms, random_bits}};
}

/* ---- engines ---- */

static bool touches(void *self, const char *path)
{
    const struct app_source *s = self;
    for (size_t i = 0; i < s->count; i++)
        if (collection_touches(s->collections[i], path) != COLLECTION_UNTOUCHED) return true;
    return false;
}

static void configure(struct loop_engine *le, const char *const *embedder_names, bool once)
{
    static const enum watch_mode watches[] = {[CONFIG_WATCH_AUTO] = WATCH_AUTO,
                                              [CONFIG_WATCH_STREAM] = WATCH_STREAM,
                                              [CONFIG_WATCH_POLL] = WATCH_POLL,
                                              [CONFIG_WATCH_OFF] = WATCH_OFF};
    const struct config *config = le->source->app->config;
    const struct config_worker *worker = &config->worker;
    struct engine_config *c = &le->config;
    engine_config_defaults(c);
    c->source = le->source->config->name;
    c->collections = le->source->engine_collections;
    c->collection_count = le->source->count;
    c->embedders = embedder_names;
    c->embedder_count = config->embedder_count;
    c->touches = touches;
    c->touches_self = le->source;
    c->watch = watches[le->source->config->watch];
    c->poll_interval_ms = le->source->config->poll_interval_ms;
    c->poll_recent = le->source->config->poll_field[0] != '\0';
    c->max_delete_percent = (int)le->source->config->max_delete_percent;
    c->worker_enabled = worker->enabled;
    c->interval_ms = worker->interval_ms;
    c->batch_size = worker->batch_size;
    c->retry = (struct retry_policy){.base_ms = worker->base_backoff_ms,
                                     .multiplier = worker->backoff_multiplier,
                                     .max_ms = worker->max_backoff_ms,
                                     .jitter = worker->jitter,
                                     .max_retries = worker->max_retries};
    c->lease_ms = worker->lease_ms;
    c->index_timeout_ms = config->qdrant.timeout_ms;
    c->once = once;
}

static void resynced(void *self, const struct engine_resynced *what)
{
    struct loop_engine *le = self;
    if (le->loop->resynced) le->loop->resynced(le, what, le->loop->context);
}

static void recorded(void *self, const struct engine_recorded *what)
{
    struct loop_engine *le = self;
    if (le->loop->recorded) le->loop->recorded(le, what, le->loop->context);
}

static enum lks_code start_engine(struct loop_engine *le, struct lks_err *err)
{
    struct ports ports = ports_through_us(le);
    le->engine = engine_new(&le->config, &ports);
    le->next_ms = 0;
    return le->engine ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
}

static enum lks_code open_engines(struct loop *loop, struct app *app, bool once,
                                  const struct engine_one_shot *one_shots, struct lks_err *err)
{
    *loop = (struct loop){.app = app, .once = once, .stop_by_ms = INT64_MAX};
    loop->engines = calloc(app->source_count, sizeof *loop->engines);
    if (!loop->engines) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < app->source_count; i++) {
        struct app_source *s = &app->sources[i];
        if (s->count == 0 || (one_shots && !one_shots[i].on)) continue;
        struct loop_engine *le = &loop->engines[loop->count++];
        le->loop = loop;
        le->source = s;
        le->ports = (struct ports){.source = mongo_source_port(s->mongo),
                                   .store = mongo_store_port(s->mongo),
                                   .maker = maker_port(s->maker),
                                   .embedder = embed_port(app->embedders),
                                   .index = qdrant_port(s->qdrant)};
        configure(le, (const char *const *)app->fingerprints, once);
        if (one_shots) le->config.one_shot = one_shots[i];
        le->config.on_resynced = resynced;
        le->config.on_resynced_self = le;
        le->config.on_recorded = recorded;
        le->config.on_recorded_self = le;
        enum lks_code code = start_engine(le, err);
        if (code != LKS_E_OK) return code;
    }
    return LKS_E_OK;
}

enum lks_code loop_open(struct loop *loop, struct app *app, bool once, struct lks_err *err)
{
    return open_engines(loop, app, once, NULL, err);
}

enum lks_code loop_open_one_shots(struct loop *loop, struct app *app, const struct engine_one_shot *one_shots,
                                  struct lks_err *err)
{
    return open_engines(loop, app, true, one_shots, err);
}

void loop_close(struct loop *loop)
{
    for (size_t i = 0; i < loop->count; i++) engine_free(loop->engines[i].engine);
    free(loop->engines);
    loop->engines = NULL;
    loop->count = 0;
}

/* ---- running ---- */

static void take_completions(struct loop *loop, int wait_ms)
{
    struct req *req = queue_take_all(&loop->app->inbox, wait_ms);
    while (req) {
        struct req *next = req->next;
        struct loop_engine *le = req->sender;
        req->next = NULL;
        if (le) { /* without a sender it only woke us, or is the API's */
            engine_handle(le->engine, req);
            le->next_ms = 0;
        } else if (req->kind == REQ_MAKE) {
            making_done(req);
        } else {
            req_free(req);
        }
        req = next;
    }
}

static void follow_signal(struct loop *loop, int64_t now)
{
    int signal = atomic_exchange(&loop->signal, 0);
    if (!signal) return;
    if (signal == SIGHUP && loop->on_hangup)
        loop->on_hangup(loop, loop->context);
    else
        loop_stop(loop, now);
}

void loop_stop(struct loop *loop, int64_t now)
{
    bool again = loop->stop_by_ms != INT64_MAX;
    if (again && now < loop->asked_ms + SIGNALS_AGAIN_MS)
        return; /* the same wish, sent to us and to our process group */
    loop->asked_ms = now;
    log_info(again ? "asked again to stop: what is not done is left for the next start"
                   : "asked to stop: finishing what is in work");
    loop->stop_by_ms = again ? now : now + DRAIN_MS;
    for (size_t i = 0; i < loop->count; i++) {
        engine_stop(loop->engines[i].engine);
        loop->engines[i].next_ms = 0;
    }
}

/* An engine that lost its lease begins again as a follower, unless we are to end. */
static void renew_if_lost(struct loop *loop, struct loop_engine *le)
{
    struct lks_err err;
    if (!engine_done(le->engine) || !engine_lease_lost(le->engine) || loop->stop_by_ms != INT64_MAX ||
        loop->once)
        return;
    struct engine *lost = le->engine;
    if (start_engine(le, &err) == LKS_E_OK) {
        engine_free(lost);
        return;
    }
    le->engine =
        lost; /* if it is the only one the program ends with it, and whoever watches starts it again */
    log_error("a source is not followed any more", LOG_STR("source", le->config.source),
              LOG_STR("error", err.text));
}

/* A source that may not start as it is configured ends all: what else would run is not what was configured.
 */
static void end_if_refused(struct loop *loop, const struct loop_engine *le, int64_t now)
{
    if (loop->refused || !engine_refused(le->engine)) return;
    loop->refused = true;
    loop->stop_by_ms = now + DRAIN_MS;
    for (size_t i = 0; i < loop->count; i++) {
        engine_stop(loop->engines[i].engine);
        loop->engines[i].next_ms = 0;
    }
}

static bool all_done(const struct loop *loop)
{
    for (size_t i = 0; i < loop->count; i++)
        if (!engine_done(loop->engines[i].engine)) return false;
    return true;
}

void loop_run(struct loop *loop)
{
    int64_t tick_at = 0;
    while (!all_done(loop)) {
        int64_t now = clock_boot_ms(), next = now + TICK_MS; /* the engines' clock */
        follow_signal(loop, now);
        for (size_t i = 0; i < loop->count; i++) {
            struct loop_engine *le = &loop->engines[i];
            if (now >= loop->stop_by_ms) engine_hurry(le->engine);
            if (loop->feed && engine_phase(le->engine) == PHASE_RUN) {
                loop->feed(loop, le, loop->context);
                le->next_ms = 0;
            }
            if (now >= le->next_ms || now >= loop->stop_by_ms) le->next_ms = engine_run(le->engine);
            end_if_refused(loop, le, now);
            renew_if_lost(loop, le);
            if (le->next_ms < next) next = le->next_ms;
        }
        if (loop->tick && now >= tick_at) {
            loop->tick(loop, loop->context);
            tick_at = now + TICK_MS;
        }
        if (all_done(loop)) break;
        now = clock_boot_ms();
        take_completions(loop, next > now ? (int)(next - now) : 0);
    }
}
