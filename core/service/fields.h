/* fields.h - which watched fields no document has: mostly a name with a mistake in it. Remembered for a
 * while, since MongoDB looks at every document for that. Any thread. */
#ifndef LOCKSTEP_SERVICE_FIELDS_H
#define LOCKSTEP_SERVICE_FIELDS_H

#include "service/compare.h"

struct fields;

/* NULL when memory is out. */
struct fields *fields_new(size_t source_count);
void fields_free(struct fields *f);

/*
 * Calls `notify` for each field that a collection of this source watches and no document has. Asks MongoDB at
 * most every five minutes, a second for each field at most; what is not known by then is taken as there.
 * `f` may be NULL: nothing is remembered.
 */
void fields_missing(struct fields *f, size_t source, const struct compare_source *all,
                    void (*notify)(void *self, size_t collection, const char *field), void *self);

#endif
