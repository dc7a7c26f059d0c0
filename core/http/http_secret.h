/*
 * http_secret.h - a key that is sent with requests, and the file that it may come from.
 *
 * Keys expire and are rotated: whoever does that replaces the file. It is read again every minute, and at
 * once (at most once a second) when a server refuses the key. A file that can't be read, or that holds
 * something else than one line, leaves the key as it was. Thread-safe.
 */
#ifndef LOCKSTEP_HTTP_HTTP_SECRET_H
#define LOCKSTEP_HTTP_HTTP_SECRET_H

#include <stdbool.h>

struct secret;

/* `text` is the key ("" for none), `file` where it was read from (NULL or "": nowhere). NULL: no memory. */
struct secret *secret_new(const char *text, const char *file);
/* Overwrites the key in memory. NULL is fine. */
void secret_free(struct secret *secret);

/* A copy of the key as it is now, to be ended by secret_end(); NULL when memory is out. */
char *secret_take(struct secret *secret);
void secret_end(char *copy);
/* A server refuses the key. */
void secret_refused(struct secret *secret);

#endif
