/* wiretap.c - see wiretap.h. One thread for each connection; all of them end when the relay is closed. */
#include "wiretap.h"

#include <arpa/inet.h>
#include <bson/bson.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"

#define MOST_CONNECTIONS 64
#define CHUNK 65536
#define OP_MSG 2013
#define OP_MSG_HEAD 21 /* header, flags, kind of the first section */

struct connection {
    struct wiretap *owner;
    pthread_t thread;
    int client, server;
    struct buf said; /* by the client, up to the message that is not whole yet */
};

struct wiretap {
    int listener, port, server_port;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    struct buf commands;  /* JSON, each with its NUL */
    struct connection connections[MOST_CONNECTIONS];
    size_t count;
};

static int connected(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static void keep(struct wiretap *w, const uint8_t *message, size_t bytes)
{
    uint32_t code, length;
    bson_t command;
    memcpy(&code, message + 12, sizeof code);
    if (BSON_UINT32_FROM_LE(code) != OP_MSG || bytes <= OP_MSG_HEAD || message[20] != 0) return;
    memcpy(&length, message + OP_MSG_HEAD, sizeof length);
    length = BSON_UINT32_FROM_LE(length);
    if (length < 5 || length > bytes - OP_MSG_HEAD) return;
    if (!bson_init_static(&command, message + OP_MSG_HEAD, length)) return;
    char *json = bson_as_relaxed_extended_json(&command, NULL);
    if (!json) return;
    pthread_mutex_lock(&w->lock);
    buf_put(&w->commands, json, strlen(json) + 1);
    pthread_mutex_unlock(&w->lock);
    bson_free(json);
}

static void hear(struct connection *c, const char *data, size_t bytes)
{
    buf_put(&c->said, data, bytes);
    while (c->said.bytes >= 16) {
        uint32_t length;
        memcpy(&length, c->said.data, sizeof length);
        length = BSON_UINT32_FROM_LE(length);
        if (length < 16 || length > c->said.bytes) return;
        keep(c->owner, (const uint8_t *)c->said.data, length);
        c->said.bytes -= length;
        memmove(c->said.data, c->said.data + length, c->said.bytes);
    }
}

static bool forward(int from, int to, struct connection *listener)
{
    static _Thread_local char data[CHUNK];
    ssize_t got = recv(from, data, sizeof data, 0);
    if (got <= 0) return false;
    if (listener) hear(listener, data, (size_t)got);
    for (ssize_t sent = 0, n; sent < got; sent += n)
        if ((n = send(to, data + sent, (size_t)(got - sent), MSG_NOSIGNAL)) <= 0) return false;
    return true;
}

static void *relay(void *data)
{
    struct connection *c = data;
    struct pollfd fds[2] = {{.fd = c->client, .events = POLLIN}, {.fd = c->server, .events = POLLIN}};
    bool open = true;
    while (open && poll(fds, 2, -1) > 0) {
        if (fds[0].revents) open = forward(c->client, c->server, c);
        if (open && fds[1].revents) open = forward(c->server, c->client, NULL);
    }
    shutdown(c->client, SHUT_RDWR);
    shutdown(c->server, SHUT_RDWR);
    return NULL;
}

static void *take_connections(void *data)
{
    struct wiretap *w = data;
    for (int client; (client = accept(w->listener, NULL, NULL)) >= 0;) {
        int server = connected(w->server_port);
        struct connection *c = &w->connections[w->count];
        if (server < 0 || w->count == MOST_CONNECTIONS) {
            if (server >= 0) close(server);
            close(client);
            continue;
        }
        *c = (struct connection){.owner = w, .client = client, .server = server};
        buf_init(&c->said, 0);
        if (!pthread_create(&c->thread, NULL, relay, c)) w->count++;
    }
    return NULL;
}

struct wiretap *wiretap_open(int server_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    struct wiretap *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    w->server_port = server_port;
    w->listener = socket(AF_INET, SOCK_STREAM, 0);
    pthread_mutex_init(&w->lock, NULL);
    buf_init(&w->commands, 0);
    if (w->listener >= 0 && !bind(w->listener, (struct sockaddr *)&at, sizeof at) &&
        !listen(w->listener, MOST_CONNECTIONS) && !getsockname(w->listener, (struct sockaddr *)&at, &size) &&
        !pthread_create(&w->thread, NULL, take_connections, w)) {
        w->port = ntohs(at.sin_port);
        return w;
    }
    if (w->listener >= 0) close(w->listener);
    free(w);
    return NULL;
}

int wiretap_port(const struct wiretap *w)
{
    return w->port;
}

char *wiretap_commands(struct wiretap *w, const char *name)
{
    struct buf out;
    char opening[80];
    snprintf(opening, sizeof opening, "{ \"%s\" : ", name);
    buf_init(&out, 0);
    pthread_mutex_lock(&w->lock);
    for (size_t at = 0; at < w->commands.bytes; at += strlen(w->commands.data + at) + 1)
        if (!strncmp(w->commands.data + at, opening, strlen(opening)))
            buf_printf(&out, "%s\n", w->commands.data + at);
    pthread_mutex_unlock(&w->lock);
    char *text = strdup(out.data ? out.data : "");
    buf_fini(&out);
    return text;
}

void wiretap_close(struct wiretap *w)
{
    shutdown(w->listener, SHUT_RDWR);
    pthread_join(w->thread, NULL);
    close(w->listener);
    for (size_t i = 0; i < w->count; i++) {
        shutdown(w->connections[i].client, SHUT_RDWR);
        pthread_join(w->connections[i].thread, NULL);
        close(w->connections[i].client);
        close(w->connections[i].server);
        buf_fini(&w->connections[i].said);
    }
    buf_fini(&w->commands);
    free(w);
}
