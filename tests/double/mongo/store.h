/*
 * store.h - collections in memory: records, indexes, validators, and the catalogue of them.
 *
 * Records are reference-counted and never changed: an update puts a new record in the place of the old one,
 * so that cursors, the oplog and snapshots can hold on to what they saw.
 */
#ifndef DOUBLE_MONGO_STORE_H
#define DOUBLE_MONGO_STORE_H

#include "collation.h"
#include "match.h"
#include "skiplist.h"
#include "sortkey.h"

struct rec {
    uint32_t refs;
    uint32_t bytes;
    uint64_t rid;   /* place in the natural order; stays through updates */
    uint8_t data[]; /* the document */
};
struct rec *rec_new(struct val doc);
struct rec *rec_ref(struct rec *r);
void rec_unref(struct rec *r); /* NULL is fine */
static inline struct val rec_doc(const struct rec *r)
{
    return val_doc(r->data);
}

struct index {
    struct pool a;
    char *name;
    struct val spec; /* as listIndexes shows it */
    struct val key;
    struct sort_spec *pieces;
    bool unique, sparse, multikey;
    struct match *partial; /* NULL: every document */
    const struct collation *collation;
    struct skiplist list;
};

struct coll {
    uint32_t refs;
    char *ns; /* db.name */
    char *db, *name;
    uint8_t uuid[16];
    struct rec ***chunks;
    size_t chunk_count;
    uint64_t next_rid;
    int64_t count, bytes;
    struct index **indexes; /* the first is that of _id */
    size_t index_count;
    struct pool options_pool;
    struct val options; /* what create was given */
    struct match *validator;
    const struct collation *collation;  /* of queries and indexes that name none */
    bool view;                          /* it has no documents: `options` say what it shows */
    int64_t capped_bytes, capped_count; /* 0: no such limit */
    bool validate_off, validate_warn, validate_moderate;
};

struct store {
    struct coll **colls;
    size_t n, cap;
};

void store_init(struct store *s);
void store_fini(struct store *s);
struct coll *store_find(const struct store *s, const char *ns);
/* Puts a collection into the catalogue (taking over a reference); `uuid` NULL makes one. */
struct coll *store_create(struct store *s, const char *ns, const uint8_t *uuid, struct val options);
void store_put(struct store *s, struct coll *c);
/* Takes it out; the caller gets the catalogue's reference. */
struct coll *store_take(struct store *s, const char *ns);

struct coll *coll_ref(struct coll *c);
void coll_unref(struct coll *c);
void coll_rename(struct coll *c, const char *ns);
/* The validator in `options`; a bad one is reported and nothing changes. */
int coll_set_options(struct coll *c, struct val options, struct merr *err);
int coll_validate(const struct coll *c, struct val doc, struct merr *err);

/* The first record with rid >= `from`, or NULL. */
struct rec *coll_scan(const struct coll *c, uint64_t from);
struct rec *coll_by_rid(const struct coll *c, uint64_t rid);
struct rec *coll_by_id(const struct coll *c, struct val id);

/* Each takes over no reference of the caller's. Unique indexes may refuse with 11000. */
int coll_insert(struct coll *c, struct rec *r, struct merr *err);
int coll_replace(struct coll *c, struct rec *old, struct rec *now, struct merr *err);
void coll_delete(struct coll *c, struct rec *r);
/* Takes the oldest records out of a capped collection until it is within its limits; no oplog entry shows it.
 */
void coll_cap(struct coll *c);
/* A copy that shares the records and may be changed apart. */
struct coll *coll_clone(const struct coll *c);

struct index *coll_index(const struct coll *c, const char *name);
/* Builds an index from a normalised spec (v, key, name, ...); refuses on duplicate keys. */
int coll_add_index(struct coll *c, struct val spec, struct merr *err);
void coll_drop_index(struct coll *c, size_t at);

#endif
