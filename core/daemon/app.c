/* app.c - reads the configuration, and wires collections, adapters and engines together. Decides nothing
 * itself. */
#include "daemon/app.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "base/uuid.h"
#include "plugin/crash.h"

extern char **environ;

/* ---- configuration and plugins ---- */

/* Everything that is wrong, from wherever it comes: a single problem is the error itself, several are
 * printed.
 */
struct findings {
    char **texts; /* owned */
    size_t count;
    bool no_memory;
};

static void find(void *context, const char *problem)
{
    struct findings *f = context;
    char **all = realloc(f->texts, (f->count + 1) * sizeof *all);
    if (all) f->texts = all;
    if (!all || !(f->texts[f->count] = strdup(problem)))
        f->no_memory = true;
    else
        f->count++;
}

static enum lks_code findings_end(struct findings *f, const char *path, void (*complain)(const char *),
                                  struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    for (size_t i = 0; f->count > 1 && i < f->count; i++) complain(f->texts[i]);
    if (f->no_memory)
        code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    else if (f->count == 1)
        code = lks_fail(err, LKS_E_CONFIG, "%s", f->texts[0]);
    else if (f->count)
        code = lks_fail(err, LKS_E_CONFIG, "%s: %zu problems in the configuration", path, f->count);
    for (size_t i = 0; i < f->count; i++) free(f->texts[i]);
    free(f->texts);
    return code;
}

static enum lks_code load_config(struct app *app, const char *path, unsigned flags, struct findings *f,
                                 struct lks_err *err)
{
    struct config_problems problems = {.texts = NULL};
    enum lks_code code = config_load(&app->config, path, environ, flags | CONFIG_KEEP, &problems, err);
    for (size_t i = 0; i < problems.count; i++) find(f, problems.texts[i]);
    config_problems_fini(&problems);
    return code == LKS_E_CONFIG && app->config ? LKS_E_OK : code;
}

/* By the driver's own parser, which may refuse what the shape of an address does not show. */
static void check_uri(const struct config *config, struct findings *f)
{
    struct lks_err err;
    char text[LKS_ERR_TEXT_BYTES + 300];
    const struct config_source *first = &config->sources[0];
    if (!*first->uri || mongo_check_uri(first->uri, &err) == LKS_E_OK) return;
    snprintf(text, sizeof text, "%s: [mongodb] uri: %s", first->uri_where, err.text);
    find(f, text);
}

static struct embed_config embedder_settings(const struct config_embedder *c)
{
    static const enum embed_provider providers[] = {[CONFIG_PROVIDER_OPENAI] = EMBED_OPENAI,
                                                    [CONFIG_PROVIDER_OLLAMA] = EMBED_OLLAMA,
                                                    [CONFIG_PROVIDER_TEI] = EMBED_TEI,
                                                    [CONFIG_PROVIDER_WORDS] = EMBED_WORDS,
                                                    [CONFIG_PROVIDER_HASH] = EMBED_HASH};
    static const enum embed_encoding encodings[] = {[CONFIG_ENCODING_AUTO] = EMBED_ENCODING_AUTO,
                                                    [CONFIG_ENCODING_FLOAT] = EMBED_ENCODING_FLOAT,
                                                    [CONFIG_ENCODING_BASE64] = EMBED_ENCODING_BASE64};
    return (struct embed_config){.provider = providers[c->provider],
                                 .encoding = encodings[c->encoding],
                                 .url = c->url,
                                 .model = c->model,
                                 .query_model = c->query_model,
                                 .document_prefix = c->document_prefix,
                                 .query_prefix = c->query_prefix,
                                 .path = c->path,
                                 .dimensions = c->dimensions,
                                 .api_key = c->api_key,
                                 .api_key_file = c->api_key_file,
                                 .timeout_ms = c->timeout_ms,
                                 .load_timeout_ms = c->load_timeout_ms,
                                 .batch_size = c->batch_size,
                                 .max_batch_tokens = c->max_batch_tokens,
                                 .concurrency = c->concurrency,
                                 .cache_bytes = c->cache_bytes};
}

static enum lks_code make_fingerprints(struct app *app, struct findings *f, struct lks_err *err)
{
    const struct config *config = app->config;
    app->fingerprints = calloc(config->embedder_count + 1, sizeof *app->fingerprints);
    if (!app->fingerprints) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < config->embedder_count; i++) {
        struct embed_config settings = embedder_settings(&config->embedders[i]);
        enum lks_code code = embed_fingerprint(&settings, &app->fingerprints[i], err);
        if (code == LKS_E_NOMEM) return code;
        if (code == LKS_E_OK) continue;
        find(f, err->text);
        app->fingerprints[i] = strdup(""); /* nothing is made with it */
        if (!app->fingerprints[i]) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    return LKS_E_OK;
}

static void ignore(void *context, const char *problem)
{
    (void)context, (void)problem;
}

static bool can_be_loaded(const struct config *config, const char *name, struct findings *f)
{
    struct plugin_set *set = NULL;
    struct lks_err err;
    bool good = plugins_load(config->plugin_paths, &name, 1, &set, find, f, &err) == LKS_E_OK;
    plugins_free(set);
    return good;
}

/* All plugins that can be loaded are, so that their sections can be checked, too. */
static enum lks_code load_plugins(struct app *app, struct findings *f, struct lks_err *err)
{
    const struct config *config = app->config;
    const char **names = calloc(config->collection_count + 1, sizeof *names);
    size_t count = 0;
    if (!names) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < config->collection_count; i++) {
        const char *name = config->collections[i].plugin;
        bool known = !config->collections[i].enabled;
        for (size_t k = 0; k < i && !known; k++)
            known = config->collections[k].enabled && strcmp(config->collections[k].plugin, name) == 0;
        if (!known && can_be_loaded(config, name, f)) names[count++] = name;
    }
    enum lks_code code = plugins_load(config->plugin_paths, names, count, &app->plugins, ignore, NULL, err);
    free(names);
    return code;
}

static enum lks_code bind(struct app *app, size_t which, plugin_report notify, void *context,
                          struct lks_err *err)
{
    const struct config *config = app->config;
    const struct config_collection *c = &config->collections[which];
    const struct config_source *source = &config->sources[c->source];
    struct plugin_setting *extras = calloc(c->extra_count + 1, sizeof *extras);
    if (!extras) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < c->extra_count; i++)
        extras[i] = (struct plugin_setting){.key = c->extras[i].key,
                                            .value = c->extras[i].value,
                                            .items = c->extras[i].items,
                                            .where = c->extras[i].where};
    app->settings[which] = extras;
    struct binding_settings settings = {.name = c->name,
                                        .plugin = c->plugin,
                                        .where = c->where,
                                        .watched_where = c->watched_where,
                                        .sentences_where = c->sentences_where,
                                        .payload_where = c->payload_where,
                                        .watched = c->watched,
                                        .sentences = c->sentences,
                                        .payload = c->payload,
                                        .settings = extras,
                                        .setting_count = c->extra_count,
                                        .source = source->ns,
                                        .id_field = source->id_field,
                                        .id_scheme = config->qdrant.point_id == CONFIG_POINT_ID_PREFIXED_SHA1
                                                         ? COLLECTION_PREFIXED_SHA1
                                                         : COLLECTION_UUIDV5,
                                        .id_namespace = config->qdrant.namespace_uuid,
                                        .id_prefix = config->qdrant.point_id_prefix,
                                        .max_text_bytes = c->max_text_bytes,
                                        .fingerprint = app->fingerprints[c->embedder]};
    return binding_open(app->plugins, &settings, &app->bindings[which], notify, context, err);
}

/* Each collection is tried, so that all problems are reported at once. */
static enum lks_code bind_collections(struct app *app, struct findings *f, struct lks_err *err)
{
    size_t count = app->config->collection_count;
    app->bindings = calloc(count + 1, sizeof *app->bindings);
    app->settings = calloc(count + 1, sizeof *app->settings);
    if (!app->bindings || !app->settings) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const struct config_collection *c = &app->config->collections[i];
        if (!c->enabled || !plugins_find(app->plugins, c->plugin)) continue;
        enum lks_code code = bind(app, i, find, f, err);
        if (code != LKS_E_OK && code != LKS_E_CONFIG) return code;
    }
    return LKS_E_OK;
}

/* ---- sources ---- */

static bool alloc_source(struct app_source *s, size_t most)
{
    s->indexes = calloc(most + 1, sizeof *s->indexes);
    s->collections = calloc(most + 1, sizeof *s->collections);
    s->names = calloc(most + 1, sizeof *s->names);
    s->engine_collections = calloc(most + 1, sizeof *s->engine_collections);
    s->digests = calloc(most + 1, sizeof *s->digests);
    s->places = calloc(most + 1, sizeof *s->places);
    return s->indexes && s->collections && s->names && s->engine_collections && s->digests && s->places;
}

/* Fills a source with its enabled collections, in the order of the file. */
static enum lks_code fill_source(struct app *app, struct app_source *s, size_t which, struct lks_err *err)
{
    const struct config *config = app->config;
    s->app = app;
    s->config = &config->sources[which];
    if (!alloc_source(s, config->collection_count)) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < config->collection_count; i++) {
        const struct config_collection *c = &config->collections[i];
        if (!c->enabled || c->source != which) continue;
        if (s->count == ENGINE_MAX_COLLECTIONS)
            return lks_fail(err, LKS_E_CONFIG,
                            "source %s has more than %d enabled collections; give some a source of their own",
                            s->config->name, ENGINE_MAX_COLLECTIONS);
        size_t k = s->count++;
        s->indexes[k] = i;
        s->names[k] = c->name;
        s->collections[k] = binding_collection(app->bindings[i]);
        s->places[k] = qdrant_place(config->qdrant.url, c->qdrant_collection);
        if (!s->places[k] || !collection_digest(s->collections[k], s->digests[k]))
            return lks_fail(err, LKS_E_NOMEM, "out of memory");
        s->engine_collections[k] = (struct engine_collection){
            .name = c->name, .embedder = c->embedder, .digest = s->digests[k], .place = s->places[k]};
    }
    s->fields = collection_fields(s->collections, s->count);
    return s->fields ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
}

size_t app_embedder(const struct app_source *source, size_t i)
{
    return source->engine_collections[i].embedder;
}

static enum lks_code make_sources(struct app *app, struct lks_err *err)
{
    app->sources = calloc(app->config->source_count, sizeof *app->sources);
    if (!app->sources) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < app->config->source_count; i++) {
        app->source_count++;
        enum lks_code code = fill_source(app, &app->sources[i], i, err);
        if (code != LKS_E_OK) return code;
    }
    return LKS_E_OK;
}

static void name_ourselves(struct app *app)
{
    char host[HOST_NAME_MAX + 1] = "localhost";
    uint32_t chance = 0;
    gethostname(host, sizeof host - 1);
    if (getrandom(&chance, sizeof chance, 0) < 0) chance = (uint32_t)getpid();
    snprintf(app->owner, sizeof app->owner, "%.64s:%ld:%08x", host, (long)getpid(), (unsigned)chance);
}

enum lks_code app_load(const char *config_path, unsigned flags, void (*complain)(const char *problem),
                       struct app **out, struct lks_err *err)
{
    struct app *app = calloc(1, sizeof *app);
    if (!app) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    name_ourselves(app);
    struct findings found = {.texts = NULL};
    enum lks_code code = load_config(app, config_path, flags, &found, err);
    if (code == LKS_E_OK && !(flags & CONFIG_OFFLINE)) check_uri(app->config, &found);
    if (code == LKS_E_OK) code = make_fingerprints(app, &found, err);
    if (code == LKS_E_OK) crash_watch(app->config->log.format == CONFIG_LOG_JSON);
    if (code == LKS_E_OK) code = load_plugins(app, &found, err);
    if (code == LKS_E_OK) code = bind_collections(app, &found, err);
    enum lks_code ended = findings_end(&found, config_path, complain, code ? &(struct lks_err){0} : err);
    if (code == LKS_E_OK) code = ended;
    if (code == LKS_E_OK) code = make_sources(app, err);
    if (code != LKS_E_OK) {
        app_free(app);
        return code;
    }
    *out = app;
    return LKS_E_OK;
}

void app_set_up_log(const struct app *app)
{
    log_setup((enum log_level)app->config->log.level, app->config->log.format == CONFIG_LOG_JSON);
}

/* ---- adapters ---- */

static void post(void *self, struct req *req)
{
    queue_push(self, req);
}

static enum lks_code connect_embedders(struct app *app, struct inbox inbox, struct lks_err *err)
{
    size_t count = app->config->embedder_count;
    struct embed_config *settings = calloc(count + 1, sizeof *settings);
    if (!settings) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) settings[i] = embedder_settings(&app->config->embedders[i]);
    enum lks_code code = embed_open(settings, count, app->http, inbox, &app->embedders, err);
    free(settings);
    return code;
}

static enum lks_code connect_mongo(struct app_source *s, struct inbox inbox, struct lks_err *err)
{
    static const enum mongo_watch watches[] = {[CONFIG_WATCH_AUTO] = MONGO_WATCH_AUTO,
                                               [CONFIG_WATCH_STREAM] = MONGO_WATCH_STREAM,
                                               [CONFIG_WATCH_POLL] = MONGO_WATCH_POLL,
                                               [CONFIG_WATCH_OFF] = MONGO_WATCH_OFF};
    const struct config_source *c = s->config;
    struct mongo_config settings = {.uri = c->uri,
                                    .database = c->database,
                                    .collection = c->collection,
                                    .source = c->name,
                                    .id_field = c->id_field,
                                    .collections = s->names,
                                    .collection_count = s->count,
                                    .fields = (const char *const *)s->fields,
                                    .metadata = c->metadata == CONFIG_METADATA_SIDECAR ? MONGO_SIDECAR
                                                                                       : MONGO_EMBEDDED,
                                    .basic_codes = c->error_codes == CONFIG_ERROR_CODES_BASIC,
                                    .adopt_metadata = c->adopt_metadata,
                                    .create_indexes = c->create_indexes,
                                    .watch = watches[c->watch],
                                    .poll_interval_ms = c->poll_interval_ms,
                                    .poll_field = c->poll_field[0] ? c->poll_field : NULL,
                                    .title = c->title[0] ? c->title : NULL,
                                    .owner = s->app->owner,
                                    .selection_ms = s->app->selection_ms};
    return mongo_open(&settings, inbox, &s->mongo, err);
}

static enum lks_code open_qdrant(struct app_source *s, const size_t *indexes, size_t count,
                                 struct inbox inbox, struct qdrant **out, struct lks_err *err)
{
    static const char *const distances[] = {[CONFIG_DISTANCE_COSINE] = "Cosine",
                                            [CONFIG_DISTANCE_DOT] = "Dot",
                                            [CONFIG_DISTANCE_EUCLID] = "Euclid",
                                            [CONFIG_DISTANCE_MANHATTAN] = "Manhattan"};
    const struct config *config = s->app->config;
    struct qdrant_collection_config *collections = calloc(count + 1, sizeof *collections);
    if (!collections) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const struct config_collection *c = &config->collections[indexes[i]];
        collections[i] = (struct qdrant_collection_config){.name = c->qdrant_collection,
                                                           .distance = distances[c->distance],
                                                           .model = s->app->fingerprints[c->embedder]};
    }
    struct qdrant_config settings = {.url = config->qdrant.url,
                                     .api_key = config->qdrant.api_key,
                                     .api_key_file = config->qdrant.api_key_file,
                                     .timeout_ms = (int)config->qdrant.timeout_ms,
                                     .plain = !config->qdrant.alias,
                                     .source = s->config->ns,
                                     .collections = collections,
                                     .collection_count = count};
    enum lks_code code = qdrant_open(&settings, s->app->http, inbox, out, err);
    free(collections);
    return code;
}

enum lks_code app_connect(struct app *app, struct lks_err *err)
{
    struct inbox inbox = {.self = &app->inbox, .post = post};
    if (!queue_init(&app->inbox, offsetof(struct req, next))) return lks_fail(err, LKS_E_IO, "no mutex left");
    app->has_inbox = true;
    /* as OpenSSL's own programs and curl take it */
    const struct http_options options = {.ca_file = getenv("SSL_CERT_FILE")};
    if (options.ca_file && *options.ca_file && access(options.ca_file, R_OK) != 0)
        return lks_fail(err, LKS_E_CONFIG, "SSL_CERT_FILE: can't read %s: %s", options.ca_file,
                        strerror(errno));
    enum lks_code code = http_open(&options, &app->http, err);
    if (code == LKS_E_OK) code = connect_embedders(app, inbox, err);
    for (size_t i = 0; i < app->source_count && code == LKS_E_OK; i++) {
        struct app_source *s = &app->sources[i];
        if (s->count == 0) continue;
        code = maker_open(s->collections, s->count, &(struct maker_options){.threads = 0}, inbox, &s->maker,
                          err);
        if (code == LKS_E_OK) code = connect_mongo(s, inbox, err);
        if (code == LKS_E_OK) code = open_qdrant(s, s->indexes, s->count, inbox, &s->qdrant, err);
    }
    return code;
}

enum lks_code app_open_mongo(struct app_source *source, struct lks_err *err)
{
    struct inbox inbox = {.self = &source->app->inbox, .post = post};
    return source->mongo ? LKS_E_OK : connect_mongo(source, inbox, err);
}

enum lks_code app_open_qdrant(struct app_source *source, const size_t *indexes, size_t count,
                              struct qdrant **out, struct lks_err *err)
{
    struct inbox inbox = {.self = &source->app->inbox, .post = post};
    return open_qdrant(source, indexes, count, inbox, out, err);
}

static void free_source(struct app_source *s)
{
    mongo_close(s->mongo);
    qdrant_close(s->qdrant);
    maker_close(s->maker);
    free(s->fields);
    free(s->indexes);
    free(s->collections);
    free(s->names);
    free(s->engine_collections);
    free(s->digests);
    for (size_t i = 0; s->places && i < s->count; i++) free(s->places[i]);
    free(s->places);
}

void app_free(struct app *app)
{
    if (!app) return;
    for (size_t i = 0; i < app->source_count; i++) free_source(&app->sources[i]);
    embed_close(app->embedders);
    http_close(app->http);
    if (app->has_inbox) {
        for (struct req *req; (req = queue_take(&app->inbox, 0)) != NULL;) req_free(req);
        queue_fini(&app->inbox);
    }
    free(app->sources);
    for (size_t i = 0; app->config && i < app->config->collection_count; i++) {
        if (app->bindings && app->bindings[i]) binding_close(app->bindings[i]);
        if (app->settings) free(app->settings[i]);
    }
    free(app->bindings);
    free(app->settings);
    plugins_free(app->plugins);
    for (size_t i = 0; app->fingerprints && app->fingerprints[i]; i++) free(app->fingerprints[i]);
    free(app->fingerprints);
    config_free(app->config);
    free(app);
}
