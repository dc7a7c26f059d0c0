/* encoding.h - whether vectors that came in base64 are those that came as numbers. Pure. */
#ifndef LOCKSTEP_EMBED_ENCODING_H
#define LOCKSTEP_EMBED_ENCODING_H

#include <stddef.h>

/*
 * Compares the vectors of one text in both forms. NULL: base64 can be trusted; else why not (static text).
 * Models are not stable to the bit, but other widths, byte orders and lengths come out as other vectors: the
 * cosine must be 0.999 at least, and no element off by more than 1 % of the largest.
 */
const char *encoding_differs(const float *numbers, size_t number_count, const float *base64,
                             size_t base64_count);

#endif
