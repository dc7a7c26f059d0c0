/*
 * server.h - the stand-in server: its state, its connections and what a command sees.
 *
 * One thread. A command runs to its end or is parked: it returns MONGO_DEFER after noting in the request what
 * it waits for, and is run again from its beginning when that has happened or its time is up.
 */
#ifndef DOUBLE_MONGO_SERVER_H
#define DOUBLE_MONGO_SERVER_H

#include "oplog.h"
#include "session.h"

#define MONGO_DEFER (-1) /* what a command returns to be run again later */
#define MONGO_CLOSE (-2) /* and to have its connection closed */

struct conn;
struct cursor;

struct options {
    bool standalone, auth;
    bool two;         /* a second member of the set, on a port of its own */
    const char *file; /* NULL: nothing is kept */
    size_t oplog_bytes;
};

struct counter {
    char name[48];
    int64_t n;
};

struct failpoint {
    bool on;
    int64_t times, skip; /* -1: no end */
    double probability;
    struct pool a;
    struct val data;
    int32_t entered;
};

struct server {
    struct options opt;
    struct store store;
    struct oplog oplog;
    struct sessions sessions;
    struct failpoint fail;
    struct cursor **cursors;
    size_t cursor_count, cursor_cap;
    struct conn **conns;
    size_t conn_count, conn_cap;
    int32_t next_conn_id, next_message_id;
    uint8_t process_id[12];
    int64_t topology_counter;
    bool secondary; /* stepped down */
    int64_t step_up_at_ms;
    bool second_leads;    /* the second member is the primary */
    bool swallows[2];     /* this member neither answers nor closes: its packets are lost */
    char second_host[64]; /* of the second member; "": there is none */
    struct counter *counters;
    size_t counter_count, counter_cap;
    char host[64]; /* 127.0.0.1:PORT */
    int64_t started_ms;
    struct journal *journal;
    uint64_t rng;
    bool stopping;
};

/* Does whoever talks over this connection talk to a secondary? NULL: to the first member. */
bool server_is_secondary(const struct server *s, const struct conn *c);
/* The other member becomes the primary. */
void server_elect_other(struct server *s);

enum phase { PHASE_START, PHASE_RUN, PHASE_WAIT_WRITE, PHASE_DONE };

/* One command, from its message to its reply. */
struct req {
    struct server *s;
    struct conn *conn;
    struct pool a;
    struct val body;
    const char *name; /* of the command, as sent */
    const char *db;
    struct merr err;
    struct bw reply;
    struct ectx ectx;
    /* message */
    int32_t message_id;
    bool op_query, exhaust, more_to_come;
    bool exhausting;          /* a reply that nobody asked for again */
    int64_t reported_counter; /* while exhausting: the topology the client knows */
    /* waiting */
    enum phase phase;
    int64_t arrived_ms, deadline_ms; /* monotonic; 0: none */
    int64_t blocked_until_ms;
    bool counted, fail_checked;
    int interrupt; /* the code with which a waiting request is to end, or 0 */
    /* what the front made of the generic arguments */
    struct session *session;
    bool has_txn_number, in_txn, start_txn;
    int64_t txn_number;
    bool majority_read;
    uint64_t after_cluster_time;
    struct val write_concern;
    bool wrote; /* the write concern is to be waited for */
    uint64_t wrote_ts;
    int64_t wrote_term;            /* 0: not waiting yet */
    struct val fail_write_concern; /* from a fail point */
    struct val labels;             /* array of error labels, or none */
    bool labels_given;             /* a fail point said which */
    bool topology_in_error;
    bool change_stream;
};

struct command {
    const char *name;
    int (*run)(struct req *r);
    int flags;
};

enum {
    CMD_PRIMARY = 1,  /* writes: refused by a secondary */
    CMD_SLAVE_OK = 2, /* a read: a secondary wants a read preference */
    CMD_OPEN = 4,     /* allowed without authentication */
    CMD_TXN = 8,      /* allowed in a transaction */
    CMD_ADMIN = 16,   /* only against admin */
    CMD_WRITE_CONCERN = 32,
    CMD_READ_CONCERN = 64
};

const struct command *command_find(const char *name);

int64_t now_monotonic_ms(void);
int64_t now_wall_ms(void);
uint64_t server_random(struct server *s);

void server_init(struct server *s, const struct options *opt);
void server_fini(struct server *s);
/* Timed things: step-up, noops. Returns when it wants to be called again (monotonic; 0: no need). */
int64_t server_tick(struct server *s);
/* Something happened that ends the wait of hellos. */
void server_topology_changed(struct server *s);

/* ---- command.c, request.c ---- */
/* Runs as far as it goes: 0 when `r->reply` is complete, or MONGO_DEFER, or MONGO_CLOSE. */
int request_step(struct req *r);
/* Starts a request: `body` must be valid BSON that outlives it. */
void request_init(struct req *r, struct server *s, struct conn *c, struct val body);
void request_fini(struct req *r);
/* `ns` of the command's collection argument, with the server's complaints. */
int request_ns(struct req *r, char **ns);
/* Refuses fields that are neither listed (NULL-terminated) nor generic; `style` says how the server
 * complains. */
enum unknown_style { UNKNOWN_PARSE, UNKNOWN_IDL, UNKNOWN_PLAIN };
int request_fields(struct req *r, const char *const *known, enum unknown_style style);
bool request_is_generic(const char *name);
/* w: 0: the server says nothing but ok. */
bool request_wants_no_answer(const struct req *r);
/* Puts the command's collation into force, or that of the collection (NULL: there is none) if it names
 * none. */
int request_collation(struct req *r, const struct coll *c);
int request_collation_of(struct req *r, struct val given, const struct coll *c);
/* Refuses what cannot be done to a view. */
int request_no_view(struct req *r, const char *ns);
/* The collection as this request may see it: inside a transaction, at the majority point. May be a snapshot,
 * which *snapshot then owns. */
struct coll *request_view(struct req *r, const char *ns, struct coll **snapshot);
/* Notes a write for the reply and for the wait for its write concern. */
void request_wrote(struct req *r);

/* ---- reply.c ---- */
/* `opTime` and `electionId`, as write commands show them. */
void reply_op_time(struct req *r);
/* $clusterTime and operationTime, which close a reply. */
void reply_times(struct req *r);
/* Makes the whole reply of the request's error. */
void reply_error(struct req *r);
void reply_write_concern_error(struct req *r, int code, const char *message, bool timed_out);

/* ---- write.c: changes with their oplog entries ---- */
int write_create(struct req *r, const char *ns, struct val options, struct coll **out);
/* The collection for writing; made if missing. */
int write_target(struct req *r, const char *ns, struct coll **out);
int write_insert(struct req *r, struct coll *c, struct val doc, struct rec **out);
int write_update(struct req *r, struct coll *c, struct rec *old, struct rec *now, struct val set,
                 struct val unset, bool replaced);
int write_delete(struct req *r, struct coll *c, struct rec *old);
int write_drop(struct req *r, struct coll *c);
int write_rename(struct req *r, struct coll *c, const char *to);
void write_drop_database(struct req *r, const char *db);
/* An entry that streams do not show (indexes, validators). */
void write_other(struct req *r, struct coll *c);
/* Undoes what is not committed by a majority, as an election does. */
void write_rollback(struct server *s);
/* The collection as a majority sees it: a snapshot, or `c` itself if nothing is pending. */
struct coll *write_majority_view(struct server *s, const char *ns, bool *is_snapshot);

/* ---- failpoint.c ---- */
int failpoint_configure(struct req *r);
/* Does the fail point hit this request? Sets what it wants; returns a code, MONGO_DEFER, MONGO_CLOSE or 0. */
int failpoint_check(struct req *r);

#endif
