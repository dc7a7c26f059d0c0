/*
 * prepare.c - the indexes that Lockstep's own queries need.
 *
 * Without them everything works, only slower, so nothing here is fatal. It drops only indexes of its own. An
 * index on a collection that isn't there would make it, so nothing is made before the source's collection is:
 * its name may be a mistake.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "mongo/contradictions.h"
#include "mongo/mongo_internal.h"

/* After a failure, try again when somebody scans this much later. */
#define AGAIN_MS 60000
/* While the collection isn't there, look for it this much later. */
#define LOOK_AGAIN_MS 1000

static const char what[] = "making indexes";

/* An index of this name is there, on other fields. */
#define OTHER_KEYS 86

/* Another index on the same keys, by another name or with other options, serves as well. */
static bool is_there(const bson_error_t *error)
{
    return mongo_is_server_error(error) && (error->code == 85 || error->code == 86 || error->code == 68);
}

/* An index of ours, on up to three fields. */
struct wanted {
    const char *collection, *name; /* NULL: MongoDB's own name for it */
    const char *fields[3];         /* NULL: no more */
};

/* {createIndexes: collection, indexes: [{key: {first: 1, second: 1}, name, collation: {locale: "simple"}}]}
 */
static void index_command(bson_t *command, const struct wanted *w)
{
    bson_t list, index, key;
    const char *const *fields = w->fields;
    char name[512] = "";
    if (w->name) snprintf(name, sizeof name, "%s", w->name);
    for (size_t i = 0, used = 0; !w->name && i < 3 && fields[i] && used < sizeof name; i++)
        used += (size_t)snprintf(name + used, sizeof name - used, "%s%s_1", i ? "_" : "", fields[i]);
    BSON_APPEND_UTF8(command, "createIndexes", w->collection);
    BSON_APPEND_ARRAY_BEGIN(command, "indexes", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &index);
    BSON_APPEND_DOCUMENT_BEGIN(&index, "key", &key);
    for (size_t i = 0; i < 3 && fields[i]; i++) BSON_APPEND_INT32(&key, fields[i], 1);
    bson_append_document_end(&index, &key);
    BSON_APPEND_UTF8(&index, "name", name);
    mongo_append_simple(&index);
    bson_append_document_end(&list, &index);
    bson_append_array_end(command, &list);
}

/* Says so if the index was not made. False only if the server couldn't be asked. */
static bool index_answered(bool ok, const bson_error_t *error, const char *collection, const char *field,
                           struct lks_err *err)
{
    if (ok || is_there(error)) return true;
    mongo_fail(err, error, what);
    if (!mongo_is_server_error(error)) return false;
    log_warn("an index could not be made; everything works without, but slower",
             LOG_STR("collection", collection), LOG_STR("field", field), LOG_STR("error", err->text));
    return true;
}

/* One index. False only if the server couldn't be asked. */
static bool make_index(struct mongo *m, mongoc_client_t *client, const struct wanted *w, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t error;
    index_command(&command, w);
    bool ok = mongo_command(m, client, NULL, 0, MONGO_WRITES, &command, &reply, &error);
    bool answered = index_answered(ok, &error, w->collection, w->fields[0], err);
    bson_destroy(&command);
    bson_destroy(&reply);
    return answered;
}

/* ---- indexes of ours that inherited a collation ---- */

/* The fields of an index's key, with a blank behind each; false if one of them is not ascending. */
static bool key_fields(const bson_t *index, struct buf *out)
{
    bson_iter_t iter, key;
    if (!bson_iter_init_find(&iter, index, "key") || !bson_iter_recurse(&iter, &key)) return false;
    while (bson_iter_next(&key)) {
        if (!BSON_ITER_HOLDS_NUMBER(&key) || bson_iter_as_int64(&key) != 1) return false;
        buf_printf(out, "%s ", bson_iter_key(&key));
    }
    return !out->failed;
}

static bool has_option(const bson_t *index, const char *name)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, index, name);
}

/*
 * Is an index ours? Those on records are. One on the business id may as well be the application's: ours was
 * made in one go with those on the overall status, right behind them.
 */
static bool is_ours(struct mongo *m, const bson_t *index, const char *before)
{
    static const char last_before[] = METADATA ".overallStatus " METADATA ".updatedAt ";
    struct buf fields, id;
    buf_init(&fields, 0);
    buf_init(&id, 0);
    buf_printf(&id, "%s ", m->id_field);
    bool ours = key_fields(index, &fields) && !id.failed && !has_option(index, "unique") &&
                !has_option(index, "partialFilterExpression") && !has_option(index, "sparse");
    ours = ours && fields.data &&
           (!strncmp(fields.data, METADATA ".", sizeof METADATA) ||
            (!strcmp(fields.data, id.data) && !strcmp(before, last_before)));
    buf_fini(&fields);
    buf_fini(&id);
    return ours;
}

static void drop_index(struct mongo *m, mongoc_client_t *client, const char *collection, const char *name,
                       const char *reason)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t error;
    struct lks_err err = {0};
    BSON_APPEND_UTF8(&command, "dropIndexes", collection);
    BSON_APPEND_UTF8(&command, "index", name);
    if (mongo_command(m, client, NULL, 0, MONGO_WRITES, &command, &reply, &error)) {
        log_info("an index of ours is made again", LOG_STR("collection", collection), LOG_STR("index", name),
                 LOG_STR("reason", reason));
    } else {
        mongo_fail(&err, &error, "dropping an index");
        log_warn("an index of ours that serves nothing could not be dropped",
                 LOG_STR("collection", collection), LOG_STR("index", name), LOG_STR("reason", reason),
                 LOG_STR("error", err.text));
    }
    bson_destroy(&command);
    bson_destroy(&reply);
}

/* An index by the collation of the collection serves no query of ours, and keeps its name from one that does.
 */
static void drop_inherited(struct mongo *m, mongoc_client_t *client, const char *collection)
{
    bson_t command = BSON_INITIALIZER;
    bson_iter_t iter;
    struct rows rows;
    const bson_t *row;
    struct lks_err ignored;
    struct buf before, names; /* the names one after the other, each with its NUL */
    buf_init(&before, 0);
    buf_init(&names, 0);
    BSON_APPEND_UTF8(&command, "listIndexes", collection);
    if (!rows_open(m, client, &rows, &command, LEVEL_NONE, 0, what, &ignored))
        while (rows_next(&rows, &row)) {
            if (has_option(row, "collation") && is_ours(m, row, before.data ? before.data : "") &&
                bson_iter_init_find(&iter, row, "name") && BSON_ITER_HOLDS_UTF8(&iter))
                buf_put(&names, bson_iter_utf8(&iter, NULL), strlen(bson_iter_utf8(&iter, NULL)) + 1);
            buf_clear(&before);
            if (!key_fields(row, &before)) buf_clear(&before);
        }
    rows_close(&rows, what, NULL);
    for (size_t at = 0; !names.failed && at < names.bytes; at += strlen(names.data + at) + 1)
        drop_index(m, client, collection, names.data + at, "it inherited the collection's collation");
    bson_destroy(&command);
    buf_fini(&before);
    buf_fini(&names);
}

/* ---- all of them ---- */

/* Not unique; left out where one of the application's own serves. */
static bool make_id_index(struct mongo *m, mongoc_client_t *client, struct lks_err *err)
{
    bool there = true, unique;
    if (strcmp(m->id_field, "_id") != 0) keys_look_for_index(m, client, &there, &unique);
    if (there) return true;
    char *name = bson_strdup_printf("lockstep_%s", m->id_field);
    bool ok = make_index(m, client, &(struct wanted){m->collection, name, {m->id_field}}, err);
    bson_free(name);
    return ok;
}

/* Those in the source itself, but for those on records. */
static bool make_own(struct mongo *m, mongoc_client_t *client, const struct mongo_facts *facts,
                     struct lks_err *err)
{
    if (facts->view || !make_id_index(m, client, err)) return facts->view;
    if (!facts->collated) return true;
    bool ok = make_index(m, client,
                         &(struct wanted){m->collection, SIMPLE_ID_INDEX, {"_id", SIMPLE_ID_FIELD}}, err);
    facts_forget(m);
    return ok;
}

/* {createIndexes: records, indexes: [{key: {overallStatus: 1, each entry's status: 1}, name, collation}]} */
static void overall_command(struct mongo *m, bson_t *command, const char *records)
{
    bson_t list, index, key;
    BSON_APPEND_UTF8(command, "createIndexes", records);
    BSON_APPEND_ARRAY_BEGIN(command, "indexes", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &index);
    BSON_APPEND_DOCUMENT_BEGIN(&index, "key", &key);
    contradictions_index_key(&key, m->names, m->name_count);
    bson_append_document_end(&index, &key);
    BSON_APPEND_UTF8(&index, "name", CONTRADICTIONS_INDEX);
    mongo_append_simple(&index);
    bson_append_document_end(&list, &index);
    bson_append_array_end(command, &list);
}

/* One for all enabled collections, made again when they are others. False only if the server couldn't be
 * asked.
 */
static bool make_overall_index(struct mongo *m, mongoc_client_t *client, const char *records,
                               struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t error;
    overall_command(m, &command, records);
    bool ok = mongo_command(m, client, NULL, 0, MONGO_WRITES, &command, &reply, &error);
    if (!ok && mongo_is_server_error(&error) && error.code == OTHER_KEYS) {
        drop_index(m, client, records, CONTRADICTIONS_INDEX, "it is of other collections");
        bson_destroy(&reply);
        ok = mongo_command(m, client, NULL, 0, MONGO_WRITES, &command, &reply, &error);
    }
    bool answered = index_answered(ok, &error, records, METADATA ".overallStatus", err);
    bson_destroy(&command);
    bson_destroy(&reply);
    return answered;
}

static bool make_for_collection(struct mongo *m, mongoc_client_t *client, const char *records,
                                const char *name, struct lks_err *err)
{
    char *status = bson_strdup_printf(METADATA ".collections.%s.status", name);
    char *retry = bson_strdup_printf(METADATA ".collections.%s.nextRetryAt", name);
    char *point = bson_strdup_printf(METADATA ".collections.%s.pointId", name);
    bool ok = make_index(m, client, &(struct wanted){records, NULL, {status, retry}}, err) &&
              make_index(m, client, &(struct wanted){records, NULL, {point, status}}, err);
    bson_free(point);
    bson_free(status);
    bson_free(retry);
    return ok;
}

static enum lks_code make_all(struct mongo *m, mongoc_client_t *client, struct lks_err *err)
{
    const char *records = m->metadata == MONGO_SIDECAR ? m->sidecar : m->collection;
    struct mongo_facts facts;
    facts_of(m, client, &facts);
    if (mongo_facts_refused(m, &facts)) return LKS_E_OK; /* nothing reads it */
    if (facts.collated && !facts.view) drop_inherited(m, client, m->collection);
    bool ok =
        make_index(m, client, &(struct wanted){STATE_COLLECTION, NULL, {"source", "due", "_id.doc"}}, err) &&
        make_index(m, client, &(struct wanted){records, NULL, {METADATA ".overallStatus"}}, err) &&
        make_index(m, client,
                   &(struct wanted){records, NULL, {METADATA ".overallStatus", METADATA ".updatedAt"}}, err);
    if (ok) ok = make_own(m, client, &facts, err);
    if (ok) ok = make_overall_index(m, client, records, err);
    for (size_t i = 0; ok && i < m->name_count; i++)
        ok = make_for_collection(m, client, records, m->names[i], err);
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
