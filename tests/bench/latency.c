/* latency.c - the way of one change: from its commit in MongoDB until its point in Qdrant shows it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double one_change(mongoc_collection_t *tools, struct connection *c, const char *path, int number)
{
    char mark[64];
    bson_error_t error;
    snprintf(mark, sizeof mark, "change number %d of %ld", number, (long)getpid());
    bson_t *filter = BCON_NEW("_id", BCON_INT64(0));
    bson_t *update = BCON_NEW("$set", "{", "tagline", BCON_UTF8(mark), "}");
    bson_t *majority = BCON_NEW("writeConcern", "{", "w", BCON_UTF8("majority"), "}");
    if (!mongoc_collection_update_one(tools, filter, update, majority, NULL, &error))
        die("update", error.message);
    double committed = now_s();
    for (size_t reply;;) {
        if (exchange(c, "GET", path, NULL, 0, &reply) != 200) die("point", c->in.data);
        if (strstr(c->in.data + reply, mark)) break;
        if (now_s() - committed > 30) die("latency", "the change did not come within 30 seconds");
    }
    double ms = (now_s() - committed) * 1000;
    bson_destroy(filter);
    bson_destroy(update);
    bson_destroy(majority);
    return ms;
}

/* The path of the point of document 0: found once by its `_lockstep.key`, then read by its id. */
static void find_point(struct connection *c, const char *prefix, char *path, size_t bytes)
{
    static const char query[] =
        "{\"filter\":{\"must\":[{\"key\":\"_lockstep.key\",\"match\":{\"value\":\"tool-0\"}}]},\"limit\":1,"
        "\"with_payload\":false}";
    size_t reply;
    snprintf(path, bytes, "/collections/%stools/points/scroll", prefix);
    if (exchange(c, "POST", path, query, sizeof query - 1, &reply) != 200) die("scroll", c->in.data);
    const char *id = strstr(c->in.data + reply, "\"id\":\"");
    if (!id) die("scroll", "document 0 has no point");
    snprintf(path, bytes, "/collections/%stools/points/%.36s", prefix, id + strlen("\"id\":\""));
}

int bench_latency(char **args)
{
    mongoc_client_t *client = connect_to(args[0]);
    mongoc_collection_t *tools = mongoc_client_get_collection(client, args[1], "tools");
    struct connection c;
    char path[256];
    int count = (int)strtol(args[4], NULL, 10);
    double *times = calloc((size_t)count, sizeof *times);
    if (!times || count < 1) die("latency", "how often?");
    dial(&c, args[2]);
    find_point(&c, args[3], path, sizeof path);
    for (int i = 0; i < count; i++) times[i] = one_change(tools, &c, path, i);
    qsort(times, (size_t)count, sizeof *times, ascending);
    printf("%.1f %.1f\n", times[count / 2], times[(count * 99) / 100]);
    free(times);
    hang_up(&c);
    mongoc_collection_destroy(tools);
    mongoc_client_destroy(client);
    return EXIT_SUCCESS;
}
