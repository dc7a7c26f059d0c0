/* answers_jobs.c - long work: asked for, looked at, stopped. */
#include "api/call.h"
#include "service/jobs.h"

#define STOP_WAIT_MS 5000

/* The source of `?source=`; JOBS_ANY_SOURCE where none is named. False: 404 was answered. */
static bool named_source(struct call *call, size_t *source)
{
    *source = JOBS_ANY_SOURCE;
    if (!call_query(call, "source")) return true;
    const struct service_source *found = call_source(call);
    if (found) *source = call_source_index(call, found);
    return found != NULL;
}

static void answer_object(struct call *call, int status, json_t *job)
{
    if (job)
        call_json(call, status, job);
    else
        call_fail(call, 404, "NOT_FOUND", "there is no such job; the last %d that are over are kept",
                  JOBS_KEPT);
}

static void answer_new(struct call *call, json_t *job)
{
    struct buf location;
    buf_init(&location, 0);
    buf_printf(&location, "/api/jobs/%s", json_string_value(json_object_get(job, "id")));
    if (!location.failed) call_answer_header(call, "Location", location.data);
    buf_fini(&location);
    call_json(call, 202, job);
}

void answer_job_new(struct call *call)
{
    struct lks_err err;
    const char *code = NULL;
    json_t *job = NULL, *body;
    size_t source;
    if (!named_source(call, &source) || !(body = call_object(call))) return;
    switch (jobs_add(call->service->jobs, source, body, &job, &code, &err)) {
    case LKS_E_OK:
        answer_new(call, job);
        break;
    case LKS_E_CONFIG:
        call_fail(call, 400, code, "%s", err.text);
        break;
    default:
        call_fail_err(call, &err);
    }
    json_decref(body);
}

void answer_jobs(struct call *call)
{
    size_t source;
    if (named_source(call, &source))
        call_json(call, 200, json_pack("{s:o}", "jobs", jobs_list(call->service->jobs, source)));
}

void answer_job(struct call *call)
{
    answer_object(call, 200, jobs_get(call->service->jobs, call->segments[2]));
}

void answer_job_stop(struct call *call)
{
    answer_object(call, 200, jobs_stop(call->service->jobs, call->segments[2], STOP_WAIT_MS));
}
