/* usable.c - see usable.h. */
#include "engine/rules/usable.h"

#include <math.h>

bool usable_vector(const float *vector, size_t dimensions, bool cosine, float most, struct lks_err *err)
{
    bool zeros = true;
    for (size_t i = 0; i < dimensions; i++) {
        float value = vector[i];
        if (!isfinite(value)) {
            (void)lks_fail(err, LKS_E_EMBEDDING_REJECTED,
                           "the vector of this text can't be stored: element %zu is %s", i,
                           isnan(value) ? "NaN" : "infinite");
            return false;
        }
        if (most > 0 && fabsf(value) > most) {
            (void)lks_fail(err, LKS_E_EMBEDDING_REJECTED,
                           "the vector of this text can't be stored: element %zu is %g, and the collection's "
                           "datatype holds %g at most",
                           i, (double)value, (double)most);
            return false;
        }
        zeros = zeros && value == 0;
    }
    if (!zeros || !cosine) return true;
    (void)lks_fail(err, LKS_E_EMBEDDING_REJECTED,
                   "the vector of this text can't be stored: all its %zu elements are 0, and Cosine compares "
                   "directions",
                   dimensions);
    return false;
}
