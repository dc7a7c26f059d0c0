/* encode.h - in which form a client takes an answer, and whether it has it already. Private to this room. */
#ifndef LOCKSTEP_API_ENCODE_H
#define LOCKSTEP_API_ENCODE_H

#include "api/call.h"

/* What `Accept-Encoding` says. */
bool encode_accepts_gzip(const struct call *call);
/* True if `If-None-Match` names this tag (in quotes, perhaps after `W/`), or any. */
bool encode_has_tag(const struct call *call, const char *tag);
/* Compresses the answer, if the client takes that and it is worth it. */
void encode_answer(struct call *call);

#endif
