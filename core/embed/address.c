/* address.c - see address.h. Owns nothing. */
#include "embed/address.h"

#include <string.h>

void address_read(struct address *a, const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *host = scheme ? scheme + 3 : url;
    a->base = url;
    a->path = host + strcspn(host, "/?#");
    a->base_bytes = (size_t)(a->path - url);
    a->query = a->path + strcspn(a->path, "?#");
    a->path_bytes = (size_t)(a->query - a->path);
    while (a->path_bytes > 0 && a->path[a->path_bytes - 1] == '/') a->path_bytes--;
    a->query_bytes = strcspn(a->query, "#");
}

bool address_ends(const struct address *a, const char *tail)
{
    size_t bytes = strlen(tail);
    return a->path_bytes >= bytes && memcmp(a->path + a->path_bytes - bytes, tail, bytes) == 0;
}

bool address_cut(struct address *a, const char *tail)
{
    if (!address_ends(a, tail)) return false;
    a->path_bytes -= strlen(tail);
    return true;
}

void address_write(const struct address *a, const char *tail, struct buf *out)
{
    buf_put(out, a->base, a->base_bytes);
    buf_put(out, a->path, a->path_bytes);
    buf_puts(out, tail);
    buf_put(out, a->query, a->query_bytes);
}
