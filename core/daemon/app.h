/*
 * app.h - everything wired together: configuration, plugins, adapters, and an engine for each source.
 *
 * Made in three steps, each optional for commands that need less: app_load() reads configuration and plugins
 * and speaks to nobody; app_connect() makes the adapters; loop.h runs the engines.
 */
#ifndef LOCKSTEP_DAEMON_APP_H
#define LOCKSTEP_DAEMON_APP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/queue.h"
#include "collection/collection.h"
#include "config/config.h"
#include "embed/embed.h"
#include "engine/engine.h"
#include "http/http.h"
#include "mongo/mongo.h"
#include "plugin/maker.h"
#include "plugin/plugin.h"
#include "qdrant/qdrant.h"

/* One MongoDB collection with its enabled Qdrant collections. */
struct app_source {
    struct app *app;
    const struct config_source *config;
    size_t count;                          /* enabled collections; all arrays below have this length */
    size_t *indexes;                       /* into config->collections */
    const struct collection **collections; /* borrowed from the bindings */
    const char **names;
    struct engine_collection *engine_collections;
    char (*digests)[SHA256_HEX_BYTES];
    char **places; /* owned: see struct engine_collection */
    char **fields; /* what a read is projected to */
    struct mongo *mongo;
    struct qdrant *qdrant;
    struct maker *maker;
};

struct app {
    struct config *config;
    struct plugin_set *plugins;
    struct binding **bindings;        /* one per config->collections; NULL where it is switched off */
    struct plugin_setting **settings; /* owned: what the bindings were given */
    char **fingerprints;              /* one per embedder */
    struct app_source *sources;
    size_t source_count;
    struct queue inbox; /* completions of all adapters */
    bool has_inbox;
    struct http *http;
    struct embedders *embedders;
    char owner[128];      /* who we are, in leases */
    int32_t selection_ms; /* how long MongoDB is waited for unless the URI says so; 0: as usual */
};

/* Configuration, plugins and collections. `flags` as config_load() has them. All problems are printed to
 * `complain`. */
enum lks_code app_load(const char *config_path, unsigned flags, void (*complain)(const char *problem),
                       struct app **out, struct lks_err *err);
/* Sets logging as the configuration says. */
void app_set_up_log(const struct app *app);
/* Makes HTTP loop, embedders, and each source's MongoDB, Qdrant and maker. Contacts no server yet. */
enum lks_code app_connect(struct app *app, struct lks_err *err);
/* Everything down again; NULL is fine. Completions that still come are freed. */
void app_free(struct app *app);

/* For a source without enabled collections, whose MongoDB app_connect() leaves out. */
enum lks_code app_open_mongo(struct app_source *source, struct lks_err *err);
/* Qdrant with these of the configuration's collections, also such as are switched off. The caller closes it
 * before app_free(). */
enum lks_code app_open_qdrant(struct app_source *source, const size_t *indexes, size_t count,
                              struct qdrant **out, struct lks_err *err);

/* The embedder of a source's i-th collection. */
size_t app_embedder(const struct app_source *source, size_t i);

#endif
