/* request_target.h - what a request asks for: its target (path and query) and headers, checked. Private to
 * this room. */
#ifndef LOCKSTEP_API_REQUEST_TARGET_H
#define LOCKSTEP_API_REQUEST_TARGET_H

#include "api/call.h"

/* Splits the path at its slashes and the query at its `&`, then decodes each piece, so that `%2F` is a
 * character of a segment. Sets the answer where that can't be done: 400, 414. */
void target_read(struct call *call);
/* 400 for a header that must be there once and is there twice, or that contradicts another; 413 for a body
 * that says it is too large. */
void target_check_headers(struct call *call);

#endif
