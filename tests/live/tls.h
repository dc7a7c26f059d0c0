/* tls.h - TLS before a server that speaks none: what a reverse proxy does, in a thread of the test. */
#ifndef LOCKSTEP_TESTS_LIVE_TLS_H
#define LOCKSTEP_TESTS_LIVE_TLS_H

#include "live/harness.h"

struct tls_front;

/* Takes connections on a port of its own and hands them on to `to_port`, both on loopback. Its certificate
 * for 127.0.0.1 is self-signed, and written to NAME in the world's folder. Ends with the test. */
struct tls_front *tls_front_open(struct live *w, int to_port, const char *name);
int tls_front_port(const struct tls_front *front);
/* PEM. */
const char *tls_front_certificate(const struct tls_front *front);

#endif
