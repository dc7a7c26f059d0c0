/* cmd_plugins.c - `lockstep plugins`: which are loaded, from where, what they watch, and which options they
 * have; with `--all` those that could be used, too. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd_arguments.h"

static const char *type_name(lks_type type)
{
    switch (type) {
    case LKS_STRING:
        return "text";
    case LKS_INT:
        return "whole number";
    case LKS_REAL:
        return "number";
    case LKS_BOOL:
        return "yes or no";
    case LKS_STRINGS:
        return "list";
    }
    return "?";
}

static json_t *strings_json(const char *const *list)
{
    json_t *out = json_array();
    for (; list && *list; list++) json_array_append_new(out, json_string(*list));
    return out;
}

static void print_list(const char *title, const char *const *list)
{
    if (!list || !*list) return;
    printf("  %-11s", title);
    for (const char *const *item = list; *item; item++) printf("%s%s", item == list ? "" : ", ", *item);
    putchar('\n');
}

/* The names of the enabled collections that a plugin serves, NULL-terminated. */
static void served(const struct app *app, const struct plugin *plugin, const char **names)
{
    size_t count = 0;
    for (size_t i = 0; i < app->config->collection_count; i++)
        if (app->bindings[i] && binding_plugin(app->bindings[i]) == plugin)
            names[count++] = app->config->collections[i].name;
    names[count] = NULL;
}

static void print_options(const struct lks_option *options)
{
    for (const struct lks_option *o = options; o && o->key; o++) {
        printf("  option     %s: %s, ", o->key, type_name(o->type));
        if (o->fallback)
            printf("by default %s", o->fallback);
        else
            fputs("required", stdout);
        if (o->allowed) printf(", allowed %s", o->allowed);
        printf("; %s\n", o->help ? o->help : "");
    }
}

static void print_plugin(const struct plugin *plugin, const char *const *collections)
{
    const struct lks_plugin *d = &plugin->descriptor;
    printf("%s %s: %s\n", d->name, d->version, d->summary ? d->summary : "");
    printf("  file       %s\n", plugin->file);
    print_list("serves", collections);
    print_list("watches", d->watched);
    print_list("sentences", d->sentences);
    print_list("payload", d->payload);
    print_options(d->options);
}

static json_t *options_json(const struct lks_option *options)
{
    json_t *out = json_array();
    for (const struct lks_option *o = options; o && o->key; o++)
        json_array_append_new(out,
                              json_pack("{s:s,s:s,s:s?,s:s?,s:s?}", "key", o->key, "type", type_name(o->type),
                                        "default", o->fallback, "allowed", o->allowed, "help", o->help));
    return out;
}

static json_t *plugin_json(const struct plugin *plugin, const char *const *collections)
{
    const struct lks_plugin *d = &plugin->descriptor;
    return json_pack("{s:s,s:s,s:s?,s:s,s:o,s:o,s:o,s:o,s:o}", "name", d->name, "version", d->version,
                     "summary", d->summary, "file", plugin->file, "collections", strings_json(collections),
                     "watched", strings_json(d->watched), "sentences", strings_json(d->sentences), "payload",
                     strings_json(d->payload), "options", options_json(d->options));
}

/* `list` is NULL where text is wanted. */
static void show_plugin(const struct plugin *plugin, const char *const *collections, json_t *list)
{
    if (list)
        json_array_append_new(list, plugin_json(plugin, collections));
    else
        print_plugin(plugin, collections);
}

static int show(const struct app *app, json_t *list)
{
    const char **names = calloc(app->config->collection_count + 1, sizeof *names);
    if (!names) return EXIT_FAILED;
    for (size_t i = 0; i < plugins_count(app->plugins); i++) {
        const struct plugin *plugin = plugins_at(app->plugins, i);
        served(app, plugin, names);
        show_plugin(plugin, names, list);
    }
    free(names);
    return EXIT_DONE;
}

/* ---- --all: those in the plugin folders, whether a section names them or not ---- */

static void complain(void *context, const char *problem)
{
    (void)context;
    fprintf(stderr, "%s\n", problem);
}

/* The collections whose section names this plugin, NULL-terminated. */
static void named_by(const struct config *config, const char *plugin, const char **names)
{
    size_t count = 0;
    for (size_t i = 0; i < config->collection_count; i++)
        if (config->collections[i].enabled && strcmp(config->collections[i].plugin, plugin) == 0)
            names[count++] = config->collections[i].name;
    names[count] = NULL;
}

/* Each is loaded by itself, so that one that cannot be loaded hides no other. */
static bool show_available(const struct config *config, const char *name, const char **collections,
                           json_t *list)
{
    struct plugin_set *set = NULL;
    struct lks_err err;
    if (plugins_load(config->plugin_paths, &name, 1, &set, complain, NULL, &err) != LKS_E_OK) return false;
    named_by(config, name, collections);
    show_plugin(plugins_at(set, 0), collections, list);
    plugins_free(set);
    return true;
}

static int show_all(const struct invocation *inv, json_t *list)
{
    struct config *config = config_or_complaint(inv, CONFIG_OFFLINE);
    if (!config) return EXIT_USAGE;
    char **names = plugins_available(config->plugin_paths);
    const char **collections = calloc(config->collection_count + 1, sizeof *collections);
    int status = names && collections ? EXIT_DONE : EXIT_FAILED;
    for (size_t i = 0; names && collections && names[i]; i++)
        if (!show_available(config, names[i], collections, list)) status = EXIT_FAILED;
    free(names);
    free(collections);
    config_free(config);
    return status;
}

static int run(const struct invocation *inv)
{
    bool json = false, all = false;
    const struct option_spec options[] = {{"json", OPTION_FLAG, &json, 0, 0},
                                          {"all", OPTION_FLAG, &all, 0, 0}};
    int status = ARGUMENTS_READ(&command_plugins, inv, options, NULL);
    if (status != EXIT_DONE) return status;
    json_t *list = json ? json_array() : NULL;
    struct app *app = all ? NULL : app_or_complaint(inv, CONFIG_OFFLINE);
    if (all)
        status = show_all(inv, list);
    else
        status = app ? show(app, list) : EXIT_USAGE;
    if (list && status != EXIT_USAGE) {
        json_dumpf(list, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    }
    json_decref(list);
    app_free(app);
    return status;
}

const struct command command_plugins = {.name = "plugins",
                                        .usage = "[--all] [--json]",
                                        .summary = "what is loaded, from where, watching what",
                                        .run = run};
