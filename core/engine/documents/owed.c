/*
 * owed.c - points that may be on a replica although the one that is read does not show them: what was refused
 * or not answered in a collection with replicas. Each is remembered in a tombstone until an acknowledged
 * write or delete of it.
 *
 * Owns the lists it is handed, never what is in a tombstone of a request.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

static size_t place_of(const struct owed_points *list, size_t collection, const char *id)
{
    size_t i = 0;
    while (i < list->count && (list->items[i].collection != collection || strcmp(list->items[i].id, id) != 0))
        i++;
    return i;
}

bool owed_has(const struct owed_points *list, size_t collection, const char *id)
{
    return place_of(list, collection, id) < list->count;
}

bool owed_add(struct owed_points *list, size_t collection, const char *id)
{
    if (owed_has(list, collection, id)) return true;
    struct owed_point *items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items) return false;
    list->items = items;
    items[list->count].collection = collection;
    memcpy(items[list->count++].id, id, POINT_ID_BYTES);
    return true;
}

bool owed_add_all(struct owed_points *list, const struct owed_points *more)
{
    bool all = true;
    for (size_t i = 0; i < more->count; i++)
        all &= owed_add(list, more->items[i].collection, more->items[i].id);
    return all;
}

void owed_done(struct owed_points *list, size_t collection, const char *id)
{
    size_t i = place_of(list, collection, id);
    if (i < list->count) list->items[i] = list->items[--list->count];
}
