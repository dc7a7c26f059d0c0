/* view.h - a document with the members a declaration asks for already looked up: one pass, however many
 * fields.
 */
#ifndef LOCKSTEP_COLLECTION_VIEW_H
#define LOCKSTEP_COLLECTION_VIEW_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collection/path.h"

/* The names of the top-level members that are of interest. Immutable once made. */
struct names {
    const char **names; /* in the order they were added; the strings are borrowed */
    size_t *lengths;
    size_t count;
    unsigned short *slots; /* hash table: place + 1, or 0 */
    size_t slot_count;     /* a power of two */
};

#define NAMES_MAX 1000

/* Collects `count` names (borrowed, of equal ones the first). False when memory is out. */
bool names_init(struct names *n, const char *const *names, size_t count);
void names_fini(struct names *n);
/* The place of the name, or -1. */
int names_find(const struct names *n, const char *name, size_t bytes);

#define VIEW_INLINE 64

struct view {
    const struct names *names;
    const bson_t *doc; /* borrowed; must outlive the view */
    uint32_t *offsets; /* of the members in the document, one per name; 0: not there */
    uint32_t inline_offsets[VIEW_INLINE];
};

/* Looks the members up; of equal names in the document the last one counts. False when memory is out. */
bool view_init(struct view *v, const struct names *names, const bson_t *doc);
void view_fini(struct view *v);

/* Puts `iter` on the member that the path begins with, and *rest on what follows its name (NULL: nothing);
 * false if the document has none. Names that weren't collected are looked for in the document. */
bool view_member(const struct view *v, const char *path, bson_iter_t *iter, const char **rest);

/* The same for a name whose place is known. */
bool view_member_at(const struct view *v, size_t place, bson_iter_t *iter);

/* path_each() from the document on. */
bool view_each(const struct view *v, const char *path, bool *spread, path_visit visit, void *context);

#endif
