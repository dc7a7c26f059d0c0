/* daemon.h - the daemon: engines until a signal. */
#ifndef LOCKSTEP_DAEMON_DAEMON_H
#define LOCKSTEP_DAEMON_DAEMON_H

#include "daemon/app.h"
#include "daemon/invocation.h"

/* Takes `app` over. An exit status; does not return where the daemon starts again with a new configuration.
 */
int daemon_run(const struct invocation *inv, struct app *app);

#endif
