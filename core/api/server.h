/*
 * server.h - the HTTP API: a server on libmicrohttpd, and its routes.
 *
 * One thread of libmicrohttpd's moves bytes; a handful of threads of our own answer, since an answer may wait
 * for MongoDB, Qdrant or the engines. A client that reads slowly holds a connection, never one of these
 * threads, and the engines only through control.h.
 */
#ifndef LOCKSTEP_API_SERVER_H
#define LOCKSTEP_API_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "service/service.h"

/* All of it is borrowed, and must outlive the server. */
struct admin_config {
    const char *host;                      /* an address, or a name that is resolved; without brackets */
    uint16_t port;                         /* 0: any free one */
    const char *socket_path;               /* "": none. A Unix socket instead of host and port */
    const char *token;                     /* what callers must show; "": none. Secret */
    const char *read_token;                /* what those show who may only read; "": there is none. Secret */
    bool public_counts;                    /* counts are answered without a token */
    bool public_lists;                     /* lists of documents are, too */
    bool socket_trust;                     /* callers of the Unix socket need no token */
    const char *const *allow_origins;      /* of pages that may call, NULL-terminated */
    const char *tls_certificate, *tls_key; /* PEM files; "": plain HTTP */
    const struct service *service;
};

struct admin;

/* Whether certificate and key can be used, without listening. LKS_E_CONFIG. */
enum lks_code admin_check(const struct admin_config *config, struct lks_err *err);
/* Whether its address can be listened at now; takes nothing. LKS_E_IO. */
enum lks_code admin_try(const struct admin_config *config, struct lks_err *err);
/* Listens and answers from now on. LKS_E_IO: the address can't be had; LKS_E_CONFIG: certificate or key can't
 * be used. The message says why. */
enum lks_code admin_open(const struct admin_config *config, struct admin **out, struct lks_err *err);
/* The port it listens on; 0: a Unix socket. */
uint16_t admin_port(const struct admin *a);
/* Answers what is being answered (control_close() first, so that nobody waits for long), then closes all
 * connections. NULL is fine. */
void admin_close(struct admin *a);

#endif
