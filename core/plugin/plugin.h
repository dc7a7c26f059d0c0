/*
 * plugin.h - plugins as the program sees them: found, checked, listed, and bound to the collections they
 * serve.
 *
 * plugins_load() maps the files and must be called before any thread starts; a plugin is never unloaded. All
 * problems are reported together, each as a sentence that names the file and the cure.
 */
#ifndef LOCKSTEP_PLUGIN_PLUGIN_H
#define LOCKSTEP_PLUGIN_PLUGIN_H

#include <lockstep/plugin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "collection/collection.h"

/* Called with each problem. */
typedef void (*plugin_report)(void *context, const char *problem);

/* A plugin that was loaded. Immutable; lives as long as its set. */
struct plugin {
    const char *file;             /* absolute path of the .so */
    struct lks_plugin descriptor; /* a copy; members that the plugin doesn't have are zero */
};

struct plugin_set;

/*
 * Loads the plugins called `names` (equal ones once) from the absolute folders `paths` (NULL-terminated, may
 * be NULL), then the installed ones. LKS_E_CONFIG if anything was reported; nothing is loaded then that could
 * be used. *out is to be freed by plugins_free(), which leaves the code mapped.
 */
enum lks_code plugins_load(const char *const *paths, const char *const *names, size_t count,
                           struct plugin_set **out, plugin_report report, void *context, struct lks_err *err);
void plugins_free(struct plugin_set *set);

size_t plugins_count(const struct plugin_set *set);
const struct plugin *plugins_at(const struct plugin_set *set, size_t i);
/* NULL if it wasn't asked for. */
const struct plugin *plugins_find(const struct plugin_set *set, const char *name);

/* Names of all plugins there are in these folders and among the installed ones, sorted, each once; the array
 * and its strings are freed together by free(). NULL when memory is out. Loads nothing. */
char **plugins_available(const char *const *paths);

/* An option of the INI section that is none of the program's own. */
struct plugin_setting {
    const char *key;
    const char *value;
    const char *const *items; /* the value as a list; NULL if it can't be read as one */
    const char *where;        /* "FILE:LINE", for messages */
};

/* What a [collection:NAME] says. All borrowed for the length of binding_open(). */
struct binding_settings {
    const char *name;
    const char *plugin;
    const char *where;                                              /* of the section */
    const char *watched_where, *sentences_where, *payload_where;    /* of these keys; NULL: of the section */
    const char *const *watched, *const *sentences, *const *payload; /* NULL: the plugin's own */
    const struct plugin_setting *settings;
    size_t setting_count;
    const char *source;
    const char *id_field;
    enum collection_id_scheme id_scheme;
    const char *id_namespace; /* a UUID as text */
    const char *id_prefix;
    size_t max_text_bytes;
    const char *fingerprint;
    int64_t deadline_ms; /* for open() and close(); 0: 5000 */
};

/* A collection with its plugin: options read, declaration read, open() called. */
struct binding;

/*
 * Reads declaration and options, and calls the plugin's open() under a deadline. What is wrong with the
 * section is reported, also the plugin's REJECT; then LKS_E_CONFIG. Other failures of open() concern this
 * collection alone: the binding is made, and every document answers MADE_FATAL with the reason.
 */
enum lks_code binding_open(const struct plugin_set *set, const struct binding_settings *settings,
                           struct binding **out, plugin_report report, void *context, struct lks_err *err);
/* Calls the plugin's close(). A binding in which a call still hangs is left as it is: nothing of it is freed.
 * The maker must have been closed. */
void binding_close(struct binding *b);

const struct collection *binding_collection(const struct binding *b);
const struct plugin *binding_plugin(const struct binding *b);

#endif
