/*
 * described.h - contents that a recording only describes in words, because they are too large to be written
 * down: "[one document of 16 MiB of x]".
 */
#ifndef LOCKSTEP_GOLDEN_DESCRIBED_H
#define LOCKSTEP_GOLDEN_DESCRIBED_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/*
 * The command that a step sends, everything in it spelled out. `previous` is the last command that was
 * described, which "as above" repeats, or NULL. A new reference, also when nothing was to be replaced; NULL,
 * with an error, for words that aren't known.
 */
json_t *described_command(const json_t *send, const json_t *previous, struct lks_err *err);

/* True if the command is, or repeats, one that only fills the oplog. */
bool described_is_filler(const json_t *send);

/* The body that an HTTP step describes, as text to be freed; NULL, with an error, for unknown words. */
char *described_body(const char *words, size_t *bytes, struct lks_err *err);

/* True if a body is not JSON but a description. */
bool described_is_words(const char *text);

#endif
