/* serve.h - the daemon's HTTP API, wired to the engines of a loop. */
#ifndef LOCKSTEP_DAEMON_SERVE_H
#define LOCKSTEP_DAEMON_SERVE_H

#include "daemon/loop.h"

struct serve;

/* Whether [api] names a certificate and a key that can be used. LKS_E_CONFIG. */
enum lks_code serve_check(const struct config_api *api, struct lks_err *err);
/* Whether the address can be listened at now; takes nothing. LKS_E_IO. */
enum lks_code serve_try(const struct config_api *api, struct lks_err *err);
/* Listens as [api] says; does nothing with `listen = off`. The loop's engines are open. */
enum lks_code serve_open(struct loop *loop, struct serve **out, struct lks_err *err);
/* On the loop's thread, for its `feed` and `tick`, its `touched` and its `recorded`. NULL is fine for all of
 * these. */
void serve_engine(struct serve *s, struct loop_engine *le);
void serve_resynced(struct serve *s, struct loop_engine *le, const struct engine_resynced *what);
void serve_recorded(struct serve *s, struct loop_engine *le, const struct engine_recorded *what);
/* Before the engines go. */
void serve_close(struct serve *s);

#endif
