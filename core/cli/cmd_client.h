/* cmd_client.h - asks the daemon that runs beside a command, over its HTTP API. */
#ifndef LOCKSTEP_CLI_CMD_CLIENT_H
#define LOCKSTEP_CLI_CMD_CLIENT_H

#include <jansson.h>

#include "daemon/app.h"

struct client_reply {
    long status;     /* 0: nobody answered */
    json_t *json;    /* owned; NULL: the answer is none */
    char error[512]; /* with a status of 0: why */
};

/* Where the daemon is asked: `url` (NULL: as [api] listen has it), without what is secret. False, and why, if
 * the configuration gives no address. */
bool client_address(const struct app *app, const char *url, char *out, size_t out_bytes);
/* `path` as in docs/reference/api.md, `body` may be NULL. The app is connected. `reply` is to be freed by
 * client_reply_fini(). */
void client_ask(const struct app *app, const char *url, const char *method, const char *path,
                const json_t *body, struct client_reply *reply);
void client_reply_fini(struct client_reply *reply);
/* What a GET answers, with 200; NULL if no daemon answers so. */
json_t *client_get(const struct app *app, const char *path);

#endif
