/*
 * quickstart-mongo.c - the few things that ./quickstart does to a MongoDB collection, for machines without
 * mongosh.
 *
 * It plays the application: it loads documents, changes a field, deletes one, and shows what a document's
 * syncMetadata says. It knows nothing of Lockstep but the shape of that record, is never installed, and
 * touches no database but the one it is given.
 */
#include <errno.h>
#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOAD_BATCH 100 /* documents in one insert */

struct app {
    mongoc_client_t *client;
    mongoc_collection_t *collection;
    char *database;
    char **args; /* after the command's name, as many as it asks for */
};

struct command {
    const char *name, *args, *help;
    int arg_count;
    int (*run)(struct app *app);
};

static int failed(const char *what, const bson_error_t *error)
{
    fprintf(stderr, "quickstart-mongo: %s: %s\n", what, error->message);
    return 1;
}

static void print_json(const bson_t *doc)
{
    char *text = bson_as_relaxed_extended_json(doc, NULL);
    puts(text ? text : "(not valid UTF-8)");
    bson_free(text);
}

static int insert_batch(struct app *app, bson_t **docs, size_t count)
{
    bson_error_t error;
    if (count == 0) return 0;
    bool ok =
        mongoc_collection_insert_many(app->collection, (const bson_t **)docs, count, NULL, NULL, &error);
    for (size_t i = 0; i < count; i++) bson_destroy(docs[i]);
    return ok ? 0 : failed("insert", &error);
}

/* Inserts the lines of an open file; sets *total to how many. */
static int load_lines(struct app *app, FILE *file, size_t *total)
{
    bson_t *docs[LOAD_BATCH];
    size_t held = 0, space = 0;
    ssize_t length;
    char *line = NULL;
    int status = 0;
    while (status == 0 && (length = getline(&line, &space, file)) > 0) {
        bson_error_t error;
        if (line[strspn(line, " \t\r\n")] == '\0') continue;
        docs[held] = bson_new_from_json((const uint8_t *)line, length, &error);
        if (!docs[held]) {
            fprintf(stderr, "quickstart-mongo: document %zu: %s\n", *total + 1, error.message);
            status = 1;
            break;
        }
        held++, ++*total;
        if (held == LOAD_BATCH) {
            status = insert_batch(app, docs, held);
            held = 0;
        }
    }
    if (status == 0)
        status = insert_batch(app, docs, held);
    else
        for (size_t i = 0; i < held; i++) bson_destroy(docs[i]);
    free(line);
    return status;
}

static int run_load(struct app *app)
{
    size_t total = 0;
    FILE *file = fopen(app->args[0], "re");
    if (!file) {
        fprintf(stderr, "quickstart-mongo: %s: %s\n", app->args[0], strerror(errno));
        return 1;
    }
    int status = load_lines(app, file, &total);
    fclose(file);
    if (status == 0) printf("%zu\n", total);
    return status;
}

static int run_set(struct app *app)
{
    bson_t *filter = BCON_NEW("id", BCON_UTF8(app->args[0])), reply = BSON_INITIALIZER;
    bson_t *value = NULL, *update = NULL;
    bson_iter_t found, counts;
    bson_error_t error;
    int status = 1;

    /* A value alone is no document: give it a name for the parser. */
    size_t bytes = strlen(app->args[2]) + sizeof "{\"v\":}";
    char *json = bson_malloc(bytes);
    snprintf(json, bytes, "{\"v\":%s}", app->args[2]);
    value = bson_new_from_json((const uint8_t *)json, -1, &error);
    bson_free(json);
    if (!value || !bson_iter_init_find(&found, value, "v")) {
        fprintf(stderr, "quickstart-mongo: not a JSON value (a string needs its quotes): %s\n", app->args[2]);
        goto out;
    }
    bson_t set = BSON_INITIALIZER;
    bson_append_value(&set, app->args[1], -1, bson_iter_value(&found));
    update = BCON_NEW("$set", BCON_DOCUMENT(&set));
    bson_destroy(&set);
    bson_destroy(&reply);
    if (!mongoc_collection_update_one(app->collection, filter, update, NULL, &reply, &error)) {
        failed("update", &error);
        goto out;
    }
    if (!bson_iter_init_find(&counts, &reply, "matchedCount") || bson_iter_as_int64(&counts) == 0) {
        fprintf(stderr, "quickstart-mongo: no document with id %s\n", app->args[0]);
        goto out;
    }
    status = 0;
out:
    bson_destroy(&reply);
    bson_destroy(filter);
    bson_destroy(value);
    bson_destroy(update);
    return status;
}

static int run_delete(struct app *app)
{
    bson_t *filter = BCON_NEW("id", BCON_UTF8(app->args[0])), reply;
    bson_iter_t counts;
    bson_error_t error;
    int status = 0;
    if (!mongoc_collection_delete_one(app->collection, filter, NULL, &reply, &error))
        status = failed("delete", &error);
    else if (!bson_iter_init_find(&counts, &reply, "deletedCount") || bson_iter_as_int64(&counts) == 0) {
        fprintf(stderr, "quickstart-mongo: no document with id %s\n", app->args[0]);
        status = 1;
    }
    bson_destroy(&reply);
    bson_destroy(filter);
    return status;
}

/* Finds the document with that id and gives it to `use`. */
static int with_document(struct app *app, int (*use)(const bson_t *doc))
{
    bson_t *filter = BCON_NEW("id", BCON_UTF8(app->args[0]));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(app->collection, filter, NULL, NULL);
    const bson_t *doc;
    bson_error_t error;
    int status;
    if (mongoc_cursor_next(cursor, &doc))
        status = use(doc);
    else if (mongoc_cursor_error(cursor, &error))
        status = failed("find", &error);
    else {
        fprintf(stderr, "quickstart-mongo: no document with id %s\n", app->args[0]);
        status = 1;
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    return status;
}

static int show_document(const bson_t *doc)
{
    print_json(doc);
    return 0;
}

static int run_show(struct app *app)
{
    return with_document(app, show_document);
}

/* The member as text, or "-", so that each line has the same number of words. */
static const char *entry_text(const bson_t *entry, const char *name)
{
    bson_iter_t member;
    bool there = bson_iter_init_find(&member, entry, name) && BSON_ITER_HOLDS_UTF8(&member);
    return there && *bson_iter_utf8(&member, NULL) ? bson_iter_utf8(&member, NULL) : "-";
}

static int show_entries(const bson_t *doc)
{
    bson_iter_t root, collections, each;
    if (!bson_iter_init(&root, doc) ||
        !bson_iter_find_descendant(&root, "syncMetadata.collections", &collections) ||
        !bson_iter_recurse(&collections, &each))
        return 0; /* never looked at so far */
    while (bson_iter_next(&each)) {
        const uint8_t *data;
        uint32_t bytes;
        bson_t entry;
        bson_iter_t version;
        if (!BSON_ITER_HOLDS_DOCUMENT(&each)) continue;
        bson_iter_document(&each, &bytes, &data);
        if (!bson_init_static(&entry, data, bytes)) continue;
        int64_t vector_version =
            bson_iter_init_find(&version, &entry, "vectorVersion") ? bson_iter_as_int64(&version) : 0;
        printf("%s %s %" PRId64 " %s %s\n", bson_iter_key(&each), entry_text(&entry, "status"),
               vector_version, entry_text(&entry, "payloadHash"), entry_text(&entry, "pointId"));
    }
    return 0;
}

static int run_entries(struct app *app)
{
    return with_document(app, show_entries);
}

static int run_unsynced(struct app *app)
{
    bson_t *filter = BCON_NEW("syncMetadata.overallStatus", "{", "$ne", BCON_UTF8("synced"), "}");
    bson_error_t error;
    int64_t count = mongoc_collection_count_documents(app->collection, filter, NULL, NULL, NULL, &error);
    bson_destroy(filter);
    if (count < 0) return failed("count", &error);
    printf("%" PRId64 "\n", count);
    return 0;
}

static int run_drop(struct app *app)
{
    mongoc_database_t *database = mongoc_client_get_database(app->client, app->database);
    bson_error_t error;
    bool ok = mongoc_database_drop_with_opts(database, NULL, &error);
    mongoc_database_destroy(database);
    return ok ? 0 : failed("dropDatabase", &error);
}

/* True once a server that takes writes answers. */
static bool is_writable(struct app *app, bson_error_t *error)
{
    bson_t *hello = BCON_NEW("isMaster", BCON_INT32(1)), reply;
    bson_iter_t member;
    bool ok = mongoc_client_command_simple(app->client, "admin", hello, NULL, &reply, error);
    if (ok) {
        ok = bson_iter_init_find(&member, &reply, "ismaster") && bson_iter_as_bool(&member);
        if (!ok) bson_set_error(error, 0, 0, "the server answers, but takes no writes");
    }
    bson_destroy(&reply);
    bson_destroy(hello);
    return ok;
}

static int run_wait(struct app *app)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    time_t until = time(NULL) + strtol(app->args[0], NULL, 10);
    bson_error_t error;
    while (!is_writable(app, &error)) {
        if (time(NULL) >= until) return failed("no answer", &error);
        nanosleep(&pause, NULL);
    }
    return 0;
}

/* Makes a fresh `mongod --replSet lockstep` a replica set of one, which is what gives it change streams. */
static int run_initiate(struct app *app)
{
    enum { ALREADY_INITIALIZED = 23 };
    bson_t *command = BCON_NEW("replSetInitiate", "{", "_id", BCON_UTF8("lockstep"), "members", "[", "{",
                               "_id", BCON_INT32(0), "host", BCON_UTF8(app->args[0]), "}", "]", "}");
    bson_t reply;
    bson_error_t error;
    bool ok = mongoc_client_command_simple(app->client, "admin", command, NULL, &reply, &error);
    bson_destroy(&reply);
    bson_destroy(command);
    return ok || error.code == ALREADY_INITIALIZED ? 0 : failed("replSetInitiate", &error);
}

static const struct command commands[] = {
    {"wait", "SECONDS", "until the server takes writes", 1, run_wait},
    {"initiate", "HOST:PORT", "make a mongod --replSet lockstep a replica set of one", 1, run_initiate},
    {"load", "FILE", "insert the documents of a file, one a line", 1, run_load},
    {"set", "ID FIELD JSON", "change one field of one document", 3, run_set},
    {"delete", "ID", "delete one document", 1, run_delete},
    {"show", "ID", "print one document", 1, run_show},
    {"entries", "ID", "print its sync state: collection, status, vectorVersion, payloadHash, pointId", 1,
     run_entries},
    {"unsynced", "", "count the documents that are not in sync", 0, run_unsynced},
    {"drop", "", "drop the whole database", 0, run_drop},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static int usage(void)
{
    fputs("usage: quickstart-mongo URI DATABASE.COLLECTION COMMAND   (URI `-`: the one in MONGODB_URI)\n",
          stderr);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stderr, "  %-9s %-14s %s\n", commands[i].name, commands[i].args, commands[i].help);
    return 2;
}

/* An application's connection to argv[1], the collection argv[2] open. */
static bool app_open(struct app *app, char **argv)
{
    const char *dot = strchr(argv[2], '.'),
               *address = strcmp(argv[1], "-") == 0 ? getenv("MONGODB_URI") : argv[1];
    bson_error_t error = {.message = "not DATABASE.COLLECTION"};
    mongoc_uri_t *uri = NULL;
    if (!address) address = "";
    if (!dot || dot == argv[2] || !dot[1] || !(uri = mongoc_uri_new_with_error(address, &error))) {
        /* never the URI itself: it may hold a password */
        fprintf(stderr, "quickstart-mongo: %s\n", error.message);
        return false;
    }
    mongoc_uri_set_appname(uri, "quickstart-mongo");
    app->database = bson_strndup(argv[2], (size_t)(dot - argv[2]));
    app->client = mongoc_client_new_from_uri(uri);
    mongoc_uri_destroy(uri);
    if (!app->client) return false;
    mongoc_client_set_error_api(app->client, MONGOC_ERROR_API_VERSION_2);
    app->collection = mongoc_client_get_collection(app->client, app->database, dot + 1);
    return true;
}

int main(int argc, char **argv)
{
    const struct command *command = NULL;
    for (size_t i = 0; argc > 3 && i < COMMAND_COUNT; i++)
        if (strcmp(argv[3], commands[i].name) == 0) command = &commands[i];
    if (!command || argc != 4 + command->arg_count) return usage();

    struct app app = {.args = argv + 4};
    mongoc_init();
    int status = app_open(&app, argv) ? command->run(&app) : 1;
    mongoc_collection_destroy(app.collection);
    mongoc_client_destroy(app.client);
    bson_free(app.database);
    mongoc_cleanup();
    return status;
}
