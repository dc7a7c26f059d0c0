/* client.c - a minimal HTTP client: one keep-alive connection, one request at a time. Speaks to
 * http://IP:PORT alone. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"

void dial(struct connection *c, const char *url)
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

int exchange(struct connection *c, const char *method, const char *path, const char *body, size_t bytes,
             size_t *reply)
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

void hang_up(struct connection *c)
{
    close(c->fd);
    buf_fini(&c->in);
}
