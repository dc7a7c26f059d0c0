/* float.h - printing 32-bit floats as short JSON numbers, fast: vectors are most of what we send. */
#ifndef LOCKSTEP_BASE_FLOAT_H
#define LOCKSTEP_BASE_FLOAT_H

#include <stddef.h>

#include "base/buf.h"

#define FLOAT_TEXT_BYTES 24 /* enough for any float, without a NUL */

/*
 * Writes `value` as a JSON number of at most 9 significant digits, mostly the fewest that read back as the
 * same float (also by readers that go through double and are off by one there). Returns the bytes written,
 * adds no NUL. 0 for NaN and infinities, which JSON has no words for.
 */
size_t float_print(char out[FLOAT_TEXT_BYTES], float value);

/* Appends `[v,v,...]`. A value JSON can't say becomes `null`, which any server refuses. */
void float_put_array(struct buf *to, const float *values, size_t count);

#endif
