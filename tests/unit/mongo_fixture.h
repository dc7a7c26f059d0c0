/*
 * mongo_fixture.h - a MongoDB to test against, and the adapter's ports as plain calls.
 *
 * The server is the stand-in of tests/double, started for the test and ended with it, or, when
 * LOCKSTEP_TEST_MONGODB_URI is set, also that one. Each test has a database of its own name.
 */
#ifndef LOCKSTEP_TESTS_MONGO_FIXTURE_H
#define LOCKSTEP_TESTS_MONGO_FIXTURE_H

#include <mongoc/mongoc.h>

#include "base/queue.h"
#include "mongo/mongo.h"
#include "stand_in.h"

/* How many servers there are to test against: 1, or 2 with a real one. Server 0 is the stand-in. */
int fixture_server_count(void);

struct fixture {
    bool stand_in;
    char uri[512], database[64];
    mongoc_client_t *client; /* what an application would use */
    struct queue done;
    struct mongo *mongo; /* an adapter to collection `c`, owner "first" */
    struct mongo_config config;
    struct stand_in server;
};

/* Starts (or reaches) the server; `option` is one of the stand-in's, or NULL. */
void fixture_start(struct fixture *f, int server, const char *option);
/* Opens f->mongo with f->config, which may have been changed; closes an earlier one. */
void fixture_open(struct fixture *f);
/* Another adapter with its own owner; to be closed by mongo_close(). */
struct mongo *fixture_open_other(struct fixture *f, const char *owner);
void fixture_end(struct fixture *f);

/* Extended JSON whose quotes are single, to be destroyed. */
bson_t *fixture_doc(const char *text);
struct docid *fixture_id(const char *value);
/* Puts the database's name where %s stands; to be freed by bson_free(). */
char *fixture_with_database(const struct fixture *f, const char *text);
/* Runs a command on the test's database (or `db`) that must succeed; the reply is to be destroyed. */
bson_t *fixture_command(struct fixture *f, const char *db, const char *text);
void fixture_insert(struct fixture *f, const char *collection, const char *text);
void fixture_update(struct fixture *f, const char *id, const char *update);
/* The one document with this `_id`; NULL if there is none. To be destroyed. */
bson_t *fixture_find(struct fixture *f, const char *collection, const char *id);

/* Submits to a port and waits for the answer. */
struct req *fixture_run_on(struct fixture *f, struct mongo *m, struct req *req);
struct req *fixture_run(struct fixture *f, struct req *req);
/* The same, failing the test unless the request went well. */
struct req *fixture_ok(struct fixture *f, struct req *req);

/* Reads documents as the engine does; the answer is the caller's. */
struct req *fixture_read(struct fixture *f, const struct docid **ids, size_t count);
struct req *fixture_read_one(struct fixture *f, const char *id);

/* Ids of every type, in the server's order; and documents that have them, inserted in another. */
extern const char *const fixture_mixed_ids[];
extern const size_t fixture_mixed_count;
void fixture_insert_mixed(struct fixture *f);
void fixture_assert_id(const struct docid *id, const char *expected);

/* How many documents are due, and when the next one is (may be NULL). */
int64_t fixture_due_count(struct fixture *f, int64_t now_ms, bool recorded_only, int64_t *next_ms);
/* The number of documents with a point in the first collection (none in the second). */
void fixture_assert_record_counts(struct fixture *f, int64_t with_point);

#endif
