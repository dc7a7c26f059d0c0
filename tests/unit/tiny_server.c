/*
 * tiny_server.c - one accepting thread and one thread per connection.
 *
 * Owns the sockets and threads; handlers run under one lock, so tests need none of their own.
 */
#include "tiny_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256

struct connection {
    struct tiny_server *server;
    pthread_t thread;
    int fd, number;
};

struct tiny_server {
    tiny_handler handler;
    void *context;
    int fd, port;
    pthread_t thread;
    pthread_mutex_t lock;
    struct connection connections[CONNECTIONS_MAX];
    int connection_count, request_count;
    bool closing;
};

static bool send_all(int fd, const char *data, size_t bytes)
{
    while (bytes) {
        ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);
        if (n <= 0) return false;
        data += n;
        bytes -= (size_t)n;
    }
    return true;
}

/* Reads until `in` holds `need` bytes. */
static bool fill(int fd, struct buf *in, size_t need)
{
    char chunk[65536];
    while (in->bytes < need) {
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n <= 0) return false;
        buf_put(in, chunk, (size_t)n);
    }
    return true;
}

static size_t body_length(const char *head)
{
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (!strncasecmp(line + 2, "content-length:", 15)) return strtoul(line + 17, NULL, 10);
    return 0;
}

/* Answers one request; false when the connection is to end. */
static bool serve_one(struct connection *c, struct buf *in)
{
    char *end;
    while (!in->data || !(end = strstr(in->data, "\r\n\r\n")))
        if (!fill(c->fd, in, in->bytes + 1)) return false;
    size_t head_bytes = (size_t)(end - in->data) + 4;
    size_t body_bytes = body_length(in->data);
    if (!fill(c->fd, in, head_bytes + body_bytes)) return false;

    char *head = strndup(in->data, head_bytes), *line = strndup(in->data, head_bytes);
    char *body = malloc(body_bytes + 1), *rest = NULL;
    memcpy(body, in->data + head_bytes, body_bytes);
    body[body_bytes] = '\0';
    const char *method = strtok_r(line, " ", &rest), *target = strtok_r(NULL, " ", &rest);
    struct buf out;
    buf_init(&out, 0);
    pthread_mutex_lock(&c->server->lock);
    struct tiny_request request = {.method = method,
                                   .target = target,
                                   .head = head,
                                   .body = body,
                                   .body_bytes = body_bytes,
                                   .connection = c->number,
                                   .number = c->server->request_count++};
    enum tiny_then then = c->server->handler(c->server->context, &request, &out);
    pthread_mutex_unlock(&c->server->lock);
    bool ok = send_all(c->fd, out.data, out.bytes);
    buf_fini(&out);
    free(head);
    free(line);
    free(body);

    size_t used = head_bytes + body_bytes;
    memmove(in->data, in->data + used, in->bytes - used + 1);
    in->bytes -= used;
    char byte;
    if (then == TINY_HANG)
        while (recv(c->fd, &byte, 1, 0) > 0) {
        }
    return ok && then == TINY_KEEP;
}

static void *serve(void *context)
{
    struct connection *c = context;
    struct buf in;
    buf_init(&in, 0);
    while (serve_one(c, &in)) {
    }
    buf_fini(&in);
    shutdown(c->fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *context)
{
    struct tiny_server *s = context;
    for (;;) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0) return NULL;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        pthread_mutex_lock(&s->lock);
        struct connection *c = &s->connections[s->connection_count];
        if (s->closing || s->connection_count == CONNECTIONS_MAX) {
            close(fd);
        } else {
            *c = (struct connection){.server = s, .fd = fd, .number = s->connection_count};
            if (pthread_create(&c->thread, NULL, serve, c))
                close(fd);
            else
                s->connection_count++;
        }
        pthread_mutex_unlock(&s->lock);
    }
}

struct tiny_server *tiny_server_open(tiny_handler handler, void *context)
{
    struct tiny_server *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->handler = handler;
    s->context = context;
    pthread_mutex_init(&s->lock, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&address, length) || listen(s->fd, 64) ||
        getsockname(s->fd, (struct sockaddr *)&address, &length) ||
        pthread_create(&s->thread, NULL, accept_all, s)) {
        if (s->fd >= 0) close(s->fd);
        free(s);
        return NULL;
    }
    s->port = ntohs(address.sin_port);
    return s;
}

int tiny_server_port(const struct tiny_server *server)
{
    return server->port;
}

void tiny_server_close(struct tiny_server *s)
{
    if (!s) return;
    shutdown(s->fd, SHUT_RDWR);
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    for (int i = 0; i < s->connection_count; i++) shutdown(s->connections[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    close(s->fd);
    for (int i = 0; i < s->connection_count; i++) {
        pthread_join(s->connections[i].thread, NULL);
        close(s->connections[i].fd);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void tiny_reply(struct buf *out, int status, const char *headers, const char *body)
{
    buf_printf(out, "HTTP/1.1 %d Whatever\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body),
               body);
}
