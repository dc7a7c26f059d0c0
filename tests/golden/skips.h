/* skips.h - the list of files and steps that aren't played, each with its reason. */
#ifndef LOCKSTEP_GOLDEN_SKIPS_H
#define LOCKSTEP_GOLDEN_SKIPS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct skip {
    char *file, *step, *reason;
    bool real_only;
};

struct skips {
    struct skip *entries;
    size_t count;
};

/* Reads the list; its first lines say what a line looks like. */
enum lks_code skips_read(struct skips *s, const char *path, struct lks_err *err);
void skips_fini(struct skips *s);

/* Why this step isn't played (`step` NULL: the whole file), or NULL if it is. */
const char *skips_reason(const struct skips *s, const char *file, const char *step, bool is_standin);

#endif
