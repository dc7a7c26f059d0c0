/* document_compare.h - one document in one collection: what is made of it, beside what Qdrant has. */
#ifndef LOCKSTEP_SERVICE_DOCUMENT_COMPARE_H
#define LOCKSTEP_SERVICE_DOCUMENT_COMPARE_H

#include <jansson.h>

#include "service/service.h"

struct document_compare {
    struct made made;
    struct compare_wanted wanted;
    json_t *point;                 /* owned: its payload without `_lockstep`; NULL: there is none */
    json_t *lockstep;              /* owned: its `_lockstep`; NULL: it has none */
    char point_id[POINT_ID_BYTES]; /* of the point, or where it should be; "": nowhere */
    struct lks_err point_err;      /* Qdrant could not say */
    json_t *differences;           /* owned: texts: "point", "owner", "text", "payload.FIELD", "payload" */
};

/* `doc` was read with its owner (mongo_read()). To be freed by document_compare_fini(). False: out of memory.
 */
bool document_compare(const struct service_source *source, size_t collection,
                      const struct source_document *doc, struct document_compare *out);
void document_compare_fini(struct document_compare *compare);

/* Reads a document so that it can be compared. */
enum lks_code document_compare_read(const struct service_source *source, const struct docid *id,
                                    struct source_document **doc, struct lks_err *err);

/* The names of what differs, as an array; pure. `payload` and `lockstep` are what the point has, NULL:
 * nothing. */
json_t *document_differences(const struct compare_wanted *wanted, const char *wanted_payload,
                             const char *source, bool there, const json_t *payload, const json_t *lockstep);

#endif
