/* documents.h - what a person does to documents and to their records. All of it blocks, and may be called
 * from any thread, whether this process keeps the source in step or not. */
#ifndef LOCKSTEP_SERVICE_DOCUMENTS_H
#define LOCKSTEP_SERVICE_DOCUMENTS_H

#include "service/service.h"

/* ---- to be done again: documents_again.c ---- */

/*
 * Everything that isn't synced is due now, and what failed starts over with its retry counts. `*queued`: how
 * many documents that are. Whoever keeps the source in step comes to them: this process at once, another at
 * its next cycle.
 */
enum lks_code documents_requeue(const struct service *service, size_t source, int64_t *queued,
                                struct lks_err *err);

/*
 * A document, by its business id or `_id`, is pending in all collections, and is made anew (embedded, too),
 * at once if this process keeps the source in step. `doc` is the document with its new record; to be freed by
 * source_doc_fini(). LKS_E_NOT_FOUND; LKS_E_MISSED if its record was changed under our hands again and again.
 */
enum lks_code documents_reset(const struct service *service, size_t source, const char *id,
                              struct source_doc *doc, struct lks_err *err);

#endif
