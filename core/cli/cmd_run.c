/* cmd_run.c - `lockstep run`: the daemon. */
#include "cli/cmd.h"
#include "daemon/daemon.h"

static int run(const struct invocation *inv)
{
    if (inv->count > 1) return usage_error(&command_run, "what is `%s`?", inv->arguments[1]);
    struct app *app = app_or_complaint(inv, 0);
    return app ? daemon_run(inv, app) : EXIT_USAGE;
}

const struct command command_run = {
    .name = "run", .usage = "", .summary = "the daemon: follows changes until it is stopped", .run = run};
