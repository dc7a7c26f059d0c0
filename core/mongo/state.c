/*
 * state.c - what the engine must not forget: resume token, scan position, digests.
 *
 * One document per source in lockstep.state, {_id: <source>, lease: {...}, state: {...}}. State and lease
 * share it so that a save can be fenced by the lease's epoch in one atomic update.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mongo/mongo_internal.h"

static void append_id(bson_t *to, const char *key, const struct docid *id)
{
    bson_t wrap;
    BSON_APPEND_DOCUMENT_BEGIN(to, key, &wrap); /* a document, so that any type of value can be in it */
    docid_append(id, &wrap, "_id");
    bson_append_document_end(to, &wrap);
}

static void append_time(bson_t *to, const char *key, cluster_time at)
{
    BSON_APPEND_TIMESTAMP(to, key, (uint32_t)(at >> 32), (uint32_t)at);
}

/* {NAME: {orphans, points}} of the collections whose deletes are held. */
static void append_held(struct mongo *m, bson_t *to, const struct held_deletes *held)
{
    bson_t list, one;
    BSON_APPEND_DOCUMENT_BEGIN(to, "held", &list);
    for (size_t i = 0; held && i < m->name_count; i++) {
        if (!held[i].orphans) continue;
        BSON_APPEND_DOCUMENT_BEGIN(&list, m->names[i], &one);
        BSON_APPEND_INT64(&one, "orphans", (int64_t)held[i].orphans);
        BSON_APPEND_INT64(&one, "points", (int64_t)held[i].points);
        bson_append_document_end(&list, &one);
    }
    bson_append_document_end(to, &list);
}

/* {<collection>: are its replicas to be compared?} */
static void append_replicas(struct mongo *m, bson_t *to, const struct engine_state *state)
{
    bson_t list;
    BSON_APPEND_DOCUMENT_BEGIN(to, "replicas", &list);
    for (size_t i = 0; i < m->name_count && i < 64; i++)
        if (state->replicas_known >> i & 1)
            BSON_APPEND_BOOL(&list, m->names[i], state->replicas_owed >> i & 1);
    bson_append_document_end(to, &list);
}

/* {NAME: TEXT} for each enabled collection. */
static void append_texts(struct mongo *m, bson_t *to, const char *key, char *const *texts)
{
    bson_t list;
    if (!texts) return;
    BSON_APPEND_DOCUMENT_BEGIN(to, key, &list);
    for (size_t i = 0; i < m->name_count && texts[i]; i++) BSON_APPEND_UTF8(&list, m->names[i], texts[i]);
    bson_append_document_end(to, &list);
}

static void append_state(struct mongo *m, bson_t *to, const struct engine_state *state)
{
    char *ns = bson_strdup_printf("%s.%s", m->database, m->collection);
    BSON_APPEND_UTF8(to, "ns", ns);
    bson_free(ns);
    if (state->token) BSON_APPEND_DOCUMENT(to, "token", state->token);
    if (state->token_time) append_time(to, "tokenTime", state->token_time);
    BSON_APPEND_UTF8(to, "pipeline", m->fingerprint);
    if (state->scan_after) append_id(to, "scanAfter", state->scan_after);
    BSON_APPEND_BOOL(to, "scanRunning", state->scan_running);
    BSON_APPEND_BOOL(to, "scanDoubt", state->scan_verifies);
    if (state->replicas_known) append_replicas(m, to, state);
    append_texts(m, to, "digests", state->digests);
    append_texts(m, to, "places", state->places);
    append_held(m, to, state->held);
    if (state->drop_reported) BSON_APPEND_BOOL(to, "dropReported", true);
    BSON_APPEND_DATE_TIME(to, "savedAt", clock_wall_ms());
}

/* Saved in full each time: what the engine doesn't hand over is no more. */
enum lks_code state_save(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    bson_t command = BSON_INITIALIZER, list, one, inner, set, state, reply;
    bson_error_t error;
    bson_iter_t iter;
    enum lks_code code = LKS_E_OK;
    BSON_APPEND_UTF8(&command, "update", STATE_COLLECTION);
    BSON_APPEND_ARRAY_BEGIN(&command, "updates", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "q", &inner);
    BSON_APPEND_UTF8(&inner, "_id", m->source);
    BSON_APPEND_INT64(&inner, "lease.epoch", (int64_t)req->state_save.epoch);
    bson_append_document_end(&one, &inner);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "u", &inner);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, "$set", &set);
    BSON_APPEND_DOCUMENT_BEGIN(&set, "state", &state);
    append_state(m, &state, &req->state_save.state);
    bson_append_document_end(&set, &state);
    bson_append_document_end(&inner, &set);
    bson_append_document_end(&one, &inner);
    bson_append_document_end(&list, &one);
    bson_append_array_end(&command, &list);
    if (!mongo_command(m, client, NULL, 0, MONGO_WRITES, &command, &reply, &error))
        code = mongo_fail(&req->err, &error, "saving the state");
    else if (!bson_iter_init_find(&iter, &reply, "n") || bson_iter_as_int64(&iter) < 1)
        code = bson_iter_init_find(&iter, &reply, "writeErrors")
                   ? lks_fail(&req->err, LKS_E_MONGO, "MongoDB refused to save the state of source %s",
                              m->source)
                   : lks_fail(&req->err, LKS_E_LEASE, "the lease of source %s is another's", m->source);
    bson_destroy(&command);
    bson_destroy(&reply);
    return code;
}

/* ---- loading ---- */

static void load_replicas(const struct mongo *m, const bson_iter_t *value, struct engine_state *state)
{
    bson_iter_t iter;
    if (!BSON_ITER_HOLDS_DOCUMENT(value) || !bson_iter_recurse(value, &iter)) return;
    while (bson_iter_next(&iter))
        for (size_t i = 0; i < m->name_count && i < 64; i++) {
            if (strcmp(m->names[i], bson_iter_key(&iter)) != 0) continue;
            state->replicas_known |= (uint64_t)1 << i;
            if (bson_iter_as_bool(&iter)) state->replicas_owed |= (uint64_t)1 << i;
        }
}

/* By name: one of another order or number of collections is still found; "" for a collection that was off. */
static bool load_texts(struct mongo *m, const bson_iter_t *value, char ***out)
{
    bson_iter_t texts, found;
    if (!BSON_ITER_HOLDS_DOCUMENT(value) || *out) return true;
    *out = calloc(m->name_count + 1, sizeof **out);
    if (!*out) return false;
    for (size_t i = 0; i < m->name_count; i++) {
        found = (bson_iter_t){0};
        if (!bson_iter_recurse(value, &texts)) return false;
        while (bson_iter_next(&texts))
            if (!strcmp(bson_iter_key(&texts), m->names[i])) found = texts;
        const char *text = found.raw && BSON_ITER_HOLDS_UTF8(&found) ? bson_iter_utf8(&found, NULL) : "";
        (*out)[i] = strdup(text);
        if (!(*out)[i]) return false;
    }
    return true;
}

/* By name, like the digests. False when memory is out. */
static bool load_held(struct mongo *m, const bson_iter_t *value, struct engine_state *state)
{
    bson_iter_t list, at;
    if (!BSON_ITER_HOLDS_DOCUMENT(value)) return true;
    state->held = calloc(m->name_count + 1, sizeof *state->held);
    if (!state->held) return false;
    for (size_t i = 0; i < m->name_count; i++) {
        if (!bson_iter_recurse(value, &list) || !bson_iter_find(&list, m->names[i]) ||
            !BSON_ITER_HOLDS_DOCUMENT(&list) || !bson_iter_recurse(&list, &at))
            continue;
        while (bson_iter_next(&at)) {
            int64_t n = bson_iter_as_int64(&at);
            if (!strcmp(bson_iter_key(&at), "orphans")) state->held[i].orphans = n > 0 ? (uint64_t)n : 0;
            if (!strcmp(bson_iter_key(&at), "points")) state->held[i].points = n > 0 ? (uint64_t)n : 0;
        }
    }
    return true;
}

static bson_t *sub_document(const bson_iter_t *value)
{
    const uint8_t *data;
    uint32_t bytes;
    if (!BSON_ITER_HOLDS_DOCUMENT(value)) return NULL;
    bson_iter_document(value, &bytes, &data);
    return bson_new_from_data(data, bytes);
}

/* False when memory is out; *id stays NULL if there is none. */
static bool load_id(const bson_iter_t *value, struct docid **id)
{
    bson_t *wrap = sub_document(value);
    bool there = wrap && bson_has_field(wrap, "_id");
    if (there) *id = docid_of(wrap);
    if (wrap) bson_destroy(wrap);
    return !there || *id;
}

static bool text_is(const bson_iter_t *value, const char *text)
{
    return BSON_ITER_HOLDS_UTF8(value) && !strcmp(bson_iter_utf8(value, NULL), text);
}

static bool load_fields(struct mongo *m, bson_iter_t *iter, struct engine_state *state)
{
    bool same_source = false, same_pipeline = false, ok = true;
    char *ns = bson_strdup_printf("%s.%s", m->database, m->collection);
    while (ok && bson_iter_next(iter)) {
        const char *key = bson_iter_key(iter);
        if (!strcmp(key, "ns")) same_source = text_is(iter, ns);
        if (!strcmp(key, "pipeline")) same_pipeline = text_is(iter, m->fingerprint);
        if (!strcmp(key, "token") && !state->token) state->token = sub_document(iter);
        if (!strcmp(key, "tokenTime")) state->token_time = mongo_cluster_time(iter);
        if (!strcmp(key, "scanAfter") && !state->scan_after) ok = load_id(iter, &state->scan_after);
        if (!strcmp(key, "scanRunning")) state->scan_running = bson_iter_as_bool(iter);
        if (!strcmp(key, "scanDoubt")) state->scan_verifies = bson_iter_as_bool(iter);
        if (!strcmp(key, "held") && !state->held) ok = load_held(m, iter, state);
        if (!strcmp(key, "dropReported")) state->drop_reported = bson_iter_as_bool(iter);
        if (!strcmp(key, "replicas")) load_replicas(m, iter, state);
        if (!strcmp(key, "digests")) ok = load_texts(m, iter, &state->digests);
        if (!strcmp(key, "places")) ok = load_texts(m, iter, &state->places);
    }
    bson_free(ns);
    if (ok && !same_source) {
        /* the source's name stands for another collection now: this is all of the past */
        engine_state_fini(state);
    } else if (ok && !same_pipeline && state->token) {
        /* a token is good for its own pipeline only; its time is good for any */
        log_info("the resume token is of another version's pipeline: starting at its time",
                 LOG_STR("source", m->source));
        bson_destroy(state->token);
        state->token = NULL;
    }
    return ok;
}

/* The first start: nothing was ever saved about this collection as the source's. */
static bool nothing_saved(const struct mongo *m, const bson_t *row)
{
    bson_iter_t iter, ns;
    char *name = bson_strdup_printf("%s.%s", m->database, m->collection);
    bool saved =
        bson_iter_init(&iter, row) && bson_iter_find_descendant(&iter, "state.ns", &ns) && text_is(&ns, name);
    bson_free(name);
    return !saved;
}

static enum lks_code load_row(struct mongo *m, const bson_t *row, struct req *req)
{
    bson_iter_t iter, fields, clean;
    struct engine_state *state = &req->state_load.state;
    if (bson_iter_init_find(&iter, row, "state") && BSON_ITER_HOLDS_DOCUMENT(&iter) &&
        bson_iter_recurse(&iter, &fields) && !load_fields(m, &fields, state))
        return lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
    state->clean = bson_iter_init(&iter, row) &&
                   bson_iter_find_descendant(&iter, "lease.previous.clean", &clean) &&
                   bson_iter_as_bool(&clean);
    return LKS_E_OK;
}

/* A collection that cannot be a source is reported at the first thing that is asked of it. */
static enum lks_code check_source(struct mongo *m, mongoc_client_t *client, struct lks_err *err)
{
    struct mongo_facts facts;
    facts_of(m, client, &facts);
    const char *reason = mongo_facts_refused(m, &facts);
    if (!reason) return LKS_E_OK;
    facts_forget(m);
    return lks_fail(err, LKS_E_MONGO, "%s.%s is %s", m->database, m->collection, reason);
}

/* Where it cannot be determined in this time there are some. */
#define LOOK_FOR_DOCUMENTS_MS 2000

static bool has_no_documents(struct mongo *m, mongoc_client_t *client)
{
    static const char what[] = "looking for a document";
    struct rows rows = {0};
    const bson_t *row;
    struct lks_err ignored;
    bson_t command = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&command, "find", m->collection);
    BSON_APPEND_DOCUMENT(&command, "projection", m->only_id);
    BSON_APPEND_INT32(&command, "limit", 1);
    BSON_APPEND_INT32(&command, "maxTimeMS", LOOK_FOR_DOCUMENTS_MS);
    enum lks_code code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, &ignored);
    bool none = !code && !rows_next(&rows, &row);
    if (rows_close(&rows, what, NULL)) none = false;
    bson_destroy(&command);
    return none;
}

enum lks_code state_load(struct mongo *m, mongoc_client_t *client, struct req *req)
{
    static const char what[] = "loading the state";
    struct rows rows = {0};
    const bson_t *row;
    bson_t command = BSON_INITIALIZER, filter;
    BSON_APPEND_UTF8(&command, "find", STATE_COLLECTION);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "filter", &filter);
    BSON_APPEND_UTF8(&filter, "_id", m->source);
    bson_append_document_end(&command, &filter);
    BSON_APPEND_INT32(&command, "limit", 1);
    enum lks_code code = check_source(m, client, &req->err);
    if (!code) code = rows_open(m, client, &rows, &command, LEVEL_MAJORITY, 0, what, &req->err);
    bool there = !code && rows_next(&rows, &row), first = !there || nothing_saved(m, row);
    if (there) code = load_row(m, row, req);
    enum lks_code closed = rows_close(&rows, what, code ? NULL : &req->err);
    bson_destroy(&command);
    if (!code) code = closed;
    if (!code && first) code = adopt_check(m, client, &req->err);
    if (!code) req->state_load.state.no_documents = has_no_documents(m, client);
    if (!code) code = tombstones_adopt(m, client, &req->err);
    return code ? code : reads_fallbacks(m, client, &req->err);
}
