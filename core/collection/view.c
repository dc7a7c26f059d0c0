/* view.c - looking up all members of interest in one pass over the document. Borrows the document. */
#include "collection/view.h"

#include <stdlib.h>
#include <string.h>

static size_t hash(const char *name, size_t bytes)
{
    size_t h = bytes;
    if (bytes)
        h += (size_t)(unsigned char)name[0] * 31 + (size_t)(unsigned char)name[bytes - 1] * 7 +
             (size_t)(unsigned char)name[bytes / 2] * 131;
    return h ^ h >> 5;
}

int names_find(const struct names *n, const char *name, size_t bytes)
{
    size_t mask = n->slot_count - 1;
    for (size_t at = hash(name, bytes) & mask; n->slots[at]; at = (at + 1) & mask) {
        size_t i = n->slots[at] - 1u;
        if (n->lengths[i] == bytes && memcmp(n->names[i], name, bytes) == 0) return (int)i;
    }
    return -1;
}

static void add(struct names *n, const char *name)
{
    size_t bytes = path_head(name), mask = n->slot_count - 1;
    if (names_find(n, name, bytes) >= 0) return;
    size_t at = hash(name, bytes) & mask;
    while (n->slots[at]) at = (at + 1) & mask;
    n->names[n->count] = name;
    n->lengths[n->count] = bytes;
    n->slots[at] = (unsigned short)++n->count;
}

bool names_init(struct names *n, const char *const *names, size_t count)
{
    *n = (struct names){.slot_count = 8};
    while (n->slot_count < count * 4) n->slot_count *= 2;
    n->names = calloc(count + 1, sizeof *n->names);
    n->lengths = calloc(count + 1, sizeof *n->lengths);
    n->slots = calloc(n->slot_count, sizeof *n->slots);
    if (!n->names || !n->lengths || !n->slots) {
        names_fini(n);
        return false;
    }
    for (size_t i = 0; i < count; i++) add(n, names[i]);
    return true;
}

void names_fini(struct names *n)
{
    free(n->names);
    free(n->lengths);
    free(n->slots);
    *n = (struct names){0};
}

static void look_up(struct view *v)
{
    bson_iter_t iter;
    if (!bson_iter_init(&iter, v->doc)) return;
    while (bson_iter_next(&iter)) {
        int i = names_find(v->names, bson_iter_key(&iter), bson_iter_key_len(&iter));
        if (i >= 0) v->offsets[i] = bson_iter_offset(&iter);
    }
}

bool view_init(struct view *v, const struct names *names, const bson_t *doc)
{
    v->names = names;
    v->doc = doc;
    v->offsets = v->inline_offsets;
    if (names->count > VIEW_INLINE) v->offsets = malloc(names->count * sizeof *v->offsets);
    if (!v->offsets) return false;
    memset(v->offsets, 0, names->count * sizeof *v->offsets);
    look_up(v);
    return true;
}

void view_fini(struct view *v)
{
    if (v->offsets != v->inline_offsets) free(v->offsets);
}

bool view_member_at(const struct view *v, size_t place, bson_iter_t *iter)
{
    return v->offsets[place] &&
           bson_iter_init_from_data_at_offset(iter, bson_get_data(v->doc), v->doc->len, v->offsets[place],
                                              (uint32_t)v->names->lengths[place]);
}

bool view_member(const struct view *v, const char *path, bson_iter_t *iter, const char **rest)
{
    size_t bytes = path_head(path);
    int i = names_find(v->names, path, bytes);
    *rest = path[bytes] ? path + bytes + 1 : NULL;
    if (i < 0) return bson_iter_init_find_w_len(iter, v->doc, path, (int)bytes);
    return view_member_at(v, (size_t)i, iter);
}

bool view_each(const struct view *v, const char *path, bool *spread, path_visit visit, void *context)
{
    bson_iter_t iter;
    const char *rest;
    *spread = false;
    return !view_member(v, path, &iter, &rest) || path_each(&iter, rest, spread, visit, context);
}
