/* usable.h - whether a vector may go into a collection. Pure. */
#ifndef LOCKSTEP_ENGINE_RULES_USABLE_H
#define LOCKSTEP_ENGINE_RULES_USABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * False, with LKS_E_EMBEDDING_REJECTED and the value, for a vector that Qdrant would store as something else
 * without a word: an element that is not finite or beyond `most` (0: any may be), or, with `cosine`, nothing
 * but zeros.
 */
bool usable_vector(const float *vector, size_t dimensions, bool cosine, float most, struct lks_err *err);

#endif
