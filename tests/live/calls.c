/* calls.c - see calls.h. */
#include "live/calls.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct live_process api_of(struct live *w, const struct live_process *daemon)
{
    static const char says[] = "the HTTP API answers";
    struct live_process server = {.port = 0};
    struct buf log;
    WAIT_UNTIL(w, log_has(daemon, says));
    buf_init(&log, 0);
    log_text(daemon, &log);
    const char *last = strstr(log.data, says);
    for (const char *at = last; (at = strstr(at + 1, says)) != NULL;) last = at;
    const char *port = strstr(last, "port=");
    server.port = port ? (int)strtol(port + 5, NULL, 10) : 0;
    buf_fini(&log);
    EXPECT(w, server.port > 0);
    return server;
}

struct live_process api(struct live *w)
{
    return api_of(w, &w->daemon);
}

struct live_process open_with_api(struct live *w, const char *test)
{
    live_open(w, test);
    live_set(w, "api", "listen", "127.0.0.1:0");
    daemon_start(w);
    return api(w);
}

void listen_on_free_port(struct live *w)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof at;
    char address[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(w, bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    EXPECT(w, getsockname(fd, (struct sockaddr *)&at, &bytes) == 0);
    close(fd);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(at.sin_port));
    live_set(w, "api", "listen", address);
}

json_t *answer(struct live *w, const struct live_process *server, long status, const char *method,
               const char *path, const char *body)
{
    json_t *reply;
    long got = ask(w, server, method, path, body, &reply);
    if (got != status || !reply) FAIL(w, "%s %s: status %ld, not %ld", method, path, got, status);
    return reply;
}

long with_headers(struct live *w, const struct live_process *server, const char *method, const char *path,
                  const struct http_header *headers, size_t count)
{
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server->port, path);
    struct http_call call = {.method = method,
                             .url = url,
                             .headers = headers,
                             .header_count = count,
                             .timeout_ms = (int)LIVE_PATIENCE_MS,
                             .max_reply_bytes = 1 << 20};
    http_perform(w->http, &call);
    long status = call.failure ? 0 : call.status;
    http_call_fini(&call);
    return status;
}

int64_t number(const json_t *in, const char *name)
{
    return json_integer_value(json_object_get(in, name));
}

const char *text(const json_t *in, const char *name)
{
    const char *value = json_string_value(json_object_get(in, name));
    return value ? value : "";
}

json_t *value_at(json_t *in, const char *path)
{
    char name[64];
    while (in && *path) {
        size_t bytes = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)bytes, path);
        in = json_is_array(in) ? json_array_get(in, strtoul(name, NULL, 10)) : json_object_get(in, name);
        path += bytes + (path[bytes] == '.');
    }
    return in;
}

int64_t number_at(json_t *in, const char *path)
{
    return json_integer_value(value_at(in, path));
}

const char *text_at(json_t *in, const char *path)
{
    const char *value = json_string_value(value_at(in, path));
    return value ? value : "";
}

/* ---- by bytes ---- */

int raw_open(struct live *w, const struct live_process *server)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)server->port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = live_patience_ms() / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) FAIL(w, "no connection");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

void raw_send(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent <= 0) return;
        bytes += sent;
        count -= (size_t)sent;
    }
}

void raw_read_all(int fd, struct buf *out)
{
    char chunk[4096];
    for (ssize_t got; (got = recv(fd, chunk, sizeof chunk, 0)) > 0;) buf_put(out, chunk, (size_t)got);
}

/* True if this is an answer from its first line to the last byte of its body. */
static bool is_whole(const struct buf *got, bool no_body)
{
    const char *body = got->bytes ? strstr(got->data, "\r\n\r\n") : NULL;
    if (!body) return false;
    const char *length = strstr(got->data, "Content-Length: ");
    if (no_body || !length || length > body) return no_body;
    return got->bytes - (size_t)(body + 4 - got->data) >= strtoul(length + 16, NULL, 10);
}

static int status_of(const struct buf *got)
{
    bool http = got->bytes > 12 && strncmp(got->data, "HTTP/1.1 ", 9) == 0;
    return http ? (int)strtol(got->data + 9, NULL, 10) : 0;
}

int raw_call(struct live *w, const struct live_process *server, const char *bytes, size_t count,
             struct buf *out)
{
    struct buf got;
    char chunk[4096];
    ssize_t came = 1;
    int fd = raw_open(w, server);
    bool head = strncmp(bytes, "HEAD ", 5) == 0;
    buf_init(&got, 0);
    raw_send(fd, bytes, count);
    while (came > 0 && !is_whole(&got, head || status_of(&got) == 204 || status_of(&got) == 304))
        if ((came = recv(fd, chunk, sizeof chunk, 0)) > 0) buf_put(&got, chunk, (size_t)came);
    close(fd);
    int status = status_of(&got);
    if (out) buf_put(out, got.data, got.bytes);
    buf_fini(&got);
    return status;
}

json_t *raw_json(const struct buf *answer_text)
{
    const char *body = answer_text->bytes ? strstr(answer_text->data, "\r\n\r\n") : NULL;
    return body ? json_loads(body + 4, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
}

bool shows_problem(struct live *w, const char *code)
{
    struct live_process server = api(w);
    json_t *reply = answer(w, &server, 200, "GET", "/api/sync/worker/problems", NULL), *p;
    size_t i;
    bool found = false;
    json_array_foreach(value_at(reply, "problems"), i, p) found |= !strcmp(text_at(p, "code"), code);
    json_decref(reply);
    return found;
}
