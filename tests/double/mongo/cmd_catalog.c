/* cmd_catalog.c - collections and databases: making, dropping, renaming, listing. */
#include "commands.h"
#include "text.h"

#include <stdlib.h>

/* A reply that is a cursor with everything in its first batch. */
static void one_batch(struct req *r, const char *ns, struct bw *docs)
{
    struct val v = bw_done(docs);
    v.t = BSON_TYPE_ARRAY;
    bw_doc(&r->reply, "cursor");
    bw_i64(&r->reply, "id", 0);
    bw_str(&r->reply, "ns", ns);
    bw_put(&r->reply, "firstBatch", v);
    bw_end(&r->reply);
}

static int check_new_name(struct req *r, const char *ns)
{
    const char *name = strchr(ns, '.') + 1;
    if (strchr(name, '$'))
        return merr_set(&r->err, MERR_INVALID_NAMESPACE, "Invalid collection name: %s", name);
    if (strlen(ns) > 255)
        return merr_set(&r->err, MERR_INVALID_NAMESPACE,
                        "Fully qualified namespace is too long. Namespace: %s Max: 255", ns);
    return 0;
}

static const char *const create_fields[] = {"capped",
                                            "autoIndexId",
                                            "idIndex",
                                            "size",
                                            "max",
                                            "storageEngine",
                                            "validator",
                                            "validationLevel",
                                            "validationAction",
                                            "indexOptionDefaults",
                                            "viewOn",
                                            "pipeline",
                                            "collation",
                                            "temp",
                                            "flags",
                                            "recordPreImages",
                                            NULL};

/* What the catalogue keeps, in the order in which it shows it. */
static int create_options(struct req *r, struct val *out)
{
    static const char *const kept[] = {"validator", "validationLevel", "validationAction", "viewOn",
                                       "pipeline"};
    struct val size = doc_get(r->body, "size"), max = doc_get(r->body, "max");
    const struct collation *ignored;
    struct bw options;
    bw_init(&options, &r->a);
    if (collation_parse(&r->a, doc_get(r->body, "collation"), &ignored, &r->err)) return r->err.code;
    if (val_truthy(doc_get(r->body, "capped"))) {
        if (!val_is_num(size))
            return merr_set(&r->err, MERR_INVALID_OPTIONS,
                            "the 'size' field is required when 'capped' is true");
        bw_bool(&options, "capped", true);
        bw_int(&options, "size", (val_int(size) + 255) / 256 * 256);
        bw_put(&options, "max", max);
    }
    for (size_t i = 0; i < 5; i++) bw_put(&options, kept[i], doc_get(r->body, kept[i]));
    bw_put(&options, "collation", collation_full(&r->a, doc_get(r->body, "collation")));
    *out = bw_done(&options);
    return 0;
}

int cmd_create(struct req *r)
{
    char *ns;
    if (request_fields(r, create_fields, UNKNOWN_IDL) || request_ns(r, &ns) || check_new_name(r, ns))
        return r->err.code;
    if (store_find(&r->s->store, ns))
        return merr_set(&r->err, MERR_NAMESPACE_EXISTS, "Collection already exists. NS: %s", ns);
    struct val options;
    struct coll *c;
    if (create_options(r, &options)) return r->err.code;
    request_wrote(r);
    return write_create(r, ns, options, &c);
}

int cmd_drop(struct req *r)
{
    char *ns;
    if (request_ns(r, &ns)) return r->err.code;
    struct coll *c = store_find(&r->s->store, ns);
    if (!c) return merr_set(&r->err, MERR_NAMESPACE_NOT_FOUND, "ns not found");
    if (!c->view) bw_int(&r->reply, "nIndexesWas", (int64_t)c->index_count);
    bw_str(&r->reply, "ns", ns);
    return write_drop(r, c);
}

static bool has_database(const struct store *st, const char *db)
{
    for (size_t i = 0; i < st->n; i++)
        if (!strcmp(st->colls[i]->db, db)) return true;
    return false;
}

int cmd_drop_database(struct req *r)
{
    if (!strcmp(r->db, "admin") || !strcmp(r->db, "config") || !strcmp(r->db, "local"))
        return merr_set(&r->err, MERR_ILLEGAL_OPERATION, "Dropping the '%s' database is prohibited.", r->db);
    if (!has_database(&r->s->store, r->db)) return 0;
    write_drop_database(r, r->db);
    bw_str(&r->reply, "dropped", r->db);
    return 0;
}

int cmd_rename_collection(struct req *r)
{
    static const char *const fields[] = {"to", "dropTarget", "stayTemp", NULL};
    struct val from = doc_get(r->body, r->name), to = doc_get(r->body, "to"),
               drop = doc_get(r->body, "dropTarget");
    if (request_fields(r, fields, UNKNOWN_IDL)) return r->err.code;
    if (!val_is_str(from) || !val_is_str(to))
        return merr_set(&r->err, MERR_TYPE_MISMATCH,
                        "'renameCollection' and 'to' must be of type String but found type %s",
                        val_type_name(val_is_str(from) ? to.t : from.t));
    const char *target = val_str(to), *dot = strchr(target, '.');
    if (!dot || dot == target || !dot[1])
        return merr_set(&r->err, MERR_INVALID_NAMESPACE, "Invalid target namespace: %s", target);
    struct coll *c = store_find(&r->s->store, val_str(from)), *there = store_find(&r->s->store, target);
    if (!c)
        return merr_set(&r->err, MERR_NAMESPACE_NOT_FOUND, "Source collection %s does not exist",
                        val_str(from));
    if (c == there) return merr_set(&r->err, MERR_ILLEGAL_OPERATION, "Can't rename a collection to itself");
    if (check_new_name(r, target)) return r->err.code;
    if (there && !val_truthy(drop))
        return merr_set(&r->err, MERR_NAMESPACE_EXISTS, "target namespace exists");
    return write_rename(r, c, target);
}

int cmd_coll_mod(struct req *r)
{
    static const char *const fields[] = {"validator", "validationLevel", "validationAction", "index",
                                         "viewOn",    "pipeline",        "recordPreImages",  NULL};
    char *ns;
    struct iter it;
    struct bw options;
    if (request_ns(r, &ns)) return r->err.code;
    struct coll *c = store_find(&r->s->store, ns);
    if (!c) return merr_set(&r->err, MERR_NAMESPACE_NOT_FOUND, "ns does not exist");
    if (request_fields(r, fields, UNKNOWN_IDL)) return r->err.code;
    for (size_t i = 3; fields[i]; i++)
        if (!val_missing(doc_get(r->body, fields[i])))
            return merr_set(&r->err, MERR_NOT_IMPLEMENTED,
                            "the stand-in does not know the option %s of collMod", fields[i]);
    bw_init(&options, &r->a);
    for (iter_init(&it, c->options); iter_next(&it);)
        if (val_missing(doc_get(r->body, it.key))) bw_put(&options, it.key, it.v);
    for (size_t i = 0; i < 3; i++) bw_put(&options, fields[i], doc_get(r->body, fields[i]));
    if (coll_set_options(c, bw_done(&options), &r->err)) return r->err.code;
    write_other(r, c);
    return 0;
}

static void put_collection(struct bw *w, const struct coll *c, bool name_only)
{
    bw_str(w, "name", c->name);
    bw_str(w, "type", c->view ? "view" : "collection");
    if (name_only) return;
    bw_put(w, "options", c->options);
    bw_doc(w, "info");
    bw_bool(w, "readOnly", c->view);
    if (c->view) {
        bw_end(w);
        return;
    }
    bw_bin(w, "uuid", BSON_SUBTYPE_UUID, c->uuid, 16);
    bw_end(w);
    bw_put(w, "idIndex", c->indexes[0]->spec);
}

int cmd_list_collections(struct req *r)
{
    static const char *const fields[] = {"filter", "nameOnly",        "authorizedCollections",
                                         "cursor", "includeViewUUID", NULL};
    struct val filter = doc_get(r->body, "filter");
    struct match *m;
    struct bw docs;
    size_t n = 0;
    if (request_fields(r, fields, UNKNOWN_IDL)) return r->err.code;
    if (match_parse(&r->a, val_is_doc(filter) ? filter : val_empty_doc(), NULL, &m, &r->err))
        return r->err.code;
    bool name_only = val_truthy(doc_get(r->body, "nameOnly"));
    bw_init(&docs, &r->a);
    for (size_t i = 0; i < r->s->store.n; i++) {
        const struct coll *c = r->s->store.colls[i];
        struct match_vars vars = {.ectx = &r->ectx, .array_index = -1};
        struct bw whole, w;
        if (strcmp(c->db, r->db)) continue;
        bw_init(&whole, &r->a);
        put_collection(&whole, c, false);
        if (!match_eval(m, bw_done(&whole), &vars)) continue;
        bw_init(&w, &r->a);
        put_collection(&w, c, name_only);
        bw_puti(&docs, n++, bw_done(&w));
    }
    char *ns = pool_alloc(&r->a, strlen(r->db) + 24);
    memcpy(ns, r->db, strlen(r->db));
    memcpy(ns + strlen(r->db), ".$cmd.listCollections", 22);
    one_batch(r, ns, &docs);
    return r->err.code;
}

struct databases {
    struct req *r;
    struct match *filter;
    struct bw docs;
    size_t n;
    int64_t total;
    bool name_only;
};

static void add_database(struct databases *d, const char *name, int64_t bytes, bool empty)
{
    struct bw w;
    struct match_vars vars = {.ectx = &d->r->ectx, .array_index = -1};
    bw_init(&w, &d->r->a);
    bw_str(&w, "name", name);
    if (!d->name_only) {
        bw_f64(&w, "sizeOnDisk", (double)bytes);
        bw_bool(&w, "empty", empty);
    }
    struct val doc = bw_done(&w);
    if (!match_eval(d->filter, doc, &vars)) return;
    bw_puti(&d->docs, d->n++, doc);
    d->total += bytes;
}

int cmd_list_databases(struct req *r)
{
    static const char *const fields[] = {"filter", "nameOnly", "authorizedDatabases", NULL};
    static const char *const own[] = {"admin", "config", "local"};
    struct val filter = doc_get(r->body, "filter");
    struct databases d = {.r = r, .name_only = val_truthy(doc_get(r->body, "nameOnly"))};
    const struct store *st = &r->s->store;
    if (request_fields(r, fields, UNKNOWN_IDL)) return r->err.code;
    if (match_parse(&r->a, val_is_doc(filter) ? filter : val_empty_doc(), NULL, &d.filter, &r->err))
        return r->err.code;
    bw_init(&d.docs, &r->a);
    size_t next = 0;
    for (size_t i = 0; i < st->n || next < 3;) {
        const char *db = i < st->n ? st->colls[i]->db : NULL;
        if (next < 3 && (!db || strcmp(own[next], db) <= 0)) {
            if (!db || strcmp(own[next], db)) add_database(&d, own[next], 36864, false);
            next++;
            continue;
        }
        int64_t bytes = 0;
        for (; i < st->n && !strcmp(st->colls[i]->db, db); i++) bytes += st->colls[i]->bytes;
        add_database(&d, db, bytes, false);
    }
    struct val v = bw_done(&d.docs);
    v.t = BSON_TYPE_ARRAY;
    bw_put(&r->reply, "databases", v);
    if (!d.name_only) bw_f64(&r->reply, "totalSize", (double)d.total);
    return r->err.code;
}

int cmd_coll_stats(struct req *r)
{
    char *ns;
    if (request_ns(r, &ns)) return r->err.code;
    const struct coll *c = store_find(&r->s->store, ns);
    bw_str(&r->reply, "ns", ns);
    bw_int(&r->reply, "size", c ? c->bytes : 0);
    bw_int(&r->reply, "count", c ? c->count : 0);
    if (c && c->count) bw_int(&r->reply, "avgObjSize", c->bytes / c->count);
    bw_int(&r->reply, "storageSize", c ? c->bytes : 0);
    bw_bool(&r->reply, "capped", c && c->capped_bytes);
    bw_int(&r->reply, "nindexes", c ? (int64_t)c->index_count : 0);
    return 0;
}

int cmd_db_stats(struct req *r)
{
    int64_t colls = 0, views = 0, objects = 0, bytes = 0, indexes = 0;
    for (size_t i = 0; i < r->s->store.n; i++) {
        const struct coll *c = r->s->store.colls[i];
        if (strcmp(c->db, r->db)) continue;
        if (c->view) {
            views++;
            continue;
        }
        colls++;
        objects += c->count;
        bytes += c->bytes;
        indexes += (int64_t)c->index_count;
    }
    bw_str(&r->reply, "db", r->db);
    bw_int(&r->reply, "collections", colls);
    bw_int(&r->reply, "views", views);
    bw_int(&r->reply, "objects", objects);
    bw_f64(&r->reply, "avgObjSize", objects ? (double)bytes / (double)objects : 0);
    bw_f64(&r->reply, "dataSize", (double)bytes);
    bw_f64(&r->reply, "storageSize", (double)bytes);
    bw_int(&r->reply, "indexes", indexes);
    return 0;
}
