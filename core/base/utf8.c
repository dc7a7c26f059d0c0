/* utf8.c - well-formedness after table 3-7 of the Unicode standard. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

size_t utf8_step(const char *in, size_t bytes, size_t *skip)
{
    const unsigned char *s = (const unsigned char *)in;
    unsigned char low = 0x80, high = 0xBF; /* bounds of the second byte */
    size_t need;

    *skip = 1;
    if (s[0] < 0x80) return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        need = 2;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        need = 3;
        if (s[0] == 0xE0) low = 0xA0;
        if (s[0] == 0xED) high = 0x9F;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        need = 4;
        if (s[0] == 0xF0) low = 0x90;
        if (s[0] == 0xF4) high = 0x8F;
    } else {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if (i >= bytes || s[i] < low || s[i] > high) {
            *skip = i;
            return 0;
        }
        low = 0x80;
        high = 0xBF;
    }
    return need;
}

size_t utf8_clean(char *out, size_t out_max, const char *in, size_t bytes)
{
    size_t written = 0;
    for (size_t i = 0; i < bytes;) {
        size_t skip;
        size_t length = utf8_step(in + i, bytes - i, &skip);
        const char *from = length ? in + i : "\xEF\xBF\xBD";
        size_t put = length ? length : 3;
        if (written + put > out_max) break;
        memcpy(out + written, from, put);
        written += put;
        i += length ? length : skip;
    }
    return written;
}

/* How many bytes from `i` on are ASCII, in whole words: most text is. */
static size_t ascii_words(const char *in, size_t i, size_t bytes)
{
    size_t from = i;
    for (uint64_t word; bytes - i >= sizeof word; i += sizeof word) {
        memcpy(&word, in + i, sizeof word);
        if (word & UINT64_C(0x8080808080808080)) break;
    }
    return i - from;
}

bool utf8_valid(const char *in, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        size_t skip;
        i += ascii_words(in, i, bytes);
        if (i < bytes && (unsigned char)in[i] < 0x80) {
            i++;
            continue;
        }
        if (i == bytes) break;
        size_t length = utf8_step(in + i, bytes - i, &skip);
        if (!length) return false;
        i += length;
    }
    return true;
}

size_t utf8_cut(const char *in, size_t bytes, size_t max)
{
    if (bytes <= max) return bytes;
    while (max > 0 && ((unsigned char)in[max] & 0xC0) == 0x80) max--;
    return max;
}
