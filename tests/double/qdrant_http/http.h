/* http.h - the wire: libmicrohttpd in front of server_handle. */
#ifndef DOUBLE_QDRANT_HTTP_HTTP_H
#define DOUBLE_QDRANT_HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>

struct http;

/* Answers one request; the shapes are those of server.h. */
struct request;
struct response;
typedef void http_handle(void *user, const struct request *request, struct response *out);
/* Complains about a body that cannot be read, in the served program's own shape. */
typedef void http_refuse(void *user, const char *message, struct response *out);

struct http_service {
    http_handle *handle;
    http_refuse *refuse;
    void *user;
};

/* Listens on the loopback address; port 0 picks a free one. NULL with the reason on standard error. */
struct http *http_open(uint16_t *port, const struct http_service *service);
void http_close(struct http *h);

#endif
