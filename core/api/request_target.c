/*
 * request_target.c - see request_target.h. Works on the target as it came over the wire: libmicrohttpd's own
 * reading decodes before it splits, and ends a path at its first `%00`. Owns nothing, asks no server.
 */
#include "api/request_target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

/* ---- pieces ---- */

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes text in place. NULL, or what is wrong with it. */
static const char *decode(char *text, bool plus_is_space)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (*in == '%') {
            int high = digit(in[1]), low = high < 0 ? -1 : digit(in[2]);
            if (low < 0) return "has a `%` without two hexadecimal digits";
            if (high == 0 && low == 0) return "has a NUL";
            *out++ = (char)(high << 4 | low);
            in += 2;
        } else {
            *out++ = *in == '+' && plus_is_space ? ' ' : *in;
        }
    }
    *out = '\0';
    return utf8_valid(text, (size_t)(out - text)) ? NULL : "is not valid UTF-8";
}

/* The piece up to one of `ends`, cut off; *text goes on after it, NULL at the end. */
static char *cut(char **text, const char *ends)
{
    char *piece = *text, *end = piece + strcspn(piece, ends);
    *text = *end ? end + 1 : NULL;
    *end = '\0';
    return piece;
}

static void bad_path(struct call *call, const char *reason)
{
    call_fail(call, 400, "BAD_REQUEST", "the path %s", reason);
}

static bool read_path(struct call *call, char *path)
{
    for (char *rest = path; rest;) {
        char *segment = cut(&rest, "/");
        const char *wrong = decode(segment, false);
        if (!wrong && (strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)) wrong = "has a `.` or `..`";
        if (wrong) {
            bad_path(call, wrong);
            return false;
        }
        if (call->segment_count < CALL_MAX_SEGMENTS)
            call->segments[call->segment_count++] = segment;
        else
            call->segment_count = CALL_MAX_SEGMENTS + 1;
    }
    if (call->segment_count == 1 && !*call->segments[0]) call->segment_count = 0; /* "/" */
    return true;
}

static bool read_query(struct call *call, char *query)
{
    for (char *rest = query; rest;) {
        char *value = cut(&rest, "&"), *name = cut(&value, "=");
        const char *wrong = decode(name, true);
        if (!wrong && value) wrong = decode(value, true);
        if (!*name && !value && !wrong) continue; /* "?", "&&" */
        if (!wrong && call->query_count == CALL_MAX_QUERY) wrong = "has too many parameters";
        if (wrong) {
            call_fail(call, 400, "BAD_REQUEST", "the query %s", wrong);
            return false;
        }
        call->query[call->query_count++] = (struct call_pair){name, value ? value : ""};
    }
    return true;
}

/* A proxy's form, `http://host/path`, means what `/path` means. */
static char *after_host(char *target)
{
    size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
                    : strncasecmp(target, "https://", 8) == 0 ? 8
                                                              : 0;
    return scheme ? target + scheme + strcspn(target + scheme, "/?") : target;
}

void target_read(struct call *call)
{
    if (strlen(call->target) > CALL_MAX_TARGET_BYTES) {
        call_fail(call, 414, "URI_TOO_LONG", "path and query may have %zu bytes", CALL_MAX_TARGET_BYTES);
        return;
    }
    char *query = after_host(call->target), *path = cut(&query, "?");
    if (*path != '/')
        bad_path(call, "doesn't begin with a slash");
    else if (read_path(call, path + 1) && query)
        (void)read_query(call, query);
}

/* ---- headers ---- */

static size_t times(const struct call *call, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < call->header_count; i++) count += strcasecmp(call->headers[i].name, name) == 0;
    return count;
}

void target_check_headers(struct call *call)
{
    /* those where it matters which of two is believed: by us, or by a proxy before us */
    static const char *const once[] = {"Host",   "Authorization", "Content-Length", "Transfer-Encoding",
                                       "Origin", "Content-Type",  "Last-Event-ID",  "If-None-Match"};
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
        if (times(call, once[i]) < 2) continue;
        call_fail(call, 400, "BAD_REQUEST", "the header %s is there twice", once[i]);
        return;
    }
    const char *bytes = call_header(call, "Content-Length");
    if (bytes && call_header(call, "Transfer-Encoding"))
        call_fail(call, 400, "BAD_REQUEST", "Content-Length and Transfer-Encoding exclude each other");
    else if (bytes && strtoull(bytes, NULL, 10) > CALL_MAX_BODY_BYTES)
        call_fail(call, 413, "TOO_LARGE", "the body may have %zu bytes", CALL_MAX_BODY_BYTES);
}
