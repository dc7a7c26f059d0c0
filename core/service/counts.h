/*
 * counts.h - how many documents are in which state, for callers who may ask often and must not wait long.
 *
 * One thread counts, for all who ask; counting a large collection takes MongoDB a while, so that an answer
 * may be as old as the counting before it took.
 */
#ifndef LOCKSTEP_SERVICE_COUNTS_H
#define LOCKSTEP_SERVICE_COUNTS_H

#include "mongo/mongo.h"

struct counts;

/* `mongos`: one per source, NULL for one that isn't counted; borrowed. NULL without memory or a thread. */
struct counts *counts_open(struct mongo *const *mongos, size_t count);
/* Waits for a count that is under way. NULL is fine. */
void counts_close(struct counts *c);

/*
 * A copy of the last count of this source, to be freed by mongo_counts_fini(). One that is no older than a
 * fraction of a second if MongoDB is quick; where counting takes long, up to 15 seconds, and where it takes
 * very long, up to ten times as long as that, so that it stays a small part of what MongoDB does; and a few
 * more while the next count is made; else it waits. The error is that of the last attempt, or LKS_E_MONGO if
 * MongoDB doesn't answer in time. From any thread.
 */
enum lks_code counts_get(struct counts *c, size_t source, struct mongo_counts *out, struct lks_err *err);
/* How old a count may become before another is made, if the last one took so long. */
int64_t counts_fresh_ms(int64_t took_ms);

#endif
