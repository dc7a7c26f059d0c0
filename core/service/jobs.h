/*
 * jobs.h - long work that somebody asks the daemon for: sync, verify, forget. It runs beside the stream, by
 * the engine's own means, one job at a time for each source, the others in a queue.
 *
 * All functions may be called from any thread.
 */
#ifndef LOCKSTEP_SERVICE_JOBS_H
#define LOCKSTEP_SERVICE_JOBS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "service/forget.h"
#include "service/service.h"

#define JOBS_KEPT 32    /* that are over, the newest ones */
#define JOBS_QUEUED 16  /* of one source, waiting for their turn */
#define JOBS_LISTED 500 /* findings or documents in a result */

/* A [collection:NAME] of the configuration, enabled or not. */
struct jobs_collection {
    const char *name;
    size_t source;
    bool enabled;
};

/* All of it is borrowed, and must outlive the jobs. */
struct jobs_config {
    const struct service *service;
    const struct jobs_collection *collections;
    size_t collection_count;
    /* Fills in what forget() needs for one that is switched off (but `progress`), and gives it back. */
    enum lks_code (*open_forget)(void *self, const char *name, struct forget_request *request,
                                 struct lks_err *err);
    void (*close_forget)(void *self, struct forget_request *request);
    void *self;
};

struct jobs;

/* NULL when memory is out. */
struct jobs *jobs_open(const struct jobs_config *config);
/* The daemon is ending: what runs is asked to stop, what waits never begins. */
void jobs_end(struct jobs *j);
/* After jobs_end() and control_close(): waits until nothing runs. NULL is fine. */
void jobs_close(struct jobs *j);

/*
 * A new job out of `{job, options}`; `source` is the one that was named, or JOBS_ANY_SOURCE. `*job` is its
 * object. LKS_E_CONFIG: it can't be asked for so, and `*code` is what the API calls that; LKS_E_LEASE: this
 * process doesn't keep the source in sync; LKS_E_MISSED: too many wait already.
 */
#define JOBS_ANY_SOURCE SIZE_MAX
enum lks_code jobs_add(struct jobs *j, size_t source, const json_t *body, json_t **job, const char **code,
                       struct lks_err *err);
/* The objects, newest first. */
json_t *jobs_list(struct jobs *j, size_t source);
/* One object; NULL if there is none with this id. */
json_t *jobs_get(struct jobs *j, const char *id);
/* Stops it if it isn't over, and waits for its end, but not for longer than `wait_ms`. Its object then. */
json_t *jobs_stop(struct jobs *j, const char *id, int64_t wait_ms);

#endif
