/* openapi.h - docs/reference/openapi.json, and whether an answer of the daemon is what it says. */
#ifndef LOCKSTEP_TESTS_LIVE_OPENAPI_H
#define LOCKSTEP_TESTS_LIVE_OPENAPI_H

#include "http/http.h"
#include "live/harness.h"

struct openapi {
    json_t *document; /* owned */
    json_t *seen;     /* owned: "GET /path/{id} 200" -> how often */
};

/* Reads the document; ends the test if it is none. */
void openapi_open(struct live *w, struct openapi *o);
void openapi_close(struct openapi *o);

/* The document's path that a request's path falls under, as the server would choose; NULL: none. */
const char *openapi_path(const struct openapi *o, const char *path);
/* An operation; NULL: the path doesn't have the method. */
const json_t *openapi_operation(const struct openapi *o, const char *path, const char *method);

/* A call. */
struct openapi_call {
    long status; /* that it must have; 0: any that the document lists */
    const char *method, *path, *body;
    const struct http_header *headers; /* beside Content-Type */
    size_t header_count;
};
/*
 * Sends it, and ends the test unless the answer's status and content type are listed and its body fits the
 * schema. A method that the path doesn't have must be answered 405, a path that isn't there 404, both as an
 * Error. The body if it is JSON (json_decref() it), else NULL.
 */
json_t *openapi_ask(struct live *w, struct openapi *o, const struct live_process *server,
                    const struct openapi_call *call);

#endif
