/* request.c - one request: beginning, end, and what commands ask of it. */
#include "conn.h"
#include "text.h"

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
