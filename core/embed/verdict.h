/*
 * verdict.h - what a server's answer to a batch means, in one place.
 *
 * The codes a record shows: EMBEDDING_TIMEOUT, EMBEDDING_RATE_LIMIT (with retry_after_ms),
 * EMBEDDING_UNAVAILABLE (the server, the way to it, its model, its key: the message says what to do),
 * EMBEDDING_REJECTED (this text will never embed), UNKNOWN (this text fails while others pass, and nobody
 * says why).
 */
#ifndef LOCKSTEP_EMBED_VERDICT_H
#define LOCKSTEP_EMBED_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "embed/embed.h"

enum verdict_kind {
    VERDICT_OK,     /* 200: read the vectors */
    VERDICT_SERVER, /* it has nothing to do with these texts: all fail with `err` */
    VERDICT_TEXT,   /* one of the texts seems to be refused: find it. `err` is that text's */
    VERDICT_PLAIN   /* the server doesn't know encoding_format: ask again without */
};

struct verdict {
    enum verdict_kind kind;
    bool busy;    /* fewer requests at a time, please */
    bool slow;    /* fewer texts in a request, please, for a while */
    bool crowded; /* with VERDICT_TEXT: it never takes that many texts in a request; none of them is to blame
                   */
    struct lks_err err;
};

/* What `call` (finished) means. `asked_base64`: encoding_format was sent. */
void verdict_of_call(const struct embed_config *config, const struct http_call *call, bool asked_base64,
                     struct verdict *out);

#endif
