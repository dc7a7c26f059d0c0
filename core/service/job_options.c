/* job_options.c - what a job is asked for with: one table of all options, and every mistake named with what
 * is valid. Asks no server. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "service/jobs_internal.h"

#define MOST_IDS 1000
#define MOST_SAMPLES 1000000

enum option_type { TYPE_BOOL, TYPE_NUMBER, TYPE_TEXT, TYPE_TEXTS };

struct job_option {
    enum job_kind kind;
    const char *name;
    enum option_type type;
    json_int_t most; /* of a number, or of a list's items; at least 1 */
};

static const struct job_option options[] = {
    {JOB_SYNC, "ids", TYPE_TEXTS, MOST_IDS},
    {JOB_SYNC, "failed", TYPE_BOOL, 0},
    {JOB_SYNC, "collections", TYPE_TEXTS, ENGINE_MAX_COLLECTIONS},
    {JOB_SYNC, "force", TYPE_BOOL, 0},
    {JOB_SYNC, "dryRun", TYPE_BOOL, 0},
    {JOB_SYNC, "allowDeletes", TYPE_BOOL, 0},
    {JOB_VERIFY, "repair", TYPE_BOOL, 0},
    {JOB_VERIFY, "sample", TYPE_NUMBER, MOST_SAMPLES},
    {JOB_VERIFY, "collections", TYPE_TEXTS, ENGINE_MAX_COLLECTIONS},
    {JOB_FORGET, "collection", TYPE_TEXT, 0},
    {JOB_FORGET, "confirm", TYPE_BOOL, 0},
};
#define OPTION_COUNT (sizeof options / sizeof *options)

const char *job_kind_name(enum job_kind kind)
{
    static const char *const names[JOB_KIND_COUNT] = {"sync", "verify", "forget", "migrate"};
    return names[kind];
}

/* ---- one option ---- */

static const struct job_option *find_option(enum job_kind kind, const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (options[i].kind == kind && strcmp(options[i].name, name) == 0) return &options[i];
    return NULL;
}

static enum lks_code no_such_option(enum job_kind kind, const char *name, struct lks_err *err)
{
    struct buf valid;
    buf_init(&valid, 0);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (options[i].kind == kind) buf_printf(&valid, "%s%s", valid.bytes ? ", " : "", options[i].name);
    lks_fail(err, LKS_E_CONFIG, "`options.%.60s` is no option of %s; valid ones are: %s", name,
             job_kind_name(kind), valid.failed ? "" : valid.data);
    buf_fini(&valid);
    return err->code;
}

static enum lks_code check_texts(const struct job_option *o, const json_t *value, struct lks_err *err)
{
    size_t i;
    json_t *item;
    if (!json_is_array(value) || json_array_size(value) < 1 || json_array_size(value) > (size_t)o->most)
        return lks_fail(err, LKS_E_CONFIG, "`options.%s` takes a list of 1 to %lld texts", o->name,
                        (long long)o->most);
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return lks_fail(err, LKS_E_CONFIG, "options.%s[%zu] is no text", o->name, i);
    }
    return LKS_E_OK;
}

static enum lks_code check(const struct job_option *o, const json_t *value, struct lks_err *err)
{
    switch (o->type) {
    case TYPE_BOOL:
        if (!json_is_boolean(value))
            return lks_fail(err, LKS_E_CONFIG, "`options.%s` takes true or false", o->name);
        break;
    case TYPE_NUMBER:
        if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > o->most)
            return lks_fail(err, LKS_E_CONFIG, "`options.%s` takes a whole number from 1 to %lld", o->name,
                            (long long)o->most);
        break;
    case TYPE_TEXT:
        if (!json_is_string(value)) return lks_fail(err, LKS_E_CONFIG, "`options.%s` takes a text", o->name);
        break;
    case TYPE_TEXTS:
        return check_texts(o, value, err);
    }
    return LKS_E_OK;
}

static enum lks_code check_all(enum job_kind kind, json_t *given, struct lks_err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(given, name, value)
    {
        const struct job_option *o = find_option(kind, name);
        enum lks_code code = o ? check(o, value, err) : no_such_option(kind, name, err);
        if (code) return code;
    }
    return LKS_E_OK;
}

/* ---- collections ---- */

static enum lks_code no_such_collection(const struct jobs_config *config, size_t source, bool enabled,
                                        const char *name, struct lks_err *err)
{
    struct buf valid;
    buf_init(&valid, 0);
    for (size_t i = 0; i < config->collection_count; i++) {
        const struct jobs_collection *c = &config->collections[i];
        if (c->enabled == enabled && (source == JOBS_ANY_SOURCE || c->source == source))
            buf_printf(&valid, "%s%s", valid.bytes ? ", " : "", c->name);
    }
    lks_fail(err, LKS_E_CONFIG, "invalid collection: %.60s; valid ones are: %s", name,
             valid.bytes ? valid.data : "none");
    buf_fini(&valid);
    return err->code;
}

static enum lks_code read_collections(const struct jobs_config *config, struct job_request *request,
                                      const char **code, struct lks_err *err)
{
    const struct compare_source *source = &config->service->sources[request->source].all;
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(request->options, "collections"), i, item)
    {
        size_t k = 0;
        while (k < source->count && strcmp(source->names[k], json_string_value(item)) != 0) k++;
        *code = "INVALID_COLLECTION";
        if (k == source->count)
            return no_such_collection(config, request->source, true, json_string_value(item), err);
        request->collections |= (uint64_t)1 << k;
    }
    if (source->count < 64 && request->collections == ((uint64_t)1 << source->count) - 1)
        request->collections = 0; /* all of them are all */
    return LKS_E_OK;
}

/* ---- each kind ---- */

static bool is_true(const struct job_request *request, const char *name)
{
    return json_is_true(json_object_get(request->options, name));
}

static enum lks_code read_sync(const struct jobs_config *config, struct job_request *request,
                               const char **code, struct lks_err *err)
{
    request->ids = json_object_get(request->options, "ids");
    request->failed = is_true(request, "failed");
    request->force = is_true(request, "force");
    request->dry_run = is_true(request, "dryRun");
    request->allow_deletes = is_true(request, "allowDeletes");
    if (request->failed && (request->ids || request->dry_run))
        return lks_fail(err, LKS_E_CONFIG, "`options.failed` goes with neither `ids` nor `dryRun`");
    if (request->allow_deletes && (request->ids || request->failed || request->dry_run))
        return lks_fail(err, LKS_E_CONFIG,
                        "`options.allowDeletes` goes with none of `ids`, `failed` and `dryRun`");
    return read_collections(config, request, code, err);
}

static enum lks_code read_verify(const struct jobs_config *config, struct job_request *request,
                                 const char **code, struct lks_err *err)
{
    request->repair = is_true(request, "repair");
    request->sample = (size_t)json_integer_value(json_object_get(request->options, "sample"));
    return read_collections(config, request, code, err);
}

/* Its source is that of the collection, whether it was named or not. */
static enum lks_code read_forget(const struct jobs_config *config, size_t source, struct job_request *request,
                                 const char **code, struct lks_err *err)
{
    const char *name = json_string_value(json_object_get(request->options, "collection"));
    const struct jobs_collection *found = NULL;
    if (!name)
        return lks_fail(err, LKS_E_CONFIG,
                        "`options.collection` is missing: the name of a collection that is switched off");
    for (size_t i = 0; i < config->collection_count; i++)
        if (strcmp(config->collections[i].name, name) == 0) found = &config->collections[i];
    *code = "INVALID_COLLECTION";
    if (!found || (source != JOBS_ANY_SOURCE && found->source != source))
        return no_such_collection(config, source, false, name, err);
    if (found->enabled)
        return lks_fail(
            err, LKS_E_CONFIG,
            "collection %s is enabled; say `enabled = no` in its section, let the daemon read that, and "
            "forget it then",
            name);
    *code = "BAD_REQUEST";
    if (!is_true(request, "confirm"))
        return lks_fail(err, LKS_E_CONFIG,
                        "`options.confirm` must be true: what %s has in Qdrant is deleted for good", name);
    request->source = found->source;
    request->collection = found->name;
    return LKS_E_OK;
}

/* ---- all together ---- */

static enum lks_code read_kind(const json_t *body, struct job_request *request, const char **code,
                               struct lks_err *err)
{
    const json_t *job = json_object_get(body, "job");
    const char *name = json_string_value(job);
    size_t kind = 0;
    if (!name)
        return lks_fail(err, LKS_E_CONFIG,
                        "`job` is missing or no text; valid ones are: sync, verify, forget");
    while (kind < JOB_KIND_COUNT && strcmp(job_kind_name((enum job_kind)kind), name) != 0) kind++;
    if (kind == JOB_KIND_COUNT)
        return lks_fail(err, LKS_E_CONFIG, "`job`: there is no %.60s; valid ones are: sync, verify, forget",
                        name);
    request->kind = (enum job_kind)kind;
    if (request->kind != JOB_MIGRATE) return LKS_E_OK;
    *code = "NOT_AVAILABLE";
    return lks_fail(
        err, LKS_E_CONFIG,
        "`migrate`, to another model without a gap, is not there yet; another model in the configuration "
        "re-embeds in place when the daemon reads it");
}

static enum lks_code read_body(const json_t *body, struct job_request *request, const char **code,
                               struct lks_err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)body, name, value)
    {
        if (strcmp(name, "job") != 0 && strcmp(name, "options") != 0)
            return lks_fail(err, LKS_E_CONFIG, "`%.60s` is no field of a job; valid ones are: job, options",
                            name);
    }
    enum lks_code failed = read_kind(body, request, code, err);
    if (failed) return failed;
    const json_t *given = json_object_get(body, "options");
    if (given && !json_is_object(given)) return lks_fail(err, LKS_E_CONFIG, "`options` is no object");
    request->options = given ? json_deep_copy(given) : json_object();
    if (!request->options) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    return check_all(request->kind, request->options, err);
}

enum lks_code job_request_read(const struct jobs_config *config, size_t source, const json_t *body,
                               struct job_request *request, const char **code, struct lks_err *err)
{
    *request = (struct job_request){.source = source == JOBS_ANY_SOURCE ? 0 : source};
    *code = "BAD_REQUEST";
    enum lks_code failed = read_body(body, request, code, err);
    if (failed) return failed;
    switch (request->kind) {
    case JOB_SYNC:
        return read_sync(config, request, code, err);
    case JOB_VERIFY:
        return read_verify(config, request, code, err);
    default:
        return read_forget(config, source, request, code, err);
    }
}

void job_request_fini(struct job_request *request)
{
    json_decref(request->options);
    request->options = NULL;
}
