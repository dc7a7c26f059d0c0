/* check.h - `lockstep config check`: whether a start with this configuration would succeed. */
#ifndef LOCKSTEP_CMD_CHECK_H
#define LOCKSTEP_CMD_CHECK_H

#include "cmd/cmd.h"

int config_check(const struct invocation *inv);

#endif
