/* plugins.c - `lockstep plugins`: which are loaded, from where, what they watch, and which options they have.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/arguments.h"

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

static int show(const struct app *app, bool json)
{
    const char **names = calloc(app->config->collection_count + 1, sizeof *names);
    json_t *list = json ? json_array() : NULL;
    if (!names) return EXIT_FAILED;
    for (size_t i = 0; i < plugins_count(app->plugins); i++) {
        const struct plugin *plugin = plugins_at(app->plugins, i);
        served(app, plugin, names);
        if (json)
            json_array_append_new(list, plugin_json(plugin, names));
        else
            print_plugin(plugin, names);
    }
    if (json) {
        json_dumpf(list, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    }
    json_decref(list);
    free(names);
    return EXIT_DONE;
}

static int run(const struct invocation *inv)
{
    bool json = false;
    const struct option_spec options[] = {{"json", OPTION_FLAG, &json, 0, 0}};
    int status = ARGUMENTS_READ(&command_plugins, inv, options, NULL);
    if (status != EXIT_DONE) return status;
    struct app *app = app_or_complaint(inv, CONFIG_OFFLINE);
    if (!app) return EXIT_USAGE;
    status = show(app, json);
    app_free(app);
    return status;
}

const struct command command_plugins = {.name = "plugins",
                                        .usage = "[--json]",
                                        .summary = "what is loaded, from where, watching what",
                                        .run = run};
