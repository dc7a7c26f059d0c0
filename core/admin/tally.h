/*
 * tally.h - the HTTP API's own requests, by route and status, and how long their answers took to make.
 *
 * The labels are those of the table of routes: what a caller writes never becomes one. Without locks; any
 * thread. Private to this room.
 */
#ifndef LOCKSTEP_ADMIN_TALLY_H
#define LOCKSTEP_ADMIN_TALLY_H

#include "admin/call.h"
#include "base/histogram.h"

struct tally;

/* NULL when memory is out. */
struct tally *tally_new(void);
void tally_free(struct tally *t);
/* A call is over. `made_us`: what making its answer took; -1: it was answered at once. */
void tally_add(struct tally *t, const struct call *call, int64_t made_us);

/* What is counted, for reading: index 0 is everything that no route took, 1 the dashboard's files, then the
 * routes. */
size_t tally_rows(void);
/* Method and path of a row: "GET", "/api/sync/{source}/{id}"; "" and "none" or "page" for the first two.
 * `path` must have TALLY_PATH_BYTES. */
#define TALLY_PATH_BYTES 128
void tally_name(size_t row, const char **method, char *path);
/* A status by its column; 0 after the last, which is "other" (status -1). */
int tally_status(size_t column);
uint64_t tally_count(const struct tally *t, size_t row, size_t column);
struct histogram tally_took(const struct tally *t, size_t row);

#endif
