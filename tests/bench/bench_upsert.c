/*
 * bench_upsert.c - how fast points go out: the index port against a minimal client, over as many connections.
 *
 * Both print the same bodies and wait for each reply. The minimal client is what cannot be avoided: a thread
 * per connection that prints, writes to its socket and reads the reply. Without --url the server is a sink in
 * a process of its own that reads everything and always says "completed"; its collection does not exist, so
 * nothing is ensured. With --url it is a Qdrant, whose collection is made and dropped.
 *
 *   bench_upsert [--url URL] [--points N] [--batch N] [--connections N] [--dimensions N] [--rounds N]
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/queue.h"
#include "qdrant/body.h"
#include "qdrant/qdrant.h"
#include "tests/unit/tiny_server.h"

#define COLLECTION "lockstep-bench"
#define COMPLETED                                                                                            \
    "{\"result\":{\"operation_id\":1,\"status\":\"completed\"},\"status\":\"ok\",\"time\":0.0005}"

static long point_count = 20000, batch = 100, connections = 4, dimensions = 384, rounds = 3;
static const char *url;

static float *vectors; /* one for all points, at an offset that differs */
static char (*ids)[POINT_ID_BYTES];
static const char payload[] =
    "{\"categories\":[\"Design\",\"Prototyping\"],\"collection\":\"tools\",\"id\":"
    "\"64b5f0c2e1d3a4b5c6d7e8f9\","
    "\"interface\":[\"Web\",\"Desktop\"],\"name\":\"Figma\",\"pricingModel\":[\"Free\",\"Paid\"],\"slug\":"
    "\"figma\","
    "\"status\":\"active\",\"toolId\":\"figma\",\"website\":\"https://www.figma.com/\"}";

static void die(const char *what)
{
    fprintf(stderr, "bench_upsert: %s\n", what);
    exit(EXIT_FAILURE);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void fill_point(struct point_write *p, long i)
{
    *p = (struct point_write){
        .point_id = ids[i],
        .vector = vectors + i % 97,
        .dimensions = (size_t)dimensions,
        .payload = payload,
        .payload_bytes = sizeof payload - 1,
        .doc = "{\"$oid\":\"64b5f0c2e1d3a4b5c6d7e8f9\"}",
        .key = "figma",
        .content_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        .payload_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        .epoch = 1};
}

static void make_points(void)
{
    unsigned state = 1;
    vectors = calloc((size_t)dimensions + 97, sizeof *vectors);
    ids = calloc((size_t)point_count, sizeof *ids);
    if (!vectors || !ids) die("memory is out");
    for (long i = 0; i < dimensions + 97; i++) {
        state = state * 1664525U + 1013904223U;
        vectors[i] = (float)((double)state / 4294967296.0 - 0.5) * 0.1F;
    }
    for (long i = 0; i < point_count; i++)
        snprintf(ids[i], sizeof ids[i], "00000000-0000-5000-8000-%012ld", i % 1000000000L);
}

/* ---- the sink ---- */

static enum tiny_then swallow(void *context, const struct tiny_request *request, struct buf *out)
{
    (void)context;
    (void)request;
    tiny_reply(out, 200, "Content-Type: application/json\r\n", COMPLETED);
    return TINY_KEEP;
}

static pid_t start_sink(void)
{
    static char text[64];
    int out[2], port;
    if (pipe(out)) die("no pipe");
    pid_t pid = fork();
    if (pid < 0) die("no process");
    if (!pid) {
        struct tiny_server *server = tiny_server_open(swallow, NULL);
        port = server ? tiny_server_port(server) : 0;
        if (write(out[1], &port, sizeof port) != sizeof port) _exit(1);
        for (;;) pause();
    }
    if (read(out[0], &port, sizeof port) != sizeof port || !port) die("the sink does not start");
    snprintf(text, sizeof text, "http://127.0.0.1:%d", port);
    url = text;
    return pid;
}

/* ---- the index port ---- */

static struct queue inbox;

static void post(void *self, struct req *req)
{
    queue_push(self, req);
}

static struct req *batch_req(long first)
{
    struct req *req = req_new(REQ_UPSERT, NULL);
    req->write.count = (size_t)(point_count - first < batch ? point_count - first : batch);
    req->write.points = calloc(req->write.count, sizeof *req->write.points);
    for (size_t i = 0; i < req->write.count; i++) fill_point(&req->write.points[i], first + (long)i);
    return req;
}

static void run_port(struct qdrant *q)
{
    struct port port = qdrant_port(q);
    long first = 0, under_way = 0;
    while (first < point_count || under_way) {
        if (first < point_count && under_way < 2 * connections) {
            port.submit(port.self, batch_req(first));
            first += batch;
            under_way++;
            continue;
        }
        struct req *req = queue_take(&inbox, -1);
        if (req->err.code || req->write.points[0].code) die(req->err.text);
        req_free(req);
        under_way--;
    }
}

/* ---- the minimal client ---- */

static atomic_long next_first;

static int dial(void)
{
    char host[256], service[16] = "80";
    const char *begin = strstr(url, "://") + 3;
    snprintf(host, sizeof host, "%.*s", (int)strcspn(begin, ":/"), begin);
    if (begin[strcspn(begin, ":/")] == ':')
        snprintf(service, sizeof service, "%d", (int)strtol(begin + strcspn(begin, ":/") + 1, NULL, 10));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, service, &hints, &found)) die("no such host");
    int fd = socket(found->ai_family, SOCK_STREAM, 0), on = 1;
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen)) die("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    freeaddrinfo(found);
    return fd;
}

static void send_all(int fd, const char *data, size_t bytes)
{
    while (bytes) {
        ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);
        if (n <= 0) die("cannot send");
        data += n;
        bytes -= (size_t)n;
    }
}

/* Replies are small and come one at a time. */
static void read_reply(int fd)
{
    char in[4096];
    size_t have = 0;
    for (;;) {
        ssize_t n = recv(fd, in + have, sizeof in - 1 - have, 0);
        if (n <= 0) die("no reply");
        have += (size_t)n;
        in[have] = '\0';
        const char *end = strstr(in, "\r\n\r\n");
        if (end && strchr(end, '}') && strstr(end, "\"time\"") && in[have - 1] == '}') break;
    }
    if (!strstr(in, "\"completed\"")) die(in);
}

static void *minimal_client(void *context)
{
    (void)context;
    struct buf head, body;
    struct stamp_fields stamp = {.source = "db.tools", .model = "bench"};
    struct point_write *points = calloc((size_t)batch, sizeof *points);
    int fd = dial();
    buf_init(&head, 0);
    buf_init(&body, 0);
    for (long first; (first = atomic_fetch_add(&next_first, batch)) < point_count;) {
        size_t count = (size_t)(point_count - first < batch ? point_count - first : batch);
        for (size_t i = 0; i < count; i++) fill_point(&points[i], first + (long)i);
        buf_clear(&body);
        buf_clear(&head);
        body_upsert(&body, &stamp, points, count, false, SIZE_MAX / 2);
        buf_printf(&head,
                   "PUT /collections/" COLLECTION "/points?wait=true HTTP/1.1\r\nHost: x\r\nContent-Type: "
                   "application/json\r\nContent-Length: %zu\r\n\r\n",
                   body.bytes);
        send_all(fd, head.data, head.bytes);
        send_all(fd, body.data, body.bytes);
        read_reply(fd);
    }
    buf_fini(&head);
    buf_fini(&body);
    free(points);
    close(fd);
    return NULL;
}

static void run_minimal(void)
{
    pthread_t threads[64];
    atomic_store(&next_first, 0);
    for (long i = 0; i < connections; i++) pthread_create(&threads[i], NULL, minimal_client, NULL);
    for (long i = 0; i < connections; i++) pthread_join(threads[i], NULL);
}

/* ---- both ---- */

static void read_options(int count, char **words)
{
    static const struct option options[] = {{"url", 1, NULL, 'u'},
                                            {"points", 1, NULL, 'p'},
                                            {"batch", 1, NULL, 'b'},
                                            {"connections", 1, NULL, 'c'},
                                            {"dimensions", 1, NULL, 'd'},
                                            {"rounds", 1, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(count, words, "", options, NULL)) != -1;) {
        long value = optarg ? strtol(optarg, NULL, 10) : 0;
        if (c == 'u') url = optarg;
        if (c == 'p') point_count = value;
        if (c == 'b') batch = value;
        if (c == 'c') connections = value;
        if (c == 'd') dimensions = value;
        if (c == 'r') rounds = value;
        if (c == '?') exit(2);
    }
    if (point_count < 1 || batch < 1 || connections < 1 || connections > 64 || dimensions < 1 || rounds < 1)
        die("that is out of range");
}

static void report(const char *name, double *best, double seconds, double cpu)
{
    double rate = (double)point_count / seconds;
    printf("%-8s %8.0f points/s   %5.1f us of CPU a point\n", name, rate, cpu / (double)point_count * 1e6);
    fflush(stdout);
    if (rate > *best) *best = rate;
}

int main(int argc, char **argv)
{
    struct lks_err err;
    struct http *http;
    struct qdrant *q;
    double best_port = 0, best_minimal = 0;
    read_options(argc, argv);
    make_points();
    pid_t sink = url ? -1 : start_sink();
    struct http_options http_options = {.connections_per_host = (int)connections};
    struct qdrant_collection_config collection = {COLLECTION, "Cosine", "bench"};
    struct qdrant_config config = {.url = url,
                                   .timeout_ms = 60000,
                                   .source = "db.tools",
                                   .collections = &collection,
                                   .collection_count = 1};
    if (!queue_init(&inbox, offsetof(struct req, next)) || http_open(&http_options, &http, &err) ||
        qdrant_open(&config, http, (struct inbox){&inbox, post}, &q, &err))
        die(err.text);
    if (sink < 0) {
        struct req *req = req_new(REQ_ENSURE, NULL);
        req->ensure.dimensions = (size_t)dimensions;
        qdrant_port(q).submit(q, req);
        queue_take(&inbox, -1);
        if (req->err.code) die(req->err.text);
        req_free(req);
    }
    for (long i = 0; i < rounds; i++) {
        double start = now_s(), cpu = cpu_s();
        run_port(q);
        report("port", &best_port, now_s() - start, cpu_s() - cpu);
        start = now_s();
        cpu = cpu_s();
        run_minimal();
        report("minimal", &best_minimal, now_s() - start, cpu_s() - cpu);
    }
    printf("ratio    %8.2f\n", best_port / best_minimal);
    if (sink < 0) qdrant_drop(q, 0, NULL, &err);
    qdrant_close(q);
    http_close(http);
    queue_fini(&inbox);
    free(vectors);
    free(ids);
    if (sink > 0) {
        kill(sink, SIGTERM);
        waitpid(sink, NULL, 0);
    }
    return EXIT_SUCCESS;
}
