/* daemon.h - asks the daemon that runs beside a command, over its HTTP API. */
#ifndef LOCKSTEP_CMD_DAEMON_H
#define LOCKSTEP_CMD_DAEMON_H

#include <jansson.h>

#include "cmd/app.h"

struct daemon_reply {
    long status;     /* 0: nobody answered */
    json_t *json;    /* owned; NULL: the answer is none */
    char error[512]; /* with a status of 0: why */
};

/* Where the daemon is asked: `url` (NULL: as [api] listen has it), without what is secret. False, and why, if
 * the configuration gives no address. */
bool daemon_address(const struct app *app, const char *url, char *out, size_t out_bytes);
/* `path` as in docs/reference/api.md, `body` may be NULL. The app is connected. `reply` is to be freed by
 * daemon_reply_fini(). */
void daemon_ask(const struct app *app, const char *url, const char *method, const char *path,
                const json_t *body, struct daemon_reply *reply);
void daemon_reply_fini(struct daemon_reply *reply);
/* What a GET answers, with 200; NULL if no daemon answers so. */
json_t *daemon_get(const struct app *app, const char *path);

#endif
