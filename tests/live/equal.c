/*
 * equal.c - is Qdrant what the documents call for?
 *
 * What a collection makes of a document is asked of the program's own collection room, whose rules the unit
 * tests hold to the contract; everything that happens between the servers is what is being tested. Reads
 * only.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/docid.h"
#include "daemon/app.h"
#include "live/ends.h"
#include "live/harness.h"

#define MOST_DIFFERENCES 8

struct comparison {
    struct live *w;
    const struct app_source *source;
    bson_t **docs; /* all documents, in the order of `_id` */
    struct docid **ids;
    size_t count;
    json_t *sidecar; /* `_id` in canonical Extended JSON -> position in sidecar_docs */
    bson_t **sidecar_docs;
    size_t sidecar_count;
    struct buf said;
    size_t differences;
};

__attribute__((format(printf, 2, 3))) static void differ(struct comparison *c, const char *format, ...)
{
    char text[1000];
    va_list args;
    if (++c->differences > MOST_DIFFERENCES) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_printf(&c->said, "%s%s", c->said.bytes ? "; " : "", text);
}

/* ---- what MongoDB holds ---- */

static int by_id(const void *a, const void *b)
{
    struct docid *x = docid_of(*(bson_t *const *)a), *y = docid_of(*(bson_t *const *)b);
    int order = docid_compare(x, y);
    docid_free(x);
    docid_free(y);
    return order;
}

static bool read_collection(struct comparison *c, const char *name, bson_t ***docs, size_t *count)
{
    mongoc_collection_t *collection =
        mongoc_client_get_collection(c->w->client, c->source->config->database, name);
    bson_t *all = bson_new();
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, all, NULL, NULL);
    const bson_t *doc;
    bson_error_t error;
    size_t space = 0;
    while (mongoc_cursor_next(cursor, &doc)) {
        if (*count == space) *docs = realloc(*docs, (space = space ? 2 * space : 256) * sizeof **docs);
        if (*docs) (*docs)[(*count)++] = bson_copy(doc);
    }
    bool good = !mongoc_cursor_error(cursor, &error);
    if (!good) differ(c, "MongoDB: %s", error.message);
    mongoc_cursor_destroy(cursor);
    bson_destroy(all);
    mongoc_collection_destroy(collection);
    if (*count) qsort(*docs, *count, sizeof **docs, by_id);
    return good;
}

static bool read_documents(struct comparison *c)
{
    char sidecar[300];
    snprintf(sidecar, sizeof sidecar, "%s.lockstep", c->source->config->collection);
    c->sidecar = json_object();
    if (!read_collection(c, c->source->config->collection, &c->docs, &c->count) ||
        !read_collection(c, sidecar, &c->sidecar_docs, &c->sidecar_count))
        return false;
    c->ids = calloc(c->count + 1, sizeof *c->ids);
    for (size_t i = 0; i < c->count; i++) c->ids[i] = docid_of(c->docs[i]);
    for (size_t i = 0; i < c->sidecar_count; i++) {
        struct docid *id = docid_of(c->sidecar_docs[i]);
        char *json = docid_json(id);
        json_object_set_new(c->sidecar, json, json_integer((json_int_t)i));
        free(json);
        docid_free(id);
    }
    return true;
}

/* The document that holds the record: the sidecar's, if there is one. */
static const bson_t *record_of(const struct comparison *c, size_t i)
{
    char *json = docid_json(c->ids[i]);
    const json_t *beside = json_object_get(c->sidecar, json);
    free(json);
    return beside ? c->sidecar_docs[json_integer_value(beside)] : c->docs[i];
}

/* ---- what Qdrant holds ---- */

/* All points of a collection: id -> point. NULL, with a difference, if it can't be read. */
static json_t *read_points(struct comparison *c, const char *collection)
{
    char path[200], body[200], offset[64] = "null";
    json_t *all = json_object();
    for (bool more = true; more;) {
        json_t *reply = NULL, *point;
        size_t i;
        snprintf(path, sizeof path, "/collections/%s/points/scroll", collection);
        snprintf(body, sizeof body,
                 "{\"limit\":250,\"offset\":%s,\"with_payload\":true,\"with_vector\":true}", offset);
        long status = ask(c->w, &c->w->qdrant, "POST", path, body, &reply);
        if (status == 404 && c->count == 0) { /* it is made for the first document */
            json_decref(reply);
            return all;
        }
        if (status != 200) {
            differ(c, "Qdrant does not show %s", collection);
            json_decref(reply);
            json_decref(all);
            return NULL;
        }
        const json_t *result = json_object_get(reply, "result");
        json_array_foreach(json_object_get(result, "points"), i, point)
            json_object_set(all, json_string_value(json_object_get(point, "id")), point);
        const char *next = json_string_value(json_object_get(result, "next_page_offset"));
        more = next != NULL;
        if (next) snprintf(offset, sizeof offset, "\"%s\"", next);
        json_decref(reply);
    }
    return all;
}

/* ---- one document in one collection ---- */

struct place {
    struct comparison *c;
    size_t which; /* the collection */
    size_t i;     /* the document */
    char *doc;    /* its `_id` in canonical Extended JSON */
    const char *name;
};

static void check_text(const struct place *p, const json_t *object, const char *key, const char *expected)
{
    const char *got = json_string_value(json_object_get(object, key));
    if (!got || strcmp(got, expected) != 0)
        differ(p->c, "%s of %s: _lockstep.%s is %.90s, not %.90s", p->name, p->doc, key,
               got ? got : "missing", expected);
}

static void check_payload(const struct place *p, const struct made *made, json_t *payload)
{
    json_t *ours = json_incref(json_object_get(payload, "_lockstep"));
    json_t *expected = json_loadb(made->payload, made->payload_bytes, JSON_ALLOW_NUL, NULL);
    check_text(p, ours, "source", p->c->source->config->ns);
    check_text(p, ours, "doc", p->doc);
    check_text(p, ours, "key", made->key ? made->key : "");
    check_text(p, ours, "hash", made->content_hash);
    check_text(p, ours, "payload", made->payload_hash);
    if (!json_is_integer(json_object_get(ours, "epoch"))) differ(p->c, "%s of %s: no epoch", p->name, p->doc);
    json_object_del(payload, "_lockstep");
    /* when it was written; points of an earlier version have none */
    if (!json_object_get(expected, "timestamp")) json_object_del(payload, "timestamp");
    if (!expected || !json_equal(expected, payload))
        differ(p->c, "%s of %s: another payload", p->name, p->doc);
    json_decref(expected);
    json_decref(ours);
}

/* The vector that the stand-in makes of a text, from one of its kind that nobody counts; each text is asked
 * for once. */
static const json_t *expected_vector(struct live *w, const struct made *made)
{
    if (!w->vectors) w->vectors = json_object();
    const json_t *known = json_object_get(w->vectors, made->content_hash);
    if (known) return known;
    oracle_start(w);
    json_t *body = json_pack("{s:s,s:s%}", "model", "stand-in", "input", made->text, made->text_bytes),
           *reply;
    char *text = json_dumps(body, 0);
    if (ask(w, &w->oracle, "POST", "/v1/embeddings", text, &reply) != 200) FAIL(w, "no vector of %s", text);
    json_t *vector = json_object_get(json_array_get(json_object_get(reply, "data"), 0), "embedding");
    json_object_set(w->vectors, made->content_hash, vector);
    free(text);
    json_decref(body);
    json_decref(reply);
    return vector;
}

/* The stand-in's vectors are known; of others only that there is one. */
static void check_vector(const struct place *p, const struct made *made, const json_t *vector)
{
    const struct config *config = p->c->source->app->config;
    const struct config_collection *collection = &config->collections[p->c->source->indexes[p->which]];
    if (json_array_size(vector) == 0) differ(p->c, "%s of %s: no vector", p->name, p->doc);
    if (p->c->w->other_vectors) return;
    if (config->embedders[collection->embedder].provider != CONFIG_PROVIDER_OPENAI) return;
    const json_t *expected = expected_vector(p->c->w, made);
    bool same = json_array_size(vector) == json_array_size(expected);
    for (size_t k = 0; same && k < json_array_size(expected); k++)
        same = fabs(json_number_value(json_array_get(vector, k)) -
                    json_number_value(json_array_get(expected, k))) < 1e-3;
    if (!same) differ(p->c, "%s of %s: not the vector of its text", p->name, p->doc);
}

/* What the record of a document says about a collection, as "" where it is null or missing. */
static const char *entry_text(const bson_t *record, const char *collection, const char *key)
{
    static char path[200];
    bson_iter_t root, at;
    snprintf(path, sizeof path, "syncMetadata.collections.%s.%s", collection, key);
    if (!record || !bson_iter_init(&root, record) || !bson_iter_find_descendant(&root, path, &at)) return "";
    if (BSON_ITER_HOLDS_UTF8(&at)) return bson_iter_utf8(&at, NULL);
    return BSON_ITER_HOLDS_NULL(&at) ? "" : "?";
}

static void check_entry(const struct place *p, const char *key, const char *expected)
{
    const char *got = entry_text(record_of(p->c, p->i), p->name, key);
    if (strcmp(got, expected) != 0)
        differ(p->c, "%s of %s: the metadata's %s is \"%.120s\", not \"%.90s\"", p->name, p->doc, key, got,
               expected);
}

/* The first document of all with this point owns it. */
static void check_document(const struct place *p, const struct made *made, json_t *points, json_t *owned)
{
    bool failed = made->kind == MADE_FAILED || made->kind == MADE_FATAL;
    bool has_id = !failed && made->point_id[0];
    if (has_id && json_object_get(owned, made->point_id)) {
        check_entry(p, "status", "failed");
        check_entry(p, "errorCode", "VALIDATION_ERROR");
        check_entry(p, "pointId", "");
        return;
    }
    check_entry(p, "status", failed ? "failed" : "synced");
    check_entry(p, "errorCode", failed ? lks_code_name(made->err->code) : "");
    if (!failed) check_entry(p, "lastError", "");
    if (has_id) json_object_set_new(owned, made->point_id, json_true());
    if (made->kind != MADE_POINT) {
        if (!failed) check_entry(p, "pointId", "");
        return;
    }
    check_entry(p, "pointId", made->point_id);
    check_entry(p, "contentHash", made->content_hash);
    check_entry(p, "payloadHash", made->payload_hash);
    json_t *point = json_object_get(points, made->point_id);
    if (!point) {
        differ(p->c, "%s of %s: no point", p->name, p->doc);
        return;
    }
    check_payload(p, made, json_object_get(point, "payload"));
    check_vector(p, made, json_object_get(point, "vector"));
    json_object_del(points, made->point_id);
}

static void check_collection(struct comparison *c, size_t which)
{
    const struct config *config = c->source->app->config;
    const char *in_qdrant = config->collections[c->source->indexes[which]].qdrant_collection, *id;
    json_t *points = read_points(c, in_qdrant), *owned = json_object(), *point;
    for (size_t i = 0; points && i < c->count; i++) {
        struct made made;
        struct place p = {c, which, i, docid_json(c->ids[i]), c->source->names[which]};
        collection_make(c->source->collections[which], c->docs[i], &made);
        check_document(&p, &made, points, owned);
        made_fini(&made);
        free(p.doc);
    }
    json_object_foreach(points, id, point)
    {
        const json_t *ours = json_object_get(json_object_get(point, "payload"), "_lockstep");
        const char *doc = json_string_value(json_object_get(ours, "doc"));
        const char *source = json_string_value(json_object_get(ours, "source"));
        if (source && strcmp(source, c->source->config->ns) == 0)
            differ(c, "%s: a point too many, %s of %s", c->source->names[which], id, doc ? doc : "nobody");
    }
    json_decref(points);
    json_decref(owned);
}

static const char *worst_status(const bson_t *record, const struct app_source *s)
{
    static const char *const worst_first[] = {"failed", "pending", "stale"};
    for (size_t k = 0; k < sizeof worst_first / sizeof *worst_first; k++)
        for (size_t i = 0; i < s->count; i++)
            if (strcmp(entry_text(record, s->names[i], "status"), worst_first[k]) == 0) return worst_first[k];
    return "synced";
}

static void check_overall(struct comparison *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const bson_t *record = record_of(c, i);
        const char *expected = worst_status(record, c->source), *got = "";
        bson_iter_t root, at;
        if (bson_iter_init(&root, record) &&
            bson_iter_find_descendant(&root, "syncMetadata.overallStatus", &at) && BSON_ITER_HOLDS_UTF8(&at))
            got = bson_iter_utf8(&at, NULL);
        if (strcmp(got, expected) == 0) continue;
        char *json = docid_json(c->ids[i]);
        differ(c, "%s: overallStatus is \"%s\", not \"%s\"", json, got, expected);
        free(json);
    }
}

/* A record beside no document; one that was emptied is none. */
static void check_orphans(struct comparison *c)
{
    for (size_t i = 0; i < c->sidecar_count; i++) {
        struct docid *id = docid_of(c->sidecar_docs[i]);
        bool there = !bson_has_field(c->sidecar_docs[i], "syncMetadata");
        for (size_t k = 0; k < c->count && !there; k++) there = docid_equal(c->ids[k], id);
        char *json = docid_json(id);
        if (!there) differ(c, "%s: there is a record beside it, and no document", json);
        free(json);
        docid_free(id);
    }
}

static void compare_source(struct comparison *c)
{
    if (read_documents(c)) {
        check_overall(c);
        check_orphans(c);
        for (size_t i = 0; i < c->source->count; i++) check_collection(c, i);
    }
    for (size_t i = 0; i < c->count; i++) {
        bson_destroy(c->docs[i]);
        if (c->ids) docid_free(c->ids[i]);
    }
    for (size_t i = 0; i < c->sidecar_count; i++) bson_destroy(c->sidecar_docs[i]);
    free(c->docs);
    free(c->ids);
    free(c->sidecar_docs);
    json_decref(c->sidecar);
}

static void complain(const char *problem)
{
    printf("# %s\n", problem);
}

static void read_configuration(struct live *w)
{
    struct lks_err err;
    if (w->app) return;
    if (app_load(live_ini(w), 0, complain, &w->app, &err) != LKS_E_OK) FAIL(w, "%s", err.text);
}

char *live_difference(struct live *w)
{
    struct buf said;
    size_t more = 0;
    read_configuration(w);
    buf_init(&said, 0);
    for (size_t i = 0; i < w->app->source_count; i++) {
        struct comparison c = {.w = w, .source = &w->app->sources[i]};
        if (c.source->count == 0) continue;
        buf_init(&c.said, 0);
        compare_source(&c);
        if (c.said.bytes) buf_printf(&said, "%s%s", said.bytes ? "; " : "", c.said.data);
        more += c.differences > MOST_DIFFERENCES ? c.differences - MOST_DIFFERENCES : 0;
        buf_fini(&c.said);
    }
    if (more) buf_printf(&said, "; and %zu more", more);
    return said.bytes ? buf_take(&said, NULL) : NULL;
}

void live_in_sync_at(struct live *w, const char *file, int line)
{
    int64_t until = live_now_ms() + LIVE_PATIENCE_MS;
    for (;;) {
        char *difference = live_difference(w);
        if (!difference) {
            ends_look(w);
            return;
        }
        if (live_now_ms() > until) live_fail(w, file, line, "not in sync: %s", difference);
        free(difference);
        if (w->daemon.pid > 0 && !process_runs(&w->daemon))
            live_fail(w, file, line, "the daemon has ended by itself");
        live_pause();
    }
}
