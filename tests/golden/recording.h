/*
 * recording.h - a recorded conversation as read from its file: one JSON object a line, in order.
 * tests/data/golden/README.md says what the keys mean.
 */
#ifndef LOCKSTEP_GOLDEN_RECORDING_H
#define LOCKSTEP_GOLDEN_RECORDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* One line: a step, or a pause (then `name` is NULL). */
struct step {
    json_t *line;     /* owned */
    char *text;       /* owned: the line as it is in the file */
    const char *name; /* borrowed from `line` */
};

struct recording {
    char *name; /* owned: the file's name without its folder */
    struct step *steps;
    size_t count;
};

/* Reads a file; LKS_E_IO if it can't be read, LKS_E_CONFIG naming the line that is no JSON object. */
enum lks_code recording_read(struct recording *r, const char *path, struct lks_err *err);
void recording_fini(struct recording *r);

/* True for a tap of somebody else's traffic (its lines have a direction): there is nothing to replay in it.
 */
bool recording_is_tap(const struct recording *r);

/* Number `key` of the step in milliseconds; -1 if it has none. */
int64_t step_ms(const struct step *s, const char *key);

/* String `key` of the step, or NULL. */
const char *step_text(const struct step *s, const char *key);

/*
 * The text of the value that top-level member `key` has in the line, as the file spells it (numbers keep
 * their digits, repeated keys are still there). NULL if there is none. Points into the line.
 */
const char *step_raw(const struct step *s, const char *key, size_t *bytes);

/* Parses JSON as loosely as any server may write it: NULs in strings, and integers beyond 64 bits, which
 * become reals. NULL if it is no JSON. The caller releases it. */
json_t *json_parse(const char *text, size_t bytes);

#endif
