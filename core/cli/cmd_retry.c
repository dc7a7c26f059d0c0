/* cmd_retry.c - `lockstep retry`: documents at once, whatever backoff, retry count or status say. */
#include <stdio.h>

#include "cli/cmd_resync.h"

static int parse(const struct invocation *inv, struct resync *request, struct selection *selection)
{
    const struct option_spec options[] = {{"id", OPTION_NAMES, &selection->ids, 0, 0},
                                          {"failed", OPTION_FLAG, &request->failed, 0, 0},
                                          {"collection", OPTION_NAMES, &selection->collections, 0, 0},
                                          {"source", OPTION_TEXT, &selection->source, 0, 0},
                                          {"url", OPTION_TEXT, &request->url, 0, 0},
                                          {"force", OPTION_FLAG, &request->force, 0, 0},
                                          {"json", OPTION_FLAG, &request->json, 0, 0}};
    int status = ARGUMENTS_READ(&command_retry, inv, options, NULL);
    if (status != EXIT_DONE) return status;
    if (request->failed ? selection->ids.count > 0 : selection->ids.count == 0)
        return usage_error(&command_retry, "say which documents: either --id or --failed");
    return EXIT_DONE;
}

static int retry(void *request, struct app *app)
{
    return resync_documents(request, app);
}

static int run(const struct invocation *inv)
{
    struct selection selection = {.source = NULL};
    struct resync request = {.selection = &selection};
    int status = parse(inv, &request, &selection);
    return selection_run(&selection, inv, status, retry, &request);
}

const struct command command_retry = {
    .name = "retry",
    .usage = "(--id ID... | --failed) [--collection NAME] [--source NAME] [--force] [--url URL] [--json]",
    .summary = "documents at once, whatever their backoff says",
    .run = run};
