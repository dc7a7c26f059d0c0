/*
 * verify.h - is every document in sync? Compares documents, their points (what `_lockstep` says, and the
 * payload that is really there) and their records. Reads only, needs no lease, and may run beside a daemon.
 */
#ifndef LOCKSTEP_SERVICE_VERIFY_H
#define LOCKSTEP_SERVICE_VERIFY_H

#include "service/compare.h"

enum verify_kind {
    VERIFY_MISSING, /* a document's point isn't there */
    VERIFY_STALE,   /* the point was made from another text, model or document */
    VERIFY_PAYLOAD, /* the vector is right, the payload isn't */
    VERIFY_FOREIGN, /* somebody else's point is in its place */
    VERIFY_ORPHAN,  /* a point of ours that no document calls for */
    VERIFY_RECORD,  /* Qdrant is right, but the record says something else */
    VERIFY_EPOCH,   /* points with a higher epoch than the lease: changes do not reach them */
    VERIFY_KIND_COUNT
};
/* "missing", ...: static storage. */
const char *verify_kind_name(enum verify_kind kind);

/* All of it is borrowed. */
struct verify_finding {
    enum verify_kind kind;
    size_t collection;
    const char *id;       /* the `_id`, as a person writes it */
    const char *point_id; /* "" if there is none */
    const char *detail;
};

struct verify_counts {
    uint64_t in_sync, refused; /* documents; `refused`: not valid, and the record says so */
    uint64_t others;           /* points of other writers; not counted with `sample` */
    uint64_t found[VERIFY_KIND_COUNT];
};

struct verify_report {
    uint64_t documents, points;
    uint64_t findings;                 /* of all kinds, in all collections */
    struct verify_counts *collections; /* owned; one per collection of the source */
};

struct verify_request {
    struct compare_source source;
    size_t sample; /* this many documents at random, and their points; 0: all of both */
    /*
     * Somebody is at work meanwhile: what looks wrong is looked at again when it has had this long to be put
     * right, and reported only if it still is. It is looked at twice in any case.
     */
    int64_t settle_ms;
    void (*found)(void *self, const struct verify_finding *finding); /* may be NULL */
    /* May be NULL. False stops it (LKS_E_CANCELLED). */
    bool (*progress)(void *self, const char *noun, uint64_t done, int64_t total);
    void *self;
};

/* Memory is bounded whatever it finds. `report` is to be freed by verify_report_fini(), also after an error.
 */
enum lks_code verify(const struct verify_request *request, struct verify_report *report, struct lks_err *err);
void verify_report_fini(struct verify_report *report);

#endif
