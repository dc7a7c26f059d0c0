/* documents.h - what a person does to documents and to their records. All of it blocks, and may be called
 * from any thread, whether this process keeps the source in sync or not. */
#ifndef LOCKSTEP_SERVICE_DOCUMENTS_H
#define LOCKSTEP_SERVICE_DOCUMENTS_H

#include <jansson.h>

#include "service/service.h"

/* ---- written for an application: documents.c ---- */

/* Documents are JSON; nothing here waits for Qdrant, an embedder or the lease, or fails because of them. */
struct documents_written {
    struct source_document doc; /* as it is now, or was deleted; source_document_fini() */
    uint64_t affects;           /* set of collections: those that have to embed it again, or lose its point */
};

/*
 * Errors name the field. LKS_E_VALIDATION: the body is no such document; LKS_E_EXISTS: the id, or a value
 * that must be unique, is another document's; LKS_E_MISSED: it was changed under our hands again and again;
 * LKS_E_NOT_FOUND; LKS_E_REFUSED by MongoDB itself; LKS_E_CANCELLED: written, but no majority has confirmed
 * it yet; LKS_E_MONGO.
 */
enum lks_code documents_create(const struct service_source *source, const json_t *body,
                               struct documents_written *out, struct lks_err *err);
/* A JSON merge patch (RFC 7396). */
enum lks_code documents_patch(const struct service_source *source, const char *id, const json_t *patch,
                              struct documents_written *out, struct lks_err *err);
enum lks_code documents_delete(const struct service_source *source, const char *id,
                               struct documents_written *out, struct lks_err *err);

/* ---- to be done again: documents_again.c ---- */

/*
 * Everything that isn't synced is due now, and what failed starts over with its retry counts. `*queued`: how
 * many documents that are. Whoever keeps the source in sync comes to them: this process at once, another at
 * its next cycle.
 */
enum lks_code documents_requeue(const struct service *service, size_t source, int64_t *queued,
                                struct lks_err *err);

/*
 * A document, by its business id or `_id`, is pending in all collections, and is made again (embedded, too),
 * at once if this process keeps the source in sync. `doc` is the document with its new record; to be freed by
 * source_document_fini(). LKS_E_NOT_FOUND; LKS_E_MISSED if its record was changed under our hands again and
 * again.
 */
enum lks_code documents_reset(const struct service *service, size_t source, const char *id,
                              struct source_document *doc, struct lks_err *err);

#endif
