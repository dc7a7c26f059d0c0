/* tally.c - see tally.h. Owns one row of counters for each route. */
#include "admin/tally.h"

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

struct tally {
    size_t count;
    struct row rows[];
};

size_t tally_rows(void)
{
    return route_count + ROWS_BEFORE_ROUTES;
}

struct tally *tally_new(void)
{
    struct tally *t = calloc(1, sizeof *t + tally_rows() * sizeof t->rows[0]);
    if (t) t->count = tally_rows();
    return t;
}

void tally_free(struct tally *t)
{
    free(t);
}

static size_t row_of(const struct call *call)
{
    if (!call->route) return 0;
    for (size_t i = 0; i < route_count; i++)
        if (call->route == &routes[i]) return i + ROWS_BEFORE_ROUTES;
    return 1;
}

void tally_add(struct tally *t, const struct call *call, int64_t made_us)
{
    struct row *row = &t->rows[row_of(call)];
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

void tally_name(size_t row, const char **method, char *path)
{
    size_t at = 0;
    const struct route *route = row < ROWS_BEFORE_ROUTES ? NULL : &routes[row - ROWS_BEFORE_ROUTES];
    *method = route ? route->method : "";
    if (!route) snprintf(path, TALLY_PATH_BYTES, "%s", row == 0 ? "none" : "page");
    for (const char *from = route ? route->path : ""; *from && at < TALLY_PATH_BYTES; from++) {
        char one[2] = {*from, '\0'};
        at += (size_t)snprintf(path + at, TALLY_PATH_BYTES - at, "%s",
                               *from == '*' ? wild_name(route->path, from) : one);
    }
}

int tally_status(size_t column)
{
    return column < COLUMNS ? statuses[column] : 0;
}

uint64_t tally_count(const struct tally *t, size_t row, size_t column)
{
    return atomic_load_explicit(&t->rows[row].counts[column], memory_order_relaxed);
}

struct histogram tally_took(const struct tally *t, size_t row)
{
    return histogram_read(&t->rows[row].took);
}
