/*
 * bench.c - the parts of tests/bench/run: load, two baselines, and the way of one change.
 *
 *   bench load URI DATABASE COUNT              makes COUNT documents of the model case, in batches of 1,000
 *   bench upsert URL COUNT DIMENSIONS CONNS    a minimal client: formats and sends 4 x COUNT points, 128 a
 * request, over CONNS connections to four collections of its own; prints points a second bench rescan URI
 * DATABASE PLUGINS          reads the bare cursor and makes text, payload and hashes for the four
 *                                              collections; prints documents a second
 *   bench latency URI DATABASE URL PREFIX N    changes one document N times and waits each time until its
 * point in Qdrant shows it; prints p50 and p99 in milliseconds
 *
 * Measures only; asserts nothing. All figures are of one run on whatever machine this is.
 */
#include <arpa/inet.h>
#include <mongoc/mongoc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/float.h"
#include "collection/collection.h"
#include "plugin/plugin.h"

#define BATCH 128
static const char *const names[] = {"tools", "functionality", "usecases", "interface"};
#define COLLECTIONS (sizeof names / sizeof *names)

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- load ---- */

static const char *const words[] = {"search", "design", "code",  "test",  "cloud", "data", "mobile",
                                    "video",  "image",  "text",  "model", "graph", "list", "monitor",
                                    "deploy", "secure", "teams", "draw",  "write", "plan"};

static void append_words(bson_t *doc, const char *key, unsigned count, unsigned *state)
{
    char text[1024] = "";
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++)
        bytes += (size_t)snprintf(text + bytes, sizeof text - bytes, "%s%s", i ? " " : "",
                                  words[next_random(state) % (sizeof words / sizeof *words)]);
    BSON_APPEND_UTF8(doc, key, text);
}

static void append_list(bson_t *doc, const char *key, unsigned count, unsigned *state)
{
    bson_t list;
    char index[16];
    BSON_APPEND_ARRAY_BEGIN(doc, key, &list);
    for (unsigned i = 0; i < count; i++) {
        snprintf(index, sizeof index, "%u", i);
        append_words(&list, index, 2, state);
    }
    bson_append_array_end(doc, &list);
}

static bson_t *document(long number)
{
    unsigned state = (unsigned)number + 1;
    char id[32];
    bson_t *doc = bson_new();
    snprintf(id, sizeof id, "tool-%ld", number);
    BSON_APPEND_INT64(doc, "_id", number);
    BSON_APPEND_UTF8(doc, "id", id);
    BSON_APPEND_UTF8(doc, "slug", id);
    append_words(doc, "name", 2, &state);
    append_words(doc, "description", 12, &state);
    append_words(doc, "tagline", 4, &state);
    append_list(doc, "functionality", 3, &state);
    append_list(doc, "categories", 2, &state);
    append_list(doc, "industries", 1, &state);
    append_list(doc, "userTypes", 2, &state);
    append_list(doc, "deployment", 1, &state);
    append_list(doc, "interface", 2, &state);
    BSON_APPEND_UTF8(doc, "pricingModel", "Free");
    BSON_APPEND_UTF8(doc, "status", "active");
    BSON_APPEND_UTF8(doc, "website", "https://tools.example/");
    return doc;
}

static mongoc_client_t *connect_to(const char *uri)
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
        for (long i = first; i < count && i < first + 1000; i++) docs[held++] = document(i);
        if (!mongoc_collection_insert_many(tools, (const bson_t **)docs, held, NULL, NULL, &error))
            die("insert", error.message);
        for (size_t i = 0; i < held; i++) bson_destroy(docs[i]);
    }
    mongoc_collection_destroy(tools);
    mongoc_client_destroy(client);
    return EXIT_SUCCESS;
}

/* ---- a minimal HTTP client: one keep-alive connection ---- */

struct connection {
    int fd;
    char host[64];
    struct buf in;
};

static void dial(struct connection *c, const char *url)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    char ip[64];
    unsigned port;
    int on = 1;
    if (sscanf(url, "http://%63[0-9.]:%u", ip, &port) != 2 || inet_pton(AF_INET, ip, &to.sin_addr) != 1)
        die(url, "only http://IP:PORT is spoken here");
    to.sin_port = htons((uint16_t)port);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) die(url, "can't connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    snprintf(c->host, sizeof c->host, "%s", url + strlen("http://"));
    buf_init(&c->in, 0);
}

static void send_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);
        if (n <= 0) die("send", "the connection is gone");
        data += n;
        bytes -= (size_t)n;
    }
}

static size_t content_length(const char *head, const char *end)
{
    static const char name[] = "\r\ncontent-length:";
    for (; head < end; head++)
        if (strncasecmp(head, name, sizeof name - 1) == 0) return strtoul(head + sizeof name - 1, NULL, 10);
    return 0;
}

/* Sends a request and reads its reply, which is at c->in.data + *body. Returns the status. */
static int exchange(struct connection *c, const char *method, const char *path, const char *body,
                    size_t bytes, size_t *reply)
{
    char head[512], some[65536];
    int length = snprintf(
        head, sizeof head,
        "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", method,
        path, c->host, bytes);
    send_all(c->fd, head, (size_t)length);
    if (bytes) send_all(c->fd, body, bytes);
    buf_clear(&c->in);
    for (size_t end = 0, total = 0; !end || c->in.bytes < total;) {
        ssize_t n = recv(c->fd, some, sizeof some, 0);
        if (n <= 0) die("receive", "the connection is gone");
        buf_put(&c->in, some, (size_t)n);
        const char *blank = strstr(c->in.data, "\r\n\r\n");
        if (end || !blank) continue;
        end = (size_t)(blank - c->in.data) + 4;
        total = end + content_length(c->in.data, blank);
        if (reply) *reply = end;
    }
    return (int)strtol(c->in.data + strlen("HTTP/1.1 "), NULL, 10);
}

/* ---- upsert: the least a client can do ---- */

struct sender {
    pthread_t thread;
    const char *url;
    long first, count;
    size_t dimensions;
};

/* What Lockstep writes for such a document, `_lockstep` included. */
static const char payload[] =
    "\"payload\":{\"categories\":[\"cloud "
    "data\",\"design\"],\"collection\":\"tools\",\"functionality\":[\"search text\","
    "\"plan\",\"draw image\"],\"id\":\"1\",\"interface\":[\"code\",\"mobile\"],\"name\":\"search "
    "design\",\"slug\":\"tool-1\","
    "\"status\":\"active\",\"toolId\":\"tool-1\",\"website\":\"https://tools.example/"
    "\",\"_lockstep\":{\"source\":\"bench.tools\","
    "\"doc\":\"{\\\"$numberLong\\\":\\\"%ld\\\"}\",\"key\":\"tool-%ld\",\"hash\":"
    "\"5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef\",\"payload\":"
    "\"5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef\",\"model\":\"hash/"
    "1;dimensions=384\",\"epoch\":"
    "1795388034}}}";

static void format_batch(struct buf *body, const struct sender *s, long first, long count, float *vector)
{
    buf_clear(body);
    buf_puts(body, "{\"points\":[");
    for (long i = 0; i < count; i++) {
        unsigned state = (unsigned)(first + i);
        for (size_t d = 0; d < s->dimensions; d++)
            vector[d] = (float)next_random(&state) / 16777216.0f - 0.5f;
        buf_printf(body, "%s{\"id\":\"00000000-0000-5000-8000-%012lx\",\"vector\":", i ? "," : "", first + i);
        float_put_array(body, vector, s->dimensions);
        buf_putc(body, ',');
        buf_printf(body, payload, first + i, first + i);
    }
    buf_puts(body, "]}");
}

static void *send_points(void *context)
{
    const struct sender *s = context;
    struct connection c;
    struct buf body;
    char path[128];
    float *vector = calloc(s->dimensions, sizeof *vector);
    if (!vector) die("memory", "out of it");
    buf_init(&body, 0);
    dial(&c, s->url);
    for (size_t k = 0; k < COLLECTIONS; k++) {
        snprintf(path, sizeof path, "/collections/bench-%s/points?wait=true", names[k]);
        for (long i = 0; i < s->count; i += BATCH) {
            format_batch(&body, s, s->first + i, s->count - i < BATCH ? s->count - i : BATCH, vector);
            if (exchange(&c, "PUT", path, body.data, body.bytes, NULL) != 200) die("upsert", c.in.data);
        }
    }
    close(c.fd);
    buf_fini(&c.in);
    buf_fini(&body);
    free(vector);
    return NULL;
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
        snprintf(path, sizeof path, "/collections/bench-%s", names[k]);
        exchange(&c, "DELETE", path, NULL, 0, NULL);
        if (exchange(&c, "PUT", path, body, (size_t)bytes, NULL) != 200) die("create", c.in.data);
        snprintf(path, sizeof path, "/collections/bench-%s/index?wait=true", names[k]);
        for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
            bytes = snprintf(body, sizeof body, "{\"field_name\":\"%s\",\"field_schema\":\"%s\"}",
                             indexes[i][0], indexes[i][1]);
            if (exchange(&c, "PUT", path, body, (size_t)bytes, NULL) != 200) die("index", c.in.data);
        }
    }
    close(c.fd);
    buf_fini(&c.in);
}

static int upsert(char **args)
{
    long count = strtol(args[1], NULL, 10), connections = strtol(args[3], NULL, 10);
    size_t dimensions = strtoul(args[2], NULL, 10);
    struct sender *senders = calloc((size_t)connections, sizeof *senders);
    if (!senders) die("memory", "out of it");
    make_collections(args[0], dimensions);
    double began = now_s();
    for (long i = 0; i < connections; i++) {
        long first = count * i / connections;
        senders[i] = (struct sender){.url = args[0],
                                     .first = first,
                                     .count = count * (i + 1) / connections - first,
                                     .dimensions = dimensions};
        if (pthread_create(&senders[i].thread, NULL, send_points, &senders[i]) != 0)
            die("thread", "none left");
    }
    for (long i = 0; i < connections; i++) pthread_join(senders[i].thread, NULL);
    printf("%.0f\n", (double)count * (double)COLLECTIONS / (now_s() - began));
    free(senders);
    return EXIT_SUCCESS;
}

/* ---- rescan: the bare cursor and what must be made of each document ---- */

static void say(void *context, const char *problem)
{
    (void)context;
    fprintf(stderr, "bench: %s\n", problem);
}

static int rescan(char **args)
{
    const char *paths[] = {args[2], NULL};
    struct plugin_set *set = NULL;
    struct binding *bindings[COLLECTIONS];
    struct lks_err err;
    if (plugins_load(paths, names, COLLECTIONS, &set, say, NULL, &err) != LKS_E_OK) die("plugins", err.text);
    for (size_t i = 0; i < COLLECTIONS; i++) {
        struct binding_settings settings = {.name = names[i],
                                            .plugin = names[i],
                                            .where = "bench",
                                            .source = "bench.tools",
                                            .id_field = "id",
                                            .id_namespace = "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
                                            .max_text_bytes = 32768,
                                            .fingerprint = "hash/1;dimensions=384"};
        if (binding_open(set, &settings, &bindings[i], say, NULL, &err) != LKS_E_OK)
            die("collection", err.text);
    }
    mongoc_client_t *client = connect_to(args[0]);
    mongoc_collection_t *tools = mongoc_client_get_collection(client, args[1], "tools");
    bson_t all = BSON_INITIALIZER;
    double began = now_s();
    long count = 0;
    const bson_t *doc;
    bson_error_t error;
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(tools, &all, NULL, NULL);
    for (; mongoc_cursor_next(cursor, &doc); count++)
        for (size_t i = 0; i < COLLECTIONS; i++) {
            struct made made;
            collection_make(binding_collection(bindings[i]), doc, &made);
            made_fini(&made);
        }
    if (mongoc_cursor_error(cursor, &error)) die("find", error.message);
    printf("%.0f\n", (double)count / (now_s() - began));
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(tools);
    mongoc_client_destroy(client);
    for (size_t i = 0; i < COLLECTIONS; i++) binding_close(bindings[i]);
    plugins_free(set);
    return EXIT_SUCCESS;
}

/* ---- latency: from the commit to the point ---- */

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

static int latency(char **args)
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
    close(c.fd);
    buf_fini(&c.in);
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
    } parts[] = {{"load", 3, load}, {"upsert", 4, upsert}, {"rescan", 3, rescan}, {"latency", 5, latency}};
    int status = 2;
    mongoc_init();
    for (size_t i = 0; argc > 1 && i < sizeof parts / sizeof *parts; i++)
        if (strcmp(argv[1], parts[i].name) == 0 && argc == parts[i].args + 2) status = parts[i].run(argv + 2);
    if (status == 2) fputs("usage: see the head of tests/bench/bench.c; tests/bench/run uses it\n", stderr);
    mongoc_cleanup();
    return status;
}
