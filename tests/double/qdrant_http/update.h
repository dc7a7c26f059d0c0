/*
 * update.h - the operations that change points: read from a body, then applied to a collection.
 *
 * What they read points into the call's arena.
 */
#ifndef DOUBLE_QDRANT_HTTP_UPDATE_H
#define DOUBLE_QDRANT_HTTP_UPDATE_H

#include "qdrant_http/call.h"

enum update_type {
    UPDATE_UPSERT,
    UPDATE_DELETE,
    UPDATE_SET_PAYLOAD,
    UPDATE_OVERWRITE_PAYLOAD,
    UPDATE_DELETE_PAYLOAD,
    UPDATE_CLEAR_PAYLOAD,
    UPDATE_VECTORS,
    UPDATE_DELETE_VECTORS
};

enum update_mode { MODE_UPSERT, MODE_INSERT_ONLY, MODE_UPDATE_ONLY };

/* One vector as it came; which space it goes to is found later. */
struct incoming_vector {
    const char *name;
    size_t name_bytes;
    bool sparse;
    bool multi;
    uint32_t count;
    float *values;
    uint32_t *indices; /* sparse, ascending */
};

struct incoming_point {
    struct pointid id;
    struct incoming_vector *vectors;
    size_t vector_count;
    const struct json *payload; /* NULL: none */
};

struct update {
    enum update_type type;
    struct incoming_point *points; /* upsert, vectors */
    size_t point_count;
    bool by_ids; /* ids beat a filter that is there too */
    struct pointid *ids;
    size_t id_count;
    struct filter *filter;
    struct filter *update_filter;
    enum update_mode mode;
    const struct json *payload;
    bool has_key;
    struct jsonpath key;
    struct jsonpath *keys; /* of the payload, to delete */
    size_t key_count;
    const struct json *names; /* array of vectors to delete */
};

/* Reads an operation. Complaints go to the call's reader, `field` names the place for those of filters ("" at
 * the top of a body). */
bool update_read(struct call *c, enum update_type type, const struct json *body, const char *field,
                 struct update *out);
bool update_read_vector(struct reader *r, const struct json *v, struct incoming_vector *out);
/* Applies it; the collection is open for writing. False if it has answered with an error. */
bool update_apply(struct call *c, struct update *u);
/* "upserted" and so on: the counter of points. */
const char *update_counter(enum update_type type);

#endif
