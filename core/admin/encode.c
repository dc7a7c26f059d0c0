/* encode.c - see encode.h: content codings and entity tags, as RFC 9110 has them. */
#include "admin/encode.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SPACE " \t"

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
