/*
 * binding.c - one collection with its plugin: options in `self`, declaration, callbacks.
 *
 * Owns all of it until binding_close(), unless a call hangs in the plugin: then nothing is freed, for the
 * thread may come back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "plugin/crash.h"
#include "plugin/host.h"
#include "plugin/plugin_guard.h"
#include "plugin/plugin_options.h"

#define DEADLINE_MS 5000

struct binding {
    struct binding *next; /* in `given_up` */
    struct collection collection;
    const struct plugin *plugin;
    struct lks_plugin descriptor; /* copies, here and below: a thread that hangs outlives what it was given */
    struct declaration *declaration;
    struct arena arena;
    void *self;
    _Atomic(const char *) running;
    struct host_caller caller;
    int64_t deadline_ms;
    bool opened;         /* close() is owed */
    lks_verdict verdict; /* of open() */
    struct lks_err err;  /* why open() failed */
};

/* Bindings in which a call hangs. They are kept, not lost: whoever looks for leaks finds them here. */
static struct binding *_Atomic given_up;

static void give_up(struct binding *b)
{
    b->next = atomic_load(&given_up);
    while (!atomic_compare_exchange_weak(&given_up, &b->next, b)) continue;
}

struct prefixed {
    const struct binding_settings *settings;
    struct plugin_problems *problems;
};

/* A problem begins with the key that it is about. */
static const char *where_of(const struct binding_settings *s, const char *text)
{
    const struct {
        const char *key, *where;
    } keys[] = {
        {"watched:", s->watched_where}, {"sentences:", s->sentences_where}, {"payload:", s->payload_where}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].where && strncmp(text, keys[i].key, strlen(keys[i].key)) == 0) return keys[i].where;
    return s->where;
}

static void report_declaration(void *context, const char *text)
{
    const struct prefixed *p = context;
    problem(p->problems, "%s: [collection:%s]: %s", where_of(p->settings, text), p->settings->name, text);
}

/* The INI file's lists instead of the plugin's, each by itself. */
static enum lks_code declare(struct binding *b, const struct binding_settings *s,
                             struct plugin_problems *problems)
{
    const struct lks_plugin *p = &b->descriptor;
    struct declaration_lists lists = {
        .watched = s->watched ? s->watched : p->watched,
        .sentences = s->sentences ? s->sentences : p->sentences,
        .payload = s->payload ? s->payload : p->payload,
        .reads = p->reads,
    };
    struct prefixed prefixed = {s, problems};
    return declaration_new(&b->declaration, &lists, s->id_field, p->text != NULL, report_declaration,
                           &prefixed);
}

static lks_verdict text(void *self, struct making *m, const bson_t *doc, struct lks_err *err)
{
    const struct binding *b = self;
    return host_run(&b->caller, HOST_TEXT, m, doc, err);
}

static lks_verdict payload_more(void *self, struct making *m, const bson_t *doc, struct lks_err *err)
{
    const struct binding *b = self;
    return host_run(&b->caller, HOST_PAYLOAD_MORE, m, doc, err);
}

/* Replaces a plugin that could not be opened. */
static lks_verdict broken(void *self, struct making *m, const bson_t *doc, struct lks_err *err)
{
    const struct binding *b = self;
    (void)m, (void)doc;
    *err = b->err;
    return LKS_FATAL;
}

static void call_open(void *argument)
{
    struct binding *b = argument;
    b->verdict = host_run(&b->caller, HOST_OPEN, NULL, NULL, &b->err);
}

static void call_close(void *argument)
{
    struct binding *b = argument;
    atomic_store(&b->running, "close");
    crash_enter(b->descriptor.name, b->collection.name, "close", "");
    b->descriptor.close(b->self);
    crash_leave();
    atomic_store(&b->running, NULL);
}

static void set_callbacks(struct binding *b)
{
    const struct lks_plugin *p = &b->descriptor;
    struct collection_callbacks *c = &b->collection.callbacks;
    *c = (struct collection_callbacks){.self = b, .running = &b->running};
    if (p->text) c->text = text;
    if (p->payload_more) c->payload_more = payload_more;
    if ((p->text || p->payload_more) && p->flags & LKS_SERIAL) c->serial = b->plugin;
}

static void set_broken(struct binding *b)
{
    b->collection.callbacks =
        (struct collection_callbacks){.self = b, .running = &b->running, .text = broken};
}

/* REJECT is about the section's options; anything else but OK stops this collection and no other. */
static enum lks_code run_open(struct binding *b, const struct binding_settings *s,
                              struct plugin_problems *problems)
{
    const char *name = b->descriptor.name;
    if (!b->descriptor.open) return LKS_E_OK;
    switch (guard_call(call_open, b, b->deadline_ms)) {
    case GUARD_FAILED:
        return LKS_E_NOMEM;
    case GUARD_HUNG:
        /* the thread may still write b->err: the message goes into a binding of its own */
        return LKS_E_CANCELLED;
    case GUARD_DONE:
        break;
    }
    b->opened = b->verdict == LKS_OK;
    if (b->verdict == LKS_REJECT) {
        problem(problems, "%s: %s", s->where, b->err.text);
        return LKS_E_CONFIG;
    }
    if (b->verdict == LKS_SKIP)
        lks_fail(&b->err, LKS_E_PLUGIN, "collection `%s`, plugin `%s`, open(): answered SKIP", s->name, name);
    if (!b->opened) set_broken(b);
    return LKS_E_OK;
}

static void binding_free(struct binding *b)
{
    if (!b) return;
    declaration_free(b->declaration);
    arena_fini(&b->arena);
    free(b->self);
    free(b);
}

static const char *keep(struct binding *b, const char *text)
{
    return arena_text(&b->arena, text ? text : "", text ? strlen(text) : 0);
}

static struct binding *binding_new(const struct plugin *plugin, const struct binding_settings *s)
{
    struct binding *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->plugin = plugin;
    b->descriptor = plugin->descriptor;
    b->deadline_ms = s->deadline_ms ? s->deadline_ms : DEADLINE_MS;
    arena_init(&b->arena, 0);
    atomic_init(&b->running, NULL);
    b->self = calloc(1, b->descriptor.self_size ? b->descriptor.self_size : 1);
    b->caller = (struct host_caller){&b->descriptor, keep(b, s->name), b->self, &b->running};
    if (b->self && b->caller.collection) return b;
    binding_free(b);
    return NULL;
}

static enum lks_code describe(struct binding *b, const struct binding_settings *s, const char *const *options,
                              struct plugin_problems *problems)
{
    b->collection = (struct collection){
        .name = keep(b, s->name),
        .source = keep(b, s->source),
        .id_field = keep(b, s->id_field),
        .id_scheme = s->id_scheme,
        .id_prefix = keep(b, s->id_prefix),
        .max_text_bytes = s->max_text_bytes,
        .fingerprint = keep(b, s->fingerprint),
        .declaration = b->declaration,
        .plugin = b->descriptor.name,
        .plugin_version = b->descriptor.version,
        .options = options,
    };
    if (b->arena.failed) return LKS_E_NOMEM;
    set_callbacks(b);
    if (s->id_scheme != COLLECTION_UUIDV5 || uuid_from_text(s->id_namespace, b->collection.id_namespace))
        return LKS_E_OK;
    problem(problems, "%s: the namespace `%s` is no UUID", s->where, s->id_namespace);
    return LKS_E_CONFIG;
}

/* The binding whose open() hangs is left to its thread; another one says so for every document. */
static enum lks_code replace_hung(struct binding **b, const struct binding_settings *s,
                                  struct plugin_problems *problems)
{
    struct binding *hung = *b, *new = binding_new(hung->plugin, s);
    const char *const *options = NULL;
    give_up(hung);
    *b = new;
    if (!new) return LKS_E_NOMEM;
    enum lks_code code = declare(new, s, problems);
    if (!code && !options_read(&new->plugin->descriptor, s, &new->arena, new->self, &options, problems))
        code = LKS_E_NOMEM;
    if (!code) code = describe(new, s, options, problems);
    lks_fail(&new->err, LKS_E_PLUGIN, "collection `%s`, plugin `%s`, open(): did not return within %lld ms",
             s->name, new->plugin->descriptor.name, (long long)new->deadline_ms);
    if (!code) set_broken(new);
    return code;
}

enum lks_code binding_open(const struct plugin_set *set, const struct binding_settings *s,
                           struct binding **out, plugin_report report, void *context, struct lks_err *err)
{
    struct plugin_problems problems = {report, context, 0};
    const struct plugin *plugin = plugins_find(set, s->plugin);
    const char *const *options = NULL;
    *out = NULL;
    if (!plugin) {
        problem(&problems, "%s: the plugin `%s` is not loaded", s->where, s->plugin);
        return lks_fail(err, LKS_E_CONFIG, "collection `%s` can't be set up", s->name);
    }
    struct binding *b = binding_new(plugin, s);
    if (!b) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code code = declare(b, s, &problems);
    if (code == LKS_E_NOMEM) goto out;
    if (!options_read(&plugin->descriptor, s, &b->arena, b->self, &options, &problems))
        code = problems.count ? LKS_E_CONFIG : LKS_E_NOMEM;
    if (!code) code = describe(b, s, options, &problems);
    if (!code) code = run_open(b, s, &problems);
    if (code == LKS_E_CANCELLED) code = replace_hung(&b, s, &problems);
out:
    if (!code) {
        *out = b;
        return LKS_E_OK;
    }
    binding_free(b);
    if (code == LKS_E_NOMEM) return lks_fail(err, code, "out of memory");
    return lks_fail(err, code, "collection `%s` can't be set up: %zu problem%s", s->name, problems.count,
                    problems.count == 1 ? "" : "s");
}

void binding_close(struct binding *b)
{
    if (!b) return;
    bool hangs = atomic_load(&b->running) != NULL;
    if (!hangs && b->opened && b->descriptor.close)
        hangs = guard_call(call_close, b, b->deadline_ms) == GUARD_HUNG;
    if (hangs) {
        give_up(b);
    } else {
        binding_free(b);
    }
}

const struct collection *binding_collection(const struct binding *b)
{
    return &b->collection;
}

const struct plugin *binding_plugin(const struct binding *b)
{
    return b->plugin;
}
