/*
 * diffs.h - the differences found in one step, and the path to where a comparison stands.
 */
#ifndef LOCKSTEP_GOLDEN_DIFFS_H
#define LOCKSTEP_GOLDEN_DIFFS_H

#include <stddef.h>

#include "base/buf.h"

struct diffs {
    size_t count;
    struct buf text; /* one line each, of the first few */
    struct buf path; /* "reply.cursor.firstBatch.0" */
};

void diffs_init(struct diffs *d, const char *root);
void diffs_fini(struct diffs *d);

/* Goes down to a member; returns what diffs_up needs to come back. */
size_t diffs_down(struct diffs *d, const char *key);
void diffs_up(struct diffs *d, size_t mark);

/* Notes a difference at the path where the comparison stands. */
void diffs_add(struct diffs *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
