/*
 * bench_lag.c - is what the daemon says of its lag true? For tests/bench/overload.
 *
 *   bench_lag MONGODB_URI DATABASE QDRANT_URL API_URL      until SIGTERM
 *
 * Writes into documents of its own, ten times a second into one after the other, and looks at their points,
 * so that it knows of itself how old the oldest of its writes is that cannot be found yet. Around each
 * question for /api/sync/worker/state it looks: what was missing before and is missing afterwards was missing
 * all the while, and the daemon must not have said that it is younger. Prints a line for each second, and on
 * SIGTERM:
 *
 *     asked N times; lag at most TRUE s, said at most SAID s; said too little at most BY s (N times by over 1
 * s)
 */
#include <jansson.h>
#include <mongoc/mongoc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/http.h"

#define MOST_WRITES 100000
#define DOCUMENTS 200
#define TICK_MS 100
#define TICKS_PER_QUESTION 10

static volatile sig_atomic_t over;

static void end(int signal)
{
    (void)signal;
    over = 1;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench_lag: %s\n", what);
    exit(EXIT_FAILURE);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct probe {
    mongoc_collection_t *tools;
    struct http *http;
    const char *qdrant, *api;
    int64_t *written_ms; /* when each write was there, by its number */
    size_t writes;
    size_t
        seen[DOCUMENTS]; /* how many of a document's writes are done: the number of the last one plus one */
    char wanted[DOCUMENTS * 12 + 200]; /* the body of the question for their points */
    size_t asked, lies;
    double most_true, most_said, most_hidden; /* seconds */
};

/* ---- the documents ---- */

static void write_once(struct probe *p)
{
    char text[64], id[16];
    size_t document = p->writes % DOCUMENTS;
    bson_error_t error;
    bson_t which = BSON_INITIALIZER, what = BSON_INITIALIZER, opts = BSON_INITIALIZER, set;
    if (p->writes == MOST_WRITES) die("it takes too long");
    snprintf(text, sizeof text, "https://lag.example/%zu", p->writes);
    snprintf(id, sizeof id, "lag-%zu", document);
    BSON_APPEND_INT64(&which, "_id", -1 - (int64_t)document);
    BSON_APPEND_DOCUMENT_BEGIN(&what, "$set", &set);
    BSON_APPEND_UTF8(&set, "id", id);
    BSON_APPEND_UTF8(&set, "name", "Lag");
    BSON_APPEND_UTF8(&set, "website", text);
    bson_append_document_end(&what, &set);
    BSON_APPEND_BOOL(&opts, "upsert", true);
    if (!mongoc_collection_update_one(p->tools, &which, &what, &opts, NULL, &error)) die(error.message);
    p->written_ms[p->writes++] = now_ms();
    bson_destroy(&which);
    bson_destroy(&what);
    bson_destroy(&opts);
}

/* ---- what is there ---- */

static json_t *ask(struct probe *p, const char *method, const char *base, const char *path, const char *body)
{
    char url[300];
    const struct http_header type = {"Content-Type", "application/json"};
    snprintf(url, sizeof url, "%s%s", base, path);
    struct http_call call = {.method = method,
                             .url = url,
                             .headers = &type,
                             .header_count = body ? 1 : 0,
                             .body = body,
                             .body_bytes = body ? strlen(body) : 0,
                             .timeout_ms = 60000};
    http_perform(p->http, &call);
    json_t *reply =
        call.failure || call.status != 200 ? NULL : json_loadb(call.reply.data, call.reply.bytes, 0, NULL);
    http_call_fini(&call);
    return reply;
}

static void make_question(struct probe *p)
{
    char *at = p->wanted, *stop = p->wanted + sizeof p->wanted;
    at += snprintf(at, (size_t)(stop - at),
                   "{\"limit\":%d,\"with_payload\":[\"toolId\",\"website\"],\"filter\":{\"must\":[{\"key\":"
                   "\"_lockstep.key\",\"match\":{\"any\":[",
                   DOCUMENTS);
    for (int i = 0; i < DOCUMENTS; i++)
        at += snprintf(at, (size_t)(stop - at), "%s\"lag-%d\"", i ? "," : "", i);
    snprintf(at, (size_t)(stop - at), "]}}]}}");
}

static void look(struct probe *p)
{
    json_t *reply = ask(p, "POST", p->qdrant, "/collections/tools/points/scroll", p->wanted), *point;
    size_t at;
    if (!reply) return; /* the collection may not be there yet */
    json_array_foreach(json_object_get(json_object_get(reply, "result"), "points"), at, point)
    {
        json_t *payload = json_object_get(point, "payload");
        const char *id = json_string_value(json_object_get(payload, "toolId"));
        const char *website = json_string_value(json_object_get(payload, "website"));
        if (!id || !website) die("a point is not as expected");
        size_t document = strtoull(strchr(id, '-') + 1, NULL, 10);
        p->seen[document % DOCUMENTS] = strtoull(strrchr(website, '/') + 1, NULL, 10) + 1;
    }
    json_decref(reply);
}

static bool is_missing(const struct probe *p, size_t write)
{
    return p->seen[write % DOCUMENTS] <= write;
}

/* The first write that cannot be found; `writes` if all can. */
static size_t first_missing(struct probe *p)
{
    size_t write = 0;
    look(p);
    while (write < p->writes && !is_missing(p, write)) write++;
    return write;
}

static double seconds_since(int64_t at_ms)
{
    return (double)(now_ms() - at_ms) / 1000;
}

/* ---- what is said ---- */

/* The greater of the stream's lag and the age of the oldest change that is known and not done, in seconds. */
static double said(struct probe *p)
{
    json_t *state = ask(p, "GET", p->api, "/api/sync/worker/state", NULL);
    double stream = json_number_value(json_object_get(json_object_get(state, "stream"), "lagMs")) / 1000;
    double oldest = json_number_value(json_object_get(state, "oldestUnsyncedSeconds"));
    if (!state) die("the daemon does not answer");
    json_decref(state);
    return stream > oldest ? stream : oldest;
}

static void question(struct probe *p)
{
    size_t before = first_missing(p);
    double lag = before < p->writes ? seconds_since(p->written_ms[before]) : 0;
    double reported = said(p);
    look(p);
    bool still = is_missing(p, before); /* else it came meanwhile, and who knows when */
    p->asked++;
    if (lag > p->most_true) p->most_true = lag;
    if (reported > p->most_said) p->most_said = reported;
    if (still && lag - reported > p->most_hidden) p->most_hidden = lag - reported;
    if (still && lag - reported > 1) p->lies++;
    printf("lag %.1f s, said %.1f s\n", lag, reported);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct probe p;
    p.written_ms = calloc(MOST_WRITES, sizeof *p.written_ms);
    struct sigaction on_end = {.sa_handler = end};
    struct lks_err err;
    if (argc != 5) die("usage: MONGODB_URI DATABASE QDRANT_URL API_URL");
    sigaction(SIGTERM, &on_end, NULL);
    mongoc_init();
    mongoc_client_t *client = mongoc_client_new(argv[1]);
    if (!client || !p.written_ms || http_open(NULL, &p.http, &err) != LKS_E_OK)
        die("out of memory, or no address");
    p.tools = mongoc_client_get_collection(client, argv[2], "tools");
    p.qdrant = argv[3];
    p.api = argv[4];
    make_question(&p);
    int64_t next = now_ms();
    for (unsigned tick = 1; !over; tick++) {
        write_once(&p);
        if (tick % TICKS_PER_QUESTION == 0) question(&p);
        next += TICK_MS;
        int64_t wait = next - now_ms();
        const struct timespec pause = {.tv_nsec = (long)(wait > 0 ? wait : 0) * 1000000};
        nanosleep(&pause, NULL);
        if (wait < 0) next = now_ms();
    }
    printf("asked %zu times; lag at most %.1f s, said at most %.1f s; said too little at most %.1f s (%zu "
           "times by over 1 s)\n",
           p.asked, p.most_true, p.most_said, p.most_hidden, p.lies);
    http_close(p.http);
    mongoc_collection_destroy(p.tools);
    mongoc_client_destroy(client);
    mongoc_cleanup();
    free(p.written_ms);
    return EXIT_SUCCESS;
}
