/*
 * harness.h - the daemon as a process over the wire: what the tests in this folder are written with.
 *
 * A test opens a world of its own (stand-ins on ports of their choice, a folder for the INI file and the
 * logs), plays the application in MongoDB, and ends with live_in_sync(): everything in Qdrant and every
 * document's metadata is what the documents call for. Nothing is ever asserted by the clock: WAIT_UNTIL waits
 * for what must come, and what must not come is shown by counters after something later did.
 *
 * Where LOCKSTEP_TEST_MONGODB_URI or LOCKSTEP_TEST_QDRANT_URL names a real server, that is used; what needs a
 * stand-in's knobs (processes killed, faults, counters) ends the test there, loudly (real.c).
 *
 * Whatever goes wrong in here ends the test, with the ends of all logs in its output. Not thread-safe.
 */
#ifndef LOCKSTEP_TESTS_LIVE_HARNESS_H
#define LOCKSTEP_TESTS_LIVE_HARNESS_H

#include <bson/bson.h>
#include <check.h>
#include <jansson.h>
#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

#define LIVE_TIMEOUT_S 150 /* for Check: a test waits more than once */
/* How long something that must come may take on a machine that is busy: 60 seconds, or
 * LOCKSTEP_TEST_PATIENCE_S. */
#define LIVE_PATIENCE_MS live_patience_ms()
int64_t live_patience_ms(void);

/* Extended JSON of an object without quoting its quotes: J("id": "figma"). */
#define J(...) "{" #__VA_ARGS__ "}"

struct live_process {
    pid_t pid; /* 0: not running */
    int port;  /* once it has run; it comes back on the same one */
    char log[640];
    const char *real; /* the address of a real server, which nobody started here; else NULL */
};

struct live_setting {
    char section[48], key[48], value[1400];
};

struct app;
struct http;

struct live {
    char folder[512];
    struct live_setting settings[80];
    size_t setting_count;
    struct live_process mongod, qdrant, embedder, daemon, second;
    struct live_process oracle; /* another embedder, to compare with */
    bool stand_ins;             /* set before live_open(): no real servers, whatever the environment names */
    char database[64], prefix[64]; /* ours in MongoDB; before the collections' names in a real Qdrant */
    bool beside;                   /* the daemon keeps records beside the documents: live_main_both() */
    bool keep_data;   /* set before live_open(): the servers keep their data when they are stopped */
    bool two_members; /* likewise: a set of two; live_second_member() says where the other one is */
    bool standalone;  /* likewise: a MongoDB without change streams */
    const char *qdrant_version; /* likewise: as which version of Qdrant the stand-in appears */
    const char *qdrant_nodes;   /* likewise: of how many nodes the stand-in is a cluster */
    const char *qdrant_api_key, *qdrant_read_only_key; /* likewise: what Qdrant asks for */
    const char *embedder_model, *embedder_api_key;     /* likewise: all that the embedder takes */
    bool other_vectors;     /* the embedder is not the stand-in: any vector will do */
    const char *program;    /* set before a daemon starts: another build of it; NULL: the one of the tree */
    const char *daemon_log; /* likewise: where it writes to; NULL: a file in the folder */
    mongoc_client_t *client;
    mongoc_collection_t *tools; /* what [mongodb] names */
    struct http *http;
    struct app *app; /* the configuration as the program reads it, for comparing; made when first needed */
    json_t *vectors; /* what it said: content hash -> vector */
    const char *test;
    const char *at_file; /* a scenario: what fails is shown with this place in it; NULL: with that in C */
    int at_line;
};

/* ---- world.c: processes, the INI file, waiting ---- */

/* Starts the stand-ins, and prepares a configuration with the four model collections and short waits. */
void live_open(struct live *w, const char *test);
/* Ends everything; the folder is removed too. */
void live_close(struct live *w);

/* Sets a value in the INI file, for daemons and commands from now on. NULL takes the key away; a NULL key
 * takes the section away. */
void live_set(struct live *w, const char *section, const char *key, const char *value);
/* Writes the INI file as it is set by now. Its path. */
const char *live_ini(struct live *w);

void daemon_start(struct live *w);
/* SIGTERM; it must end with 0. */
void daemon_stop(struct live *w);
/* SIGKILL: no last words. */
void daemon_kill(struct live *w);
/* Another one with the same configuration. */
void second_start(struct live *w);
/* One more, which is the test's to end; `name` is that of its log. */
void daemon_start_as(struct live *w, struct live_process *p, const char *name);
void process_signal(struct live_process *p, int signal);
/* True while it runs; a daemon that has ended by itself is a failure where the test goes on to count on it.
 */
bool process_runs(struct live_process *p);

void qdrant_start(struct live *w);
void embedder_start(struct live *w);
void mongod_start(struct live *w);
/* Unless it runs already. */
void oracle_start(struct live *w);
/* SIGKILL, so that nobody says goodbye; what is kept in files is there again after a start. */
void process_kill(struct live_process *p);

/* Runs the program with these arguments (a NULL ends them) and `input` on its standard input. Its exit
 * status; what it printed is appended to `out` and `err`, which may be NULL. `--config` is given unless the
 * first is one that needs none. */
int live_command(struct live *w, const char *input, struct buf *out, struct buf *err, ...)
    __attribute__((sentinel));
/* The same with a list of arguments, which a NULL ends. */
int live_command_of(struct live *w, const char *input, struct buf *out, struct buf *err,
                    const char *const *arguments);

/* Ends the test, after the ends of all logs. */
_Noreturn void live_fail(struct live *w, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define FAIL(w, ...) live_fail(w, __FILE__, __LINE__, __VA_ARGS__)
#define EXPECT(w, condition)                                                                                 \
    do {                                                                                                     \
        if (!(condition)) FAIL(w, "not so: %s", #condition);                                                 \
    } while (0)
#define EXPECT_INT(w, got, expected)                                                                         \
    do {                                                                                                     \
        long long got_value = (long long)(got), expected_value = (long long)(expected);                      \
        if (got_value != expected_value) FAIL(w, "%s is %lld, not %lld", #got, got_value, expected_value);   \
    } while (0)
/* Waits for what must come. */
#define WAIT_UNTIL(w, condition)                                                                             \
    do {                                                                                                     \
        int64_t until_ms = live_now_ms() + LIVE_PATIENCE_MS;                                                 \
        while (!(condition)) {                                                                               \
            if (live_now_ms() > until_ms) FAIL(w, "waited in vain for: %s", #condition);                     \
            live_pause();                                                                                    \
        }                                                                                                    \
    } while (0)
int64_t live_now_ms(void);
void live_pause(void);
/* True if the daemon's log holds this text. */
bool log_has(const struct live_process *p, const char *text);
void log_text(const struct live_process *p, struct buf *out);

/* Another connection to MongoDB, for another thread. mongoc_client_destroy() it. */
mongoc_client_t *live_connect(struct live *w, const char *name, int patience_ms);

/* ---- documents.c: the application, in MongoDB ---- */

/* All take Extended JSON. */
void insert(struct live *w, const char *document);
void update(struct live *w, const char *filter, const char *change);
void replace(struct live *w, const char *filter, const char *document);
void delete_one(struct live *w, const char *filter);
/* A document as BSON: for what Extended JSON can't say. */
void insert_bson(struct live *w, const bson_t *document);
/* The documents of tests/data/tools.jsonl. How many there are. */
size_t insert_sample(struct live *w);
/* `count` documents with the ids made-FIRST, made-FIRST+1, ..., all fields of the catalogue filled. */
void insert_made(struct live *w, size_t first, size_t count);
/* Of a filter that names `syncMetadata` at its top, that part is asked of the record, wherever that is. */
size_t count_documents(struct live *w, const char *filter);
/* The same in another collection of our database. */
size_t count_in(struct live *w, const char *collection, const char *filter);
/* A command on the admin database; it must succeed. */
void admin(struct live *w, const char *command);
/* Any command on our database; it must succeed. */
void on_database(struct live *w, const char *command);
/* A connection of its own to the second member. mongoc_client_destroy() it. */
mongoc_client_t *live_second_member(struct live *w, int *port);
/* The document as it is now, with its record, wherever that is; NULL if there is none. bson_destroy() it. */
bson_t *find_one(struct live *w, const char *filter);
/* A value in a document by dotted path, as a number (a date: its milliseconds): -1 if it isn't there or no
 * number. */
int64_t document_int(struct live *w, const char *filter, const char *path);
/* The same as text, "" if it isn't there or null; bool_is_text. free() it. */
char *document_text(struct live *w, const char *filter, const char *path);
/* True if the text at a path is this one. */
bool document_says(struct live *w, const char *filter, const char *path, const char *text);

/* ---- wire.c: Qdrant and the embedder, asked by HTTP ---- */

/* Status of the reply, 0 if there is none; its JSON in *reply unless that is NULL (then to be
 * json_decref()ed; may be NULL). */
long ask(struct live *w, const struct live_process *server, const char *method, const char *path,
         const char *body, json_t **reply);
/* Adds a rule to the stand-in's faults (keys: control.c of each); its number, for fault_clear(). */
int fault(struct live *w, const struct live_process *server, const char *rule);
void faults_clear_all(struct live *w, const struct live_process *server);

/* What the stand-ins have counted since the start, or since counters_reset(). */
#define LIVE_COLLECTIONS 4 /* tools, functionality, usecases, interface */
struct counters {
    int64_t texts; /* embedded, of the newest 10,000; without the word that asks whether the server is up */
    int64_t upserted, payloads, deleted; /* points, in all collections */
    int64_t collection_upserted[LIVE_COLLECTIONS], collection_payloads[LIVE_COLLECTIONS];
};
extern const char *const live_collections[LIVE_COLLECTIONS];
struct counters counters(struct live *w);
void counters_reset(struct live *w);
/* Exact number of points in a collection; -1 if it can't be determined. */
int64_t points(struct live *w, const char *collection);

/* ---- equal.c: is Qdrant what the documents call for? ---- */

/*
 * Compares everything with what the program's own collections make of the documents: ids, payloads, vectors,
 * `_lockstep`, and metadata; no point too many. NULL if nothing differs; else the first differences, for a
 * person, to be freed by free().
 */
char *live_difference(struct live *w);
/* Waits until nothing differs. */
void live_in_sync_at(struct live *w, const char *file, int line);
#define live_in_sync(w) live_in_sync_at(w, __FILE__, __LINE__)

/* Runs these test functions, each in a process of its own. For main(). */
int live_main(const char *suite, const TTest *const *tests, size_t count);
/* The same twice: records in the documents, and beside them. `embedded`: only in the documents. */
int live_main_both(const char *suite, const TTest *const *tests, size_t count, const TTest *const *embedded,
                   size_t embedded_count);

#endif
