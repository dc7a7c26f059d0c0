/* cmd_progress.h - how far long work is: a bar with rate and time left on a terminal, plain lines elsewhere.
 */
#ifndef LOCKSTEP_CLI_CMD_PROGRESS_H
#define LOCKSTEP_CLI_CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool terminal, quiet;
    bool bar_shown;
    int64_t began_ms, next_ms; /* monotonic */
};

/* `quiet`: nothing is ever shown (for --json). */
void progress_begin(struct progress *p, bool quiet);
/*
 * On standard error, and no more often than a person can read it. `label` says what it is about, `noun` what
 * is counted ("documents"); `total` is -1 where it isn't known.
 */
void progress_show(struct progress *p, const char *label, const char *noun, uint64_t done, int64_t total);
/* Takes the bar off the terminal; before anything else is printed. */
void progress_clear(struct progress *p);

#endif
