/*
 * cmd_check.c - `lockstep config check`: everything that can make a start fail. It makes all that a start
 * makes but engines, opens what can be opened, and asks MongoDB, if that answers, whether the documents are
 * as the configuration says. It writes nothing and takes no lease.
 */
#include "cli/cmd_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cmd_arguments.h"
#include "cli/cmd_client.h"
#include "daemon/serve.h"

#define SAMPLE_DOCS 100
#define SAMPLE_BYTES ((size_t)8 << 20)
#define SELECTION_MS 2000 /* who is not there now is not waited for */

struct request {
    const char *held; /* the address that the running daemon has: not tried */
    bool quiet;       /* nothing but problems */
};

/* ---- the API's address ---- */

static bool is_held(const struct request *request, const struct config_api *api)
{
    char address[400];
    if (!request->held) return false;
    if (*api->socket_path)
        snprintf(address, sizeof address, "unix:%s", api->socket_path);
    else
        snprintf(address, sizeof address, "%s:%u", api->host, api->port);
    return strcmp(address, request->held) == 0;
}

/* An address that a running Lockstep has is right: this one would follow it. */
static bool is_a_daemons(const struct app *app)
{
    json_t *reply = client_get(app, "/healthz");
    bool answers = reply != NULL;
    json_decref(reply);
    return answers;
}

static int check_address(const struct request *request, const struct app *app)
{
    const struct config_api *api = &app->config->api;
    struct lks_err err;
    if (is_held(request, api) || serve_try(api, &err) == LKS_E_OK || is_a_daemons(app)) return EXIT_DONE;
    fprintf(stderr, "lockstep: %s\n", err.text);
    return EXIT_FAILED;
}

/* ---- the documents ---- */

static bool has_field(const bson_t *doc, const char *path)
{
    bson_iter_t iter, at;
    return bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, &at) &&
           !BSON_ITER_HOLDS_NULL(&at) && !BSON_ITER_HOLDS_UNDEFINED(&at);
}

static void check_documents(struct app_source *source, bool quiet)
{
    struct mongo_page page;
    struct lks_err err;
    const struct config_source *c = source->config;
    size_t without = 0;
    if (mongo_page(source->mongo, NULL, SAMPLE_DOCS, SAMPLE_BYTES, &page, &err) != LKS_E_OK) {
        if (!quiet)
            fprintf(stderr, "lockstep: note: the documents of %s were not looked at: %s\n", c->ns, err.text);
        return;
    }
    for (size_t i = 0; i < page.count; i++)
        without += !page.docs[i].body || !has_field(page.docs[i].body, c->id_field);
    if (without)
        fprintf(stderr, "lockstep: warning: %s: source %s: %zu of %zu documents have no `%s`%s\n",
                c->id_field_where, c->name, without, page.count, c->id_field,
                strcmp(c->id_field, "_id") ? "; did you mean `_id`?" : "");
    mongo_docs_free(page.docs, page.count);
}

/* ---- all of it ---- */

static int check_start(const struct request *request, struct app *app)
{
    struct lks_err err;
    size_t enabled = 0;
    enum lks_code code = serve_check(&app->config->api, &err);
    for (size_t i = 0; i < app->source_count; i++) enabled += app->sources[i].count;
    if (!code && !enabled)
        code = lks_fail(&err, LKS_E_CONFIG, "no collection is enabled: there is nothing to do");
    app->selection_ms = SELECTION_MS;
    if (!code) code = app_connect(app, &err);
    if (code) {
        fprintf(stderr, "lockstep: %s\n", err.text);
        return code == LKS_E_CONFIG ? EXIT_USAGE : EXIT_FAILED;
    }
    int status = check_address(request, app);
    for (size_t i = 0; i < app->source_count; i++)
        if (app->sources[i].count) check_documents(&app->sources[i], request->quiet);
    if (status == EXIT_DONE && !request->quiet)
        printf("%s is good: %zu source%s, %zu collection%s enabled\n", app->config->path, app->source_count,
               app->source_count == 1 ? "" : "s", enabled, enabled == 1 ? "" : "s");
    return status;
}

int config_check(const struct command *command, const struct invocation *inv)
{
    struct request request = {.held = NULL};
    const char *word = NULL;
    const struct option_spec options[] = {{"held", OPTION_TEXT, &request.held, 0, 0},
                                          {"quiet", OPTION_FLAG, &request.quiet, 0, 0}};
    int status = ARGUMENTS_READ(command, inv, options, &word);
    if (status != EXIT_DONE) return status;
    struct app *app = app_or_complaint(inv, 0);
    if (!app) return EXIT_USAGE;
    log_setup(LOG_LEVEL_ERROR, app->config->log.format == CONFIG_LOG_JSON);
    status = check_start(&request, app);
    app_free(app);
    return status;
}
