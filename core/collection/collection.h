/*
 * collection.h - what one [collection:NAME] makes of documents: text, payload, point id and hashes.
 *
 * Pure: no I/O, no clock, no state; the same input gives the same bytes in every process. The rules are
 * those of docs/reference/documents.md. `preview`, the maker and the tests all go through collection_make().
 */
#ifndef LOCKSTEP_COLLECTION_COLLECTION_H
#define LOCKSTEP_COLLECTION_COLLECTION_H

#include <bson/bson.h>
#include <lockstep/plugin.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"
#include "collection/declaration.h"
#include "collection/made.h"

struct making;

/* A payload's JSON may take this much; Qdrant's requests end at 32 MB. Larger: LKS_E_VALIDATION. */
#define COLLECTION_MAX_PAYLOAD_BYTES ((size_t)24 << 20)

enum collection_id_scheme { COLLECTION_UUIDV5, COLLECTION_PREFIXED_SHA1 };

/*
 * What a plugin adds to its declaration; all NULL when it is a declaration alone. A callback uses
 * the making_*() functions below and answers with a verdict; with other than LKS_OK and LKS_SKIP `err` says
 * why (its code doesn't matter). `doc` is cut down to the watched fields for text(), and to all declared ones
 * for payload_more().
 */
struct collection_callbacks {
    void *self;
    const void *serial; /* callbacks of collections with the same one never run at once; NULL: they may */
    _Atomic(const char *) *running; /* name of the call that runs, or NULL */
    lks_verdict (*text)(void *self, struct making *m, const bson_t *doc, struct lks_err *err);
    lks_verdict (*payload_more)(void *self, struct making *m, const bson_t *doc, struct lks_err *err);
};

/* Filled by whoever reads the configuration; everything is borrowed and immutable from then on. Any thread.
 */
struct collection {
    const char *name;     /* of [collection:NAME] */
    const char *source;   /* "database.collection" */
    const char *id_field; /* dotted path, or "_id" */
    enum collection_id_scheme id_scheme;
    uint8_t id_namespace[UUID_BYTES]; /* COLLECTION_UUIDV5 */
    const char *id_prefix;            /* COLLECTION_PREFIXED_SHA1 */
    size_t max_text_bytes;
    const char *fingerprint; /* of the embedder */
    const struct declaration *declaration;
    const char *plugin, *plugin_version;
    const char *const *options; /* the plugin's, "key=value" in a fixed order, NULL-terminated; NULL: none */
    struct collection_callbacks callbacks;
};

/*
 * Makes `out` of a document; `out` is to be freed by made_fini(). Always succeeds in saying something: what
 * goes wrong is `out->kind` and `out->err`.
 *
 * MADE_NOTHING when the text is empty (key and point id are there if the document has a usable id) or the
 * plugin says SKIP; MADE_FAILED with LKS_E_VALIDATION for a document without a usable id, one that is nested
 * too deep or too large for a payload, and a plugin's REJECT, with LKS_E_PLUGIN for RETRY and for answers
 * that are none, with LKS_E_UNKNOWN when memory is out; MADE_FATAL for FATAL. The point id is also there with
 * those, if that is known.
 */
void collection_make(const struct collection *c, const bson_t *doc, struct made *out);

/* What a change of a field (a key as change events have them) may alter. The id touches everything. */
enum collection_resync { COLLECTION_UNTOUCHED, COLLECTION_TOUCHES_PAYLOAD, COLLECTION_TOUCHES_TEXT };
enum collection_resync collection_touches(const struct collection *c, const char *changed);

/*
 * The top-level names that these collections read, `_id` among them, sorted, each once, NULL-terminated: what
 * a read is projected to. The array alone is to be freed by free(); the strings are the array's too. NULL
 * when memory is out.
 */
char **collection_fields(const struct collection *const *collections, size_t count);

/* SHA-256 in hex over all that decides this collection's points: plugin, version, declaration, options,
 * fingerprint, id scheme, source, text limit. False when memory is out. */
bool collection_digest(const struct collection *c, char out[SHA256_HEX_BYTES]);

/* ---- for callbacks ---- */

/* The text() of a plugin: what a declaration alone would write, or parts of one's own. */
void making_weighted(struct making *m);
/* False if the pattern can't be read; *why (may be NULL) then says so. */
bool making_sentence(struct making *m, const char *pattern, const char **reason);
void making_write(struct making *m, const char *text, size_t bytes);
/* Whether the declaration names this field, or one that it lies in. */
bool making_may_read(const struct making *m, const char *field);
/* Calls `visit` for each text value of a field that the callback is shown, as text_each() does. */
void making_values(struct making *m, const char *field,
                   bool (*visit)(void *context, const char *bytes, size_t count), void *context);
/* Puts or replaces a member of the payload. False, with *why, for a name that can't be or a value that can't
 * be JSON. */
bool making_put(struct making *m, const char *name, const bson_value_t *value, const char **reason);
/* Bytes that were put so far, for limits. */
size_t making_put_bytes(const struct making *m);
/* The document's `_id` as a person writes it, for messages. */
void making_id(const struct making *m, struct buf *out);

#endif
