/* call.h - one request and its answer, and what routes are made with. Private to this room. */
#ifndef LOCKSTEP_API_CALL_H
#define LOCKSTEP_API_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/server.h"
#include "base/buf.h"

#define CALL_MAX_SEGMENTS 6
#define CALL_MAX_TARGET_BYTES ((size_t)8 << 10)
#define CALL_MAX_QUERY 32
#define CALL_MAX_HEADERS 64
#define CALL_MAX_HEADER_BYTES ((size_t)16 << 10) /* all of them together */
#define CALL_MAX_ANSWER_HEADERS 12
#define CALL_MAX_BODY_BYTES ((size_t)16 << 20) /* MongoDB takes no larger document */

struct MHD_Connection;
struct route;
struct stream;
struct streams;
struct peer;
struct call_counts;

struct call_pair {
    const char *name, *value;
};

struct call {
    struct call *next;
    struct admin *admin;
    const struct service *service;
    struct streams *streams;
    const struct call_counts *counts; /* of the server's own requests */
    struct MHD_Connection *connection;
    struct peer *peer;
    const struct route *route;
    char *method;
    char *target;                            /* as it came; target_read() takes it apart in place */
    const char *segments[CALL_MAX_SEGMENTS]; /* of the path, percent-decoded, valid UTF-8 */
    size_t segment_count;                    /* CALL_MAX_SEGMENTS + 1: more than any route has */
    struct call_pair query[CALL_MAX_QUERY];  /* likewise */
    size_t query_count;
    struct call_pair headers[CALL_MAX_HEADERS];
    size_t header_count;
    struct buf body;
    bool too_large, begun;
    int64_t came_us, made_us; /* monotonic: its first line; its answer was made (0: answered at once) */
    /* the answer */
    int status; /* 0: none yet */
    const char *type;
    char allow[64];                                           /* methods, with 405 */
    struct call_pair answer_headers[CALL_MAX_ANSWER_HEADERS]; /* their values owned */
    size_t answer_header_count;
    char *text; /* owned, by malloc() */
    size_t bytes;
    struct stream *stream; /* instead of a text: events without end. Owned until its answer is sent */
};

/* Who may take a route. */
enum access {
    ACCESS_OPEN,   /* anybody */
    ACCESS_COUNTS, /* numbers of documents: as ACCESS_READ with `public_status = no`, else anybody */
    ACCESS_LISTS,  /* ids, names, errors of documents: anybody with `public_status = all`, else as ACCESS_READ
                    */
    ACCESS_READ,   /* with the token, or the one that may only read */
    ACCESS_WRITE   /* with the token; pages of other sites never */
};

struct route {
    const char *method;
    const char *path; /* segments; `*` stands for any one */
    enum access access;
    void (*answer)(struct call *call);
};

/* Frees what it holds, but for a stream. */
void call_fini(struct call *call);

/* ---- answers: the last one counts ---- */

/* Takes the JSON over. */
void call_json(struct call *call, int status, json_t *json);
/* `{"error": ..., "code": ...}` */
void call_fail(struct call *call, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* As it fits the code: 404 for what isn't there, 503 for a server that isn't, and so on. */
void call_fail_err(struct call *call, const struct lks_err *err);
/* Takes the text (by malloc(); NULL: memory was out) over. */
void call_text(struct call *call, int status, const char *type, char *text, size_t bytes);
/* For lists, after call_json(): gives the answer a tag made of its text, and answers 304 to whoever has it
 * already. */
void call_tag(struct call *call);
/* Adds a header to the answer, or replaces the one of this name. `name` must outlive the call, `value` is
 * copied. */
void call_answer_header(struct call *call, const char *name, const char *value);
/* The value of a header that the answer has by now; NULL: none. */
const char *call_answers(const struct call *call, const char *name);

/* ---- questions ---- */

/* A query parameter, percent-decoded; the first of this name, NULL if there is none. Lives as long as the
 * call. */
const char *call_query(const struct call *call, const char *name);
/* A header of the request, whatever the case of its name; the first one, NULL if there is none. */
const char *call_header(const struct call *call, const char *name);
/* A whole number from `least` to `most`; `fallback` if it isn't there. False: 400 was answered. */
bool call_query_number(struct call *call, const char *name, long least, long most, long fallback, long *out);
/* The same, but a number outside of the range is taken as the nearest in it. */
bool call_query_clamped(struct call *call, const char *name, long least, long most, long fallback, long *out);
/* Are all query parameters among these names (NULL-terminated)? False: 400 was answered, naming one that is
 * not. */
bool call_query_knows(struct call *call, const char *const *names);
/* The body as a JSON object; an empty body is an empty object. NULL: 400 was answered. */
json_t *call_object(struct call *call);
/* The source that the path names in this part; NULL: 404 was answered. */
const struct service_source *call_source_segment(struct call *call, size_t segment);
/* The source that `?source=` names, by default the first; NULL: 404 was answered. */
const struct service_source *call_source(struct call *call);
size_t call_source_index(const struct call *call, const struct service_source *source);
/* A set of collections out of a list of names (NULL: all, 0). False: 400 was answered, naming the valid ones.
 */
bool call_collections(struct call *call, const struct service_source *source, const json_t *names,
                      uint64_t *set);

/* ---- bodies that are also sent as events ---- */

/* NULL: `err` says why. */
json_t *body_status(const struct service *service, size_t source, struct lks_err *err);

/* ---- routes ---- */

extern const struct route routes[];
extern const size_t route_count;

void answer_events(struct call *call);
void answer_healthz(struct call *call);
void answer_readyz(struct call *call);
void answer_metrics(struct call *call);
void answer_status(struct call *call);
void answer_worker(struct call *call);
void answer_worker_state(struct call *call);
void answer_worker_history(struct call *call);
void answer_worker_problems(struct call *call);
void answer_worker_run(struct call *call);
void answer_entry(struct call *call);
void answer_list(struct call *call);
void answer_compare(struct call *call);
void answer_documents(struct call *call);
void answer_create(struct call *call);
void answer_document(struct call *call);
void answer_patch(struct call *call);
void answer_delete(struct call *call);
void answer_all_pending(struct call *call);
void answer_reset(struct call *call);
void answer_retry(struct call *call);
void answer_batch(struct call *call);
void answer_search(struct call *call);
void answer_jobs(struct call *call);
void answer_job_new(struct call *call);
void answer_job(struct call *call);
void answer_job_stop(struct call *call);

#endif
