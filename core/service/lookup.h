/* lookup.h - single things that a person asks for: is a server there, what is this document's state? All of
 * it blocks, and may be called from any thread. */
#ifndef LOCKSTEP_SERVICE_LOOKUP_H
#define LOCKSTEP_SERVICE_LOOKUP_H

#include "service/service.h"

/* Do the source's MongoDB and Qdrant answer? The message names who doesn't. */
enum lks_code lookup_servers(const struct service_source *source, struct lks_err *err);

/* Before the `_id` in canonical Extended JSON: names one document, also where several have one business id.
 */
#define LOOKUP_BY_ID "_id:"

/* A document by its business id, else its `slug`, else its `_id`; or by LOOKUP_BY_ID alone. To be freed by
 * source_document_fini(). LKS_E_NOT_FOUND; LKS_E_AMBIGUOUS: several documents have this slug. */
enum lks_code lookup_document(const struct service_source *source, const char *text,
                              struct source_document *doc, struct lks_err *err);
/* A page of documents; see mongo_list(). */
enum lks_code lookup_list(const struct service_source *source, const struct mongo_list_request *request,
                          struct mongo_list *list, struct lks_err *err);
/* The business id as a person writes it, else the `_id`. free() it. NULL when memory is out. */
char *lookup_id(const struct service_source *source, const struct source_document *doc);
/* A text at the top of the document; NULL if there is none. Borrowed from the document. */
const char *lookup_text(const struct source_document *doc, const char *field);

#endif
