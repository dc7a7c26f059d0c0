/* cmd_client.c - see cmd_client.h. */
#include "cli/cmd_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define PATIENCE_MS 3000
#define SLOW_MS 15000 /* a job that is stopped is waited for */
#define MOST_BYTES ((size_t)4 << 20)

/* Who listens on all addresses is reached on the nearest one. */
static void put_listen(struct buf *out, const struct config_api *api)
{
    const char *host = *api->host && strcmp(api->host, "0.0.0.0") != 0 ? api->host : "127.0.0.1";
    if (strcmp(host, "::") == 0) host = "::1";
    if (*api->socket_path) host = "localhost";
    bool brackets = strchr(host, ':') != NULL;
    buf_printf(out, "%s://%s%s%s:%u", *api->tls_certificate ? "https" : "http", brackets ? "[" : "", host,
               brackets ? "]" : "", *api->socket_path ? 80 : api->port);
}

/* A slash at its end is none of the path. */
static void put_url(struct buf *out, const struct config_api *api, const char *url, const char *path)
{
    size_t bytes = url ? strlen(url) : 0;
    while (bytes > 0 && url[bytes - 1] == '/') bytes--;
    if (url)
        buf_put(out, url, bytes);
    else
        put_listen(out, api);
    buf_puts(out, path);
}

bool client_address(const struct app *app, const char *url, char *out, size_t out_bytes)
{
    const struct config_api *api = &app->config->api;
    struct buf text;
    if (!url && (!api->enabled || (api->port == 0 && !*api->socket_path))) {
        snprintf(out, out_bytes, "%s", api->enabled ? "[api] listen names no port" : "[api] listen is off");
        return false;
    }
    buf_init(&text, 0);
    put_url(&text, api, url, "");
    if (!url && *api->socket_path)
        snprintf(out, out_bytes, "unix:%s", api->socket_path);
    else
        http_url_plain(text.failed ? "" : text.data, out, out_bytes);
    buf_fini(&text);
    return true;
}

static void perform(const struct app *app, const char *url, const char *method, const char *where,
                    const char *token, const char *body, struct client_reply *reply)
{
    const struct config_api *api = &app->config->api;
    const struct http_header headers[] = {{"Content-Type", "application/json"}, {"Authorization", token}};
    struct http_call call = {.method = method,
                             .url = where,
                             .headers = headers,
                             .header_count = *api->token ? 2 : 1,
                             .body = body,
                             .body_bytes = body ? strlen(body) : 0,
                             .timeout_ms = strcmp(method, "GET") == 0 ? PATIENCE_MS : SLOW_MS,
                             .unix_socket = !url && *api->socket_path ? api->socket_path : NULL,
                             .trust_file = !url && *api->tls_certificate ? api->tls_certificate : NULL,
                             .max_reply_bytes = MOST_BYTES};
    http_perform(app->http, &call);
    if (call.failure) {
        snprintf(reply->error, sizeof reply->error, "%s", call.error);
    } else {
        reply->status = call.status;
        reply->json = json_loadb(call.reply.data, call.reply.bytes, 0, NULL);
    }
    http_call_fini(&call);
}

void client_ask(const struct app *app, const char *url, const char *method, const char *path,
                const json_t *body, struct client_reply *reply)
{
    struct buf where, token;
    *reply = (struct client_reply){.status = 0};
    if (!client_address(app, url, reply->error, sizeof reply->error)) return;
    char *text = body ? json_dumps(body, 0) : NULL;
    buf_init(&where, 0);
    buf_init(&token, 0);
    put_url(&where, &app->config->api, url, path);
    buf_printf(&token, "Bearer %s", app->config->api.token);
    if (where.failed || token.failed || (body && !text))
        snprintf(reply->error, sizeof reply->error, "out of memory");
    else
        perform(app, url, method, where.data, token.data, text, reply);
    free(text);
    buf_fini(&where);
    buf_fini(&token);
}

void client_reply_fini(struct client_reply *reply)
{
    json_decref(reply->json);
    reply->json = NULL;
}

json_t *client_get(const struct app *app, const char *path)
{
    struct client_reply reply;
    client_ask(app, NULL, "GET", path, NULL, &reply);
    if (reply.status == 200) return reply.json;
    client_reply_fini(&reply);
    return NULL;
}
