/*
 * guard.c - see guard.h.
 *
 * A browser can be made to call us by any page it shows. With a token that page lacks it. Without one we
 * listen on loopback alone, and take only calls that name a loopback host (a foreign name that was pointed at
 * 127.0.0.1 is "DNS rebinding"), and writes only if they come from no page or from one of ours.
 */
#include "api/guard.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/cors.h"
#include "api/page.h"
#include "api/request_target.h"

/* ---- the way ---- */

static bool path_fits(const struct call *call, const char *pattern)
{
    size_t i = 0;
    while (*pattern == '/') {
        size_t bytes = strcspn(++pattern, "/");
        bool any = bytes == 1 && *pattern == '*';
        if (i >= call->segment_count || !*call->segments[i]) return false;
        if (!any && (strlen(call->segments[i]) != bytes || memcmp(call->segments[i], pattern, bytes) != 0))
            return false;
        pattern += bytes;
        i++;
    }
    return i == call->segment_count;
}

static bool method_fits(const char *method, const struct route *route)
{
    return strcmp(method, route->method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

static const char *const known_methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
#define KNOWN_METHODS (sizeof known_methods / sizeof *known_methods)

/* Which of the known methods a route takes, as bits. */
static unsigned methods_of(const struct route *route)
{
    unsigned set = 0;
    for (size_t i = 0; i < KNOWN_METHODS; i++)
        if (method_fits(known_methods[i], route)) set |= 1U << i;
    return set;
}

/* "GET, HEAD, OPTIONS": what could be asked instead. */
static void list_methods(unsigned set, char *out, size_t bytes)
{
    size_t at = 0;
    for (size_t i = 0; i < KNOWN_METHODS; i++)
        if (set & 1U << i) at += (size_t)snprintf(out + at, bytes - at, "%s, ", known_methods[i]);
    snprintf(out + at, bytes - at, "OPTIONS");
}

static void route_call(struct call *call)
{
    unsigned set = 0;
    const struct route *page;
    const char *path = NULL; /* the first that fits: no later one may answer in its place */
    for (size_t i = 0; i < route_count && !call->route; i++) {
        if (path ? strcmp(path, routes[i].path) != 0 : !path_fits(call, routes[i].path)) continue;
        path = routes[i].path;
        if (method_fits(call->method, &routes[i])) call->route = &routes[i];
        set |= methods_of(&routes[i]);
    }
    if (!path && (page = page_route(call)) != NULL) {
        if (method_fits(call->method, page)) call->route = page;
        set = methods_of(page);
    }
    if (call->route) return;
    if (!set) {
        call_fail(call, 404, "NOT_FOUND", "there is nothing at this path");
        return;
    }
    list_methods(set, call->allow, sizeof call->allow);
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

/* The token the call shows; NULL: none. */
static const char *shown_token(const struct call *call)
{
    const char *shown = call_header(call, "Authorization");
    if (!shown || strncasecmp(shown, "Bearer", 6) != 0 || shown[6] != ' ') return NULL;
    return shown + 6 + strspn(shown + 6, " ");
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

static bool is_foreign_page(const struct guard *guard, const struct call *call)
{
    const char *origin = call_header(call, "Origin"), *site = call_header(call, "Sec-Fetch-Site");
    if (cors_allows(guard->allow_origins, call)) return false;
    return (origin && !is_own_page(origin, call_header(call, "Host"))) ||
           (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0);
}

static void guard_without_token(const struct guard *guard, struct call *call)
{
    const char *host = call_header(call, "Host");
    if (!guard->local && host && !is_loopback_host(host))
        call_fail(call, 403, "FOREIGN_HOST",
                  "without a token only loopback names are answered; set [api] token to be called otherwise");
    else if (call->route->access == ACCESS_WRITE && is_foreign_page(guard, call))
        call_fail(call, 403, "FOREIGN_ORIGIN", "a page of another site may not write here");
}

/* What the token that is shown may do, so that a page need not find out by trying. */
static void say_access(const struct guard *guard, struct call *call)
{
    const char *shown = shown_token(call);
    if (!shown || !*guard->token) return;
    if (token_fits(guard->token, shown))
        call_answer_header(call, "Lockstep-Access", "write");
    else if (*guard->read_token && token_fits(guard->read_token, shown))
        call_answer_header(call, "Lockstep-Access", "read");
}

static void guard_with_token(const struct guard *guard, struct call *call)
{
    const char *shown = shown_token(call);
    bool whole = shown && token_fits(guard->token, shown);
    bool reads = shown && *guard->read_token && token_fits(guard->read_token, shown);
    if (whole || (reads && call->route->access != ACCESS_WRITE)) return;
    if (reads)
        call_fail(call, 403, "READ_ONLY", "this token may only read");
    else
        call_fail(call, 401, "UNAUTHORIZED", "this call needs the header `Authorization: Bearer TOKEN`");
}

/* A proxy that hands on somebody else's call is as little trusted as that somebody. */
static bool is_forwarded(const struct call *call)
{
    return call_header(call, "X-Forwarded-For") || call_header(call, "Forwarded") ||
           call_header(call, "X-Real-IP") || call_header(call, "Via");
}

static void guard_call(const struct guard *guard, struct call *call)
{
    enum access access = call->route->access;
    bool is_public =
        (access == ACCESS_COUNTS && guard->public_counts) || (access == ACCESS_LISTS && guard->public_lists);
    if (access == ACCESS_OPEN) return;
    say_access(guard, call);
    bool trusted =
        guard->local && guard->local_trust && !is_forwarded(call) && !call_header(call, "Authorization");
    if (!*guard->token || trusted)
        guard_without_token(guard, call);
    else if (!is_public)
        guard_with_token(guard, call);
}

void guard_head(const struct guard *guard, struct call *call)
{
    if (!call->status) target_check_headers(call);
    if (!call->status) target_read(call);
    if (!call->status) route_call(call);
    cors_answer(guard->allow_origins, call);
    if (!call->status) guard_call(guard, call);
}
