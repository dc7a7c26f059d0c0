/* guard.h - which route a call takes, and whether it may. Both set the answer where it ends here. */
#ifndef LOCKSTEP_API_GUARD_H
#define LOCKSTEP_API_GUARD_H

#include "api/call.h"

struct guard {
    const char *token;                /* "": none is asked for */
    const char *read_token;           /* "": there is none. May only read */
    bool public_counts, public_lists; /* ACCESS_COUNTS and ACCESS_LISTS need no token */
    bool local;                       /* calls come over a Unix socket */
    bool local_trust;                 /* whoever may open the socket needs no token */
    const char *const *allow_origins;
};

/*
 * All that can be said of a call by its method, target and headers. Finds its route, and sets the answer
 * where it ends here: 400, 413, 414; 404, 405, or the answer to OPTIONS; 401 without a token that fits; 403
 * for one that may only read, and for a page of another site that makes a browser call us.
 */
void guard_head(const struct guard *guard, struct call *call);

#endif
