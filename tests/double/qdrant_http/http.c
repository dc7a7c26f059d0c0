/*
 * http.c - bodies in and out: chunked or not, gzip or not, up to Qdrant's 32 MB; broken answers where a fault
 * asks for them. It owns the daemon; each connection has a thread, so that one that hangs holds up nobody.
 */
#include "qdrant_http/http.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zlib.h>

#include "qdrant_http/message.h"
#include "qdrant_store/pool.h"

#define MOST_BODY ((size_t)32 * 1024 * 1024)
#define CONNECTION_MEMORY ((size_t)256 * 1024)
#define THREAD_STACK ((size_t)1024 * 1024)

struct http {
    struct MHD_Daemon *daemon;
    struct http_service service;
};

/* One request while its body arrives. */
struct exchange {
    char *target; /* raw */
    struct buf body;
    uint64_t announced; /* Content-Length, 0 if none */
    uint64_t received;
    bool started;
};

static void *remember_target(void *user, const char *target, struct MHD_Connection *connection)
{
    struct exchange *e = must_alloc(sizeof *e);

    (void)user;
    (void)connection;
    memset(e, 0, sizeof *e);
    e->target = strdup(target);
    buf_init(&e->body, 0);
    return e;
}

static void forget(void *user, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode reason)
{
    struct exchange *e = *state;

    (void)user;
    (void)connection;
    (void)reason;
    if (!e) return;
    free(e->target);
    buf_fini(&e->body);
    free(e);
    *state = NULL;
}

/* Z_OK, Z_BUF_ERROR if it is too large, anything else if it is broken. */
static int inflate_body(struct buf *body)
{
    z_stream z;
    struct buf out;
    char chunk[65536];
    int rc;

    memset(&z, 0, sizeof z);
    if (inflateInit2(&z, 15 + 32) != Z_OK) return Z_MEM_ERROR;
    buf_init(&out, 0);
    z.next_in = (unsigned char *)body->data;
    z.avail_in = (unsigned)body->bytes;
    do {
        z.next_out = (unsigned char *)chunk;
        z.avail_out = sizeof chunk;
        rc = inflate(&z, Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END) break;
        buf_put(&out, chunk, sizeof chunk - z.avail_out);
        if (out.bytes > MOST_BODY) {
            rc = Z_BUF_ERROR;
            break;
        }
    } while (rc != Z_STREAM_END && (z.avail_in || !z.avail_out));
    inflateEnd(&z);
    if (rc == Z_OK) rc = Z_DATA_ERROR; /* it ended before its end */
    if (rc == Z_STREAM_END) {
        buf_fini(body);
        *body = out;
        return Z_OK;
    }
    buf_fini(&out);
    return rc;
}

static void deflate_body(struct buf *body)
{
    z_stream z;
    struct buf out;

    memset(&z, 0, sizeof z);
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return;
    buf_init(&out, 0);
    if (buf_reserve(&out, deflateBound(&z, body->bytes))) {
        z.next_in = (unsigned char *)body->data;
        z.avail_in = (unsigned)body->bytes;
        z.next_out = (unsigned char *)out.data;
        z.avail_out = (unsigned)out.capacity;
        if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
            out.bytes = z.total_out;
            buf_fini(body);
            *body = out;
            buf_init(&out, 0);
        }
    }
    deflateEnd(&z);
    buf_fini(&out);
}

struct half {
    struct buf body;
};

/* Gives half of what was promised, then breaks off. */
static ssize_t read_half(void *user, uint64_t at, char *out, size_t most)
{
    struct half *h = user;
    size_t end = h->body.bytes / 2;
    size_t n;

    if (at >= end) return MHD_CONTENT_READER_END_WITH_ERROR;
    n = end - (size_t)at;
    if (n > most) n = most;
    memcpy(out, h->body.data + at, n);
    return (ssize_t)n;
}

static void free_half(void *user)
{
    struct half *h = user;

    buf_fini(&h->body);
    free(h);
}

static enum MHD_Result reset(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const struct linger hard = {.l_onoff = 1, .l_linger = 0};

    if (info) setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    return MHD_NO;
}

static struct MHD_Response *make_response(struct response *out)
{
    struct MHD_Response *r;
    size_t bytes = out->body.bytes;
    char *data;

    if (out->twist == TWIST_CUT) {
        struct half *h = must_alloc(sizeof *h);

        h->body = out->body;
        buf_init(&out->body, 0);
        return MHD_create_response_from_callback(h->body.bytes, 4096, read_half, h, free_half);
    }
    data = bytes ? out->body.data : NULL;
    r = MHD_create_response_from_buffer(bytes, data, bytes ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (r && bytes) buf_init(&out->body, 0); /* the response frees it */
    return r;
}

static enum MHD_Result send_response(struct MHD_Connection *connection, struct response *out)
{
    const char *accepts = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept-Encoding");
    struct MHD_Response *r;
    enum MHD_Result rc;
    bool packed = false;

    if (out->twist == TWIST_RESET) return reset(connection);
    if (accepts && strstr(accepts, "gzip") && out->body.bytes >= 256 && out->twist == TWIST_NONE) {
        deflate_body(&out->body);
        packed = out->body.bytes > 2 && (unsigned char)out->body.data[0] == 0x1f;
    }
    r = make_response(out);
    if (!r) return MHD_NO;
    if (out->content_type) MHD_add_response_header(r, "Content-Type", out->content_type);
    if (packed) {
        MHD_add_response_header(r, "Content-Encoding", "gzip");
        MHD_add_response_header(r, "Vary", "accept-encoding");
    }
    for (size_t i = 0; i < out->header_count; i++)
        MHD_add_response_header(r, out->headers[i][0], out->headers[i][1]);
    rc = MHD_queue_response(connection, (unsigned)out->status, r);
    MHD_destroy_response(r);
    return rc;
}

/* Reads what the headers say of the body; false if it must be refused, with the words. */
static bool accept_body(struct MHD_Connection *connection, struct exchange *e, char *reason,
                        size_t reason_bytes)
{
    const char *encoding = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Encoding");
    int rc;

    if (e->announced > MOST_BODY) {
        snprintf(reason, reason_bytes, "JSON payload (%llu bytes) is larger than allowed (limit: %zu bytes).",
                 (unsigned long long)e->announced, MOST_BODY);
        return false;
    }
    rc = e->received > MOST_BODY ? Z_BUF_ERROR : Z_OK;
    if (rc == Z_OK && encoding && e->body.bytes &&
        (strcmp(encoding, "gzip") == 0 || strcmp(encoding, "deflate") == 0))
        rc = inflate_body(&e->body);
    if (rc == Z_OK) return true;
    if (rc == Z_BUF_ERROR)
        snprintf(reason, reason_bytes, "JSON payload has exceeded limit (%zu bytes).", MOST_BODY);
    else
        snprintf(reason, reason_bytes, "Error that occur during reading payload: corrupt %s stream",
                 encoding);
    return false;
}

static enum MHD_Result answer(struct http *h, struct MHD_Connection *connection, const char *method,
                              struct exchange *e)
{
    struct request request = {.method = method, .target = e->target};
    struct response out;
    char reason[128];
    enum MHD_Result rc;

    if (accept_body(connection, e, reason, sizeof reason)) {
        request.api_key = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "api-key");
        request.authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
        request.body = e->body.data ? e->body.data : "";
        request.body_bytes = e->body.bytes;
        h->service.handle(h->service.user, &request, &out);
    } else {
        h->service.refuse(h->service.user, reason, &out);
    }
    rc = send_response(connection, &out);
    response_fini(&out);
    return rc;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *bytes,
                                  void **state)
{
    struct exchange *e = *state;

    (void)url;
    (void)version;
    if (!e) return MHD_NO;
    if (!e->started) {
        const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

        e->started = true;
        if (length) e->announced = strtoull(length, NULL, 10);
        if (e->announced && e->announced <= MOST_BODY) buf_reserve(&e->body, (size_t)e->announced + 1);
        return MHD_YES;
    }
    if (*bytes) { /* what is too large is read and thrown away, so that the client hears why */
        e->received += *bytes;
        if (e->announced <= MOST_BODY && e->received <= MOST_BODY) buf_put(&e->body, data, *bytes);
        *bytes = 0;
        return MHD_YES;
    }
    return answer(user, connection, method, e);
}

struct http *http_open(uint16_t *port, const struct http_service *service)
{
    struct http *h = must_alloc(sizeof *h);
    struct sockaddr_in address;
    const union MHD_DaemonInfo *info;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(*port);
    h->service = *service;
    h->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, *port, NULL, NULL, on_request, h,
        MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_URI_LOG_CALLBACK, remember_target, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, forget, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
        MHD_OPTION_THREAD_STACK_SIZE, THREAD_STACK, MHD_OPTION_END);
    info = h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info) {
        fprintf(stderr, "cannot listen on 127.0.0.1:%u\n", *port);
        if (h->daemon) MHD_stop_daemon(h->daemon);
        free(h);
        return NULL;
    }
    *port = info->port;
    return h;
}

void http_close(struct http *h)
{
    MHD_stop_daemon(h->daemon);
    free(h);
}
