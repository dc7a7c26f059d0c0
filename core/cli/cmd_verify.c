/* cmd_verify.c - `lockstep verify`: is everything in sync? With --repair it puts right what isn't, and looks
 * again. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cmd_handover.h"
#include "cli/cmd_one_shot.h"
#include "cli/cmd_rehearsal.h"
#include "daemon/signals.h"
#include "service/report.h"

#define MOST_SAMPLES 1000000
#define MOST_SHOWN 50    /* findings, per look and source, for a person */
#define MOST_LISTED 1000 /* for a program */
#define SETTLE_MS 3000   /* a daemon has so long to put right what only looks wrong */

struct request {
    struct selection selection;
    const char *url;
    size_t sample;
    bool repair, json;
    bool refused; /* out: a source may not start as it is configured */
};

struct show {
    const struct app_source *source;
    uint64_t shown;
    json_t *list; /* with --json */
    struct progress progress;
};

static void show_finding(void *self, const struct verify_finding *f)
{
    struct show *show = self;
    const char *collection = show->source->names[f->collection];
    show->shown++;
    if (show->list) {
        if (show->shown <= MOST_LISTED) json_array_append_new(show->list, report_finding(collection, f));
        return;
    }
    progress_clear(&show->progress);
    if (show->shown == MOST_SHOWN + 1) puts("  ... and more; --json lists up to 1000");
    if (show->shown > MOST_SHOWN) return;
    printf("  %-13s %-16s %s: %s\n", verify_kind_name(f->kind), collection, f->id, f->detail);
}

static bool show_progress(void *self, const char *noun, uint64_t done, int64_t total)
{
    struct show *show = self;
    progress_show(&show->progress, show->source->config->name, noun, done, total);
    return true;
}

static void print_counts(const char *name, const struct verify_counts *c)
{
    printf("  %-16s %llu in sync", name, (unsigned long long)c->in_sync);
    for (size_t k = 0; k < VERIFY_KIND_COUNT; k++)
        if (c->found[k])
            printf(", %llu %s", (unsigned long long)c->found[k], verify_kind_name((enum verify_kind)k));
    if (c->refused) printf(", %llu refused", (unsigned long long)c->refused);
    if (c->others) printf("; %llu points of others", (unsigned long long)c->others);
    putchar('\n');
}

static void report(const struct show *show, const struct compare_source *source,
                   const struct verify_report *r, json_t *out)
{
    if (!show->list)
        printf("%s: %llu documents, %llu points%s\n", source->name, (unsigned long long)r->documents,
               (unsigned long long)r->points, r->findings ? "" : "; all in sync");
    for (size_t i = 0; i < source->count; i++) {
        if (!show->list && compare_is_asked(source, i)) print_counts(source->names[i], &r->collections[i]);
    }
    json_object_set_new(out, source->name, report_verify(source, r, show->list));
}

/* One look at one source. False, after saying so, if it could not be finished. */
static bool look(const struct request *request, struct app *app, size_t i, uint64_t *findings, json_t *out)
{
    struct show show = {.source = &app->sources[i]};
    struct verify_report r;
    struct lks_err err;
    char *lease_holder = NULL;
    if (mongo_lease_holder(app->sources[i].mongo, &lease_holder, &err) != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s\n", err.text);
        return false;
    }
    if (request->json) show.list = json_array();
    struct verify_request v = {.source = source_to_compare(&request->selection, app, i),
                               .sample = request->sample,
                               .settle_ms = lease_holder ? SETTLE_MS : 0,
                               .found = show_finding,
                               .progress = show_progress,
                               .self = &show};
    free(lease_holder);
    progress_begin(&show.progress, request->json);
    bool good = verify(&v, &r, &err) == LKS_E_OK;
    progress_clear(&show.progress);
    if (good)
        report(&show, &v.source, &r, out);
    else
        fprintf(stderr, "lockstep: %s\n", err.text);
    *findings += r.findings;
    verify_report_fini(&r);
    json_decref(show.list);
    return good;
}

static bool look_at_all(const struct request *request, struct app *app, uint64_t *findings, json_t *out)
{
    bool good = true;
    *findings = 0;
    signals_unblock(); /* it only reads: a signal may end it where it stands */
    for (size_t i = 0; i < app->source_count; i++)
        if (request->selection.masks[i]) good &= look(request, app, i, findings, out);
    signals_block();
    return good;
}

static long long sum_of(const json_t *work, const char *name)
{
    long long sum = 0;
    const char *collection;
    json_t *one;
    json_object_foreach(json_object_get(work, "collections"), collection, one)
    {
        sum += json_integer_value(json_object_get(one, name));
    }
    return sum;
}

/* `work` as report_work() has it. */
static void put_work(const char *source, const json_t *work, bool json, json_t *out)
{
    long long embedded = sum_of(work, "embedded"), payloads = sum_of(work, "payloads");
    long long deleted = sum_of(work, "deleted"), failed = (long long)report_not_in_sync(work);
    json_object_set_new(out, source,
                        json_pack("{s:I,s:I,s:I,s:I}", "embedded", (json_int_t)embedded, "payloads",
                                  (json_int_t)payloads, "deleted", (json_int_t)deleted, "failed",
                                  (json_int_t)failed));
    if (!json)
        printf("%s repaired: %lld embedded, %lld payloads rewritten, %lld deleted, %lld failed\n", source,
               embedded, payloads, deleted, failed);
}

static void say_held(const json_t *work)
{
    if (report_held(work))
        fprintf(stderr,
                "lockstep: %llu points have no document; none is deleted without `lockstep sync "
                "--allow-deletes`\n",
                (unsigned long long)report_held(work));
}

static void add_up(const struct loop *loop, bool json, json_t *out)
{
    for (size_t i = 0; i < loop->count; i++) {
        const struct app_source *source = loop->engines[i].source;
        json_t *work = report_engine(source->names, loop->engines[i].engine);
        say_held(work);
        put_work(source->config->name, work, json, out);
        json_decref(work);
    }
}

/* What a daemon holds, that daemon puts right. False if that went badly. */
static bool repair_by_daemons(const struct request *request, struct app *app, struct handover *h,
                              struct engine_one_shot *one_shots, json_t *out)
{
    bool good = true;
    for (size_t i = 0; i < app->source_count; i++) {
        json_t *job, *options;
        if (!one_shots[i].on) continue;
        options = json_pack("{s:b}", "repair", 1);
        handover_put_collections(options, &request->selection, app, i);
        enum handed handed = hand_over(h, &app->sources[i], "verify", options, &job);
        if (handed == HANDED_NOT) continue;
        one_shots[i].on = false;
        good &= handed == HANDED_OVER;
        if (handed != HANDED_OVER) continue;
        json_t *work = json_object_get(json_object_get(job, "result"), "repaired");
        if (work) put_work(app->sources[i].config->name, work, request->json, out);
        good &= handed_well(job);
        json_decref(job);
    }
    return good;
}

/* Everything is compared with the points themselves, payloads too, by the engine. */
static bool repair_ourselves(struct request *request, struct app *app, const char *reason,
                             const struct engine_one_shot *one_shots, json_t *out)
{
    struct one_shot p = {.quiet = request->json, .reason = reason, .one_shots = one_shots};
    bool good = one_shot_run(&p, app);
    if (good) add_up(&p.loop, request->json, out);
    if (good && p.stopped) fputs("lockstep: stopped before the end of the repair\n", stderr);
    good = good && !p.stopped;
    request->refused |= p.loop.refused;
    one_shot_close(&p);
    return good;
}

static bool repair(struct request *request, struct app *app, json_t *out)
{
    struct handover h = {.app = app, .url = request->url, .quiet = request->json};
    struct engine_one_shot *one_shots =
        selection_one_shots(&request->selection, app, (struct engine_one_shot){.scan = true, .whole = true});
    bool good = one_shots && repair_by_daemons(request, app, &h, one_shots, out), left = false;
    for (size_t i = 0; one_shots && i < app->source_count; i++) left |= one_shots[i].on;
    if (left) good &= repair_ourselves(request, app, h.reason, one_shots, out);
    free(one_shots);
    return good;
}

static int check(void *self, struct app *app)
{
    struct request *request = self;
    uint64_t findings = 0;
    json_t *out = json_object(), *first = json_object(), *second = json_object(), *done = json_object();
    bool good = look_at_all(request, app, &findings, first);
    json_object_set(out, "found", first);
    if (good && findings && request->repair) {
        good = repair(request, app, done);
        json_object_set(out, "repaired", done);
        if (good) good = look_at_all(request, app, &findings, second);
        json_object_set(out, "left", second);
    }
    json_object_set_new(out, "inStep", json_boolean(good && !findings));
    if (request->json) {
        json_dumpf(out, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    }
    json_decref(first);
    json_decref(second);
    json_decref(done);
    json_decref(out);
    if (good && findings)
        fprintf(stderr, "lockstep: %llu findings%s\n", (unsigned long long)findings,
                request->repair ? " are left" : "; `lockstep verify --repair` puts them right");
    return request->refused ? EXIT_USAGE : good && !findings ? EXIT_DONE : EXIT_FAILED;
}

static int parse(const struct invocation *inv, struct request *request)
{
    const struct option_spec options[] = {{"repair", OPTION_FLAG, &request->repair, 0, 0},
                                          {"sample", OPTION_NUMBER, &request->sample, 1, MOST_SAMPLES},
                                          {"collection", OPTION_NAMES, &request->selection.collections, 0, 0},
                                          {"source", OPTION_TEXT, &request->selection.source, 0, 0},
                                          {"url", OPTION_TEXT, &request->url, 0, 0},
                                          {"json", OPTION_FLAG, &request->json, 0, 0}};
    return ARGUMENTS_READ(&command_verify, inv, options, NULL);
}

static int run(const struct invocation *inv)
{
    struct request request = {.sample = 0};
    int status = parse(inv, &request);
    return selection_run(&request.selection, inv, status, check, &request);
}

const struct command command_verify = {
    .name = "verify",
    .usage = "[--repair] [--sample N] [--collection NAME] [--source NAME] [--url URL] [--json]",
    .summary = "compares every document with its points",
    .run = run};
