/*
 * mask.h - messages are compared up to what is volatile in them: ids, tokens, times, sizes.
 */
#ifndef LOCKSTEP_GOLDEN_MASK_H
#define LOCKSTEP_GOLDEN_MASK_H

#include <stdbool.h>

enum mask_kind { MASK_MONGODB, MASK_HTTP };

/* True if two messages differ in nothing but volatile values. */
bool mask_equal(enum mask_kind kind, const char *recorded, const char *got);

#endif
