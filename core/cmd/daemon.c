/* daemon.c - see daemon.h. */
#include "cmd/daemon.h"

#include <string.h>

#include "base/buf.h"

#define PATIENCE_MS 3000
#define MOST_BYTES ((size_t)4 << 20)

/* Who listens on all addresses is reached on the nearest one. */
static void put_url(struct buf *out, const struct config_api *api, const char *path)
{
    const char *host = *api->host && strcmp(api->host, "0.0.0.0") != 0 ? api->host : "127.0.0.1";
    bool brackets = strchr(host, ':') != NULL;
    if (strcmp(host, "::") == 0) host = "::1";
    if (*api->socket_path) host = "localhost", brackets = false;
    buf_printf(out, "%s://%s%s%s:%u%s", *api->tls_certificate ? "https" : "http", brackets ? "[" : "", host,
               brackets ? "]" : "", *api->socket_path ? 80 : api->port, path);
}

json_t *daemon_get(const struct app *app, const char *path)
{
    const struct config_api *api = &app->config->api;
    struct buf url, token;
    json_t *reply = NULL;
    if (!api->enabled || (api->port == 0 && !*api->socket_path)) return NULL;
    buf_init(&url, 0);
    buf_init(&token, 0);
    put_url(&url, api, path);
    buf_printf(&token, "Bearer %s", api->token);
    if (!url.failed && !token.failed) {
        const struct http_header header = {"Authorization", token.data};
        struct http_call call = {.method = "GET",
                                 .url = url.data,
                                 .headers = &header,
                                 .header_count = *api->token ? 1 : 0,
                                 .timeout_ms = PATIENCE_MS,
                                 .unix_socket = *api->socket_path ? api->socket_path : NULL,
                                 .trust_file = *api->tls_certificate ? api->tls_certificate : NULL,
                                 .max_reply_bytes = MOST_BYTES};
        http_perform(app->http, &call);
        if (!call.failure && call.status == 200)
            reply = json_loadb(call.reply.data, call.reply.bytes, 0, NULL);
        http_call_fini(&call);
    }
    buf_fini(&url);
    buf_fini(&token);
    return reply;
}
