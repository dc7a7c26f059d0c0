/*
 * embed_verdict.h - what a server's answer to a batch means, in one place.
 *
 * The codes a record shows: EMBEDDING_TIMEOUT, EMBEDDING_RATE_LIMIT (with retry_after_ms),
 * EMBEDDING_UNAVAILABLE (the server, the way to it, its model, its key: the message says what to do; or this
 * text fails while others pass, and may pass later), EMBEDDING_REJECTED (this text will never embed).
 */
#ifndef LOCKSTEP_EMBED_EMBED_VERDICT_H
#define LOCKSTEP_EMBED_EMBED_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "embed/embed.h"

enum verdict_kind {
    VERDICT_OK,     /* 200: read the vectors */
    VERDICT_SERVER, /* it has nothing to do with these texts: all fail with `err` */
    VERDICT_TEXT, /* the server's trouble, or that of one of the texts: a probe decides. `err` is that text's
                   */
    VERDICT_PLAIN /* the server doesn't know encoding_format: ask again without */
};

struct verdict {
    enum verdict_kind kind;
    bool reprobe; /* with VERDICT_TEXT: only a probe sent after this proves that the server works (a key may
                  have expired since the last answer) */
    bool passing; /* with VERDICT_TEXT: what may pass by itself, so a lone text is asked for once more */
    bool busy;    /* fewer requests at a time, please */
    bool slow;    /* fewer texts in a request, please, for a while */
    bool crowded; /* with VERDICT_TEXT: it never takes that many texts in a request; none of them is to blame
                   */
    bool heavy;   /* with VERDICT_TEXT: the request as a whole was too large, or a text in it */
    bool rejects; /* with VERDICT_TEXT: a lone text that is refused so will never embed */
    bool key;     /* the key was refused, or what it may do */
    struct lks_err err;
};

/* What `call` (finished) means. `key`: what it was sent with ("": none), hidden in the server's words.
 * `asked_base64`: encoding_format was sent. */
void verdict_of_call(const struct embed_config *config, const char *key, const struct http_call *call,
                     bool asked_base64, struct verdict *out);

/* Adds the address that was asked (without user, password and query) to a message about its answer. */
void verdict_name_address(struct lks_err *err, const struct http_call *call);

#endif
