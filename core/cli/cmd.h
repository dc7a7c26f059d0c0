/*
 * cmd.h - the subcommands of `lockstep`, and what main() gives them.
 */
#ifndef LOCKSTEP_CLI_CMD_H
#define LOCKSTEP_CLI_CMD_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/app.h"
#include "daemon/invocation.h"

struct command {
    const char *name;
    const char *usage;   /* the options, as they stand behind the name */
    const char *summary; /* one line */
    int (*run)(const struct invocation *);
};

extern const struct command command_run, command_sync, command_status, command_retry, command_verify,
    command_search, command_preview, command_plugins, command_forget, command_config;

/* Says how the command is used, on standard error; EXIT_USAGE. */
int usage_error(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Loads configuration and plugins, or says on standard error everything that is wrong; NULL then. */
struct app *app_or_complaint(const struct invocation *inv, unsigned flags);
/* The configuration alone, without plugins; otherwise likewise. To be freed by config_free(). */
struct config *config_or_complaint(const struct invocation *inv, unsigned flags);
/* The source named NAME, or the first if `name` is NULL; says so and returns NULL if there is none of that
 * name. */
struct app_source *source_or_complaint(struct app *app, const char *name);

#endif
