/* cmd_status.c - `lockstep status`: how many documents are in which state, as MongoDB has it, what the
 * daemon's worker does, if one answers, and what is wrong. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cmd_arguments.h"
#include "cli/cmd_client.h"
#include "daemon/signals.h"
#include "service/problems.h"
#include "service/report.h"

static const enum sync_status order[] = {SYNC_SYNCED, SYNC_PENDING, SYNC_STALE, SYNC_FAILED};
#define STATUS_COUNT (sizeof order / sizeof *order)

static json_t *counts_json(const int64_t counts[4])
{
    json_t *out = json_object();
    for (size_t i = 0; i < STATUS_COUNT; i++)
        json_object_set_new(out, sync_status_name(order[i]), json_integer((json_int_t)counts[order[i]]));
    return out;
}

static void print_row(const char *name, const int64_t counts[4])
{
    printf("  %-20s", name);
    for (size_t i = 0; i < STATUS_COUNT; i++) printf(" %10lld", (long long)counts[order[i]]);
    putchar('\n');
}

/* As /api/sync/worker/status has it; NULL if no daemon answers at the address of [api]. */
static json_t *worker_of(const struct app_source *s)
{
    char path[128];
    snprintf(path, sizeof path, "/api/sync/worker/status?source=%s", s->config->name);
    return client_get(s->app, path);
}

/* What the daemon says is wrong; what MongoDB alone shows if none answers. A list, to be json_decref()ed. */
static json_t *problems_of(const struct app_source *s, const struct mongo_counts *counts)
{
    char path[128];
    snprintf(path, sizeof path, "/api/sync/worker/problems?source=%s", s->config->name);
    json_t *answer = client_get(s->app, path);
    json_t *list = json_incref(json_object_get(answer, "problems"));
    json_decref(answer);
    if (json_is_array(list)) return list;
    json_decref(list);
    const struct service_source source = {.all = {.name = s->config->name,
                                                  .mongo = s->mongo,
                                                  .qdrant = s->qdrant,
                                                  .collections = s->collections,
                                                  .names = s->names,
                                                  .count = s->count},
                                          .id_field = s->config->id_field,
                                          .title = s->config->title};
    struct problems problems;
    struct lks_err err;
    list = json_array();
    if (problems_find_stored(&source, counts, &problems, &err) != LKS_E_OK) return list;
    for (size_t i = 0; i < problems.count; i++) json_array_append_new(list, report_problem(&problems.all[i]));
    problems_fini(&problems);
    return list;
}

static const char *text_at(const json_t *problem, const char *name)
{
    const char *text = json_string_value(json_object_get(problem, name));
    return text ? text : "";
}

/* True if one of them is an error. */
static bool has_error(const json_t *problems)
{
    size_t i;
    json_t *problem;
    json_array_foreach(problems, i, problem)
    {
        if (strcmp(text_at(problem, "severity"), "error") == 0) return true;
    }
    return false;
}

static void print_problems(const json_t *problems)
{
    size_t i;
    json_t *problem;
    json_array_foreach(problems, i, problem)
    {
        printf("  %s %s: %s\n", text_at(problem, "severity"), text_at(problem, "code"),
               text_at(problem, "text"));
        if (*text_at(problem, "cure")) printf("    %s\n", text_at(problem, "cure"));
    }
}

static void print_worker(const json_t *worker)
{
    const json_t *cycle = json_object_get(worker, "lastCycleStats");
    const char *state = json_string_value(json_object_get(worker, "state"));
    const char *at = json_string_value(json_object_get(worker, "lastRunAt"));
    printf("  worker %s", state ? state : "unknown");
    if (at)
        printf("; last cycle %s: %lld processed, %lld failed", at,
               (long long)json_integer_value(json_object_get(cycle, "processed")),
               (long long)json_integer_value(json_object_get(cycle, "failed")));
    putchar('\n');
}

static void print_source(const struct app_source *s, const struct mongo_counts *counts,
                         const char *lease_holder, const json_t *worker)
{
    double health =
        counts->total ? 100.0 * (double)counts->by_status[SYNC_SYNCED] / (double)counts->total : 100.0;
    printf("%s: %lld documents in %s, %.1f %% in sync; ", s->config->name, (long long)counts->total,
           s->config->ns, health);
    if (lease_holder)
        printf("kept in sync by %s\n", lease_holder);
    else
        puts("no daemon is at work");
    printf("  %-20s %10s %10s %10s %10s\n", "", "synced", "pending", "stale", "failed");
    print_row("all collections", counts->by_status);
    for (size_t i = 0; i < counts->collection_count; i++) print_row(s->names[i], counts->per_collection[i]);
    if (worker) print_worker(worker);
}

static json_t *source_json(const struct app_source *s, const struct mongo_counts *counts,
                           const char *lease_holder, json_t *worker)
{
    json_t *out = counts_json(counts->by_status), *per = json_object();
    for (size_t i = 0; i < counts->collection_count; i++)
        json_object_set_new(per, s->names[i], counts_json(counts->per_collection[i]));
    json_object_set_new(out, "total", json_integer((json_int_t)counts->total));
    json_object_set_new(out, "perCollection", per);
    json_object_set_new(out, "source", json_string(s->config->name));
    json_object_set_new(out, "leaseHolder", lease_holder ? json_string(lease_holder) : json_null());
    json_object_set(out, "worker", worker ? worker : json_null());
    return out;
}

static int one_source(const struct app_source *s, json_t *list)
{
    struct mongo_counts counts;
    struct lks_err err;
    char *lease_holder = NULL;
    if (mongo_count(s->mongo, &counts, &err) != LKS_E_OK ||
        mongo_lease_holder(s->mongo, &lease_holder, &err) != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s: %s\n", s->config->name, err.text);
        return EXIT_FAILED;
    }
    json_t *worker = worker_of(s), *problems = problems_of(s, &counts);
    if (list) {
        json_t *shown = source_json(s, &counts, lease_holder, worker);
        json_object_set(shown, "problems", problems);
        json_array_append_new(list, shown);
    } else {
        print_source(s, &counts, lease_holder, worker);
        print_problems(problems);
    }
    int status = has_error(problems) ? EXIT_FAILED : EXIT_DONE;
    json_decref(problems);
    json_decref(worker);
    free(lease_holder);
    mongo_counts_fini(&counts);
    return status;
}

static int all_sources(struct app *app, bool json)
{
    json_t *list = json ? json_array() : NULL;
    int status = EXIT_DONE;
    for (size_t i = 0; i < app->source_count; i++)
        if (app->sources[i].count > 0 && one_source(&app->sources[i], list) != EXIT_DONE)
            status = EXIT_FAILED;
    if (json) {
        /* One source is the rule, and its object is what the HTTP API answers with too. */
        const json_t *shown = json_array_size(list) == 1 ? json_array_get(list, 0) : list;
        json_dumpf(shown, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(list);
    }
    return status;
}

static int run(const struct invocation *inv)
{
    bool json = false;
    const struct option_spec options[] = {{"json", OPTION_FLAG, &json, 0, 0}};
    int status = ARGUMENTS_READ(&command_status, inv, options, NULL);
    if (status != EXIT_DONE) return status;
    signals_unblock(); /* it only reads: a signal may end it where it stands */
    struct app *app = app_or_complaint(inv, 0);
    struct lks_err err;
    status = EXIT_FAILED;
    if (!app) return EXIT_USAGE;
    log_setup(LOG_LEVEL_ERROR, false);
    if (app_connect(app, &err) == LKS_E_OK)
        status = all_sources(app, json);
    else
        fprintf(stderr, "lockstep: %s\n", err.text);
    app_free(app);
    return status;
}

const struct command command_status = {.name = "status",
                                       .usage = "[--json]",
                                       .summary = "how many documents are in sync, and what is wrong",
                                       .run = run};
