/* made.h - what a collection makes of one document. Plain data, which travels through the engine's ports. */
#ifndef LOCKSTEP_COLLECTION_MADE_H
#define LOCKSTEP_COLLECTION_MADE_H

#include <stddef.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/uuid.h"

enum made_kind {
    MADE_POINT,
    MADE_NOTHING /* empty text or SKIP: no point */,
    MADE_FAILED /* err says why */,
    MADE_FATAL /* the collection can't go on */
};

struct made {
    enum made_kind kind;
    char *text; /* owned, UTF-8, not empty when MADE_POINT: what is embedded */
    size_t text_bytes;
    char *payload; /* owned: a JSON object in RFC 8785 form, without `_lockstep` */
    size_t payload_bytes;
    char *key; /* owned, UTF-8: the business id as `_lockstep.key` shows it; NULL if the document has none */
    char content_hash[SHA256_HEX_BYTES]; /* SHA-256 over text and the embedder's fingerprint */
    char payload_hash[SHA256_HEX_BYTES]; /* SHA-256 over `payload` */
    char point_id[UUID_TEXT_BYTES];      /* "" if the document has no usable business id */
    struct lks_err *err; /* owned; only with MADE_FAILED (LKS_E_VALIDATION, LKS_E_PLUGIN) and MADE_FATAL */
};

/* Frees what it owns; all zero afterwards. */
void made_fini(struct made *made);

#endif
