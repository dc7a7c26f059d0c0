/* cmd_admin.c - what is left: ping and its like, sessions, the stand-in's own command, and the table of all.
 */
#include "commands.h"
#include "conn.h"
#include "cursor.h"

#include <stdlib.h>

int cmd_ping(struct req *r)
{
    (void)r;
    return 0;
}

int cmd_build_info(struct req *r)
{
    static const int32_t version[] = {4, 4, 1, 0};
    bw_str(&r->reply, "version", "4.4.1");
    bw_str(&r->reply, "gitVersion", "stand-in");
    bw_arr(&r->reply, "modules");
    bw_end(&r->reply);
    bw_arr(&r->reply, "versionArray");
    for (size_t i = 0; i < 4; i++) bw_puti(&r->reply, i, val_new_i32(&r->a, version[i]));
    bw_end(&r->reply);
    bw_i32(&r->reply, "bits", 64);
    bw_bool(&r->reply, "debug", false);
    bw_i32(&r->reply, "maxBsonObjectSize", BVAL_MAX_DOC_BYTES);
    bw_arr(&r->reply, "storageEngines");
    bw_str(&r->reply, "0", "memory");
    bw_end(&r->reply);
    return 0;
}

int cmd_get_parameter(struct req *r)
{
    struct iter it;
    bool any = false;
    for (iter_init(&it, r->body); iter_next(&it);) {
        if (!strcmp(it.key, "featureCompatibilityVersion")) {
            bw_doc(&r->reply, it.key);
            bw_str(&r->reply, "version", "4.4");
            bw_end(&r->reply);
            any = true;
        }
    }
    return any ? 0 : merr_set(&r->err, MERR_INVALID_OPTIONS, "no option found to get");
}

int cmd_connection_status(struct req *r)
{
    bw_doc(&r->reply, "authInfo");
    bw_arr(&r->reply, "authenticatedUsers");
    bw_end(&r->reply);
    bw_arr(&r->reply, "authenticatedUserRoles");
    bw_end(&r->reply);
    bw_end(&r->reply);
    return 0;
}

/* A request that waits refers to its session, which then stays. */
static bool in_use(const struct server *s, const uint8_t id[16])
{
    for (size_t i = 0; i < s->conn_count; i++) {
        const struct req *r = s->conns[i]->req;
        if (r && r->session && !memcmp(r->session->id, id, 16)) return true;
    }
    return false;
}

int cmd_end_sessions(struct req *r)
{
    struct iter it;
    bool end = !strcmp(r->name, "endSessions") || !strcmp(r->name, "killSessions");
    struct val list = doc_get(r->body, r->name);
    if (!val_is_arr(list))
        return merr_set(&r->err, MERR_TYPE_MISMATCH,
                        "BSON field '%s.%s' is the wrong type '%s', expected type 'array'", r->name, r->name,
                        val_type_name(list.t));
    for (iter_init(&it, list); iter_next(&it);) {
        struct val id = doc_get(it.v, "id");
        if (!val_is(id, BSON_TYPE_BINARY) || rd32(id.p) != 16) continue;
        if (end && !in_use(r->s, id.p + 5)) sessions_end(&r->s->sessions, id.p + 5);
    }
    return 0;
}

int cmd_start_session(struct req *r)
{
    uint8_t id[16];
    for (int i = 0; i < 2; i++) wr64(id + 8 * i, server_random(r->s));
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    sessions_get(&r->s->sessions, id);
    bw_doc(&r->reply, "id");
    bw_bin(&r->reply, "id", BSON_SUBTYPE_UUID, id, 16);
    bw_end(&r->reply);
    bw_i32(&r->reply, "timeoutMinutes", 30);
    return 0;
}

int cmd_server_status(struct req *r)
{
    const struct server *s = r->s;
    bw_str(&r->reply, "host", s->host);
    bw_str(&r->reply, "version", "4.4.1");
    bw_str(&r->reply, "process", "mongod stand-in");
    bw_f64(&r->reply, "uptime", (double)((now_monotonic_ms() - s->started_ms) / 1000));
    bw_date(&r->reply, "localTime", r->ectx.now_ms);
    bw_doc(&r->reply, "connections");
    bw_int(&r->reply, "current", (int64_t)s->conn_count);
    bw_end(&r->reply);
    bw_doc(&r->reply, "metrics");
    bw_doc(&r->reply, "cursor");
    bw_doc(&r->reply, "open");
    bw_i64(&r->reply, "total", (int64_t)s->cursor_count);
    bw_end(&r->reply);
    bw_end(&r->reply);
    bw_end(&r->reply);
    bw_doc(&r->reply, "storageEngine");
    bw_str(&r->reply, "name", "memory");
    bw_bool(&r->reply, "supportsCommittedReads", true);
    bw_end(&r->reply);
    return 0;
}

int cmd_whatsmyuri(struct req *r)
{
    bw_str(&r->reply, "you", "127.0.0.1:0");
    return 0;
}

int cmd_sasl_start(struct req *r)
{
    return merr_set(&r->err, MERR_AUTHENTICATION_FAILED, "Authentication failed.");
}

static void put_counters(struct req *r)
{
    bw_doc(&r->reply, "counters");
    for (size_t i = 0; i < r->s->counter_count; i++)
        bw_i64(&r->reply, r->s->counters[i].name, r->s->counters[i].n);
    bw_end(&r->reply);
}

static void drop_connections(struct req *r)
{
    for (size_t i = 0; i < r->s->conn_count; i++)
        if (r->s->conns[i] != r->conn) r->s->conns[i]->dead = true;
}

/* Those who wait for events learn that the server's state has changed, and opens the stream again. */
static void interrupt_streams(struct server *s)
{
    for (size_t i = 0; i < s->cursor_count; i++) {
        struct cursor *c = s->cursors[i];
        if (!c->user) continue;
        c->user->interrupt = MERR_INTERRUPTED_BY_STATE_CHANGE;
        c->user->change_stream = true;
        c->user = NULL;
    }
}

int cmd_double(struct req *r)
{
    struct val what = doc_get(r->body, r->name);
    struct server *s = r->s;
    if (val_str_is(what, "freezeMajority")) {
        s->oplog.frozen = true;
    } else if (val_str_is(what, "thawMajority")) {
        s->oplog.frozen = false;
        oplog_commit(&s->oplog);
    } else if (val_str_is(what, "truncateOplog")) {
        oplog_truncate(&s->oplog);
    } else if (val_str_is(what, "rollback")) {
        interrupt_streams(s);
        cursors_kill_all(s);
        write_rollback(s);
        server_topology_changed(s);
    } else if (val_str_is(what, "dropConnections")) {
        drop_connections(r);
    } else if (val_str_is(what, "swallowPrimary")) {
        s->swallows[s->second_leads] = true;
        if (*s->second_host) server_elect_other(s);
    } else if (val_str_is(what, "counters")) {
        put_counters(r);
    } else if (val_str_is(what, "resetCounters")) {
        s->counter_count = 0;
    } else {
        return merr_set(&r->err, MERR_BAD_VALUE,
                        "lockstepDouble knows freezeMajority, thawMajority, truncateOplog, rollback, "
                        "dropConnections, swallowPrimary, counters and resetCounters");
    }
    return 0;
}

enum { WRITE = CMD_PRIMARY | CMD_WRITE_CONCERN };

static const struct command commands[] = {
    {"find", cmd_find, CMD_SLAVE_OK | CMD_TXN},
    {"getMore", cmd_get_more, CMD_TXN},
    {"killCursors", cmd_kill_cursors, CMD_TXN},
    {"aggregate", cmd_aggregate, CMD_SLAVE_OK | CMD_TXN},
    {"count", cmd_count, CMD_SLAVE_OK},
    {"distinct", cmd_distinct, CMD_SLAVE_OK | CMD_TXN},
    {"insert", cmd_insert, WRITE | CMD_TXN},
    {"update", cmd_update, WRITE | CMD_TXN},
    {"delete", cmd_delete, WRITE | CMD_TXN},
    {"findAndModify", cmd_find_and_modify, WRITE | CMD_TXN},
    {"commitTransaction", cmd_commit_transaction, WRITE | CMD_TXN | CMD_ADMIN},
    {"abortTransaction", cmd_abort_transaction, WRITE | CMD_TXN | CMD_ADMIN},
    {"create", cmd_create, WRITE},
    {"drop", cmd_drop, WRITE},
    {"dropDatabase", cmd_drop_database, WRITE},
    {"renameCollection", cmd_rename_collection, WRITE | CMD_ADMIN},
    {"collMod", cmd_coll_mod, WRITE},
    {"createIndexes", cmd_create_indexes, WRITE},
    {"dropIndexes", cmd_drop_indexes, WRITE},
    {"listIndexes", cmd_list_indexes, CMD_SLAVE_OK},
    {"listCollections", cmd_list_collections, CMD_SLAVE_OK},
    {"listDatabases", cmd_list_databases, CMD_SLAVE_OK | CMD_ADMIN},
    {"collStats", cmd_coll_stats, CMD_SLAVE_OK},
    {"dbStats", cmd_db_stats, CMD_SLAVE_OK},
    {"isMaster", cmd_is_master, CMD_OPEN},
    {"ping", cmd_ping, CMD_OPEN},
    {"buildInfo", cmd_build_info, CMD_OPEN},
    {"connectionStatus", cmd_connection_status, CMD_OPEN},
    {"getParameter", cmd_get_parameter, CMD_ADMIN},
    {"replSetGetStatus", cmd_repl_set_get_status, CMD_ADMIN},
    {"replSetStepDown", cmd_repl_set_step_down, CMD_ADMIN},
    {"endSessions", cmd_end_sessions, CMD_OPEN},
    {"killSessions", cmd_end_sessions, 0},
    {"refreshSessions", cmd_end_sessions, 0},
    {"startSession", cmd_start_session, 0},
    {"serverStatus", cmd_server_status, 0},
    {"whatsmyuri", cmd_whatsmyuri, CMD_OPEN},
    {"saslStart", cmd_sasl_start, CMD_OPEN},
    {"saslContinue", cmd_sasl_start, CMD_OPEN},
    {"configureFailPoint", failpoint_configure, CMD_ADMIN},
    {"lockstepDouble", cmd_double, CMD_ADMIN | CMD_OPEN},
};

const struct command *command_find(const char *name)
{
    static const char *const aliases[][2] = {{"ismaster", "isMaster"},   {"findandmodify", "findAndModify"},
                                             {"buildinfo", "buildInfo"}, {"deleteIndexes", "dropIndexes"},
                                             {"collstats", "collStats"}, {"dbstats", "dbStats"}};
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (!strcmp(aliases[i][0], name)) name = aliases[i][1];
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(commands[i].name, name)) return &commands[i];
    return NULL;
}
