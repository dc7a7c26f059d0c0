/* making.h - a document on its way through collection_make(). Private to collection/. */
#ifndef LOCKSTEP_COLLECTION_MAKING_H
#define LOCKSTEP_COLLECTION_MAKING_H

#include "collection/collection.h"
#include "collection/text.h"
#include "collection/view.h"

/* A member of the payload that a plugin put there. */
struct put {
    struct put *next;
    char *name; /* valid UTF-8 */
    size_t name_bytes;
    char *json;
    size_t json_bytes;
};

struct making {
    const struct collection *collection;
    struct view view;         /* of the whole document */
    const struct view *shown; /* what the running callback may see */
    struct text text;
    struct arena arena; /* of the puts */
    struct put *puts;   /* in the order of their names, each once */
    size_t put_bytes;
    bool no_memory;
};

/* Writes the payload. LKS_E_VALIDATION with the field's name if a value is nested too deep or all is too
 * large; LKS_E_NOMEM. */
enum lks_code payload_write(struct making *m, struct buf *out, struct lks_err *err);

/* The business id: `key` (owned by the caller, "" bytes for none) and the point id. LKS_E_VALIDATION,
 * LKS_E_NOMEM.
 */
enum lks_code point_id_write(const struct making *m, struct made *out, struct lks_err *err);

#endif
