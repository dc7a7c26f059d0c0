/* config.c - `lockstep config check` and `lockstep config show`. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cmd/cmd.h"
#include "cmd/serve.h"

static int check(struct app *app)
{
    size_t enabled = 0;
    struct lks_err err;
    if (serve_check(&app->config->api, &err) != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s\n", err.text);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < app->source_count; i++) enabled += app->sources[i].count;
    printf("%s is good: %zu source%s, %zu collection%s enabled\n", app->config->path, app->source_count,
           app->source_count == 1 ? "" : "s", enabled, enabled == 1 ? "" : "s");
    return EXIT_DONE;
}

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
    bool checks = inv->count == 2 && strcmp(inv->arguments[1], "check") == 0;
    bool shows = inv->count == 2 && strcmp(inv->arguments[1], "show") == 0;
    if (!checks && !shows) return usage_error(&command_config, "say `check` or `show`");
    struct app *app = app_or_complaint(inv, 0);
    if (!app) return EXIT_USAGE;
    int status = checks ? check(app) : show(app);
    app_free(app);
    return status;
}

const struct command command_config = {.name = "config",
                                       .usage = "check | show",
                                       .summary =
                                           "is the configuration good, and where does each value come from",
                                       .run = run};
