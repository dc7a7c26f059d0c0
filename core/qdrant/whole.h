/* whole.h - within qdrant/: payloads as they really are, against what their `_lockstep` says of them. */
#ifndef LOCKSTEP_QDRANT_WHOLE_H
#define LOCKSTEP_QDRANT_WHOLE_H

#include "base/hash.h"
#include "qdrant/reply.h"

/*
 * Is the SHA-256 over the RFC 8785 form of a payload without its `_lockstep` the `expected` one, which is
 * what
 * `_lockstep.payload` says? A `timestamp` is left out unless the hash is over it. Never for a text that is no
 * payload. REPLY_NOMEM, otherwise REPLY_OK.
 */
enum reply_state whole_is(const char *payload, size_t bytes, const char *expected, bool *same);

/*
 * Given the `result` of a retrieve with whole payloads and the stamps that were read from it: one whose
 * payload isn't what it says of itself loses its payload_hash.
 */
enum reply_state whole_check(struct slice result, struct stamp *items, size_t count);

#endif
