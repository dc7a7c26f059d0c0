/* jobs_internal.h - one job, between the files that queue, read and run jobs. Private to them. */
#ifndef LOCKSTEP_SERVICE_JOBS_INTERNAL_H
#define LOCKSTEP_SERVICE_JOBS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "service/jobs.h"

enum job_kind { JOB_SYNC, JOB_VERIFY, JOB_FORGET, JOB_MIGRATE, JOB_KIND_COUNT };
enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_STOPPED };

/* What is asked for, with all options checked. */
struct job_request {
    enum job_kind kind;
    size_t source;
    json_t *options;      /* owned: as they were given */
    const json_t *ids;    /* borrowed from the options; NULL: all documents */
    bool failed;          /* those of which an entry has failed */
    uint64_t collections; /* a set; 0: all */
    bool force, dry_run, allow_deletes;
    bool repair;
    size_t sample;
    const char *collection; /* to forget; borrowed from the configuration */
};

struct job {
    struct job *next; /* older */
    const struct jobs_config *config;
    pthread_mutex_t *lock; /* of the jobs */
    char id[32];
    struct job_request request;
    atomic_bool stop;
    uint64_t epoch;      /* of the lease under which it runs */
    int64_t checked_ms;  /* when that was looked at last */
    int64_t reported_ms; /* when its progress was published last */
    int64_t began_ms;    /* monotonic: what it counts now */
    struct lks_err lost; /* why it can't go on, besides `stop` */
    /* under the lock */
    enum job_state state;
    int64_t created_ms, started_ms, ended_ms; /* wall clock; NO_TIME: not yet */
    uint64_t done;
    int64_t total;    /* -1: not known */
    double rate;      /* a second; -1: not known */
    const char *text; /* what is counted; static storage */
    json_t *result;   /* owned; NULL: none */
    char *error;      /* owned; NULL: none */
    const char *code; /* static storage */
};

const char *job_kind_name(enum job_kind kind);

/* Checks `{job, options}`; to be freed by job_request_fini(), also after an error. */
enum lks_code job_request_read(const struct jobs_config *config, size_t source, const json_t *body,
                               struct job_request *request, const char **code, struct lks_err *err);
void job_request_fini(struct job_request *request);

/* Does it, on the calling thread. `*result` may be there with an error too; `*code` is set where the error
 * has a name of its own. */
enum lks_code job_run(struct job *job, json_t **result, const char **code, struct lks_err *err);

void job_free(struct job *job);
/* What a job looks like from outside. Under the lock. */
json_t *job_json(const struct job *job);
/* The same for listeners of events; NULL if there are none. Under the lock. */
json_t *job_news(const struct job *job);
/* Publishes (and frees) it. Without the lock: publishing takes one of its own. */
void job_publish(struct job *job, json_t *object);

/* Called by what runs, often, with how far it is; `total` -1: not known. False: it must end now. */
bool job_progress(struct job *job, const char *text, uint64_t done, int64_t total);
/* Why it had to. */
enum lks_code job_ended(const struct job *job, struct lks_err *err);
const struct jobs_config *job_config(const struct job *job);

#endif
