/* cors.c - see cors.h, and the Fetch standard. Cookies are nothing to us, so credentials are never allowed:
 * such a page shows a token like everybody else. */
#include "api/cors.h"

#include <string.h>
#include <strings.h>

#define MAY_SEND "Authorization, Content-Type, If-None-Match, Last-Event-ID, Prefer"
#define MAY_READ "ETag, Location, Lockstep-Affects, Preference-Applied, Retry-After, WWW-Authenticate"
#define KEEP_S "600"

bool cors_allows(const char *const *origins, const struct call *call)
{
    const char *origin = call_header(call, "Origin");
    for (size_t i = 0; origin && origins[i]; i++)
        if (strcasecmp(origins[i], origin) == 0) return true;
    return false;
}

void cors_answer(const char *const *origins, struct call *call)
{
    if (!*origins) return;
    call_answer_header(call, "Vary", "Origin");
    if (!cors_allows(origins, call)) return;
    call_answer_header(call, "Access-Control-Allow-Origin", call_header(call, "Origin"));
    call_answer_header(call, "Access-Control-Expose-Headers", MAY_READ);
    if (strcmp(call->method, "OPTIONS") != 0 || !call_header(call, "Access-Control-Request-Method")) return;
    call_answer_header(call, "Access-Control-Allow-Methods", call->allow);
    call_answer_header(call, "Access-Control-Allow-Headers", MAY_SEND);
    call_answer_header(call, "Access-Control-Max-Age", KEEP_S);
}
