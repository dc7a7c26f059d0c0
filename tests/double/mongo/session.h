/* session.h - logical sessions: retryable writes and transactions. */
#ifndef DOUBLE_MONGO_SESSION_H
#define DOUBLE_MONGO_SESSION_H

#include "store.h"

struct req;

#define SESSION_TEXT_BYTES 84
/* A session as the server prints it: its UUID and the digest of no user. */
void session_text(const uint8_t id[16], char out[SESSION_TEXT_BYTES]);

/* What a statement of a retryable write did, to be reported again to a client that retries it. */
struct retry_record {
    int32_t stmt;
    uint64_t ts;
    bool updated;         /* an update of an existing document */
    struct rec *upserted; /* {_id: ...} of an upsert, or NULL */
    struct rec *value;    /* findAndModify: the whole reply, or NULL */
};

enum txn_state { TXN_NONE, TXN_ACTIVE, TXN_COMMITTED, TXN_ABORTED };

/* One operation of a transaction that is not yet committed. */
struct txn_op {
    int op; /* enum oplog_op */
    char *ns;
    struct rec *old, *now;
    uint8_t *delta;
};

struct session {
    uint8_t id[16];
    int64_t txn_number; /* -1: none yet */
    bool txn_is_retryable;
    struct retry_record *retries;
    size_t retry_count, retry_cap;
    enum txn_state state;
    struct store view; /* the collections a transaction has touched, as it sees them */
    struct txn_op *ops;
    size_t op_count, op_cap;
    uint64_t read_seq; /* end of the oplog when the transaction began */
    uint64_t commit_ts;
};

struct sessions {
    struct session **all;
    size_t n, cap;
};

void sessions_fini(struct sessions *s);
struct session *sessions_get(struct sessions *s, const uint8_t id[16]);
void sessions_end(struct sessions *s, const uint8_t id[16]);

/* Checks txnNumber, startTransaction and autocommit of a request against its session. */
int session_begin(struct req *r);
/* The record of a statement that was done before, or NULL. */
struct retry_record *session_retried(struct req *r, int32_t stmt);
struct retry_record *session_record(struct req *r, int32_t stmt);
/* Forgets what a rollback undid. */
void sessions_rollback(struct sessions *s, uint64_t from_ts);
/* The transaction is over without effect. */
void session_abort(struct session *s);
int cmd_commit_transaction(struct req *r);
int cmd_abort_transaction(struct req *r);
/* Aborts other open transactions that changed this document; a transaction that meets one gets 112. */
int session_conflict(struct req *r, const char *ns, struct val id);
void session_note(struct session *s, int op, const char *ns, struct rec *old, struct rec *now,
                  struct val delta);

#endif
