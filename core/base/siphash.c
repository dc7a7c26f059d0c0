/* siphash.c - SipHash-1-3 after Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). */
#include "base/siphash.h"

#include <string.h>

static uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

void siphash_seed(uint64_t k0, uint64_t k1)
{
    key[0] = k0;
    key[1] = k1;
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void round_once(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t siphash(const void *data, size_t bytes)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
                     key[1] ^ 0x7465646279746573u};
    const unsigned char *in = data;
    size_t left = bytes;
    for (; left >= 8; left -= 8, in += 8) {
        uint64_t word; /* host order: the value means nothing outside this process */
        memcpy(&word, in, 8);
        v[3] ^= word;
        round_once(v);
        v[0] ^= word;
    }
    uint64_t last = 0;
    if (left) memcpy(&last, in, left);
    last |= (uint64_t)bytes << 56;
    v[3] ^= last;
    round_once(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) round_once(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
