/* guard.h - which route a call takes, and whether it may. Both set the answer where it ends here. */
#ifndef LOCKSTEP_ADMIN_GUARD_H
#define LOCKSTEP_ADMIN_GUARD_H

#include "admin/call.h"

struct guard {
    const char *token; /* "": none is asked for */
    bool public_status;
};

/* Finds the route and splits the path: 404, 405, or the answer to OPTIONS. */
void route_call(struct call *call);
/* 401 without the token; 403 for a page of another site that makes a browser call us. */
void guard_call(const struct guard *guard, struct call *call);

#endif
