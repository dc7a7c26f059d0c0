/*
 * collection.h - one collection: its configuration, points, vectors and indexes.
 *
 * Callers hold `lock` (for reading or writing, as they do); the registry keeps the collection alive. Vectors
 * lie in chunks of about a megabyte, payloads as compact JSON text.
 */
#ifndef DOUBLE_QDRANT_STORE_COLLECTION_H
#define DOUBLE_QDRANT_STORE_COLLECTION_H

#include <pthread.h>

#include "qdrant_store/index.h"
#include "qdrant_store/order.h"

#define NO_SLOT UINT32_MAX

enum distance { DISTANCE_COSINE, DISTANCE_EUCLID, DISTANCE_DOT, DISTANCE_MANHATTAN };

struct vector_space {
    char *name; /* "" for the unnamed one */
    bool sparse;
    uint32_t size; /* dimensions; 0 if sparse */
    enum { DATATYPE_FLOAT32, DATATYPE_FLOAT16, DATATYPE_UINT8 } datatype;
    enum distance distance;
    unsigned chunk_shift;
    void **chunks; /* dense: floats; sparse: struct sparse_vector pointers */
    size_t chunk_count;
    uint8_t *present; /* one byte a slot */
    size_t present_capacity;
};

struct sparse_vector {
    uint32_t count;
    uint32_t *indices; /* ascending */
    float *values;
};

struct point {
    uint64_t high;
    uint64_t low;
    uint64_t version;
    char *payload; /* NULL: {} */
    uint32_t payload_bytes;
    bool uuid;
    bool used;
};

/* What is written to one vector space of one point. */
struct vector_write {
    const struct vector_space *space;
    const float *values; /* dense: `size` of them; sparse: `sparse.values` */
    struct sparse_vector sparse;
};

struct strict_mode {
    bool enabled;
    bool has_max_query_limit, has_max_timeout, has_upsert_max_batchsize, has_search_max_batchsize,
        has_filter_max_conditions, has_condition_max_size, has_search_max_hnsw_ef,
        has_max_payload_index_count, has_max_points_count;
    uint64_t max_query_limit, max_timeout, upsert_max_batchsize, search_max_batchsize, filter_max_conditions,
        condition_max_size, search_max_hnsw_ef, max_payload_index_count, max_points_count;
    bool no_unindexed_retrieve, no_unindexed_update, no_exact;
};

struct undo;

struct collection {
    char *name;
    pthread_rwlock_t lock;
    /* configuration: compact JSON of the parts as GET shows them */
    char *vectors_json, *sparse_json, *params_json, *hnsw_json, *optimizers_json, *wal_json,
        *quantization_json, *strict_json, *metadata_json;
    struct strict_mode strict;
    struct vector_space *spaces;
    size_t space_count;
    struct field_index *indexes;
    uint64_t operation; /* number of the last update operation */
    struct point **chunks;
    size_t chunk_count;
    uint32_t slots; /* ever used */
    uint32_t points;
    uint32_t *free_slots;
    size_t free_count;
    size_t free_capacity;
    uint32_t *table; /* hash of ids to slots */
    size_t table_capacity;
    struct order order;
    struct undo *undo; /* newest first: what was written without wait since the last write that waited */
    uint64_t writes;   /* counters for tests */
    /* in a cluster */
    struct collection **replicas; /* owned: those of nodes 1, 2, ...; this one is that of node 0 */
    size_t replica_count;         /* with this one; 0 or 1: no others */
    bool dead;                    /* it missed a write that others confirmed */
};

struct collection *collection_new(const char *name);
void collection_free(struct collection *c);

struct point *collection_point(const struct collection *c, uint32_t slot);
struct pointid collection_id(const struct collection *c, uint32_t slot);
/* The slot of a point, or NO_SLOT. */
uint32_t collection_find(const struct collection *c, const struct pointid *id);

/* The payload of a slot parsed into the arena ({} if there is none). */
struct json collection_payload(const struct collection *c, uint32_t slot, struct pool *a);

/* Makes the point again or replaces it whole. `payload` is an object. */
void collection_put(struct collection *c, const struct pointid *id, const struct vector_write *vectors,
                    size_t vector_count, const struct json *payload);
/* Replaces the payload of a slot. */
void collection_set_payload(struct collection *c, uint32_t slot, const struct json *payload);
/* Replaces one vector of a slot, or takes it away. */
void collection_set_vector(struct collection *c, uint32_t slot, const struct vector_write *v);
void collection_drop_vector(struct collection *c, uint32_t slot, const struct vector_space *space);
void collection_remove(struct collection *c, uint32_t slot);

/* Makes `to` hold the very points of `from`, which is configured alike. */
void collection_copy(struct collection *to, const struct collection *from);

/* The space of that name, or NULL. */
struct vector_space *collection_space(const struct collection *c, const char *name, size_t bytes);
bool vector_present(const struct vector_space *s, uint32_t slot);
const float *vector_dense(const struct vector_space *s, uint32_t slot);
const struct sparse_vector *vector_sparse(const struct vector_space *s, uint32_t slot);
void vector_set(struct vector_space *s, uint32_t slot, const struct vector_write *v);
void vector_clear(struct vector_space *s, uint32_t slot);
void vector_space_fini(struct vector_space *s);

/* Adds an index over the points that are there (a second one on the same key replaces the first). False if
 * the key is no path. */
bool collection_add_index(struct collection *c, const char *field, enum index_type type, const char *params);
void collection_drop_index(struct collection *c, const char *field);
struct field_index *collection_index(const struct collection *c, const struct jsonpath *path);

/* Notes what a slot held, or that an id was not there, before a write that does not wait. */
void collection_note_undo(struct collection *c, const struct pointid *id);
/* Everything so far is safe. */
void collection_forget_undo(struct collection *c);
/* Takes back what was noted, newest first. */
void collection_undo(struct collection *c);

#endif
