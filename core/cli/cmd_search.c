/* cmd_search.c - `lockstep search`: what users of search would find. */
#include "service/search.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cmd_arguments.h"
#include "daemon/signals.h"
#include "service/title.h"

#define DEFAULT_LIMIT 5
#define MOST_HITS 100

struct request {
    const char *text, *source, *collection;
    struct name_list filters;
    size_t limit;
    bool json;
};

static void print_hits(const char *title, const struct search_hit *hits, size_t count)
{
    printf("%s\n", title);
    for (size_t i = 0; i < count; i++)
        printf("  %6.3f  %-28s %s\n", hits[i].score, hits[i].title, hits[i].id);
    if (!count) puts("  nothing");
}

static json_t *hits_json(const struct search_hit *hits, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *payload = json_loads(hits[i].payload, JSON_ALLOW_NUL, NULL);
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:s,s:f,s:o}", "id", hits[i].id, "title",
                                              hits[i].title, "snippet", hits[i].snippet, "name", hits[i].name,
                                              "pointId", hits[i].point_id, "score", hits[i].score, "payload",
                                              payload ? payload : json_object()));
    }
    return list;
}

static int show(const struct search_results *results, bool json)
{
    int status = EXIT_DONE;
    json_t *out = json_object(), *collections = json_object();
    for (size_t i = 0; i < results->count; i++) {
        const struct search_result *r = &results->collections[i];
        if (r->err.code != LKS_E_OK) {
            fprintf(stderr, "lockstep: %s: %s\n", r->collection, r->err.text);
            status = EXIT_FAILED;
        } else if (json) {
            json_object_set_new(collections, r->collection, hits_json(r->hits, r->count));
        } else {
            print_hits(r->collection, r->hits, r->count);
        }
    }
    json_object_set_new(out, "collections", collections);
    json_object_set_new(out, "fused", hits_json(results->fused, results->fused_count));
    json_t *notes = json_array();
    for (size_t i = 0; i < results->note_count; i++) {
        json_array_append_new(notes, json_string(results->notes[i]));
        if (!json) fprintf(stderr, "lockstep: %s\n", results->notes[i]);
    }
    json_object_set_new(out, "notes", notes);
    if (json) {
        json_dumpf(out, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else if (results->count > 1) {
        print_hits("all of them together", results->fused, results->fused_count);
    }
    json_decref(out);
    return status;
}

static int ask(struct app_source *source, const struct request *request)
{
    struct search_collection *collections = calloc(source->count + 1, sizeof *collections);
    struct search_results results;
    struct lks_err err;
    size_t count = 0;
    char *filter = NULL;
    int status = EXIT_FAILED;
    for (size_t i = 0; collections && i < source->count; i++)
        if (!request->collection || strcmp(source->names[i], request->collection) == 0)
            collections[count++] = (struct search_collection){
                .name = source->names[i], .index = i, .embedder = app_embedder(source, i)};
    if (count == 0) {
        fprintf(stderr, "lockstep: no enabled collection is named %s\n",
                request->collection ? request->collection : "anything");
        status = EXIT_USAGE;
    } else if (search_filter(request->filters.items, request->filters.count, &filter, &err) != LKS_E_OK) {
        status = usage_error(&command_search, "%s", err.text);
    } else if (search(source->app->embedders, source->qdrant, collections, count, request->text, filter,
                      request->limit, &results, &err) != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s\n", err.text);
    } else {
        if (search_notes(source->qdrant, collections, request->filters.items, request->filters.count,
                         &results, &err) != LKS_E_OK)
            fprintf(stderr, "lockstep: %s\n", err.text);
        const struct compare_source all = {.mongo = source->mongo,
                                           .collections = source->collections,
                                           .names = source->names,
                                           .count = source->count};
        if (titles_fill(&all, source->config->title, &results, &err) != LKS_E_OK)
            fprintf(stderr, "lockstep: %s\n", err.text);
        else
            status = show(&results, request->json);
        search_fini(&results);
    }
    free(collections);
    free(filter);
    return status;
}

static int parse(const struct invocation *inv, struct request *request)
{
    const struct option_spec options[] = {{"limit", OPTION_NUMBER, &request->limit, 1, MOST_HITS},
                                          {"collection", OPTION_TEXT, &request->collection, 0, 0},
                                          {"filter", OPTION_NAMES, &request->filters, 0, 0},
                                          {"source", OPTION_TEXT, &request->source, 0, 0},
                                          {"json", OPTION_FLAG, &request->json, 0, 0}};
    int status = ARGUMENTS_READ(&command_search, inv, options, &request->text);
    if (status == EXIT_DONE && !request->text)
        return usage_error(&command_search, "say what to search for, in one argument");
    return status;
}

static int run(const struct invocation *inv)
{
    struct request request = {.limit = DEFAULT_LIMIT};
    struct lks_err err;
    int status = parse(inv, &request);
    signals_unblock(); /* it only reads: a signal may end it where it stands */
    struct app *app = status == EXIT_DONE ? app_or_complaint(inv, 0) : NULL;
    if (!app) {
        name_list_fini(&request.filters);
        return EXIT_USAGE;
    }
    log_setup(LOG_LEVEL_ERROR, false);
    struct app_source *source = source_or_complaint(app, request.source);
    if (!source) {
        status = EXIT_USAGE;
    } else if (app_connect(app, &err) != LKS_E_OK) {
        fprintf(stderr, "lockstep: %s\n", err.text);
        status = EXIT_FAILED;
    } else {
        status = ask(source, &request);
    }
    name_list_fini(&request.filters);
    app_free(app);
    return status;
}

const struct command command_search = {
    .name = "search",
    .usage = "[--limit N] [--collection NAME] [--filter FIELD:VALUE]... [--source NAME] [--json] TEXT",
    .summary = "the nearest documents, per collection and together",
    .run = run};
