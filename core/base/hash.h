/*
 * hash.h - SHA-256 and SHA-1 of byte spans, by libcrypto.
 *
 * All functions are thread-safe. They return false only when libcrypto refuses (out of memory, an algorithm
 * switched off by policy); the output is then zeroed.
 */
#ifndef LOCKSTEP_BASE_HASH_H
#define LOCKSTEP_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA1_BYTES 20
#define SHA256_HEX_BYTES (2 * SHA256_BYTES + 1) /* with the NUL */

/* Bytes that are hashed one span after the other, as if they stood in one piece. */
struct hash_span {
    const void *data;
    size_t bytes;
};

bool hash_sha256(const struct hash_span *spans, size_t count, uint8_t out[SHA256_BYTES]);
bool hash_sha1(const struct hash_span *spans, size_t count, uint8_t out[SHA1_BYTES]);
/* The same in lower-case hex, with a NUL; "" on failure. */
bool hash_sha256_hex(const struct hash_span *spans, size_t count, char out[SHA256_HEX_BYTES]);

/* Lower-case hex of `bytes` bytes into `out`, which holds 2 * bytes + 1. */
void hash_hex(const uint8_t *data, size_t bytes, char *out);

#endif
