/* encode.c - see encode.h: content codings and entity tags, as RFC 9110 has them. */
#include "api/encode.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/hash.h"

#define SPACE " \t"
#define WORTH_BYTES 1024
#define GZIP_LEVEL 5

/* "gzip;q=0.5" */
static bool takes(const char *item, size_t bytes, const char *coding)
{
    size_t name = strcspn(item, "; \t,");
    if (name > bytes || strlen(coding) != name || strncasecmp(item, coding, name) != 0) return false;
    const char *weight = memchr(item, '=', bytes);
    return !weight || strtod(weight + 1, NULL) > 0;
}

bool encode_accepts_gzip(const struct call *call)
{
    const char *at = call_header(call, "Accept-Encoding");
    while (at && *at) {
        at += strspn(at, SPACE ",");
        size_t bytes = strcspn(at, ",");
        if (takes(at, bytes, "gzip") || takes(at, bytes, "x-gzip")) return true;
        at += bytes;
    }
    return false;
}

static const char *opaque(const char *tag)
{
    return strncmp(tag, "W/", 2) == 0 ? tag + 2 : tag;
}

bool encode_has_tag(const struct call *call, const char *tag)
{
    const char *at = call_header(call, "If-None-Match");
    size_t bytes = strlen(opaque(tag));
    while (at && *at) {
        at = opaque(at + strspn(at, SPACE ","));
        if (*at == '*' || (strncmp(at, opaque(tag), bytes) == 0 && strchr(", \t", at[bytes]))) return true;
        at += strcspn(at, ",");
    }
    return false;
}

void call_tag(struct call *call)
{
    char hex[SHA256_HEX_BYTES], tag[32];
    if (call->status != 200 || !hash_sha256_hex(&(struct hash_span){call->text, call->bytes}, 1, hex)) return;
    snprintf(tag, sizeof tag, "W/\"%.16s\"", hex); /* weak: the same contents, compressed or not */
    call_answer_header(call, "ETag", tag);
    call_answer_header(call, "Cache-Control", "private, no-cache");
    if (encode_has_tag(call, tag)) call_text(call, 304, call->type, NULL, 0);
}

/* NULL: memory was out. */
static char *compress_text(const char *text, size_t bytes, size_t *out_bytes)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)text, .avail_in = (uInt)bytes};
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return NULL;
    size_t most = deflateBound(&z, bytes);
    char *out = malloc(most);
    z.next_out = (unsigned char *)out;
    z.avail_out = (uInt)most;
    bool whole = out && deflate(&z, Z_FINISH) == Z_STREAM_END;
    *out_bytes = z.total_out;
    deflateEnd(&z);
    if (whole) return out;
    free(out);
    return NULL;
}

void encode_answer(struct call *call)
{
    size_t bytes;
    if (!call->text || call->bytes <= WORTH_BYTES || call_answers(call, "Content-Encoding")) return;
    const char *vary = call_answers(call, "Vary");
    call_answer_header(call, "Vary", vary ? "Origin, Accept-Encoding" : "Accept-Encoding");
    if (!encode_accepts_gzip(call)) return;
    char *small = compress_text(call->text, call->bytes, &bytes);
    if (!small) return;
    call_answer_header(call, "Content-Encoding", "gzip");
    call_text(call, call->status, call->type, small, bytes);
}
