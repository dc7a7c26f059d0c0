/* cmd_config.c - `lockstep config check` and `lockstep config show`. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/cmd.h"
#include "cli/cmd_check.h"

static int show(struct app *app)
{
    struct buf text;
    buf_init(&text, 0);
    config_show(app->config, &text);
    if (!text.failed) fputs(text.data, stdout);
    int status = text.failed ? EXIT_FAILED : EXIT_DONE;
    buf_fini(&text);
    return status;
}

static int run(const struct invocation *inv)
{
    if (inv->count >= 2 && strcmp(inv->arguments[1], "check") == 0) return config_check(&command_config, inv);
    bool shows = inv->count == 2 && strcmp(inv->arguments[1], "show") == 0;
    if (!shows) return usage_error(&command_config, "say `check` or `show`");
    struct app *app = app_or_complaint(inv, 0);
    if (!app) return EXIT_USAGE;
    int status = show(app);
    app_free(app);
    return status;
}

const struct command command_config = {.name = "config",
                                       .usage = "check [--quiet] [--held ADDRESS] | show",
                                       .summary =
                                           "is the configuration good, and where does each value come from",
                                       .run = run};
