/*
 * prepare.c - the indexes that Lockstep's own queries need.
 *
 * Without them everything works, only slower, so nothing here is fatal. It makes indexes and drops none. An
 * index on a collection that isn't there would make it, so nothing is made before the source's collection is:
 * its name may be a mistake.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mongo/room.h"

/* After a failure, try again when somebody scans this much later. */
#define AGAIN_MS 60000
/* While the collection isn't there, look for it this much later. */
#define LOOK_AGAIN_MS 1000

static const char what[] = "making indexes";

/* Another index on the same keys, by another name or with other options, serves as well. */
static bool is_there(const bson_error_t *error)
{
    return mongo_is_server_error(error) && (error->code == 85 || error->code == 86 || error->code == 68);
}

/* {createIndexes: collection, indexes: [{key: {first: 1, second: 1, third: 1}, name}]} */
static void index_command(bson_t *command, const char *collection, const char *first, const char *second,
                          const char *third)
{
    bson_t list, index, key;
    const char *fields[] = {first, second, third};
    char name[512] = "";
    for (size_t i = 0, used = 0; i < 3 && fields[i] && used < sizeof name; i++)
        used += (size_t)snprintf(name + used, sizeof name - used, "%s%s_1", i ? "_" : "", fields[i]);
    BSON_APPEND_UTF8(command, "createIndexes", collection);
    BSON_APPEND_ARRAY_BEGIN(command, "indexes", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &index);
    BSON_APPEND_DOCUMENT_BEGIN(&index, "key", &key);
    for (size_t i = 0; i < 3 && fields[i]; i++) BSON_APPEND_INT32(&key, fields[i], 1);
    bson_append_document_end(&index, &key);
    BSON_APPEND_UTF8(&index, "name", name);
    bson_append_document_end(&list, &index);
    bson_append_array_end(command, &list);
}

/* One index. False only if the server couldn't be asked. */
static bool make_index(struct mongo *m, mongoc_client_t *client, const char *collection, const char *first,
                       const char *second, const char *third, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t error;
    index_command(&command, collection, first, second, third);
    bool ok = mongo_command(m, client, NULL, 0, MONGO_WRITES, &command, &reply, &error) || is_there(&error);
    bool answered = ok || mongo_is_server_error(&error);
    if (!ok) mongo_fail(err, &error, what);
    if (!ok && answered)
        log_warn("an index could not be made; everything works without, but slower",
                 LOG_STR("collection", collection), LOG_STR("field", first), LOG_STR("error", err->text));
    bson_destroy(&command);
    bson_destroy(&reply);
    return answered;
}

/* Not unique; left out where one of the application's own serves. */
static bool make_id_index(struct mongo *m, mongoc_client_t *client, struct lks_err *err)
{
    bool there = true, unique;
    if (strcmp(m->id_field, "_id") != 0) keys_look_for_index(m, client, &there, &unique);
    return there || make_index(m, client, m->collection, m->id_field, NULL, NULL, err);
}

static enum lks_code make_all(struct mongo *m, mongoc_client_t *client, struct lks_err *err)
{
    const char *records = m->metadata == MONGO_SIDECAR ? m->sidecar : m->collection;
    bool ok = make_index(m, client, STATE_COLLECTION, "source", "due", "_id.doc", err) &&
              make_index(m, client, records, METADATA ".overallStatus", NULL, NULL, err) &&
              make_index(m, client, records, METADATA ".overallStatus", METADATA ".updatedAt", NULL, err);
    if (ok) ok = make_id_index(m, client, err);
    for (size_t i = 0; ok && i < m->name_count; i++) {
        char *status = bson_strdup_printf(METADATA ".collections.%s.status", m->names[i]);
        char *retry = bson_strdup_printf(METADATA ".collections.%s.nextRetryAt", m->names[i]);
        char *point = bson_strdup_printf(METADATA ".collections.%s.pointId", m->names[i]);
        ok = make_index(m, client, records, status, retry, NULL, err) &&
             make_index(m, client, records, point, status, NULL, err);
        bson_free(point);
        bson_free(status);
        bson_free(retry);
    }
    return ok ? LKS_E_OK : LKS_E_MONGO;
}

/* {listCollections: 1, filter: {name: COLLECTION}, nameOnly: true}. A user who may not list is taken to know.
 */
static enum lks_code look_for_collection(struct mongo *m, mongoc_client_t *client, bool *there,
                                         struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, reply, filter;
    bson_error_t error;
    bson_iter_t iter, batch, first;
    enum lks_code code = LKS_E_OK;
    BSON_APPEND_INT32(&command, "listCollections", 1);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_UTF8(&filter, "name", m->collection);
    bson_append_document_end(&command, &filter);
    BSON_APPEND_BOOL(&command, "nameOnly", true);
    BSON_APPEND_BOOL(&command, "authorizedCollections", true);
    bool ok = mongo_command(m, client, NULL, 0, MONGO_READS, &command, &reply, &error);
    *there = !ok || (bson_iter_init(&iter, &reply) &&
                     bson_iter_find_descendant(&iter, "cursor.firstBatch", &batch) &&
                     bson_iter_recurse(&batch, &first) && bson_iter_next(&first));
    if (!ok && !mongo_is_server_error(&error)) code = mongo_fail(err, &error, what);
    bson_destroy(&command);
    bson_destroy(&reply);
    return code;
}

enum lks_code mongo_prepare(struct mongo *m, struct lks_err *err)
{
    enum lks_code code = LKS_E_OK;
    struct lks_err local;
    bool there = true;
    if (m->create_indexes) {
        mongoc_client_t *client = mongo_pop(m);
        code = look_for_collection(m, client, &there, err ? err : &local);
        if (!code && there) code = make_all(m, client, err ? err : &local);
        mongo_push(m, client);
    }
    pthread_mutex_lock(&m->lock);
    m->prepared = code == LKS_E_OK && there;
    m->prepare_again_ms = clock_ms() + (there ? AGAIN_MS : LOOK_AGAIN_MS);
    pthread_mutex_unlock(&m->lock);
    return code;
}

void mongo_prepare_once(struct mongo *m)
{
    struct lks_err err = {0};
    pthread_mutex_lock(&m->lock);
    bool wait = m->prepared || clock_ms() < m->prepare_again_ms;
    pthread_mutex_unlock(&m->lock);
    if (!wait && mongo_prepare(m, &err)) log_warn("indexes not made yet", LOG_STR("error", err.text));
}
