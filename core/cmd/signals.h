/* signals.h - SIGTERM, SIGINT and SIGHUP as something that wakes the engines' thread. */
#ifndef LOCKSTEP_CMD_SIGNALS_H
#define LOCKSTEP_CMD_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;

/* Blocks the signals for this thread and all that it starts from here on. To be called before any thread
 * starts. */
void signals_block(void);
/* For what a signal may end where it stands: this thread takes them again, with what they do by default. */
void signals_unblock(void);
/* From here on a signal is noted in the loop, and wakes it. One loop at a time. */
enum lks_code signals_watch(struct loop *loop, struct lks_err *err);
void signals_unwatch(void);

/* For who watches something without a loop: waits that long for a signal to end; true if one came. */
bool signals_wait(int64_t wait_ms);

#endif
