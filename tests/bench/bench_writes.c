/*
 * bench_writes.c - an application that writes at a steady rate: for tests/bench/overload.
 *
 *   bench_writes URI DATABASE DOCUMENTS RATE SECONDS
 *
 * Updates RATE documents a second, of those that `bench load` made, in bulks 20 times a second; a third of
 * the updates change what is embedded, a third what is payload, a third what is nobody's. Prints how many
 * writes MongoDB took, and in which time.
 */
#include <mongoc/mongoc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BULKS_PER_SECOND 20

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wait_until(double at)
{
    double left = at - now_s();
    if (left <= 0) return;
    const struct timespec pause = {.tv_sec = (time_t)left,
                                   .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
    nanosleep(&pause, NULL);
}

static void add_update(mongoc_bulk_operation_t *bulk, int64_t document, uint64_t number)
{
    static const char *const keys[] = {"tagline", "website", "contributor"};
    char value[40];
    bson_t which = BSON_INITIALIZER, what = BSON_INITIALIZER, set;
    snprintf(value, sizeof value, "written as number %llu", (unsigned long long)number);
    BSON_APPEND_INT64(&which, "_id", document);
    BSON_APPEND_DOCUMENT_BEGIN(&what, "$set", &set);
    bson_append_utf8(&set, keys[number % 3], -1, value, -1);
    bson_append_document_end(&what, &set);
    mongoc_bulk_operation_update_one_with_opts(bulk, &which, &what, NULL, NULL);
    bson_destroy(&which);
    bson_destroy(&what);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fputs("usage: bench_writes URI DATABASE DOCUMENTS RATE SECONDS\n", stderr);
        return 2;
    }
    mongoc_init();
    mongoc_client_t *client = mongoc_client_new(argv[1]);
    if (!client) return EXIT_FAILURE;
    mongoc_collection_t *tools = mongoc_client_get_collection(client, argv[2], "tools");
    uint64_t documents = strtoull(argv[3], NULL, 10), rate = strtoull(argv[4], NULL, 10), number = 0,
             state = 1;
    double began = now_s(), seconds = strtod(argv[5], NULL);
    bson_t unordered = BSON_INITIALIZER;
    BSON_APPEND_BOOL(&unordered, "ordered", false);
    for (uint64_t bulks = 0; now_s() < began + seconds; bulks++) {
        mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(tools, &unordered);
        bson_error_t error;
        bson_t reply;
        wait_until(began + (double)bulks / BULKS_PER_SECOND);
        for (uint64_t i = 0; i < rate / BULKS_PER_SECOND; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            add_update(bulk, (int64_t)((state >> 33) % documents), number++);
        }
        if (!mongoc_bulk_operation_execute(bulk, &reply, &error)) {
            fprintf(stderr, "bench_writes: %s\n", error.message);
            return EXIT_FAILURE;
        }
        bson_destroy(&reply);
        mongoc_bulk_operation_destroy(bulk);
    }
    printf("%llu writes in %.1f s\n", (unsigned long long)number, now_s() - began);
    bson_destroy(&unordered);
    mongoc_collection_destroy(tools);
    mongoc_client_destroy(client);
    mongoc_cleanup();
    return EXIT_SUCCESS;
}
