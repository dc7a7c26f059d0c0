/*
 * edits.h - an application that changes documents at random, by a seed: few ids, so that documents meet.
 */
#ifndef LOCKSTEP_TESTS_LIVE_EDITS_H
#define LOCKSTEP_TESTS_LIVE_EDITS_H

#include <mongoc/mongoc.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

/* LOCKSTEP_TEST_SEED, or this one. */
uint64_t chance_seed(uint64_t by_default);
/* From 0 up to, and without, `below`. */
uint64_t chance_draw(struct chance *c, uint64_t below);

/*
 * One write to one of `ids` documents (`_id` 0 ... ids - 1): a field that is embedded, one that is payload,
 * one that is nobody's, the business id (so that two documents hold one), a replacement, a delete. On a
 * document that may not be there, as an application that is late would. False if MongoDB refused it: then
 * nothing was changed, or it is not known.
 */
bool random_edit(mongoc_collection_t *collection, struct chance *c, uint64_t ids);

#endif
