/*
 * jobs.c - see jobs.h. Owns the list of jobs and a thread for each source that ever had one; what a job does
 * is in job_run.c.
 */
#include "service/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/jobs_internal.h"
#include "service/report.h"

struct line { /* of a source: one after the other */
    struct jobs *jobs;
    size_t source;
    pthread_t thread;
    bool started;
};

struct jobs {
    struct jobs_config config;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something came, or is over */
    struct job *newest;
    struct line *lines; /* one per source */
    uint32_t run;       /* so that ids of another run aren't ours */
    unsigned count;
    bool ending;
};

struct jobs *jobs_open(const struct jobs_config *config)
{
    struct jobs *j = calloc(1, sizeof *j);
    if (!j) return NULL;
    j->config = *config;
    j->lines = calloc(config->service->source_count + 1, sizeof *j->lines);
    if (!j->lines) {
        free(j);
        return NULL;
    }
    for (size_t i = 0; i < config->service->source_count; i++)
        j->lines[i] = (struct line){.jobs = j, .source = i};
    if (getrandom(&j->run, sizeof j->run, 0) != (ssize_t)sizeof j->run) j->run = (uint32_t)clock_wall_ms();
    pthread_mutex_init(&j->lock, NULL);
    clock_cond_init(&j->changed);
    return j;
}

/* ---- from queued to over ---- */

static void set_error(struct job *job, const char *code, const char *text)
{
    free(job->error);
    job->error = strdup(text);
    job->code = code;
}

static void end(const struct jobs *j, struct job *job, enum lks_code code, const char *named,
                const struct lks_err *err)
{
    static const char *const says[] = {
        [JOB_DONE] = "job done", [JOB_FAILED] = "job failed", [JOB_STOPPED] = "job stopped"};
    job->ended_ms = clock_wall_ms();
    job->state = code == LKS_E_OK ? JOB_DONE : JOB_FAILED;
    if (code && atomic_load(&job->stop)) job->state = JOB_STOPPED; /* whatever that led to */
    if (job->state == JOB_FAILED) {
        if (code == LKS_E_LEASE) named = "LEASE_LOST";
        set_error(job, named ? named : lks_code_name(code), err->text);
    } else if (job->state == JOB_STOPPED && j->ending) {
        set_error(job, "STOPPING", "the daemon was ending");
    }
    LOG_WITH(job->state == JOB_DONE ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, says[job->state],
             LOG_STR("job", job->id), LOG_STR("kind", job_kind_name(job->request.kind)),
             LOG_STR("source", j->config.service->sources[job->request.source].all.name),
             LOG_STR("error", job->error ? job->error : ""));
}

static void run(struct jobs *j, struct job *job)
{
    struct lks_err err = {.code = LKS_E_OK};
    const char *named = NULL;
    json_t *result = NULL;
    job->state = JOB_RUNNING;
    job->started_ms = clock_wall_ms();
    job->began_ms = job->reported_ms = job->checked_ms = clock_ms();
    json_t *object = job_news(job);
    log_info("job begins", LOG_STR("job", job->id), LOG_STR("kind", job_kind_name(job->request.kind)),
             LOG_STR("source", j->config.service->sources[job->request.source].all.name));
    pthread_mutex_unlock(&j->lock);
    if (object) job_publish(job, object);
    enum lks_code code = control_at_work(j->config.service->control, job->request.source, &job->epoch, &err);
    if (!code) code = job_run(job, &result, &named, &err);
    pthread_mutex_lock(&j->lock);
    job->result = result;
    end(j, job, code, named, &err);
    object = job_news(job);
    pthread_cond_broadcast(&j->changed);
    pthread_mutex_unlock(&j->lock);
    if (object) job_publish(job, object);
    pthread_mutex_lock(&j->lock);
}

static struct job *next_of(struct jobs *j, size_t source)
{
    struct job *oldest = NULL;
    for (struct job *job = j->newest; job; job = job->next)
        if (job->request.source == source && job->state == JOB_QUEUED) oldest = job;
    return oldest;
}

static void *work(void *context)
{
    struct line *line = context;
    struct jobs *j = line->jobs;
    pthread_mutex_lock(&j->lock);
    while (!j->ending) {
        struct job *job = next_of(j, line->source);
        if (job)
            run(j, job);
        else
            pthread_cond_wait(&j->changed, &j->lock);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* The oldest of those that are over go. A thread never looks at one that is over. */
static void forget_old(struct jobs *j)
{
    size_t over = 0;
    for (struct job **at = &j->newest; *at;) {
        struct job *job = *at;
        if (job->state < JOB_DONE || ++over <= JOBS_KEPT) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        job_free(job);
    }
}

static bool start_line(struct line *line)
{
    if (!line->started) line->started = pthread_create(&line->thread, NULL, work, line) == 0;
    return line->started;
}

/* ---- asked for from outside ---- */

static enum lks_code enqueue(struct jobs *j, struct job *job, struct lks_err *err)
{
    size_t waiting = 0;
    for (const struct job *other = j->newest; other; other = other->next)
        waiting += other->request.source == job->request.source && other->state == JOB_QUEUED;
    if (j->ending) return lks_fail(err, LKS_E_LEASE, "the daemon is ending");
    if (waiting >= JOBS_QUEUED)
        return lks_fail(err, LKS_E_MISSED, "%zu jobs wait for their turn already", waiting);
    if (!start_line(&j->lines[job->request.source]))
        return lks_fail(err, LKS_E_IO, "no thread left for jobs");
    snprintf(job->id, sizeof job->id, "%08x-%u", (unsigned)j->run, ++j->count);
    job->next = j->newest;
    j->newest = job;
    forget_old(j);
    pthread_cond_broadcast(&j->changed);
    return LKS_E_OK;
}

enum lks_code jobs_add(struct jobs *j, size_t source, const json_t *body, json_t **out, const char **code,
                       struct lks_err *err)
{
    uint64_t epoch;
    struct job *job = calloc(1, sizeof *job);
    if (!job) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    *job = (struct job){.config = &j->config,
                        .lock = &j->lock,
                        .created_ms = clock_wall_ms(),
                        .started_ms = NO_TIME,
                        .ended_ms = NO_TIME,
                        .total = -1,
                        .rate = -1,
                        .text = "waiting"};
    enum lks_code failed = job_request_read(&j->config, source, body, &job->request, code, err);
    if (!failed) failed = control_at_work(j->config.service->control, job->request.source, &epoch, err);
    if (failed) {
        job_free(job);
        return failed;
    }
    json_t *object = NULL;
    pthread_mutex_lock(&j->lock);
    failed = enqueue(j, job, err);
    if (!failed) *out = job_json(job);
    if (!failed) object = job_news(job);
    pthread_mutex_unlock(&j->lock);
    if (failed) {
        job_free(job);
    } else { /* `job` itself may be over and forgotten by now */
        events_publish(j->config.service->events, "job", json_string_value(json_object_get(object, "source")),
                       object);
    }
    return failed;
}

json_t *jobs_list(struct jobs *j, size_t source)
{
    json_t *list = json_array();
    pthread_mutex_lock(&j->lock);
    for (const struct job *job = j->newest; job; job = job->next)
        if (source == JOBS_ANY_SOURCE || job->request.source == source)
            json_array_append_new(list, job_json(job));
    pthread_mutex_unlock(&j->lock);
    return list;
}

static struct job *find(const struct jobs *j, const char *id)
{
    struct job *job = j->newest;
    while (job && strcmp(job->id, id) != 0) job = job->next;
    return job;
}

json_t *jobs_get(struct jobs *j, const char *id)
{
    pthread_mutex_lock(&j->lock);
    const struct job *job = find(j, id);
    json_t *object = job ? job_json(job) : NULL;
    pthread_mutex_unlock(&j->lock);
    return object;
}

static void stop(const struct jobs *j, struct job *job)
{
    static const struct lks_err never = {.code = LKS_E_CANCELLED, .text = "it never began"};
    if (job->state >= JOB_DONE) return;
    atomic_store(&job->stop, true);
    if (job->state == JOB_QUEUED) end(j, job, LKS_E_CANCELLED, NULL, &never);
}

json_t *jobs_stop(struct jobs *j, const char *id, int64_t wait_ms)
{
    struct timespec deadline = clock_in_ms(wait_ms);
    json_t *object = NULL, *reported = NULL;
    pthread_mutex_lock(&j->lock);
    struct job *job = find(j, id);
    bool waited = job && job->state == JOB_QUEUED;
    if (job) stop(j, job);
    if (waited) reported = job_news(job);
    while ((job = find(j, id)) != NULL && job->state == JOB_RUNNING)
        if (pthread_cond_timedwait(&j->changed, &j->lock, &deadline) == ETIMEDOUT) break;
    if (job) object = job_json(job);
    pthread_mutex_unlock(&j->lock);
    if (waited)
        events_publish(j->config.service->events, "job",
                       json_string_value(json_object_get(reported, "source")), reported);
    return object;
}

void jobs_end(struct jobs *j)
{
    pthread_mutex_lock(&j->lock);
    j->ending = true;
    for (struct job *job = j->newest; job; job = job->next) stop(j, job);
    pthread_cond_broadcast(&j->changed);
    pthread_mutex_unlock(&j->lock);
}

void jobs_close(struct jobs *j)
{
    if (!j) return;
    for (size_t i = 0; i < j->config.service->source_count; i++)
        if (j->lines[i].started) pthread_join(j->lines[i].thread, NULL);
    for (struct job *job = j->newest, *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
    pthread_cond_destroy(&j->changed);
    pthread_mutex_destroy(&j->lock);
    free(j->lines);
    free(j);
}
