/* token.h - resume tokens: encoded so that they order as strings, as the server's do. */
#ifndef DOUBLE_MONGO_TOKEN_H
#define DOUBLE_MONGO_TOKEN_H

#include "err.h"

struct token {
    uint64_t ts;
    bool event; /* names an event; otherwise only a point in time */
    bool from_invalidate;
    char *text; /* upper-case hex */
};

/* The token of a point in time: every event at `ts` is greater. */
char *token_high_water(struct pool *a, uint64_t ts);
/* The token of an event; `uuid` NULL for events of no collection, `document_key` may be VAL_NONE. */
char *token_event(struct pool *a, uint64_t ts, uint32_t txn_index, bool from_invalidate, const uint8_t *uuid,
                  struct val document_key);
/* Reads {_data: ...}. */
int token_parse(struct pool *a, struct val v, struct token *out, struct merr *err);

#endif
