/* qdrant_ask.h - within qdrant/: one request that is waited for, from any thread but the HTTP loop's. */
#ifndef LOCKSTEP_QDRANT_QDRANT_ASK_H
#define LOCKSTEP_QDRANT_QDRANT_ASK_H

#include "qdrant/exchange.h"

struct qdrant_ask {
    struct http_call call;
    struct buf body; /* what is sent; empty: nothing */
    struct qdrant_verdict v;
    char what[WHAT_BYTES];
};

void ask_init(struct qdrant_ask *a);
/* Sends `a->body` to base and path, and judges the reply; the format says what it is, for verdict_read(). */
enum lks_code ask_run(struct qdrant_ask *a, struct qdrant *q, const char *method, const char *base,
                      const char *path, const char *format, ...) __attribute__((format(printf, 6, 7)));
/* Ends a call: its error goes to the caller. */
enum lks_code ask_end(struct qdrant_ask *a, struct lks_err *err);
/* LKS_E_CONFIG if there is no such collection. */
enum lks_code ask_collection(const struct qdrant *q, size_t collection, struct lks_err *err);

#endif
