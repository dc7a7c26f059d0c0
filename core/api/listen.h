/* listen.h - the socket that the server listens on. Private to this room. */
#ifndef LOCKSTEP_API_LISTEN_H
#define LOCKSTEP_API_LISTEN_H

#include "api/server.h"

/* Whether listen_open() would succeed; takes nothing and replaces nothing. LKS_E_IO. */
enum lks_code listen_try(const struct admin_config *config, struct lks_err *err);
/* Listens at the first address of `config->host` that can be had, or at `config->socket_path`, where the
 * socket of a daemon that is gone is replaced. LKS_E_IO: the message says why not. */
enum lks_code listen_open(const struct admin_config *config, int *fd, struct lks_err *err);
/* The port; 0 for a Unix socket. */
uint16_t listen_port(int fd);
/* Takes the file of a Unix socket away; "" : nothing. */
void listen_forget(const char *socket_path);

#endif
