/* guard.h - which route a call takes, and whether it may. Both set the answer where it ends here. */
#ifndef LOCKSTEP_ADMIN_GUARD_H
#define LOCKSTEP_ADMIN_GUARD_H

#include "admin/call.h"

struct guard {
    const char *token;      /* "": none is asked for */
    const char *read_token; /* "": there is none. May only read */
    bool public_status;
    bool local; /* calls come over a Unix socket: whoever may open it needs no token */
    const char *const *allow_origins;
};

/* Finds the route of the path that target_read() took apart: 404, 405, or the answer to OPTIONS. */
void route_call(struct call *call);
/* 401 without a token that fits; 403 for one that may only read, and for a page of another site that makes a
 * browser call us. */
void guard_call(const struct guard *guard, struct call *call);

#endif
