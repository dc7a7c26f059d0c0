/*
 * payload.h - changing a payload and showing parts of it. Payloads are stored as compact text; these work on
 * the parsed form and never change what they are given.
 */
#ifndef DOUBLE_QDRANT_STORE_PAYLOAD_H
#define DOUBLE_QDRANT_STORE_PAYLOAD_H

#include "qdrant_store/jsonpath.h"

/* `add` merged into `old` (at `path`, unless that is NULL): a null removes its key. */
struct json payload_set(struct pool *a, const struct json *old, const struct json *add,
                        const struct jsonpath *path);
/* `old` without what the paths lead to. */
struct json payload_without(struct pool *a, const struct json *old, const struct jsonpath *paths,
                            size_t count);

enum payload_show { PAYLOAD_NONE, PAYLOAD_ALL, PAYLOAD_INCLUDE, PAYLOAD_EXCLUDE };

struct payload_selector {
    enum payload_show show;
    struct jsonpath *paths;
    size_t count;
};

/* Writes the part of `payload` that the selector shows. */
void payload_write(struct buf *out, const struct json *payload, const struct payload_selector *selector);

#endif
