/* retry.c - `lockstep retry`: documents at once, whatever backoff, retry count or status say. */
#include <getopt.h>
#include <stdio.h>

#include "base/log.h"
#include "cmd/touch.h"

static int parse(const struct invocation *inv, struct touch *wish, struct selection *selection)
{
    static const struct option options[] = {{"id", required_argument, NULL, 'i'},
                                            {"failed", no_argument, NULL, 'a'},
                                            {"collection", required_argument, NULL, 'c'},
                                            {"source", required_argument, NULL, 's'},
                                            {"force", no_argument, NULL, 'f'},
                                            {"json", no_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    bool good = true;
    optind = 1;
    for (int c; (c = getopt_long(inv->count, inv->arguments, "", options, NULL)) != -1;) {
        switch (c) {
        case 'i':
            good &= names_add(&selection->ids, optarg);
            break;
        case 'a':
            wish->failed = true;
            break;
        case 'c':
            good &= names_add(&selection->collections, optarg);
            break;
        case 's':
            selection->source = optarg;
            break;
        case 'f':
            wish->force = true;
            break;
        case 'j':
            wish->json = true;
            break;
        default:
            return usage_error(&command_retry, "that option is not known");
        }
    }
    if (optind < inv->count) return usage_error(&command_retry, "what is `%s`?", inv->arguments[optind]);
    if (wish->failed ? selection->ids.count > 0 : selection->ids.count == 0)
        return usage_error(&command_retry, "say which documents: either --id or --failed");
    return good ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct invocation *inv)
{
    struct selection selection = {.source = NULL};
    struct touch wish = {.selection = &selection};
    struct app *app = NULL;
    struct lks_err err;
    int status = parse(inv, &wish, &selection);
    if (status != EXIT_DONE) goto out;
    status = EXIT_USAGE;
    app = app_or_complaint(inv, 0);
    if (!app) goto out;
    if (app->config->log.level < LOG_LEVEL_WARN)
        log_setup(LOG_LEVEL_WARN, app->config->log.format == CONFIG_LOG_JSON);
    status = selection_resolve(&selection, app);
    if (status != EXIT_DONE) goto out;
    status = EXIT_FAILED;
    if (app_connect(app, &err) != LKS_E_OK)
        fprintf(stderr, "lockstep: %s\n", err.text);
    else
        status = touch_documents(&wish, app);
out:
    selection_fini(&selection);
    app_free(app);
    return status;
}

const struct command command_retry = {.name = "retry",
                                      .usage =
                                          "(--id ID... | --failed) [--collection NAME] [--force] [--json]",
                                      .summary = "documents at once, whatever their backoff says",
                                      .run = run};
