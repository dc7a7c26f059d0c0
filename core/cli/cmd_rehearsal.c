/* cmd_rehearsal.c - see cmd_rehearsal.h. */
#include "cli/cmd_rehearsal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cmd_progress.h"
#include "daemon/signals.h"
#include "service/report.h"

struct show {
    const struct app_source *source;
    bool each; /* the documents are few: print each */
    json_t *targets;
    struct progress progress;
};

struct compare_source source_to_compare(const struct selection *selection, const struct app *app, size_t i)
{
    const struct app_source *s = &app->sources[i];
    return (struct compare_source){.name = s->config->name,
                                   .mongo = s->mongo,
                                   .qdrant = s->qdrant,
                                   .collections = s->collections,
                                   .names = s->names,
                                   .count = s->count,
                                   .only = selection->masks[i]};
}

static void show_target(void *self, size_t collection, const char *doc, enum plan_action action,
                        enum plan_reason reason, const char *detail)
{
    struct show *show = self;
    if (!show->each) return;
    json_t *target = report_target(show->source->names[collection], doc, action, reason, detail);
    if (show->targets)
        json_array_append(show->targets, target);
    else
        printf("  %-16s %-8s %s (%s%s%s)\n", show->source->names[collection], plan_action_name(action),
               json_string_value(json_object_get(target, "id")), plan_reason_name(reason), detail ? ": " : "",
               detail ? detail : "");
    json_decref(target);
}

static bool show_progress(void *self, const char *noun, uint64_t done, int64_t total)
{
    struct show *show = self;
    progress_show(&show->progress, show->source->config->name, noun, done, total);
    return true;
}

static void print_action(const struct plan_counts *c, enum plan_action action, const char *what)
{
    const char *between = " (";
    printf("%s%llu %s", action == PLAN_EMBED ? "" : ", ", (unsigned long long)c->by_action[action], what);
    for (size_t r = PLAN_NO_REASON + 1; r < PLAN_REASON_COUNT; r++) {
        if (!c->by_reason[action][r]) continue;
        printf("%s%llu %s", between, (unsigned long long)c->by_reason[action][r],
               plan_reason_name((enum plan_reason)r));
        between = ", ";
    }
    if (between[0] == ',') putchar(')');
}

static void print_collection(const char *name, const struct plan_counts *c)
{
    printf("  %-16s ", name);
    print_action(c, PLAN_EMBED, "to embed");
    print_action(c, PLAN_REWRITE, "payloads to rewrite");
    print_action(c, PLAN_DELETE, "to delete");
    print_action(c, PLAN_UNCHANGED, "unchanged");
    if (c->by_action[PLAN_REFUSED]) print_action(c, PLAN_REFUSED, "refused");
    putchar('\n');
    if (c->misfit) printf("  %-16s does not fit: %s\n", "", c->misfit);
}

/* Why documents are not valid, of the first ones; those that were named are printed one by one. */
static void print_refusals(const struct plan_counts *c)
{
    for (size_t i = 0; i < c->refusal_count; i++) {
        json_t *id = report_id(c->refusals[i].doc);
        printf("  %-16s not valid: %s: %s\n", "", json_string_value(id), c->refusals[i].text);
        json_decref(id);
    }
    if (c->by_action[PLAN_REFUSED] > c->refusal_count)
        printf("  %-16s and %llu more\n", "",
               (unsigned long long)(c->by_action[PLAN_REFUSED] - c->refusal_count));
}

static void report(const struct rehearsal *request, const struct show *show,
                   const struct compare_source *source, const struct plan *plan, json_t *out)
{
    if (!request->json)
        printf("%s: %llu documents; nothing was written\n", source->name,
               (unsigned long long)plan->documents);
    for (size_t i = 0; i < source->count; i++) {
        const struct plan_counts *c = &plan->collections[i];
        if (!compare_is_asked(source, i)) continue;
        if (request->json) continue;
        print_collection(source->names[i], c);
        if (!show->each) print_refusals(c);
    }
    json_t *sum = report_plan(source, plan);
    if (show->targets) json_object_set(sum, "parts", show->targets);
    json_object_set_new(out, source->name, sum);
}

/* The documents of --id. False, after saying so, if one of them is none. */
static bool look_up(const struct rehearsal *request, struct app_source *source, struct docid **ids)
{
    bool all = true;
    for (size_t i = 0; i < request->selection->ids.count; i++) {
        struct source_document doc;
        struct lks_err err;
        if (mongo_find(source->mongo, request->selection->ids.items[i], &doc, &err) == LKS_E_OK) {
            ids[i] = docid_copy(doc.id);
            source_document_fini(&doc);
            if (ids[i]) continue;
            lks_fail(&err, LKS_E_NOMEM, "out of memory");
        }
        fprintf(stderr, "lockstep: %s\n", err.text);
        all = false;
    }
    return all;
}

/* A collection that cannot hold the vectors fails in a sync. */
static bool all_fit(const struct plan *plan)
{
    for (size_t i = 0; i < plan->collection_count; i++)
        if (plan->collections[i].misfit) return false;
    return true;
}

static size_t *embedders_of(const struct app_source *source)
{
    size_t *out = calloc(source->count + 1, sizeof *out);
    for (size_t i = 0; out && i < source->count; i++) out[i] = app_embedder(source, i);
    return out;
}

static bool rehearse_source(const struct rehearsal *request, struct app *app, size_t i, json_t *out)
{
    size_t id_count = request->selection->ids.count;
    struct show show = {.source = &app->sources[i], .each = id_count > 0};
    struct docid **ids = calloc(id_count + 1, sizeof *ids);
    struct plan plan = {.documents = 0};
    struct lks_err err;
    size_t *embedder_of = embedders_of(&app->sources[i]);
    bool good = ids && embedder_of && (!id_count || look_up(request, &app->sources[i], ids));
    if (!good) goto out;
    if (request->json && id_count) show.targets = json_array();
    struct plan_request p = {.source = source_to_compare(request->selection, app, i),
                             .force = request->force,
                             .verify_points = request->force || id_count || request->selection->narrow,
                             .ids = id_count ? (const struct docid *const *)ids : NULL,
                             .id_count = id_count,
                             .embedders = app->embedders,
                             .embedder_of = embedder_of,
                             .target = show_target,
                             .progress = show_progress,
                             .self = &show};
    progress_begin(&show.progress, request->json);
    good = plan_make(&p, &plan, &err) == LKS_E_OK;
    progress_clear(&show.progress);
    if (good)
        report(request, &show, &p.source, &plan, out);
    else
        fprintf(stderr, "lockstep: %s\n", err.text);
    good = good && all_fit(&plan);
    plan_fini(&plan);
out:
    free(embedder_of);
    mongo_ids_free(ids, ids ? id_count : 0);
    json_decref(show.targets);
    return good;
}

int rehearse(const struct rehearsal *request, struct app *app)
{
    json_t *out = json_object();
    bool good = true;
    signals_unblock();
    for (size_t i = 0; i < app->source_count; i++) {
        bool named = request->selection->ids.count > 0;
        if (!request->selection->masks[i]) continue;
        if (named && &app->sources[i] != selection_source(request->selection, app)) continue;
        good &= rehearse_source(request, app, i, out);
    }
    if (request->json) {
        json_dumpf(out, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    }
    json_decref(out);
    return good ? EXIT_DONE : EXIT_FAILED;
}
