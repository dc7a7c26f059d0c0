/*
 * proxy.h - a TCP proxy between the daemon and a server, which does to its connections what networks do.
 *
 * It runs on a thread of its own in the process that opened it, on loopback, and forwards until asked
 * otherwise. proxy_set() may be called from any thread, and holds for connections that are open as well.
 */
#ifndef LOCKSTEP_TESTS_FAULT_PROXY_H
#define LOCKSTEP_TESTS_FAULT_PROXY_H

#include <stdint.h>

enum proxy_mode {
    PROXY_FORWARD,
    PROXY_DELAY, /* every reply comes `amount` milliseconds late */
    PROXY_CUT,   /* a connection ends after `amount` bytes of replies */
    PROXY_RESET, /* likewise, by a reset */
    PROXY_HOLE,  /* nothing passes, in either direction, and no side is notified; new connections are taken */
    PROXY_REFUSE, /* open connections end, new ones too, before a byte has passed */
    PROXY_GARBLE, /* the first bytes of every `amount`th reply are not what the server sent */
    PROXY_FAULT_COUNT,
    PROXY_HOLD = PROXY_FAULT_COUNT, /* proxy_hold() */
    PROXY_MODE_COUNT
};

struct proxy;

/* NULL without a socket, memory or thread, or if there is no such host. */
struct proxy *proxy_open(const char *host, int port);
int proxy_port(const struct proxy *p);
void proxy_set(struct proxy *p, enum proxy_mode mode, uint64_t amount);
/* A connection over which a client sends this text (it must stay) is held as it is, the text included, until
 * another mode is set: then the text goes on its way, whatever has become of the client. A hit is counted. */
void proxy_hold(struct proxy *p, const char *text);
/* How many replies were delayed, cut, held back, refused or garbled so far: a test that broke nothing shows
 * nothing.
 */
uint64_t proxy_hits(struct proxy *p);
const char *proxy_mode_name(enum proxy_mode mode);
/* Ends all connections. NULL is fine. */
void proxy_close(struct proxy *p);

#endif
