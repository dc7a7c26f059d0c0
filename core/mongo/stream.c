/*
 * stream.c - the change stream, by aggregate and getMore of our own.
 *
 * The driver's change stream object resumes by itself inside `next`; here every resume is the engine's, who
 * opens again from its token. A resume with a token whose history is gone succeeds on a quiet collection and
 * even hands out new tokens, so tokens that stand for no event are handed out only once an event came or a
 * probe has shown that the history is there. Owns the cursor; only the stream's channel comes here.
 */
#include <stdlib.h>
#include <string.h>

#include "mongo/mongo_internal.h"
#include "mongo/pipeline.h"

/* So that closing never waits longer. */
#define MAX_WAIT_MS 5000

static const char what_open[] = "opening the change stream";
static const char what_next[] = "following the change stream";

/* ---- what errors mean ---- */

static bool is_one_of(uint32_t code, const uint32_t *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i] == code) return true;
    return false;
}
#define IS_ONE_OF(code, codes) is_one_of((code), (codes), sizeof(codes) / sizeof *(codes))

/* The history is gone; 10334 is an event that grew beyond 16 MB, which no resume passes. */
static const uint32_t lost_codes[] = {286, 280, 260, 136, 10334};
/* A token that is none: nothing can be resumed from it. */
static const uint32_t token_codes[] = {9, 14, 40647, 40648, 40649, 50788, 50789, 50790, 50811};
/* Standalones, and servers that only speak like MongoDB. */
static const uint32_t unsupported_codes[] = {40573, 40324, 59, 115, 166, 238, 303, 304};

static enum lks_code fail_stream(struct lks_err *err, const bson_error_t *error, const char *what,
                                 bool with_token)
{
    enum lks_code code = mongo_fail(err, error, what);
    if (!mongo_is_server_error(error)) return code;
    if (IS_ONE_OF(error->code, lost_codes) || (with_token && IS_ONE_OF(error->code, token_codes)))
        err->code = LKS_E_STREAM_LOST;
    else if (IS_ONE_OF(error->code, unsupported_codes))
        err->code = LKS_E_UNSUPPORTED;
    return err->code;
}

/* ---- opening and closing ---- */

static void kill_cursor(struct mongo *m, mongoc_client_t *client, mongoc_client_session_t *session,
                        uint32_t server_id, int64_t cursor)
{
    bson_t command = BSON_INITIALIZER, list, reply;
    bson_error_t ignored;
    BSON_APPEND_UTF8(&command, "killCursors", m->collection);
    BSON_APPEND_ARRAY_BEGIN(&command, "cursors", &list);
    BSON_APPEND_INT64(&list, "0", cursor);
    bson_append_array_end(&command, &list);
    mongo_command(m, client, session, server_id, MONGO_RAW, &command, &reply, &ignored);
    bson_destroy(&command);
    bson_destroy(&reply);
}

void stream_close(struct mongo *m)
{
    struct stream *s = &m->stream;
    if (s->cursor && !atomic_load(&m->closing))
        kill_cursor(m, s->client, s->session, s->server_id, s->cursor);
    if (s->held) bson_destroy(s->held);
    if (s->end_token) bson_destroy(s->end_token);
    if (s->session) mongoc_client_session_destroy(s->session);
    mongo_push(m, s->client);
    *s = (struct stream){0};
}

static int64_t cursor_id(const bson_t *reply)
{
    bson_iter_t iter, id;
    if (!bson_iter_init(&iter, reply) || !bson_iter_find_descendant(&iter, "cursor.id", &id)) return 0;
    return bson_iter_as_int64(&id);
}

/* A session (a getMore must come in that of its aggregate) and a server to stay with. */
static bool choose_server(struct mongo *m, bson_error_t *error)
{
    struct stream *s = &m->stream;
    s->client = mongo_pop(m);
    mongoc_server_description_t *server = mongoc_client_select_server(s->client, false, NULL, error);
    if (!server) return false;
    s->server_id = mongoc_server_description_id(server);
    mongoc_server_description_destroy(server);
    s->session = mongo_session(s->client);
    return true;
}

/* Is the history from s->probe_at on still there? The stream is open, so that it can't go unnoticed later. */
static enum lks_code probe(struct mongo *m, struct lks_err *err)
{
    struct stream *s = &m->stream;
    bson_t *command = pipeline_probe_command(m->collection, s->probe_at), reply;
    bson_error_t error;
    enum lks_code code = LKS_E_OK;
    if (mongo_command(m, s->client, s->session, s->server_id, MONGO_RAW, command, &reply, &error)) {
        s->proven = true;
        int64_t cursor = cursor_id(&reply);
        if (cursor) kill_cursor(m, s->client, s->session, s->server_id, cursor);
    } else {
        code = fail_stream(err, &error, "asking whether the change stream's history is still there", false);
    }
    bson_destroy(command);
    bson_destroy(&reply);
    return code;
}

/* The server's time before the stream is opened; 0 if it doesn't say. */
static bool server_time(struct mongo *m, cluster_time *at, bson_error_t *error)
{
    bson_t command = BSON_INITIALIZER, reply;
    BSON_APPEND_INT32(&command, "ping", 1);
    bool ok = mongo_command(m, m->stream.client, m->stream.session, m->stream.server_id, MONGO_RAW, &command,
                            &reply, error);
    *at = mongo_operation_time(&reply);
    bson_destroy(&command);
    bson_destroy(&reply);
    return ok;
}

static void opened(struct mongo *m, struct req *req, const bson_t *reply, cluster_time at)
{
    struct stream *s = &m->stream;
    if (!at && !req->stream_open.token) at = mongo_operation_time(reply);
    s->cursor = cursor_id(reply);
    s->held = bson_copy(reply);
    s->last = at;
    /* an opening at a time that is gone has failed; with a token nothing is proven yet */
    s->proven = !req->stream_open.token;
    s->probe_at = req->stream_open.token ? at : 0;
    req->stream_open.opened_at = at;
    req->stream_open.now = mongo_operation_time(reply);
    if (!req->stream_open.now) req->stream_open.now = at;
    mongo_saw(m, at);
}

/*
 * From now on means: from a time asked for before. A stream that is opened without one begins behind the
 * newest write, which the next majority read may not show yet: that write would be in neither. Reads are held
 * to this time from here on.
 */
static enum lks_code open_cursor(struct mongo *m, struct req *req)
{
    struct stream *s = &m->stream;
    const bson_t *token = req->stream_open.token;
    cluster_time at = req->stream_open.at, from = at;
    bson_error_t error = {0};
    bson_t reply, *command;
    enum lks_code code = LKS_E_OK;
    if (!choose_server(m, &error) || (!token && !at && !server_time(m, &at, &error)))
        return mongo_fail(&req->err, &error, what_open);
    if (!token && !from && at) from = at + 1; /* behind what is there already */
    command = pipeline_open_command(m->collection, token, from);
    if (mongo_command(m, s->client, s->session, s->server_id, MONGO_RAW, command, &reply, &error))
        opened(m, req, &reply, at);
    else
        code = fail_stream(&req->err, &error, what_open, token);
    bson_destroy(command);
    bson_destroy(&reply);
    return code;
}

enum lks_code stream_open(struct mongo *m, struct req *req)
{
    stream_close(m);
    if (m->watch == MONGO_WATCH_POLL || m->watch == MONGO_WATCH_OFF)
        return lks_fail(&req->err, LKS_E_UNSUPPORTED, "the configuration says not to use change streams");
    struct mongo_facts facts;
    mongo_facts(m, &facts);
    if (mongo_facts_polled(&facts))
        return lks_fail(&req->err, LKS_E_UNSUPPORTED, "%s.%s is %s, whose change stream %s", m->database,
                        m->collection, mongo_facts_polled(&facts),
                        facts.view ? "does not exist" : "does not report which documents fall out of it");
    enum lks_code code = open_cursor(m, req);
    /* a probe that fails for another reason leaves the stream unproven, and is repeated when it is idle */
    if (!code && m->stream.probe_at && probe(m, &req->err) == LKS_E_STREAM_LOST) code = LKS_E_STREAM_LOST;
    if (!code) lks_err_clear(&req->err);
    req->stream_open.proven = m->stream.proven;
    if (code) stream_close(m);
    return code;
}

/* ---- events ---- */

/* syncMetadata, or a path in it */
static bool in_record(const char *path)
{
    size_t bytes = sizeof METADATA - 1;
    return !strncmp(path, METADATA, bytes) && (!path[bytes] || path[bytes] == '.');
}

static bool take_keys(const bson_iter_t *value, struct change *change)
{
    bson_iter_t list;
    size_t count = 0;
    if (!BSON_ITER_HOLDS_ARRAY(value) || !bson_iter_recurse(value, &list)) return true;
    while (bson_iter_next(&list)) count++;
    change->keys = calloc(count + 1, sizeof *change->keys);
    if (!change->keys || !bson_iter_recurse(value, &list)) return false;
    for (size_t i = 0; bson_iter_next(&list) && i < count;) {
        if (!BSON_ITER_HOLDS_UTF8(&list)) continue;
        const char *path = bson_iter_utf8(&list, NULL);
        if (in_record(path)) {
            change->record_too = change->op == CHANGE_UPDATE;
            continue;
        }
        if (change->op != CHANGE_UPDATE && !strcmp(path, "_id")) continue;
        change->keys[i] = strdup(path);
        if (!change->keys[i++]) return false;
    }
    return true;
}

static bson_t *take_document(const bson_iter_t *value)
{
    const uint8_t *data;
    uint32_t bytes;
    bson_iter_document(value, &bytes, &data);
    return bson_new_from_data(data, bytes);
}

/* False when memory is out: an event without the id would be one of nothing. */
static bool take_id(const bson_iter_t *key, struct change *change)
{
    bson_iter_t inner;
    if (!bson_iter_recurse(key, &inner) || !bson_iter_find(&inner, "_id")) return true;
    return (change->id = docid_new(&inner)) != NULL;
}

/* Reads one event, all but its operation. */
static bool take_fields(bson_iter_t *fields, struct change *change)
{
    while (bson_iter_next(fields)) {
        const char *key = bson_iter_key(fields);
        if (!strcmp(key, "_id") && BSON_ITER_HOLDS_DOCUMENT(fields)) change->token = take_document(fields);
        if (!strcmp(key, "clusterTime")) change->at = mongo_cluster_time(fields);
        if (!strcmp(key, "wallTime") && BSON_ITER_HOLDS_DATE_TIME(fields))
            change->wall_ms = bson_iter_date_time(fields);
        if (!strcmp(key, "documentKey") && BSON_ITER_HOLDS_DOCUMENT(fields) && !take_id(fields, change))
            return false;
        if (!strcmp(key, "keys") && change->op != CHANGE_DELETE && !take_keys(fields, change)) return false;
    }
    if (!change->wall_ms) change->wall_ms = (int64_t)(change->at >> 32) * 1000;
    return true;
}

enum event_kind { EVENT_CHANGE, EVENT_END, EVENT_OTHER };

static enum event_kind take_operation(const bson_iter_t *event, struct change *change)
{
    bson_iter_t field;
    if (!bson_iter_recurse(event, &field) || !bson_iter_find(&field, "operationType") ||
        !BSON_ITER_HOLDS_UTF8(&field))
        return EVENT_OTHER;
    const char *op = bson_iter_utf8(&field, NULL);
    change->replaced = !strcmp(op, "replace");
    if (change->replaced || !strcmp(op, "insert"))
        change->op = CHANGE_UPSERT;
    else if (!strcmp(op, "update"))
        change->op = CHANGE_UPDATE;
    else if (!strcmp(op, "delete"))
        change->op = CHANGE_DELETE;
    else
        return !strcmp(op, "drop") || !strcmp(op, "rename") || !strcmp(op, "dropDatabase") ||
                       !strcmp(op, "invalidate")
                   ? EVENT_END
                   : EVENT_OTHER;
    return EVENT_CHANGE;
}

/* drop, rename, dropDatabase, then invalidate: the last one's token is what to start after. */
static void take_end(struct stream *s, struct change *change)
{
    s->ended = true;
    if (s->end_token) bson_destroy(s->end_token);
    s->end_token = change->token;
    s->end_time = change->at;
    change->token = NULL;
}

static enum lks_code take_event(struct stream *s, struct req *req, const bson_iter_t *event, size_t *capacity)
{
    struct change change = {0};
    bson_iter_t fields;
    enum event_kind kind = take_operation(event, &change);
    if (!bson_iter_recurse(event, &fields) || !take_fields(&fields, &change)) goto nomem;
    s->proven = true; /* the server compares the token it resumes from before it shows the first event */
    if (change.at > s->last) s->last = change.at;
    if (kind == EVENT_END) take_end(s, &change);
    if (kind != EVENT_CHANGE || !change.id || !change.token) {
        bool damaged = kind == EVENT_CHANGE;
        change_fini(&change);
        /* left out it would be a change that nobody hears of */
        return damaged ? lks_fail(&req->err, LKS_E_MONGO, "an event without its token or its document's key")
                       : LKS_E_OK;
    }
    if (req->stream_next.change_count == *capacity) {
        size_t more = *capacity ? *capacity * 2 : 64;
        struct change *grown = realloc(req->stream_next.changes, more * sizeof *grown);
        if (!grown) goto nomem;
        req->stream_next.changes = grown;
        *capacity = more;
    }
    req->stream_next.changes[req->stream_next.change_count++] = change;
    return LKS_E_OK;
nomem:
    change_fini(&change);
    return lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
}

/*
 * The time of a post-batch token. It is not known, and a later time would make a later probe prove too much;
 * so what the token begins with is believed only between the newest event and the server's own time.
 */
static cluster_time batch_time(const struct stream *s, const bson_t *token, const bson_t *reply)
{
    cluster_time at = pipeline_token_time(token), now = mongo_operation_time(reply);
    if (now && at > now) at = now;
    return at > s->last ? at : s->last;
}

static enum lks_code take_batch(struct mongo *m, struct req *req, const bson_t *reply)
{
    struct stream *s = &m->stream;
    bson_iter_t iter, cursor, events;
    size_t capacity = 0;
    enum lks_code code = LKS_E_OK;
    bson_t *token = NULL;
    if (!bson_iter_init_find(&iter, reply, "cursor") || !bson_iter_recurse(&iter, &cursor))
        return lks_fail(&req->err, LKS_E_MONGO, "MongoDB, %s: the reply has no cursor", what_next);
    while (!code && bson_iter_next(&cursor)) {
        const char *key = bson_iter_key(&cursor);
        if ((!strcmp(key, "firstBatch") || !strcmp(key, "nextBatch")) && BSON_ITER_HOLDS_ARRAY(&cursor) &&
            bson_iter_recurse(&cursor, &events)) {
            while (!code && bson_iter_next(&events))
                if (BSON_ITER_HOLDS_DOCUMENT(&events)) code = take_event(s, req, &events, &capacity);
        } else if (!strcmp(key, "postBatchResumeToken") && BSON_ITER_HOLDS_DOCUMENT(&cursor) && !token) {
            token = take_document(&cursor);
        }
    }
    mongo_saw(m, s->last);
    if (!code && token && s->proven && !s->ended) {
        req->stream_next.at = batch_time(s, token, reply);
        if (req->stream_next.at > s->last) s->last = req->stream_next.at;
        req->stream_next.token = token;
        token = NULL;
    }
    if (token) bson_destroy(token);
    req->stream_next.proven = s->proven;
    return code;
}

/* ---- REQ_STREAM_NEXT ---- */

static enum lks_code ended(struct stream *s, struct req *req)
{
    req->stream_next.token = s->end_token ? bson_copy(s->end_token) : NULL;
    req->stream_next.at = s->end_time;
    req->stream_next.proven = true;
    return lks_fail(&req->err, LKS_E_STREAM_ENDED, "the collection was dropped or renamed");
}

static bool get_more(struct mongo *m, const struct req *req, bson_t *reply, bson_error_t *error)
{
    struct stream *s = &m->stream;
    bson_t command = BSON_INITIALIZER;
    int wait_ms = req->stream_next.wait_ms;
    BSON_APPEND_INT64(&command, "getMore", s->cursor);
    BSON_APPEND_UTF8(&command, "collection", m->collection);
    if (req->stream_next.max_events)
        BSON_APPEND_INT64(&command, "batchSize", (int64_t)req->stream_next.max_events);
    BSON_APPEND_INT32(&command, "maxTimeMS", wait_ms < 1 ? 1 : wait_ms > MAX_WAIT_MS ? MAX_WAIT_MS : wait_ms);
    bool ok = mongo_command(m, s->client, s->session, s->server_id, MONGO_RAW, &command, reply, error);
    bson_destroy(&command);
    return ok;
}

/* Events that came with the opening, if any. True if there were. */
static bool take_held(struct mongo *m, struct req *req, enum lks_code *code)
{
    bson_t *held = m->stream.held;
    m->stream.held = NULL;
    if (!held) return false;
    *code = take_batch(m, req, held);
    bson_destroy(held);
    if (*code || req->stream_next.change_count || m->stream.ended) return true;
    if (req->stream_next.token) bson_destroy(req->stream_next.token);
    req->stream_next.token = NULL;
    return false;
}

enum lks_code stream_next(struct mongo *m, struct req *req)
{
    struct stream *s = &m->stream;
    bson_t reply;
    bson_error_t error;
    enum lks_code code = LKS_E_OK;
    bool fetched = take_held(m, req, &code);
    if (!fetched && !s->ended) {
        if (!s->cursor) {
            stream_close(m);
            return lks_fail(&req->err, LKS_E_MONGO, "the change stream is not open");
        }
        if (get_more(m, req, &reply, &error)) {
            s->cursor = cursor_id(&reply);
            code = take_batch(m, req, &reply);
        } else {
            s->cursor = 0; /* whatever it was: the engine opens again from its token */
            code = fail_stream(&req->err, &error, what_next, false);
        }
        bson_destroy(&reply);
    }
    if (!code && !s->proven && s->probe_at && !req->stream_next.change_count &&
        probe(m, &req->err) == LKS_E_STREAM_LOST)
        code = LKS_E_STREAM_LOST;
    if (!code) lks_err_clear(&req->err);
    if (!code && s->ended && !req->stream_next.change_count) code = ended(s, req);
    if (code) stream_close(m);
    return code;
}
