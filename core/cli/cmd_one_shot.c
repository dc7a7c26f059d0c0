/* cmd_one_shot.c - see cmd_one_shot.h. */
#include "cli/cmd_one_shot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "daemon/signals.h"

#define GRACE_S 2 /* on top of the lease, until its holder counts as alive */

static void complain_of_lease_holder(const char *source, const char *lease_holder, const char *reason)
{
    fprintf(stderr, "lockstep: %s holds the lease of source %s and keeps it in sync already", lease_holder,
            source);
    if (reason && *reason)
        fprintf(stderr,
                "; %s. Say where it answers with --url or [api] listen, or stop it to do this by hand\n",
                reason);
    else
        fputs("; stop that daemon to do this by hand\n", stderr);
}

static int64_t patience_s(const struct app *app)
{
    return app->config->worker.lease_ms / 1000 + GRACE_S;
}

bool daemon_at_work(struct app_source *source, const char *reason)
{
    struct lks_err err;
    char *lease_holder = NULL;
    for (int64_t waited = 0; waited <= patience_s(source->app); waited++) {
        free(lease_holder);
        lease_holder = NULL;
        if (mongo_lease_holder(source->mongo, &lease_holder, &err) != LKS_E_OK || !lease_holder) return false;
        sleep(1);
    }
    complain_of_lease_holder(source->config->name, lease_holder, reason);
    free(lease_holder);
    return true;
}

/* Who doesn't get the lease for longer than a dead holder would keep it gives up. */
static void look_for_lease_holder(struct one_shot *p, struct loop_engine *le, const struct engine_snapshot *s)
{
    if (p->refused || s->phase != PHASE_LEASE || !s->lease_holder[0]) return;
    if (++p->waiting_s <= patience_s(p->loop.app)) return;
    p->refused = true;
    snprintf(p->lease_holder, sizeof p->lease_holder, "%s", s->lease_holder);
    progress_clear(&p->progress);
    complain_of_lease_holder(le->source->config->name, p->lease_holder, p->reason);
    for (size_t i = 0; i < p->loop.count; i++) engine_stop(p->loop.engines[i].engine);
    p->loop.stop_by_ms = 0;
}

static void look_at(struct one_shot *p, struct loop_engine *le, const struct engine_snapshot *s)
{
    look_for_lease_holder(p, le, s);
    bool scans = !le->config.one_shot.on || le->config.one_shot.scan;
    if (p->refused || s->phase != PHASE_RUN || !scans) return;
    progress_show(&p->progress, p->label ? p->label : le->source->config->name, "documents", s->scanned,
                  s->scan_total);
}

static void tick(struct loop *loop, void *context)
{
    struct engine_snapshot *s = malloc(sizeof *s);
    for (size_t i = 0; s && i < loop->count; i++) {
        engine_snapshot(loop->engines[i].engine, s);
        look_at(context, &loop->engines[i], s);
    }
    free(s);
}

static void feed(struct loop *loop, struct loop_engine *le, void *context)
{
    struct one_shot *p = context;
    p->feed(loop, le, p->context);
}

static void resynced(struct loop_engine *le, const struct engine_resynced *what, void *context)
{
    struct one_shot *p = context;
    p->resynced(le, what, p->context);
}

bool servers_answer(struct app *app, const struct engine_one_shot *one_shots)
{
    struct lks_err err;
    bool good = true;
    for (size_t i = 0; i < app->source_count; i++) {
        struct app_source *s = &app->sources[i];
        char *lease_holder = NULL;
        if (s->count == 0 || (one_shots && !one_shots[i].on)) continue;
        if (mongo_lease_holder(s->mongo, &lease_holder, &err) != LKS_E_OK) {
            fprintf(stderr, "lockstep: MongoDB: %s\n", err.text);
            good = false;
        }
        free(lease_holder);
        if (qdrant_ping(s->qdrant, NULL, &err) != LKS_E_OK) {
            fprintf(stderr, "lockstep: Qdrant: %s\n", err.text);
            good = false;
        }
    }
    return good;
}

/* Asked to stop, and something hangs. */
static void end_unfinished(void *context)
{
    (void)context;
    fputs("lockstep: stopped before everything had ended; nothing is lost\n", stderr);
    _exit(EXIT_FAILED);
}

bool one_shot_run(struct one_shot *p, struct app *app)
{
    struct loop *loop = &p->loop;
    struct lks_err err;
    enum lks_code code =
        p->one_shots ? loop_open_one_shots(loop, app, p->one_shots, &err) : loop_open(loop, app, true, &err);
    if (code == LKS_E_OK) code = signals_watch(loop, end_unfinished, NULL, &err);
    if (code != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s\n", err.text);
        return false;
    }
    loop->tick = tick;
    loop->feed = p->feed ? feed : NULL;
    loop->resynced = p->resynced ? resynced : NULL;
    loop->context = p;
    progress_begin(&p->progress, p->quiet);
    loop_run(loop);
    progress_clear(&p->progress);
    if (loop->refused) return false; /* the log says why */
    for (size_t i = 0; i < loop->count && !p->refused; i++)
        if (engine_lease_lost(loop->engines[i].engine)) {
            fprintf(stderr, "lockstep: the lease of source %s was lost to another process before the end\n",
                    loop->engines[i].source->config->name);
            return false;
        }
    p->stopped = !p->refused && loop->stop_by_ms != INT64_MAX;
    return !p->refused;
}

void one_shot_close(struct one_shot *p)
{
    signals_unwatch();
    loop_close(&p->loop);
}
