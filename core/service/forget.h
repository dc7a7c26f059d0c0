/*
 * forget.h - a collection that was switched off: its Qdrant collection and its entries in the metadata go.
 *
 * The caller has made sure that nobody keeps the collection in step any more. Doing it twice is doing it
 * once.
 */
#ifndef LOCKSTEP_SERVICE_FORGET_H
#define LOCKSTEP_SERVICE_FORGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mongo/mongo.h"
#include "qdrant/qdrant.h"

struct forget_wish {
    const char *name; /* of [collection:NAME] */
    struct mongo *mongo;
    struct qdrant *qdrant;
    size_t index;     /* of the collection, in `qdrant` */
    bool keep_qdrant; /* an enabled collection has the same Qdrant collection: leave that alone */
    /* May be NULL. False stops it (LKS_E_CANCELLED); what is left can be forgotten later. */
    bool (*progress)(void *self, const char *noun, uint64_t done, int64_t total);
    void *self;
};

/* What there is to forget, or what was forgotten. */
struct forget_sum {
    int64_t entries; /* in the metadata */
    bool exists;     /* the Qdrant collection */
    int64_t points;  /* ours in it */
    int64_t others;  /* of somebody else in it: then it stays, and only our points go */
};

enum lks_code forget_look(const struct forget_wish *wish, struct forget_sum *sum, struct lks_err *err);
/* `done` says what went, also with an error; its `others` stayed. */
enum lks_code forget(const struct forget_wish *wish, struct forget_sum *done, struct lks_err *err);

#endif
