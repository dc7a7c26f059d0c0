/*
 * command.c - running commands and cursors: explicit sessions, read concern with afterClusterTime, errors.
 *
 * Commands go out as documents of ours, so that the read concern (which the driver would cut to its level) is
 * what the wire carries. It never retries on its own and never shows the URI.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mongo/mongo_internal.h"

bool mongo_is_server_error(const bson_error_t *error)
{
    return error->domain == MONGOC_ERROR_SERVER || error->domain == MONGOC_ERROR_WRITE_CONCERN ||
           error->domain == MONGOC_ERROR_QUERY;
}

/* What a user must be granted for a command to be allowed. */
static const struct {
    const char *command, *action;
} actions[] = {
    {"find", "find"},
    {"aggregate", "find"},
    {"getMore", "find"},
    {"count", "find"},
    {"insert", "insert"},
    {"update", "update"},
    {"delete", "remove"},
    {"findAndModify", "find, insert and update"},
    {"createIndexes", "createIndex"},
    {"listIndexes", "listIndexes"},
};

static const char *action_of(const char *command, size_t bytes, const char *message)
{
    if (strstr(message, "$changeStream")) return "changeStream and find";
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strlen(actions[i].command) == bytes && !memcmp(actions[i].command, command, bytes))
            return actions[i].action;
    return "readWrite";
}

/* The server's message repeats the whole command, contents and all: only its name and collection are
 * repeated. */
static enum lks_code fail_unauthorized(struct lks_err *err, const char *message, const char *what)
{
    static const char opening[] = " to execute command { ";
    const char *command = strstr(message, opening);
    if (!command)
        return lks_fail(err, LKS_E_MONGO,
                        "MongoDB, %s: %s (code 13); the URI's user lacks a privilege, or it "
                        "names no user",
                        what, message);
    int reported = (int)(command - message);
    command += sizeof opening - 1;
    size_t bytes = strcspn(command, ":");
    const char *collection = command + bytes;
    collection += strspn(collection, ": ");
    size_t quoted = *collection == '"' ? strcspn(++collection, "\"") : 0;
    return lks_fail(err, LKS_E_MONGO,
                    "MongoDB, %s: %.*s (code 13); the URI's user lacks the privilege %s%s%.*s", what,
                    reported, message, action_of(command, bytes, message),
                    quoted ? " on the collection " : "", (int)quoted, collection);
}

enum lks_code mongo_fail(struct lks_err *err, const bson_error_t *error, const char *what)
{
    const char *hint = "";
    if (mongo_is_server_error(error) && error->code == 13)
        return fail_unauthorized(err, error->message, what);
    if (mongo_is_server_error(error) && error->code == 18) hint = "; check the user name and password";
    if (error->code)
        return lks_fail(err, LKS_E_MONGO, "MongoDB, %s: %s (code %" PRIu32 ")%s", what, error->message,
                        error->code, hint);
    return lks_fail(err, LKS_E_MONGO, "MongoDB, %s: %s", what, error->message);
}

mongoc_client_t *mongo_pop(struct mongo *m)
{
    return mongoc_client_pool_pop(m->pool);
}

void mongo_push(struct mongo *m, mongoc_client_t *client)
{
    if (client) mongoc_client_pool_push(m->pool, client);
}

/* sessionId and serverId for the driver. */
static bool command_opts(bson_t *opts, mongoc_client_session_t *session, uint32_t server_id,
                         bson_error_t *error)
{
    if (session && !mongoc_client_session_append(session, opts, error)) return false;
    return !server_id || BSON_APPEND_INT64(opts, "serverId", server_id);
}

void mongo_append_majority(bson_t *opts)
{
    bson_t concern;
    BSON_APPEND_DOCUMENT_BEGIN(opts, "writeConcern", &concern);
    BSON_APPEND_UTF8(&concern, "w", "majority");
    BSON_APPEND_INT32(&concern, "wtimeout", WRITE_TIMEOUT_MS);
    bson_append_document_end(opts, &concern);
}

bool mongo_command(struct mongo *m, mongoc_client_t *client, mongoc_client_session_t *session,
                   uint32_t server_id, enum mongo_direction direction, const bson_t *command, bson_t *reply,
                   bson_error_t *error)
{
    bson_t opts = BSON_INITIALIZER;
    bool ok = false;
    memset(error, 0, sizeof *error);
    if (!command_opts(&opts, session, server_id, error)) {
        bson_init(reply);
    } else if (direction == MONGO_WRITES) {
        mongo_append_majority(&opts);
        ok = mongoc_client_write_command_with_opts(client, m->database, command, &opts, reply, error);
    } else if (direction == MONGO_RAW) {
        ok = mongoc_client_command_with_opts(client, m->database, command, NULL, &opts, reply, error);
    } else {
        ok = mongoc_client_read_command_with_opts(client, m->database, command, NULL, &opts, reply, error);
    }
    bson_destroy(&opts);
    return ok;
}

cluster_time mongo_cluster_time(const bson_iter_t *iter)
{
    uint32_t seconds = 0, increment = 0;
    if (!BSON_ITER_HOLDS_TIMESTAMP(iter)) return 0;
    bson_iter_timestamp(iter, &seconds, &increment);
    return (cluster_time)seconds << 32 | increment;
}

cluster_time mongo_operation_time(const bson_t *reply)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, reply, "operationTime") ? mongo_cluster_time(&iter) : 0;
}

void mongo_saw(struct mongo *m, cluster_time at)
{
    cluster_time seen = atomic_load(&m->seen);
    while (at > seen && !atomic_compare_exchange_weak(&m->seen, &seen, at)) continue;
}

void mongo_append_simple(bson_t *to)
{
    bson_t collation;
    BSON_APPEND_DOCUMENT_BEGIN(to, "collation", &collation);
    BSON_APPEND_UTF8(&collation, "locale", "simple");
    bson_append_document_end(to, &collation);
}

static bool compares_values(const bson_t *command)
{
    bson_iter_t iter;
    return bson_iter_init(&iter, command) && bson_iter_next(&iter) &&
           (!strcmp(bson_iter_key(&iter), "find") || !strcmp(bson_iter_key(&iter), "aggregate"));
}

static void append_read_concern(bson_t *command, enum read_level level, cluster_time after)
{
    bson_t concern;
    if (level == LEVEL_NONE) return;
    BSON_APPEND_DOCUMENT_BEGIN(command, "readConcern", &concern);
    BSON_APPEND_UTF8(&concern, "level", level == LEVEL_MAJORITY ? "majority" : "local");
    if (level == LEVEL_MAJORITY && after)
        BSON_APPEND_TIMESTAMP(&concern, "afterClusterTime", (uint32_t)(after >> 32), (uint32_t)after);
    bson_append_document_end(command, &concern);
}

mongoc_client_session_t *mongo_session(mongoc_client_t *client)
{
    bson_error_t ignored;
    mongoc_session_opt_t *opts = mongoc_session_opts_new();
    mongoc_session_opts_set_causal_consistency(opts, false);
    mongoc_client_session_t *session = mongoc_client_start_session(client, opts, &ignored);
    mongoc_session_opts_destroy(opts);
    return session;
}

enum lks_code rows_open(struct mongo *m, mongoc_client_t *client, struct rows *rows, const bson_t *command,
                        enum read_level level, cluster_time after, const char *what, struct lks_err *err)
{
    bson_error_t error = {0};
    bson_t reply, *full = bson_copy(command), opts = BSON_INITIALIZER;
    enum lks_code code = LKS_E_OK;
    cluster_time seen = atomic_load(&m->seen);
    *rows = (struct rows){0};
    if (compares_values(command)) mongo_append_simple(full);
    append_read_concern(full, level, after > seen ? after : seen);
    mongoc_server_description_t *server = mongoc_client_select_server(client, false, NULL, &error);
    if (!server) {
        code = mongo_fail(err, &error, what);
        goto out;
    }
    uint32_t server_id = mongoc_server_description_id(server);
    mongoc_server_description_destroy(server);
    rows->session = mongo_session(client);
    if (!mongo_command(m, client, rows->session, server_id, MONGO_READS, full, &reply, &error)) {
        code = mongo_fail(err, &error, what);
        bson_destroy(&reply);
        goto out;
    }
    if (!command_opts(&opts, rows->session, server_id, &error)) {
        code = mongo_fail(err, &error, what);
        bson_destroy(&reply);
        goto out;
    }
    rows->cursor = mongoc_cursor_new_from_command_reply_with_opts(client, &reply, &opts); /* takes reply */
out:
    bson_destroy(&opts);
    bson_destroy(full);
    if (code) rows_close(rows, what, NULL);
    return code;
}

bool rows_next(struct rows *rows, const bson_t **row)
{
    return rows->cursor && mongoc_cursor_next(rows->cursor, row);
}

enum lks_code rows_close(struct rows *rows, const char *what, struct lks_err *err)
{
    bson_error_t error;
    enum lks_code code = LKS_E_OK;
    if (rows->cursor && mongoc_cursor_error(rows->cursor, &error)) code = mongo_fail(err, &error, what);
    if (rows->cursor) mongoc_cursor_destroy(rows->cursor);
    if (rows->session) mongoc_client_session_destroy(rows->session);
    *rows = (struct rows){0};
    return code;
}

void rows_sorted(bson_t *command, const char *field, size_t limit)
{
    bson_t sort;
    BSON_APPEND_DOCUMENT_BEGIN(command, "sort", &sort);
    BSON_APPEND_INT32(&sort, field, 1);
    bson_append_document_end(command, &sort);
    BSON_APPEND_INT64(command, "limit", (int64_t)limit);
}
