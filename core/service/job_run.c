/*
 * job_run.c - what a job does, on the thread of its source's jobs: comparing everything, verifying,
 * rehearsing, forgetting. Single documents are in job_resync.c. It writes nothing itself but for `forget`:
 * the engine does, as it is asked to.
 */
#include <stdlib.h>
#include <string.h>

#include "service/job_touch.h"
#include "service/jobs_internal.h"
#include "service/lookup.h"
#include "service/report.h"

#define LOOK_MS 100
#define SETTLE_MS 3000 /* the engine has so long to put right what only looks wrong */

static const struct service_source *source_of(const struct job *job)
{
    return &job_config(job)->service->sources[job->request.source];
}

static struct compare_source compare_source_of(const struct job *job)
{
    struct compare_source source = source_of(job)->all;
    source.only = job->request.collections;
    return source;
}

static bool progress(void *self, const char *noun, uint64_t done, int64_t total)
{
    return job_progress(self, noun, done, total);
}

/* A job that had to end says why itself. */
static enum lks_code result_of(const struct job *job, enum lks_code code, struct lks_err *err)
{
    return code == LKS_E_CANCELLED ? job_ended(job, err) : code;
}

/* ---- everything is compared, by the engine ---- */

static bool show_comparison(struct job *job, const struct engine_snapshot *s)
{
    if (s->compare_asked && !s->comparing) return job_progress(job, "waiting for another scan", 0, -1);
    if (s->sweeping) return job_progress(job, "looking for points without a document", s->scanned, -1);
    return job_progress(job, "documents", s->comparing ? s->scanned : 0, s->scan_total);
}

static enum lks_code not_in_sync(const json_t *work, bool partial, const char **named, struct lks_err *err)
{
    uint64_t left = report_not_in_sync(work);
    if (!left && !partial && !report_held(work)) return LKS_E_OK;
    *named = "NOT_IN_STEP";
    uint64_t held = report_held(work);
    if (held)
        return lks_fail(
            err, LKS_E_UNKNOWN,
            "%llu points have no document, and their deletes are held; the option allowDeletes of "
            "the job sync releases them",
            (unsigned long long)held);
    if (left)
        return lks_fail(err, LKS_E_UNKNOWN, "%llu parts of documents failed or wait",
                        (unsigned long long)left);
    return lks_fail(err, LKS_E_UNKNOWN, "a collection doesn't answer: its points were not gone through");
}

/* Snapshots are too large for a thread's stack. */
struct looks {
    struct engine_snapshot span[2], now;
};

static enum lks_code compare_with(struct job *job, const struct engine_compare *request, struct looks *looks,
                                  json_t **work, struct lks_err *err)
{
    struct control *control = job_config(job)->service->control;
    struct control_order order;
    bool stopping = false;
    control_order_compare(control, &order, job->request.source, request, looks->span);
    while (!control_ordered(control, &order, LOOK_MS)) {
        control_snapshot(control, job->request.source, &looks->now);
        if (show_comparison(job, &looks->now) || stopping) continue;
        control_order_stop(control, &order);
        stopping = true;
    }
    enum lks_code code = order.err.code;
    *err = order.err;
    control_order_fini(control, &order);
    if (code != LKS_E_LEASE)
        *work = report_work(source_of(job)->all.names, &looks->span[0], &looks->span[1], request->only);
    return result_of(job, code, err);
}

/* What the engine did meanwhile is in `*work`, also for changes that came by the stream. */
static enum lks_code compare(struct job *job, const struct engine_compare *request, json_t **work,
                             const char **named, struct lks_err *err)
{
    struct looks *looks = calloc(1, sizeof *looks);
    if (!looks) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code code = compare_with(job, request, looks, work, err);
    if (!code) code = not_in_sync(*work, looks->span[1].compare_partial, named, err);
    free(looks);
    return code;
}

/* ---- sync ---- */

struct rehearsal {
    struct job *job;
    json_t *targets;
};

static void note_target(void *self, size_t collection, const char *doc, enum plan_action action,
                        enum plan_reason reason, const char *detail)
{
    struct rehearsal *r = self;
    if (r->targets && json_array_size(r->targets) < JOBS_LISTED)
        json_array_append_new(
            r->targets, report_target(source_of(r->job)->all.names[collection], doc, action, reason, detail));
}

static bool rehearsal_progress(void *self, const char *noun, uint64_t done, int64_t total)
{
    struct rehearsal *r = self;
    return job_progress(r->job, noun, done, total);
}

static enum lks_code find_ids(const struct job *job, struct docid **ids, struct lks_err *err)
{
    size_t i;
    json_t *id;
    json_array_foreach(job->request.ids, i, id)
    {
        struct source_document doc;
        enum lks_code code = lookup_document(source_of(job), json_string_value(id), &doc, err);
        if (code) return code;
        ids[i] = docid_copy(doc.id);
        source_document_fini(&doc);
        if (!ids[i]) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    return LKS_E_OK;
}

static enum lks_code rehearse(struct job *job, json_t **result, const char **named, struct lks_err *err)
{
    const struct job_request *request = &job->request;
    size_t count = json_array_size(request->ids);
    struct docid **ids = calloc(count + 1, sizeof *ids);
    struct rehearsal r = {.job = job, .targets = count ? json_array() : NULL};
    size_t embedder_of[ENGINE_MAX_COLLECTIONS] = {0};
    for (size_t i = 0; i < source_of(job)->all.count; i++)
        embedder_of[i] = source_of(job)->search[i].embedder;
    struct plan plan = {.documents = 0};
    struct plan_request p = {.source = compare_source_of(job),
                             .force = request->force,
                             .verify_points = true,
                             .ids = count ? (const struct docid *const *)ids : NULL,
                             .id_count = count,
                             .embedders = job_config(job)->service->embedders,
                             .embedder_of = embedder_of,
                             .target = note_target,
                             .progress = rehearsal_progress,
                             .self = &r};
    enum lks_code code = ids ? find_ids(job, ids, err) : lks_fail(err, LKS_E_NOMEM, "out of memory");
    if (code == LKS_E_NOT_FOUND) *named = "NOT_FOUND";
    if (!code) {
        code = result_of(job, plan_make(&p, &plan, err), err);
        if (!code) *result = report_plan(&p.source, &plan);
        if (!code && r.targets) json_object_set(*result, "parts", r.targets);
        plan_fini(&plan);
    }
    json_decref(r.targets);
    mongo_ids_free(ids, ids ? count : 0);
    return code;
}

static enum lks_code bring_in_sync(struct job *job, json_t **result, const char **named, struct lks_err *err)
{
    const struct job_request *request = &job->request;
    if (request->dry_run) return rehearse(job, result, named, err);
    if (request->ids || request->failed) return job_resync(job, result, named, err);
    struct engine_compare compare_request = {
        .only = request->collections, .force = request->force, .allow_deletes = request->allow_deletes};
    return compare(job, &compare_request, result, named, err);
}

/* ---- verify ---- */

struct look {
    struct job *job;
    json_t *list;
};

static void note_finding(void *self, const struct verify_finding *f)
{
    struct look *look = self;
    if (json_array_size(look->list) < JOBS_LISTED)
        json_array_append_new(look->list, report_finding(source_of(look->job)->all.names[f->collection], f));
}

static bool look_progress(void *self, const char *noun, uint64_t done, int64_t total)
{
    struct look *look = self;
    return job_progress(look->job, noun, done, total);
}

static enum lks_code look_once(struct job *job, const char *name, json_t *result, uint64_t *findings,
                               struct lks_err *err)
{
    struct look look = {.job = job, .list = json_array()};
    struct verify_report report;
    struct verify_request request = {.source = compare_source_of(job),
                                     .sample = job->request.sample,
                                     .settle_ms = SETTLE_MS,
                                     .found = note_finding,
                                     .progress = look_progress,
                                     .self = &look};
    enum lks_code code = verify(&request, &report, err);
    *findings = report.findings;
    if (!code) json_object_set_new(result, name, report_verify(&request.source, &report, look.list));
    verify_report_fini(&report);
    json_decref(look.list);
    return result_of(job, code, err);
}

static enum lks_code check(struct job *job, json_t **result, const char **named, struct lks_err *err)
{
    struct engine_compare request = {.only = job->request.collections, .whole = true};
    uint64_t findings = 0;
    *result = json_object();
    enum lks_code code = look_once(job, "found", *result, &findings, err);
    if (!code && findings && job->request.repair) {
        json_t *work = NULL;
        code = compare(job, &request, &work, named, err);
        if (work) json_object_set_new(*result, "repaired", work);
        if (!code) code = look_once(job, "left", *result, &findings, err);
    }
    if (!code) json_object_set_new(*result, "inStep", json_boolean(findings == 0));
    return code;
}

/* ---- forget ---- */

static enum lks_code forget_one(struct job *job, json_t **result, struct lks_err *err)
{
    const struct jobs_config *config = job_config(job);
    struct forget_request request = {.config = NULL};
    struct forget_sum done;
    enum lks_code code = config->open_forget(config->self, job->request.collection, &request, err);
    if (code) return code;
    request.progress = progress;
    request.self = job;
    code = result_of(job, forget(&request, &done, err), err);
    *result = report_forget(job->request.collection, &done);
    config->close_forget(config->self, &request);
    return code;
}

enum lks_code job_run(struct job *job, json_t **result, const char **named, struct lks_err *err)
{
    *result = NULL;
    *err = (struct lks_err){.code = LKS_E_OK};
    if (!job_progress(job, "documents", 0, -1)) return job_ended(job, err);
    switch (job->request.kind) {
    case JOB_SYNC:
        return bring_in_sync(job, result, named, err);
    case JOB_VERIFY:
        return check(job, result, named, err);
    case JOB_FORGET:
        return forget_one(job, result, err);
    default:
        return lks_fail(err, LKS_E_UNSUPPORTED, "there is no such job");
    }
}
