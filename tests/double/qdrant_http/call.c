/* call.c - what all handlers share: reading a request, answering it. It owns nothing beyond the call. */
#include "qdrant_http/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "qdrant_http/cluster.h"

__attribute__((format(printf, 4, 0))) static void write_error(struct call *c, int status, bool timed,
                                                              const char *format, va_list args)
{
    struct buf *out = &c->response->body;
    struct timespec now;
    va_list again;
    char *text;
    int n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    text = pool_take(&c->arena, (size_t)(n < 0 ? 0 : n) + 1);
    vsnprintf(text, (size_t)(n < 0 ? 0 : n) + 1, format, again);
    va_end(again);
    buf_clear(out);
    c->response->status = status;
    c->response->content_type = "application/json";
    buf_puts(out, "{\"status\":{\"error\":");
    json_write_string(out, text, strlen(text));
    buf_puts(out, "},\"time\":");
    clock_gettime(CLOCK_MONOTONIC, &now);
    json_write_f64(out, timed ? (double)(now.tv_sec - c->began.tv_sec) +
                                    (double)(now.tv_nsec - c->began.tv_nsec) / 1e9
                              : 0.0);
    buf_putc(out, '}');
    c->answered = true;
}

void call_error(struct call *c, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_error(c, status, true, format, args);
    va_end(args);
}

void call_reject(struct call *c, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_error(c, status, false, format, args);
    va_end(args);
}

struct buf *call_begin(struct call *c)
{
    c->response->status = 200;
    c->response->content_type = "application/json";
    buf_clear(&c->response->body);
    buf_puts(&c->response->body, "{\"result\":");
    return &c->response->body;
}

void call_end(struct call *c)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    buf_puts(&c->response->body, ",\"status\":\"ok\",\"time\":");
    json_write_f64(&c->response->body,
                   (double)(now.tv_sec - c->began.tv_sec) + (double)(now.tv_nsec - c->began.tv_nsec) / 1e9);
    buf_putc(&c->response->body, '}');
    c->answered = true;
}

void call_true(struct call *c, bool result)
{
    buf_puts(call_begin(c), result ? "true" : "false");
    call_end(c);
}

bool call_parse(struct call *c, enum reader_place place)
{
    struct json_error err;

    reader_init(&c->reader, &c->arena, c->request->body, c->request->body_bytes, place);
    if (json_parse(&c->arena, c->request->body, c->request->body_bytes, &c->body, &err)) return true;
    call_reject(c, 400, "Format error in JSON body: %s", err.text);
    return false;
}

bool call_readable(struct call *c)
{
    if (c->reader.error)
        call_reject(c, 400, "Format error in JSON body: %s", c->reader.located);
    else if (c->reader.invalid)
        call_reject(c, 422, "Validation error in JSON body: [%s]", c->reader.invalid);
    return !c->answered;
}

char *call_unescape(struct pool *a, const char *text, size_t bytes, bool plus)
{
    char *out = pool_take(a, bytes + 1);
    size_t n = 0;

    for (size_t i = 0; i < bytes; i++) {
        char hex[3] = {0};
        char *end;
        long v;

        if (plus && text[i] == '+') {
            out[n++] = ' ';
            continue;
        }
        if (text[i] != '%') {
            out[n++] = text[i];
            continue;
        }
        if (bytes - i < 3) return NULL;
        memcpy(hex, text + i + 1, 2);
        v = strtol(hex, &end, 16);
        if (end != hex + 2 || v == 0) return NULL;
        out[n++] = (char)v;
        i += 2;
    }
    out[n] = '\0';
    return utf8_valid(out, n) ? out : NULL;
}

char *call_parameter(struct call *c, const char *name)
{
    const char *at = c->query;
    size_t name_bytes = strlen(name);

    while (*at) {
        size_t bytes = strcspn(at, "&");

        if (bytes > name_bytes && at[name_bytes] == '=' && memcmp(at, name, name_bytes) == 0)
            return call_unescape(&c->arena, at + name_bytes + 1, bytes - name_bytes - 1, true);
        at += bytes;
        if (*at) at++;
    }
    return NULL;
}

/* Is the text a number? Then it goes to *seconds. */
static bool timeout_reads(struct call *c, const char *text, uint64_t *seconds)
{
    if (!text) return true;
    if (*text && !text[strspn(text, "0123456789")] && strlen(text) < 20) {
        if (seconds) *seconds = strtoull(text, NULL, 10);
        return true;
    }
    call_reject(c, 400, "Deserialize error in query parameters: %s",
                *text ? "invalid digit found in string" : "cannot parse integer from empty string");
    return false;
}

bool call_read_parameters(struct call *c)
{
    const char *consistency = call_parameter(c, "consistency");
    uint64_t seconds = 1;

    if (consistency && *consistency && strcmp(consistency, "majority") != 0 &&
        strcmp(consistency, "quorum") != 0 && strcmp(consistency, "all") != 0 &&
        strtoull(consistency, NULL, 10) == 0) {
        call_reject(c, 400,
                    "Deserialize error in query parameters: failed to deserialize read consistency query "
                    "parameter value");
        return false;
    }
    if (consistency && *consistency) {
        c->consistency = strtoull(consistency, NULL, 10);
        if (!c->consistency) c->consistency = strcmp(consistency, "all") == 0 ? UINT64_MAX : 2;
    }
    if (!timeout_reads(c, call_parameter(c, "timeout"), &seconds)) return false;
    if (call_parameter(c, "timeout")) c->timeout = seconds;
    if (seconds) return true;
    call_reject(c, 400,
                "Deserialize error in query parameters: invalid value: integer `0`, expected a nonzero u64");
    return false;
}

bool call_wait_timeout(struct call *c)
{
    uint64_t seconds = 1;

    if (!timeout_reads(c, call_parameter(c, "timeout"), &seconds)) return false;
    if (seconds) return true;
    call_reject(c, 422,
                "Validation error in query parameters: [timeout: value 0 invalid, must be 1 or larger]");
    return false;
}

bool call_update_parameters(struct call *c)
{
    const char *wait = call_parameter(c, "wait");
    const char *ordering = call_parameter(c, "ordering");
    const char *timeout = call_parameter(c, "timeout");

    if (wait) {
        c->wait = strcmp(wait, "true") == 0;
        if (!c->wait && strcmp(wait, "false") != 0) {
            call_reject(c, 400,
                        "Deserialize error in query parameters: provided string was not `true` or `false`");
            return false;
        }
    }
    if (ordering && strcmp(ordering, "weak") != 0 && strcmp(ordering, "medium") != 0 &&
        strcmp(ordering, "strong") != 0) {
        call_reject(
            c, 400,
            "Deserialize error in query parameters: unknown variant `%s`, expected one of `weak`, `medium`, "
            "`strong`",
            ordering);
        return false;
    }
    return timeout_reads(c, timeout, NULL);
}

bool call_open(struct call *c, bool writing)
{
    pthread_rwlock_rdlock(&c->server->lock);
    c->collection = server_resolve(c->server, c->name);
    if (!c->collection) {
        pthread_rwlock_unlock(&c->server->lock);
        call_error(c, 404, "Not found: Collection `%s` doesn't exist!", c->name);
        return false;
    }
    if (!cluster_choose(c, writing)) {
        pthread_rwlock_unlock(&c->server->lock);
        c->collection = NULL;
        return false;
    }
    c->writing = writing;
    if (writing)
        pthread_rwlock_wrlock(&c->collection->lock);
    else
        pthread_rwlock_rdlock(&c->collection->lock);
    return true;
}

void call_close(struct call *c)
{
    if (!c->collection) return;
    pthread_rwlock_unlock(&c->collection->lock);
    pthread_rwlock_unlock(&c->server->lock);
    c->collection = NULL;
}

void call_write_update(struct call *c, struct buf *out, uint64_t operation)
{
    const char *status = c->wait ? "completed" : "acknowledged";

    if (c->forced_status) status = c->forced_status;
    buf_printf(out, "{\"operation_id\":%llu,\"status\":\"%s\"}", (unsigned long long)operation, status);
}
