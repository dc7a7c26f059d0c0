/* daemon.c - see daemon.h. SIGHUP checks the new configuration and starts again with it. */
#include "daemon/daemon.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/recheck.h"
#include "daemon/serve.h"
#include "daemon/signals.h"

#define LEAVE_MS 50 /* for the driver to end its sessions */

/* What a tick has to know. */
struct daemon {
    const struct invocation *inv;
    atomic_bool reload;    /* the new configuration is good: drain, then start again */
    struct recheck *check; /* of the new configuration, under way; NULL: none */
    bool check_again;      /* SIGHUP came meanwhile */
    struct serve *api;     /* NULL: switched off */
};

static _Noreturn void start_again(const struct daemon *d)
{
    mongo_has_left(LEAVE_MS);
    execv(d->inv->program, d->inv->all_arguments);
    log_error("can't start again", LOG_STR("error", strerror(errno)));
    _exit(EXIT_FAILED);
}

/* Everything had its time, and something hangs. Nothing is lost: the next start compares what is in doubt. */
static void end_unfinished(void *context)
{
    const struct daemon *d = context;
    log_warn("not everything has ended in time; what is not done is left for the next start");
    if (d->reload && !signals_asked()) start_again(d);
    _exit(EXIT_DONE);
}

/* ---- reload ---- */

static void begin_check(struct loop *loop, struct daemon *d)
{
    struct lks_err err;
    d->check_again = false;
    d->check = recheck_start(d->inv, &loop->app->config->api, &err);
    if (!d->check)
        log_error("the new configuration can't be checked; going on with the one there is",
                  LOG_STR("error", err.text));
}

/* SIGHUP is a signal to stop only once the new configuration is known to be good. */
static void hangup(struct loop *loop, void *context)
{
    struct daemon *d = context;
    if (loop->stop_by_ms != INT64_MAX) return;
    log_info("asked to read the configuration again", LOG_STR("file", d->inv->config_path));
    if (d->check)
        d->check_again = true;
    else
        begin_check(loop, d);
}

static void look_at_check(struct loop *loop, struct daemon *d)
{
    bool good = false;
    if (!d->check || !recheck_done(d->check, &good)) return;
    d->check = NULL;
    if (loop->stop_by_ms != INT64_MAX) return;
    if (d->check_again) {
        begin_check(loop, d);
        return;
    }
    if (!good) {
        log_error("the new configuration is refused; going on with the one there is",
                  LOG_STR("file", d->inv->config_path));
        return;
    }
    log_info("the new configuration is good; starting again with it", LOG_STR("file", d->inv->config_path));
    d->reload = true;
    notify("RELOADING=1");
    signals_end_in(SIGNALS_END_MS);
    loop_stop(loop, clock_ms());
}

static void tick(struct loop *loop, void *context)
{
    struct daemon *d = context;
    notify("WATCHDOG=1");
    look_at_check(loop, d);
    for (size_t i = 0; i < loop->count; i++) serve_engine(d->api, &loop->engines[i]);
}

static void feed(struct loop *loop, struct loop_engine *le, void *context)
{
    struct daemon *d = context;
    (void)loop;
    serve_engine(d->api, le);
}

static void resynced(struct loop_engine *le, const struct engine_resynced *what, void *context)
{
    struct daemon *d = context;
    serve_resynced(d->api, le, what);
}

static void recorded(struct loop_engine *le, const struct engine_recorded *what, void *context)
{
    struct daemon *d = context;
    serve_recorded(d->api, le, what);
}

/* What the configuration alone makes impossible is 2, so that nobody tries again before it is another one. */
static int failed_start(const struct lks_err *err)
{
    return err->code == LKS_E_CONFIG ? EXIT_USAGE : EXIT_FAILED;
}

static int serve(struct app *app, struct daemon *d)
{
    struct loop loop = {.count = 0};
    struct lks_err err;
    if (app_connect(app, &err) != LKS_E_OK || loop_open(&loop, app, false, &err) != LKS_E_OK ||
        signals_watch(&loop, end_unfinished, d, &err) != LKS_E_OK) {
        log_error("can't start", LOG_STR("error", err.text));
        loop_close(&loop);
        return failed_start(&err);
    }
    if (loop.count == 0) {
        log_error("no collection is enabled: there is nothing to do");
        signals_unwatch();
        loop_close(&loop);
        return EXIT_USAGE;
    }
    if (serve_open(&loop, &d->api, &err) != LKS_E_OK) {
        log_error("can't start", LOG_STR("error", err.text));
        signals_unwatch();
        loop_close(&loop);
        return failed_start(&err);
    }
    loop.tick = tick;
    loop.feed = feed;
    loop.resynced = resynced;
    loop.recorded = recorded;
    loop.on_hangup = hangup;
    loop.context = d;
    notify("READY=1"); /* before servers answer: an outage must not fail the boot */
    loop_run(&loop);
    notify("STOPPING=1");
    serve_close(d->api);
    signals_unwatch();
    int status = loop.refused ? EXIT_USAGE : EXIT_DONE;
    loop_close(&loop);
    return status;
}

int daemon_run(const struct invocation *inv, struct app *app)
{
    struct daemon d = {.inv = inv};
    int status = serve(app, &d);
    app_free(app);
    if (d.reload && status == EXIT_DONE && !signals_asked()) start_again(&d);
    if (status == EXIT_DONE) log_info("stopped");
    return status;
}
