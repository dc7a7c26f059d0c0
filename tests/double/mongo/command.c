/*
 * command.c - the front of every command: generic arguments, who may run it when, waiting for read and write
 * concerns. Knows no command by name but for a few exceptions.
 */
#include "conn.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- before a command runs ---- */

/* Clients pass each other's times on: the server's clock follows, if the time can be true. */
static void take_cluster_time(struct req *r)
{
    struct val ts = doc_path(r->body, "$clusterTime.clusterTime");
    if (val_is(ts, BSON_TYPE_TIMESTAMP) && (int64_t)rd32(ts.p + 4) <= now_wall_ms() / 1000 + 60)
        oplog_advance(&r->s->oplog, rd64(ts.p));
}

static int parse_read_concern(struct req *r)
{
    struct val rc = doc_get(r->body, "readConcern");
    if (val_missing(rc)) return 0;
    if (r->in_txn && !r->start_txn && val_is_doc(rc) && !doc_is_empty(rc))
        return merr_set(&r->err, MERR_INVALID_OPTIONS,
                        "Only the first command in a transaction may specify a readConcern");
    if (!val_is_doc(rc))
        return merr_set(&r->err, MERR_TYPE_MISMATCH,
                        "\"readConcern\" had the wrong type. Expected object, found %s", val_type_name(rc.t));
    struct iter it;
    for (iter_init(&it, rc); iter_next(&it);) {
        if (!strcmp(it.key, "level")) {
            if (!val_is_str(it.v))
                return merr_set(&r->err, MERR_TYPE_MISMATCH,
                                "\"level\" had the wrong type. Expected string, found %s",
                                val_type_name(it.v.t));
            bool snapshot = val_str_is(it.v, "snapshot");
            r->majority_read = val_str_is(it.v, "majority") || val_str_is(it.v, "linearizable");
            if (!r->majority_read && !snapshot && !val_str_is(it.v, "local") &&
                !val_str_is(it.v, "available"))
                return merr_set(&r->err, MERR_FAILED_TO_PARSE,
                                "readConcern.level must be either 'local', 'majority', 'linearizable', "
                                "'available', or 'snapshot'");
            if (snapshot && !r->in_txn)
                return merr_set(&r->err, MERR_INVALID_OPTIONS,
                                "read concern level snapshot is only valid in a transaction");
        } else if (!strcmp(it.key, "afterClusterTime")) {
            if (!val_is(it.v, BSON_TYPE_TIMESTAMP))
                return merr_set(&r->err, MERR_TYPE_MISMATCH,
                                "\"afterClusterTime\" had the wrong type. Expected timestamp, found %s",
                                val_type_name(it.v.t));
            r->after_cluster_time = rd64(it.v.p);
        } else if (strcmp(it.key, "provenance") && strcmp(it.key, "afterOpTime") &&
                   strcmp(it.key, "atClusterTime")) {
            return merr_set(&r->err, MERR_INVALID_OPTIONS, "Unrecognized option in readConcern: %s", it.key);
        }
    }
    if (r->s->opt.standalone) r->majority_read = false;
    return 0;
}

static int parse_write_concern(struct req *r)
{
    struct val wc = doc_get(r->body, "writeConcern");
    if (val_missing(wc)) return 0;
    if (!val_is_doc(wc))
        return merr_set(&r->err, MERR_TYPE_MISMATCH,
                        "\"writeConcern\" had the wrong type. Expected object, found %s",
                        val_type_name(wc.t));
    struct iter it;
    for (iter_init(&it, wc); iter_next(&it);) {
        static const char *const known[] = {"w", "j", "fsync", "wtimeout", "getLastError", "provenance"};
        size_t i = 0;
        while (i < 6 && strcmp(known[i], it.key)) i++;
        if (i == 6)
            return merr_set(&r->err, MERR_FAILED_TO_PARSE, "unrecognized write concern field: %s", it.key);
        if (i == 0 && !val_is_num(it.v) && !val_is_str(it.v))
            return merr_set(&r->err, MERR_FAILED_TO_PARSE, "w has to be a number or a string");
    }
    r->write_concern = wc;
    if (r->in_txn && strcmp(r->name, "commitTransaction") && strcmp(r->name, "abortTransaction"))
        return merr_set(&r->err, MERR_INVALID_OPTIONS,
                        "writeConcern is not allowed within a multi-statement transaction");
    return 0;
}

static int parse_session(struct req *r, const struct command *cmd)
{
    struct val lsid = doc_get(r->body, "lsid"), txn = doc_get(r->body, "txnNumber"),
               autocommit = doc_get(r->body, "autocommit"), start = doc_get(r->body, "startTransaction");
    r->has_txn_number = !val_missing(txn);
    if (val_missing(lsid)) {
        if (r->has_txn_number)
            return merr_set(&r->err, MERR_INVALID_OPTIONS,
                            "Transaction number requires a session ID to also be specified");
        return 0;
    }
    struct val id = doc_get(lsid, "id");
    if (!val_is_doc(lsid))
        return merr_set(
            &r->err, MERR_TYPE_MISMATCH,
            "BSON field 'OperationSessionInfo.lsid' is the wrong type '%s', expected type 'object'",
            val_type_name(lsid.t));
    if (val_missing(id))
        return merr_set(&r->err, 40414,
                        "BSON field 'OperationSessionInfo.lsid.id' is missing but a required field");
    if (!val_is(id, BSON_TYPE_BINARY))
        return merr_set(
            &r->err, MERR_TYPE_MISMATCH,
            "BSON field 'OperationSessionInfo.lsid.id' is the wrong type '%s', expected type 'binData'",
            val_type_name(id.t));
    if (rd32(id.p) != 16 || id.p[4] != BSON_SUBTYPE_UUID)
        return merr_set(
            &r->err, MERR_TYPE_MISMATCH,
            "BSON field 'OperationSessionInfo.lsid.id' is the wrong binData type '%s', expected type 'UUID'",
            id.p[4] == 0 ? "general" : "other");
    if (r->has_txn_number && !val_is(txn, BSON_TYPE_INT64))
        return merr_set(
            &r->err, MERR_TYPE_MISMATCH,
            "BSON field 'OperationSessionInfo.txnNumber' is the wrong type '%s', expected type 'long'",
            val_type_name(txn.t));
    r->session = sessions_get(&r->s->sessions, id.p + 5);
    if (!r->has_txn_number) {
        if (!val_missing(autocommit) || !val_missing(start))
            return merr_set(&r->err, MERR_INVALID_OPTIONS,
                            "'%s' field requires a transaction number to also be specified",
                            val_missing(start) ? "autocommit" : "startTransaction");
        return 0;
    }
    r->txn_number = val_int(txn);
    if (r->txn_number < 0)
        return merr_set(&r->err, MERR_INVALID_OPTIONS, "Transaction number cannot be negative");
    if (!val_missing(autocommit)) {
        if (val_truthy(autocommit))
            return merr_set(&r->err, MERR_INVALID_OPTIONS, "Specifying autocommit=true is not allowed.");
        r->in_txn = true;
        r->start_txn = val_truthy(start);
        if (!val_missing(start) && !r->start_txn)
            return merr_set(&r->err, MERR_INVALID_OPTIONS,
                            "Specifying startTransaction=false is not allowed.");
    } else if (!val_missing(start)) {
        return merr_set(&r->err, MERR_INVALID_OPTIONS,
                        "'startTransaction' field requires 'autocommit' field to also be specified");
    }
    if (r->s->opt.standalone)
        return merr_set(&r->err, MERR_ILLEGAL_OPERATION,
                        "Transaction numbers are only allowed on a replica set member or mongos");
    if (r->in_txn && !(cmd->flags & CMD_TXN))
        return merr_set(&r->err, MERR_OPERATION_IN_TRANSACTION,
                        "Cannot run '%s' in a multi-document transaction.", r->name);
    if (!r->in_txn && strcmp(cmd->name, "insert") && strcmp(cmd->name, "update") &&
        strcmp(cmd->name, "delete") && strcmp(cmd->name, "findAndModify"))
        return merr_set(
            &r->err, 50768,
            "txnNumber may only be provided for multi-document transactions and retryable write commands. "
            "autocommit:false was not provided, and %s is not a retryable write command.",
            r->name);
    return 0;
}

static int check_role(struct req *r, const struct command *cmd)
{
    if (!server_is_secondary(r->s, r->conn)) return 0;
    struct val mode = doc_get(doc_get(r->body, "$readPreference"), "mode");
    bool slave_ok = val_is_str(mode) && !val_str_is(mode, "primary");
    if (cmd->flags & CMD_PRIMARY) {
        r->topology_in_error = true;
        return merr_set(&r->err, MERR_NOT_MASTER, "not master");
    }
    if (cmd->flags & CMD_SLAVE_OK && !slave_ok) {
        r->topology_in_error = true;
        return merr_set(&r->err, MERR_NOT_MASTER_NO_SLAVE_OK, "not master and slaveOk=false");
    }
    return 0;
}

static void count_command(struct req *r, const char *name)
{
    struct server *s = r->s;
    size_t i = 0;
    if (r->counted || r->exhausting) return;
    r->counted = true;
    while (i < s->counter_count && strcmp(s->counters[i].name, name)) i++;
    if (i == s->counter_count) {
        if (i == s->counter_cap) {
            s->counter_cap = i ? i * 2 : 32;
            s->counters = xrealloc(s->counters, s->counter_cap * sizeof *s->counters);
        }
        memset(&s->counters[i], 0, sizeof s->counters[i]);
        snprintf(s->counters[i].name, sizeof s->counters[i].name, "%s", name);
        s->counter_count++;
    }
    s->counters[i].n++;
}

static int find_command(struct req *r, const struct command **out)
{
    struct iter it;
    struct val db = doc_get(r->body, "$db");
    iter_init(&it, r->body);
    bool any = iter_next(&it);
    r->name = any ? it.key : "";
    if (!r->op_query) {
        if (!val_is_str(db)) return merr_set(&r->err, 40571, "OP_MSG requests require a $db argument");
        r->db = val_str(db);
    }
    if (!r->db[0] || strpbrk(r->db, "/\\. \"$") || strlen(r->db) >= 64)
        return merr_set(&r->err, MERR_INVALID_NAMESPACE, "Invalid database name: '%s'", r->db);
    *out = command_find(r->name);
    if (!*out) return merr_set(&r->err, MERR_COMMAND_NOT_FOUND, "no such command: '%s'", r->name);
    count_command(r, (*out)->name);
    return 0;
}

static int prepare(struct req *r, const struct command **cmd)
{
    if (find_command(r, cmd)) return r->err.code;
    if (r->s->opt.auth && !((*cmd)->flags & CMD_OPEN))
        return merr_set(&r->err, MERR_UNAUTHORIZED, "not authorized on %s to execute command %s", r->db,
                        text_of(&r->a, r->body, TEXT_BSON));
    if ((*cmd)->flags & CMD_ADMIN && strcmp(r->db, "admin"))
        return merr_set(&r->err, MERR_UNAUTHORIZED, "%s may only be run against the admin database.",
                        r->name);
    take_cluster_time(r);
    r->ectx.now_ms = now_wall_ms();
    r->ectx.cluster_time = r->s->opt.standalone ? 0 : r->s->oplog.last_ts;
    return 0;
}

/* Waits until the majority has (or any write has reached) the time that the read wants to see. */
static int await_read_concern(struct req *r)
{
    struct oplog *o = &r->s->oplog;
    uint64_t have = r->majority_read ? o->commit_ts : o->last_ts;
    struct val max = doc_get(r->body, "maxTimeMS");
    if (!r->after_cluster_time || r->s->opt.standalone) return 0;
    if (have >= r->after_cluster_time) return 0;
    if (r->after_cluster_time > o->last_ts) {
        uint64_t clock = oplog_clock(o);
        if (r->after_cluster_time > clock)
            return merr_set(&r->err, MERR_INVALID_OPTIONS,
                            "readConcern afterClusterTime value must not be greater than the current "
                            "clusterTime. Requested clusterTime: { ts: Timestamp(%u, %u) }; current "
                            "clusterTime: { ts: Timestamp(%u, %u) }",
                            (unsigned)(r->after_cluster_time >> 32), (unsigned)r->after_cluster_time,
                            (unsigned)(clock >> 32), (unsigned)clock);
        /* the client knows a later time than this server: a noop brings it there */
        oplog_noop(o);
        return await_read_concern(r);
    }
    if (val_is_num(max) && val_int(max) > 0) {
        r->deadline_ms = r->arrived_ms + val_int(max);
        if (now_monotonic_ms() >= r->deadline_ms)
            return merr_set(
                &r->err, MERR_MAX_TIME_EXPIRED,
                "Error waiting for snapshot not less than { ts: Timestamp(%u, %u), t: -1 }, current relevant "
                "optime is { ts: Timestamp(%u, %u), t: %lld }. :: caused by :: operation exceeded time limit",
                (unsigned)(r->after_cluster_time >> 32), (unsigned)r->after_cluster_time,
                (unsigned)(o->commit_ts >> 32), (unsigned)o->commit_ts, (long long)o->commit_term);
    }
    return MONGO_DEFER;
}

/* ---- after it has run ---- */

static int await_write_concern(struct req *r)
{
    struct val w = doc_get(r->write_concern, "w"), t = doc_get(r->write_concern, "wtimeout");
    struct oplog *o = &r->s->oplog;
    if (val_is_doc(r->fail_write_concern)) {
        bw_put(&r->reply, "writeConcernError", r->fail_write_concern);
        return 0;
    }
    if (!val_is_doc(r->write_concern) || r->s->opt.standalone) return 0;
    if (val_is_num(w)) {
        if (val_int(w) > 1)
            reply_write_concern_error(r, MERR_UNSATISFIABLE_WRITE_CONCERN, "Not enough data-bearing nodes",
                                      false);
        return 0;
    }
    if (!val_is_str(w)) return 0;
    if (!val_str_is(w, "majority")) {
        char text[300];
        snprintf(text, sizeof text, "No write concern mode named '%.200s' found in replica set configuration",
                 val_str(w));
        reply_write_concern_error(r, MERR_UNKNOWN_REPL_WRITE_CONCERN, text, false);
        return 0;
    }
    if (!r->wrote_ts) r->wrote_ts = o->last_ts;
    if (!r->wrote_term) r->wrote_term = o->term;
    if (o->term != r->wrote_term || server_is_secondary(r->s, r->conn)) {
        reply_write_concern_error(r, 189, "Primary stepped down while waiting for replication", false);
        return 0;
    }
    if (o->commit_ts >= r->wrote_ts) return 0;
    if (val_is_num(t) && val_int(t) > 0) {
        if (!r->deadline_ms) r->deadline_ms = now_monotonic_ms() + val_int(t);
        if (now_monotonic_ms() >= r->deadline_ms) {
            reply_write_concern_error(r, MERR_WRITE_CONCERN_FAILED, "waiting for replication timed out",
                                      true);
            return 0;
        }
    }
    return MONGO_DEFER;
}

static bool waits_for_write_concern(const struct req *r, const struct command *cmd)
{
    return (cmd->flags & CMD_WRITE_CONCERN) && (!r->in_txn || !strcmp(r->name, "commitTransaction"));
}

static int run(struct req *r, const struct command *cmd)
{
    int rc;
    if (r->phase == PHASE_START) {
        rc = parse_session(r, cmd);
        if (!rc) rc = check_role(r, cmd);
        if (!rc) rc = failpoint_check(r);
        if (rc) return rc;
        rc = parse_read_concern(r);
        if (!rc) rc = parse_write_concern(r);
        if (!rc) rc = session_begin(r);
        if (rc) return rc;
        r->phase = PHASE_RUN;
    }
    if (r->phase == PHASE_RUN) {
        rc = await_read_concern(r);
        if (rc) return rc;
        collation_use(NULL);
        rc = cmd->run(r);
        collation_use(NULL);
        if (rc) return rc;
        r->deadline_ms = 0;
        r->phase = PHASE_WAIT_WRITE;
        bw_f64(&r->reply, "ok", 1);
    }
    return waits_for_write_concern(r, cmd) ? await_write_concern(r) : 0;
}

int request_step(struct req *r)
{
    const struct command *cmd;
    int rc = prepare(r, &cmd);
    if (!rc && r->interrupt) rc = merr_set(&r->err, r->interrupt, "operation was interrupted");
    if (!rc) rc = run(r, cmd);
    if (rc == MONGO_DEFER || rc == MONGO_CLOSE) return rc;
    r->phase = PHASE_DONE;
    if (!rc) {
        reply_times(r);
    } else {
        /* what fails inside a transaction ends it */
        if (r->in_txn && r->session && r->session->state == TXN_ACTIVE &&
            r->session->txn_number == r->txn_number)
            session_abort(r->session);
        reply_error(r);
    }
    bw_done(&r->reply);
    return 0;
}
