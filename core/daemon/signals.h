/* signals.h - SIGTERM, SIGINT and SIGHUP as something that wakes the engines' thread. */
#ifndef LOCKSTEP_DAEMON_SIGNALS_H
#define LOCKSTEP_DAEMON_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;

/* Blocks the signals for this thread and all that it starts from here on. To be called before any thread
 * starts. */
void signals_block(void);
/* For what a signal may end where it stands: this thread takes them again, with what they do by default. */
void signals_unblock(void);
#define SIGNALS_END_MS 9500  /* from the first signal to stop to `end` */
#define SIGNALS_AGAIN_MS 500 /* a second signal within this time is the first one's echo */

/* From here on a signal is noted in the loop, and wakes it. One loop at a time. After a signal to stop the
 * process has SIGNALS_END_MS to end by itself, after a second one half a second; then `end` is called, on a
 * thread of its own, which must end or replace the process at once: other threads may hang. */
enum lks_code signals_watch(struct loop *loop, void (*end)(void *context), void *context,
                            struct lks_err *err);
/* `end` is called so soon at the latest, without a signal. */
void signals_end_in(int64_t ms);
/* True once a signal to stop came. */
bool signals_asked(void);
/* The loop is over; what was said of the end still holds. */
void signals_unwatch(void);

/* For who watches something without a loop: waits that long for a signal to end; true if one came. */
bool signals_wait(int64_t wait_ms);

#endif
