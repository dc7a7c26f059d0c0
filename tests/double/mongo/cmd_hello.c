/* cmd_hello.c - isMaster (also the one that waits), and what concerns the replica set of one. */
#include "commands.h"
#include "conn.h"
#include "expr_int.h"

#include <stdio.h>

static void put_topology(struct req *r)
{
    bw_doc(&r->reply, "topologyVersion");
    bw_oid(&r->reply, "processId", r->s->process_id);
    bw_i64(&r->reply, "counter", r->s->topology_counter);
    bw_end(&r->reply);
}

static void put_op_time(struct bw *w, const char *key, uint64_t ts, int64_t term)
{
    bw_doc(w, key);
    bw_ts(w, "ts", ts);
    bw_i64(w, "t", term);
    bw_end(w);
}

static void put_set(struct req *r)
{
    const struct oplog *o = &r->s->oplog;
    const struct server *s = r->s;
    bool primary = !server_is_secondary(s, r->conn);
    const char *leader = s->second_leads ? s->second_host : s->host;
    put_topology(r);
    bw_arr(&r->reply, "hosts");
    bw_str(&r->reply, "0", r->s->host);
    if (*s->second_host) bw_str(&r->reply, "1", s->second_host);
    bw_end(&r->reply);
    bw_str(&r->reply, "setName", "rs0");
    bw_i32(&r->reply, "setVersion", 1);
    bw_bool(&r->reply, "ismaster", primary);
    bw_bool(&r->reply, "secondary", !primary);
    if (!s->secondary) bw_str(&r->reply, "primary", leader);
    bw_str(&r->reply, "me", r->conn && r->conn->second ? s->second_host : s->host);
    if (primary) {
        uint8_t id[12] = {0x7f, 0xff, 0xff, 0xff};
        for (int i = 0; i < 8; i++) id[4 + i] = (uint8_t)((uint64_t)o->term >> (56 - 8 * i));
        bw_oid(&r->reply, "electionId", id);
    }
    bw_doc(&r->reply, "lastWrite");
    put_op_time(&r->reply, "opTime", o->last_ts, o->term);
    bw_date(&r->reply, "lastWriteDate", (int64_t)(o->last_ts >> 32) * 1000);
    put_op_time(&r->reply, "majorityOpTime", o->commit_ts, o->commit_term);
    bw_date(&r->reply, "majorityWriteDate", (int64_t)(o->commit_ts >> 32) * 1000);
    bw_end(&r->reply);
}

static void remember_client(struct req *r)
{
    struct val name = doc_path(r->body, "client.application.name");
    if (r->conn && val_is_str(name))
        snprintf(r->conn->app_name, sizeof r->conn->app_name, "%s", val_str(name));
}

/* Waits as long as the client's topology is ours and its time is not up. */
static int await_topology(struct req *r)
{
    struct val version = doc_get(r->body, "topologyVersion"), max = doc_get(r->body, "maxAwaitTimeMS");
    if (val_missing(version) && val_missing(max)) return 0;
    if (val_missing(max))
        return merr_set(&r->err, 31368, "A request with a 'topologyVersion' must include 'maxAwaitTimeMS'");
    if (val_missing(version))
        return merr_set(&r->err, 31368, "A request with 'maxAwaitTimeMS' must include a 'topologyVersion'");
    struct val process = doc_get(version, "processId"), counter = doc_get(version, "counter");
    if (!val_is(process, BSON_TYPE_OID) || !val_is(counter, BSON_TYPE_INT64))
        return merr_set(&r->err, MERR_TYPE_MISMATCH, "BSON field 'topologyVersion' is malformed");
    if (!val_is_num(max) || val_int(max) < 0)
        return merr_set(&r->err, 31373, "maxAwaitTimeMS must be a non-negative integer");
    if (memcmp(process.p, r->s->process_id, 12)) return 0;
    if (val_int(counter) > r->s->topology_counter && !r->exhausting)
        return merr_set(&r->err, 31382,
                        "Received a topology version with counter: %lld which is greater than the server "
                        "topology version counter: %lld",
                        (long long)val_int(counter), (long long)r->s->topology_counter);
    if (!r->exhausting && val_int(counter) != r->s->topology_counter) return 0;
    if (r->exhausting && r->s->topology_counter != r->reported_counter) return 0;
    r->deadline_ms = r->arrived_ms + val_int(max);
    return now_monotonic_ms() >= r->deadline_ms ? 0 : MONGO_DEFER;
}

int cmd_is_master(struct req *r)
{
    remember_client(r);
    int rc = await_topology(r);
    if (rc) return rc;
    if (r->s->opt.standalone || r->s->opt.auth) {
        bw_bool(&r->reply, "ismaster", true);
        put_topology(r);
    } else {
        put_set(r);
    }
    bw_i32(&r->reply, "maxBsonObjectSize", BVAL_MAX_DOC_BYTES);
    bw_i32(&r->reply, "maxMessageSizeBytes", WIRE_MAX_MESSAGE);
    bw_i32(&r->reply, "maxWriteBatchSize", 100000);
    bw_date(&r->reply, "localTime", r->ectx.now_ms);
    bw_i32(&r->reply, "logicalSessionTimeoutMinutes", 30);
    bw_i32(&r->reply, "connectionId", r->conn ? r->conn->id : 0);
    bw_i32(&r->reply, "minWireVersion", 0);
    bw_i32(&r->reply, "maxWireVersion", 9);
    bw_bool(&r->reply, "readOnly", false);
    return 0;
}

int cmd_repl_set_get_status(struct req *r)
{
    const struct oplog *o = &r->s->oplog;
    if (r->s->opt.standalone || r->s->opt.auth)
        return merr_set(&r->err, MERR_NO_REPLICATION, "not running with --replSet");
    bw_str(&r->reply, "set", "rs0");
    bw_date(&r->reply, "date", r->ectx.now_ms);
    bw_i32(&r->reply, "myState", r->s->secondary ? 2 : 1);
    bw_i64(&r->reply, "term", o->term);
    bw_i64(&r->reply, "heartbeatIntervalMillis", 2000);
    bw_i32(&r->reply, "majorityVoteCount", 1);
    bw_i32(&r->reply, "writeMajorityCount", 1);
    bw_doc(&r->reply, "optimes");
    put_op_time(&r->reply, "lastCommittedOpTime", o->commit_ts, o->commit_term);
    put_op_time(&r->reply, "readConcernMajorityOpTime", o->commit_ts, o->commit_term);
    put_op_time(&r->reply, "appliedOpTime", o->last_ts, o->term);
    put_op_time(&r->reply, "durableOpTime", o->last_ts, o->term);
    bw_end(&r->reply);
    bw_arr(&r->reply, "members");
    bw_doc(&r->reply, "0");
    bw_i32(&r->reply, "_id", 0);
    bw_str(&r->reply, "name", r->s->host);
    bw_f64(&r->reply, "health", 1);
    bw_i32(&r->reply, "state", r->s->secondary ? 2 : 1);
    bw_str(&r->reply, "stateStr", r->s->secondary ? "SECONDARY" : "PRIMARY");
    bw_int(&r->reply, "uptime", (now_monotonic_ms() - r->s->started_ms) / 1000);
    put_op_time(&r->reply, "optime", o->last_ts, o->term);
    bw_date(&r->reply, "optimeDate", (int64_t)(o->last_ts >> 32) * 1000);
    bw_bool(&r->reply, "self", true);
    bw_end(&r->reply);
    bw_end(&r->reply);
    return 0;
}

int cmd_repl_set_step_down(struct req *r)
{
    struct val secs = doc_get(r->body, r->name);
    if (r->s->opt.standalone || r->s->opt.auth)
        return merr_set(&r->err, MERR_NO_REPLICATION, "not running with --replSet");
    if (server_is_secondary(r->s, r->conn))
        return merr_set(&r->err, MERR_NOT_MASTER, "not primary so can't step down");
    if (!val_is_num(secs) || val_int(secs) <= 0)
        return merr_set(&r->err, MERR_BAD_VALUE, "stepdown period must be a positive integer");
    if (*r->s->second_host) {
        server_elect_other(r->s);
        return 0;
    }
    if (!val_truthy(doc_get(r->body, "force"))) {
        struct val now = expr_date_text(&r->ectx, r->ectx.now_ms, "%Y-%m-%dT%H:%M:%S.%L%z");
        return merr_set(
            &r->err, 262,
            "No electable secondaries caught up as of %s. Please use the replSetStepDown command with the "
            "argument {force: true} to force node to step down.",
            val_is_str(now) ? val_str(now) : "");
    }
    r->s->secondary = true;
    r->s->step_up_at_ms = now_monotonic_ms() + val_int(secs) * 1000;
    for (size_t i = 0; i < r->s->sessions.n; i++)
        if (r->s->sessions.all[i]->state == TXN_ACTIVE) session_abort(r->s->sessions.all[i]);
    server_topology_changed(r->s);
    return 0;
}
