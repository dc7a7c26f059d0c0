/* run.c - `lockstep run`, the daemon: engines until a signal; SIGHUP checks the new configuration and starts
 * anew with it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/loop.h"
#include "cmd/notify.h"
#include "cmd/serve.h"
#include "cmd/signals.h"

/* Starts ourselves as `config check` on the same configuration. True if that says it is good. */
static bool new_configuration_is_good(const struct invocation *inv)
{
    pid_t child = fork();
    if (child == 0) {
        execl(inv->program, inv->program, "--config", inv->config_path, "config", "check", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What a tick has to know. */
struct daemon {
    const struct invocation *inv;
    bool reload;
    struct serve *api; /* NULL: switched off */
};

static void tick(struct loop *loop, void *context)
{
    struct daemon *d = context;
    notify("WATCHDOG=1");
    for (size_t i = 0; i < loop->count; i++) serve_engine(d->api, &loop->engines[i]);
}

static void feed(struct loop *loop, struct loop_engine *le, void *context)
{
    struct daemon *d = context;
    (void)loop;
    serve_engine(d->api, le);
}

static void touched(struct loop_engine *le, const struct engine_touched *what, void *context)
{
    struct daemon *d = context;
    serve_touched(d->api, le, what);
}

static void recorded(struct loop_engine *le, const struct engine_recorded *what, void *context)
{
    struct daemon *d = context;
    serve_recorded(d->api, le, what);
}

/* SIGHUP is a signal to stop only once the new configuration is known to be good. */
static bool wants_reload(struct loop *loop, void *context)
{
    struct daemon *d = context;
    (void)loop;
    log_info("asked to read the configuration again", LOG_STR("file", d->inv->config_path));
    if (!new_configuration_is_good(d->inv)) {
        log_error("the new configuration is refused; going on with the one there is",
                  LOG_STR("file", d->inv->config_path));
        return false;
    }
    d->reload = true;
    notify("RELOADING=1");
    return true;
}

static int serve(struct app *app, struct daemon *d)
{
    struct loop loop = {.count = 0};
    struct lks_err err;
    if (app_connect(app, &err) != LKS_E_OK || loop_open(&loop, app, false, &err) != LKS_E_OK ||
        signals_watch(&loop, &err) != LKS_E_OK) {
        log_error("can't start", LOG_STR("error", err.text));
        loop_close(&loop);
        return EXIT_FAILED;
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
        return EXIT_FAILED;
    }
    loop.tick = tick;
    loop.feed = feed;
    loop.touched = touched;
    loop.recorded = recorded;
    loop.on_hangup = wants_reload;
    loop.context = d;
    notify("READY=1"); /* before servers answer: an outage must not fail the boot */
    loop_run(&loop);
    notify("STOPPING=1");
    serve_close(d->api);
    signals_unwatch();
    loop_close(&loop);
    return EXIT_DONE;
}

static int run(const struct invocation *inv)
{
    if (inv->count > 1) return usage_error(&command_run, "what is `%s`?", inv->arguments[1]);
    struct daemon d = {.inv = inv};
    struct app *app = app_or_complaint(inv, 0);
    if (!app) return EXIT_USAGE;
    int status = serve(app, &d);
    app_free(app);
    if (d.reload && status == EXIT_DONE) {
        execv(inv->program, inv->all_arguments);
        log_error("can't start again", LOG_STR("error", strerror(errno)));
        return EXIT_FAILED;
    }
    if (status == EXIT_DONE) log_info("stopped");
    return status;
}

const struct command command_run = {.name = "run",
                                    .usage = "",
                                    .summary = "the daemon: follows changes until it is told to stop",
                                    .run = run};
