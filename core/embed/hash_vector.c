/* hash_vector.c - see hash_vector.h. Sums are of whole numbers, so that they are the same everywhere; pure.
 */
#include "embed/hash_vector.h"

#include <math.h>
#include <string.h>

#include "embed/tokens.h"

void hash_embed(const char *text, size_t bytes, float *out, size_t dimensions)
{
    char word[TOKEN_MAX_BYTES];
    struct tokens tokens;
    memset(out, 0, dimensions * sizeof *out);
    tokens_init(&tokens, text, bytes);
    for (size_t length; (length = tokens_next(&tokens, word)) > 0;) {
        unsigned long long h = tokens_hash(word, length);
        out[(h >> 1) % dimensions] += h & 1 ? 1.0F : -1.0F; /* exact up to 2^24 words */
    }
    double squares = 0;
    /* a text has few words, so most numbers are 0 and cost no arithmetic */
    for (size_t i = 0; i < dimensions; i++)
        if (out[i] != 0) squares += (double)out[i] * (double)out[i];
    if (squares > 0) {
        double norm = sqrt(squares);
        for (size_t i = 0; i < dimensions; i++)
            if (out[i] != 0) out[i] = (float)((double)out[i] / norm);
    } else { /* no word, or they cancel out: the text as a whole has a place */
        out[tokens_hash(text, bytes) % dimensions] = 1.0F;
    }
}
