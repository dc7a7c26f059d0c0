/* cmd_selection.c - see cmd_selection.h. Asks no server, but for selection_run(). */
#include "cli/cmd_selection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void out_of_memory(void)
{
    fputs("lockstep: out of memory\n", stderr);
}

static uint64_t all_of(const struct app_source *source)
{
    return source->count >= 64 ? UINT64_MAX : ((uint64_t)1 << source->count) - 1;
}

/* Finds an enabled collection. */
static bool find(const struct app *app, const char *name, size_t *source, size_t *index)
{
    for (*source = 0; *source < app->source_count; ++*source)
        for (*index = 0; *index < app->sources[*source].count; ++*index)
            if (strcmp(app->sources[*source].names[*index], name) == 0) return true;
    return false;
}

static int no_such_collection(const struct app *app, const char *name)
{
    const char *between = " ";
    bool off = false;
    for (size_t i = 0; i < app->config->collection_count; i++) {
        const struct config_collection *c = &app->config->collections[i];
        off |= !c->enabled && strcmp(c->name, name) == 0;
    }
    fprintf(stderr,
            off ? "lockstep: collection %s is switched off (enabled = no); enabled:"
                : "lockstep: there is no collection named %s; enabled:",
            name);
    for (size_t i = 0; i < app->source_count; i++)
        for (size_t k = 0; k < app->sources[i].count; k++) {
            fprintf(stderr, "%s%s", between, app->sources[i].names[k]);
            between = ", ";
        }
    fputs(between[0] == ' ' ? " none\n" : "\n", stderr);
    return EXIT_USAGE;
}

static int no_such_source(const struct app *app, const char *name)
{
    fprintf(stderr, "lockstep: no source is named %s; there is", name);
    for (size_t i = 0; i < app->source_count; i++)
        fprintf(stderr, "%s %s", i ? "," : "", app->sources[i].config->name);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

static bool is_source(const struct selection *s, const struct app_source *source)
{
    return !s->source || strcmp(s->source, source->config->name) == 0;
}

static int add_collections(struct selection *s, const struct app *app)
{
    for (size_t i = 0; i < s->collections.count; i++) {
        const char *name = s->collections.items[i];
        size_t source, index;
        if (!find(app, name, &source, &index)) return no_such_collection(app, name);
        if (!is_source(s, &app->sources[source])) {
            fprintf(stderr, "lockstep: collection %s is of source %s, not of %s\n", name,
                    app->sources[source].config->name, s->source);
            return EXIT_USAGE;
        }
        s->masks[source] |= (uint64_t)1 << index;
    }
    return EXIT_DONE;
}

int selection_resolve(struct selection *s, const struct app *app)
{
    bool any = false;
    s->masks = calloc(app->source_count + 1, sizeof *s->masks);
    if (!s->masks) {
        out_of_memory();
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < app->source_count; i++) any |= is_source(s, &app->sources[i]);
    if (!any) return no_such_source(app, s->source);
    int status = add_collections(s, app);
    if (status != EXIT_DONE) return status;
    any = false;
    for (size_t i = 0; i < app->source_count; i++) {
        if (!s->collections.count && is_source(s, &app->sources[i])) s->masks[i] = all_of(&app->sources[i]);
        if (s->masks[i] != all_of(&app->sources[i])) s->narrow = true;
        any |= s->masks[i] != 0;
    }
    if (any) return EXIT_DONE;
    fputs("lockstep: no collection is enabled: there is nothing to do\n", stderr);
    return EXIT_USAGE;
}

struct app_source *selection_source(const struct selection *s, struct app *app)
{
    size_t i = 0;
    while (i + 1 < app->source_count && !s->masks[i]) i++;
    return &app->sources[i];
}

struct engine_one_shot *selection_one_shots(const struct selection *s, const struct app *app,
                                            struct engine_one_shot one_shot)
{
    struct engine_one_shot *one_shots = calloc(app->source_count + 1, sizeof *one_shots);
    if (!one_shots) {
        out_of_memory();
        return NULL;
    }
    for (size_t i = 0; i < app->source_count; i++) {
        one_shots[i] = one_shot;
        one_shots[i].on = s->masks[i] != 0;
        one_shots[i].only = s->masks[i] == all_of(&app->sources[i]) ? 0 : s->masks[i];
    }
    return one_shots;
}

void selection_drop(struct selection *s, size_t source)
{
    s->masks[source] = 0;
    s->narrow = true;
}

bool selection_any(const struct selection *s, const struct app *app)
{
    bool any = false;
    for (size_t i = 0; i < app->source_count; i++) any |= s->masks[i] != 0;
    return any;
}

void selection_fini(struct selection *s)
{
    name_list_fini(&s->ids);
    name_list_fini(&s->collections);
    free(s->masks);
    *s = (struct selection){.source = NULL};
}

int selection_run(struct selection *s, const struct invocation *inv, int status,
                  int (*work)(void *request, struct app *app), void *request)
{
    struct app *app = NULL;
    struct lks_err err;
    if (status != EXIT_DONE) goto out;
    status = EXIT_USAGE;
    app = app_or_complaint(inv, 0);
    if (!app) goto out;
    if (app->config->log.level < LOG_LEVEL_WARN)
        log_setup(LOG_LEVEL_WARN, app->config->log.format == CONFIG_LOG_JSON);
    status = selection_resolve(s, app);
    if (status != EXIT_DONE) goto out;
    status = EXIT_FAILED;
    if (app_connect(app, &err) != LKS_E_OK)
        fprintf(stderr, "lockstep: %s\n", err.text);
    else
        status = work(request, app);
out:
    selection_fini(s);
    app_free(app);
    return status;
}
