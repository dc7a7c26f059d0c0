/* encoding.c - see encoding.h. */
#include "embed/encoding.h"

#include <math.h>

#define COSINE_LEAST 0.999
#define PIECE_OFF_MOST 0.01 /* of the largest element */

const char *encoding_differs(const float *numbers, size_t number_count, const float *base64,
                             size_t base64_count)
{
    double product = 0, squares = 0, squares64 = 0, largest = 0, off = 0;
    if (number_count != base64_count) return "it has another number of elements";
    for (size_t i = 0; i < number_count; i++) {
        double a = (double)numbers[i], b = (double)base64[i];
        if (!isfinite(b)) return "it has elements that are not finite";
        product += a * b;
        squares += a * a;
        squares64 += b * b;
        largest = fmax(largest, fabs(a));
        off = fmax(off, fabs(a - b));
    }
    if (!(product >= COSINE_LEAST * sqrt(squares) * sqrt(squares64)) || squares == 0)
        return "it points elsewhere";
    return off <= PIECE_OFF_MOST * largest ? NULL : "its elements are others";
}
