/*
 * bench.h - within tests/bench: the parts of the program `bench`.
 *
 * Everything that goes wrong ends the program with a message: there is nobody to recover for.
 */
#ifndef LOCKSTEP_TESTS_BENCH_H
#define LOCKSTEP_TESTS_BENCH_H

#include <mongoc/mongoc.h>

#include "base/buf.h"
#include "collection/collection.h"

#define COLLECTIONS 4
extern const char *const bench_names[COLLECTIONS];

_Noreturn void die(const char *what, const char *reason);
double now_s(void);
double cpu_s(void); /* of the whole process */

/* ---- model.c: the documents, and the collections made of them ---- */

bson_t *model_document(long number);
/* The four collections of the model case, by the plugins in the folder `plugins`; for the length of the
 * program. */
void model_open(const char *plugins, const char *fingerprint, const struct collection *out[COLLECTIONS]);

/* ---- client.c: one keep-alive HTTP connection ---- */

struct connection {
    int fd;
    char host[64];
    struct buf in;
};

void dial(struct connection *c, const char *url);
void hang_up(struct connection *c);
/* Sends a request and reads its reply, which is at c->in.data + *reply. Returns the status. */
int exchange(struct connection *c, const char *method, const char *path, const char *body, size_t bytes,
             size_t *reply);

/* ---- the benches; `args` are what follows the name ---- */

mongoc_client_t *connect_to(const char *uri);
int bench_upsert(char **args);  /* baseline.c */
int bench_whole(char **args);   /* baseline.c */
int bench_rescan(char **args);  /* bench.c */
int bench_latency(char **args); /* latency.c */

#endif
