/* stand_in.h - starting one of the stand-in servers of tests/double for a test, on a port of its own choice.
 */
#ifndef LOCKSTEP_TESTS_STAND_IN_H
#define LOCKSTEP_TESTS_STAND_IN_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct stand_in {
    pid_t pid;
    FILE *out;
    char address[128]; /* "127.0.0.1:PORT" */
};

/* `program` is "qdrant", "mongod" or "embedder", as built under $top_builddir; `options` are its own, ended
 * by a NULL (or NULL: none). False if it doesn't come up. Before any thread is started. */
bool stand_in_start(struct stand_in *s, const char *program, const char *const *options);
/* Ends it and waits for its end. */
void stand_in_stop(struct stand_in *s);

#endif
