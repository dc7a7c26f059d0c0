/* tokens.c - see tokens.h. Pure; allocates nothing. */
#include "embed/tokens.h"

#include <stdint.h>

/* What an ASCII byte becomes in a word; 0: it ends one. */
static const char ascii_word[128] = {
    ['\''] = '\'', ['+'] = '+', ['#'] = '#', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
    ['5'] = '5',   ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c',
    ['d'] = 'd',   ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k',
    ['l'] = 'l',   ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's',
    ['t'] = 't',   ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a',
    ['B'] = 'b',   ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i',
    ['J'] = 'j',   ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q',
    ['R'] = 'r',   ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y',
    ['Z'] = 'z',
};

/* Bytes of the UTF-8 character at `at` by its first byte, never beyond `end`. */
static size_t character_bytes(const char *at, const char *end)
{
    unsigned char first = (unsigned char)*at;
    size_t bytes = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    size_t left = (size_t)(end - at);
    return bytes < left ? bytes : left;
}

/* U+0080-U+00BF, U+00D7, U+00F7, U+2000-U+206F, U+3000-U+303F: what separates words. */
static bool separates(const char *at, size_t bytes)
{
    const unsigned char *c = (const unsigned char *)at;
    if (bytes == 2) return c[0] == 0xC2 || (c[0] == 0xC3 && (c[1] == 0x97 || c[1] == 0xB7));
    if (bytes == 3) return (c[0] == 0xE2 && (c[1] == 0x80 || c[1] == 0x81)) || (c[0] == 0xE3 && c[1] == 0x80);
    return false;
}

/* U+2019, the apostrophe of typographers. */
static bool is_apostrophe(const char *at, size_t bytes)
{
    const unsigned char *c = (const unsigned char *)at;
    return bytes == 3 && c[0] == 0xE2 && c[1] == 0x80 && c[2] == 0x99;
}

/* Puts the character at `t` into the word, or says it is no part of one. */
static bool take(struct tokens *t, char *out, size_t *length)
{
    unsigned char c = (unsigned char)*t->at;
    if (c < 128) {
        if (!ascii_word[c]) return false;
        if (*length < TOKEN_MAX_BYTES) out[(*length)++] = ascii_word[c];
        t->at++;
        return true;
    }
    size_t bytes = character_bytes(t->at, t->end);
    bool apostrophe = is_apostrophe(t->at, bytes);
    if (!apostrophe && separates(t->at, bytes)) return false;
    if (apostrophe && *length < TOKEN_MAX_BYTES) out[(*length)++] = '\'';
    for (size_t i = 0; !apostrophe && i < bytes && *length < TOKEN_MAX_BYTES; i++)
        out[(*length)++] = t->at[i];
    t->at += bytes;
    return true;
}

size_t tokens_next(struct tokens *t, char *out)
{
    size_t length = 0;
    while (t->at < t->end && !take(t, out, &length)) t->at += character_bytes(t->at, t->end);
    while (t->at < t->end && take(t, out, &length)) {
    }
    return length;
}

unsigned long long tokens_hash(const char *bytes, size_t count)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < count; i++) h = (h ^ (unsigned char)bytes[i]) * 1099511628211u;
    h ^= h >> 30;
    h *= 0xbf58476d1ce4e5b9u;
    h ^= h >> 27;
    h *= 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}
