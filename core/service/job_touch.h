/* job_touch.h - a sync job over documents that were named, or that have failed. Private to jobs. */
#ifndef LOCKSTEP_SERVICE_JOB_RESYNC_H
#define LOCKSTEP_SERVICE_JOB_RESYNC_H

#include "service/jobs_internal.h"

/* `*result`: `{documents, failed, results}`, of which the first JOBS_LISTED are listed, those that failed
 * first. */
enum lks_code job_resync(struct job *job, json_t **result, const char **named, struct lks_err *err);

#endif
