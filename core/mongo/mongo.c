/*
 * mongo.c - opening and closing the adapter: URI, pool, channels; and which channel does what.
 *
 * Owns the pool and all threads. Contacts no server itself.
 */
#include "mongo/mongo.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mongo/mongo_internal.h"
#include "mongo/pipeline.h"

/* Unless the URI says otherwise. The socket timeout must be far above any wait of the stream, and long enough
 * for a count over a big collection. */
#define HEARTBEAT_MS 500
#define SERVER_SELECTION_MS 10000
#define CONNECT_TIMEOUT_MS                                                                                   \
    5000 /* also how long a monitor waits beyond its heartbeat for a server's answer                         \
          */
#define SOCKET_TIMEOUT_MS 120000
#define POOL_MAX 16

static const size_t channel_threads[CHANNEL_COUNT] = {
    [CHANNEL_STREAM] = 1, [CHANNEL_READ] = 2,   [CHANNEL_LONG] = 1,
    [CHANNEL_WRITE] = 2,  [CHANNEL_LEDGER] = 1, [CHANNEL_TOMBSTONES] = 1,
};

static const enum channel_name channel_of[] = {
    [REQ_STREAM_OPEN] = CHANNEL_STREAM,
    [REQ_STREAM_NEXT] = CHANNEL_STREAM,
    [REQ_READ] = CHANNEL_READ,
    [REQ_SCAN] = CHANNEL_LONG,
    [REQ_DUE] = CHANNEL_LONG,
    [REQ_DUPLICATES] = CHANNEL_READ,
    [REQ_COUNT_RECORDS] = CHANNEL_LONG,
    [REQ_RECORD] = CHANNEL_WRITE,
    [REQ_STATE_LOAD] = CHANNEL_LEDGER,
    [REQ_STATE_SAVE] = CHANNEL_LEDGER,
    [REQ_TOMBSTONES_PUT] = CHANNEL_TOMBSTONES,
    [REQ_TOMBSTONES_LIST] = CHANNEL_TOMBSTONES,
    [REQ_TOMBSTONES_DROP] = CHANNEL_TOMBSTONES,
    [REQ_LEASE] = CHANNEL_LEDGER,
    [REQ_ORPHAN_RECORDS] = CHANNEL_LONG,
};

/* ---- doing requests ---- */

static enum lks_code run(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    switch (req->kind) {
    case REQ_READ:
        return reads_read(m, client, req);
    case REQ_SCAN:
        return reads_scan(m, client, &m->poll, req);
    case REQ_DUE:
        return due_find(m, client, req);
    case REQ_DUPLICATES:
        return keys_duplicates(m, client, req);
    case REQ_COUNT_RECORDS:
        return counts_points(m, client, req);
    case REQ_ORPHAN_RECORDS:
        return beside_orphans(m, client, req);
    case REQ_RECORD:
        return records_write(m, client, req);
    case REQ_STATE_LOAD:
        return state_load(m, client, req);
    case REQ_STATE_SAVE:
        return state_save(m, client, req);
    case REQ_TOMBSTONES_PUT:
        return tombstones_put(m, client, req);
    case REQ_TOMBSTONES_LIST:
        return tombstones_list(m, client, req);
    case REQ_TOMBSTONES_DROP:
        return tombstones_drop(m, client, req);
    case REQ_LEASE:
        return lease_run(m, client, req);
    default:
        return lks_fail(&req->err, LKS_E_UNSUPPORTED, "%s is no request to MongoDB",
                        req_kind_name(req->kind));
    }
}

static void do_request(struct mongo *m, struct req *req)
{
    int64_t began_us = clock_us();
    lks_err_clear(&req->err);
    if (atomic_load(&m->closing)) {
        lks_fail(&req->err, LKS_E_CANCELLED, "the connection to MongoDB is being closed");
    } else if (req->kind == REQ_STREAM_OPEN) {
        req->err.code = stream_open(m, req);
    } else if (req->kind == REQ_STREAM_NEXT) {
        req->err.code = stream_next(m, req);
    } else {
        if (req->kind == REQ_SCAN || req->kind == REQ_DUE || req->kind == REQ_COUNT_RECORDS)
            mongo_prepare_once(m);
        mongoc_client_t *client = mongo_pop(m);
        req->err.code = run(m, client, req);
        mongo_push(m, client);
    }
    meter_add(&m->meters[req->kind < REQ_KIND_COUNT ? req->kind : 0], req->err.code, clock_us() - began_us);
    m->inbox.post(m->inbox.self, req);
}

bool mongo_meter(struct mongo *m, enum req_kind kind, struct meter_reading *out)
{
    if ((size_t)kind >= sizeof channel_of / sizeof *channel_of) return false;
    *out = meter_read(&m->meters[kind]);
    return true;
}

static void *channel_main(void *data)
{
    struct channel *channel = data;
    struct req *req;
    while ((req = queue_take(&channel->queue, -1))) do_request(channel->owner, req);
    return NULL;
}

static void submit(void *self, struct req *req)
{
    struct mongo *m = self;
    size_t kind = (size_t)req->kind;
    /* a request that isn't ours goes through a channel too, so that its refusal is posted from a thread */
    enum channel_name channel =
        kind < sizeof channel_of / sizeof *channel_of ? channel_of[kind] : CHANNEL_READ;
    queue_push(&m->channels[channel].queue, req);
}

struct port mongo_source_port(struct mongo *m)
{
    return (struct port){.self = m, .submit = submit};
}

struct port mongo_store_port(struct mongo *m)
{
    return (struct port){.self = m, .submit = submit};
}

/* ---- opening ---- */

static void default_int(mongoc_uri_t *uri, const char *option, int32_t value)
{
    if (!mongoc_uri_has_option(uri, option)) mongoc_uri_set_option_as_int32(uri, option, value);
}

/* What we rely on, whatever the URI says: majority writes, reads from the primary, concern said per command.
 */
static void uri_settle(mongoc_uri_t *uri, int32_t selection_ms)
{
    default_int(uri, MONGOC_URI_HEARTBEATFREQUENCYMS, HEARTBEAT_MS);
    default_int(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, selection_ms ? selection_ms : SERVER_SELECTION_MS);
    default_int(uri, MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_TIMEOUT_MS);
    default_int(uri, MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_TIMEOUT_MS);
    if (!mongoc_uri_has_option(uri, MONGOC_URI_RETRYWRITES))
        mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, true);
    /* every command needs a client: one that is late is waited for, where the driver would give none */
    if (mongoc_uri_has_option(uri, MONGOC_URI_WAITQUEUETIMEOUTMS))
        mongoc_uri_set_option_as_int32(uri, MONGOC_URI_WAITQUEUETIMEOUTMS, 0);
    if (!mongoc_uri_get_appname(uri)) mongoc_uri_set_appname(uri, "lockstep");
    mongoc_write_concern_t *write = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(write, WRITE_TIMEOUT_MS);
    mongoc_uri_set_write_concern(uri, write);
    mongoc_write_concern_destroy(write);
    mongoc_read_concern_t *read = mongoc_read_concern_new();
    mongoc_uri_set_read_concern(uri, read);
    mongoc_read_concern_destroy(read);
    mongoc_read_prefs_t *prefs = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_uri_set_read_prefs_t(uri, prefs);
    mongoc_read_prefs_destroy(prefs);
}

static enum lks_code open_pool(struct mongo *m, const struct mongo_config *config, struct lks_err *err)
{
    bson_error_t error = {0};
    mongoc_uri_t *uri = NULL;
    enum lks_code code = uri_read(config->uri, &uri, err);
    if (code) return code;
    uri_settle(uri, config->selection_ms);
    m->pool = mongoc_client_pool_new_with_error(uri, &error);
    int32_t timeout_ms = mongoc_uri_get_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, CONNECT_TIMEOUT_MS);
    mongoc_uri_destroy(uri);
    /* a name service may answer later */
    code = strncmp(config->uri, "mongodb+srv:", 12) == 0 ? LKS_E_MONGO : LKS_E_CONFIG;
    if (!m->pool) return lks_fail(err, code, "the MongoDB URI can't be used: %s", error.message);
    mongoc_client_pool_set_error_api(m->pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_pool_max_size(m->pool, POOL_MAX);
    silence_watch(m->pool, timeout_ms);
    return LKS_E_OK;
}

static bool copy_text(char **to, const char *from)
{
    *to = strdup(from);
    return *to;
}

static bool copy_names(struct mongo *m, const struct mongo_config *config)
{
    m->names = calloc(config->collection_count + 1, sizeof *m->names);
    if (!m->names) return false;
    for (size_t i = 0; i < config->collection_count; i++, m->name_count++)
        if (!copy_text(&m->names[i], config->collections[i])) return false;
    return true;
}

/* A projection names top-level fields once each: MongoDB refuses paths that collide. */
void mongo_project(bson_t *projection, const char *path)
{
    bson_iter_t iter;
    size_t bytes = strcspn(path, ".");
    char *name = bson_strndup(path, bytes);
    if (bytes && name[0] != '$' && !bson_iter_init_find(&iter, projection, name))
        BSON_APPEND_INT32(projection, name, 1);
    bson_free(name);
}

static bool copy_config(struct mongo *m, const struct mongo_config *config)
{
    m->metadata = config->metadata;
    m->basic_codes = config->basic_codes;
    m->watch = config->watch;
    m->adopt_metadata = config->adopt_metadata;
    m->create_indexes = config->create_indexes;
    if (!copy_text(&m->database, config->database) || !copy_text(&m->collection, config->collection) ||
        !copy_text(&m->source, config->source) || !copy_text(&m->id_field, config->id_field) ||
        !copy_text(&m->owner, config->owner) || !copy_names(m, config))
        return false;
    if (config->poll_field && !copy_text(&m->poll_field, config->poll_field)) return false;
    if (config->title && !copy_text(&m->title, config->title)) return false;
    m->poll_interval_ms = config->poll_interval_ms;
    size_t bytes = strlen(config->collection) + sizeof ".lockstep";
    m->sidecar = malloc(bytes);
    if (!m->sidecar) return false;
    snprintf(m->sidecar, bytes, "%s.lockstep", config->collection);
    m->only_id = bson_new();
    mongo_project(m->only_id, "_id");
    m->only_record = bson_copy(m->only_id);
    mongo_project(m->only_record, METADATA);
    if (!config->fields) return true;
    m->projection = bson_new();
    mongo_project(m->projection, "_id");
    mongo_project(m->projection, config->id_field);
    mongo_project(m->projection, METADATA);
    for (const char *const *field = config->fields; *field; field++) mongo_project(m->projection, *field);
    if (m->poll_field) mongo_project(m->projection, m->poll_field);
    return true;
}

static bool open_channel(struct mongo *m, enum channel_name name)
{
    struct channel *channel = &m->channels[name];
    channel->owner = m;
    if (!queue_init(&channel->queue, offsetof(struct req, next))) return false;
    m->channel_count++;
    for (size_t i = 0; i < channel_threads[name]; i++) {
        if (pthread_create(&channel->threads[i], NULL, channel_main, channel)) return false;
        channel->thread_count++;
    }
    return true;
}

enum lks_code mongo_open(const struct mongo_config *config, struct inbox inbox, struct mongo **out,
                         struct lks_err *err)
{
    enum lks_code code = LKS_E_NOMEM;
    mongo_driver();
    *out = NULL;
    struct mongo *m = calloc(1, sizeof *m);
    if (!m) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    m->inbox = inbox;
    m->estimate = -1;
    pthread_mutex_init(&m->lock, NULL);
    if (!copy_config(m, config)) goto out;
    pipeline_fingerprint(m->fingerprint);
    code = open_pool(m, config, err);
    if (code) goto out;
    for (enum channel_name channel = 0; channel < CHANNEL_COUNT; channel++)
        if (!open_channel(m, channel)) {
            code = lks_fail(err, LKS_E_NOMEM, "no thread could be started");
            goto out;
        }
    *out = m;
    return LKS_E_OK;
out:
    if (code == LKS_E_NOMEM) lks_fail(err, LKS_E_NOMEM, "out of memory");
    mongo_close(m);
    return code;
}

/* ---- closing ---- */

static void stop_channels(struct mongo *m)
{
    atomic_store(&m->closing, true);
    for (size_t i = 0; i < m->channel_count; i++) queue_close(&m->channels[i].queue);
    for (size_t i = 0; i < m->channel_count; i++) {
        for (size_t t = 0; t < m->channels[i].thread_count; t++)
            pthread_join(m->channels[i].threads[t], NULL);
        queue_fini(&m->channels[i].queue);
    }
}

void mongo_close(struct mongo *m)
{
    if (!m) return;
    stop_channels(m);
    if (m->pool) {
        stream_close(m);
        pool_close(m->pool);
    }
    if (m->only_id) bson_destroy(m->only_id);
    if (m->only_record) bson_destroy(m->only_record);
    if (m->projection) bson_destroy(m->projection);
    for (size_t i = 0; i < m->name_count; i++) free(m->names[i]);
    free(m->names);
    free(m->database);
    free(m->collection);
    free(m->sidecar);
    free(m->source);
    free(m->id_field);
    free(m->owner);
    free(m->poll_field);
    free(m->title);
    pthread_mutex_destroy(&m->lock);
    free(m);
}
