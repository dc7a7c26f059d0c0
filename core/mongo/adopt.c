/*
 * adopt.c - looks, before the first start writes anything, for a `syncMetadata` that another program wrote.
 *
 * An entry of ours always has `payloadHash`, null included. One query with a time limit; it never writes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mongo/mongo_internal.h"

#define LIMIT_MS 10000
#define TIME_LIMIT_EXCEEDED 50 /* the server's MaxTimeMSExpired */

static const char filter_text[] =
    "{'syncMetadata':{'$ne':null},'$expr':{'$eq':[0,{'$size':{'$filter':{'input':{'$cond':["
    "{'$eq':[{'$type':'$syncMetadata.collections'},'object']},"
    "{'$objectToArray':'$syncMetadata.collections'},[]]},"
    "'as':'each','cond':{'$ne':[{'$type':'$$each.v.payloadHash'},'missing']}}}}]}}";

static bson_t *filter_of(void)
{
    bson_error_t error;
    char *json = strdup(filter_text);
    if (!json) return NULL;
    for (char *c = json; *c; c++)
        if (*c == '\'') *c = '"';
    bson_t *filter = bson_new_from_json((const uint8_t *)json, (ssize_t)strlen(json), &error);
    free(json);
    return filter;
}

static void find_command(const struct mongo *m, const bson_t *filter, bson_t *command)
{
    BSON_APPEND_UTF8(command, "find", m->collection);
    BSON_APPEND_DOCUMENT(command, "filter", filter);
    BSON_APPEND_DOCUMENT(command, "projection", m->only_id);
    BSON_APPEND_INT32(command, "limit", 1);
    BSON_APPEND_BOOL(command, "singleBatch", true);
    BSON_APPEND_INT32(command, "maxTimeMS", LIMIT_MS);
    mongo_append_simple(command);
}

static enum lks_code refuse(const struct mongo *m, const bson_iter_t *found, struct lks_err *err)
{
    bson_iter_t id = *found;
    struct docid *doc = bson_iter_recurse(found, &id) && bson_iter_find(&id, "_id") ? docid_new(&id) : NULL;
    char *plain = doc ? docid_plain(doc) : NULL;
    lks_fail(
        err, LKS_E_CONFIG,
        "document %.100s of %s.%s has a field `syncMetadata` that another program wrote, and nothing was "
        "saved about source %s yet; set `metadata = sidecar` in the source's section to keep all sync "
        "state beside the documents, or `adopt_metadata = yes` to overwrite that field",
        plain ? plain : "?", m->database, m->collection, m->source);
    free(plain);
    docid_free(doc);
    return LKS_E_CONFIG;
}

static enum lks_code judge(const struct mongo *m, const bson_t *reply, struct lks_err *err)
{
    bson_iter_t iter, first;
    if (bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.0", &first) &&
        BSON_ITER_HOLDS_DOCUMENT(&first))
        return refuse(m, &first, err);
    return LKS_E_OK;
}

enum lks_code adopt_check(struct mongo *m, mongoc_client_t *client, struct lks_err *err)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t error;
    enum lks_code code = LKS_E_OK;
    if (m->metadata != MONGO_EMBEDDED || m->adopt_metadata) return LKS_E_OK;
    bson_t *filter = filter_of();
    if (!filter) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    find_command(m, filter, &command);
    if (mongo_command(m, client, NULL, 0, MONGO_READS, &command, &reply, &error))
        code = judge(m, &reply, err);
    else if (mongo_is_server_error(&error) && error.code == TIME_LIMIT_EXCEEDED)
        log_info("no syncMetadata of another program was found within the time limit",
                 LOG_STR("source", m->source), LOG_INT("limit_ms", LIMIT_MS));
    else
        code = mongo_fail(err, &error, "looking for syncMetadata of another program");
    bson_destroy(&reply);
    bson_destroy(&command);
    bson_destroy(filter);
    return code;
}
