/*
 * guard.c - see guard.h.
 *
 * A browser can be made to call us by any page it shows. With a token that page lacks it. Without one we
 * listen on loopback alone, and take only calls that name a loopback host (a foreign name that was pointed at
 * 127.0.0.1 is "DNS rebinding"), and writes only if they come from no page or from one of ours.
 */
#include "admin/guard.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *header(const struct call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

/* ---- the way ---- */

static void split(struct call *call)
{
    char *save = NULL;
    for (char *part = strtok_r(call->path, "/", &save); part && call->part_count < CALL_MAX_SEGMENTS;
         part = strtok_r(NULL, "/", &save))
        call->parts[call->part_count++] = part;
    if (save && *save) call->part_count = CALL_MAX_SEGMENTS + 1; /* longer than any route */
}

static bool path_fits(const struct call *call, const char *pattern)
{
    size_t i = 0;
    while (*pattern == '/') {
        size_t bytes = strcspn(++pattern, "/");
        bool any = bytes == 1 && *pattern == '*';
        if (i >= call->part_count) return false;
        if (!any && (strlen(call->parts[i]) != bytes || memcmp(call->parts[i], pattern, bytes) != 0))
            return false;
        pattern += bytes;
        i++;
    }
    return i == call->part_count;
}

static bool method_fits(const char *method, const struct route *route)
{
    return strcmp(method, route->method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

/* "GET, HEAD, OPTIONS": what could be asked instead. */
static const char *methods(bool get, bool post)
{
    if (get) return post ? "GET, HEAD, POST, OPTIONS" : "GET, HEAD, OPTIONS";
    return "POST, OPTIONS";
}

void route_call(struct call *call)
{
    bool get = false, post = false;
    split(call);
    for (size_t i = 0; i < route_count && !call->route; i++) {
        if (!path_fits(call, routes[i].path)) continue;
        if (method_fits(call->method, &routes[i])) call->route = &routes[i];
        get |= strcmp(routes[i].method, "GET") == 0;
        post |= strcmp(routes[i].method, "POST") == 0;
    }
    if (call->route) return;
    if (!get && !post) {
        call_fail(call, 404, "NOT_FOUND", "there is nothing at this path");
        return;
    }
    call->allow = methods(get, post);
    if (strcmp(call->method, "OPTIONS") == 0)
        call_text(call, 204, "text/plain", NULL, 0);
    else
        call_fail(call, 405, "METHOD_NOT_ALLOWED", "this path takes %s", call->allow);
}

/* ---- the right ---- */

/* Takes as long for a wrong token as for the right one. */
static bool token_fits(const char *token, const char *shown)
{
    size_t bytes = strlen(token), shown_bytes = strlen(shown);
    unsigned differs = bytes != shown_bytes;
    for (size_t i = 0; i < shown_bytes; i++)
        differs |= (unsigned char)shown[i] ^ (unsigned char)token[i % bytes];
    return !differs;
}

static bool shows_token(const struct call *call, const char *token)
{
    const char *shown = header(call, "Authorization");
    if (!shown || strncasecmp(shown, "Bearer", 6) != 0 || shown[6] != ' ') return false;
    return token_fits(token, shown + 6 + strspn(shown + 6, " "));
}

static bool is_loopback_host(const char *host)
{
    static const char *const names[] = {"localhost", "[::1]"};
    size_t bytes = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == bytes && strncasecmp(host, names[i], bytes) == 0) return true;
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == bytes;
}

static bool is_own_page(const char *origin, const char *host)
{
    const char *at = strstr(origin, "://");
    return at && host && strcasecmp(at + 3, host) == 0;
}

static void guard_without_token(struct call *call)
{
    const char *host = header(call, "Host"), *origin = header(call, "Origin");
    if (host && !is_loopback_host(host))
        call_fail(call, 403, "FOREIGN_HOST",
                  "without a token only loopback names are answered; set [api] token to be called otherwise");
    else if (origin && strcmp(call->route->method, "GET") != 0 && !is_own_page(origin, host))
        call_fail(call, 403, "FOREIGN_ORIGIN", "a page of another site may not write here");
}

void guard_call(const struct guard *guard, struct call *call)
{
    enum access access = call->route->access;
    if (access == ACCESS_OPEN) return;
    if (!*guard->token)
        guard_without_token(call);
    else if (!(access == ACCESS_STATUS && guard->public_status) && !shows_token(call, guard->token))
        call_fail(call, 401, "UNAUTHORIZED", "this call needs the header `Authorization: Bearer TOKEN`");
}
