/* embedder.h - requests to the embedders. */
#ifndef LOCKSTEP_PORTS_EMBEDDER_H
#define LOCKSTEP_PORTS_EMBEDDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Vectors of texts. The adapter caches, bisects a failing batch and retries nothing. */
struct req_embed {
    size_t embedder;
    const char **texts;       /* the array is owned, the texts are borrowed */
    const size_t *text_bytes; /* owned array */
    const bool *fresh;        /* owned array: ask the model, whatever is in a cache; NULL: none of them */
    size_t count;
    /* out; `err` stays OK if the outcome of texts is known. One with neither vector nor error is
     * still under way, and keeps the others waiting no longer: ask for it again, which sends it no
     * second time. At least one text of each request has its outcome. */
    float **vectors; /* owned, each by malloc; NULL where it failed */
    size_t dimensions;
    struct lks_err **errors; /* owned; NULL where it went well */
    int64_t tokens;          /* as counted by the server, or 0 */
    size_t cached;           /* how many came from the cache */
};

/* Embeds a fixed word: is the endpoint up, and which dimension has the model? */
struct req_embed_probe {
    size_t embedder;
    size_t dimensions; /* out */
};

#endif
