/* uuid.h - UUIDs that follow from names (RFC 9562, version 5), as text and as bytes. Thread-safe. */
#ifndef LOCKSTEP_BASE_UUID_H
#define LOCKSTEP_BASE_UUID_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_BYTES 16
#define UUID_TEXT_BYTES 37 /* 8-4-4-4-12 lower-case hex digits and a NUL */

/* Reads the 36-character form, in either case; false for anything else. */
bool uuid_from_text(const char *text, uint8_t out[UUID_BYTES]);
void uuid_to_text(const uint8_t uuid[UUID_BYTES], char out[UUID_TEXT_BYTES]);

/* The value is a binary of subtype 3 or 4 with the bytes of a UUID; `out` is its text, bytes in their order.
 */
bool uuid_of_value(const bson_iter_t *iter, char out[UUID_TEXT_BYTES]);

/* RFC 9562 section 5.5: SHA-1 over the namespace and the name's bytes. False (and "") if SHA-1 can't be had.
 */
bool uuid_v5(const uint8_t space[UUID_BYTES], const void *name, size_t bytes, char out[UUID_TEXT_BYTES]);

/* SHA-1 over `prefix`, a colon and the name, with the version and variant bits of a version 5: the ids of
 * collections that an earlier system filled. */
bool uuid_prefixed_sha1(const char *prefix, const void *name, size_t bytes, char out[UUID_TEXT_BYTES]);

#endif
