/* job.c - one job: how far it is, whether it must end, and what is published of it. */
#include <stdlib.h>

#include "base/clock.h"
#include "service/jobs_internal.h"
#include "service/report.h"

#define LEASE_CHECK_MS 200
#define PUBLISH_MS 1000
#define NO_RATE_MS 500 /* too early to say */

const struct jobs_config *job_config(const struct job *job)
{
    return job->config;
}

void job_free(struct job *job)
{
    job_request_fini(&job->request);
    json_decref(job->result);
    free(job->error);
    free(job);
}

static json_t *progress_json(const struct job *job)
{
    bool rated = job->state == JOB_RUNNING && job->rate > 0;
    bool left = rated && job->total > 0 && (uint64_t)job->total > job->done;
    double eta_ms = left ? ((double)job->total - (double)job->done) * 1000 / job->rate : 0;
    return json_pack("{s:I, s:o, s:o, s:o, s:s}", "done", (json_int_t)job->done, "total",
                     job->total >= 0 ? json_integer((json_int_t)job->total) : json_null(), "ratePerSecond",
                     rated ? json_real(job->rate) : json_null(), "etaMs",
                     left ? json_integer((json_int_t)eta_ms) : json_null(), "text", job->text);
}

json_t *job_json(const struct job *job)
{
    static const char *const states[] = {"queued", "running", "done", "failed", "stopped"};
    const struct service_source *source = &job->config->service->sources[job->request.source];
    return json_pack("{s:s, s:s, s:s, s:O, s:s, s:o, s:o, s:o, s:o, s:O?, s:o, s:s?}", "id", job->id, "job",
                     job_kind_name(job->request.kind), "source", source->all.name, "options",
                     job->request.options, "state", states[job->state], "createdAt",
                     report_date(job->created_ms), "startedAt", report_date(job->started_ms), "endedAt",
                     report_date(job->ended_ms), "progress", progress_json(job), "result", job->result,
                     "error", report_text(job->error), "errorCode", job->code);
}

void job_publish(struct job *job, json_t *object)
{
    const struct service *service = job->config->service;
    events_publish(service->events, "job", service->sources[job->request.source].all.name, object);
}

json_t *job_news(const struct job *job)
{
    return events_wanted(job->config->service->events) ? job_json(job) : NULL;
}

bool job_progress(struct job *job, const char *text, uint64_t done, int64_t total)
{
    int64_t now = clock_ms();
    json_t *object = NULL;
    pthread_mutex_lock(job->lock);
    if (job->text != text || done < job->done) job->began_ms = now; /* something else is counted now */
    job->text = text;
    job->done = done;
    job->total = total;
    int64_t passed = now - job->began_ms;
    job->rate = passed < NO_RATE_MS ? -1 : (double)done * 1000 / (double)passed;
    if (now >= job->reported_ms + PUBLISH_MS) {
        job->reported_ms = now;
        object = job_news(job);
    }
    pthread_mutex_unlock(job->lock);
    if (object) job_publish(job, object);
    if (!job->lost.code && now >= job->checked_ms + LEASE_CHECK_MS) {
        uint64_t epoch;
        job->checked_ms = now;
        if (control_at_work(job->config->service->control, job->request.source, &epoch, &job->lost) ==
                LKS_E_OK &&
            epoch != job->epoch)
            lks_fail(&job->lost, LKS_E_LEASE, "the lease was lost meanwhile");
    }
    return !job->lost.code && !atomic_load(&job->stop);
}

enum lks_code job_ended(const struct job *job, struct lks_err *err)
{
    if (atomic_load(&job->stop)) return lks_fail(err, LKS_E_CANCELLED, "stopped");
    *err = job->lost;
    return err->code;
}
