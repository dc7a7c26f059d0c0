/* store.c - records and the catalogue of collections. Owns collections; knows nothing of oplog or commands.
 */
#include "store.h"
#include "store_index.h"

#include <stdlib.h>
#include <uuid/uuid.h>

#define CHUNK 4096

struct rec *rec_new(struct val doc)
{
    struct rec *r = xmalloc(sizeof *r + doc.n);
    r->refs = 1;
    r->bytes = doc.n;
    r->rid = 0;
    memcpy(r->data, doc.p, doc.n);
    return r;
}

struct rec *rec_ref(struct rec *r)
{
    r->refs++;
    return r;
}

void rec_unref(struct rec *r)
{
    if (r && --r->refs == 0) free(r);
}

/* ---- catalogue ---- */

void store_init(struct store *s)
{
    memset(s, 0, sizeof *s);
}

void store_fini(struct store *s)
{
    for (size_t i = 0; i < s->n; i++) coll_unref(s->colls[i]);
    free(s->colls);
    store_init(s);
}

static size_t position(const struct store *s, const char *ns, bool *found)
{
    size_t lo = 0, hi = s->n;
    *found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(s->colls[mid]->ns, ns);
        if (c == 0) return *found = true, mid;
        if (c < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

struct coll *store_find(const struct store *s, const char *ns)
{
    bool found;
    size_t i = position(s, ns, &found);
    return found ? s->colls[i] : NULL;
}

void store_put(struct store *s, struct coll *c)
{
    bool found;
    size_t i = position(s, c->ns, &found);
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->colls = xrealloc(s->colls, s->cap * sizeof *s->colls);
    }
    memmove(s->colls + i + 1, s->colls + i, (s->n - i) * sizeof *s->colls);
    s->colls[i] = c;
    s->n++;
}

struct coll *store_take(struct store *s, const char *ns)
{
    bool found;
    size_t i = position(s, ns, &found);
    if (!found) return NULL;
    struct coll *c = s->colls[i];
    memmove(s->colls + i, s->colls + i + 1, (s->n - i - 1) * sizeof *s->colls);
    s->n--;
    return c;
}

static void set_name(struct coll *c, const char *ns)
{
    free(c->ns);
    free(c->db);
    size_t n = strlen(ns);
    c->ns = xmalloc(n + 1);
    memcpy(c->ns, ns, n + 1);
    c->db = xmalloc(n + 1);
    memcpy(c->db, ns, n + 1);
    char *dot = strchr(c->db, '.');
    if (dot) *dot = 0;
    c->name = dot ? dot + 1 : c->db + n;
}

static struct coll *new_coll(const char *ns, const uint8_t *uuid)
{
    struct coll *c = xcalloc(1, sizeof *c);
    c->refs = 1;
    c->next_rid = 1;
    c->options = val_empty_doc();
    set_name(c, ns);
    if (uuid) {
        memcpy(c->uuid, uuid, 16);
    } else {
        uuid_generate(c->uuid);
    }
    return c;
}

struct coll *store_create(struct store *s, const char *ns, const uint8_t *uuid, struct val options)
{
    struct coll *c = new_coll(ns, uuid);
    struct bw w;
    struct merr err;
    merr_init(&err);
    bw_init(&w, NULL);
    bw_i32(&w, "v", 2);
    bw_doc(&w, "key");
    bw_i32(&w, "_id", 1);
    bw_end(&w);
    bw_str(&w, "name", "_id_");
    coll_add_index(c, bw_done(&w), &err);
    bw_fini(&w);
    coll_set_options(c, options, &err);
    merr_fini(&err);
    store_put(s, c);
    return c;
}

/* ---- collections ---- */

struct coll *coll_ref(struct coll *c)
{
    c->refs++;
    return c;
}

void coll_unref(struct coll *c)
{
    if (!c || --c->refs) return;
    for (size_t i = 0; i < c->index_count; i++) index_free(c->indexes[i]);
    for (size_t i = 0; i < c->chunk_count; i++) {
        for (size_t k = 0; c->chunks[i] && k < CHUNK; k++) rec_unref(c->chunks[i][k]);
        free(c->chunks[i]);
    }
    free(c->chunks);
    free(c->indexes);
    pool_fini(&c->options_pool);
    free(c->ns);
    free(c->db);
    free(c);
}

void coll_rename(struct coll *c, const char *ns)
{
    set_name(c, ns);
}

/* The index of _id has the collection's collation. */
static void collate_ids(struct coll *c)
{
    struct bw w;
    struct merr err;
    merr_init(&err);
    bw_init(&w, NULL);
    bw_merge(&w, c->indexes[0]->spec);
    bw_put(&w, "collation", doc_get(c->options, "collation"));
    coll_drop_index(c, 0);
    coll_add_index(c, bw_done(&w), &err);
    bw_fini(&w);
    merr_fini(&err);
}

int coll_set_options(struct coll *c, struct val options, struct merr *err)
{
    struct pool a = {0};
    struct match *m = NULL;
    options = val_dup(&a, options);
    const struct collation *collation;
    struct val validator = doc_get(options, "validator"), level = doc_get(options, "validationLevel"),
               action = doc_get(options, "validationAction");
    if (collation_parse(&a, doc_get(options, "collation"), &collation, err) ||
        (val_is_doc(validator) && !doc_is_empty(validator) && match_parse(&a, validator, NULL, &m, err))) {
        pool_fini(&a);
        return err->code;
    }
    pool_fini(&c->options_pool);
    c->options_pool = a;
    c->options = options;
    c->validator = m;
    c->collation = collation;
    c->view = val_is_str(doc_get(options, "viewOn"));
    c->capped_bytes = val_truthy(doc_get(options, "capped")) ? val_int(doc_get(options, "size")) : 0;
    c->capped_count = c->capped_bytes ? val_int(doc_get(options, "max")) : 0;
    if (collation && c->index_count && !c->indexes[0]->collation) collate_ids(c);
    c->validate_off = val_str_is(level, "off");
    c->validate_warn = val_str_is(action, "warn");
    c->validate_moderate = val_str_is(level, "moderate");
    return 0;
}

int coll_validate(const struct coll *c, struct val doc, struct merr *err)
{
    if (!c->validator || c->validate_off || c->validate_warn) return 0;
    struct pool a = {0};
    struct ectx e = {.a = &a, .root = doc, .err = err};
    struct match_vars vars = {.ectx = &e, .array_index = -1};
    const struct collation *before = collation_use(c->collation);
    bool ok = match_eval(c->validator, doc, &vars);
    collation_use(before);
    pool_fini(&a);
    if (err->code) return err->code;
    return ok ? 0 : merr_set(err, MERR_DOCUMENT_VALIDATION, "Document failed validation");
}

static struct rec **slot(const struct coll *c, uint64_t rid)
{
    size_t chunk = (size_t)(rid / CHUNK);
    if (chunk >= c->chunk_count || !c->chunks[chunk]) return NULL;
    return &c->chunks[chunk][rid % CHUNK];
}

static void put_slot(struct coll *c, struct rec *r)
{
    size_t chunk = (size_t)(r->rid / CHUNK);
    if (chunk >= c->chunk_count) {
        size_t n = chunk + 1 + chunk / 2;
        c->chunks = xrealloc(c->chunks, n * sizeof *c->chunks);
        memset(c->chunks + c->chunk_count, 0, (n - c->chunk_count) * sizeof *c->chunks);
        c->chunk_count = n;
    }
    if (!c->chunks[chunk]) c->chunks[chunk] = xcalloc(CHUNK, sizeof **c->chunks);
    c->chunks[chunk][r->rid % CHUNK] = r;
}

struct rec *coll_by_rid(const struct coll *c, uint64_t rid)
{
    struct rec **s = slot(c, rid);
    return s ? *s : NULL;
}

struct rec *coll_scan(const struct coll *c, uint64_t from)
{
    for (uint64_t rid = from; rid < c->next_rid;) {
        size_t chunk = (size_t)(rid / CHUNK);
        if (chunk >= c->chunk_count) break;
        if (!c->chunks[chunk]) {
            rid = (uint64_t)(chunk + 1) * CHUNK;
            continue;
        }
        if (c->chunks[chunk][rid % CHUNK]) return c->chunks[chunk][rid % CHUNK];
        rid++;
    }
    return NULL;
}

struct rec *coll_by_id(const struct coll *c, struct val id)
{
    struct kbuf k;
    const struct collation *before = collation_use(c->indexes[0]->collation);
    kbuf_init(&k);
    keystring_put(&k, id, false);
    collation_use(before);
    struct snode *n = skiplist_seek(&c->indexes[0]->list, k.p, k.n, false);
    struct rec *r = n && n->key_bytes == k.n + 8 && !memcmp(snode_key(n), k.p, k.n) ? n->rec : NULL;
    kbuf_fini(&k);
    return r;
}

static void drop_empty_chunk(struct coll *c, uint64_t rid)
{
    size_t chunk = (size_t)(rid / CHUNK);
    if (rid % CHUNK != CHUNK - 1 && rid + 1 != c->next_rid) {
        /* only looked at when one of its ends goes: good enough for queues and for drops of everything */
        if (rid % CHUNK != 0) return;
    }
    for (size_t i = 0; i < CHUNK; i++)
        if (c->chunks[chunk][i]) return;
    free(c->chunks[chunk]);
    c->chunks[chunk] = NULL;
}

int coll_insert(struct coll *c, struct rec *r, struct merr *err)
{
    /* a record that comes back after a rollback has its place already */
    if (!r->rid) r->rid = c->next_rid;
    for (size_t i = 0; i < c->index_count; i++) {
        if (index_add(c, c->indexes[i], r, NULL, err) == 0) continue;
        while (i-- > 0) index_remove(c->indexes[i], r);
        return err->code;
    }
    if (r->rid >= c->next_rid) c->next_rid = r->rid + 1;
    put_slot(c, rec_ref(r));
    c->count++;
    c->bytes += r->bytes;
    return 0;
}

int coll_replace(struct coll *c, struct rec *old, struct rec *now, struct merr *err)
{
    now->rid = old->rid;
    for (size_t i = 0; i < c->index_count; i++) {
        if (index_change(c, c->indexes[i], old, now, err) == 0) continue;
        struct merr ignored;
        merr_init(&ignored);
        while (i-- > 0) index_change(c, c->indexes[i], now, old, &ignored);
        merr_fini(&ignored);
        return err->code;
    }
    *slot(c, old->rid) = rec_ref(now);
    c->bytes += (int64_t)now->bytes - (int64_t)old->bytes;
    rec_unref(old);
    return 0;
}

void coll_delete(struct coll *c, struct rec *r)
{
    for (size_t i = 0; i < c->index_count; i++) index_remove(c->indexes[i], r);
    *slot(c, r->rid) = NULL;
    c->count--;
    c->bytes -= r->bytes;
    drop_empty_chunk(c, r->rid);
    rec_unref(r);
}

void coll_cap(struct coll *c)
{
    while (c->capped_bytes && (c->bytes > c->capped_bytes || (c->capped_count && c->count > c->capped_count)))
        coll_delete(c, coll_scan(c, 0));
}

struct coll *coll_clone(const struct coll *c)
{
    struct coll *copy = new_coll(c->ns, c->uuid);
    struct merr err;
    merr_init(&err);
    coll_set_options(copy, c->options, &err);
    copy->next_rid = c->next_rid;
    copy->count = c->count;
    copy->bytes = c->bytes;
    for (struct rec *r = coll_scan(c, 0); r; r = coll_scan(c, r->rid + 1)) put_slot(copy, rec_ref(r));
    for (size_t i = 0; i < c->index_count; i++) coll_add_index(copy, c->indexes[i]->spec, &err);
    merr_fini(&err);
    return copy;
}
