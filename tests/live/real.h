/* real.h - what the harness does where a server is a real one. For the harness itself. */
#ifndef LOCKSTEP_TESTS_LIVE_REAL_H
#define LOCKSTEP_TESTS_LIVE_REAL_H

#include "live/harness.h"

/* Which servers are real, by the environment and what the world asks for; names what is ours there. */
void real_choose(struct live *w);
/* Ends the test, as passed, after saying what it lacks. */
_Noreturn void real_skip(const char *what);
/* The path of a request, with the test's prefix before a collection's name; in `out`, or as it is. */
const char *real_path(const struct live *w, const struct live_process *server, const char *path, char *out,
                      size_t bytes);
/* Drops what is ours. */
void real_clean(struct live *w);

#endif
