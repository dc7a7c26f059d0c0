/*
 * command.c - the front of every command: generic arguments, who may run it when, waiting for read and write
 * concerns, and the shape of replies. Knows no command by name but for a few exceptions.
 */
#include "conn.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const generic[] = {"$db",
                                      "$readPreference",
                                      "$clusterTime",
                                      "lsid",
                                      "txnNumber",
                                      "autocommit",
                                      "startTransaction",
                                      "readConcern",
                                      "writeConcern",
                                      "maxTimeMS",
                                      "comment",
                                      "$queryOptions",
                                      "$audit",
                                      "$client",
                                      "$configServerState",
                                      "$oplogQueryData",
                                      "$replData",
                                      "$gleStats",
                                      "shardVersion",
                                      "databaseVersion",
                                      "tracking_info",
                                      "coordinator",
                                      "maxTimeMSOpOnly",
                                      "allowImplicitCollectionCreation",
                                      "operationTime",
                                      "stmtId",
                                      "help",
                                      "apiVersion",
                                      NULL};

bool request_wants_no_answer(const struct req *r)
{
    struct val w = doc_get(r->write_concern, "w");
    return val_is_num(w) && val_int(w) == 0 && !val_truthy(doc_get(r->write_concern, "j"));
}

bool request_is_generic(const char *name)
{
    for (size_t i = 0; generic[i]; i++)
        if (!strcmp(generic[i], name)) return true;
    return false;
}

void request_init(struct req *r, struct server *s, struct conn *c, struct val body)
{
    memset(r, 0, sizeof *r);
    r->s = s;
    r->conn = c;
    r->body = body;
    merr_init(&r->err);
    bw_init(&r->reply, NULL);
    r->arrived_ms = now_monotonic_ms();
    r->ectx.a = &r->a;
    r->ectx.err = &r->err;
    r->name = "";
    r->db = "";
}

void request_fini(struct req *r)
{
    bw_fini(&r->reply);
    merr_fini(&r->err);
    pool_fini(&r->a);
}

int request_fields(struct req *r, const char *const *known, enum unknown_style style)
{
    struct iter it;
    iter_init(&it, r->body);
    iter_next(&it); /* the command itself */
    while (iter_next(&it)) {
        bool found = request_is_generic(it.key);
        for (size_t i = 0; known[i] && !found; i++) found = !strcmp(known[i], it.key);
        if (found) continue;
        if (style == UNKNOWN_PARSE)
            return merr_set(&r->err, MERR_FAILED_TO_PARSE, "Failed to parse: %s. Unrecognized field '%s'.",
                            text_of(&r->a, r->body, TEXT_BSON), it.key);
        if (style == UNKNOWN_PLAIN)
            return merr_set(&r->err, MERR_FAILED_TO_PARSE, "unrecognized field '%s'", it.key);
        return merr_set(&r->err, 40415, "BSON field '%s.%s' is an unknown field.", r->name, it.key);
    }
    return 0;
}

int request_ns(struct req *r, char **ns)
{
    if (!strcmp(r->db, "local"))
        return merr_set(&r->err, MERR_NOT_IMPLEMENTED,
                        "the stand-in has no database local: its oplog cannot be read");
    struct iter it;
    iter_init(&it, r->body);
    iter_next(&it);
    if (!val_is_str(it.v))
        return merr_set(&r->err, MERR_INVALID_NAMESPACE, "collection name has invalid type %s",
                        val_type_name(it.v.t));
    size_t db = strlen(r->db), n = val_strlen(it.v);
    if (!n || memchr(val_str(it.v), 0, n) || val_str(it.v)[0] == '.')
        return merr_set(&r->err, MERR_INVALID_NAMESPACE, "Invalid namespace specified '%s.%s'", r->db,
                        n ? val_str(it.v) : "");
    *ns = pool_alloc(&r->a, db + n + 2);
    memcpy(*ns, r->db, db);
    (*ns)[db] = '.';
    memcpy(*ns + db + 1, val_str(it.v), n + 1);
    return 0;
}

static void release_snapshot(void *p)
{
    coll_unref(p);
}

struct coll *request_view(struct req *r, const char *ns, struct coll **snapshot)
{
    *snapshot = NULL;
    if (r->in_txn) {
        struct coll *own = store_find(&r->session->view, ns);
        return own ? own : store_find(&r->s->store, ns);
    }
    if (!r->majority_read) return store_find(&r->s->store, ns);
    bool is_snapshot;
    struct coll *c = write_majority_view(r->s, ns, &is_snapshot);
    if (is_snapshot) {
        pool_defer(&r->a, release_snapshot, c); /* cursors take a reference of their own */
        *snapshot = c;
    }
    return c;
}

void request_wrote(struct req *r)
{
    r->wrote = true;
    if (!r->wrote_ts) r->wrote_ts = r->s->oplog.last_ts;
}

static void election_id(const struct server *s, uint8_t id[12])
{
    static const uint8_t head[4] = {0x7f, 0xff, 0xff, 0xff};
    memcpy(id, head, 4);
    for (int i = 0; i < 8; i++) id[4 + i] = (uint8_t)((uint64_t)s->oplog.term >> (56 - 8 * i));
}

void reply_op_time(struct req *r)
{
    uint8_t id[12];
    if (r->s->opt.standalone) return;
    bw_doc(&r->reply, "opTime");
    bw_ts(&r->reply, "ts", r->wrote_ts ? r->wrote_ts : r->s->oplog.last_ts);
    bw_i64(&r->reply, "t", r->s->oplog.term);
    bw_end(&r->reply);
    election_id(r->s, id);
    bw_oid(&r->reply, "electionId", id);
}

/* ---- what the server adds to replies ---- */

static void cluster_time(struct req *r)
{
    static const uint8_t zero[20];
    bw_doc(&r->reply, "$clusterTime");
    bw_ts(&r->reply, "clusterTime", oplog_clock(&r->s->oplog));
    bw_doc(&r->reply, "signature");
    bw_bin(&r->reply, "hash", 0, zero, 20);
    bw_i64(&r->reply, "keyId", 0);
    bw_end(&r->reply);
    bw_end(&r->reply);
}

static void operation_time(struct req *r)
{
    bw_ts(&r->reply, "operationTime", r->majority_read ? r->s->oplog.commit_ts : r->s->oplog.last_ts);
}

static bool is_one_of(int code, const int *codes)
{
    for (; *codes; codes++)
        if (*codes == code) return true;
    return false;
}

static const int retryable_codes[] = {6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 0};

/* The labels of an error, as the server chooses them. */
static void choose_labels(struct req *r, int code)
{
    static const int transient[] = {24, 112, 246, 251, 267, 0};
    const char *label = NULL;
    if (r->labels_given) return;
    bool commits = !strcmp(r->name, "commitTransaction") || !strcmp(r->name, "abortTransaction");
    if (r->in_txn && !commits && (is_one_of(code, transient) || is_one_of(code, retryable_codes))) {
        label = "TransientTransactionError";
    } else if (r->in_txn && commits && code == MERR_NO_SUCH_TRANSACTION) {
        label = "TransientTransactionError";
    } else if ((r->has_txn_number && !r->in_txn) || (r->in_txn && commits)) {
        if (is_one_of(code, retryable_codes)) label = "RetryableWriteError";
    } else if (code == MERR_CHANGE_STREAM_FATAL || code == MERR_CHANGE_STREAM_HISTORY_LOST) {
        label = "NonResumableChangeStreamError";
    } else if (r->change_stream && is_one_of(code, retryable_codes)) {
        label = "ResumableChangeStreamError";
    }
    if (!label) return;
    struct bw w;
    bw_init(&w, &r->a);
    bw_str(&w, "0", label);
    r->labels = bw_done(&w);
    r->labels.t = BSON_TYPE_ARRAY;
}

static void topology_version(struct req *r)
{
    bw_doc(&r->reply, "topologyVersion");
    bw_oid(&r->reply, "processId", r->s->process_id);
    bw_i64(&r->reply, "counter", r->s->topology_counter);
    bw_end(&r->reply);
}

static void error_reply(struct req *r)
{
    char name[32];
    bw_fini(&r->reply);
    bw_init(&r->reply, NULL);
    choose_labels(r, r->err.code);
    if (val_is_arr(r->labels) && !doc_is_empty(r->labels)) bw_put(&r->reply, "errorLabels", r->labels);
    if (r->topology_in_error) topology_version(r);
    bool times = !r->s->opt.standalone && !r->s->opt.auth;
    if (times) operation_time(r);
    bw_f64(&r->reply, "ok", 0);
    bw_str(&r->reply, "errmsg", r->err.msg ? r->err.msg : "");
    bw_i32(&r->reply, "code", r->err.code);
    bw_str(&r->reply, "codeName", merr_code_name(r->err.code, name));
    if (r->err.has_extra) bw_merge(&r->reply, bw_done(&r->err.extra));
    if (times) cluster_time(r);
}

static void write_concern_error(struct req *r, int code, const char *message, bool timed_out)
{
    char name[32];
    bw_doc(&r->reply, "writeConcernError");
    bw_i32(&r->reply, "code", code);
    bw_str(&r->reply, "codeName", merr_code_name(code, name));
    bw_str(&r->reply, "errmsg", message);
    bw_doc(&r->reply, "errInfo");
    if (timed_out) bw_bool(&r->reply, "wtimeout", true);
    bw_doc(&r->reply, "writeConcern");
    struct val w = doc_get(r->write_concern, "w"), t = doc_get(r->write_concern, "wtimeout"),
               j = doc_get(r->write_concern, "j");
    bw_put(&r->reply, "w", w);
    if (!val_missing(j)) bw_put(&r->reply, "j", j);
    if (val_missing(t)) {
        bw_i32(&r->reply, "wtimeout", 0);
    } else {
        bw_put(&r->reply, "wtimeout", t);
    }
    bw_str(&r->reply, "provenance", "clientSupplied");
    bw_end(&r->reply);
    bw_end(&r->reply);
    bw_end(&r->reply);
}

/* ---- before a command runs ---- */

/* Clients tell each other's times: the server's clock follows, if the time can be true. */
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
    if (!r->s->secondary) return 0;
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
    return MONGO_PARK;
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
            write_concern_error(r, MERR_UNSATISFIABLE_WRITE_CONCERN, "Not enough data-bearing nodes", false);
        return 0;
    }
    if (!val_is_str(w)) return 0;
    if (!val_str_is(w, "majority")) {
        char text[300];
        snprintf(text, sizeof text, "No write concern mode named '%.200s' found in replica set configuration",
                 val_str(w));
        write_concern_error(r, MERR_UNKNOWN_REPL_WRITE_CONCERN, text, false);
        return 0;
    }
    if (!r->wrote_ts) r->wrote_ts = o->last_ts;
    if (!r->wrote_term) r->wrote_term = o->term;
    if (o->term != r->wrote_term || r->s->secondary) {
        write_concern_error(r, 189, "Primary stepped down while waiting for replication", false);
        return 0;
    }
    if (o->commit_ts >= r->wrote_ts) return 0;
    if (val_is_num(t) && val_int(t) > 0) {
        if (!r->deadline_ms) r->deadline_ms = now_monotonic_ms() + val_int(t);
        if (now_monotonic_ms() >= r->deadline_ms) {
            write_concern_error(r, MERR_WRITE_CONCERN_FAILED, "waiting for replication timed out", true);
            return 0;
        }
    }
    return MONGO_PARK;
}

static bool waits_for_write_concern(const struct req *r, const struct command *cmd)
{
    return (cmd->flags & CMD_WRITE_CONCERN) && (!r->in_txn || !strcmp(r->name, "commitTransaction"));
}

static void finish(struct req *r)
{
    if (!r->s->opt.standalone && !r->s->opt.auth) {
        cluster_time(r);
        operation_time(r);
    }
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
        rc = cmd->run(r);
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
    if (!rc) rc = run(r, cmd);
    if (rc == MONGO_PARK || rc == MONGO_CLOSE) return rc;
    r->phase = PHASE_DONE;
    if (!rc) {
        finish(r);
    } else {
        /* what fails inside a transaction ends it */
        if (r->in_txn && r->session && r->session->state == TXN_ACTIVE &&
            r->session->txn_number == r->txn_number)
            session_abort(r->session);
        error_reply(r);
    }
    bw_done(&r->reply);
    return 0;
}
