/* utf8.h - making any bytes valid UTF-8: invalid sequences become U+FFFD, cuts fall between characters. */
#ifndef LOCKSTEP_BASE_UTF8_H
#define LOCKSTEP_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Copies `bytes` bytes of `in` to `out`, each maximal invalid sequence replaced by U+FFFD (as the Unicode
 * standard, section 3.9, recommends), stopping before `out_max` bytes would be passed. Returns the bytes
 * written; adds no NUL.
 */
size_t utf8_clean(char *out, size_t out_max, const char *in, size_t bytes);

/* True if `in` is valid UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF). NUL bytes are
 * valid. */
bool utf8_valid(const char *in, size_t bytes);

/* The greatest length <= `max` at which valid UTF-8 text `in` can be cut between characters. */
size_t utf8_cut(const char *in, size_t bytes, size_t max);

/*
 * Length of the well-formed character at `in` (1 to 4), or 0 if it is ill-formed; then *skip is how many
 * bytes make up the maximal ill-formed part (at least 1). `bytes` must not be 0.
 */
size_t utf8_step(const char *in, size_t bytes, size_t *skip);

#endif
