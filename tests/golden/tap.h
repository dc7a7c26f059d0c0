/* tap.h - results in the Test Anything Protocol, one test a step. */
#ifndef LOCKSTEP_GOLDEN_TAP_H
#define LOCKSTEP_GOLDEN_TAP_H

#include <stddef.h>

#include "golden/diffs.h"

struct tap {
    size_t count, failed_count;
    const char *todo; /* why differences don't count as failures; NULL: they do */
};

/* The result of one step: ok without differences, else not ok and the differences as comments. */
void tap_step(struct tap *t, const char *file, const char *step, const struct diffs *found);
/* A file or step that isn't played; `step` NULL means the whole file. */
void tap_skip(struct tap *t, const char *file, const char *step, const char *reason);
/* A failure that is no difference: an unreadable file. */
void tap_fail(struct tap *t, const char *file, const char *what);
/* The plan, and a comment with the sum. Returns the exit status of the program. */
int tap_end(const struct tap *t);

#endif
