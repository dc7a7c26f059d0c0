/*
 * journal.h - keeping data over a restart: every write that was answered with 200 is appended to a file, and
 * replayed when the stand-in starts.
 *
 * Only with --file; writes then go one at a time, so that the file has them in the order in which they
 * happened.
 */
#ifndef DOUBLE_QDRANT_HTTP_JOURNAL_H
#define DOUBLE_QDRANT_HTTP_JOURNAL_H

#include "qdrant_http/server.h"

struct journal;

/* Replays the file into the server, rewrites it compactly, and goes on appending. False with the reason on
 * standard error. */
bool journal_open(struct server *s, const char *path);
void journal_close(struct server *s);

/* Around a write: append notes it if it was answered with 200, and lets the next one in. */
void journal_lock(struct journal *j);
void journal_append(struct journal *j, const struct request *request, const struct response *response);
/* Writes the whole state again, for changes that no request describes. */
void journal_rewrite(struct server *s);

#endif
