/*
 * main.c - tests/double/embedder: a stand-in for embedding servers, for tests. Loopback only. What it answers
 * is in embedder.c, how tests drive it in control.c.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embedder_http/embedder.h"
#include "qdrant_http/start.h"

#define DEFAULT_PORT 8081
#define DEFAULT_DIMENSIONS 64

static void usage(FILE *out)
{
    fputs("usage: embedder [--port N] [--dimensions N] [--model NAME] [--api-key K] [--tei-batch N]\n"
          "A stand-in for embedding servers, for tests. Port 0 picks a free one.\n",
          out);
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
            if (!start_number(optarg, 0, 65535, &n)) return false;
            *port = (uint16_t)n;
            break;
        case 'd':
            if (!start_number(optarg, 1, 65536, &n)) return false;
            e->dimensions = (uint32_t)n;
            break;
        case 'b':
            if (!start_number(optarg, 1, 1000000, &n)) return false;
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

int main(int argc, char **argv)
{
    struct embedder e;
    const struct http_service service = {handle, refuse, &e};
    uint16_t port = DEFAULT_PORT;
    int rc = 2;

    embedder_init(&e, DEFAULT_DIMENSIONS);
    if (read_options(argc, argv, &e, &port)) {
        fputs("this is a stand-in for an embedding server, for tests; its vectors are hashed words\n",
              stderr);
        rc = start_serving(&service, e.faults, &port);
    } else {
        usage(stderr);
    }
    embedder_fini(&e);
    return rc;
}
