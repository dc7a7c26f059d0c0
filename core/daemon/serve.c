/* serve.c - see serve.h. Owns the server, the control between it and the engines, and what it knows of the
 * sources. */
#include "daemon/serve.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "api/server.h"
#include "base/buf.h"
#include "base/log.h"
#include "daemon/making.h"
#include "service/fields.h"
#include "service/jobs.h"

#define ENOUGH_FILES 8192

struct serve {
    struct app *app;
    struct service service;
    struct service_source *sources;
    struct mongo **mongos;
    char **embedder_names;
    struct jobs_collection *collections; /* of the configuration, all of them */
    struct admin *admin;
};

static void wake(void *self)
{
    struct app *app = self;
    struct req *req = req_new(REQ_COUNT, NULL); /* without a sender: wakes the loop and is freed */
    if (req) queue_push(&app->inbox, req);
}

static bool describe_source(struct app_source *from, struct service_source *to)
{
    to->all = (struct compare_source){.name = from->config->name,
                                      .mongo = from->mongo,
                                      .qdrant = from->qdrant,
                                      .collections = from->collections,
                                      .names = from->names,
                                      .count = from->count};
    to->id_field = from->config->id_field;
    to->title = from->config->title;
    to->make = making_make;
    to->make_self = from;
    struct search_collection *search = calloc(from->count + 1, sizeof *search);
    to->search = search;
    for (size_t i = 0; search && i < from->count; i++)
        search[i] =
            (struct search_collection){.name = from->names[i], .index = i, .embedder = app_embedder(from, i)};
    return search != NULL;
}

/* A fingerprint isn't unique: the same model may be asked at two addresses. */
static char *embedder_name(const struct app *app, size_t index)
{
    struct buf name;
    size_t before = 0;
    for (size_t i = 0; i < index; i++) before += strcmp(app->fingerprints[i], app->fingerprints[index]) == 0;
    buf_init(&name, 0);
    buf_puts(&name, app->fingerprints[index]);
    if (before) buf_printf(&name, "#%zu", before + 1);
    return buf_take(&name, NULL);
}

static bool name_embedders(struct serve *s)
{
    size_t count = s->app->config->embedder_count;
    s->embedder_names = calloc(count + 1, sizeof *s->embedder_names);
    for (size_t i = 0; s->embedder_names && i < count; i++)
        if (!(s->embedder_names[i] = embedder_name(s->app, i))) return false;
    return s->embedder_names != NULL;
}

static bool describe(struct serve *s)
{
    const struct app *app = s->app;
    const struct config_worker *worker = &app->config->worker;
    s->sources = calloc(app->source_count + 1, sizeof *s->sources);
    s->mongos = calloc(app->source_count + 1, sizeof *s->mongos);
    if (!s->sources || !s->mongos || !name_embedders(s)) return false;
    for (size_t i = 0; i < app->source_count; i++) {
        if (!describe_source(&app->sources[i], &s->sources[i])) return false;
        s->mongos[i] = app->sources[i].mongo;
    }
    s->service = (struct service){.sources = s->sources,
                                  .source_count = app->source_count,
                                  .embedders = app->embedders,
                                  .embedder_names = (const char *const *)s->embedder_names,
                                  .embedder_count = app->config->embedder_count,
                                  .control = control_new(app->source_count, wake, s->app),
                                  .counts = counts_open(s->mongos, app->source_count),
                                  .history = history_new(app->source_count),
                                  .fields = fields_new(app->source_count),
                                  .events = events_new(),
                                  .worker_enabled = worker->enabled,
                                  .interval_ms = worker->interval_ms,
                                  .batch_size = worker->batch_size,
                                  .retry = {.base_ms = worker->base_backoff_ms,
                                            .multiplier = worker->backoff_multiplier,
                                            .max_ms = worker->max_backoff_ms,
                                            .jitter = worker->jitter,
                                            .max_retries = worker->max_retries}};
    return s->service.control && s->service.counts && s->service.history && s->service.fields &&
           s->service.events;
}

/* Connections of clients come on top of those to servers: as many files as the system lets us have. */
static void take_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= ENOUGH_FILES) return;
    files.rlim_cur = files.rlim_max < ENOUGH_FILES ? files.rlim_max : ENOUGH_FILES;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

/* ---- jobs ---- */

/* The Qdrant collections of a source that are on are opened without those that are off: one of those is
 * opened for as long as it takes. */
static enum lks_code open_forget(void *self, const char *name, struct forget_request *request,
                                 struct lks_err *err)
{
    struct serve *s = self;
    const struct config *config = s->app->config;
    size_t index = 0;
    while (index < config->collection_count && strcmp(config->collections[index].name, name) != 0) index++;
    if (index == config->collection_count) return lks_fail(err, LKS_E_NOT_FOUND, "no such collection");
    const struct config_collection *c = &config->collections[index];
    struct app_source *source = &s->app->sources[c->source];
    *request = (struct forget_request){.config = config, .collection = c, .mongo = source->mongo};
    return app_open_qdrant(source, &index, 1, &request->qdrant, err);
}

static void close_forget(void *self, struct forget_request *request)
{
    (void)self;
    qdrant_close(request->qdrant);
}

static bool open_jobs(struct serve *s)
{
    const struct config *config = s->app->config;
    s->collections = calloc(config->collection_count + 1, sizeof *s->collections);
    if (!s->collections) return false;
    for (size_t i = 0; i < config->collection_count; i++)
        s->collections[i] = (struct jobs_collection){.name = config->collections[i].name,
                                                     .source = config->collections[i].source,
                                                     .enabled = config->collections[i].enabled};
    s->service.jobs = jobs_open(&(struct jobs_config){.service = &s->service,
                                                      .collections = s->collections,
                                                      .collection_count = config->collection_count,
                                                      .open_forget = open_forget,
                                                      .close_forget = close_forget,
                                                      .self = s});
    return s->service.jobs != NULL;
}

/* ---- opening and closing ---- */

static struct admin_config admin_of(const struct config_api *api, const struct service *service)
{
    return (struct admin_config){.host = api->host,
                                 .port = api->port,
                                 .socket_path = api->socket_path,
                                 .token = api->token,
                                 .read_token = api->read_token,
                                 .public_counts = api->public_status != CONFIG_PUBLIC_NO,
                                 .public_lists = api->public_status == CONFIG_PUBLIC_ALL,
                                 .socket_trust = api->socket_trust,
                                 .allow_origins = api->allow_origins,
                                 .tls_certificate = api->tls_certificate,
                                 .tls_key = api->tls_key,
                                 .service = service};
}

enum lks_code serve_check(const struct config_api *api, struct lks_err *err)
{
    const struct admin_config config = admin_of(api, NULL);
    return api->enabled ? admin_check(&config, err) : LKS_E_OK;
}

enum lks_code serve_try(const struct config_api *api, struct lks_err *err)
{
    const struct admin_config config = admin_of(api, NULL);
    return api->enabled ? admin_try(&config, err) : LKS_E_OK;
}

enum lks_code serve_open(struct loop *loop, struct serve **out, struct lks_err *err)
{
    const struct config_api *api = &loop->app->config->api;
    *out = NULL;
    if (!api->enabled) return LKS_E_OK;
    take_files();
    struct serve *s = calloc(1, sizeof *s);
    if (!s) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    s->app = loop->app;
    enum lks_code code = describe(s) && open_jobs(s) ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
    const struct admin_config config = admin_of(api, &s->service);
    if (code == LKS_E_OK) code = admin_open(&config, &s->admin, err);
    if (code != LKS_E_OK) {
        serve_close(s);
        return code;
    }
    if (*api->socket_path)
        log_info("the HTTP API answers", LOG_STR("socket", api->socket_path));
    else
        log_info("the HTTP API answers", LOG_STR("host", *api->host ? api->host : "any address"),
                 LOG_INT("port", admin_port(s->admin)), LOG_STR("tls", *api->tls_key ? "yes" : NULL));
    *out = s;
    return LKS_E_OK;
}

void serve_engine(struct serve *s, struct loop_engine *le)
{
    if (!s) return;
    size_t source = (size_t)(le->source - s->app->sources);
    control_serve(s->service.control, source, le->engine);
    history_serve(s->service.history, source, le->engine);
}

void serve_resynced(struct serve *s, struct loop_engine *le, const struct engine_resynced *what)
{
    if (s) control_resynced(s->service.control, (size_t)(le->source - s->app->sources), what);
}

void serve_recorded(struct serve *s, struct loop_engine *le, const struct engine_recorded *what)
{
    if (s)
        events_recorded(s->service.events, le->source->config->name, (const char *const *)le->source->names,
                        what);
}

void serve_close(struct serve *s)
{
    if (!s) return;
    if (s->service.jobs) jobs_end(s->service.jobs);
    if (s->service.control) control_close(s->service.control);
    admin_close(s->admin);
    jobs_close(s->service.jobs);
    counts_close(s->service.counts);
    events_free(s->service.events);
    control_free(s->service.control);
    history_free(s->service.history);
    fields_free(s->service.fields);
    for (size_t i = 0; s->embedder_names && s->embedder_names[i]; i++) free(s->embedder_names[i]);
    free(s->embedder_names);
    for (size_t i = 0; s->sources && i < s->app->source_count; i++)
        free((struct search_collection *)s->sources[i].search);
    free(s->sources);
    free(s->mongos);
    free(s->collections);
    free(s);
}
