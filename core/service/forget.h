/*
 * forget.h - a collection that was switched off: its Qdrant collection and its entries in the metadata go.
 *
 * The caller has made sure that nobody keeps the collection in sync any more. Doing it twice is doing it
 * once.
 */
#ifndef LOCKSTEP_SERVICE_FORGET_H
#define LOCKSTEP_SERVICE_FORGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "mongo/mongo.h"
#include "qdrant/qdrant.h"

struct forget_request {
    const struct config *config;
    const struct config_collection *collection; /* of `config`; switched off */
    struct mongo *mongo;
    struct qdrant *qdrant;
    size_t index; /* of the collection, in `qdrant` */
    /* May be NULL. False stops it (LKS_E_CANCELLED); what is left can be forgotten later. */
    bool (*progress)(void *self, const char *noun, uint64_t done, int64_t total);
    void *self;
};

/* What there is to forget, or what was forgotten. */
struct forget_sum {
    int64_t entries;    /* in the metadata */
    bool exists;        /* the Qdrant collection */
    int64_t points;     /* ours in it */
    int64_t others;     /* of other writers in it */
    const char *shared; /* borrowed: an enabled collection that has the same one, under whatever name: nothing
                           of it is deleted */
    char alias[256];    /* another alias that leads to it; "": none */
};

/*
 * Why the Qdrant collection stays, for a person ("it holds 3 points of others"), into `out`. False: it goes.
 * If `shared` isn't why, our points in it go all the same.
 */
bool forget_keeps(const struct forget_sum *sum, char *out, size_t bytes);

enum lks_code forget_look(const struct forget_request *request, struct forget_sum *sum, struct lks_err *err);
/* `done` says what went (`exists`: the Qdrant collection), also with an error, and why the collection stayed.
 */
enum lks_code forget(const struct forget_request *request, struct forget_sum *done, struct lks_err *err);

#endif
