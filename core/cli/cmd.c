/*
 * cmd.c - what commands have in common: usage errors, and the configuration or a complaint about it.
 */
#include "cli/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

int usage_error(const struct command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "lockstep %s: ", command->name);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nusage: lockstep [--config FILE] %s %s\n", command->name, command->usage);
    va_end(args);
    return EXIT_USAGE;
}

static void complain(const char *problem)
{
    fprintf(stderr, "%s\n", problem);
}

struct app *app_or_complaint(const struct invocation *inv, unsigned flags)
{
    struct app *app = NULL;
    struct lks_err err = {.code = LKS_E_OK};
    if (app_load(inv->config_path, flags, complain, &app, &err) == LKS_E_OK) {
        app_set_up_log(app);
        return app;
    }
    fprintf(stderr, "lockstep: %s\n", err.text);
    return NULL;
}

struct config *config_or_complaint(const struct invocation *inv, unsigned flags)
{
    struct config *config = NULL;
    struct config_problems problems = {.texts = NULL};
    struct lks_err err = {.code = LKS_E_OK};
    enum lks_code code = config_load(&config, inv->config_path, environ, flags, &problems, &err);
    for (size_t i = 0; problems.count > 1 && i < problems.count; i++) complain(problems.texts[i]);
    config_problems_fini(&problems);
    if (code != LKS_E_OK) fprintf(stderr, "lockstep: %s\n", err.text);
    return config;
}

struct app_source *source_or_complaint(struct app *app, const char *name)
{
    if (!name) return &app->sources[0];
    for (size_t i = 0; i < app->source_count; i++)
        if (strcmp(app->sources[i].config->name, name) == 0) return &app->sources[i];
    fprintf(stderr, "lockstep: no source is named %s; there is", name);
    for (size_t i = 0; i < app->source_count; i++)
        fprintf(stderr, "%s %s", i ? "," : "", app->sources[i].config->name);
    fputc('\n', stderr);
    return NULL;
}
