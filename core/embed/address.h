/* address.h - the address a provider's call goes to, made from the configured URL. Private to embed/. Pure.
 */
#ifndef LOCKSTEP_EMBED_ADDRESS_H
#define LOCKSTEP_EMBED_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* A URL taken apart; all parts are borrowed from it. */
struct address {
    const char *base; /* scheme, user and host */
    size_t base_bytes;
    const char *path; /* without slashes at its end */
    size_t path_bytes;
    const char *query; /* with its "?"; "" if there is none */
    size_t query_bytes;
};

void address_read(struct address *a, const char *url);
/* True if the path ends in `tail` ("/v1/embeddings"), which begins at a segment. */
bool address_ends(const struct address *a, const char *tail);
/* Takes `tail` off the path, if it ends in it. True if it did. */
bool address_cut(struct address *a, const char *tail);
/* Writes the URL again, with `tail` behind its path and before its query. */
void address_write(const struct address *a, const char *tail, struct buf *out);

#endif
