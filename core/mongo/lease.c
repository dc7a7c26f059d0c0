/*
 * lease.c - one writer per source: a lease in the source's document of lockstep.state, by the server's clock.
 *
 * lease: {owner, epoch, until, released, clean, unproven, previous: {released, clean}}. Every step is one
 * findAndModify whose pipeline decides by $$NOW on the server, so no two processes' clocks are ever compared.
 * `previous` is what the holder before left behind, for whoever takes over. `unproven` is the epoch of the
 * first holder since anybody has proven that guarded writes took place (engine/session/epochs.c).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mongo/mongo_internal.h"

/* ---- expressions ---- */

/* Parses JSON whose quotes are single for readability. NULL when memory is out. */
static bson_t *parse(const char *text)
{
    bson_error_t error;
    char *json = strdup(text);
    if (!json) return NULL;
    for (char *c = json; *c; c++)
        if (*c == '\'') *c = '"';
    bson_t *doc = bson_new_from_json((const uint8_t *)json, (ssize_t)strlen(json), &error);
    free(json);
    return doc;
}

/*
 * The document as it is after a try to take the lease: unchanged while another holds it. The epoch never
 * falls, not even when the database was dropped or restored: it is the clock's seconds at least. A second
 * taking by the same owner inherits nothing clean: it lost the lease in between, or the reply to its first.
 */
#define FREE                                                                                                 \
    "{'$or':[{'$lte':[{'$ifNull':['$lease.until',{'$date':{'$numberLong':'0'}}]},'$$NOW']},"                 \
    "{'$eq':['$lease.owner','%s']}]}"
#define TAKEN                                                                                                \
    "{'owner':{'$literal':'%s'},"                                                                            \
    "'epoch':{'$max':[{'$add':[{'$ifNull':['$lease.epoch',{'$numberLong':'0'}]},{'$numberLong':'1'}]},"      \
    "{'$toLong':{'$divide':[{'$toLong':'$$NOW'},1000]}}]},"                                                  \
    "'unproven':{'$ifNull':['$lease.unproven','$lease.epoch']},"                                             \
    "'until':{'$add':['$$NOW',{'$numberLong':'%" PRId64 "'}]},'released':false,'clean':false,"               \
    "'previous':{'existed':{'$gt':['$lease.epoch',0]},'released':{'$eq':['$lease.released',true]},"          \
    "'clean':{'$and':[{'$eq':['$lease.released',true]},{'$eq':['$lease.clean',true]}]}}}"
static const char take_format[] = "{'u':[{'$set':{'lease':{'$cond':[" FREE "," TAKEN ",'$lease']}}}]}";
static const char renew_format[] =
    "{'u':[{'$set':{'lease.until':{'$add':['$$NOW',{'$numberLong':'%" PRId64 "'}]}%s}}]}";
/* What was recorded since the last proof is not proven: it is compared from the first document on. */
static const char raise_format[] =
    "{'u':[{'$set':{'lease.epoch':{'$numberLong':'%" PRIu64
    "'},'lease.until':{'$add':['$$NOW',{'$numberLong':'%" PRId64 "'}]},"
    "'lease.unproven':'$$REMOVE','state.scanRunning':true,'state.scanDoubt':true,"
    "'state.scanAfter':'$$REMOVE'}}]}";
static const char release_format[] = "{'u':[{'$set':{'lease.until':{'$date':{'$numberLong':'0'}},"
                                     "'lease.released':true,'lease.clean':%s%s}}]}";
static const char proven_field[] = ",'lease.unproven':'$$REMOVE'";

/* An owner is put into JSON text: anything that could break it is replaced. */
static char *plain_owner(const char *owner)
{
    char *plain = strdup(owner);
    for (char *c = plain; c && *c; c++)
        if (*c == '\'' || *c == '"' || *c == '\\' || *c == '$' || (unsigned char)*c < ' ') *c = '_';
    return plain;
}

static bson_t *update_of(const struct req *req, const char *owner)
{
    char *text = NULL;
    const char *proven = req->lease.proven ? proven_field : "";
    switch (req->lease.op) {
    case LEASE_TAKE:
        text = bson_strdup_printf(take_format, owner, owner, req->lease.lease_ms);
        break;
    case LEASE_RENEW:
        text = bson_strdup_printf(renew_format, req->lease.lease_ms, proven);
        break;
    case LEASE_RAISE:
        text = bson_strdup_printf(raise_format, req->lease.raise_to, req->lease.lease_ms);
        break;
    case LEASE_RELEASE:
        text = bson_strdup_printf(release_format, req->lease.clean ? "true" : "false", proven);
        break;
    }
    bson_t *update = text ? parse(text) : NULL;
    bson_free(text);
    return update;
}

/* ---- the command ---- */

/* A raise whose reply was lost finds the epoch that it asked for. */
static void append_epoch(bson_t *query, const struct req *req)
{
    bson_t either, list;
    if (req->lease.op != LEASE_RAISE) {
        BSON_APPEND_INT64(query, "lease.epoch", (int64_t)req->lease.epoch);
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(query, "lease.epoch", &either);
    BSON_APPEND_ARRAY_BEGIN(&either, "$in", &list);
    BSON_APPEND_INT64(&list, "0", (int64_t)req->lease.epoch);
    BSON_APPEND_INT64(&list, "1", (int64_t)req->lease.raise_to);
    bson_append_array_end(&either, &list);
    bson_append_document_end(query, &either);
}

static void lease_command(struct mongo *m, bson_t *command, const struct req *req, const char *owner,
                          const bson_t *update)
{
    bson_t query;
    bson_iter_t iter;
    BSON_APPEND_UTF8(command, "findAndModify", STATE_COLLECTION);
    BSON_APPEND_DOCUMENT_BEGIN(command, "query", &query);
    BSON_APPEND_UTF8(&query, "_id", m->source);
    if (req->lease.op != LEASE_TAKE) {
        BSON_APPEND_UTF8(&query, "lease.owner", owner);
        append_epoch(&query, req);
    }
    bson_append_document_end(command, &query);
    if (bson_iter_init_find(&iter, update, "u")) bson_append_iter(command, "update", -1, &iter);
    BSON_APPEND_BOOL(command, "new", true);
    if (req->lease.op == LEASE_TAKE) BSON_APPEND_BOOL(command, "upsert", true);
}

/* A field of the lease in the reply's document. */
static bool lease_field(const bson_t *reply, const char *path, bson_iter_t *value)
{
    bson_iter_t iter;
    char full[64];
    snprintf(full, sizeof full, "value.lease.%s", path);
    return bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, full, value);
}

static bool lease_flag(const bson_t *reply, const char *path)
{
    bson_iter_t value;
    return lease_field(reply, path, &value) && bson_iter_as_bool(&value);
}

static bool is_mine(const bson_t *reply, const char *owner)
{
    bson_iter_t value;
    return lease_field(reply, "owner", &value) && BSON_ITER_HOLDS_UTF8(&value) &&
           !strcmp(bson_iter_utf8(&value, NULL), owner);
}

/* ---- who has it ---- */

/* {owner, left} of the lease, `left` milliseconds by the server's clock. */
static enum lks_code read_lease_holder(struct mongo *m, mongoc_client_t *client, char **lease_holder,
                                       int64_t *left_ms, struct lks_err *err)
{
    static const char what[] = "asking who holds the lease";
    struct rows rows;
    const bson_t *row;
    bson_iter_t iter;
    bson_t command = BSON_INITIALIZER, pipeline, stage, match, cursor;
    bson_t *project =
        parse("{'$project':{'owner':'$lease.owner','left':{'$subtract':['$lease.until','$$NOW']}}}");
    *lease_holder = NULL;
    *left_ms = 0;
    if (!project) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    BSON_APPEND_UTF8(&command, "aggregate", STATE_COLLECTION);
    BSON_APPEND_ARRAY_BEGIN(&command, "pipeline", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &match);
    BSON_APPEND_UTF8(&match, "_id", m->source);
    bson_append_document_end(&stage, &match);
    bson_append_document_end(&pipeline, &stage);
    BSON_APPEND_DOCUMENT(&pipeline, "1", project);
    bson_append_array_end(&command, &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "cursor", &cursor);
    bson_append_document_end(&command, &cursor);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_LOCAL, 0, what, err);
    if (!code && rows_next(&rows, &row)) {
        if (bson_iter_init_find(&iter, row, "left") && BSON_ITER_HOLDS_NUMBER(&iter))
            *left_ms = bson_iter_as_int64(&iter);
        if (bson_iter_init_find(&iter, row, "owner") && BSON_ITER_HOLDS_UTF8(&iter))
            if (!(*lease_holder =
                      strdup(bson_iter_utf8(&iter, NULL)))) /* none would mean that nobody has it */
                code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    }
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    bson_destroy(project);
    return code ? code : closed;
}

enum lks_code mongo_lease_holder(struct mongo *m, char **lease_holder, struct lks_err *err)
{
    int64_t left_ms;
    mongoc_client_t *client = mongo_pop(m);
    enum lks_code code = read_lease_holder(m, client, lease_holder, &left_ms, err);
    mongo_push(m, client);
    if (left_ms > 0) return code;
    free(*lease_holder);
    *lease_holder = NULL;
    return code;
}

static uint64_t number_at(const bson_t *row, const char *path)
{
    bson_iter_t iter, value;
    if (!bson_iter_init(&iter, row) || !bson_iter_find_descendant(&iter, path, &value)) return 0;
    return BSON_ITER_HOLDS_NUMBER(&value) ? (uint64_t)bson_iter_as_int64(&value) : 0;
}

enum lks_code mongo_lease_epochs(struct mongo *m, uint64_t *epoch, uint64_t *floor, struct lks_err *err)
{
    static const char what[] = "reading the lease's epoch";
    struct rows rows;
    const bson_t *row;
    bson_t command = BSON_INITIALIZER, filter;
    mongoc_client_t *client = mongo_pop(m);
    *epoch = *floor = 0;
    BSON_APPEND_UTF8(&command, "find", STATE_COLLECTION);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_UTF8(&filter, "_id", m->source);
    bson_append_document_end(&command, &filter);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, err);
    if (!code && rows_next(&rows, &row)) {
        *epoch = number_at(row, "lease.epoch");
        *floor = number_at(row, "lease.unproven");
        if (!*floor) *floor = *epoch;
    }
    enum lks_code closed = rows_close(&rows, what, code ? NULL : err);
    bson_destroy(&command);
    mongo_push(m, client);
    return code ? code : closed;
}

/* ---- REQ_LEASE ---- */

static enum lks_code not_mine(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    enum lks_code code =
        read_lease_holder(m, client, &req->lease.lease_holder, &req->lease.remaining_ms, &req->err);
    if (req->lease.remaining_ms < 0) req->lease.remaining_ms = 0;
    return code;
}

static void take_reply(struct mongo *m, struct req *req, const bson_t *reply, const char *owner)
{
    bson_iter_t value;
    req->lease.held = is_mine(reply, owner);
    if (!req->lease.held) return;
    mongo_saw(m, mongo_operation_time(reply)); /* the state is read no older than this */
    if (req->lease.op != LEASE_TAKE) return;
    if (lease_field(reply, "epoch", &value)) req->lease.epoch = (uint64_t)bson_iter_as_int64(&value);
    if (lease_field(reply, "unproven", &value)) req->lease.floor = (uint64_t)bson_iter_as_int64(&value);
    req->lease.previous_expired =
        lease_flag(reply, "previous.existed") && !lease_flag(reply, "previous.released");
}

enum lks_code lease_run(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t error;
    enum lks_code code = LKS_E_OK;
    req->lease.held = false;
    char *owner = plain_owner(m->owner);
    bson_t *update = owner ? update_of(req, owner) : NULL;
    if (!update) {
        free(owner);
        return lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    }
    lease_command(m, &command, req, owner, update);
    bool ok = mongo_command(m, client, NULL, 0, MONGO_WRITES, &command, &reply, &error);
    if (ok) take_reply(m, req, &reply, owner);
    if (!ok && !(mongo_is_server_error(&error) && error.code == 11000))
        code = mongo_fail(&req->err, &error, "the lease");
    else if (req->lease.op == LEASE_TAKE && !req->lease.held)
        code = not_mine(m, client, req);
    bson_destroy(&command);
    bson_destroy(&reply);
    bson_destroy(update);
    free(owner);
    return code;
}
