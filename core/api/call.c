/* call.c - see call.h. Shapes answers, reads questions. */
#include "api/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json_memory.h"

void call_fini(struct call *call)
{
    for (size_t i = 0; i < call->answer_header_count; i++) free((char *)call->answer_headers[i].value);
    buf_fini(&call->body);
    free(call->method);
    free(call->target);
    free(call->text);
}

/* ---- answers ---- */

void call_text(struct call *call, int status, const char *type, char *text, size_t bytes)
{
    free(call->text);
    call->text = text;
    call->bytes = text ? bytes : 0;
    call->type = type;
    call->status = text || status == 204 || status == 304 ? status : 500;
}

void call_json(struct call *call, int status, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (json_memory_was_out()) { /* it lacks something */
        free(text);
        text = NULL;
    }
    call_text(call, status, "application/json", text, text ? strlen(text) : 0);
}

void call_fail(struct call *call, int status, const char *code, const char *format, ...)
{
    struct lks_err err; /* for its bounds, and text that is valid UTF-8 */
    char text[LKS_ERR_TEXT_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    lks_fail(&err, LKS_E_UNKNOWN, "%s", text);
    call_json(call, status, json_pack("{s:s, s:s}", "error", err.text, "code", code));
}

void call_fail_err(struct call *call, const struct lks_err *err)
{
    switch (err->code) {
    case LKS_E_NOT_FOUND:
        call_fail(call, 404, "NOT_FOUND", "%s", err->text);
        break;
    case LKS_E_AMBIGUOUS:
        call_fail(call, 409, "AMBIGUOUS", "%s", err->text);
        break;
    case LKS_E_MISSED:
        call_fail(call, 409, "BUSY", "%s", err->text);
        break;
    case LKS_E_UNSUPPORTED:
        call_fail(call, 400, "UNSUPPORTED", "%s", err->text);
        break;
    case LKS_E_LEASE:
        call_fail(call, 503, "NOT_AT_WORK", "%s", err->text);
        break;
    case LKS_E_CANCELLED:
        call_fail(call, 503, "NOT_DONE", "%s", err->text);
        break;
    case LKS_E_MONGO:
        call_fail(call, 503, "MONGODB_UNAVAILABLE", "%s", err->text);
        break;
    default:
        call_fail(call, 500, lks_code_name(err->code), "%s", err->text);
    }
}

void call_answer_header(struct call *call, const char *name, const char *value)
{
    size_t at = 0;
    while (at < call->answer_header_count && strcasecmp(call->answer_headers[at].name, name) != 0) at++;
    char *copy = at < CALL_MAX_ANSWER_HEADERS ? strdup(value) : NULL;
    if (!copy) return; /* the answer goes without it */
    if (at < call->answer_header_count)
        free((char *)call->answer_headers[at].value);
    else
        call->answer_header_count++;
    call->answer_headers[at] = (struct call_pair){name, copy};
}

const char *call_answers(const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->answer_header_count; i++)
        if (strcasecmp(call->answer_headers[i].name, name) == 0) return call->answer_headers[i].value;
    return NULL;
}

/* ---- questions ---- */

const char *call_query(const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->query_count; i++)
        if (strcmp(call->query[i].name, name) == 0) return call->query[i].value;
    return NULL;
}

const char *call_header(const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->header_count; i++)
        if (strcasecmp(call->headers[i].name, name) == 0) return call->headers[i].value;
    return NULL;
}

/* A whole number, however large. False: 400 was answered. */
static bool read_whole(struct call *call, const char *name, const char *text, long *out)
{
    char *end = NULL;
    *out = strtol(text, &end, 10);
    if (*text && !*end && strspn(text, "+-0123456789") == strlen(text)) return true;
    call_fail(call, 400, "BAD_REQUEST", "`%s` takes a whole number, not %.100s", name, text);
    return false;
}

bool call_query_clamped(struct call *call, const char *name, long least, long most, long fallback, long *out)
{
    const char *text = call_query(call, name);
    *out = fallback;
    if (text && !read_whole(call, name, text, out)) return false;
    *out = *out < least ? least : *out > most ? most : *out;
    return true;
}

bool call_query_knows(struct call *call, const char *const *names)
{
    struct buf list;
    const char *unknown = NULL;
    for (size_t i = 0; i < call->query_count && !unknown; i++) {
        size_t k = 0;
        while (names[k] && strcmp(call->query[i].name, names[k]) != 0) k++;
        if (!names[k]) unknown = call->query[i].name;
    }
    if (!unknown) return true;
    buf_init(&list, 0);
    for (size_t k = 0; names[k]; k++) buf_printf(&list, "%s%s", k ? ", " : "", names[k]);
    call_fail(call, 400, "BAD_REQUEST", "unknown parameter `%.100s`; this path takes: %.*s", unknown,
              (int)list.bytes, list.bytes ? list.data : "");
    buf_fini(&list);
    return false;
}

bool call_query_number(struct call *call, const char *name, long least, long most, long fallback, long *out)
{
    const char *text = call_query(call, name);
    char *end = NULL;
    *out = fallback;
    if (!text) return true;
    *out = strtol(text, &end, 10);
    if (*text && !*end && *out >= least && *out <= most) return true;
    call_fail(call, 400, "BAD_REQUEST", "`%s` takes a whole number from %ld to %ld", name, least, most);
    return false;
}

json_t *call_object(struct call *call)
{
    json_error_t wrong;
    if (call->body.bytes == 0) return json_object();
    json_t *json = json_loadb(call->body.data, call->body.bytes, JSON_REJECT_DUPLICATES, &wrong);
    bool whole = !json_memory_was_out();
    if (whole && json_is_object(json)) return json;
    if (!whole)
        call_fail(call, 500, "UNKNOWN", "out of memory");
    else if (json)
        call_fail(call, 400, "BAD_REQUEST", "the body must be a JSON object");
    else
        call_fail(call, 400, "BAD_REQUEST", "the body is no JSON: line %d, column %d: %s", wrong.line,
                  wrong.column, wrong.text);
    json_decref(json);
    return NULL;
}

static const struct service_source *find_source(struct call *call, const char *name)
{
    const struct service *s = call->service;
    for (size_t i = 0; i < s->source_count; i++)
        if (s->sources[i].all.count > 0 && (!name || strcmp(s->sources[i].all.name, name) == 0))
            return &s->sources[i];
    call_fail(call, 404, "UNKNOWN_SOURCE", "no source of this name has collections that are enabled");
    return NULL;
}

const struct service_source *call_source_segment(struct call *call, size_t segment)
{
    return find_source(call, call->segments[segment]);
}

const struct service_source *call_source(struct call *call)
{
    return find_source(call, call_query(call, "source"));
}

size_t call_source_index(const struct call *call, const struct service_source *source)
{
    return (size_t)(source - call->service->sources);
}

/* "a, b, c" */
static void list_names(const struct service_source *source, char *out, size_t bytes)
{
    size_t at = 0;
    *out = '\0';
    for (size_t i = 0; i < source->all.count && at < bytes; i++)
        at += (size_t)snprintf(out + at, bytes - at, "%s%s", i ? ", " : "", source->all.names[i]);
}

static bool add_collection(const struct service_source *source, const char *name, uint64_t *set)
{
    for (size_t i = 0; name && i < source->all.count; i++)
        if (strcmp(source->all.names[i], name) == 0) {
            *set |= UINT64_C(1) << i;
            return true;
        }
    return false;
}

/* 400 with both lists, so that a program needs not read the message. */
static void fail_collections(struct call *call, const struct service_source *source, json_t *invalid)
{
    char valid[512];
    const json_t *first = json_array_get(invalid, 0);
    json_t *names = json_array();
    for (size_t i = 0; i < source->all.count; i++)
        json_array_append_new(names, json_string(source->all.names[i]));
    list_names(source, valid, sizeof valid);
    call_fail(call, 400, "INVALID_COLLECTION", "invalid collection: %s; valid ones are: %s",
              json_is_string(first) ? json_string_value(first) : "not a string", valid);
    json_t *body = json_loadb(call->text ? call->text : "", call->bytes, 0, NULL);
    json_object_set_new(body, "invalidCollections", invalid);
    json_object_set_new(body, "validCollections", names);
    call_json(call, 400, body);
}

bool call_collections(struct call *call, const struct service_source *source, const json_t *names,
                      uint64_t *set)
{
    size_t i;
    json_t *name;
    *set = 0;
    if (!names || json_is_null(names)) return true;
    if (json_array_size(names) == 0) {
        call_fail(call, 400, "BAD_REQUEST", "`collections` takes a list of names that isn't empty");
        return false;
    }
    json_t *invalid = json_array();
    json_array_foreach(names, i, name)
    {
        if (!add_collection(source, json_string_value(name), set)) json_array_append(invalid, name);
    }
    if (json_array_size(invalid) == 0) {
        json_decref(invalid);
        return true;
    }
    fail_collections(call, source, invalid);
    return false;
}
