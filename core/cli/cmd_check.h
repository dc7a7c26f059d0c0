/* cmd_check.h - `lockstep config check`: whether a start with this configuration would succeed. */
#ifndef LOCKSTEP_CLI_CMD_CHECK_H
#define LOCKSTEP_CLI_CMD_CHECK_H

#include "cli/cmd.h"

/* `command` is `config`, whose usage is printed after a mistake. */
int config_check(const struct command *command, const struct invocation *inv);

#endif
