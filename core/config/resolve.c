/*
 * resolve.c - makes the typed configuration of the sections: defaults that depend on other keys, what
 * collections inherit, names that must be there or differ, and values that must fit each other.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/draft.h"

/* What is known while a collection is resolved. */
struct shared {
    struct config_embedder embedder;     /* as [embedding] says */
    struct config_collection collection; /* what [embedding] says about collections */
};

static const struct value *given(const struct section *s, const char *key)
{
    size_t i = option_find(s->kind, key);
    return i != SIZE_MAX && s->values[i].text ? &s->values[i] : NULL;
}

/* Reports a problem of one key: where it was set, or where its section begins. */
static void wrong(struct config_draft *draft, const struct section *s, const char *key, const char *text)
{
    const struct value *v = given(s, key);
    draft_problem(draft, v ? v->line : s->line, v ? v->where : s->where, "[%s] %s: %s", s->title, key, text);
}

/* A list of `count` structs of `bytes` that the parts own. */
static void *make_array(struct config_draft *draft, size_t count, size_t bytes)
{
    return draft_keep(draft, calloc(count ? count : 1, bytes));
}

/* ---- storing a section ---- */

/* Of KEY and KEY_file only one can hold: a variable beats the file, otherwise the two are a contradiction. */
static bool secret_in_use(struct config_draft *draft, const struct section *s, size_t i)
{
    bool file = options[i].type == OPTION_SECRET_FILE;
    const struct value *mine = &s->values[i], *twin = &s->values[file ? i - 1 : i + 1];
    if (!mine->text || !twin->text || !*mine->text || !*twin->text) return true;
    if (mine->literal != twin->literal) return mine->literal;
    if (file)
        draft_problem(draft, mine->line, mine->where, "[%s] %s: %s is set too; only one of them can be",
                      s->title, options[i].key, options[i - 1].key);
    return !file;
}

static void store_option(struct config_draft *draft, const struct section *s, size_t i, void *base)
{
    bool secret = options[i].type == OPTION_SECRET || options[i].type == OPTION_SECRET_FILE;
    if (secret && !secret_in_use(draft, s, i)) return;
    (void)value_store(draft, s, i, base);
}

static void store_section(struct config_draft *draft, const struct section *s, void *base)
{
    for (size_t i = 0; i < option_count; i++) {
        bool foreign = options[i].flags & OPTION_OF_COLLECTION;
        if (!option_in(s->kind, i) || foreign ||
            (s->kind == SECTION_COLLECTION && options[i].section != s->kind))
            continue;
        store_option(draft, s, i, base);
    }
}

static void require(struct config_draft *draft, const struct section *s, const char *key, const char *held)
{
    if (*held || given(s, key) || (draft->flags & CONFIG_OFFLINE)) return;
    draft_problem(draft, s->line, s->where, "[%s] %s: it must be set", s->title, key);
}

/* ---- sources ---- */

/* The database in mongodb://host/DATABASE?options; "" if there is none. */
static const char *uri_database(struct config_draft *draft, const char *uri)
{
    const char *host = strstr(uri, "://");
    if (!host) return "";
    host += 3;
    const char *options_at = strchr(host, '?');
    const char *slash = NULL;
    /* a socket's path is percent-encoded, a password may not be: the last slash before the options counts */
    for (const char *c = host; *c && c != options_at; c++)
        if (*c == '/') slash = c;
    if (!slash) return "";
    size_t bytes = options_at ? (size_t)(options_at - slash) - 1 : strlen(slash + 1);
    return bytes < 64 ? draft_printf(draft, "%.*s", (int)bytes, slash + 1) : "";
}

/* /api/NAME and /api/sync/NAME are a source's. */
const char *const config_names_taken[] = {"sync",   "search", "jobs",        "events", "status",
                                          "worker", "batch",  "all-pending", "reset",  NULL};

static void resolve_source(struct config_draft *draft, const struct section *s, struct config_source *source,
                           const struct config_source *first)
{
    *source = (struct config_source){.uri = "",
                                     .name = "",
                                     .database = "",
                                     .collection = "",
                                     .ns = "",
                                     .id_field = "",
                                     .poll_field = "",
                                     .title = ""};
    store_section(draft, s, source);
    source->uri_where = given(s, "uri") ? given(s, "uri")->where : s->where;
    source->id_field_where = given(s, "id_field") ? given(s, "id_field")->where : s->where;
    if (first) {
        source->uri = first->uri;
        source->name = s->name;
        if (!*source->database) source->database = first->database;
    } else {
        if (!*source->database && !given(s, "database")) source->database = uri_database(draft, source->uri);
        if (!*source->name && !given(s, "name") && *source->collection) {
            source->name = source->collection;
            if (!value_is_name(source->name))
                wrong(draft, s, "collection", "its name can't be that of the source; set `name`");
        }
        if (!*source->name) source->name = "source";
        require(draft, s, "database", source->database);
    }
    require(draft, s, "collection", source->collection);
    source->ns = draft_printf(draft, "%s.%s", source->database, source->collection);
    if (strcmp(source->collection, "lockstep.state") == 0)
        wrong(draft, s, "collection", "this is where Lockstep keeps its own state");
    for (size_t i = 0; config_names_taken[i]; i++)
        if (strcmp(source->name, config_names_taken[i]) == 0)
            wrong(draft, s, "name",
                  "no source can have this name, because the API's paths use it; give it another");
}

static void resolve_sources(struct config_draft *draft, struct config *config)
{
    config->sources = make_array(draft, draft->section_count, sizeof *config->sources);
    if (!config->sources) return;
    for (size_t i = 0; i < draft->section_count; i++) {
        const struct section *s = draft->sections[i];
        if (s->kind != SECTION_MONGODB && s->kind != SECTION_SOURCE) continue;
        struct config_source *source = &config->sources[config->source_count];
        resolve_source(draft, s, source, config->source_count ? &config->sources[0] : NULL);
        for (size_t k = 0; k < config->source_count; k++) {
            const struct config_source *other = &config->sources[k];
            if (strcmp(other->name, source->name) == 0)
                draft_problem(draft, s->line, s->where, "[%s]: another source is named %s too", s->title,
                              source->name);
            if (*source->collection && strcmp(other->ns, source->ns) == 0)
                draft_problem(draft, s->line, s->where, "[%s]: source %s follows %s already", s->title,
                              other->name, other->ns);
        }
        config->source_count++;
    }
}

/* ---- embedders ---- */

static const char *default_url(enum config_provider provider)
{
    switch (provider) {
    case CONFIG_PROVIDER_OPENAI:
        return "https://api.openai.com";
    case CONFIG_PROVIDER_OLLAMA:
        return "http://127.0.0.1:11434";
    case CONFIG_PROVIDER_TEI:
        return "http://127.0.0.1:8080";
    case CONFIG_PROVIDER_WORDS:
    case CONFIG_PROVIDER_HASH:
        break;
    }
    return "";
}

static bool is_server(const struct config_embedder *e)
{
    return e->provider != CONFIG_PROVIDER_WORDS && e->provider != CONFIG_PROVIDER_HASH;
}

static void empty_endpoint(struct config_embedder *e)
{
    *e = (struct config_embedder){.provider = e->provider,
                                  .url = "",
                                  .model = "",
                                  .query_model = "",
                                  .document_prefix = "",
                                  .query_prefix = "",
                                  .path = "",
                                  .api_key = "",
                                  .api_key_file = "",
                                  .timeout_ms = 60000,
                                  .load_timeout_ms = 300000,
                                  .concurrency = 4,
                                  .cache_bytes = e->cache_bytes};
}

/* The key of an option as it is in this section, for messages. */
static const char *key_in(const struct section *s, const char *key)
{
    size_t i = option_find(SECTION_EMBEDDING, key);
    static _Thread_local char name[80];
    return option_key(s->kind, i, name, sizeof name);
}

/* What the provider itself says where nothing was set. */
static void complete_embedder(struct config_embedder *e)
{
    if (!is_server(e))
        e->url = "", e->api_key = e->api_key_file = "";
    else if (!*e->url)
        e->url = default_url(e->provider);
}

/* What a provider can't do without; `s` is where it was chosen. */
static void check_embedder(struct config_draft *draft, const struct section *s,
                           const struct config_embedder *e)
{
    if ((draft->flags & CONFIG_OFFLINE) || !is_server(e)) return;
    if (!*e->model && e->provider != CONFIG_PROVIDER_TEI)
        wrong(draft, s, key_in(s, "model"), "this provider needs one");
    if (e->provider == CONFIG_PROVIDER_OPENAI && strcmp(e->url, default_url(e->provider)) == 0 &&
        !*e->api_key)
        wrong(draft, s, key_in(s, "api_key"),
              "OpenAI needs one (or set url to the address of another server)");
}

static void resolve_embedding(struct config_draft *draft, struct config *config, struct shared *shared)
{
    const struct section *s = draft_section(draft, SECTION_EMBEDDING, "");
    shared->embedder.provider = CONFIG_PROVIDER_WORDS; /* needs nothing, should the one that is set be none */
    empty_endpoint(&shared->embedder);
    store_section(draft, s, &shared->embedder);
    (void)value_store(draft, s, option_find(SECTION_EMBEDDING, "max_text_bytes"), &shared->collection);
    config->embedders = make_array(draft, draft->section_count, sizeof *config->embedders);
}

/* Same settings, same embedder. */
static bool same_embedder(const struct config_embedder *a, const struct config_embedder *b)
{
    return a->provider == b->provider && strcmp(a->url, b->url) == 0 && strcmp(a->model, b->model) == 0 &&
           strcmp(a->query_model, b->query_model) == 0 &&
           strcmp(a->document_prefix, b->document_prefix) == 0 &&
           strcmp(a->query_prefix, b->query_prefix) == 0 && strcmp(a->path, b->path) == 0 &&
           a->dimensions == b->dimensions && strcmp(a->api_key, b->api_key) == 0 &&
           a->batch_size == b->batch_size && a->max_batch_tokens == b->max_batch_tokens &&
           a->concurrency == b->concurrency && a->timeout_ms == b->timeout_ms &&
           a->load_timeout_ms == b->load_timeout_ms && a->encoding == b->encoding &&
           strcmp(a->api_key_file, b->api_key_file) == 0;
}

static void resolve_override(struct config_draft *draft, struct config *config, const struct section *s,
                             const struct shared *shared, struct config_collection *c)
{
    if (!config->embedders) return;
    struct config_embedder own = shared->embedder;
    bool any = false;
    size_t provider = option_find(SECTION_EMBEDDING, "provider"), url = option_find(SECTION_EMBEDDING, "url");
    if (s->values[provider].text) (void)value_store(draft, s, provider, &own), any = true;
    if (own.provider != shared->embedder.provider) empty_endpoint(&own);
    if (s->values[url].text)
        own.api_key = own.api_key_file = ""; /* a key goes to no address it wasn't given for */
    c->max_text_bytes = shared->collection.max_text_bytes;
    for (size_t i = 0; i < option_count; i++) {
        if (i == provider || options[i].section != SECTION_EMBEDDING || !option_in(SECTION_COLLECTION, i) ||
            !s->values[i].text)
            continue;
        bool foreign = options[i].flags & OPTION_OF_COLLECTION;
        any = any || !foreign;
        store_option(draft, s, i, foreign ? (void *)c : (void *)&own);
    }
    if (s->values[url].text && strcmp(own.url, shared->embedder.url) == 0 && !*own.api_key)
        own.api_key = shared->embedder.api_key, own.api_key_file = shared->embedder.api_key_file;
    complete_embedder(&own);
    size_t e = 0;
    while (e < config->embedder_count && !same_embedder(&config->embedders[e], &own)) e++;
    c->embedder = e;
    if (e < config->embedder_count) return;
    config->embedders[config->embedder_count++] = own;
    check_embedder(draft, any ? s : draft_section(draft, SECTION_EMBEDDING, ""), &own);
}

/* ---- collections ---- */

static void resolve_extras(struct config_draft *draft, const struct section *s, struct config_collection *c)
{
    struct config_extra *extras = make_array(draft, s->extra_count, sizeof *extras);
    if (!extras) return;
    for (size_t i = 0; i < s->extra_count; i++) {
        const struct section_extra *from = &s->extras[i];
        const char *reason = NULL;
        extras[i] = (struct config_extra){.key = from->key, .where = from->value.where};
        extras[i].items = value_list(draft, from->value.text, &reason);
        extras[i].value = value_plain(draft, &from->value);
    }
    c->extras = extras;
    c->extra_count = s->extra_count;
}

static const char *key_where(const struct section *s, const char *key)
{
    const struct value *v = given(s, key);
    return v ? v->where : NULL;
}

static void resolve_collection(struct config_draft *draft, struct config *config, const struct section *s,
                               const struct shared *shared, struct config_collection *c)
{
    *c =
        (struct config_collection){.name = s->name, .plugin = "", .qdrant_collection = "", .where = s->where};
    store_section(draft, s, c);
    if (!*c->plugin) c->plugin = s->name;
    if (!*c->qdrant_collection) c->qdrant_collection = s->name;
    c->qdrant_collection =
        draft_printf(draft, "%s%s", config->qdrant.collection_prefix, c->qdrant_collection);
    const struct value *source = given(s, "source");
    if (source && *source->text) {
        const char *name = value_plain(draft, source);
        while (c->source < config->source_count && strcmp(config->sources[c->source].name, name) != 0)
            c->source++;
        if (c->source == config->source_count && value_is_name(name))
            wrong(draft, s, "source", "there is no source of this name");
    }
    c->watched_where = key_where(s, "watched");
    c->sentences_where = key_where(s, "sentences");
    c->payload_where = key_where(s, "payload");
    resolve_override(draft, config, s, shared, c);
    resolve_extras(draft, s, c);
}

static void resolve_collections(struct config_draft *draft, struct config *config,
                                const struct shared *shared)
{
    config->collections = make_array(draft, draft->section_count, sizeof *config->collections);
    if (!config->collections) return;
    for (size_t i = 0; i < draft->section_count; i++) {
        const struct section *s = draft->sections[i];
        if (s->kind != SECTION_COLLECTION) continue;
        struct config_collection *c = &config->collections[config->collection_count];
        resolve_collection(draft, config, s, shared, c);
        for (size_t k = 0; c->enabled && k < config->collection_count; k++) {
            const struct config_collection *other = &config->collections[k];
            if (other->enabled && strcmp(other->qdrant_collection, c->qdrant_collection) == 0)
                draft_problem(draft, s->line, s->where,
                              "[%s]: [collection:%s] fills Qdrant's collection %s already", s->title,
                              other->name, other->qdrant_collection);
        }
        config->collection_count++;
    }
    if (config->collection_count == 0 && draft->problem_count == 0)
        draft_problem(draft, NO_LINE, draft->path,
                      "there is no [collection:NAME], so there is nothing to do");
}

/* ---- what must fit ---- */

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcasecmp(host, "localhost") == 0;
}

/* As browsers send it: scheme, host, perhaps a port. `*` is none: it would open everything to everybody. */
static bool is_origin(const char *text)
{
    const char *host = strstr(text, "://");
    if (!host || (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)) return false;
    host += 3;
    return *host && !host[strcspn(host, "/?#@* ")];
}

static void check_api(struct config_draft *draft, const struct config_api *api)
{
    const struct section *s = draft_section(draft, SECTION_API, "");
    bool token = *api->token || given(s, "token_file");
    if (api->enabled && *api->host && !is_loopback(api->host) && !token)
        wrong(draft, s, "listen", "an address other than loopback needs a token (token or token_file)");
    const char *read_key = given(s, "read_token") ? "read_token" : "read_token_file";
    if (*api->read_token && !token)
        wrong(draft, s, read_key, "without a token everybody may do everything; set token too");
    else if (*api->read_token && strcmp(api->read_token, api->token) == 0)
        wrong(draft, s, read_key, "it must differ from the token that may do everything");
    if (given(s, "tls_certificate") && !given(s, "tls_key"))
        wrong(draft, s, "tls_certificate", "it needs its key (tls_key)");
    if (given(s, "tls_key") && !given(s, "tls_certificate"))
        wrong(draft, s, "tls_key", "it needs its certificate (tls_certificate)");
    for (size_t i = 0; api->allow_origins[i]; i++)
        if (!is_origin(api->allow_origins[i]))
            wrong(draft, s, "allow_origins",
                  "an origin is written https://HOST or https://HOST:PORT, without a path");
}

static void check_relations(struct config_draft *draft, const struct config *config)
{
    const struct section *worker = draft_section(draft, SECTION_WORKER, "");
    const struct section *qdrant = draft_section(draft, SECTION_QDRANT, "");
    const struct config_worker *w = &config->worker;
    if (w->max_backoff_ms && w->base_backoff_ms > w->max_backoff_ms)
        wrong(draft, worker, given(worker, "max_backoff_ms") ? "max_backoff_ms" : "base_backoff_ms",
              "base_backoff_ms must not be above max_backoff_ms");
    if (w->lease_ms && config->qdrant.timeout_ms >= w->lease_ms) {
        bool here = given(worker, "lease_ms");
        wrong(draft, here ? worker : qdrant, here ? "lease_ms" : "timeout_ms",
              "lease_ms of [worker] must be above timeout_ms of [qdrant]");
    }
    if (config->qdrant.point_id == CONFIG_POINT_ID_PREFIXED_SHA1 && !*config->qdrant.point_id_prefix)
        wrong(draft, qdrant, "point_id_prefix", "it must be set with point_id = prefixed-sha1");
    check_api(draft, &config->api);
}

void draft_resolve(struct config_draft *draft, struct config *config)
{
    static const char *const none[] = {NULL};
    struct shared shared = {.embedder = {.url = ""}};
    config->qdrant = (struct config_qdrant){.url = "",
                                            .api_key = "",
                                            .api_key_file = "",
                                            .collection_prefix = "",
                                            .point_id_prefix = "",
                                            .namespace_uuid = ""};
    config->api = (struct config_api){.host = "",
                                      .socket_path = "",
                                      .token = "",
                                      .read_token = "",
                                      .allow_origins = none,
                                      .tls_certificate = "",
                                      .tls_key = ""};
    config->plugin_paths = none;
    store_section(draft, draft_section(draft, SECTION_QDRANT, ""), &config->qdrant);
    store_section(draft, draft_section(draft, SECTION_WORKER, ""), &config->worker);
    store_section(draft, draft_section(draft, SECTION_API, ""), &config->api);
    store_section(draft, draft_section(draft, SECTION_LOG, ""), &config->log);
    store_section(draft, draft_section(draft, SECTION_PLUGINS, ""), config);
    resolve_sources(draft, config);
    resolve_embedding(draft, config, &shared);
    resolve_collections(draft, config, &shared);
    check_relations(draft, config);
}
