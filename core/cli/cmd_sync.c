/*
 * cmd_sync.c - `lockstep sync`: one pass over everything, or over what is asked for, shown as it goes; ends
 * with what was done. With --dry-run only with what would be done.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd_handover.h"
#include "cli/cmd_one_shot.h"
#include "cli/cmd_rehearsal.h"
#include "cli/cmd_resync.h"
#include "service/report.h"

struct request {
    struct selection selection;
    const char *url;
    bool force, dry_run, allow_deletes, json;
};

static long long count_of(const json_t *one, const char *name)
{
    return json_integer_value(json_object_get(one, name));
}

static void print_work(const char *source, json_t *work)
{
    const char *name;
    json_t *c;
    printf("%s: %lld documents\n", source, count_of(work, "documents"));
    json_object_foreach(json_object_get(work, "collections"), name, c)
    {
        const char *not_ready = json_string_value(json_object_get(c, "notReady"));
        printf("  %-16s %lld embedded, %lld payloads rewritten, %lld deleted, %lld unchanged, %lld failed, "
               "%lld waiting\n",
               name, count_of(c, "embedded"), count_of(c, "payloads"), count_of(c, "deleted"),
               count_of(c, "unchanged"), count_of(c, "failed"), count_of(c, "waiting"));
        const json_t *held = json_object_get(c, "deletesHeld");
        if (held)
            printf("  %-16s %lld of %lld points have no document; none is deleted without --allow-deletes\n",
                   "", count_of(held, "withoutDocument"), count_of(held, "points"));
        if (not_ready) printf("  %-16s not ready: %s\n", "", not_ready);
    }
}

static uint64_t add_up(const struct loop *loop, json_t *out, bool json)
{
    uint64_t failed = 0;
    for (size_t i = 0; i < loop->count; i++) {
        const struct app_source *source = loop->engines[i].source;
        json_t *work = report_engine(source->names, loop->engines[i].engine);
        failed += report_not_in_sync(work) + report_held(work);
        if (!json) print_work(source->config->name, work);
        json_object_set_new(out, source->config->name, work);
    }
    return failed;
}

/* What a daemon holds is done by that daemon, and is not ours any more. An exit status; `*failed` counts
 * parts that are not in sync. */
static int hand_over_all(struct request *request, struct app *app, struct handover *h, json_t *sum)
{
    int status = EXIT_DONE;
    for (size_t i = 0; i < app->source_count; i++) {
        const char *name = app->sources[i].config->name;
        json_t *job, *options = json_object(), *work;
        if (request->force) json_object_set_new(options, "force", json_true());
        if (request->allow_deletes) json_object_set_new(options, "allowDeletes", json_true());
        if (request->selection.masks[i]) handover_put_collections(options, &request->selection, app, i);
        enum handed handed = request->selection.masks[i]
                                 ? hand_over(h, &app->sources[i], "sync", json_incref(options), &job)
                                 : HANDED_NOT;
        json_decref(options);
        if (handed == HANDED_NOT) continue;
        selection_drop(&request->selection, i);
        work = handed == HANDED_OVER ? json_object_get(job, "result") : NULL;
        if (json_is_object(work)) {
            if (!request->json) print_work(name, work);
            json_object_set(sum, name, work);
        }
        if (handed != HANDED_OVER || !handed_well(job)) status = EXIT_FAILED;
        if (handed == HANDED_OVER) json_decref(job);
    }
    return status;
}

static int one_shot_over_all(const struct request *request, struct app *app, const struct handover *h,
                             json_t *sum)
{
    struct engine_one_shot one_shot = {
        .scan = true, .force = request->force, .allow_deletes = request->allow_deletes};
    bool whole = !request->force && !request->allow_deletes && !request->selection.narrow;
    struct engine_one_shot *one_shots =
        whole ? NULL : selection_one_shots(&request->selection, app, one_shot);
    struct one_shot p = {.quiet = request->json, .reason = h->reason, .one_shots = one_shots};
    int status = EXIT_FAILED;
    if (!whole && !one_shots) return status;
    if (!servers_answer(app, one_shots) || !one_shot_run(&p, app)) {
        if (p.loop.refused) status = EXIT_USAGE;
        goto out;
    }
    uint64_t failed = add_up(&p.loop, sum, request->json);
    if (p.stopped) fputs("lockstep: stopped before the end; the next pass goes on from here\n", stderr);
    if (failed)
        fprintf(stderr, "lockstep: %llu parts of documents are not in sync; `lockstep status` says which\n",
                (unsigned long long)failed);
    status = p.stopped || failed ? EXIT_FAILED : EXIT_DONE;
out:
    one_shot_close(&p);
    free(one_shots);
    return status;
}

static int one_shot(struct request *request, struct app *app)
{
    struct handover h = {.app = app, .url = request->url, .quiet = request->json};
    json_t *sum = json_object();
    int status = hand_over_all(request, app, &h, sum);
    int ours = selection_any(&request->selection, app) ? one_shot_over_all(request, app, &h, sum) : EXIT_DONE;
    if (ours != EXIT_DONE) status = ours;
    if (request->json && json_object_size(sum)) {
        json_dumpf(sum, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    }
    json_decref(sum);
    return status;
}

static int parse(const struct invocation *inv, struct request *request)
{
    const struct option_spec options[] = {{"id", OPTION_NAMES, &request->selection.ids, 0, 0},
                                          {"collection", OPTION_NAMES, &request->selection.collections, 0, 0},
                                          {"source", OPTION_TEXT, &request->selection.source, 0, 0},
                                          {"force", OPTION_FLAG, &request->force, 0, 0},
                                          {"url", OPTION_TEXT, &request->url, 0, 0},
                                          {"dry-run", OPTION_FLAG, &request->dry_run, 0, 0},
                                          {"allow-deletes", OPTION_FLAG, &request->allow_deletes, 0, 0},
                                          {"json", OPTION_FLAG, &request->json, 0, 0}};
    int status = ARGUMENTS_READ(&command_sync, inv, options, NULL);
    if (status == EXIT_DONE && request->allow_deletes && (request->dry_run || request->selection.ids.count)) {
        fputs("lockstep: --allow-deletes goes with neither --id nor --dry-run\n", stderr);
        return EXIT_USAGE;
    }
    return status;
}

static int do_it(void *self, struct app *app)
{
    struct request *request = self;
    if (request->dry_run)
        return rehearse(&(struct rehearsal){.selection = &request->selection,
                                            .force = request->force,
                                            .json = request->json},
                        app);
    if (request->selection.ids.count)
        return resync_documents(&(struct resync){.selection = &request->selection,
                                                 .url = request->url,
                                                 .force = request->force,
                                                 .json = request->json},
                                app);
    return one_shot(request, app);
}

static int run(const struct invocation *inv)
{
    struct request request = {.force = false};
    int status = parse(inv, &request);
    return selection_run(&request.selection, inv, status, do_it, &request);
}

const struct command command_sync = {.name = "sync",
                                     .usage = "[--id ID...] [--collection NAME] [--source NAME] [--force] "
                                              "[--dry-run] [--allow-deletes] [--url URL] [--json]",
                                     .summary = "one pass over everything, then the end",
                                     .run = run};
