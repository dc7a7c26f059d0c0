/* hashing.c - from words to a vector. It owns nothing. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "embedder_http/embedder.h"
#include "qdrant_store/pointid.h"

#define WORD_BYTES 64

static bool in_word(unsigned char c)
{
    return isalnum(c) || c >= 0x80;
}

/* The next word in lower case (cut at WORD_BYTES); 0 at the end. */
static size_t next_word(const char *text, size_t bytes, size_t *at, char word[WORD_BYTES])
{
    size_t n = 0;

    while (*at < bytes && !in_word((unsigned char)text[*at])) (*at)++;
    for (; *at < bytes && in_word((unsigned char)text[*at]); (*at)++)
        if (n < WORD_BYTES) word[n++] = (char)tolower((unsigned char)text[*at]);
    return n;
}

void embedder_vector(const char *text, size_t bytes, uint32_t dimensions, float *out)
{
    char word[WORD_BYTES];
    double sum = 0;
    size_t at = 0;
    size_t n;

    memset(out, 0, dimensions * sizeof *out);
    while ((n = next_word(text, bytes, &at, word)) > 0) {
        uint64_t h = hash_bytes(word, n, 7);

        /* two places a word, so that few words collide wholly */
        out[h % dimensions] += h >> 63 ? 1.0F : -1.0F;
        h = mix64(h);
        out[h % dimensions] += h >> 63 ? 1.0F : -1.0F;
    }
    for (uint32_t i = 0; i < dimensions; i++) sum += (double)out[i] * (double)out[i];
    if (sum <= 0) { /* no words, or words that cancel: servers never answer with a zero vector */
        out[hash_bytes(text, bytes, 8) % dimensions] = 1.0F;
        return;
    }
    for (uint32_t i = 0; i < dimensions; i++) out[i] = (float)((double)out[i] / sqrt(sum));
}

uint64_t embedder_tokens(const char *text, size_t bytes)
{
    char word[WORD_BYTES];
    uint64_t count = 0;
    size_t at = 0;

    while (next_word(text, bytes, &at, word)) count++;
    return count;
}
