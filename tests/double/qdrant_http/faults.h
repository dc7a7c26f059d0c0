/*
 * faults.h - what tests ask of the stand-in besides being Qdrant: to fail on demand, and to count.
 *
 * Thread-safe. The endpoints that drive it are in control.c.
 */
#ifndef DOUBLE_QDRANT_HTTP_FAULTS_H
#define DOUBLE_QDRANT_HTTP_FAULTS_H

#include "qdrant_store/json.h"

enum garble { GARBLE_NONE, GARBLE_TRUNCATE, GARBLE_NOISE, GARBLE_CUT };

/* What one request is to suffer. The texts are copies, freed by fault_fini. */
struct fault {
    bool hit;
    int status; /* 0: as without the fault */
    char *body; /* of that answer */
    char *content_type;
    char (*headers)[2][256];
    size_t header_count;
    bool reset;
    bool apply;             /* do what was asked before failing */
    uint64_t delay_ms;      /* before the answer */
    bool hang;              /* no answer until the fault is cleared */
    char update_status[24]; /* "acknowledged", "wait_timeout" or "" */
    enum garble garble;
    char distort[16]; /* what an embedding server does to its vectors: see embedder_http/control.c */
};

struct faults;

/* `things` names the counters beside requests and failures: "points", "texts". */
struct faults *faults_new(const char *things);
void faults_free(struct faults *f);

/* Adds a rule from its JSON (see control.c for the keys). Its number, or 0 with *problem saying what is wrong
 * (static text). */
uint64_t faults_add(struct faults *f, const struct json *rule, const char **problem);
/* Takes one rule away (0: all), and wakes what it held up. False if there was none. */
bool faults_clear(struct faults *f, uint64_t number);
void faults_write(struct faults *f, struct buf *out);

/* What a rule looks at. */
struct fault_request {
    const char *method;
    const char *kind;
    const char *collection; /* or model; "" if there is none */
    const char *path;
    const char *body;
    size_t body_bytes;
};

/* Which fault, if any, this request suffers; it is used up by that. */
void faults_take(struct faults *f, const struct fault_request *request, struct fault *out);
void fault_fini(struct fault *fault);
/* Waits as the fault says; ends early when faults are cleared or the server stops. */
void faults_wait(struct faults *f, const struct fault *fault);
/* From now on nothing waits. */
void faults_stop(struct faults *f);

/* Adds to a counter: `group` is "requests", "failures" or the things; `collection` may be NULL. */
void faults_count(struct faults *f, const char *collection, const char *group, const char *name, uint64_t n);
void faults_write_counters(struct faults *f, struct buf *out);
void faults_reset_counters(struct faults *f);

#endif
