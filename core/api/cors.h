/* cors.h - pages of other sites that may call: those whose origins the configuration names. Private to this
 * room. */
#ifndef LOCKSTEP_API_CORS_H
#define LOCKSTEP_API_CORS_H

#include "api/call.h"

/* True if the call comes from a page of one of these origins (NULL-terminated). */
bool cors_allows(const char *const *origins, const struct call *call);
/* Allows the browser that, and says what such a page may send where the call only asks for that (a preflight,
 * once its path is found). */
void cors_answer(const char *const *origins, struct call *call);

#endif
