/*
 * main.c - tests/double/embedder: a stand-in for embedding servers, for tests. Loopback only. What it answers
 * is in embedder.c, how tests drive it in control.c.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embedder_http/embedder.h"
#include "qdrant_http/http.h"

#define DEFAULT_PORT 8081
#define DEFAULT_DIMENSIONS 64

static void usage(FILE *out)
{
    fputs("usage: embedder [--port N] [--dimensions N] [--model NAME] [--api-key K] [--tei-batch N]\n"
          "A stand-in for embedding servers, for tests. Port 0 picks a free one.\n",
          out);
}

static bool number(const char *text, long least, long most, long *out)
{
    char *end;

    *out = strtol(text, &end, 10);
    return end != text && !*end && *out >= least && *out <= most;
}

static bool read_options(int argc, char **argv, struct embedder *e, uint16_t *port)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},      {"dimensions", required_argument, NULL, 'd'},
        {"model", required_argument, NULL, 'm'},     {"api-key", required_argument, NULL, 'k'},
        {"tei-batch", required_argument, NULL, 'b'}, {NULL, 0, NULL, 0}};
    long n;
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'p':
            if (!number(optarg, 0, 65535, &n)) return false;
            *port = (uint16_t)n;
            break;
        case 'd':
            if (!number(optarg, 1, 65536, &n)) return false;
            e->dimensions = (uint32_t)n;
            break;
        case 'b':
            if (!number(optarg, 1, 1000000, &n)) return false;
            e->most_inputs_tei = (uint32_t)n;
            break;
        case 'm':
            e->model = optarg;
            break;
        case 'k':
            e->api_key = optarg;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

static void handle(void *user, const struct request *request, struct response *out)
{
    embedder_handle(user, request, out);
}

static void refuse(void *user, const char *message, struct response *out)
{
    (void)user;
    response_init(out);
    out->status = 413;
    out->content_type = "application/json";
    buf_puts(&out->body, "{\"error\":");
    json_write_string(&out->body, message, strlen(message));
    buf_putc(&out->body, '}');
}

static int serve(struct embedder *e, uint16_t port)
{
    const struct http_service service = {handle, refuse, e};
    struct http *http;
    sigset_t signals;
    int caught;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    http = http_open(&port, &service);
    if (!http) return 1;
    printf("listening on 127.0.0.1:%u\n", port);
    fflush(stdout);
    sigwait(&signals, &caught);
    faults_stop(e->faults);
    http_close(http);
    return 0;
}

int main(int argc, char **argv)
{
    struct embedder e;
    uint16_t port = DEFAULT_PORT;
    int rc = 2;

    embedder_init(&e, DEFAULT_DIMENSIONS);
    if (read_options(argc, argv, &e, &port)) {
        fputs("this is a stand-in for an embedding server, for tests; its vectors are hashed words\n",
              stderr);
        rc = serve(&e, port);
    } else {
        usage(stderr);
    }
    embedder_fini(&e);
    return rc;
}
