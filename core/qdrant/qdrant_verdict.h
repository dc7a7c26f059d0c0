/* qdrant_verdict.h - within qdrant/: what any outcome of any request means. The only place that looks at
 * statuses.
 */
#ifndef LOCKSTEP_QDRANT_QDRANT_VERDICT_H
#define LOCKSTEP_QDRANT_QDRANT_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "http/http.h"
#include "qdrant/qdrant_scan.h"

struct qdrant_verdict {
    enum lks_code code;  /* LKS_E_OK: HTTP 200 with a JSON object whose `status` is "ok" */
    bool unknown;        /* had it been a write, it may have been applied all the same */
    bool content;        /* refused for what is in it: a part of it may be taken (halve) */
    bool exists;         /* 409: it is there already */
    bool missing;        /* 404: one of the points isn't there; the others were written all the same */
    size_t limit;        /* the refusal names a limit on the size of the batch or page: this one; else 0 */
    struct slice result; /* with LKS_E_OK: `result`, in the call's reply */
    struct lks_err err;  /* code, retry_after_ms and message, without secrets */
};

/*
 * Judges a finished call. `what` names the request for a person: `upsert into "tools"`. `secret` (may be NULL
 * or "") is blotted out of the message wherever a server repeats it.
 */
void verdict_read(struct qdrant_verdict *v, const struct http_call *call, const char *what,
                  const char *secret);

/*
 * Given the `result` of an update, an object: LKS_E_OK only if it says "completed". "acknowledged" and
 * "wait_timeout" (1.17+) mean LKS_E_QDRANT_TIMEOUT and unknown, anything else LKS_E_QDRANT_UNAVAILABLE and
 * unknown.
 */
void verdict_operation(struct qdrant_verdict *v, const char *what);
/* Likewise of a batch of `expected` updates, a list of such objects: LKS_E_OK only if all say "completed". */
void verdict_operations(struct qdrant_verdict *v, size_t expected, const char *what);

#endif
