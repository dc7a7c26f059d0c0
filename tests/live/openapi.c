/* openapi.c - see openapi.h. */
#include "live/openapi.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "live/schema.h"

void openapi_open(struct live *w, struct openapi *o)
{
    const char *top = getenv("top_srcdir");
    char path[600];
    json_error_t error;
    snprintf(path, sizeof path, "%s/docs/reference/openapi.json", top ? top : ".");
    o->document = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!o->document) FAIL(w, "%s: line %d: %s", path, error.line, error.text);
    o->seen = json_object();
}

void openapi_close(struct openapi *o)
{
    json_decref(o->document);
    json_decref(o->seen);
}

/* ---- which operation ---- */

/* A template's segment in braces takes any one segment. How many stand for themselves; -1: it doesn't fit. */
static int fit(const char *template, const char *path)
{
    int literal = 0;
    while (*template == '/' && *path == '/') {
        size_t t = strcspn(++template, "/"), p = strcspn(++path, "/?");
        bool any = *template == '{';
        if (any ? p == 0 : t != p || strncmp(template, path, p) != 0) return -1;
        literal += !any;
        template += t;
        path += p;
    }
    return *template || (*path && *path != '?') ? -1 : literal;
}

const char *openapi_path(const struct openapi *o, const char *path)
{
    const char *template, *best = NULL;
    json_t *item;
    int most = -1;
    json_object_foreach(json_object_get(o->document, "paths"), template, item)
    {
        int literal = fit(template, path);
        if (literal <= most) continue;
        most = literal;
        best = template;
    }
    return best;
}

const json_t *openapi_operation(const struct openapi *o, const char *path, const char *method)
{
    char name[16] = "";
    const json_t *item = json_object_get(json_object_get(o->document, "paths"), path);
    for (size_t i = 0; method[i] && i + 1 < sizeof name; i++)
        name[i] = (char)tolower((unsigned char)method[i]);
    return json_object_get(item, name);
}

/* ---- asking ---- */

static const json_t *response_of(struct live *w, struct openapi *o, const struct openapi_call *call,
                                 const char *path, const json_t *operation, long status)
{
    char code[8], key[256];
    snprintf(code, sizeof code, "%ld", status);
    const json_t *listed = json_object_get(json_object_get(operation, "responses"), code);
    if (!listed)
        FAIL(w, "%s %s: %ld is not listed in docs/reference/openapi.json", call->method, path, status);
    snprintf(key, sizeof key, "%s %s %ld", call->method, path, status);
    json_int_t before = json_integer_value(json_object_get(o->seen, key));
    json_object_set_new(o->seen, key, json_integer(before + 1));
    const json_t *response = schema_resolve(o->document, listed);
    if (!response) FAIL(w, "%s %s: the answer %ld leads nowhere", call->method, path, status);
    return response;
}

/* What a path that lacks the method, or no path at all, must answer. */
static const json_t *error_response(struct live *w, const struct openapi *o, const struct openapi_call *call,
                                    const char *path, long status)
{
    long expected = path ? 405 : 404;
    if (status != expected)
        FAIL(w, "%s %s: %ld, not %ld, and the document doesn't know it", call->method, call->path, status,
             expected);
    const json_t *components = json_object_get(o->document, "components");
    return json_object_get(json_object_get(components, "responses"), "NotFound");
}

static json_t *check_body(struct live *w, const struct openapi *o, const struct openapi_call *call,
                          const json_t *response, const struct http_call *http)
{
    const json_t *content = json_object_get(response, "content");
    char reason[600];
    json_error_t error;
    if (!content) {
        if (http->reply.bytes > 0)
            FAIL(w, "%s %s %ld: has a body, and none is listed", call->method, call->path, http->status);
        return NULL;
    }
    const json_t *media = json_object_get(content, http->content_type);
    if (!media)
        FAIL(w, "%s %s %ld: the type `%s` is not listed", call->method, call->path, http->status,
             http->content_type);
    if (strcmp(http->content_type, "application/json") != 0 || strcmp(call->method, "HEAD") == 0) return NULL;
    json_t *body = json_loadb(http->reply.data, http->reply.bytes,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (!body) FAIL(w, "%s %s %ld: no JSON: %s", call->method, call->path, http->status, error.text);
    if (!schema_fits(o->document, json_object_get(media, "schema"), body, reason, sizeof reason))
        FAIL(w, "%s %s %ld: %s", call->method, call->path, http->status, reason);
    return body;
}

json_t *openapi_ask(struct live *w, struct openapi *o, const struct live_process *server,
                    const struct openapi_call *call)
{
    struct http_header headers[8] = {{"Content-Type", "application/json"}};
    size_t count = call->body ? 1 : 0;
    char url[9000];
    for (size_t i = 0; i < call->header_count && count < 8; i++) headers[count++] = call->headers[i];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server->port, call->path);
    struct http_call http = {.method = call->method,
                             .url = url,
                             .headers = headers,
                             .header_count = count,
                             .body = call->body,
                             .body_bytes = call->body ? strlen(call->body) : 0,
                             .timeout_ms = (int)LIVE_PATIENCE_MS};
    http_perform(w->http, &http);
    if (http.failure) FAIL(w, "%s %s: %s", call->method, call->path, http.error);
    if (call->status && http.status != call->status)
        FAIL(w, "%s %s: %ld, not %ld: %.200s", call->method, call->path, http.status, call->status,
             http.reply.bytes ? http.reply.data : "");
    const char *path = openapi_path(o, call->path);
    const char *method = strcmp(call->method, "HEAD") == 0 ? "GET" : call->method;
    const json_t *operation = path ? openapi_operation(o, path, method) : NULL;
    const json_t *response = operation ? response_of(w, o, call, path, operation, http.status)
                                       : error_response(w, o, call, path, http.status);
    json_t *body = check_body(w, o, call, response, &http);
    http_call_fini(&http);
    return body;
}
