/* plan.h - what a sync would do, and why, without doing it. Writes nothing anywhere. */
#ifndef LOCKSTEP_SERVICE_PLAN_H
#define LOCKSTEP_SERVICE_PLAN_H

#include "embed/embed.h"
#include "service/compare.h"

enum plan_action { PLAN_EMBED, PLAN_REWRITE, PLAN_DELETE, PLAN_UNCHANGED, PLAN_REFUSED, PLAN_ACTION_COUNT };

/* Why; each belongs to one or several actions. */
enum plan_reason {
    PLAN_NO_REASON,
    PLAN_NEW,           /* never synced */
    PLAN_TEXT,          /* its text is another one */
    PLAN_MODEL,         /* its vector is of another model, or of one with other settings */
    PLAN_PAYLOAD,       /* its payload is another one */
    PLAN_ID,            /* its point id is another one */
    PLAN_FAILED,        /* the last attempt failed, or it was put aside */
    PLAN_MISSING,       /* its point is missing in Qdrant */
    PLAN_NO_COLLECTION, /* the Qdrant collection is missing */
    PLAN_FOREIGN,       /* somebody else's point is in its place */
    PLAN_FORCED,
    PLAN_GONE,        /* the document was deleted */
    PLAN_STALE_POINT, /* the document has its point elsewhere, or has no text any more */
    PLAN_INVALID,
    PLAN_REASON_COUNT
};

/* "embed", "text changed", ...: static storage. */
const char *plan_action_name(enum plan_action action);
const char *plan_reason_name(enum plan_reason reason);

#define PLAN_REFUSALS 10 /* of each collection are reported with their reasons */

/* A document that is not valid. */
struct plan_refusal {
    char *doc;  /* owned: the `_id` in canonical Extended JSON */
    char *text; /* owned: why */
};

/* One collection's figures. */
struct plan_counts {
    uint64_t by_action[PLAN_ACTION_COUNT];
    uint64_t by_reason[PLAN_ACTION_COUNT][PLAN_REASON_COUNT];
    struct plan_refusal refusals[PLAN_REFUSALS];
    size_t refusal_count;
    char *misfit; /* owned: why the Qdrant collection cannot hold the model's vectors; NULL: it can, or is not
                     there, or the model cannot be asked */
};

struct plan {
    uint64_t documents;
    struct plan_counts *collections; /* owned; one per collection of the source */
    size_t collection_count;
};

struct plan_request {
    struct compare_source source;
    bool force;
    bool verify_points;             /* compare with the points even where the record says synced */
    const struct docid *const *ids; /* only these documents; NULL: all, and all points */
    size_t id_count;
    struct embedders *embedders; /* to ask for the size of vectors; NULL: nobody is asked */
    const size_t *embedder_of;   /* of each collection */
    /* May be NULL. Of each part that isn't unchanged; the strings are borrowed; `why` (may be NULL) with
     * PLAN_INVALID. */
    void (*target)(void *self, size_t collection, const char *doc, enum plan_action action,
                   enum plan_reason reason, const char *detail);
    /* May be NULL. False stops it (LKS_E_CANCELLED). */
    bool (*progress)(void *self, const char *noun, uint64_t done, int64_t total);
    void *self;
};

/* Goes through documents, then through points, a page at a time. `plan` is to be freed by plan_fini(). */
enum lks_code plan_make(const struct plan_request *request, struct plan *plan, struct lks_err *err);
void plan_fini(struct plan *plan);

#endif
