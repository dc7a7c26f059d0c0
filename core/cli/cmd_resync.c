/*
 * cmd_resync.c - see cmd_resync.h. Hands documents to the engines, a bounded number at a time, and prints
 * what became of each.
 */
#include "cli/cmd_resync.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd_handover.h"
#include "cli/cmd_one_shot.h"
#include "service/report.h"

#define MOST_AT_A_TIME 256
#define PAGE_DOCS 256

/* A document that the engine has. */
struct asked {
    struct asked *next;
    struct docid *id;
    char *name; /* as a person calls it */
};

/* One source's documents. */
struct supply {
    uint64_t mask;
    struct asked *waiting; /* not handed over yet, with --id */
    struct asked *asked;   /* handed over and not back */
    size_t asked_count;
    struct docid *from; /* with --failed: the next page begins after it */
    bool end;           /* there are no more */
};

struct job {
    const struct resync *request;
    struct app *app;
    struct supply *supplies; /* one for each of the app's sources */
    const char *reason;      /* a holder of the lease could not be asked */
    size_t shown;            /* documents */
    bool broken;             /* MongoDB could not be read to the end */
    uint64_t done, failed;
};

static void asked_free(struct asked *a)
{
    if (!a) return;
    docid_free(a->id);
    free(a->name);
    free(a);
}

static struct asked *asked_new(const struct docid *id, const char *name)
{
    struct asked *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->id = docid_copy(id);
    a->name = name ? strdup(name) : docid_plain(id);
    if (a->id && a->name) return a;
    asked_free(a);
    return NULL;
}

static struct supply *supply_of(struct job *job, const struct loop_engine *le)
{
    return &job->supplies[le->source - job->app->sources];
}

/* The document's business id, if it is a text; else NULL. */
static const char *business_id(const struct app_source *source, const struct source_document *doc)
{
    bson_iter_t iter, value;
    if (!doc->body || !bson_iter_init(&iter, doc->body) ||
        !bson_iter_find_descendant(&iter, source->config->id_field, &value) || !BSON_ITER_HOLDS_UTF8(&value))
        return NULL;
    return bson_iter_utf8(&value, NULL);
}

/* ---- in ---- */

static void give_to_engine(struct job *job, struct loop_engine *le, struct asked *a)
{
    struct supply *supply = supply_of(job, le);
    a->next = supply->asked;
    supply->asked = a;
    supply->asked_count++;
    engine_resync(le->engine, a->id, supply->mask, job->request->force);
}

/* As a person calls them: by their business ids. */
static void hand_over_page(struct job *job, struct loop_engine *le, struct docid **ids, size_t count)
{
    struct source_document *docs = NULL;
    struct lks_err err;
    if (mongo_read(le->source->mongo, (const struct docid *const *)ids, count, &docs, &err) != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s\n", err.text);
        job->broken = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct asked *a = asked_new(ids[i], business_id(le->source, &docs[i]));
        if (a)
            give_to_engine(job, le, a);
        else
            job->broken = true;
    }
    mongo_docs_free(docs, count);
}

static void hand_over_failed(struct job *job, struct loop_engine *le)
{
    struct supply *supply = supply_of(job, le);
    bool wanted[ENGINE_MAX_COLLECTIONS];
    struct docid **ids;
    struct lks_err err;
    size_t count;
    for (size_t i = 0; i < le->source->count; i++) wanted[i] = supply->mask >> i & 1;
    if (mongo_failed_ids(le->source->mongo, wanted, supply->from, PAGE_DOCS, &ids, &count, &supply->end,
                         &err) != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s\n", err.text);
        job->broken = supply->end = true;
        return;
    }
    hand_over_page(job, le, ids, count);
    if (count > 0) {
        docid_free(supply->from);
        supply->from = ids[count - 1];
        ids[count - 1] = NULL;
    }
    mongo_ids_free(ids, count);
}

static void feed(struct loop *loop, struct loop_engine *le, void *context)
{
    struct job *job = context;
    struct supply *supply = supply_of(job, le);
    (void)loop;
    if (engine_docs_in_work(le->engine) < MOST_AT_A_TIME) {
        for (struct asked *a; (a = supply->waiting) != NULL && supply->asked_count < MOST_AT_A_TIME;) {
            supply->waiting = a->next;
            give_to_engine(job, le, a);
        }
        if (!supply->end) hand_over_failed(job, le);
    }
    if (supply->end && !supply->waiting && engine_docs_in_work(le->engine) == 0) engine_stop(le->engine);
}

/* ---- out ---- */

static void print_outcome(json_t *o)
{
    const char *collection = json_string_value(json_object_get(o, "collection"));
    long long duration_ms = json_integer_value(json_object_get(o, "duration"));
    if (json_is_true(json_object_get(o, "success")))
        printf("  %-16s ok     %6lld ms  %s\n", collection, duration_ms,
               json_string_value(json_object_get(o, "reason")));
    else
        printf("  %-16s failed %6lld ms  %s: %s\n", collection, duration_ms,
               json_string_value(json_object_get(o, "errorCode")),
               json_string_value(json_object_get(o, "error")));
}

void resync_print(const json_t *document, bool json, bool first)
{
    size_t i;
    json_t *one;
    if (json) {
        fputs(first ? "" : ",\n", stdout);
        json_dumpf(document, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    } else {
        puts(json_string_value(json_object_get(document, "toolId")));
        json_array_foreach(json_object_get(document, "collections"), i, one) print_outcome(one);
        if (!i && json_object_get(document, "error"))
            printf("  %s\n", json_string_value(json_object_get(document, "error")));
    }
    fflush(stdout);
}

static void resynced(struct loop_engine *le, const struct engine_resynced *t, void *context)
{
    struct job *job = context;
    struct supply *supply = supply_of(job, le);
    struct asked **at = &supply->asked;
    while (*at && !docid_equal((*at)->id, t->id)) at = &(*at)->next;
    struct asked *a = *at;
    if (!a) return;
    *at = a->next;
    supply->asked_count--;
    json_t *document = report_resynced(le->source->names, a->name, t);
    resync_print(document, job->request->json, job->shown++ == 0);
    job->done++;
    if (!json_is_true(json_object_get(document, "success"))) job->failed++;
    json_decref(document);
    asked_free(a);
}

/* ---- all together ---- */

static bool is_waiting(const struct supply *supply, const struct docid *id)
{
    for (const struct asked *a = supply->waiting; a; a = a->next)
        if (docid_equal(a->id, id)) return true;
    return false;
}

/* Looks up what --id names. False if some of them are no document (which is said; the others are done). */
static bool look_up(struct job *job)
{
    const struct resync *request = job->request;
    struct app_source *source = selection_source(request->selection, job->app);
    struct supply *supply = &job->supplies[source - job->app->sources];
    bool all = true;
    for (size_t i = request->selection->ids.count; i-- > 0;) {
        struct source_document doc;
        struct lks_err err;
        struct asked *a = NULL;
        if (mongo_find(source->mongo, request->selection->ids.items[i], &doc, &err) == LKS_E_OK) {
            bool again = is_waiting(supply, doc.id);
            if (!again) a = asked_new(doc.id, request->selection->ids.items[i]);
            source_document_fini(&doc);
            if (again) continue;
            if (!a) lks_fail(&err, LKS_E_NOMEM, "out of memory");
        }
        if (!a) {
            fprintf(stderr, "lockstep: %s\n", err.text);
            all = false;
            continue;
        }
        a->next = supply->waiting;
        supply->waiting = a;
    }
    return all;
}

static void fini(struct job *job)
{
    for (size_t i = 0; i < job->app->source_count; i++) {
        struct supply *s = &job->supplies[i];
        struct asked *lists[] = {s->waiting, s->asked};
        for (size_t k = 0; k < 2; k++)
            for (struct asked *a = lists[k], *next; a; a = next) {
                next = a->next;
                asked_free(a);
            }
        docid_free(s->from);
    }
    free(job->supplies);
}

static int run_job(struct job *job, struct engine_one_shot *one_shots)
{
    const struct resync *request = job->request;
    struct one_shot one_shot = {.quiet = request->json,
                                .reason = job->reason,
                                .one_shots = one_shots,
                                .feed = feed,
                                .resynced = resynced,
                                .context = job};
    bool ran = one_shot_run(&one_shot, job->app);
    size_t left = 0;
    for (size_t i = 0; i < job->app->source_count; i++) left += job->supplies[i].asked_count;
    if (ran && (one_shot.stopped || left > 0))
        fputs("lockstep: stopped before the end; what is not shown was not done\n", stderr);
    if (ran && !request->json && job->done == 0 && request->failed) puts("nothing has failed");
    bool good = ran && !one_shot.stopped && left == 0 && !job->broken && job->failed == 0;
    int status = one_shot.loop.refused ? EXIT_USAGE : good ? EXIT_DONE : EXIT_FAILED;
    one_shot_close(&one_shot);
    return status;
}

/* ---- where a daemon holds the lease ---- */

static json_t *job_options(const struct resync *request, const struct app *app, size_t source)
{
    json_t *options = json_object();
    if (request->failed) {
        json_object_set_new(options, "failed", json_true());
    } else {
        json_t *ids = json_array();
        for (size_t i = 0; i < request->selection->ids.count; i++)
            json_array_append_new(ids, json_string(request->selection->ids.items[i]));
        json_object_set_new(options, "ids", ids);
    }
    if (request->force) json_object_set_new(options, "force", json_true());
    handover_put_collections(options, request->selection, app, source);
    return options;
}

/* A sum that says more than its list. */
static void print_rest(const json_t *result, bool json)
{
    long long all = json_integer_value(json_object_get(result, "documents"));
    size_t listed = json_array_size(json_object_get(result, "results"));
    if (!json && all == 0) puts("nothing has failed");
    if ((size_t)all > listed)
        fprintf(stderr, "lockstep: %lld documents in all, %lld failed; %zu of them are shown\n", all,
                (long long)json_integer_value(json_object_get(result, "failed")), listed);
}

/* True if the source is a daemon's matter; `*good` then says whether all went well. */
static bool handed_source(struct job *work, struct handover *h, size_t source, bool *good)
{
    const struct resync *request = work->request;
    struct app *app = h->app;
    json_t *job, *document;
    size_t i;
    enum handed handed = hand_over(h, &app->sources[source], "sync", job_options(request, app, source), &job);
    if (handed == HANDED_NOT) return false;
    *good &= handed == HANDED_OVER;
    if (handed != HANDED_OVER) return true;
    const json_t *result = json_object_get(job, "result");
    json_array_foreach(json_object_get(result, "results"), i, document)
    {
        resync_print(document, request->json, work->shown++ == 0);
    }
    print_rest(result, request->json);
    *good &= handed_well(job);
    json_decref(job);
    return true;
}

/* The one-shot runs of sources that a daemon has are off then. False: some went badly. */
static bool hand_over_documents(struct job *work, struct handover *h, struct engine_one_shot *one_shots,
                                bool *any)
{
    bool good = true;
    for (size_t i = 0; i < h->app->source_count; i++) {
        if (!one_shots[i].on || !handed_source(work, h, i, &good)) continue;
        one_shots[i].on = false;
        *any = true;
    }
    return good;
}

static bool any_on(const struct engine_one_shot *one_shots, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) any |= one_shots[i].on;
    return any;
}

int resync_documents(const struct resync *request, struct app *app)
{
    struct handover h = {.app = app, .url = request->url, .quiet = request->json};
    bool handed = false;
    struct engine_one_shot *one_shots =
        selection_one_shots(request->selection, app, (struct engine_one_shot){.force = request->force});
    struct job job = {.request = request, .app = app};
    job.supplies = calloc(app->source_count + 1, sizeof *job.supplies);
    int status = EXIT_FAILED;
    if (request->json) puts("[");
    if (!one_shots || !job.supplies) goto out;
    for (size_t i = 0; i < app->source_count; i++) {
        job.supplies[i].mask = one_shots[i].only;
        job.supplies[i].end = !request->failed;
        if (request->failed && !one_shots[i].only) job.supplies[i].mask = UINT64_MAX;
        /* the documents of --id are of one source */
        if (!request->failed && &app->sources[i] != selection_source(request->selection, app))
            one_shots[i].on = false;
    }
    bool good = hand_over_documents(&job, &h, one_shots, &handed);
    job.reason = h.reason;
    if (handed && !any_on(one_shots, app->source_count)) {
        status = good ? EXIT_DONE : EXIT_FAILED;
        goto out;
    }
    if (!servers_answer(app, one_shots)) goto out;
    bool all = request->failed || look_up(&job);
    bool any =
        request->failed || job.supplies[selection_source(request->selection, app) - app->sources].waiting;
    if (any) status = run_job(&job, one_shots);
    if (!all || !good) status = EXIT_FAILED;
out:
    if (request->json) puts("\n]");
    if (job.supplies) fini(&job);
    free(one_shots);
    return status;
}
