/* call_counts.c - see call_counts.h. Owns one row of counters for each route. */
#include "api/call_counts.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_BEFORE_ROUTES 2 /* none, page */

static const int statuses[] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 409,
                               411, 412, 413, 414, 415, 422, 428, 429, 431, 500, 503, -1};
#define COLUMNS (sizeof statuses / sizeof *statuses)

struct row {
    atomic_uint_fast64_t counts[COLUMNS];
    struct histogram_live took;
};

struct call_counts {
    const struct route *routes;
    size_t count; /* of rows */
    struct row rows[];
};

struct call_counts *call_counts_new(const struct route *table, size_t count)
{
    struct call_counts *t = calloc(1, sizeof *t + (count + ROWS_BEFORE_ROUTES) * sizeof t->rows[0]);
    if (!t) return NULL;
    t->routes = table;
    t->count = count + ROWS_BEFORE_ROUTES;
    return t;
}

size_t call_counts_rows(const struct call_counts *t)
{
    return t->count;
}

void call_counts_free(struct call_counts *t)
{
    free(t);
}

static size_t row_of(const struct call_counts *t, const struct call *call)
{
    if (!call->route) return 0;
    for (size_t row = ROWS_BEFORE_ROUTES; row < t->count; row++)
        if (call->route == &t->routes[row - ROWS_BEFORE_ROUTES]) return row;
    return 1;
}

void call_counts_add(struct call_counts *t, const struct call *call, int64_t made_us)
{
    struct row *row = &t->rows[row_of(t, call)];
    size_t column = 0;
    while (column + 1 < COLUMNS && statuses[column] != call->status) column++;
    atomic_fetch_add_explicit(&row->counts[column], 1, memory_order_relaxed);
    if (made_us >= 0) histogram_live_add(&row->took, made_us);
}

/* `*` in a route's path: the source stands at the beginning, everything else is an id. */
static const char *wild_name(const char *path, const char *at)
{
    size_t before = (size_t)(at - path);
    bool first = (before == strlen("/api/") && strncmp(path, "/api/", before) == 0) ||
                 (before == strlen("/api/sync/") && strncmp(path, "/api/sync/", before) == 0);
    return first ? "{source}" : "{id}";
}

void call_counts_name(const struct call_counts *t, size_t row, const char **method, char *path)
{
    size_t at = 0;
    const struct route *route = row < ROWS_BEFORE_ROUTES ? NULL : &t->routes[row - ROWS_BEFORE_ROUTES];
    *method = route ? route->method : "";
    if (!route) snprintf(path, CALL_COUNTS_PATH_BYTES, "%s", row == 0 ? "none" : "page");
    for (const char *from = route ? route->path : ""; *from && at < CALL_COUNTS_PATH_BYTES; from++) {
        char one[2] = {*from, '\0'};
        at += (size_t)snprintf(path + at, CALL_COUNTS_PATH_BYTES - at, "%s",
                               *from == '*' ? wild_name(route->path, from) : one);
    }
}

int call_counts_status(size_t column)
{
    return column < COLUMNS ? statuses[column] : 0;
}

uint64_t call_counts_count(const struct call_counts *t, size_t row, size_t column)
{
    return atomic_load_explicit(&t->rows[row].counts[column], memory_order_relaxed);
}

struct histogram call_counts_took(const struct call_counts *t, size_t row)
{
    return histogram_read(&t->rows[row].took);
}
