/*
 * main.c - tests/double/qdrant: a stand-in for a Qdrant server, for tests, the quickstart and authors of
 * plugins.
 *
 * It answers the REST interface of Qdrant 1.18 as recordings of a real server did, keeps everything in
 * memory, searches exactly, and can be set to fail (control.c). It is not Qdrant: no gRPC, no snapshots, no
 * cluster, no approximate index, and nothing is tuned for real data. Loopback only.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant_http/faults.h"
#include "qdrant_http/journal.h"
#include "qdrant_http/nodes.h"
#include "qdrant_http/start.h"

#define DEFAULT_PORT 6333
#define DEFAULT_VERSION "1.18.3"

struct options {
    uint16_t port;
    const char *api_key;
    const char *read_only_key;
    const char *file;
    const char *version;
    long nodes;
    bool costs;
};

static void usage(FILE *out)
{
    fputs("usage: qdrant [--port N] [--api-key K] [--read-only-api-key K] [--file PATH] [--version X] "
          "[--nodes N] [--costs real]\n"
          "A stand-in for Qdrant, for tests. Port 0 picks a free one.\n",
          out);
}

static bool read_options(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {{"port", required_argument, NULL, 'p'},
                                          {"api-key", required_argument, NULL, 'k'},
                                          {"read-only-api-key", required_argument, NULL, 'r'},
                                          {"file", required_argument, NULL, 'f'},
                                          {"version", required_argument, NULL, 'v'},
                                          {"nodes", required_argument, NULL, 'n'},
                                          {"costs", required_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int c;

    *o = (struct options){.port = DEFAULT_PORT, .version = DEFAULT_VERSION, .nodes = 1};
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        long n;

        switch (c) {
        case 'p':
            if (!start_number(optarg, 0, 65535, &n)) return false;
            o->port = (uint16_t)n;
            break;
        case 'k':
            o->api_key = optarg;
            break;
        case 'r':
            o->read_only_key = optarg;
            break;
        case 'f':
            o->file = optarg;
            break;
        case 'c':
            if (strcmp(optarg, "real") != 0) return false;
            o->costs = true;
            break;
        case 'v':
            o->version = optarg;
            break;
        case 'n':
            if (!start_number(optarg, 1, CLUSTER_NODES_MAX, &o->nodes)) return false;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            return false;
        }
    }
    return optind == argc && (o->nodes == 1 || !o->file); /* a file keeps one replica */
}

static void handle(void *user, const struct request *request, struct response *out)
{
    server_handle(user, request, out);
}

static void refuse(void *user, const char *message, struct response *out)
{
    (void)user;
    response_init(out);
    out->status = 400;
    out->content_type = "application/json";
    buf_puts(&out->body, "{\"status\":{\"error\":");
    json_write_string(&out->body, message, strlen(message));
    buf_puts(&out->body, "},\"time\":0.0}");
}

int main(int argc, char **argv)
{
    struct options o;
    struct server *s;
    struct nodes *nodes = NULL;
    int rc;

    if (!read_options(argc, argv, &o)) {
        usage(stderr);
        return 2;
    }
    fprintf(stderr, "this is a stand-in for tests, %s; it is not Qdrant, though it says it were version %s\n",
            o.file ? "in memory and kept in a file" : "in memory", o.version);
    s = server_new(o.version);
    s->cluster.ports[0] = o.port;
    s->api_key = o.api_key;
    s->read_only_key = o.read_only_key;
    s->costs = o.costs;
    if (o.file && !journal_open(s, o.file)) {
        server_free(s);
        return 1;
    }
    if (o.nodes > 1 && !(nodes = nodes_open(s, (size_t)o.nodes, refuse))) {
        server_free(s);
        return 1;
    }
    rc = start_serving(&(const struct http_service){handle, refuse, s}, s->faults, &s->cluster.ports[0]);
    nodes_close(nodes);
    journal_close(s);
    server_free(s);
    return rc;
}
