/* reply.c - what every reply carries besides its command's own fields, and replies that report an error. */
#include "server.h"

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

void reply_error(struct req *r)
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

void reply_write_concern_error(struct req *r, int code, const char *message, bool timed_out)
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

void reply_times(struct req *r)
{
    if (r->s->opt.standalone) return;
    cluster_time(r);
    operation_time(r);
}
