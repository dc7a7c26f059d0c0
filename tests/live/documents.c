/*
 * documents.c - the application: documents written, changed and deleted in MongoDB.
 *
 * An application repeats what an election or a cut connection prevented; so does every call here, until
 * patience ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/harness.h"
#include "live/real.h"

#define SAMPLE_BATCH 100

static bson_t *parse(struct live *w, const char *json)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!doc) FAIL(w, "not Extended JSON: %s: %s", json, error.message);
    return doc;
}

/* Again after what passes: nobody to write to, a connection that is cut. Others end the test. */
static bool try_again(struct live *w, const bson_error_t *error, int64_t until_ms, const char *what)
{
    bool matches_all = error->domain == MONGOC_ERROR_STREAM ||
                       error->domain == MONGOC_ERROR_SERVER_SELECTION || error->code == 10107 ||
                       error->code == 13435 || error->code == 189 || error->code == 11600 ||
                       error->code == 11602 || error->code == 91;
    if (!matches_all || live_now_ms() > until_ms) FAIL(w, "%s: %s (%u)", what, error->message, error->code);
    live_pause();
    return true;
}

void insert_bson(struct live *w, const bson_t *document)
{
    bson_error_t error;
    bson_t opts = BSON_INITIALIZER;
    int64_t until = live_now_ms() + LIVE_PATIENCE_MS;
    BSON_APPEND_BOOL(&opts, "validate", false); /* what a careless application writes, MongoDB takes */
    while (!mongoc_collection_insert_one(w->tools, document, &opts, NULL, &error) && error.code != 11000)
        try_again(w, &error, until, "insert");
    bson_destroy(&opts);
}

void insert(struct live *w, const char *document)
{
    bson_t *doc = parse(w, document);
    insert_bson(w, doc);
    bson_destroy(doc);
}

static int64_t count_of(const bson_t *reply, const char *key)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, reply, key) ? bson_iter_as_int64(&at) : -1;
}

void update(struct live *w, const char *filter, const char *change)
{
    bson_t *which = parse(w, filter), *what = parse(w, change), reply;
    bson_error_t error;
    int64_t until = live_now_ms() + LIVE_PATIENCE_MS;
    while (!mongoc_collection_update_one(w->tools, which, what, NULL, &reply, &error)) {
        bson_destroy(&reply);
        try_again(w, &error, until, "update");
    }
    if (count_of(&reply, "matchedCount") != 1) FAIL(w, "no document is %s", filter);
    bson_destroy(&reply);
    bson_destroy(which);
    bson_destroy(what);
}

void replace(struct live *w, const char *filter, const char *document)
{
    bson_t *which = parse(w, filter), *what = parse(w, document);
    bson_error_t error;
    int64_t until = live_now_ms() + LIVE_PATIENCE_MS;
    while (!mongoc_collection_replace_one(w->tools, which, what, NULL, NULL, &error))
        try_again(w, &error, until, "replace");
    bson_destroy(which);
    bson_destroy(what);
}

void delete_one(struct live *w, const char *filter)
{
    bson_t *which = parse(w, filter), reply;
    bson_error_t error;
    int64_t until = live_now_ms() + LIVE_PATIENCE_MS;
    while (!mongoc_collection_delete_one(w->tools, which, NULL, &reply, &error)) {
        bson_destroy(&reply);
        try_again(w, &error, until, "delete");
    }
    if (count_of(&reply, "deletedCount") != 1) FAIL(w, "no document is %s", filter);
    bson_destroy(&reply);
    bson_destroy(which);
}

static void insert_many(struct live *w, bson_t **docs, size_t count)
{
    /* what is repeated may partly be there already */
    bson_t unordered = BSON_INITIALIZER;
    bson_error_t error;
    int64_t until = live_now_ms() + LIVE_PATIENCE_MS;
    BSON_APPEND_BOOL(&unordered, "ordered", false);
    while (count &&
           !mongoc_collection_insert_many(w->tools, (const bson_t **)docs, count, &unordered, NULL, &error) &&
           error.code != 11000)
        try_again(w, &error, until, "insertMany");
    for (size_t i = 0; i < count; i++) bson_destroy(docs[i]);
    bson_destroy(&unordered);
}

size_t insert_sample(struct live *w)
{
    char path[1024], *line = NULL;
    const char *top = getenv("top_srcdir");
    bson_t *docs[SAMPLE_BATCH];
    size_t space = 0, held = 0, total = 0;
    snprintf(path, sizeof path, "%s/tests/data/tools.jsonl", top ? top : ".");
    FILE *file = fopen(path, "re");
    if (!file) FAIL(w, "%s can't be read", path);
    while (getline(&line, &space, file) > 0) {
        if (line[strspn(line, " \t\r\n")] == '\0') continue;
        docs[held++] = parse(w, line);
        total++;
        if (held < SAMPLE_BATCH) continue;
        insert_many(w, docs, held);
        held = 0;
    }
    insert_many(w, docs, held);
    free(line);
    fclose(file);
    return total;
}

static bson_t *made_document(struct live *w, size_t n)
{
    static const char *const fields[] = {"functionality", "categories", "industries",
                                         "userTypes",     "deployment", "interface"};
    char text[160];
    bson_t *doc = bson_new(), list;
    snprintf(text, sizeof text, "made-%zu", n);
    BSON_APPEND_UTF8(doc, "id", text);
    BSON_APPEND_UTF8(doc, "slug", text);
    snprintf(text, sizeof text, "Made %zu", n);
    BSON_APPEND_UTF8(doc, "name", text);
    snprintf(text, sizeof text, "A tool for task %zu of department %zu", n, n % 7);
    BSON_APPEND_UTF8(doc, "description", text);
    BSON_APPEND_UTF8(doc, "website", "https://example.org/made");
    BSON_APPEND_UTF8(doc, "status", n % 2 ? "active" : "beta");
    BSON_APPEND_UTF8(doc, "pricingModel", n % 3 ? "Free" : "Paid");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        BSON_APPEND_ARRAY_BEGIN(doc, fields[i], &list);
        snprintf(text, sizeof text, "%s %zu", fields[i], n % 11);
        BSON_APPEND_UTF8(&list, "0", text);
        snprintf(text, sizeof text, "%s of %zu", fields[i], n);
        BSON_APPEND_UTF8(&list, "1", text);
        bson_append_array_end(doc, &list);
    }
    if (doc->len < 5) FAIL(w, "no memory");
    return doc;
}

void insert_made(struct live *w, size_t first, size_t count)
{
    bson_t *docs[SAMPLE_BATCH];
    for (size_t done = 0; done < count;) {
        size_t held = 0;
        while (held < SAMPLE_BATCH && done < count) docs[held++] = made_document(w, first + done++);
        insert_many(w, docs, held);
    }
}

static size_t count_of_collection(struct live *w, mongoc_collection_t *collection, const char *filter)
{
    bson_t *which = parse(w, filter);
    bson_error_t error;
    int64_t count = mongoc_collection_count_documents(collection, which, NULL, NULL, NULL, &error);
    if (count < 0) FAIL(w, "count: %s", error.message);
    bson_destroy(which);
    return (size_t)count;
}

#define RECORD "syncMetadata"

static bool of_record(const bson_iter_t *condition)
{
    return strncmp(bson_iter_key(condition), RECORD, sizeof RECORD - 1) == 0;
}

/* The filter's conditions of the record, or those of the document. */
static bson_t *target_of(const bson_t *filter, bool record)
{
    bson_t *target = bson_new();
    bson_iter_t iter;
    if (bson_iter_init(&iter, filter))
        while (bson_iter_next(&iter))
            if (of_record(&iter) == record)
                bson_append_iter(target, bson_iter_key(&iter), (int)bson_iter_key_len(&iter), &iter);
    return target;
}

/* The record beside a document: a document whose `syncMetadata` it is; NULL if none fits the conditions. */
static bson_t *record_beside(struct live *w, const bson_t *document, const bson_t *conditions)
{
    bson_t filter = BSON_INITIALIZER, *copy = NULL;
    bson_iter_t id;
    const bson_t *row;
    char name[80];
    snprintf(name, sizeof name, "%s.lockstep", mongoc_collection_get_name(w->tools));
    if (!bson_iter_init_find(&id, document, "_id")) return NULL;
    bson_append_iter(&filter, "_id", -1, &id);
    if (conditions) bson_concat(&filter, conditions);
    mongoc_collection_t *records = mongoc_client_get_collection(w->client, w->database, name);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(records, &filter, NULL, NULL);
    if (mongoc_cursor_next(cursor, &row)) copy = bson_copy(row);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(records);
    bson_destroy(&filter);
    return copy;
}

/* Documents that fit the one half of the filter, and whose record fits the other. */
static size_t count_beside(struct live *w, const bson_t *filter)
{
    bson_t *of_document = target_of(filter, false), *conditions = target_of(filter, true);
    const bson_t *row;
    bson_error_t error;
    size_t count = 0;
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(w->tools, of_document, NULL, NULL);
    while (mongoc_cursor_next(cursor, &row)) {
        bson_t *record = record_beside(w, row, conditions);
        count += record != NULL;
        if (record) bson_destroy(record);
    }
    if (mongoc_cursor_error(cursor, &error)) FAIL(w, "count: %s", error.message);
    mongoc_cursor_destroy(cursor);
    bson_destroy(of_document);
    bson_destroy(conditions);
    return count;
}

size_t count_documents(struct live *w, const char *filter)
{
    if (!w->beside || !strstr(filter, "\"" RECORD)) return count_of_collection(w, w->tools, filter);
    bson_t *which = parse(w, filter);
    size_t count = count_beside(w, which);
    bson_destroy(which);
    return count;
}

size_t count_in(struct live *w, const char *collection, const char *filter)
{
    mongoc_collection_t *other = mongoc_client_get_collection(w->client, w->database, collection);
    size_t count = count_of_collection(w, other, filter);
    mongoc_collection_destroy(other);
    return count;
}

static void run_command(struct live *w, const char *database, const char *command)
{
    bson_t *what = parse(w, command);
    bson_error_t error;
    if (!mongoc_client_command_simple(w->client, database, what, NULL, NULL, &error))
        FAIL(w, "%s: %s", command, error.message);
    bson_destroy(what);
}

void admin(struct live *w, const char *command)
{
    if (w->mongod.real && strstr(command, "lockstepDouble"))
        real_skip("what only a stand-in can be set to do");
    run_command(w, "admin", command);
}

void on_database(struct live *w, const char *command)
{
    run_command(w, w->database, command);
}

/* A copy of the document; with the record that is beside it. */
static bson_t *with_record(struct live *w, const bson_t *doc)
{
    if (!w->beside) return bson_copy(doc);
    bson_t *copy = target_of(doc, false), *record = record_beside(w, doc, NULL);
    bson_iter_t iter;
    if (record && bson_iter_init_find(&iter, record, RECORD)) bson_append_iter(copy, RECORD, -1, &iter);
    if (record) bson_destroy(record);
    return copy;
}

bson_t *find_one(struct live *w, const char *filter)
{
    bson_t *which = parse(w, filter), *copy = NULL;
    const bson_t *doc;
    bson_error_t error;
    int64_t until = live_now_ms() + LIVE_PATIENCE_MS;
    bool done = false;
    while (!done) {
        mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(w->tools, which, NULL, NULL);
        if (mongoc_cursor_next(cursor, &doc)) copy = with_record(w, doc);
        done = copy || !mongoc_cursor_error(cursor, &error);
        mongoc_cursor_destroy(cursor);
        if (!done) try_again(w, &error, until, "find");
    }
    bson_destroy(which);
    return copy;
}

int64_t document_int(struct live *w, const char *filter, const char *path)
{
    bson_t *doc = find_one(w, filter);
    bson_iter_t root, at;
    int64_t value = -1;
    if (doc && bson_iter_init(&root, doc) && bson_iter_find_descendant(&root, path, &at) &&
        (BSON_ITER_HOLDS_NUMBER(&at) || BSON_ITER_HOLDS_DATE_TIME(&at)))
        value = BSON_ITER_HOLDS_DATE_TIME(&at) ? bson_iter_date_time(&at) : bson_iter_as_int64(&at);
    bson_destroy(doc);
    return value;
}

char *document_text(struct live *w, const char *filter, const char *path)
{
    bson_t *doc = find_one(w, filter);
    bson_iter_t root, at;
    const char *text = "";
    if (doc && bson_iter_init(&root, doc) && bson_iter_find_descendant(&root, path, &at) &&
        BSON_ITER_HOLDS_UTF8(&at))
        text = bson_iter_utf8(&at, NULL);
    char *copy = strdup(text);
    bson_destroy(doc);
    return copy;
}

bool document_says(struct live *w, const char *filter, const char *path, const char *text)
{
    char *found = document_text(w, filter, path);
    bool same = strcmp(found, text) == 0;
    free(found);
    return same;
}
