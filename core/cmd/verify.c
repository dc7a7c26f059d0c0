/* verify.c - `lockstep verify`: is everything in step? With --repair it puts right what isn't, and looks
 * again. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cmd/pass.h"
#include "cmd/rehearsal.h"
#include "cmd/signals.h"
#include "service/report.h"

#define MOST_SAMPLES 1000000
#define MOST_SHOWN 50    /* findings, per look and source, for a person */
#define MOST_LISTED 1000 /* for a program */
#define SETTLE_MS 3000   /* a daemon has so long to put right what only looks wrong */

struct wish {
    struct selection selection;
    size_t sample;
    bool repair, json;
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
    printf("  %-16s %llu in step", name, (unsigned long long)c->in_step);
    for (size_t k = 0; k < VERIFY_KIND_COUNT; k++)
        if (c->found[k])
            printf(", %llu %s", (unsigned long long)c->found[k], verify_kind_name((enum verify_kind)k));
    if (c->refused) printf(", %llu refused", (unsigned long long)c->refused);
    putchar('\n');
}

static void report(const struct show *show, const struct compare_source *source,
                   const struct verify_report *r, json_t *out)
{
    if (!show->list)
        printf("%s: %llu documents, %llu points%s\n", source->name, (unsigned long long)r->documents,
               (unsigned long long)r->points, r->findings ? "" : "; all in step");
    for (size_t i = 0; i < source->count; i++) {
        if (!show->list && compare_is_asked(source, i)) print_counts(source->names[i], &r->collections[i]);
    }
    json_object_set_new(out, source->name, report_verify(source, r, show->list));
}

/* One look at one source. False, after saying so, if it could not be finished. */
static bool look(const struct wish *wish, struct app *app, size_t i, uint64_t *findings, json_t *out)
{
    struct show show = {.source = &app->sources[i]};
    struct verify_report r;
    struct lks_err err;
    char *holder = NULL;
    if (mongo_lease_holder(app->sources[i].mongo, &holder, &err) != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s\n", err.text);
        return false;
    }
    if (wish->json) show.list = json_array();
    struct verify_wish v = {.source = source_to_compare(&wish->selection, app, i),
                            .sample = wish->sample,
                            .settle_ms = holder ? SETTLE_MS : 0,
                            .found = show_finding,
                            .progress = show_progress,
                            .self = &show};
    free(holder);
    progress_begin(&show.progress, wish->json);
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

static bool look_at_all(const struct wish *wish, struct app *app, uint64_t *findings, json_t *out)
{
    bool good = true;
    *findings = 0;
    signals_unblock(); /* it only reads: a signal may end it where it stands */
    for (size_t i = 0; i < app->source_count; i++)
        if (wish->selection.masks[i]) good &= look(wish, app, i, findings, out);
    signals_block();
    return good;
}

static void add_up(const struct loop *loop, bool json, json_t *out)
{
    for (size_t i = 0; i < loop->count; i++) {
        const struct app_source *source = loop->engines[i].source;
        struct engine_snapshot s;
        uint64_t embedded = 0, payloads = 0, deleted = 0, failed = 0;
        engine_snapshot(loop->engines[i].engine, &s);
        for (size_t k = 0; k < s.collection_count; k++) {
            embedded += s.collections[k].embedded;
            payloads += s.collections[k].payloads;
            deleted += s.collections[k].deleted;
            failed += s.collections[k].failed + s.collections[k].parked;
        }
        json_object_set_new(out, source->config->name,
                            json_pack("{s:I,s:I,s:I,s:I}", "embedded", (json_int_t)embedded, "payloads",
                                      (json_int_t)payloads, "deleted", (json_int_t)deleted, "failed",
                                      (json_int_t)failed));
        if (!json)
            printf("%s repaired: %llu embedded, %llu payloads rewritten, %llu deleted, %llu failed\n",
                   source->config->name, (unsigned long long)embedded, (unsigned long long)payloads,
                   (unsigned long long)deleted, (unsigned long long)failed);
    }
}

/* Everything is compared with the points themselves, payloads too, by the engine. */
static bool repair(const struct wish *wish, struct app *app, json_t *out)
{
    struct engine_errand *errands =
        selection_errands(&wish->selection, app, (struct engine_errand){.scan = true, .whole = true});
    struct pass p = {.quiet = wish->json, .errands = errands};
    bool good = errands && pass_run(&p, app);
    if (good) add_up(&p.loop, wish->json, out);
    if (good && p.stopped) fputs("lockstep: stopped before the end of the repair\n", stderr);
    good = good && !p.stopped;
    pass_close(&p);
    free(errands);
    return good;
}

static int check(const struct wish *wish, struct app *app)
{
    uint64_t findings = 0;
    json_t *out = json_object(), *first = json_object(), *second = json_object(), *done = json_object();
    bool good = look_at_all(wish, app, &findings, first);
    json_object_set(out, "found", first);
    if (good && findings && wish->repair) {
        good = repair(wish, app, done);
        json_object_set(out, "repaired", done);
        if (good) good = look_at_all(wish, app, &findings, second);
        json_object_set(out, "left", second);
    }
    json_object_set_new(out, "inStep", json_boolean(good && !findings));
    if (wish->json) {
        json_dumpf(out, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    }
    json_decref(first);
    json_decref(second);
    json_decref(done);
    json_decref(out);
    if (good && findings)
        fprintf(stderr, "lockstep: %llu findings%s\n", (unsigned long long)findings,
                wish->repair ? " are left" : "; `lockstep verify --repair` puts them right");
    return good && !findings ? EXIT_DONE : EXIT_FAILED;
}

static int parse(const struct invocation *inv, struct wish *wish)
{
    const struct option_spec options[] = {{"repair", OPTION_FLAG, &wish->repair, 0, 0},
                                          {"sample", OPTION_NUMBER, &wish->sample, 1, MOST_SAMPLES},
                                          {"collection", OPTION_NAMES, &wish->selection.collections, 0, 0},
                                          {"source", OPTION_TEXT, &wish->selection.source, 0, 0},
                                          {"json", OPTION_FLAG, &wish->json, 0, 0}};
    return ARGUMENTS_READ(&command_verify, inv, options, NULL);
}

static int run(const struct invocation *inv)
{
    struct wish wish = {.sample = 0};
    struct app *app = NULL;
    struct lks_err err;
    int status = parse(inv, &wish);
    if (status != EXIT_DONE) goto out;
    status = EXIT_USAGE;
    app = app_or_complaint(inv, 0);
    if (!app) goto out;
    if (app->config->log.level < LOG_LEVEL_WARN)
        log_setup(LOG_LEVEL_WARN, app->config->log.format == CONFIG_LOG_JSON);
    status = selection_resolve(&wish.selection, app);
    if (status != EXIT_DONE) goto out;
    status = EXIT_FAILED;
    if (app_connect(app, &err) != LKS_E_OK)
        fprintf(stderr, "lockstep: %s\n", err.text);
    else
        status = check(&wish, app);
out:
    selection_fini(&wish.selection);
    app_free(app);
    return status;
}

const struct command command_verify = {.name = "verify",
                                       .usage = "[--repair] [--sample N] [--collection NAME] [--json]",
                                       .summary = "compares every document with its points",
                                       .run = run};
