/* calls.h - the daemon's HTTP API, asked by a test: by calls, and by bytes of its own. */
#ifndef LOCKSTEP_TESTS_LIVE_CALLS_H
#define LOCKSTEP_TESTS_LIVE_CALLS_H

#include "http/http.h"
#include "live/harness.h"

/* The daemon as a server, on the port it said it has. */
struct live_process api(struct live *w);
/* The same of another daemon; after a restart the port it said last. */
struct live_process api_of(struct live *w, const struct live_process *daemon);
/* A world whose daemon runs and listens. */
struct live_process open_with_api(struct live *w, const char *test);

/* Takes a port that nobody has now, so that a command can be given it too. */
void listen_on_free_port(struct live *w);

/* An answer of this status that must be JSON. json_decref() it. */
json_t *answer(struct live *w, const struct live_process *server, long status, const char *method,
               const char *path, const char *body);
/* A call with these headers; the status, 0 if there was none. */
long with_headers(struct live *w, const struct live_process *server, const char *method, const char *path,
                  const struct http_header *headers, size_t count);
/* True if the API shows a problem with this code now. */
bool shows_problem(struct live *w, const char *code);
int64_t number(const json_t *in, const char *name);
/* "" if it isn't there or no text. */
const char *text(const json_t *in, const char *name);
/* A value by dotted path (numbers count a list's items); NULL if it isn't there. */
json_t *value_at(json_t *in, const char *path);
int64_t number_at(json_t *in, const char *path);
/* "" if it isn't there or no text. */
const char *text_at(json_t *in, const char *path);

/* A connection; close() it. */
int raw_open(struct live *w, const struct live_process *server);
void raw_send(int fd, const char *bytes, size_t count); /* what isn't taken any more is left out */
/* Everything that still comes until the server closes, or for as long as a test waits; appended. */
void raw_read_all(int fd, struct buf *out);
/* Sends these bytes on a connection of their own and reads one answer. Its status (0: none); all of it in
 * `out` unless that is NULL. */
int raw_call(struct live *w, const struct live_process *server, const char *bytes, size_t count,
             struct buf *out);
/* The JSON body of an answer that was read this way; NULL if it is none. json_decref() it. */
json_t *raw_json(const struct buf *answer);

#endif
