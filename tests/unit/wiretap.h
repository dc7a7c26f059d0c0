/*
 * wiretap.h - what a client says to a MongoDB server: a relay on loopback that keeps each command.
 */
#ifndef LOCKSTEP_TESTS_WIRETAP_H
#define LOCKSTEP_TESTS_WIRETAP_H

#include <stddef.h>

struct wiretap;

/* In front of the server at this port of loopback; NULL without a socket, memory or thread. */
struct wiretap *wiretap_open(int server_port);
int wiretap_port(const struct wiretap *w);
/* The commands so far with this name, as relaxed Extended JSON, one a line; to be freed by free(). */
char *wiretap_commands(struct wiretap *w, const char *name);
/* Ends all connections. */
void wiretap_close(struct wiretap *w);

#endif
