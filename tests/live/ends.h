/* ends.h - how processes of a test ended, and what sanitizers said of them. For the harness itself. */
#ifndef LOCKSTEP_TESTS_LIVE_ENDS_H
#define LOCKSTEP_TESTS_LIVE_ENDS_H

#include "base/buf.h"
#include "live/harness.h"

/* Once the folder is there: sanitizers of all processes that start from now on report into it. */
void ends_watch(const struct live *w);
/* Fails the test if a process crashed, or a sanitizer reported anything, since the last look. */
void ends_look(struct live *w);
/* What sanitizers have reported, of any process; nothing if they did not. */
void ends_reports(const struct live *w, struct buf *out);
/* How many processes an assertion of libmongoc has ended, which are no crashes of ours: its thread that
 * watches the servers does so when a reply is garbled. */
unsigned ends_by_driver(void);
/* Waits for a process that was asked to end. Its exit status, 128 + signal, or -1 if it doesn't end. */
int ends_wait(struct live_process *p);

#endif
