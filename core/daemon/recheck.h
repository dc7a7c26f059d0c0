/* recheck.h - the new configuration, checked in a process of its own while the daemon goes on. */
#ifndef LOCKSTEP_DAEMON_RECHECK_H
#define LOCKSTEP_DAEMON_RECHECK_H

#include <stdbool.h>

#include "config/config.h"
#include "daemon/invocation.h"

struct recheck;

/* Starts `config check` on the configuration of `inv`; what it prints becomes log lines. `api` is what the
 * daemon itself listens on, which is not tried. NULL, with `err`, if there is no process or thread for it. */
struct recheck *recheck_start(const struct invocation *inv, const struct config_api *api,
                              struct lks_err *err);
/* True once it is over, and then it is gone; *good says whether the configuration was found good. Waits for
 * nothing. */
bool recheck_done(struct recheck *check, bool *good);

#endif
