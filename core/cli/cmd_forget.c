/* cmd_forget.c - `lockstep forget`: a collection that was switched off goes, after asking. */
#include "service/report.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/cmd_arguments.h"
#include "cli/cmd_handover.h"
#include "cli/cmd_one_shot.h"
#include "daemon/signals.h"

struct request {
    const char *name, *url;
    bool yes, json;
};

struct job {
    const struct request *request;
    struct app *app;
    const struct config_collection *config;
    struct progress progress;
};

static bool show_progress(void *self, const char *noun, uint64_t done, int64_t total)
{
    struct job *job = self;
    progress_show(&job->progress, job->request->name, noun, done, total);
    return true;
}

/* The collection's section; NULL after saying why not. */
static const struct config_collection *find(const struct app *app, const char *name)
{
    const struct config *config = app->config;
    const char *between = " ";
    for (size_t i = 0; i < config->collection_count; i++) {
        const struct config_collection *c = &config->collections[i];
        if (strcmp(c->name, name) != 0) continue;
        if (!c->enabled) return c;
        fprintf(stderr,
                "lockstep: collection %s is enabled (%s); say `enabled = no` there, let the daemon read it "
                "(SIGHUP), and forget it then\n",
                name, c->where);
        return NULL;
    }
    fprintf(stderr, "lockstep: the configuration has no [collection:%s]; it has", name);
    for (size_t i = 0; i < config->collection_count; i++, between = ", ")
        fprintf(stderr, "%s%s", between, config->collections[i].name);
    fputs(". To forget one, leave its section there with `enabled = no`\n", stderr);
    return NULL;
}

static void say_what(const struct job *job, const struct forget_sum *sum)
{
    const char *name = job->config->qdrant_collection;
    char reason[400];
    bool keeps = forget_keeps(sum, reason, sizeof reason);
    fprintf(stderr, "To be deleted for good: %lld entries of %s in the metadata", (long long)sum->entries,
            job->request->name);
    if (sum->exists && !keeps)
        fprintf(stderr, ", and the Qdrant collection %s with its %lld points", name, (long long)sum->points);
    else if (sum->exists && !sum->shared)
        fprintf(stderr, ", and our %lld points in the Qdrant collection %s", (long long)sum->points, name);
    if (sum->exists && keeps) fprintf(stderr, ". The Qdrant collection %s stays, because %s", name, reason);
    fputs(".\n", stderr);
}

static bool agreed(void)
{
    char answer[16] = "";
    fputs("Go on? (yes/no) ", stderr);
    fflush(stderr);
    if (!fgets(answer, sizeof answer, stdin)) answer[0] = '\0';
    answer[strcspn(answer, "\r\n")] = '\0';
    if (strcmp(answer, "yes") == 0 || strcmp(answer, "y") == 0) return true;
    fputs("lockstep: nothing was deleted; `--yes` goes on without asking\n", stderr);
    return false;
}

static void report(const struct job *job, const json_t *done)
{
    if (job->request->json) {
        json_dumpf(done, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
        return;
    }
    const char *kept = json_string_value(json_object_get(done, "kept"));
    printf("%s: %lld entries and %lld points deleted%s%s%s\n", job->request->name,
           (long long)json_integer_value(json_object_get(done, "entries")),
           (long long)json_integer_value(json_object_get(done, "points")),
           json_is_true(json_object_get(done, "collectionDeleted")) ? ", with the Qdrant collection" : "",
           kept ? "; the Qdrant collection stays, because " : "", kept ? kept : "");
}

static void report_sum(const struct job *job, const struct forget_sum *done)
{
    json_t *out = report_forget(job->request->name, done);
    report(job, out);
    json_decref(out);
}

/* Where a daemon holds the lease, it does it. */
static enum handed hand_it_over(const struct job *job, struct handover *h, const struct app_source *source)
{
    json_t *done, *options = json_pack("{s:s, s:b}", "collection", job->request->name, "confirm", 1);
    signals_block(); /* a signal stops the job, not us */
    enum handed handed = hand_over(h, source, "forget", options, &done);
    if (handed == HANDED_OVER) {
        if (json_is_object(json_object_get(done, "result"))) report(job, json_object_get(done, "result"));
        if (!handed_well(done)) handed = HANDED_BADLY;
        json_decref(done);
    }
    signals_unblock();
    return handed;
}

static int carry_out(struct job *job, struct app_source *source, struct qdrant *qdrant)
{
    struct forget_request f = {.config = job->app->config,
                               .collection = job->config,
                               .mongo = source->mongo,
                               .qdrant = qdrant,
                               .progress = show_progress,
                               .self = job};
    struct handover h = {.app = job->app, .url = job->request->url, .quiet = job->request->json};
    struct forget_sum sum, done;
    struct lks_err err;
    if (forget_look(&f, &sum, &err) != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s\n", err.text);
        return EXIT_FAILED;
    }
    if (!sum.entries && !sum.exists) {
        report_sum(job, &sum);
        return EXIT_DONE;
    }
    if (!job->request->yes) {
        say_what(job, &sum);
        if (!agreed()) return EXIT_FAILED;
    }
    enum handed handed = hand_it_over(job, &h, source);
    if (handed != HANDED_NOT) return handed == HANDED_OVER ? EXIT_DONE : EXIT_FAILED;
    if (daemon_at_work(source, h.reason)) return EXIT_FAILED;
    progress_begin(&job->progress, job->request->json);
    enum lks_code code = forget(&f, &done, &err);
    progress_clear(&job->progress);
    report_sum(job, &done);
    if (code == LKS_E_OK) return EXIT_DONE;
    fprintf(stderr, "lockstep: %s\n", err.text);
    return EXIT_FAILED;
}

static int forget_it(struct job *job)
{
    struct app_source *source = &job->app->sources[job->config->source];
    size_t index = (size_t)(job->config - job->app->config->collections);
    struct qdrant *qdrant = NULL;
    struct lks_err err;
    int status = EXIT_FAILED;
    signals_unblock(); /* whatever is left can be forgotten later */
    if (app_connect(job->app, &err) != LKS_E_OK || app_open_mongo(source, &err) != LKS_E_OK ||
        app_open_qdrant(source, &index, 1, &qdrant, &err) != LKS_E_OK)
        fprintf(stderr, "lockstep: %s\n", err.text);
    else
        status = carry_out(job, source, qdrant);
    qdrant_close(qdrant);
    return status;
}

static int parse(const struct invocation *inv, struct request *request)
{
    const struct option_spec options[] = {{"yes", OPTION_FLAG, &request->yes, 0, 0},
                                          {"url", OPTION_TEXT, &request->url, 0, 0},
                                          {"json", OPTION_FLAG, &request->json, 0, 0}};
    int status = ARGUMENTS_READ(&command_forget, inv, options, &request->name);
    if (status == EXIT_DONE && !request->name) return usage_error(&command_forget, "say which collection");
    return status;
}

static int run(const struct invocation *inv)
{
    struct request request = {.name = NULL};
    int status = parse(inv, &request);
    if (status != EXIT_DONE) return status;
    struct app *app = app_or_complaint(inv, 0);
    if (!app) return EXIT_USAGE;
    log_setup(LOG_LEVEL_ERROR, app->config->log.format == CONFIG_LOG_JSON);
    struct job job = {.request = &request, .app = app, .config = find(app, request.name)};
    status = job.config ? forget_it(&job) : EXIT_USAGE;
    app_free(app);
    return status;
}

const struct command command_forget = {.name = "forget",
                                       .usage = "[--yes] [--url URL] [--json] COLLECTION",
                                       .summary = "deletes what a collection left that was switched off",
                                       .run = run};
