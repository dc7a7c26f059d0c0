/* uuid.c - text and bytes of UUIDs, and those made of a SHA-1. Owns nothing. */
#include "base/uuid.h"

#include <string.h>

#include "base/hash.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool dash_at(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

bool uuid_from_text(const char *text, uint8_t out[UUID_BYTES])
{
    if (strlen(text) != UUID_TEXT_BYTES - 1) return false;
    size_t digits = 0;
    for (size_t i = 0; i < UUID_TEXT_BYTES - 1; i++) {
        if (dash_at(i)) {
            if (text[i] != '-') return false;
            continue;
        }
        int value = hex_value(text[i]);
        if (value < 0) return false;
        uint8_t high = digits % 2 ? out[digits / 2] : 0;
        out[digits / 2] = (uint8_t)(high << 4 | value);
        digits++;
    }
    return true;
}

void uuid_to_text(const uint8_t uuid[UUID_BYTES], char out[UUID_TEXT_BYTES])
{
    char hex[2 * UUID_BYTES + 1];
    hash_hex(uuid, UUID_BYTES, hex);
    const char *from = hex;
    for (size_t i = 0; i < UUID_TEXT_BYTES - 1; i++) out[i] = dash_at(i) ? '-' : *from++;
    out[UUID_TEXT_BYTES - 1] = '\0';
}

static bool from_sha1(const struct hash_span *spans, size_t count, char out[UUID_TEXT_BYTES])
{
    uint8_t sum[SHA1_BYTES];
    out[0] = '\0';
    if (!hash_sha1(spans, count, sum)) return false;
    sum[6] = (uint8_t)((sum[6] & 0x0F) | 0x50); /* version 5 */
    sum[8] = (uint8_t)((sum[8] & 0x3F) | 0x80); /* variant 10 */
    uuid_to_text(sum, out);
    return true;
}

bool uuid_of_value(const bson_iter_t *iter, char out[UUID_TEXT_BYTES])
{
    bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
    uint32_t bytes = 0;
    const uint8_t *data = NULL;
    if (!BSON_ITER_HOLDS_BINARY(iter)) return false;
    bson_iter_binary(iter, &subtype, &bytes, &data);
    if ((subtype != BSON_SUBTYPE_UUID && subtype != BSON_SUBTYPE_UUID_DEPRECATED) || !data ||
        bytes != UUID_BYTES)
        return false;
    uuid_to_text(data, out);
    return true;
}

bool uuid_v5(const uint8_t space[UUID_BYTES], const void *name, size_t bytes, char out[UUID_TEXT_BYTES])
{
    return from_sha1((struct hash_span[]){{space, UUID_BYTES}, {name, bytes}}, 2, out);
}

bool uuid_prefixed_sha1(const char *prefix, const void *name, size_t bytes, char out[UUID_TEXT_BYTES])
{
    return from_sha1((struct hash_span[]){{prefix, strlen(prefix)}, {":", 1}, {name, bytes}}, 3, out);
}
