/*
 * call_counts.h - the HTTP API's own requests, by route and status, and how long their answers took to make.
 *
 * The labels are those of the table of routes: what a caller writes never becomes one. Without locks; any
 * thread. Private to this room.
 */
#ifndef LOCKSTEP_API_CALL_COUNTS_H
#define LOCKSTEP_API_CALL_COUNTS_H

#include "api/call.h"
#include "base/histogram.h"

struct call_counts;

/* `table` is borrowed. NULL when memory is out. */
struct call_counts *call_counts_new(const struct route *table, size_t count);
void call_counts_free(struct call_counts *t);
/* A call is over. `made_us`: what making its answer took; -1: it was answered at once. */
void call_counts_add(struct call_counts *t, const struct call *call, int64_t made_us);

/* What is counted, for reading: index 0 is everything that no route took, 1 the dashboard's files, then the
 * routes. */
size_t call_counts_rows(const struct call_counts *t);
/* Method and path of a row: "GET", "/api/sync/{source}/{id}"; "" and "none" or "page" for the first two.
 * `path` must have CALL_COUNTS_PATH_BYTES. */
#define CALL_COUNTS_PATH_BYTES 128
void call_counts_name(const struct call_counts *t, size_t row, const char **method, char *path);
/* A status by its column; 0 after the last, which is "other" (status -1). */
int call_counts_status(size_t column);
uint64_t call_counts_count(const struct call_counts *t, size_t row, size_t column);
struct histogram call_counts_took(const struct call_counts *t, size_t row);

#endif
