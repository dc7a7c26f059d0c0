/* daemon.h - the daemon that runs beside a command, asked over its HTTP API. */
#ifndef LOCKSTEP_CMD_DAEMON_H
#define LOCKSTEP_CMD_DAEMON_H

#include <jansson.h>

#include "cmd/app.h"

/*
 * GET of a path, at the address and with the token of [api], on a connected app. NULL if nobody answers
 * there, or not with JSON and 200: a command that reads can do without. json_decref() it.
 */
json_t *daemon_get(const struct app *app, const char *path);

#endif
