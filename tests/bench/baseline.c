/*
 * baseline.c - what a backfill is measured against: two programs that do less.
 *
 * `upsert`, the minimal client, has the points of COUNT documents ready, vectors and payloads too; the clock
 * runs while it formats and sends them, 128 a request, over CONNS connections, to four collections of its own
 * with Lockstep's indexes. The points are those Lockstep makes, and Lockstep's own functions format them, so
 * both send the same bytes.
 *
 * `whole` does all that a backfill can't do without: it reads the documents, makes text, payload and hashes,
 * embeds, formats and sends the same upserts, and writes the same records, in CONNS threads that share
 * nothing. It promises nothing: it asks for no second holder of a business id, holds no lease, saves no
 * position, and what fails ends it.
 *
 * Both print points a second and the CPU seconds they took. Points of both have the same ids each time.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/docid.h"
#include "embed/hash_vector.h"
#include "mongo/metadata.h"
#include "qdrant/body.h"
#include "tests/bench/bench.h"

#define BATCH 128
#define BODY_BYTES ((size_t)32 << 20)
#define EPOCH 1795388034

/* A point before it is formatted. */
struct point {
    struct made made;
    float *vector;
    char *doc; /* `_lockstep.doc` */
};

struct worker {
    pthread_t thread;
    char **args;
    const struct collection *const *collections;
    long first, count; /* documents */
    size_t dimensions;
    struct point *points; /* `upsert`: all of them, those of a document together */
    struct connection connection;
    struct buf body;
};

static void point_make(struct point *p, const struct collection *c, const bson_t *doc, size_t dimensions)
{
    struct docid *id = docid_of(doc);
    collection_make(c, doc, &p->made);
    p->vector = malloc(dimensions * sizeof *p->vector);
    p->doc = id ? docid_json(id) : NULL;
    docid_free(id);
    if (p->made.kind != MADE_POINT || !p->vector || !p->doc) die("point", "can't be made");
    hash_embed(p->made.text, p->made.text_bytes, p->vector, dimensions);
}

static void point_fini(struct point *p)
{
    made_fini(&p->made);
    free(p->vector);
    free(p->doc);
}

/* Formats and sends `count` points to collection `k`; they stand COLLECTIONS apart. */
static void send_points(struct worker *w, size_t k, const struct point *points, size_t count)
{
    struct point_write writes[BATCH];
    char path[128];
    struct stamp_fields stamp = {.source = "bench.tools", .model = w->collections[k]->fingerprint};
    for (size_t i = 0; i < count; i++) {
        const struct point *p = &points[i * COLLECTIONS];
        writes[i] = (struct point_write){.point_id = p->made.point_id,
                                         .vector = p->vector,
                                         .dimensions = w->dimensions,
                                         .payload = p->made.payload,
                                         .payload_bytes = p->made.payload_bytes,
                                         .doc = p->doc,
                                         .key = p->made.key,
                                         .content_hash = p->made.content_hash,
                                         .payload_hash = p->made.payload_hash,
                                         .epoch = EPOCH};
    }
    buf_clear(&w->body);
    if (body_upsert(&w->body, &stamp, writes, count, true, BODY_BYTES) != count) die("body", "is too large");
    snprintf(path, sizeof path, "/collections/bench-%s/points?wait=true", bench_names[k]);
    if (exchange(&w->connection, "PUT", path, w->body.data, w->body.bytes, NULL) != 200)
        die("upsert", w->connection.in.data);
}

/* Runs `work` in `threads` threads, each on its share of `count` documents, and prints how long it took. */
static void run_workers(struct worker *model, long threads, const char *url, long count,
                        void *(*work)(void *))
{
    struct worker *workers = calloc((size_t)threads, sizeof *workers);
    if (!workers) die("memory", "out of it");
    double began = now_s(), cpu = cpu_s();
    for (long i = 0; i < threads; i++) {
        struct worker *w = &workers[i];
        *w = *model;
        w->first = count * i / threads;
        w->count = count * (i + 1) / threads - w->first;
        buf_init(&w->body, 0);
        dial(&w->connection, url);
        if (pthread_create(&w->thread, NULL, work, w) != 0) die("thread", "none left");
    }
    for (long i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        hang_up(&workers[i].connection);
        buf_fini(&workers[i].body);
    }
    printf("%.0f %.2f\n", (double)count * COLLECTIONS / (now_s() - began), cpu_s() - cpu);
    free(workers);
}

/* Collections as Lockstep makes them: the same four payload indexes. */
static void make_collections(const char *url, size_t dimensions)
{
    static const char *const indexes[][2] = {{"_lockstep.doc", "keyword"},
                                             {"_lockstep.key", "keyword"},
                                             {"_lockstep.source", "keyword"},
                                             {"_lockstep.epoch", "integer"}};
    struct connection c;
    char path[128], body[128];
    dial(&c, url);
    for (size_t k = 0; k < COLLECTIONS; k++) {
        int bytes =
            snprintf(body, sizeof body, "{\"vectors\":{\"size\":%zu,\"distance\":\"Cosine\"}}", dimensions);
        snprintf(path, sizeof path, "/collections/bench-%s", bench_names[k]);
        exchange(&c, "DELETE", path, NULL, 0, NULL);
        if (exchange(&c, "PUT", path, body, (size_t)bytes, NULL) != 200) die("create", c.in.data);
        snprintf(path, sizeof path, "/collections/bench-%s/index?wait=true", bench_names[k]);
        for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
            bytes = snprintf(body, sizeof body, "{\"field_name\":\"%s\",\"field_schema\":\"%s\"}",
                             indexes[i][0], indexes[i][1]);
            if (exchange(&c, "PUT", path, body, (size_t)bytes, NULL) != 200) die("index", c.in.data);
        }
    }
    hang_up(&c);
}

static const char *fingerprint(size_t dimensions)
{
    static char text[64];
    snprintf(text, sizeof text, "hash/%d;dimensions=%zu", HASH_VERSION, dimensions);
    return text;
}

/* ---- upsert ---- */

static void *upsert(void *context)
{
    struct worker *w = context;
    for (long i = 0; i < w->count; i += BATCH)
        for (size_t k = 0; k < COLLECTIONS; k++)
            send_points(w, k, &w->points[(size_t)(w->first + i) * COLLECTIONS + k],
                        (size_t)(w->count - i < BATCH ? w->count - i : BATCH));
    return NULL;
}

int bench_upsert(char **args)
{
    long count = strtol(args[2], NULL, 10);
    const struct collection *collections[COLLECTIONS];
    struct worker model = {.collections = collections, .dimensions = strtoul(args[3], NULL, 10)};
    model_open(args[1], fingerprint(model.dimensions), collections);
    size_t points = (size_t)count * COLLECTIONS;
    model.points = calloc(points + 1, sizeof *model.points);
    if (!model.points) die("memory", "out of it");
    for (size_t i = 0; i < points; i++) {
        bson_t *doc = model_document((long)(i / COLLECTIONS));
        point_make(&model.points[i], collections[i % COLLECTIONS], doc, model.dimensions);
        bson_destroy(doc);
    }
    make_collections(args[0], model.dimensions);
    run_workers(&model, strtol(args[4], NULL, 10), args[0], count, upsert);
    for (size_t i = 0; i < points; i++) point_fini(&model.points[i]);
    free(model.points);
    return EXIT_SUCCESS;
}

/* ---- whole ---- */

static void fill_entry(struct entry *e, const struct made *made, int64_t now_ms)
{
    entry_init(e);
    e->present = true;
    e->status = SYNC_SYNCED;
    e->last_synced_ms = e->last_attempt_ms = now_ms;
    e->vector_version = 1;
    memcpy(e->content_hash, made->content_hash, sizeof made->content_hash);
    memcpy(e->payload_hash, made->payload_hash, sizeof made->payload_hash);
    memcpy(e->point_id, made->point_id, sizeof made->point_id);
}

static void write_records(mongoc_collection_t *tools, const long *ids, const struct point *points,
                          size_t count)
{
    static char *names[] = {"tools", "functionality", "usecases", "interface"};
    struct record before, after;
    bson_t validate = BSON_INITIALIZER, reply;
    bson_error_t error;
    int64_t now_ms = (int64_t)(now_s() * 1000);
    mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(tools, NULL);
    BSON_APPEND_BOOL(&validate, "validate", false);
    if (!record_init(&before, COLLECTIONS) || !record_init(&after, COLLECTIONS)) die("memory", "out of it");
    for (size_t i = 0; i < count; i++) {
        bson_t filter = BSON_INITIALIZER, update = BSON_INITIALIZER;
        BSON_APPEND_INT64(&filter, "_id", ids[i]);
        metadata_filter(&filter, &before, names);
        for (size_t k = 0; k < COLLECTIONS; k++)
            fill_entry(&after.entries[k], &points[i * COLLECTIONS + k].made, now_ms);
        metadata_update(&update, &before, &after, names, false, now_ms);
        if (!mongoc_bulk_operation_update_one_with_opts(bulk, &filter, &update, &validate, &error))
            die("update", error.message);
        bson_destroy(&filter);
        bson_destroy(&update);
    }
    if (!mongoc_bulk_operation_execute(bulk, &reply, &error)) die("records", error.message);
    mongoc_bulk_operation_destroy(bulk);
    record_fini(&before);
    record_fini(&after);
    bson_destroy(&validate);
    bson_destroy(&reply);
}

/* Reads BATCH documents, or fewer at the end, and makes their points; returns how many. */
static size_t read_batch(struct worker *w, mongoc_cursor_t *cursor, long *ids, struct point *points)
{
    const bson_t *doc;
    bson_iter_t id;
    size_t count = 0;
    while (count < BATCH && mongoc_cursor_next(cursor, &doc)) {
        for (size_t k = 0; k < COLLECTIONS; k++)
            point_make(&points[count * COLLECTIONS + k], w->collections[k], doc, w->dimensions);
        ids[count++] = bson_iter_init_find(&id, doc, "_id") ? (long)bson_iter_as_int64(&id) : 0;
    }
    return count;
}

static void *whole(void *context)
{
    struct worker *w = context;
    long ids[BATCH];
    struct point *points = calloc((size_t)BATCH * COLLECTIONS, sizeof *points);
    mongoc_client_t *client = connect_to(w->args[0]);
    mongoc_collection_t *tools = mongoc_client_get_collection(client, w->args[1], "tools");
    bson_t *filter =
        BCON_NEW("_id", "{", "$gte", BCON_INT64(w->first), "$lt", BCON_INT64(w->first + w->count), "}");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(tools, filter, NULL, NULL);
    bson_error_t error;
    if (!points) die("memory", "out of it");
    size_t count;
    do { /* a cursor that has ended must not be asked again, so a short batch is the last */
        count = read_batch(w, cursor, ids, points);
        for (size_t k = 0; count && k < COLLECTIONS; k++) send_points(w, k, &points[k], count);
        if (count) write_records(tools, ids, points, count);
        for (size_t i = 0; i < count * COLLECTIONS; i++) point_fini(&points[i]);
    } while (count == BATCH);
    if (mongoc_cursor_error(cursor, &error)) die("find", error.message);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(tools);
    mongoc_client_destroy(client);
    bson_destroy(filter);
    free(points);
    return NULL;
}

static void make_index(mongoc_client_t *client, const char *database, const char *first, const char *second)
{
    bson_error_t error;
    bson_t *command = second
                          ? BCON_NEW("createIndexes", "tools", "indexes", "[", "{", "name", BCON_UTF8(second),
                                     "key", "{", first, BCON_INT32(1), second, BCON_INT32(1), "}", "}", "]")
                          : BCON_NEW("createIndexes", "tools", "indexes", "[", "{", "name", BCON_UTF8(first),
                                     "key", "{", first, BCON_INT32(1), "}", "}", "]");
    if (!mongoc_client_write_command_with_opts(client, database, command, NULL, NULL, &error))
        die("index", error.message);
    bson_destroy(command);
}

/* The indexes that Lockstep makes in MongoDB, so that a record costs the server the same. */
static void make_indexes(char **args)
{
    char status[128], retry[128];
    mongoc_client_t *client = connect_to(args[0]);
    make_index(client, args[1], "id", NULL);
    make_index(client, args[1], "syncMetadata.overallStatus", NULL);
    make_index(client, args[1], "syncMetadata.overallStatus", "syncMetadata.updatedAt");
    for (size_t k = 0; k < COLLECTIONS; k++) {
        snprintf(status, sizeof status, "syncMetadata.collections.%s.status", bench_names[k]);
        snprintf(retry, sizeof retry, "syncMetadata.collections.%s.nextRetryAt", bench_names[k]);
        make_index(client, args[1], status, retry);
    }
    mongoc_client_destroy(client);
}

static long documents(char **args)
{
    bson_t all = BSON_INITIALIZER;
    bson_error_t error;
    mongoc_client_t *client = connect_to(args[0]);
    mongoc_collection_t *tools = mongoc_client_get_collection(client, args[1], "tools");
    int64_t count = mongoc_collection_count_documents(tools, &all, NULL, NULL, NULL, &error);
    if (count < 0) die("count", error.message);
    mongoc_collection_destroy(tools);
    mongoc_client_destroy(client);
    return (long)count;
}

int bench_whole(char **args)
{
    const struct collection *collections[COLLECTIONS];
    struct worker model = {
        .args = args, .collections = collections, .dimensions = strtoul(args[4], NULL, 10)};
    model_open(args[3], fingerprint(model.dimensions), collections);
    make_collections(args[2], model.dimensions);
    make_indexes(args);
    run_workers(&model, strtol(args[5], NULL, 10), args[2], documents(args), whole);
    return EXIT_SUCCESS;
}
