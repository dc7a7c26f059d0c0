/* pointid.c - reading, comparing, hashing and writing point ids. It owns nothing. */
#include "qdrant_store/pointid.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return x;
}

uint64_t hash_bytes(const void *data, size_t bytes, uint64_t seed)
{
    const unsigned char *at = data;
    uint64_t h = mix64(seed + bytes * UINT64_C(0x9e3779b97f4a7c15));
    uint64_t word;

    for (; bytes >= 8; at += 8, bytes -= 8) {
        memcpy(&word, at, 8);
        h = mix64(h ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    word = 0;
    if (bytes) memcpy(&word, at, bytes);
    return mix64(h ^ word);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Plain or hyphenated, in braces, or as a URN. */
static bool parse_uuid(const char *text, size_t bytes, struct pointid *out)
{
    uint64_t half[2] = {0, 0};
    int digits = 0;
    bool hyphens;

    if (bytes == 45 && memcmp(text, "urn:uuid:", 9) == 0) {
        text += 9;
        bytes -= 9;
    } else if (bytes == 38 && text[0] == '{' && text[37] == '}') {
        text++;
        bytes -= 2;
    }
    if (bytes != 32 && bytes != 36) return false;
    hyphens = bytes == 36;
    for (size_t i = 0; i < bytes; i++) {
        int v;

        if (hyphens && (i == 8 || i == 13 || i == 18 || i == 23)) {
            if (text[i] != '-') return false;
            continue;
        }
        v = hex_value(text[i]);
        if (v < 0) return false;
        half[digits / 16] = half[digits / 16] << 4 | (uint64_t)v;
        digits++;
    }
    out->high = half[0];
    out->low = half[1];
    out->uuid = true;
    return true;
}

bool pointid_parse(const struct json *v, struct pointid *out)
{
    memset(out, 0, sizeof *out);
    if (v->type == JSON_UINT || (v->type == JSON_INT && v->u.integer >= 0)) {
        out->low = v->u.uinteger;
        return true;
    }
    return v->type == JSON_STRING && parse_uuid(v->u.string, v->count, out);
}

bool pointid_parse_text(const char *text, size_t bytes, struct pointid *out)
{
    uint64_t n = 0;

    memset(out, 0, sizeof *out);
    if (parse_uuid(text, bytes, out)) return true;
    if (bytes == 0 || bytes > 20) return false;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        if (n > (UINT64_MAX - (uint64_t)(text[i] - '0')) / 10) return false;
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    out->low = n;
    return true;
}

int pointid_compare(const struct pointid *a, const struct pointid *b)
{
    if (a->uuid != b->uuid) return a->uuid ? 1 : -1;
    if (a->high != b->high) return a->high < b->high ? -1 : 1;
    if (a->low != b->low) return a->low < b->low ? -1 : 1;
    return 0;
}

uint64_t pointid_hash(const struct pointid *id)
{
    return mix64(id->low ^ mix64(id->high + id->uuid));
}

void pointid_text(const struct pointid *id, char out[POINTID_TEXT_BYTES])
{
    if (!id->uuid)
        snprintf(out, POINTID_TEXT_BYTES, "%" PRIu64, id->low);
    else
        snprintf(out, POINTID_TEXT_BYTES, "%08x-%04x-%04x-%04x-%012" PRIx64, (unsigned)(id->high >> 32),
                 (unsigned)(id->high >> 16 & 0xffff), (unsigned)(id->high & 0xffff),
                 (unsigned)(id->low >> 48), id->low & UINT64_C(0xffffffffffff));
}

void pointid_write(struct buf *out, const struct pointid *id)
{
    char text[POINTID_TEXT_BYTES];

    pointid_text(id, text);
    if (id->uuid) buf_putc(out, '"');
    buf_puts(out, text);
    if (id->uuid) buf_putc(out, '"');
}

char *pointid_complaint(struct pool *a, const struct json *v)
{
    struct buf text;
    char *out;

    buf_init(&text, 0);
    buf_puts(&text, "value ");
    if (v->type == JSON_STRING)
        buf_put(&text, v->u.string, v->count);
    else
        json_write(&text, v);
    buf_puts(&text, " is not a valid point ID, valid values are either an unsigned integer or a UUID");
    out = pool_text(a, text.data, text.bytes);
    buf_fini(&text);
    return out;
}
