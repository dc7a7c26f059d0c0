/*
 * bench.c - the parts of tests/bench/run: load, the baselines, and the way of one change.
 *
 *   bench load URI DATABASE COUNT           makes COUNT documents of the model case, in batches of 1,000
 *   bench change URI DATABASE               changes what is payload, and nothing else, of all documents
 *   bench upsert URL PLUGINS COUNT DIMENSIONS CONNS
 *                                           a minimal client of Qdrant; see baseline.c
 *   bench whole URI DATABASE URL PLUGINS DIMENSIONS CONNS
 *                                           a program that does what a backfill must, and no more; see
 *                                           baseline.c
 *   bench rescan URI DATABASE PLUGINS       reads the bare cursor and makes text, payload and hashes for the
 *                                           four collections; prints documents a second
 *   bench latency URI DATABASE URL PREFIX N changes one document N times and waits each time until its point
 * in Qdrant shows it; prints p50 and p99 in milliseconds
 *
 * `upsert`, `whole` and `rescan` also print the seconds of CPU they took meanwhile. Measures only; asserts
 * nothing. All figures are of one run on whatever machine this is.
 */
#include "tests/bench/bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void die(const char *what, const char *reason)
{
    fprintf(stderr, "bench: %s: %s\n", what, reason);
    exit(EXIT_FAILURE);
}

double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

mongoc_client_t *connect_to(const char *uri)
{
    mongoc_client_t *client = mongoc_client_new(uri);
    if (!client) die("MongoDB", "the URI can't be used");
    return client;
}

static int load(char **args)
{
    mongoc_client_t *client = connect_to(args[0]);
    mongoc_collection_t *tools = mongoc_client_get_collection(client, args[1], "tools");
    long count = strtol(args[2], NULL, 10);
    bson_error_t error;
    for (long first = 0; first < count; first += 1000) {
        bson_t *docs[1000];
        size_t held = 0;
        for (long i = first; i < count && i < first + 1000; i++) docs[held++] = model_document(i);
        if (!mongoc_collection_insert_many(tools, (const bson_t **)docs, held, NULL, NULL, &error))
            die("insert", error.message);
        for (size_t i = 0; i < held; i++) bson_destroy(docs[i]);
    }
    mongoc_collection_destroy(tools);
    mongoc_client_destroy(client);
    return EXIT_SUCCESS;
}

static int change(char **args)
{
    mongoc_client_t *client = connect_to(args[0]);
    mongoc_collection_t *tools = mongoc_client_get_collection(client, args[1], "tools");
    bson_t all = BSON_INITIALIZER, what = BSON_INITIALIZER, set;
    bson_error_t error;
    BSON_APPEND_DOCUMENT_BEGIN(&what, "$set", &set);
    BSON_APPEND_UTF8(&set, "slug", "changed");
    bson_append_document_end(&what, &set);
    if (!mongoc_collection_update_many(tools, &all, &what, NULL, NULL, &error)) die("update", error.message);
    bson_destroy(&what);
    mongoc_collection_destroy(tools);
    mongoc_client_destroy(client);
    return EXIT_SUCCESS;
}

int bench_rescan(char **args)
{
    const struct collection *collections[COLLECTIONS];
    model_open(args[2], "hash/1;dimensions=384", collections);
    mongoc_client_t *client = connect_to(args[0]);
    mongoc_collection_t *tools = mongoc_client_get_collection(client, args[1], "tools");
    bson_t all = BSON_INITIALIZER;
    long count = 0;
    const bson_t *doc;
    bson_error_t error;
    double began = now_s(), cpu = cpu_s();
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(tools, &all, NULL, NULL);
    for (; mongoc_cursor_next(cursor, &doc); count++)
        for (size_t i = 0; i < COLLECTIONS; i++) {
            struct made made;
            collection_make(collections[i], doc, &made);
            made_fini(&made);
        }
    if (mongoc_cursor_error(cursor, &error)) die("find", error.message);
    printf("%.0f %.2f\n", (double)count / (now_s() - began), cpu_s() - cpu);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(tools);
    mongoc_client_destroy(client);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int args;
        int (*run)(char **args);
    } pieces[] = {{"load", 3, load},         {"change", 2, change},       {"upsert", 5, bench_upsert},
                  {"whole", 6, bench_whole}, {"rescan", 3, bench_rescan}, {"latency", 5, bench_latency}};
    int status = 2;
    mongoc_init();
    for (size_t i = 0; argc > 1 && i < sizeof pieces / sizeof *pieces; i++)
        if (strcmp(argv[1], pieces[i].name) == 0 && argc == pieces[i].args + 2)
            status = pieces[i].run(argv + 2);
    if (status == 2) fputs("usage: see the head of tests/bench/bench.c; tests/bench/run uses it\n", stderr);
    mongoc_cleanup();
    return status;
}
