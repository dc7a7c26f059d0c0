/*
 * problems.h - what is wrong with a source now, in words, and what to do about it.
 *
 * Out of the engine's last snapshot and what MongoDB counts. Asking may wait for MongoDB; any thread.
 */
#ifndef LOCKSTEP_SERVICE_PROBLEMS_H
#define LOCKSTEP_SERVICE_PROBLEMS_H

#include "service/service.h"

#define PROBLEM_TEXT_BYTES 600

struct problem {
    bool error;             /* else a warning */
    const char *code;       /* "EMBEDDER_DOWN", ...: static */
    const char *collection; /* borrowed from the service; NULL: it concerns the whole source */
    const char *subject; /* borrowed: an error code, embedder or field, where one code has several; or NULL */
    int64_t since_wall_ms; /* NO_TIME: not known */
    char text[PROBLEM_TEXT_BYTES];
    char cure[PROBLEM_TEXT_BYTES];
};

struct problems {
    struct problem *all; /* owned; errors first */
    size_t count;
};

/* LKS_E_NOMEM is the only error: that MongoDB doesn't answer is a problem like others. To be freed by
 * problems_fini(). */
enum lks_code problems_find(const struct service *service, size_t source, struct problems *out,
                            struct lks_err *err);
/* The same of what MongoDB alone knows, for a process beside the daemon. */
enum lks_code problems_find_stored(const struct service_source *source, const struct mongo_counts *counts,
                                   struct problems *out, struct lks_err *err);
void problems_fini(struct problems *p);

#endif
