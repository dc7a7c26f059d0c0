/* notify_calls.h - publishes what no other file does: counts and states that changed, and cycles. Private to
 * this room. */
#ifndef LOCKSTEP_API_NOTIFY_CALLS_H
#define LOCKSTEP_API_NOTIFY_CALLS_H

#include "service/service.h"

struct teller;

/* A thread that looks about once a second, while somebody listens. NULL: none can be had. */
struct teller *teller_open(const struct service *service);
/* NULL is fine. */
void teller_close(struct teller *t);

#endif
