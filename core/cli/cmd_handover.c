/*
 * cmd_handover.c - see cmd_handover.h. Owns the job it asked for only as far as stopping it goes; what is in
 * it is the daemon's.
 */
#include "cli/cmd_handover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cmd_client.h"
#include "cli/cmd_progress.h"
#include "daemon/signals.h"

#define LOOK_MS 250
#define LOST_AFTER_MS 30000 /* without an answer */
#define GRACE_MS 2000       /* a daemon that has just begun is asked again */

static const char *text_of(const json_t *from, const char *name)
{
    const char *text = json_string_value(json_object_get(from, name));
    return text ? text : "";
}

static bool is_over(const json_t *job)
{
    const char *state = text_of(job, "state");
    return strcmp(state, "queued") != 0 && strcmp(state, "running") != 0;
}

/* ---- asking ---- */

static bool somebody_holds(const struct app_source *source)
{
    struct lks_err err;
    char *lease_holder = NULL;
    bool held = mongo_lease_holder(source->mongo, &lease_holder, &err) == LKS_E_OK && lease_holder;
    free(lease_holder);
    return held;
}

/* A daemon that has the lease, but has not begun to work, is worth waiting for. */
static bool begins_soon(const struct client_reply *reply)
{
    return reply->status == 503 && strstr(text_of(reply->json, "error"), "not at work") != NULL;
}

static void post(struct handover *h, const char *path, const json_t *body, struct client_reply *reply)
{
    int64_t until_ms = clock_ms() + h->app->config->worker.lease_ms + GRACE_MS;
    for (;;) {
        client_ask(h->app, h->url, "POST", path, body, reply);
        if (!begins_soon(reply) || clock_ms() >= until_ms || signals_wait(LOOK_MS)) return;
        client_reply_fini(reply);
    }
}

/* What follows from a refusal. */
static enum handed refused(struct handover *h, const struct client_reply *reply)
{
    char where[400] = "";
    const char *says = text_of(reply->json, "error");
    bool address = client_address(h->app, h->url, where, sizeof where);
    if (!address) {
        snprintf(h->reason, sizeof h->reason, "it can't be asked, as %s", where);
    } else if (reply->status == 0) {
        snprintf(h->reason, sizeof h->reason, "no daemon answers (%s)", reply->error);
    } else if (reply->status == 503) {
        snprintf(h->reason, sizeof h->reason, "the daemon at %s is another one (%s)", where, says);
    } else if (reply->status == 404 || reply->status == 405) {
        snprintf(h->reason, sizeof h->reason, "what answers at %s knows no jobs of this source", where);
    } else {
        fprintf(stderr, "lockstep: the daemon at %s: %s%s\n", where, *says ? says : "malformed reply",
                reply->status == 401 || reply->status == 403
                    ? "; [api] token, or LOCKSTEP_API_TOKEN, must be the daemon's"
                    : "");
        return HANDED_BADLY;
    }
    return HANDED_NOT;
}

/* ---- watching ---- */

struct watch {
    struct handover *h;
    const char *label;
    char path[80];
    struct progress progress;
    int64_t answered_ms;
    unsigned signals;
};

static void show(struct watch *w, const json_t *job)
{
    const json_t *p = json_object_get(job, "progress"), *total = json_object_get(p, "total");
    if (strcmp(text_of(job, "state"), "running") != 0) return;
    progress_show(&w->progress, w->label, text_of(p, "text"),
                  (uint64_t)json_integer_value(json_object_get(p, "done")),
                  json_is_integer(total) ? (int64_t)json_integer_value(total) : -1);
}

/* True to go on watching. */
static bool follow_signal(struct watch *w)
{
    struct client_reply reply;
    if (!signals_wait(LOOK_MS)) return true;
    progress_clear(&w->progress);
    if (++w->signals > 1) {
        fputs("lockstep: the daemon was asked to stop it; not waiting for that\n", stderr);
        return false;
    }
    fputs("lockstep: asking the daemon to stop it; what is done stays done\n", stderr);
    client_ask(w->h->app, w->h->url, "DELETE", w->path, NULL, &reply);
    client_reply_fini(&reply);
    return true;
}

static bool is_lost(struct watch *w, const struct client_reply *reply)
{
    if (reply->status == 200) w->answered_ms = clock_ms();
    if (reply->status != 404 && clock_ms() < w->answered_ms + LOST_AFTER_MS) return false;
    progress_clear(&w->progress);
    if (reply->status == 404)
        fputs("lockstep: the daemon knows nothing of it any more: it was started again\n", stderr);
    else
        fprintf(stderr, "lockstep: the daemon doesn't answer any more; it may go on: %s\n", reply->error);
    return true;
}

/* The job when it is over; NULL, after saying why, if it was not watched to its end. */
static json_t *watch(struct watch *w, json_t *job)
{
    progress_begin(&w->progress, w->h->quiet);
    w->answered_ms = clock_ms();
    while (!is_over(job)) {
        struct client_reply reply;
        if (!follow_signal(w)) break;
        client_ask(w->h->app, w->h->url, "GET", w->path, NULL, &reply);
        if (is_lost(w, &reply)) {
            client_reply_fini(&reply);
            break;
        }
        if (reply.status == 200 && reply.json) {
            json_decref(job);
            job = json_incref(reply.json);
            show(w, job);
        }
        client_reply_fini(&reply);
    }
    progress_clear(&w->progress);
    if (is_over(job)) return job;
    json_decref(job);
    return NULL;
}

enum handed hand_over(struct handover *h, const struct app_source *source, const char *kind, json_t *options,
                      json_t **job)
{
    struct client_reply reply = {.status = 0};
    struct watch w = {.h = h, .label = source->config->name};
    char path[128];
    enum handed handed = HANDED_NOT;
    json_t *body = json_pack("{s:s, s:o}", "job", kind, "options", options);
    *job = NULL;
    h->reason[0] = '\0';
    if (!body || !somebody_holds(source)) goto out;
    snprintf(path, sizeof path, "/api/jobs?source=%s", source->config->name);
    post(h, path, body, &reply);
    if (reply.status != 202) {
        handed = refused(h, &reply);
        goto out;
    }
    snprintf(w.path, sizeof w.path, "/api/jobs/%.60s", text_of(reply.json, "id"));
    if (!h->quiet) fprintf(stderr, "lockstep: the daemon does it, as job %s\n", text_of(reply.json, "id"));
    *job = watch(&w, json_incref(reply.json));
    handed = *job ? HANDED_OVER : HANDED_BADLY;
out:
    json_decref(body);
    client_reply_fini(&reply);
    return handed;
}

bool handed_well(const json_t *job)
{
    const char *state = text_of(job, "state"), *error = text_of(job, "error");
    if (strcmp(state, "done") == 0) return true;
    if (strcmp(state, "stopped") == 0)
        fprintf(stderr, "lockstep: stopped before the end%s%s; what is done stays done\n", *error ? ": " : "",
                error);
    else
        fprintf(stderr, "lockstep: %s\n", error);
    return false;
}

void handover_put_collections(json_t *options, const struct selection *selection, const struct app *app,
                              size_t source)
{
    const struct app_source *s = &app->sources[source];
    json_t *names = json_array();
    for (size_t i = 0; i < s->count; i++)
        if (selection->masks[source] >> i & 1) json_array_append_new(names, json_string(s->names[i]));
    if (json_array_size(names) < s->count)
        json_object_set_new(options, "collections", names);
    else
        json_decref(names);
}
